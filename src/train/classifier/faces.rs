//! The faces of a training or a judgement, and which classes they are of.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::DataArgs;
use crate::picture::Label;
use crate::train::data::{self, Corrections, Crops, Cut, Cutting, DataError, Origin, Sides};
use crate::train::progress::Meter;

/// Fewest faces of a class to learn from; fewer are a mistake in the data.
const FEWEST: usize = 4;

/// The names of the sources, in their order: of two of one name with the folder that each is in.
pub fn sources(options: &DataArgs) -> Vec<String> {
    let name = |origin: &Origin| {
        let csv = origin.path.extension().is_some_and(|e| e == "csv");
        // A folder may be called `.`.
        let folder = || origin.path.canonicalize().unwrap_or_else(|_| origin.path.clone());
        let name = match csv {
            true => origin.path.file_stem().map(OsStr::to_os_string),
            false => folder().file_name().map(OsStr::to_os_string),
        };
        name.unwrap_or_default().to_string_lossy().into_owned()
    };
    let names: Vec<String> = options.data.iter().map(name).collect();
    let shared = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
    let longer = |(name, origin): (&String, &Origin)| {
        let folder = origin.path.parent().and_then(Path::file_name).filter(|_| shared(name));
        folder.map_or(name.clone(), |folder| format!("{}/{name}", folder.to_string_lossy()))
    };
    names.iter().zip(&options.data).map(longer).collect()
}

/// All faces, cut and on their sides; says what was left out.
pub fn crops(options: &DataArgs, input: u32, sides: Sides) -> Result<Crops, DataError> {
    let mut corrections = options.corrections.as_deref().map(Corrections::read).transpose()?;
    let (samples, mut left_out) = data::read(&options.data, corrections.as_mut())?;
    if let Some(corrections) = corrections {
        let done = corrections.finish(&mut left_out.notes);
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
    let cutting =
        Cutting { seed: options.seed, input, sides, detector, as_found: options.as_found };
    let mut crops = data::cut(samples, &cutting, &|| meter.step(""))?;
    meter.finish();
    left_out.extend(std::mem::take(&mut crops.left_out));
    left_out.lines.iter().for_each(|line| log::warn!("left out: {line}"));
    left_out.notes.iter().for_each(|note| log::warn!("{note}"));
    eprintln!(
        "{} faces to learn from, {} to judge on, {} groups of pictures, {} left out",
        crops.train.len(),
        crops.validation.len(),
        crops.groups,
        left_out.count
    );
    if sides == Sides::Train {
        warn_of_unjudged(&crops, &sources(options));
        for (label, asked) in Label::ALL.into_iter().zip(asked) {
            let count = count(&crops, label);
            if asked && count < FEWEST {
                return Err(DataError::TooFew { label: label.name(), count, need: FEWEST });
            }
        }
    }
    Ok(crops)
}

/// Names what is learned from and not judged: pictures that are all near copies, or of one person.
fn warn_of_unjudged(crops: &Crops, sources: &[String]) {
    let of = |cuts: &[Cut]| -> BTreeMap<(usize, usize), usize> {
        let mut counts = BTreeMap::new();
        for cut in cuts {
            *counts.entry((cut.origin, cut.label as usize)).or_default() += 1;
        }
        counts
    };
    let judged: HashMap<_, usize> = of(&crops.validation).into_iter().collect();
    for ((origin, label), count) in of(&crops.train) {
        if count >= FEWEST && !judged.contains_key(&(origin, label)) {
            log::warn!(
                "{}: none of its {count} faces of {} is judged on: they are near copies or of one person",
                sources.get(origin).map_or("", String::as_str),
                Label::ALL[label]
            );
        }
    }
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
