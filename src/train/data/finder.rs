//! Where the face is in a picture that has no box: a detector's answer, or an assumption.

use std::path::{Path, PathBuf};

use crate::config;
use crate::picture::{Picture, Point, Rect};
use crate::vision::model::ModelFile;
use crate::vision::{Detector, VisionError, crop};

/// A picture in a class folder shows one face and has no box. Many are tight crops, many show head
/// and shoulders. Where no detector helps, the box is taken as the middle square of this part of
/// the shorter side: with the classifier's margin that is about the largest square in the picture.
pub const FOLDER_SHARE: f32 = 0.8;

/// Side of the square the detector sees, pixels.
const SIDE: u32 = 256;
/// Room around the picture, its edge repeated: detectors miss faces that touch the edge.
const ROOM: f32 = 0.15;
/// Lowest score believed.
const THRESHOLD: f32 = 0.6;

/// A face in a picture that has no box.
pub struct Found {
    pub bounds: Rect,
    pub landmarks: Option<[Point; 5]>,
    /// Whether a detector looked and found none: the middle is taken.
    pub assumed: bool,
}

/// Finds the one face of a folder's picture.
pub struct Finder {
    detector: Option<Detector>,
}

impl Finder {
    /// With the detector at `model`, or by `FOLDER_SHARE` alone.
    pub fn new(model: Option<&Path>) -> Result<Self, VisionError> {
        let Some(model) = model else { return Ok(Self { detector: None }) };
        let file = ModelFile::open(model, "", ("no detector", &[]))?;
        let config = config::Detector {
            model: PathBuf::from(model),
            width: SIDE,
            height: SIDE,
            threshold: THRESHOLD,
            ..Default::default()
        };
        Ok(Self { detector: Some(Detector::from_file(file, &config)?) })
    }

    /// The largest face found, with its landmarks if the detector finds such, else the assumed
    /// one.
    pub fn find(&mut self, picture: &Picture) -> Found {
        match self.detected(picture) {
            Some((bounds, landmarks)) => Found { bounds, landmarks, assumed: false },
            None => Found {
                bounds: assumed(picture),
                landmarks: None,
                assumed: self.detector.is_some(),
            },
        }
    }

    fn detected(&mut self, picture: &Picture) -> Option<(Rect, Option<[Point; 5]>)> {
        let (x2, y2) = (picture.width() as f32, picture.height() as f32);
        let region = crop::region(&Rect { x1: 0.0, y1: 0.0, x2, y2 }, ROOM);
        let square = crop::cut(picture, &region, SIDE);
        // A detector that ran once on a square of this size runs on every other.
        let detector = self.detector.as_mut()?;
        let faces = detector.detect(&square).ok()?;
        let largest = faces.iter().max_by(|a, b| a.bounds.area().total_cmp(&b.bounds.area()))?;
        let scale = region.width() / SIDE as f32;
        let found = largest.bounds.scaled(scale, scale);
        let bounds = Rect {
            x1: found.x1 + region.x1,
            y1: found.y1 + region.y1,
            x2: found.x2 + region.x1,
            y2: found.y2 + region.y1,
        };
        let moved = |p: Point| Point { x: p.x * scale + region.x1, y: p.y * scale + region.y1 };
        let finds = detector.family().finds_landmarks();
        Some((bounds, finds.then(|| largest.landmarks.map(moved))))
    }
}

fn assumed(picture: &Picture) -> Rect {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let half = width.min(height) * FOLDER_SHARE / 2.0;
    Rect {
        x1: width / 2.0 - half,
        y1: height / 2.0 - half,
        x2: width / 2.0 + half,
        y2: height / 2.0 + half,
    }
}
