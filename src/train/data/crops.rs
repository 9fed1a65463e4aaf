//! The faces cut out: wide ones to draw random views from, exact ones to judge on.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use rayon::prelude::*;

use super::finder::{Finder, Found};
use super::{DataError, Fingerprint, LeftOut, MIN_WIDTH, Placed, Sample, Side, Split, split};
use crate::picture::{Label, Picture, Rect};
use crate::train::pictures;
use crate::vision::crop;

/// Margin of the cached training crops, as a part of the box: room for the widest random view;
/// what lies further out is the edge repeated.
pub const CACHE_MARGIN: f32 = 0.5;

/// Side of the crop that a face's fingerprint is taken of, in pixels: the same for every network, so
/// that all are judged on the same faces, and a teacher learns none of those.
const PRINT_SIDE: u32 = 128;

/// Two crops of the same face differ by less, of 255: one was saved again, perhaps.
const ALIKE: f32 = 8.0;

/// A face, ready.
#[derive(Clone, Debug)]
pub struct Cut {
    pub picture: Picture,
    pub label: Label,
    /// Index of its origin.
    pub origin: usize,
    /// Its box as the source gives it, pixels of the stored picture; `None` for a folder's picture.
    pub bounds: Option<Rect>,
    /// Width of its box in the stored picture, pixels.
    pub width: f32,
    /// The picture it was cut from.
    pub path: PathBuf,
    /// Where in the crop the face is, of faces to learn from whose landmarks are known.
    pub placed: Option<Placed>,
    /// The same face, to learn from, cut out where a detector finds it: people draw boxes otherwise.
    pub found: Option<Box<Cut>>,
}

/// All faces in memory, on their sides.
#[derive(Debug)]
pub struct Crops {
    /// Cut with `CACHE_MARGIN`, half as large again as the input; as `validation` is with
    /// `Sides::Measure`.
    pub train: Vec<Cut>,
    /// Cut as the daemon cuts them, at the input's size.
    pub validation: Vec<Cut>,
    pub groups: usize,
    /// Pictures that could not be read and faces that are too small.
    pub left_out: LeftOut,
}

/// What the faces are wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// To learn from one side of the split and judge on the other.
    Train,
    /// To judge on the other side alone.
    Judge,
    /// To judge on everything, none of which was learned from.
    JudgeAll,
    /// To measure something on one side and judge it on the other; both cut as the daemon cuts.
    Measure,
}

/// How faces are cut.
#[derive(Clone, Debug)]
pub struct Cutting {
    /// Seed of the split.
    pub seed: u64,
    /// The network's input side, pixels.
    pub input: u32,
    pub sides: Sides,
    /// A face detector for pictures without boxes, see `FOLDER_SHARE` for the way without; and for
    /// where the daemon will find the faces that have one.
    pub detector: Option<PathBuf>,
    /// Whether faces to judge on are cut out where it finds them, if it does, though they have a box.
    pub as_found: bool,
}

impl Cutting {
    /// Whether faces are cut out where the daemon finds them, too.
    fn asks_daemon(&self) -> bool {
        self.as_found || self.sides == Sides::Train
    }
}

/// Reads every picture once, splits, and cuts. `progress` is called for each picture read.
pub fn cut(
    samples: Vec<Sample>,
    cutting: &Cutting,
    progress: &(dyn Fn() + Sync),
) -> Result<Crops, DataError> {
    let mut left_out = LeftOut::default();
    let by_picture = once(samples, &mut left_out);
    let by_picture: Vec<(PathBuf, Vec<Sample>)> = by_picture.into_iter().collect();
    let finder = || Finder::new(cutting.detector.as_deref(), cutting.asks_daemon());
    // A detector that cannot be loaded is told before anything is read.
    let sees = finder()?.sees();
    if let Some(path) = cutting.detector.as_ref().filter(|_| cutting.as_found && !sees) {
        return Err(DataError::NotOurs { path: path.clone() });
    }
    let read: Vec<Made> = by_picture
        .into_par_iter()
        .map_init(finder, |finder, (path, faces)| {
            let made = one_picture(path, faces, finder.as_mut().ok(), cutting);
            progress();
            made
        })
        .collect();

    let (mut fingerprints, mut faces) = (HashMap::new(), Vec::new());
    let (mut samples, mut cuts, mut assumed) = (Vec::new(), Vec::new(), Vec::new());
    for made in read {
        left_out.each(made.skipped);
        assumed.extend(made.assumed.then(|| made.path.clone()));
        fingerprints.extend(made.fingerprints.map(|prints| (made.path, prints)));
        for (sample, both) in made.faces {
            samples.push(sample);
            faces.push(both.fingerprint);
            cuts.push(both);
        }
    }
    if let Some(first) = assumed.first() {
        left_out.notes.push(format!(
            "in {} pictures without a box no face was found, so their middle is taken for one; the first is {}",
            assumed.len(),
            first.display()
        ));
    }
    left_out.notes.extend(contradictions(&samples, &cuts));
    let Split { mut sides, groups } = split(&samples, &fingerprints, &faces, cutting.seed);
    if cutting.sides == Sides::JudgeAll {
        sides.fill(Side::Validation);
    }
    let mut crops = Crops { train: vec![], validation: vec![], groups, left_out };
    for ((sample, both), side) in samples.into_iter().zip(cuts).zip(sides) {
        let Sample { label, origin, path, bounds, .. } = sample;
        let width = both.width;
        let ready = |picture, placed| {
            let path = path.clone();
            Cut { picture, label, origin, bounds, width, path, placed, found: None }
        };
        match side {
            Side::Validation => crops.validation.push(ready(both.exact, None)),
            Side::Train if cutting.sides == Sides::Measure => {
                crops.train.push(ready(both.exact, None));
            }
            Side::Train => {
                let found = both.found.map(|Wide { picture, placed }| ready(picture, placed));
                let wide = both.wide.map(|Wide { picture, placed }| ready(picture, placed));
                let found = found.map(Box::new);
                crops.train.extend(wide.map(|wide| Cut { found, ..wide }));
            }
        }
    }
    Ok(crops)
}

/// The faces of each picture, each of them once: of two that are named alike the first counts.
fn once(samples: Vec<Sample>, left_out: &mut LeftOut) -> BTreeMap<PathBuf, Vec<Sample>> {
    let mut by_picture: BTreeMap<PathBuf, Vec<Sample>> = BTreeMap::new();
    for sample in samples {
        let faces = by_picture.entry(sample.path.clone()).or_default();
        match faces.iter().find(|face| face.bounds == sample.bounds) {
            None => faces.push(sample),
            Some(first) => {
                let (path, label) = (sample.path.display(), first.label);
                let line =
                    format!("{path}: a face is named twice, as {label} and {}", sample.label);
                left_out.add(1, line);
            }
        }
    }
    by_picture
}

/// What says of the same face that it is two things: at most one of them is right.
fn contradictions(samples: &[Sample], cuts: &[Both]) -> Option<String> {
    let mut firsts: HashMap<Fingerprint, (&Sample, &Both)> = HashMap::new();
    let mut pairs = Vec::new();
    for (sample, cut) in samples.iter().zip(cuts) {
        let (first, its_cut) = *firsts.entry(cut.fingerprint).or_insert((sample, cut));
        // Plain ones have the same fingerprint, whatever their light.
        if first.label != sample.label && difference(&its_cut.exact, &cut.exact) < ALIKE {
            let told = |sample: &Sample| format!("{} ({})", sample.path.display(), sample.label);
            pairs.push(format!("{} and {}", told(first), told(sample)));
        }
    }
    let count = pairs.len();
    pairs.truncate(10);
    (count > 0).then(|| {
        let dots = if count > pairs.len() { ", …" } else { "" };
        format!("{count} faces look the same and have another label: {}{dots}", pairs.join(", "))
    })
}

/// Mean difference of the samples of two pictures of one size.
fn difference(one: &Picture, other: &Picture) -> f32 {
    let pairs = one.pixels().iter().zip(other.pixels());
    let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f32 / one.pixels().len().max(1) as f32
}

/// A face cut for either side: which one it is on is known only when all pictures were seen.
struct Both {
    exact: Picture,
    /// Of the face in the box that the source gives, so that sides do not hang on a detector.
    fingerprint: Fingerprint,
    wide: Option<Wide>,
    found: Option<Wide>,
    width: f32,
}

/// A crop to draw views from.
struct Wide {
    picture: Picture,
    placed: Option<Placed>,
}

/// What one picture gave.
struct Made {
    path: PathBuf,
    /// Of the picture, and of it mirrored.
    fingerprints: Option<[Fingerprint; 2]>,
    faces: Vec<(Sample, Both)>,
    skipped: Vec<String>,
    /// Whether a detector looked for its face and found none.
    assumed: bool,
}

fn one_picture(
    path: PathBuf,
    faces: Vec<Sample>,
    mut finder: Option<&mut Finder>,
    cutting: &Cutting,
) -> Made {
    let mut made =
        Made { path, fingerprints: None, faces: vec![], skipped: vec![], assumed: false };
    let picture = match pictures::open(&made.path) {
        Ok(picture) => picture,
        Err(error) => {
            made.skipped.push(error.to_string());
            return made;
        }
    };
    made.fingerprints = Some(Fingerprint::both(&picture));
    let boxes: Vec<Rect> = faces.iter().filter_map(|face| face.bounds).collect();
    let looked = finder.as_mut().filter(|_| cutting.asks_daemon() && !boxes.is_empty());
    let mut seen =
        looked.map(|finder| finder.seen(&picture, &boxes)).unwrap_or_default().into_iter();
    for face in faces {
        let seen = face.bounds.and_then(|_| seen.next().flatten());
        let known = |bounds| Found { bounds, landmarks: face.landmarks, assumed: false };
        let found = || finder.as_mut().map(|finder| finder.find(&picture));
        let found = face.bounds.map(known).or_else(found);
        let Some(Found { bounds, landmarks, assumed }) = found else { continue };
        made.assumed |= assumed;
        if bounds.width() < MIN_WIDTH {
            made.skipped.push(format!("{}: a face under {MIN_WIDTH} px", made.path.display()));
            continue;
        }
        let cut =
            |bounds: &Rect, margin, side| crop::cut(&picture, &crop::region(bounds, margin), side);
        let cache = (cutting.input * 3).div_ceil(2);
        let wide = |bounds: &Rect| Wide {
            picture: cut(bounds, CACHE_MARGIN, cache),
            placed: landmarks.map(|landmarks| {
                let region = crop::region(bounds, CACHE_MARGIN);
                Placed::in_crop(bounds, &landmarks, &region, cache)
            }),
        };
        let learns = cutting.sides == Sides::Train;
        let exact = cut(&bounds, crop::MARGIN, cutting.input);
        let fingerprint = match cutting.input {
            PRINT_SIDE => Fingerprint::of(&exact),
            _ => Fingerprint::of(&cut(&bounds, crop::MARGIN, PRINT_SIDE)),
        };
        let judged = seen.filter(|_| cutting.as_found);
        let both = Both {
            exact: judged.map_or(exact, |seen| cut(&seen, crop::MARGIN, cutting.input)),
            fingerprint,
            wide: learns.then(|| wide(&bounds)),
            found: seen.filter(|_| learns).map(|seen| wide(&seen)),
            width: bounds.width(),
        };
        made.faces.push((face, both));
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::random::Random;

    #[test]
    fn networks_of_every_size_are_judged_on_the_same_faces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hall.png");
        let mut random = Random::new(1);
        image::RgbImage::from_fn(200, 160, |_, _| image::Rgb([random.below(256) as u8; 3]))
            .save(&path)
            .unwrap();
        let face = Sample {
            path: path.clone(),
            bounds: Some(Rect { x1: 60.0, y1: 40.0, x2: 101.0, y2: 87.0 }),
            landmarks: None,
            label: Label::WithMask,
            origin: 0,
            person: None,
        };
        let fingerprint = |input| {
            let sides = Sides::Judge;
            let cutting = Cutting { seed: 1, input, sides, detector: None, as_found: false };
            let made = one_picture(path.clone(), vec![face.clone()], None, &cutting);
            let [(_, both)] = &made.faces[..] else { panic!("{:?}", made.skipped) };
            assert_eq!(both.exact.width(), input);
            both.fingerprint
        };
        // What sides are drawn by, where a camera does not move.
        let wanted = fingerprint(PRINT_SIDE);
        for input in [32, 64, 96, 224] {
            assert_eq!(fingerprint(input), wanted, "{input} px");
        }
    }
}
