//! The bare faces to draw on, and the masked ones whose masks they wear: from a CSV, or from a folder
//! with a detector's help.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;

use super::Swatch;
use crate::config;
use crate::picture::{Face, Label, Picture, Point, Rect};
use crate::train::boxes::{self, AnnotatedImage, Annotation};
use crate::train::pictures;
use crate::vision::model::ModelFile;
use crate::vision::{Detector, Family, VisionError, crop};

/// Squares that the detector sees, each only where those before show no face: side in pixels and
/// room around the picture, its edge repeated, as a part of its longer side. Detectors miss faces
/// that touch the edge; the second is for faces that fill the picture, the third for groups and
/// figures far away.
const VIEWS: [(u32, f32); 3] = [(320, 0.1), (320, 0.6), (640, 0.1)];
/// Room around a face for the second look at it, as a part of its longer side.
const NEAR: f32 = 0.6;
/// Lowest score believed.
const THRESHOLD: f32 = 0.6;

/// A picture and what is known of the faces in it.
#[derive(Debug)]
pub struct Source {
    pub path: PathBuf,
    /// What somebody marked in it; `None`: the detector is to look.
    pub marked: Option<Vec<Annotation>>,
}

/// What `option` of the command line names, in the order of the file names: a folder of pictures, or boxes
/// with landmarks as `boxes::read_named` takes them. With one line for each thing left out.
pub fn sources(option: &str, names: &[String]) -> Result<(Vec<Source>, Vec<String>)> {
    let (mut sources, mut skipped) = (Vec::new(), Vec::new());
    for name in names {
        let folder = Path::new(name);
        if folder.is_dir() {
            for path in listed(folder)? {
                if path.is_dir() {
                    skipped.push(format!("{}: a folder in the folder", path.display()));
                } else {
                    sources.push(Source { path, marked: None });
                }
            }
        } else {
            let boxes = boxes::read_named(name)
                .with_context(|| format!("{option} {name} is no folder of pictures, so a CSV"))?
                .without_incomplete();
            skipped.extend(boxes.skipped);
            let marked = |AnnotatedImage { path, faces, .. }| Source { path, marked: Some(faces) };
            sources.extend(boxes.images.into_iter().map(marked));
        }
    }
    Ok((sources, skipped))
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || format!("{}: the folder cannot be read", folder.display());
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>())
        .with_context(unreadable)?;
    paths.sort();
    Ok(paths)
}

/// The masks of all masked faces in what `--masked` names that can be taken off; the detector file at
/// `model`, the built-in one where that is empty, looks where nobody marked any. What is skipped is named
/// in the log.
///
/// # Errors
/// A source or detector that cannot be read, and when there is no such mask.
pub fn swatches(names: &[String], model: &Path) -> Result<Vec<Arc<Swatch>>> {
    let (masked, skipped) = sources("--masked", names)?;
    let pictures = masked.len();
    skipped.iter().for_each(|line| log::warn!("skipped {line}"));
    let found: Vec<Result<Vec<Arc<Swatch>>>> = masked
        .into_par_iter()
        .map_init(
            || Finder::new(model),
            |finder, Source { path, marked }| {
                let picture = match pictures::open(&path) {
                    Ok(picture) => picture,
                    Err(error) => {
                        log::warn!("skipped {error}");
                        return Ok(vec![]);
                    }
                };
                let masked = |face: &Annotation| {
                    !face.ignore && face.label.is_none_or(|label| label == Label::WithMask)
                };
                let faces: Vec<Annotation> = match (marked, finder.as_mut()) {
                    (Some(faces), _) => faces.into_iter().filter(masked).collect(),
                    (None, Ok(finder)) => finder.find(&picture)?,
                    (None, Err(error)) => bail!("{error}"),
                };
                let swatch =
                    |face: &Annotation| Swatch::of(&picture, &face.bounds, &face.landmarks?);
                let swatches: Vec<_> = faces.iter().filter_map(swatch).map(Arc::new).collect();
                if swatches.is_empty() {
                    log::warn!(
                        "skipped {}: {} masked faces, none large, with landmarks and looking at the camera",
                        path.display(),
                        faces.len()
                    );
                }
                Ok(swatches)
            },
        )
        .collect();
    let swatches: Vec<_> = found.into_iter().collect::<Result<Vec<_>>>()?.concat();
    ensure!(
        !swatches.is_empty(),
        "--masked {}: no masked face with landmarks that looks at the camera",
        names.join(" ")
    );
    log::info!("--masked: {} masks out of {pictures} pictures", swatches.len());
    Ok(swatches)
}

/// Finds faces in pictures that nobody marked.
pub struct Finder {
    detectors: Vec<Detector>,
}

impl Finder {
    /// With the detector file at `model`, the built-in one where that is empty.
    pub fn new(model: &Path) -> Result<Self, VisionError> {
        let open = |(side, _): (u32, f32)| {
            let file: ModelFile = crate::vision::open_detector(model, "")?;
            if !Family::of(&file)?.finds_landmarks() {
                return Err(VisionError::WrongShape {
                    model: file.origin().name.clone(),
                    wanted: "face detector to draw with",
                    reason: "it finds no landmarks; take ours or a YuNet file".into(),
                });
            }
            let config = config::Detector {
                width: side,
                height: side,
                threshold: THRESHOLD,
                ..Default::default()
            };
            Detector::from_file(file, &config)
        };
        Ok(Self { detectors: VIEWS.into_iter().map(open).collect::<Result<_, _>>()? })
    }

    /// All faces, taken to be bare; each looked at a second time from near, for its landmarks.
    pub fn find(&mut self, picture: &Picture) -> Result<Vec<Annotation>, VisionError> {
        let (x2, y2) = (picture.width() as f32, picture.height() as f32);
        let whole = Rect { x1: 0.0, y1: 0.0, x2, y2 };
        let mut found = Vec::new();
        for ((side, room), at) in VIEWS.into_iter().zip(0..) {
            found = self.look(picture, &crop::region(&whole, room), at, side)?;
            if !found.is_empty() {
                break;
            }
        }
        for face in &mut found {
            let region = crop::region(&face.bounds, NEAR);
            let again = self.look(picture, &region, 0, VIEWS[0].0)?;
            let overlap = |other: &Annotation| other.bounds.iou(&face.bounds);
            let same = again.into_iter().max_by(|a, b| overlap(a).total_cmp(&overlap(b)));
            if let Some(same) = same.filter(|same| overlap(same) > 0.5) {
                *face = same;
            }
        }
        Ok(found)
    }

    /// The faces in a square part of the picture.
    fn look(
        &mut self,
        picture: &Picture,
        region: &Rect,
        detector: usize,
        side: u32,
    ) -> Result<Vec<Annotation>, VisionError> {
        let square = crop::cut(picture, region, side);
        let faces = self.detectors[detector].detect(&square)?;
        let scale = region.width() / side as f32;
        Ok(faces.iter().map(|face| annotation(face, region, scale)).collect())
    }
}

/// The face in the pixels of the picture that `region` was cut from.
fn annotation(face: &Face, region: &Rect, scale: f32) -> Annotation {
    let moved = |p: Point| Point { x: p.x * scale + region.x1, y: p.y * scale + region.y1 };
    let b = face.bounds;
    let (low, high) = (moved(Point { x: b.x1, y: b.y1 }), moved(Point { x: b.x2, y: b.y2 }));
    Annotation {
        bounds: Rect { x1: low.x, y1: low.y, x2: high.x, y2: high.y },
        label: Some(Label::WithoutMask),
        ignore: false,
        landmarks: Some(face.landmarks.map(moved)),
    }
}
