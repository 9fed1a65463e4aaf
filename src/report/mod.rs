//! What is told about people and the box: events, and the lines of JSON.
//! Owns the wire format: `Event`, `Summary`, `FrameLine`, `ImageLine`.
//! Never: deciding anything.

mod event;
mod line;

pub use event::{Event, EventKind};
pub use line::{FaceLine, FrameLine, ImageLine, Summary};

#[cfg(test)]
mod golden;
