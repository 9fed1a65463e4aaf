//! `maskgate-train quantise`: a classifier's full-integer version (QDQ), made from the file that
//! the trainer wrote, and both judged side by side.
//! Never: training, other tools' files, other networks than classifiers.

mod calibrate;
mod histogram;
mod layers;
mod range;
pub(in crate::train) mod source;
mod tensors;
#[cfg(test)]
mod tests;
mod write;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::json;

use self::calibrate::Seen;
use self::range::Bytes;
use self::source::Source;
use super::classifier::{ClassifierError, DataArgs, faces, same_file, ship};
use super::data::{Cut, DataError, Sides};
use super::report::{Comparison, Nearness, Report, beside};
use crate::picture::Label;
use crate::vision::model::ModelFile;
use crate::vision::{Classifier, VisionError};

/// Fewest faces to calibrate on; of fewer, too many values of a layer were never seen.
const FEWEST: usize = 32;
/// Least part of the faces that both files must give the same label.
const LEAST_AGREEMENT: f64 = 0.97;

/// What to quantise, on what.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The classifier (ONNX) that `maskgate-train classifier` wrote.
    #[arg(long, value_name = "FILE")]
    pub classifier: PathBuf,
    #[command(flatten)]
    pub data: DataArgs,
    /// Faces to calibrate on, taken from the side of the split that training learned from.
    #[arg(long, default_value_t = 512, value_name = "N")]
    pub faces: usize,
    /// Where the full-integer file goes.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Writes the figures to PREFIX.txt and PREFIX.json.
    #[arg(long, value_name = "PREFIX")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum QuantiseError {
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Vision(#[from] VisionError),
    #[error(
        "{model}: node {node:?} is the operator {operator}, which cannot be quantised here; known are Conv, Gemm, Add, Clip, Relu, MaxPool, GlobalAveragePool, Flatten and Softmax, as maskgate-train classifier writes them"
    )]
    UnknownOperator { model: String, node: String, operator: String },
    #[error("{model}: node {node:?} ({operator}): {reason}")]
    Node { model: String, node: String, operator: String, reason: String },
    #[error("{model}: no classifier as maskgate-train classifier writes it: {reason}")]
    NotOurs { model: String, reason: String },
    #[error("--faces {asked} is not {FEWEST} or more")]
    FewAsked { asked: usize },
    #[error("--{option} {path}: that is {what}; name another file")]
    Taken { option: &'static str, path: PathBuf, what: &'static str },
    #[error(
        "{found} faces to calibrate on; at least {FEWEST} are needed: give more pictures with --data"
    )]
    FewFaces { found: usize },
    #[error("{face}: activation {activation:?} is not finite; the classifier is broken")]
    NotFinite { activation: String, face: PathBuf },
    #[error("activation {activation:?} was not calibrated")]
    NotCalibrated { activation: String },
    #[error(
        "the full-integer file gives {agree} of {of} faces the label that the float file gives, under {} %, and was not written; calibrate on more faces: raise --faces ({used} were used, {there} are there) or give more pictures with --data", 100.0 * LEAST_AGREEMENT
    )]
    Disagrees { agree: usize, of: usize, used: usize, there: usize },
    #[error("{path}: cannot be written: {source}")]
    Unwritable { path: PathBuf, source: std::io::Error },
}

impl QuantiseError {
    /// Whether only other options mend it.
    pub fn is_wrong_use(&self) -> bool {
        match self {
            Self::FewAsked { .. } | Self::Taken { .. } => true,
            Self::Classifier(error) => error.is_wrong_use(),
            _ => false,
        }
    }
}

/// What bytes each activation becomes, by name, in the order of the graph.
type Activations = Vec<(String, Bytes)>;

/// Both files, judged.
#[derive(Clone, Debug)]
pub struct Quantised {
    /// The source file and the full-integer one.
    pub reports: [Report; 2],
    pub nearness: Nearness,
    pub comparison: Comparison,
    /// Faces calibrated on.
    pub calibrated: usize,
    pub activations: Activations,
}

/// `maskgate-train quantise`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    tell!("{}", quantise(args)?.table().trim_end());
    Ok(())
}

impl Args {
    /// Refuses to write over what is read, or over the figures beside it.
    fn check(&self) -> Result<(), QuantiseError> {
        let taken = |option, path: &Path, what| {
            Err(QuantiseError::Taken { option, path: path.to_owned(), what })
        };
        if same_file(&self.classifier, &self.out) {
            return taken("out", &self.out, "the classifier itself");
        }
        if self.data.detector.as_ref().is_some_and(|path| same_file(path, &self.out)) {
            return taken("out", &self.out, "the detector");
        }
        for path in self.report.iter().flat_map(|prefix| figures(prefix)) {
            if same_file(&self.classifier.with_extension("json"), &path) {
                return taken("report", &path, "what the training wrote beside the classifier");
            }
            if same_file(&self.out, &path) || self.out == path {
                return taken("report", &path, "where the full-integer file goes");
            }
        }
        Ok(())
    }
}

/// The two files of figures, for people and for programs.
fn figures(prefix: &Path) -> [PathBuf; 2] {
    [".txt", ".json"].map(|end| {
        let mut path = prefix.as_os_str().to_owned();
        path.push(end);
        PathBuf::from(path)
    })
}

/// Calibrates, holds the full-integer file against the source, and writes it and the figures.
pub fn quantise(args: &Args) -> Result<Quantised, QuantiseError> {
    if args.faces < FEWEST {
        return Err(QuantiseError::FewAsked { asked: args.faces });
    }
    args.check()?;
    ship::try_out(&args.out)?;
    // What cannot work is told before the data is read.
    let file = ModelFile::open(&args.classifier, "", ("no classifier", &[]))?;
    let classifier = Classifier::from_file(&file)?;
    let source = Source::read(file.proto(), &file.origin().name)?;

    let crops = faces::crops(&args.data, classifier.size(), Sides::Measure)?;
    if crops.train.len() < FEWEST {
        return Err(QuantiseError::FewFaces { found: crops.train.len() });
    }
    if crops.validation.is_empty() {
        return Err(DataError::NoValidation.into());
    }
    let picked = calibrate::pick(&crops.train, args.faces, args.data.seed);
    note!("calibrating on {} of {} faces", picked.len(), crops.train.len());
    let (integer, activations) = integer(&source, classifier.size(), &picked)?;
    let written = ModelFile::parse("the full-integer model".into(), &integer, "")?;
    let before = ship::ask(&file, crops.validation.iter())?;
    let after = ship::ask(&written, crops.validation.iter())?;
    let nearness = Nearness::of(&before, &after);
    check(&nearness, picked.len(), crops.train.len())?;

    let truths: Vec<Label> = crops.validation.iter().map(|cut| cut.label).collect();
    let sources = faces::sources(&args.data);
    let made = Quantised {
        reports: [&before, &after].map(|answers| Report::of(&crops.validation, answers, &sources)),
        nearness,
        comparison: Comparison::of(&truths, &before, &after),
        calibrated: picked.len(),
        activations,
    };
    ship::put(&integer, &args.out)?;
    if let Some(prefix) = &args.report {
        made.report(prefix)?;
    }
    Ok(made)
}

/// The full-integer file, calibrated on `faces` of `side` pixels, and what each activation became.
fn integer(
    source: &Source,
    side: u32,
    faces: &[&Cut],
) -> Result<(Vec<u8>, Activations), QuantiseError> {
    let seen = calibrate::calibrate(source, side, faces)?;
    let choose = |seen: &Seen| (seen.name.clone(), range::choose(&seen.histogram, seen.limits));
    let activations: Activations = seen.par_iter().map(choose).collect();
    let bytes: HashMap<String, Bytes> = activations.iter().cloned().collect();
    Ok((write::write(source, &bytes)?, activations))
}

/// Refuses a file whose answers are too often others. `used` faces of `there` were calibrated on.
fn check(nearness: &Nearness, used: usize, there: usize) -> Result<(), QuantiseError> {
    if nearness.agreement() < LEAST_AGREEMENT {
        let (agree, of) = (nearness.agree, nearness.faces);
        return Err(QuantiseError::Disagrees { agree, of, used, there });
    }
    Ok(())
}

impl Quantised {
    /// Both files side by side.
    pub fn table(&self) -> String {
        let reports = [&self.reports[0], &self.reports[1]];
        let names = ["float", "full integer"];
        beside(names, reports, &self.nearness, &self.comparison)
            + &format!(
                "calibrated on {} faces; judged by the daemon's runtime (tract), which computes the full-integer file in float and rounds every activation to its bytes\n",
                self.calibrated
            )
    }

    fn report(&self, prefix: &Path) -> Result<(), QuantiseError> {
        let activations: Vec<_> = self
            .activations
            .iter()
            .map(|(name, bytes)| {
                let (low, high) = bytes.range();
                json!({ "name": name, "bytes": bytes, "range": [low, high] })
            })
            .collect();
        let told = json!({
            "float": self.reports[0],
            "integer": self.reports[1],
            "nearness": self.nearness,
            "comparison": self.comparison,
            "calibrated": self.calibrated,
            "activations": activations,
        });
        for (path, text) in figures(prefix).into_iter().zip([self.table(), told.to_string() + "\n"])
        {
            let unwritable = |source| QuantiseError::Unwritable { path: path.clone(), source };
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(unwritable)?;
            }
            std::fs::write(&path, text).map_err(unwritable)?;
        }
        Ok(())
    }
}
