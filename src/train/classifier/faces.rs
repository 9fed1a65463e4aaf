//! The faces of a training or a judgement, and which classes they are of.

use std::path::PathBuf;

use super::DataArgs;
use crate::picture::Label;
use crate::train::data::{self, Corrections, Crops, Cutting, DataError, Origin, Sides};
use crate::train::progress::Meter;

/// Fewest faces of a class to learn from; fewer are a mistake in the data.
const FEWEST: usize = 4;

/// The names of the sources, in their order.
pub fn sources(options: &DataArgs) -> Vec<String> {
    let name = |origin: &Origin| origin.path.file_stem().map(|s| s.to_string_lossy().into_owned());
    options.data.iter().map(|origin| name(origin).unwrap_or_default()).collect()
}

/// All faces, cut and on their sides; says what was left out.
pub fn crops(options: &DataArgs, input: u32, sides: Sides) -> Result<Crops, DataError> {
    let mut corrections = options.corrections.as_deref().map(Corrections::read).transpose()?;
    let (samples, mut skipped) = data::read(&options.data, corrections.as_mut())?;
    if let Some(corrections) = corrections {
        let done = corrections.finish(&mut skipped);
        eprintln!(
            "corrections: {} labels changed, {} given, {} faces left out",
            done.relabelled, done.labelled, done.left_out
        );
    }
    let asked = Label::ALL.map(|label| samples.iter().any(|sample| sample.label == label));
    let mut pictures: Vec<&PathBuf> = samples.iter().map(|sample| &sample.path).collect();
    pictures.sort();
    pictures.dedup();
    let meter = Meter::new("picture", pictures.len() as u64);
    let detector = options.detector.clone();
    let cutting = Cutting { seed: options.seed, input, sides, detector };
    let crops = data::cut(samples, &cutting, &|| meter.step(""))?;
    meter.finish();
    skipped.extend(crops.skipped.iter().cloned());
    for reason in &skipped {
        log::warn!("left out: {reason}");
    }
    eprintln!(
        "{} faces to learn from, {} to judge on, {} groups of pictures, {} left out",
        crops.train.len(),
        crops.validation.len(),
        crops.groups,
        skipped.len()
    );
    if sides == Sides::Train {
        for (label, asked) in Label::ALL.into_iter().zip(asked) {
            let count = count(&crops, label);
            if asked && count < FEWEST {
                return Err(DataError::TooFew { label: label.name(), count, need: FEWEST });
            }
        }
    }
    Ok(crops)
}

/// The classes that the faces are of, two or three.
pub fn classes(crops: &Crops) -> Result<Vec<Label>, DataError> {
    let classes: Vec<Label> =
        Label::ALL.into_iter().filter(|label| count(crops, *label) > 0).collect();
    if let [label] = classes[..] {
        return Err(DataError::OneClass { label: label.name() });
    }
    if crops.validation.is_empty() {
        return Err(DataError::NoValidation);
    }
    Ok(classes)
}

/// Faces of a label to learn from.
pub fn count(crops: &Crops, label: Label) -> usize {
    crops.train.iter().filter(|cut| cut.label == label).count()
}
