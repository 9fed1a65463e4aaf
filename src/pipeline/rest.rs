//! When vision sleeps: nothing moves and nobody is seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether vision sleeps; a clone tells the same. Control decides, vision obeys.
#[derive(Clone, Debug, Default)]
pub struct Asleep(Arc<AtomicBool>);

impl Asleep {
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, asleep: bool) {
        self.0.store(asleep, Ordering::Relaxed);
    }
}

/// Counts the quiet time. Pure: time comes with each step.
#[derive(Clone, Debug)]
pub struct Rest {
    after: Duration,
    last_busy: Duration,
    asleep: bool,
}

impl Rest {
    /// Awake at `now`; falls asleep when it has been quiet for `after`.
    pub fn new(after: Duration, now: Duration) -> Self {
        Self { after, last_busy: now, asleep: false }
    }

    /// `busy`: something moves, somebody is seen, or something is switched on. Gives the new
    /// state where it changes: true for asleep.
    pub fn step(&mut self, now: Duration, busy: bool) -> Option<bool> {
        if busy {
            self.last_busy = self.last_busy.max(now);
        }
        let asleep = now.saturating_sub(self.last_busy) >= self.after;
        (asleep != std::mem::replace(&mut self.asleep, asleep)).then_some(asleep)
    }

    pub fn is_asleep(&self) -> bool {
        self.asleep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(60);

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_sleeps_after_the_quiet_time_and_wakes_at_once() {
        let mut rest = Rest::new(AFTER, s(10));
        assert_eq!(rest.step(s(69), false), None);
        assert_eq!(rest.step(s(70), false), Some(true));
        assert_eq!(rest.step(s(500), false), None, "told once");
        assert_eq!(rest.step(s(501), true), Some(false));
        assert_eq!(rest.step(s(560), false), None);
        assert_eq!(rest.step(s(561), false), Some(true));
    }

    #[test]
    fn whoever_is_seen_keeps_it_awake() {
        let mut rest = Rest::new(AFTER, Duration::ZERO);
        assert!((0..1000).all(|second| rest.step(s(second), second % 59 == 0).is_none()));
    }
}
