//! What the box does about what is believed: a pure state machine and its patterns.
//! People and a time in; wanted signals and notices out.
//! Never: clocks, lines, files.

mod pattern;
mod policy;
#[cfg(test)]
mod scenarios;

pub use pattern::{Levels, Outputs, Pattern, Signal};
pub use policy::{Decision, Mode, Notice, Policy, Settings};
