use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::camera::{CameraError, Source};

use super::Shutdown;
use super::hearts::{BEAT, Heart};
use super::slot::Slot;
use super::stage::{Clock, Input};

/// Waits between attempts to open a lost camera.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Opens the source; called again for each attempt after it was lost.
pub type Open = dyn FnMut() -> Result<Box<dyn Source>, CameraError> + Send;

/// Keeps the source open and its frames flowing into the slot, with times and numbers that go on
/// rising when the source is opened again.
pub struct Capture {
    pub open: Box<Open>,
    /// The source already opened; none after the first loss.
    pub source: Option<Box<dyn Source>>,
    pub slot: Slot,
    pub clock: Clock,
    pub shutdown: Shutdown,
    pub next_number: u64,
    pub lost: bool,
    pub heart: Heart,
    pub camera: CameraState,
}

/// What there is to say of the camera, readable from outside.
#[derive(Clone, Debug, Default)]
pub struct CameraState(Arc<Mutex<String>>);

impl CameraState {
    /// `v4l2 /dev/video0 (a camera), 640x480 YUYV`, or why there is none.
    pub fn words(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn say(&self, words: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = words.into();
    }
}

impl Capture {
    /// Returns at the end of the source or of the pipeline. Called again after a panic, it opens
    /// the source anew.
    pub fn run(&mut self) {
        let mut wait = FIRST_WAIT;
        let mut said = String::new();
        while !self.shutdown.is_triggered() {
            self.heart.beat();
            let opened = match self.source.take() {
                Some(source) => Ok(source),
                None => {
                    self.lose();
                    (self.open)()
                }
            };
            let first = self.next_number;
            match opened.and_then(|source| self.pump(source)) {
                Ok(()) => {
                    self.slot.put(Input::End);
                    return;
                }
                Err(error) => {
                    if self.next_number > first {
                        (wait, said) = (FIRST_WAIT, String::new());
                    }
                    let words = error.to_string();
                    self.camera.say(format!("no camera: {words}"));
                    if words != said {
                        log::error!("{words}; it is tried again until it works");
                        said = words;
                    }
                    self.lose();
                    if self.rest(wait) {
                        return;
                    }
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// Frames into the slot until the source ends or fails.
    fn pump(&mut self, mut source: Box<dyn Source>) -> Result<(), CameraError> {
        source.stop_on(self.shutdown.flag());
        self.camera.say(source.describe());
        self.heart.beat();
        // The first source starts with the clock: a clip then keeps its own times.
        let began = if self.lost { self.clock.now() } else { Duration::ZERO };
        let first = self.next_number;
        while let Some(mut frame) = source.next()? {
            self.heart.beat();
            if self.shutdown.is_triggered() {
                break;
            }
            frame.captured_at += began;
            frame.number += first;
            self.next_number = frame.number + 1;
            if self.lost {
                self.lost = false;
                log::info!("the camera is back: {}", source.describe());
                self.slot.put(Input::Back(frame.captured_at));
            }
            self.slot.put(Input::Frame(frame));
        }
        Ok(())
    }

    /// Waits for `time`, and beats meanwhile; true at the end.
    fn rest(&self, time: Duration) -> bool {
        let mut left = time;
        while !left.is_zero() {
            let part = left.min(BEAT);
            if self.shutdown.wait(part) {
                return true;
            }
            self.heart.beat();
            left -= part;
        }
        false
    }

    fn lose(&mut self) {
        if !self.lost {
            self.lost = true;
            self.slot.put(Input::Lost(self.clock.now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::camera::Frame;
    use crate::picture::Picture;

    /// Gives `left` frames, 10 ms apart and counted from 0, then ends, or fails if it is lost.
    struct Cable {
        given: u64,
        left: u64,
        lost: bool,
    }

    impl Source for Cable {
        fn next(&mut self) -> Result<Option<Frame>, CameraError> {
            if self.given == self.left {
                return if self.lost { Err(unplugged()) } else { Ok(None) };
            }
            let captured_at = Duration::from_millis(10 * self.given);
            self.given += 1;
            let number = self.given - 1;
            Ok(Some(Frame { picture: Picture::new(1, 1), number, captured_at }))
        }

        fn describe(&self) -> String {
            "a cable".into()
        }

        fn rate(&self) -> Option<f32> {
            None
        }
    }

    fn unplugged() -> CameraError {
        CameraError::NotACamera { device: PathBuf::from("/dev/cable"), reason: "pulled".into() }
    }

    fn capture(lost: bool, open: Box<Open>) -> (Capture, Slot, Shutdown) {
        let (slot, shutdown) = (Slot::default(), Shutdown::default());
        let capture = Capture {
            open,
            source: Some(Box::new(Cable { given: 0, left: 3, lost })),
            slot: slot.clone(),
            clock: Clock::start(),
            shutdown: shutdown.clone(),
            next_number: 0,
            lost: false,
            heart: Heart::default(),
            camera: CameraState::default(),
        };
        (capture, slot, shutdown)
    }

    #[test]
    fn a_camera_that_comes_back_goes_on_with_later_times_and_higher_numbers() {
        let mut attempts = 0;
        let (mut capture, slot, shutdown) = capture(
            true,
            Box::new(move || {
                attempts += 1;
                if attempts == 1 {
                    return Err(unplugged());
                }
                Ok(Box::new(Cable { given: 0, left: 2, lost: false }))
            }),
        );
        capture.run();
        let mut news = Vec::new();
        let (mut numbers, mut times) = (Vec::new(), Vec::new());
        loop {
            match slot.take(&shutdown, &Heart::default()) {
                Some(Input::Frame(frame)) => {
                    news.push("frame");
                    numbers.push(frame.number);
                    times.push(frame.captured_at);
                }
                Some(Input::Lost(at)) => {
                    news.push("lost");
                    times.push(at);
                }
                Some(Input::Back(at)) => {
                    news.push("back");
                    times.push(at);
                }
                Some(Input::End) | None => break,
            }
        }
        assert_eq!(news, ["frame", "lost", "back", "frame"]);
        assert_eq!(numbers, [2, 4]);
        // What is lost is told by the clock, frames in the time of their source.
        assert!(times[1] <= times[2] && times[2] <= times[3], "{times:?}");
    }

    #[test]
    fn a_clip_keeps_its_own_times_and_ends() {
        let (mut capture, slot, shutdown) = capture(false, Box::new(|| Err(unplugged())));
        capture.run();
        assert!(matches!(
            slot.take(&shutdown, &Heart::default()),
            Some(Input::Frame(frame)) if frame.captured_at == Duration::from_millis(20)
        ));
        assert!(matches!(slot.take(&shutdown, &Heart::default()), Some(Input::End)));
    }

    #[test]
    fn waiting_for_a_lost_camera_is_over_at_the_end() {
        let (mut capture, _, shutdown) = capture(true, Box::new(|| Err(unplugged())));
        let waiting = std::thread::spawn(move || capture.run());
        shutdown.trigger();
        waiting.join().unwrap();
    }
}
