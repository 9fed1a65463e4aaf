//! Puts the rooms to work: the daemon's threads and channels with their shutdown, and the same
//! chain without threads for clips.
//! Never: what is seen, believed or decided.

mod camera_tally;
mod capture;
mod control;
mod daemon;
mod engine;
mod hearts;
mod judge;
mod lamps;
mod pace;
mod play;
mod rest;
pub mod settings;
mod shutdown;
mod slot;
mod stage;

use std::io;

pub use daemon::{Daemon, Health, Totals};
pub use engine::{Engine, Step};
pub use judge::{Judge, Judged};
pub use lamps::Lamps;
pub use shutdown::Shutdown;

use crate::camera::CameraError;
use crate::gpio::GpioError;
use crate::vision::VisionError;

/// Why the daemon could not start, or ended by itself. Its lines are safe by then.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Camera(#[from] CameraError),
    #[error(transparent)]
    Vision(#[from] VisionError),
    #[error(transparent)]
    Gpio(#[from] GpioError),
    #[error("{count} frames in a row could not be looked at; the last: {cause}")]
    Blind { count: u32, cause: VisionError },
    #[error("{stage} broke down {times} times within a minute; see the log")]
    BrokenDown { stage: &'static str, times: usize },
    /// Whoever was to be told of events cannot be.
    #[error("events cannot be written: {0}")]
    Report(io::Error),
    #[error("a thread cannot be started: {0}")]
    Thread(io::Error),
}
