//! The face detector: network, samples, targets, loss, fitting, judging.
//! Never: decoding and suppression, which are vision's.

mod args;
mod backbone;
mod clock;
mod export;
mod fit;
mod gain;
mod judge;
mod loss;
mod mining;
mod network;
mod norm;
mod numerals;
mod pages;
mod pose;
mod samples;
pub(crate) mod scene;
mod targets;
mod view;
mod width;

pub use args::{Args, Judging, evaluate, run};
pub use judge::Judgement;
