//! What passes between the stages, and how a stage that breaks down is started again.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::camera::Frame;
use crate::picture::Look;

use super::{PipelineError, Shutdown};

/// What capture tells vision. Times count from the start of the pipeline.
#[derive(Debug)]
pub enum Input {
    Frame(Frame),
    Lost(Duration),
    Back(Duration),
    /// The source is at its end; nothing follows.
    End,
}

/// What vision tells control.
#[derive(Debug)]
pub enum Seen {
    Looks {
        number: u64,
        at: Duration,
        looks: Vec<Look>,
    },
    Lost(Duration),
    Back(Duration),
    /// Vision broke down, and begins anew.
    Blind,
    End,
}

/// The time of the pipeline: how long it has run.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A stage may break down this often within [`WINDOW`]; once more ends the pipeline.
const BREAKDOWNS: usize = 4;
const WINDOW: Duration = Duration::from_secs(60);

/// Breakdowns of all stages, and the reason for which the pipeline ends by itself.
#[derive(Clone, Debug)]
pub struct Faults {
    shutdown: Shutdown,
    recent: Arc<Mutex<VecDeque<Instant>>>,
    total: Arc<AtomicU64>,
    reason: Arc<Mutex<Option<PipelineError>>>,
}

impl Faults {
    pub fn new(shutdown: Shutdown) -> Self {
        let (recent, total, reason) = Default::default();
        Self { shutdown, recent, total, reason }
    }

    /// Ends the pipeline; the first reason is kept.
    pub fn fail(&self, error: PipelineError) {
        let mut reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        reason.get_or_insert(error);
        self.shutdown.trigger();
    }

    pub fn reason(&self) -> Option<PipelineError> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// How many panics were caught.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Runs `body` until it returns. After a panic it is run again, with what it has of its own
    /// dropped; too many panics end the pipeline.
    pub fn guard(&self, stage: &'static str, mut body: impl FnMut()) {
        while catch_unwind(AssertUnwindSafe(&mut body)).is_err() {
            self.total.fetch_add(1, Ordering::Relaxed);
            let times = self.count();
            if times > BREAKDOWNS {
                log::error!("{stage} broke down {times} times within a minute: ending");
                self.fail(PipelineError::BrokenDown { stage, times });
                return;
            }
            if self.shutdown.is_triggered() {
                return;
            }
            log::error!("{stage} broke down (the panic is above) and is started again");
        }
    }

    fn count(&self) -> usize {
        let now = Instant::now();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|then| now.duration_since(*then) < WINDOW);
        recent.push_back(now);
        recent.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_breaks_down_once_goes_on_and_is_counted() {
        let shutdown = Shutdown::default();
        let faults = Faults::new(shutdown.clone());
        let mut runs = 0;
        faults.guard("vision", || {
            runs += 1;
            assert!(runs > 1, "a fault of the first run");
        });
        assert_eq!((runs, faults.total()), (2, 1));
        assert!(!shutdown.is_triggered());
    }

    #[test]
    fn a_stage_that_always_breaks_down_ends_the_pipeline() {
        let shutdown = Shutdown::default();
        let faults = Faults::new(shutdown.clone());
        faults.guard("vision", || panic!("a fault of every run"));
        assert!(shutdown.is_triggered());
        assert!(matches!(faults.reason(), Some(PipelineError::BrokenDown { .. })));
    }
}
