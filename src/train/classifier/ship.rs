//! The trained network as a file that the daemon loads, held against the network before it is
//! written.

use std::io::ErrorKind;
use std::path::Path;

use burn::module::Module;

use super::{Args, ClassifierError};
use crate::picture::{Label, Probabilities};
use crate::train::data::Cut;
use crate::train::fit;
use crate::train::network::{self, Network};
use crate::train::parameters;
use crate::train::report::{Nearness, calibration};
use crate::vision::model::ModelFile;
use crate::vision::{Classifier, VisionError, crop};

/// Fewest crops on which a written model is held against the trained one, where there are so many.
const CHECKED: usize = 500;
/// Probabilities may differ by less than this; both have the same weights, so only the order of
/// sums differs.
const LARGEST: f32 = 0.03;

/// Fewest validation faces that say how sure a network may be.
const ENOUGH: usize = 100;
/// Where no face is wrong, no temperature is too low: this far a network is believed.
const TEMPERATURES: std::ops::RangeInclusive<f64> = 0.5..=3.0;

/// What the logits must be divided by for a probability of 0.9 to be right nine times in ten; 1
/// where too few faces tell.
pub fn temperature(validation: &[Cut], answers: &[Probabilities]) -> f64 {
    let truths: Vec<Label> = validation.iter().map(|cut| cut.label).collect();
    match calibration(&truths, answers) {
        Some(fitted) if truths.len() >= ENOUGH => {
            let temperature = fitted.temperature.clamp(*TEMPERATURES.start(), *TEMPERATURES.end());
            note!("temperature {temperature:.3}: calibration error was {:.4}", fitted.error);
            temperature
        }
        _ => {
            note!("temperature 1: fewer than {ENOUGH} faces to fit it on");
            1.0
        }
    }
}

/// The averaged network with its weights rounded as the file holds them.
pub fn as_written(network: &Network) -> Result<Network, ClassifierError> {
    Ok(network::rounded(network, &parameters::take(network))?)
}

/// How many labels agree, and the largest difference of a probability.
pub fn compare(some: &[Probabilities], others: &[Probabilities]) -> (usize, f32) {
    let near = Nearness::of(some, others);
    (near.agree, near.largest)
}

/// Exports, holds the file against the network's own answers, and writes it; tells how near they
/// are. The network's outputs stand for `classes`.
pub fn write(
    network: &Network,
    classes: &[Label],
    validation: &[Cut],
    answers: &[Probabilities],
    temperature: f64,
    options: &Args,
) -> Result<String, ClassifierError> {
    let labels: Vec<&str> = classes.iter().map(|label| label.name()).collect();
    let crop = format!("square margin={} border=replicate", crop::MARGIN);
    let metadata = [
        ("maskgate.input", options.input.to_string()),
        ("maskgate.labels", labels.join(",")),
        ("maskgate.crop", crop),
        // Told, not asked for: the last layer has it in its weights.
        ("maskgate.temperature", format!("{temperature:.3}")),
    ];
    let metadata: Vec<(&str, &str)> = metadata.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let bytes = network::export(&network.valid(), options.input as usize, &metadata)?.bytes;
    let file = ModelFile::parse("the trained model".into(), &bytes, "")?;
    // Evenly over all sources.
    let every = (validation.len() / CHECKED).max(1);
    let own: Vec<Probabilities> = answers.iter().step_by(every).copied().collect();
    let written = ask(&file, validation.iter().step_by(every))?;
    let (agree, largest) = compare(&written, &own);
    let of = own.len();
    if (agree as f64) < 0.995 * of as f64 || largest >= LARGEST {
        return Err(ClassifierError::Differs { agree, of, largest });
    }
    put(&bytes, &options.out)?;
    Ok(format!("written model: {agree} of {of} labels agree, |Δp| ≤ {largest:.4}"))
}

/// Whether a model can be written to `path`, told before hours of work; makes its folder.
pub fn try_out(path: &Path) -> Result<(), ClassifierError> {
    let unwritable = |source| ClassifierError::Unwritable { path: path.to_owned(), source };
    // `name/` is a folder, also where there is none yet.
    if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(unwritable(ErrorKind::IsADirectory.into()));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unwritable)?;
    }
    let fresh = fit::beside(path, "new");
    std::fs::write(&fresh, "").and_then(|()| std::fs::remove_file(&fresh)).map_err(unwritable)
}

/// Writes a model's file whole or not at all, and its folder if there is none.
pub fn put(bytes: &[u8], path: &Path) -> Result<(), ClassifierError> {
    let unwritable = |source| ClassifierError::Unwritable { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unwritable)?;
    }
    let fresh = fit::beside(path, "new");
    let written = std::fs::write(&fresh, bytes).and_then(|()| std::fs::rename(&fresh, path));
    written.map_err(|source| {
        // Half a file is of no use; what went wrong is told already.
        let _ = std::fs::remove_file(&fresh);
        unwritable(source)
    })
}

/// The model's answers through the daemon's own classifier; the crops are its own already.
pub fn ask<'a>(
    file: &ModelFile,
    crops: impl Iterator<Item = &'a Cut>,
) -> Result<Vec<Probabilities>, VisionError> {
    let mut classifier = Classifier::from_file(file)?;
    crops.map(|cut| classifier.classify_crop(&cut.picture)).collect()
}
