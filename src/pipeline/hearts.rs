//! Whether every stage still goes round.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::stage::Clock;

/// Longest wait of a stage between two beats, where it waits for another stage.
pub const BEAT: Duration = Duration::from_secs(1);

/// The hearts of all stages that live. A clone watches the same ones.
#[derive(Clone, Debug)]
pub struct Hearts {
    clock: Clock,
    beating: Arc<Mutex<Vec<Watched>>>,
}

#[derive(Debug)]
struct Watched {
    stage: &'static str,
    /// How long this stage may work, or wait for a device, without a beat.
    limit: Duration,
    /// Gone when the stage has ended as it should.
    last: Weak<AtomicU64>,
}

/// What a stage beats whenever it goes round; dropping it says that the stage has ended.
#[derive(Debug)]
pub struct Heart {
    clock: Clock,
    /// The last beat, in milliseconds of the clock.
    last: Arc<AtomicU64>,
}

impl Hearts {
    pub fn new(clock: Clock) -> Self {
        Self { clock, beating: Arc::default() }
    }

    /// A heart for `stage`; its first beat is now.
    pub fn heart(&self, stage: &'static str, limit: Duration) -> Heart {
        let heart = Heart { clock: self.clock, last: Arc::default() };
        heart.beat();
        let watched = Watched { stage, limit, last: Arc::downgrade(&heart.last) };
        self.beating.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
        heart
    }

    /// Of the stages that have not beaten for longer than they may the one furthest beyond it, and
    /// for how long: those that wait for a stage that hangs fall silent after it.
    pub fn silent(&self, now: Duration) -> Option<(&'static str, Duration)> {
        let beating = self.beating.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = beating.iter().filter_map(|watched| {
            let last = Duration::from_millis(watched.last.upgrade()?.load(Ordering::Relaxed));
            let silence = now.saturating_sub(last);
            (silence > watched.limit).then_some((watched, silence))
        });
        let worst = silent.max_by_key(|(watched, silence)| silence.saturating_sub(watched.limit));
        worst.map(|(watched, silence)| (watched.stage, silence))
    }
}

impl Heart {
    pub fn beat(&self) {
        self.beat_at(self.clock.now());
    }

    fn beat_at(&self, now: Duration) {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl Default for Heart {
    /// One that nobody watches.
    fn default() -> Self {
        Hearts::new(Clock::start()).heart("none", Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn second(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    #[test]
    fn a_stage_that_stalls_is_found_although_the_others_beat() {
        let hearts = Hearts::new(Clock::start());
        let (vision, control) = (hearts.heart("vision", LIMIT), hearts.heart("control", LIMIT));
        for now in 0..60 {
            control.beat_at(second(now));
            if now <= 10 {
                vision.beat_at(second(now));
            }
            let silent = hearts.silent(second(now));
            assert_eq!(silent, (now > 30).then(|| ("vision", second(now - 10))));
        }
    }

    #[test]
    fn of_two_silent_stages_the_one_that_fell_silent_first_is_named() {
        let hearts = Hearts::new(Clock::start());
        let (vision, control) = (hearts.heart("vision", LIMIT), hearts.heart("control", LIMIT));
        control.beat_at(second(10));
        vision.beat_at(second(11));
        assert_eq!(hearts.silent(second(40)), Some(("control", second(30))));
    }

    #[test]
    fn a_stage_that_beats_again_is_well_again() {
        let hearts = Hearts::new(Clock::start());
        let heart = hearts.heart("vision", LIMIT);
        assert!(hearts.silent(second(100)).is_some());
        heart.beat_at(second(99));
        assert_eq!(hearts.silent(second(100)), None);
    }

    #[test]
    fn each_stage_has_its_own_patience_and_one_that_ended_needs_none() {
        let hearts = Hearts::new(Clock::start());
        let capture = hearts.heart("capture", second(180));
        assert_eq!(hearts.silent(second(170)), None);
        assert!(hearts.silent(second(190)).is_some());
        drop(capture);
        assert_eq!(hearts.silent(second(10_000)), None);
    }
}
