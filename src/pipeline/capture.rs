use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::camera::{CameraError, Source};
use crate::config::without_passwords;

use super::camera_tally::CameraTally;
use super::hearts::{BEAT, Heart};
use super::slot::Slot;
use super::stage::{Clock, Faults, Input};
use super::{PipelineError, Shutdown};

/// Waits between attempts to open a lost camera.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A source that gave frames for so long was well: its next loss is waited for from the shortest
/// wait on.
const STEADY: Duration = Duration::from_secs(10);

/// Opens the source; called again for each attempt after it was lost.
pub type Open = dyn FnMut() -> Result<Box<dyn Source>, CameraError> + Send;

/// Keeps the source open and its frames flowing into the slot, with times and numbers that go on
/// rising when the source is opened again.
///
/// While there is no source, control holds the lines in their safe state: it is told `Lost` once,
/// and `Back` before the first frame of the source that returned.
pub struct Capture {
    pub open: Box<Open>,
    /// The source already opened; none after the first loss, or where it is not there at the start.
    pub source: Option<Box<dyn Source>>,
    pub slot: Slot,
    pub clock: Clock,
    pub shutdown: Shutdown,
    pub faults: Faults,
    pub next_number: u64,
    /// When the source that was opened last gave its first and its latest frame.
    pub gave: Option<(Duration, Duration)>,
    pub lost: bool,
    /// The topic of what was said last of why there is no source: the same is not said again.
    pub said: String,
    pub tally: CameraTally,
    pub heart: Heart,
}

impl Capture {
    /// Returns at the end of the source or of the pipeline. Called again after a panic, it opens
    /// the source anew.
    pub fn run(&mut self) {
        let mut wait = FIRST_WAIT;
        while !self.shutdown.is_triggered() {
            self.heart.beat();
            self.gave = None;
            let opened = match self.source.take() {
                Some(source) => Ok(source),
                None => {
                    self.lose();
                    (self.open)()
                }
            };
            match opened.and_then(|source| self.pump(source)) {
                Ok(()) => {
                    self.slot.put(Input::End);
                    return;
                }
                // Who ends us may have ended a pipe's command too: nothing is lost.
                Err(_) if self.shutdown.is_triggered() => return,
                Err(error)
                    if error.is_of_a_file() || (self.next_number == 0 && !error.may_pass()) =>
                {
                    self.faults.fail(PipelineError::Camera(error));
                    return;
                }
                Err(error) => {
                    self.lose();
                    if self.was_well() {
                        (wait, self.said) = (FIRST_WAIT, String::new());
                    }
                    self.complain(&error);
                    if self.rest(wait) {
                        return;
                    }
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// The silence in which it was found out that no more frames come does not count.
    fn was_well(&self) -> bool {
        self.gave.is_some_and(|(first, latest)| latest.saturating_sub(first) >= STEADY)
    }

    /// Says why there is no source, once for each reason.
    fn complain(&mut self, error: &CameraError) {
        let (topic, error) = (error.topic(), without_passwords(&error.to_string()));
        self.tally.say(format!("no camera: {error}"));
        if topic != self.said {
            log::error!("{error}; it is tried again until it works, and the lines are safe");
            self.said = topic;
        }
    }

    /// Frames into the slot until the source ends or fails.
    fn pump(&mut self, mut source: Box<dyn Source>) -> Result<(), CameraError> {
        source.stop_on(self.shutdown.flag());
        // A camera that was lost is back with its first frame, not before.
        if !self.lost {
            self.tally.say(source.describe());
        }
        // The first source starts with the clock: a clip then keeps its own times.
        let began = if self.lost { self.clock.now() } else { Duration::ZERO };
        let first = self.next_number;
        let mut broken = 0;
        // Of the source's own numbers, which count damaged frames too: what came so far.
        let mut accounted = 0;
        loop {
            self.heart.beat();
            let next = source.next();
            let damaged = source.broken().saturating_sub(broken);
            self.tally.broken.fetch_add(damaged, Ordering::Relaxed);
            broken += damaged;
            accounted += damaged;
            // Before the source is given up, which may take seconds.
            let lost = self.gave.is_some() && matches!(&next, Err(e) if !e.is_of_a_file());
            if lost && !self.shutdown.is_triggered() {
                self.lose();
            }
            let Some(mut frame) = next? else { return Ok(()) };
            if self.shutdown.is_triggered() {
                return Ok(());
            }
            let passed_over = frame.number.saturating_sub(accounted);
            self.tally.passed_over.fetch_add(passed_over, Ordering::Relaxed);
            accounted = accounted.max(frame.number + 1);
            let now = self.clock.now();
            if self.gave.is_none() {
                self.tally.say(source.describe());
            }
            self.gave = Some((self.gave.map_or(now, |(first, _)| first), now));
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
            self.tally.losses.fetch_add(1, Ordering::Relaxed);
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
            faults: Faults::new(shutdown.clone()),
            next_number: 0,
            gave: None,
            lost: false,
            said: String::new(),
            tally: CameraTally::default(),
            heart: Heart::default(),
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
        assert_eq!(capture.tally.passed_over(), 0);
        // What is lost is told by the clock, frames in the time of their source.
        assert!(times[1] <= times[2] && times[2] <= times[3], "{times:?}");
    }

    #[test]
    fn frames_that_a_source_passes_over_are_counted_apart_from_damaged_ones() {
        /// Gives the frames 0, 3 and 9; of those between, 1 and 5 were damaged.
        struct Fast(Vec<(u64, u64)>, u64);
        impl Source for Fast {
            fn next(&mut self) -> Result<Option<Frame>, CameraError> {
                let Some((number, broken)) = self.0.pop() else { return Ok(None) };
                self.1 = broken;
                let picture = Picture::new(1, 1);
                Ok(Some(Frame { picture, number, captured_at: Duration::ZERO }))
            }

            fn describe(&self) -> String {
                "fast".into()
            }

            fn rate(&self) -> Option<f32> {
                None
            }

            fn broken(&self) -> u64 {
                self.1
            }
        }
        let (mut capture, ..) = capture(false, Box::new(|| Err(unplugged())));
        capture.source = Some(Box::new(Fast(vec![(9, 2), (3, 1), (0, 0)], 0)));
        capture.run();
        assert_eq!((capture.tally.broken(), capture.tally.passed_over()), (2, 5));
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
    fn a_camera_that_is_not_there_at_the_start_is_lost_until_it_comes() {
        let mut attempts = 0;
        let (mut capture, slot, shutdown) = capture(
            false,
            Box::new(move || {
                attempts += 1;
                if attempts == 1 {
                    return Err(unplugged());
                }
                Ok(Box::new(Cable { given: 0, left: 1, lost: false }))
            }),
        );
        capture.source = None;
        capture.run();
        assert!(matches!(slot.take(&shutdown, &Heart::default()), Some(Input::Lost(_))));
        assert!(matches!(slot.take(&shutdown, &Heart::default()), Some(Input::Back(_))));
        assert!(matches!(slot.take(&shutdown, &Heart::default()), Some(Input::Frame(_))));
        assert!(matches!(slot.take(&shutdown, &Heart::default()), Some(Input::End)));
        assert_eq!(capture.tally.losses(), 1);
        assert!(capture.faults.reason().is_none());
    }

    #[test]
    fn a_mistake_in_the_configuration_that_shows_at_the_first_frame_ends_the_pipeline() {
        struct Wrong;
        impl Source for Wrong {
            fn next(&mut self) -> Result<Option<Frame>, CameraError> {
                Err(CameraError::CropOutside { crop: "9x9+9+9".into(), width: 8, height: 8 })
            }

            fn describe(&self) -> String {
                "wrong".into()
            }

            fn rate(&self) -> Option<f32> {
                None
            }
        }
        let (mut capture, _, shutdown) = capture(false, Box::new(|| Err(unplugged())));
        capture.source = Some(Box::new(Wrong));
        capture.run();
        assert!(shutdown.is_triggered());
        let reason = capture.faults.reason().unwrap();
        assert!(reason.to_string().contains("9x9+9+9"));
    }

    #[test]
    fn a_command_that_the_signal_for_us_ended_first_is_no_lost_camera() {
        struct Ended(Shutdown);
        impl Source for Ended {
            fn next(&mut self) -> Result<Option<Frame>, CameraError> {
                self.0.trigger();
                Err(unplugged())
            }

            fn describe(&self) -> String {
                "ended".into()
            }

            fn rate(&self) -> Option<f32> {
                None
            }
        }
        let (mut capture, _, shutdown) = capture(false, Box::new(|| Err(unplugged())));
        capture.source = Some(Box::new(Ended(shutdown)));
        capture.run();
        assert_eq!(capture.tally.losses(), 0);
        assert!(capture.faults.reason().is_none());
    }

    #[test]
    fn waiting_for_a_lost_camera_is_over_at_the_end() {
        let (capture, _, shutdown) = capture(true, Box::new(|| Err(unplugged())));
        let waiting = std::thread::spawn(move || capture.rest(Duration::from_secs(3600)));
        shutdown.trigger();
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn a_camera_that_fell_silent_was_not_well_for_that_long() {
        let (mut capture, ..) = capture(true, Box::new(|| Err(unplugged())));
        let second = Duration::from_secs(1);
        for (gave, well) in [
            (None, false),
            (Some((second, 10 * second)), false),
            (Some((second, 11 * second)), true),
        ] {
            capture.gave = gave;
            assert_eq!(capture.was_well(), well, "{gave:?}");
        }
        // A frame is what ends the count, however long after it the loss is told.
        capture.gave = None;
        let _ = capture.pump(Box::new(Cable { given: 0, left: 1, lost: true }));
        let (first, latest) = capture.gave.unwrap();
        assert!(first == latest && latest <= capture.clock.now());
    }

    #[test]
    fn a_file_that_fails_in_its_middle_is_not_played_again() {
        struct Cut(u64);
        impl Source for Cut {
            fn next(&mut self) -> Result<Option<Frame>, CameraError> {
                self.0 += 1;
                let (picture, captured_at) = (Picture::new(1, 1), Duration::ZERO);
                if self.0 <= 3 {
                    return Ok(Some(Frame { picture, number: self.0 - 1, captured_at }));
                }
                Err(CameraError::Ffmpeg {
                    path: "a.mp4".into(),
                    program: "ffmpeg".into(),
                    reason: "exit status: 69".into(),
                })
            }

            fn describe(&self) -> String {
                "a.mp4".into()
            }

            fn rate(&self) -> Option<f32> {
                None
            }
        }
        let (mut capture, ..) = capture(false, Box::new(|| unreachable!("played again")));
        capture.source = Some(Box::new(Cut(0)));
        capture.run();
        assert!(capture.faults.reason().unwrap().to_string().contains("exit status: 69"));
    }

    #[test]
    fn a_lost_camera_is_told_until_its_first_frame() {
        struct Mute(CameraTally);
        impl Source for Mute {
            fn next(&mut self) -> Result<Option<Frame>, CameraError> {
                assert_eq!(self.0.words(), "no camera: away");
                Err(unplugged())
            }

            fn describe(&self) -> String {
                "mute".into()
            }

            fn rate(&self) -> Option<f32> {
                None
            }
        }
        let (mut capture, ..) = capture(true, Box::new(|| Err(unplugged())));
        capture.lost = true;
        capture.tally.say("no camera: away".into());
        assert!(capture.pump(Box::new(Mute(capture.tally.clone()))).is_err());
        capture.pump(Box::new(Cable { given: 0, left: 1, lost: false })).unwrap();
        assert_eq!(capture.tally.words(), "a cable");
    }
}
