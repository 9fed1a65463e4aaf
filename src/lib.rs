//! maskgate: a box at a door that sees whether the mask is worn and switches a lamp.
//!
//! Data flows one way: camera → vision → tracking → alarm → gpio, and events to report.

pub mod alarm;
pub mod camera;
pub mod cli;
pub mod config;
pub mod gpio;
pub mod picture;
pub mod pipeline;
pub mod report;
pub mod service;
pub mod tracking;
#[cfg(feature = "train")]
pub mod train;
pub mod vision;
