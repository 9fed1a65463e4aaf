//! Who is who between frames, and what is believed of each person after several looks.
//! Pure: looks and a time in, people and changes out.
//! Never: pictures, models, clocks, or what is done about a verdict.

mod assign;
mod belief;
mod motion;
mod person;
mod quality;
#[cfg(test)]
pub(crate) mod scenarios;
mod settings;
mod tracker;

pub use person::{Change, Counts, Person, TrackId, Update, Verdict};
pub use settings::Settings;
pub use tracker::Tracker;
