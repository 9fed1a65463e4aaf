//! `maskgate-train classifier` and `evaluate --classifier`: from data to a model and its figures.
//! Never: how a network is built, fitted or written; this room puts those together.

mod args;
pub(in crate::train) mod faces;
mod settings;
pub(in crate::train) mod ship;
#[cfg(test)]
mod tests;
mod training;
mod watch;

use std::path::{Path, PathBuf};

pub use args::{Args, DataArgs};
pub(in crate::train) use args::{lies_in, same_file};
pub use training::train;

use super::data::{Cut, DataError, Sides};
use super::fit::FitError;
use super::onnx::OnnxError;
use super::report::Report;
use super::weights::WeightsError;
use crate::picture::Probabilities;
use crate::train::WrongUse;
use crate::vision::model::ModelFile;
use crate::vision::{Classifier, VisionError};

#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    #[error("--teacher {name} knows {knows}, the data {wanted}; give a teacher of the same labels")]
    Teacher { name: String, knows: String, wanted: String },
    #[error("--hand-outlines {0:#}")]
    Hands(anyhow::Error),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Fit(#[from] FitError),
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    Device(#[from] WrongUse),
    #[error(transparent)]
    Vision(#[from] VisionError),
    #[error("--{option} {value} is not {allowed}")]
    Option { option: &'static str, value: String, allowed: String },
    #[error("--{option} needs --weights: layers that start at random must learn")]
    FrozenAtRandom { option: &'static str },
    #[error("{0:#}")]
    Pages(anyhow::Error),
    #[error("{path}: cannot be read: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("--{option}: of {faces} faces to learn from {why}")]
    Undrawn { option: &'static str, faces: usize, why: &'static str },
    #[error("{path}: cannot be written: {source}")]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error(
        "the written model does not answer as the trained one: {agree} of {of} labels agree, probabilities differ by up to {largest:.3}"
    )]
    Differs { agree: usize, of: usize, largest: f32 },
}

impl ClassifierError {
    /// Whether only other options mend it.
    pub fn is_wrong_use(&self) -> bool {
        matches!(
            self,
            Self::Option { .. }
                | Self::FrozenAtRandom { .. }
                | Self::Device(_)
                | Self::Fit(FitError::TooFew { .. })
        )
    }
}

/// `maskgate-train classifier`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    tell!("{}", train(args)?.table().trim_end());
    Ok(())
}

/// A model judged: its figures, and the faces and answers they come from.
pub struct Judged {
    pub report: Report,
    pub crops: Vec<Cut>,
    pub answers: Vec<Probabilities>,
}

/// Judges the model at `path` as the daemon runs it, on the validation side of the data or on
/// `all` of it.
pub fn judge(path: &Path, options: &DataArgs, all: bool) -> Result<Judged, ClassifierError> {
    let file = ModelFile::open(path, "", ("no classifier", &[]))?;
    let side = Classifier::from_file(&file)?.size();
    let sides = if all { Sides::JudgeAll } else { Sides::Judge };
    let crops = faces::crops(options, side, sides)?.validation;
    if crops.is_empty() {
        return Err(DataError::NothingToJudge.into());
    }
    let answers = ship::ask(&file, crops.iter())?;
    Ok(Judged { report: Report::of(&crops, &answers, &faces::sources(options)), crops, answers })
}
