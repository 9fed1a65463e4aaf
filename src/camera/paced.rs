//! Any clip at its own speed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{CameraError, Frame, Source};

/// Longest sleep without a look at the stop sign.
const NAP: Duration = Duration::from_millis(50);

/// Gives each frame of `inner` when its time has come, counted from the first frame, and not
/// before. Frames that are asked for too late come at once; none is left out.
pub struct Paced {
    inner: Box<dyn Source>,
    /// The moment that clip time 0 falls on.
    started: Option<Instant>,
    stop: Arc<AtomicBool>,
}

impl Paced {
    pub fn new(inner: Box<dyn Source>) -> Self {
        Self { inner, started: None, stop: Arc::default() }
    }
}

impl Source for Paced {
    fn next(&mut self) -> Result<Option<Frame>, CameraError> {
        let Some(frame) = self.inner.next()? else { return Ok(None) };
        let now = Instant::now();
        let started = *self.started.get_or_insert(now);
        let due = started + frame.captured_at;
        while !self.stop.load(Ordering::Relaxed) {
            let wait = due.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return Ok(Some(frame));
            }
            std::thread::sleep(wait.min(NAP));
        }
        Ok(None)
    }

    fn describe(&self) -> String {
        format!("{}, in real time", self.inner.describe())
    }

    fn rate(&self) -> Option<f32> {
        self.inner.rate()
    }

    fn frames(&self) -> Option<u64> {
        self.inner.frames()
    }

    fn broken(&self) -> u64 {
        self.inner.broken()
    }

    fn stop_on(&mut self, stop: Arc<AtomicBool>) {
        self.stop = Arc::clone(&stop);
        self.inner.stop_on(stop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;

    /// Frames at the given times.
    struct Listed(Vec<Duration>);

    impl Source for Listed {
        fn next(&mut self) -> Result<Option<Frame>, CameraError> {
            let picture = Picture::new(1, 1);
            Ok(self.0.pop().map(|captured_at| Frame { picture, number: 0, captured_at }))
        }

        fn describe(&self) -> String {
            "listed".into()
        }

        fn rate(&self) -> Option<f32> {
            None
        }
    }

    #[test]
    fn no_frame_comes_before_its_time() {
        let times = [300, 150, 0].map(Duration::from_millis);
        let mut paced = Paced::new(Box::new(Listed(times.to_vec())));
        let started = Instant::now();
        while let Some(frame) = paced.next().unwrap() {
            assert!(started.elapsed() >= frame.captured_at);
        }
        assert!(started.elapsed() >= Duration::from_millis(300));
    }

    #[test]
    fn a_stop_ends_the_wait_for_a_frame_that_is_far_away() {
        let times = [Duration::from_secs(1_000_000), Duration::ZERO];
        let mut paced = Paced::new(Box::new(Listed(times.to_vec())));
        let stop = Arc::new(AtomicBool::new(false));
        paced.stop_on(Arc::clone(&stop));
        assert!(paced.next().unwrap().is_some());
        let stopper = std::thread::spawn(move || stop.store(true, Ordering::Relaxed));
        assert!(paced.next().unwrap().is_none());
        stopper.join().unwrap();
    }
}
