//! The clip that is built in.

use std::io::Cursor;
use std::time::Duration;

use super::mjpeg::{MotionJpeg, Splitter, time_of};
use super::{CameraError, Frame, Source};

/// Motion JPEG, 640x480.
const CLIP: &[u8] = include_bytes!("../../models/demo.mjpg");

/// The demo clip as a source.
pub struct Demo {
    clip: MotionJpeg<Cursor<&'static [u8]>>,
    length: u64,
    looping: bool,
    /// Frames and broken frames of the rounds before this one.
    before: (u64, u64),
}

impl Demo {
    /// The clip from its beginning to its end.
    pub fn once() -> Result<Self, CameraError> {
        Self::new(false)
    }

    /// Without an end, as a camera has none: after its last frame the clip begins again, while
    /// frame numbers and times go on.
    pub fn looping() -> Result<Self, CameraError> {
        Self::new(true)
    }

    fn new(looping: bool) -> Result<Self, CameraError> {
        let read = |source| CameraError::Read { path: "the demo clip".into(), source };
        let mut splitter = Splitter::new(CLIP);
        let mut length = 0;
        while splitter.next().map_err(read)?.is_some() {
            length += 1;
        }
        Ok(Self { clip: clip()?, length, looping, before: (0, 0) })
    }
}

fn clip() -> Result<MotionJpeg<Cursor<&'static [u8]>>, CameraError> {
    MotionJpeg::new("the demo clip".into(), Cursor::new(CLIP))
}

impl Source for Demo {
    fn next(&mut self) -> Result<Option<Frame>, CameraError> {
        let mut frame = self.clip.next()?;
        if frame.is_none() && self.looping {
            self.before.0 += self.clip.begun();
            self.before.1 += self.clip.broken();
            self.clip = clip()?;
            frame = self.clip.next()?;
        }
        Ok(frame.map(|frame| {
            let number = self.before.0 + frame.number;
            Frame { number, captured_at: self.at(number), ..frame }
        }))
    }

    fn describe(&self) -> String {
        let rounds = if self.looping { ", over and over" } else { "" };
        format!(
            "the demo clip, {} frames at {} fps{rounds}",
            self.length,
            self.clip.frames_a_second()
        )
    }

    fn rate(&self) -> Option<f32> {
        self.clip.rate()
    }

    fn frames(&self) -> Option<u64> {
        (!self.looping).then_some(self.length)
    }

    fn broken(&self) -> u64 {
        self.before.1 + self.clip.broken()
    }
}

impl Demo {
    fn at(&self, number: u64) -> Duration {
        time_of(number, self.clip.frames_a_second())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_of_the_clip_is_whole() {
        let mut demo = Demo::once().unwrap();
        let (rate, frames) = (demo.rate().unwrap(), demo.frames().unwrap());
        let mut count = 0;
        while let Some(frame) = demo.next().unwrap() {
            assert_eq!((frame.picture.width(), frame.picture.height()), (640, 480));
            assert_eq!((frame.number, frame.captured_at), (count, time_of(count, rate)));
            count += 1;
        }
        assert_eq!((count, demo.broken()), (frames, 0));
        assert!(frames > 0);
    }

    #[test]
    fn a_looping_clip_goes_on_counting_when_it_begins_again() {
        let mut demo = Demo::looping().unwrap();
        let first = demo.next().unwrap().unwrap();
        let length = demo.length;
        let again = (0..length).map(|_| demo.next().unwrap().unwrap()).last().unwrap();
        assert_eq!(again.number, length);
        assert_eq!(again.captured_at, time_of(length, demo.rate().unwrap()));
        assert_eq!(again.picture, first.picture);
        assert_eq!(demo.frames(), None);
    }
}
