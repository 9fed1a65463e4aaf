use crate::camera::Frame;
use crate::config::Config;
use crate::picture::Look;
use crate::report::Event;
use crate::tracking::{Counts, Update};
use crate::vision::{Vision, VisionError};

use super::{Judge, Judged};

/// The daemon's vision, tracking and policy without its threads: every frame given is processed,
/// in clip time. Nothing is switched; the events say what would have been.
pub struct Engine {
    vision: Vision,
    judge: Judge,
}

/// What one frame led to.
#[derive(Clone, Debug)]
pub struct Step {
    pub looks: Vec<Look>,
    pub update: Update,
    /// In the order in which they happened.
    pub events: Vec<Event>,
}

impl Engine {
    pub fn new(vision: Vision, config: &Config) -> Self {
        Self { vision, judge: Judge::new(config) }
    }

    pub fn step(&mut self, frame: &Frame) -> Result<Step, VisionError> {
        let looks = self.vision.look(&frame.picture)?;
        let Judged { update, events } = self.judge.see(frame.number, frame.captured_at, &looks);
        Ok(Step { looks, update, events })
    }

    /// Everybody so far.
    pub fn counts(&self) -> Counts {
        self.judge.counts()
    }
}
