//! What systemd is told of the daemon: ready, how it goes, and that it still lives.
//! Owns the protocol (sd_notify(3)), when the watchdog is fed, and what the service leaves for the
//! command that makes its lines safe.
//! Never: deciding whether a stage lives; the pipeline says that.

mod in_use;

use std::time::Duration;

pub use in_use::LinesInUse;
use sd_notify::NotifyState;

use crate::pipeline::Health;

/// How often the status line is renewed while the camera stays the same.
const STATUS: Duration = Duration::from_secs(5);

/// The daemon as a service. Where no service manager listens, everything is kept to itself.
#[derive(Debug, Default)]
pub struct Service {
    /// How long systemd waits to be fed; none where it does not watch.
    watchdog: Option<Duration>,
    /// Whether this run was told to be ready.
    ready: bool,
    fed: Option<Duration>,
    /// Time, frames and camera of the last status.
    status: Option<(Duration, u64, String)>,
    stalled: bool,
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Note {
    Ready,
    Watchdog,
    Status(String),
    Stopping,
}

impl Service {
    /// As the environment says ($NOTIFY_SOCKET, $WATCHDOG_USEC).
    pub fn from_environment() -> Self {
        Self { watchdog: sd_notify::watchdog_enabled(), ..Self::default() }
    }

    /// Tells what there is to tell; to be called twice a second.
    pub fn tell(&mut self, health: &Health) {
        for note in self.notes(health) {
            send(&[match &note {
                Note::Ready => NotifyState::Ready,
                Note::Watchdog => NotifyState::Watchdog,
                Note::Status(words) => NotifyState::Status(words),
                Note::Stopping => NotifyState::Stopping,
            }]);
        }
    }

    /// The configuration is being read again. The next [`tell`](Self::tell) says that it is done.
    pub fn reloading(&mut self) {
        let mut notes = vec![NotifyState::Reloading, NotifyState::Watchdog];
        notes.extend(NotifyState::monotonic_usec_now());
        send(&notes);
        *self = Self { watchdog: self.watchdog, ..Self::default() };
    }

    fn notes(&mut self, health: &Health) -> Vec<Note> {
        if health.ending {
            return vec![Note::Stopping];
        }
        let mut notes = Vec::new();
        if !self.ready {
            self.ready = true;
            notes.push(Note::Ready);
        }
        self.watch_stages(health);
        // A third of what systemd waits: one that comes late does no harm.
        let due = self.watchdog.is_some_and(|patience| {
            self.fed.is_none_or(|fed| health.time.saturating_sub(fed) >= patience / 3)
        });
        if due && health.stalled.is_none() {
            self.fed = Some(health.time);
            notes.push(Note::Watchdog);
        }
        notes.extend(self.news(health));
        notes
    }

    fn watch_stages(&mut self, health: &Health) {
        match health.stalled {
            Some((stage, silence)) if !self.stalled => {
                let seconds = silence.as_secs();
                let outcome = match self.watchdog {
                    Some(_) => "the watchdog is not fed, and systemd starts the daemon again",
                    None => "no watchdog is set that would start the daemon again",
                };
                log::error!("{stage} has not gone round for {seconds} s: {outcome}");
            }
            None if self.stalled => log::warn!("all stages go round again"),
            _ => {}
        }
        self.stalled = health.stalled.is_some();
    }

    /// A status where the camera changed, and now and then.
    fn news(&mut self, health: &Health) -> Option<Note> {
        let words = match &self.status {
            Some((_, _, camera)) if *camera != health.camera => health.camera.clone(),
            Some((told, frames, _)) => {
                let span = health.time.saturating_sub(*told);
                if span < STATUS {
                    return None;
                }
                let rate = health.frames.saturating_sub(*frames) as f64 / span.as_secs_f64();
                format!("{}; {rate:.1} frames a second looked at", health.camera)
            }
            None => health.camera.clone(),
        };
        self.status = Some((health.time, health.frames, health.camera.clone()));
        Some(Note::Status(words.replace('\n', " ")))
    }
}

/// A service manager that does not listen is no reason to end.
fn send(notes: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(notes) {
        log::debug!("systemd cannot be told: {error}");
    }
}

#[cfg(test)]
mod tests;
