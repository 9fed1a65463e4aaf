//! Faces to learn from: where they come from, which side of the split they are on, their crops.
//! Nothing here knows a network. Pictures stay in memory and are never copied elsewhere.

mod corrections;
mod crops;
mod dress;
mod finder;
mod hash;
mod left_out;
mod loader;
mod source;
mod split;
mod teacher;
#[cfg(test)]
pub(crate) mod tests;

use std::path::PathBuf;

pub use corrections::{Corrections, LEAVE_OUT};
pub use crops::{CACHE_MARGIN, Crops, Cut, Cutting, Sides, cut};
pub use dress::{Drawing, Placed, wearers};
pub use finder::FOLDER_SHARE;
pub use hash::Fingerprint;
pub use left_out::LeftOut;
pub use loader::{Batch, Loader, Views};
pub use source::{MIN_WIDTH, Origin, Sample, read};
pub use split::{Side, Split, split};
pub use teacher::Teacher;

use super::boxes::BoxesError;
use crate::picture::Label;
use crate::vision::VisionError;

/// Why there is nothing to learn from.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error(transparent)]
    Boxes(#[from] BoxesError),
    #[error(transparent)]
    Vision(#[from] VisionError),
    #[error("{path}: neither a folder of class folders nor a .csv of boxes")]
    NotASource { path: PathBuf },
    #[error("{path}: cannot be read: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path}: no column '{column}'; the first line must name image and label")]
    NoColumn { path: PathBuf, column: &'static str },
    #[error("{path}: no folder named with_mask, without_mask or incorrect_mask in it")]
    NoClasses { path: PathBuf },
    #[error(
        "{path}: an empty class folder; put pictures into it, not into folders within, or take it away"
    )]
    EmptyClass { path: PathBuf },
    #[error(
        "no face of {label} to learn from; a classifier needs with_mask and without_mask, incorrect_mask may be"
    )]
    NoSide { label: Label },
    #[error(
        "no face is left to judge on: pictures that are near copies or of one person stay on one side; more that differ are needed"
    )]
    NoValidation,
    #[error(
        "no face to judge: what was left out is named above; a fifth of the data is judged, all of it with --all"
    )]
    NothingToJudge,
    #[error(
        "--data {argument:?}: {label:?} is no label; known: with_mask, without_mask, incorrect_mask"
    )]
    UnknownLabel { argument: String, label: String },
    #[error("--data {path}={label}: its class folders say what the faces are; leave ={label} out")]
    LabelOfFolders { path: PathBuf, label: Label },
    #[error("{path}: rows without a label; give one for all of them as --data {path}=without_mask")]
    NoLabel { path: PathBuf },
    #[error(
        "--as-found --detector {path}: a detector of this trainer's is wanted; for others leave --as-found out"
    )]
    NotOurs { path: PathBuf },
    #[error("{count} usable faces of {label} to learn from; at least {need} are needed")]
    TooFew { label: &'static str, count: usize, need: usize },
}
