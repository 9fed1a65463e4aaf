//! The faces of a training or a judgement, and which classes they are of.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, PathBuf};

use super::DataArgs;
use crate::picture::Label;
use crate::train::data::{self, Corrections, Crops, Cut, Cutting, DataError, Origin, Sides};
use crate::train::progress::Meter;

/// Fewest faces of a class to learn from; fewer are a mistake in the data.
const FEWEST: usize = 4;

/// The names of the sources, in their order: of those of one name with the folders that each is in,
/// as many as tell them apart.
pub fn sources(options: &DataArgs) -> Vec<String> {
    let parts: Vec<Vec<String>> = options.data.iter().map(parts).collect();
    let last = |parts: &[String], count: usize| -> String {
        parts[parts.len().saturating_sub(count)..].join("/")
    };
    let name = |own: &Vec<String>| {
        let tells = |count: &usize| {
            let name = last(own, *count);
            !parts.iter().any(|other| other != own && last(other, *count) == name)
        };
        last(own, (1..own.len()).find(tells).unwrap_or(own.len()))
    };
    parts.iter().map(name).collect()
}

/// The folders that a source is in, and its name.
fn parts(origin: &Origin) -> Vec<String> {
    let csv = origin.path.extension().is_some_and(|e| e == "csv");
    let path = match csv {
        true => std::path::absolute(origin.path.with_extension("")).ok(),
        // A folder may be called `.`.
        false => origin.path.canonicalize().ok(),
    };
    let path = path.unwrap_or_else(|| origin.path.clone());
    let names = path.components().filter(|part| matches!(part, Component::Normal(_)));
    names.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
}

/// All faces, cut and on their sides; says what was left out.
pub fn crops(options: &DataArgs, input: u32, sides: Sides) -> Result<Crops, DataError> {
    let mut corrections = options.corrections.as_deref().map(Corrections::read).transpose()?;
    let (samples, mut left_out) = data::read(&options.data, corrections.as_mut())?;
    if let Some(corrections) = corrections {
        let done = corrections.finish(&mut left_out.notes);
        note!(
            "corrections: {} labels changed, {} given, {} faces left out",
            done.relabelled,
            done.labelled,
            done.left_out
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
    note!(
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
    for label in [Label::WithMask, Label::WithoutMask] {
        if !classes.contains(&label) {
            return Err(DataError::NoSide { label });
        }
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
