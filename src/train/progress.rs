//! Progress of long work: a bar on a terminal, a plain line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two plain lines.
const EVERY: Duration = Duration::from_secs(15);

/// Counts towards a total and shows it on stderr.
pub struct Meter {
    bar: Option<ProgressBar>,
    plain: Mutex<Plain>,
    name: String,
    total: u64,
}

struct Plain {
    done: u64,
    start: Instant,
    told: Instant,
}

impl Meter {
    pub fn new(name: &str, total: u64) -> Self {
        let now = Instant::now();
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{prefix} {bar:30} {pos}/{len} {eta} {msg}";
            // The template is fixed; were it refused, the plain style does.
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total).with_style(style).with_prefix(name.to_owned())
        });
        let plain = Mutex::new(Plain { done: 0, start: now, told: now });
        Self { bar, plain, name: name.to_owned(), total }
    }

    /// One more done; `message` says something about it.
    pub fn step(&self, message: &str) {
        if let Some(bar) = &self.bar {
            if !message.is_empty() {
                bar.set_message(message.to_owned());
            }
            bar.inc(1);
            return;
        }
        let Ok(mut plain) = self.plain.lock() else { return };
        plain.done += 1;
        if plain.told.elapsed() >= EVERY || plain.done == self.total {
            plain.told = Instant::now();
            let seconds = plain.start.elapsed().as_secs();
            note!("{} {}/{} {seconds} s {message}", self.name, plain.done, self.total);
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
