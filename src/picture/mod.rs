//! Pictures and what is said about them: RGB buffers, points, rectangles, faces, labels, drawing.
//! Every other room may use this one; it uses none.
//! Never: files, devices, models.

mod buffer;
mod draw;
mod face;
mod geometry;
mod pose;

pub use buffer::Picture;
pub use draw::{Mark, draw, outline};
pub use face::{Face, Label, Look, Probabilities};
pub use geometry::{Point, Rect};
pub use pose::{gained, yaw};
