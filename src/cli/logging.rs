//! Log lines on standard error: for people, or with levels for the journal.

use std::io::Write;
use std::os::unix::fs::MetadataExt;

use env_logger::{Builder, Env, TimestampPrecision};
use log::Level;

/// Starts logging at `level`, with `times` if people are to have them; `RUST_LOG` decides
/// otherwise what is logged. The journal keeps times itself.
pub(super) fn start(level: &str, times: Option<TimestampPrecision>) {
    let mut builder = Builder::from_env(Env::default().default_filter_or(level));
    builder.format_timestamp(times).format_target(false);
    if is_journal() {
        builder.format(|out, record| {
            let words = record.args().to_string();
            let mark = priority(record.level());
            words.lines().try_for_each(|line| writeln!(out, "<{mark}>{line}"))
        });
        // A panic is an error there too, not a line without a level.
        std::panic::set_hook(Box::new(|panic| log::error!("{panic}")));
    }
    builder.init();
}

/// Says why a command failed: the last words.
pub(super) fn complain(words: &str) {
    if is_journal() {
        log::error!("{words}");
    } else {
        // Nobody is left to tell that this cannot be told; the exit code still says it.
        let _ = writeln!(std::io::stderr(), "maskgate: {words}");
    }
}

/// sd-daemon(3)'s names for the levels of syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Whether standard error is the stream that systemd named ($JOURNAL_STREAM, systemd.exec(5)).
fn is_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").ok();
    let stderr = std::fs::metadata("/proc/self/fd/2").ok();
    let stderr = stderr.map(|stderr| format!("{}:{}", stderr.dev(), stderr.ino()));
    stream.is_some() && stream == stderr
}
