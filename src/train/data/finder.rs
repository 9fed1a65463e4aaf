//! Where faces are: of a picture that has no box, a detector's answer or an assumption; of one that
//! has, what the daemon will find.

use std::path::{Path, PathBuf};

use crate::config;
use crate::picture::{Picture, Point, Rect};
use crate::vision::model::ModelFile;
use crate::vision::{Detector, Family, VisionError, crop};

/// A picture in a class folder shows one face and has no box. Many are tight crops, many show head
/// and shoulders. Where no detector helps, the box is taken as the middle square of this part of
/// the shorter side: with the classifier's margin that is about the largest square in the picture.
pub const FOLDER_SHARE: f32 = 0.8;

/// Side of the square the detector sees, pixels.
const SIDE: u32 = 256;
/// Room around the picture, its edge repeated: detectors miss faces that touch the edge.
const ROOM: f32 = 0.15;
/// Lowest score of a face that is surely one: of our detectors, whose scores are lower, and of others.
const SURE: f32 = 0.5;
const SURE_OF_OTHERS: f32 = 0.6;
/// In a picture of one face the surest is believed down to this score of our detectors, as the daemon
/// does by default.
const LEAST: f32 = 0.35;
/// Boxes that overlap by this much (intersection over union) are of the same face.
const SAME: f32 = 0.35;
/// What the daemon shows its detector by default, and twice that, for faces too small there.
const FRAMES: [(u32, u32); 2] = [(320, 240), (640, 480)];

/// A face in a picture that has no box.
pub struct Found {
    pub bounds: Rect,
    pub landmarks: Option<[Point; 5]>,
    /// Whether a detector looked and found none: the middle is taken.
    pub assumed: bool,
}

/// Finds faces.
pub struct Finder {
    /// For the one face of a folder's picture.
    detector: Option<Detector>,
    /// For the faces that a picture has boxes of: none, or one for each of `FRAMES`.
    daemons: Vec<Detector>,
}

impl Finder {
    /// With the detector at `model`, or by `FOLDER_SHARE` alone; `seen` is asked only where `daemon`.
    /// That sees with detectors of ours alone: see [`Finder::sees`].
    pub fn new(model: Option<&Path>, daemon: bool) -> Result<Self, VisionError> {
        let Some(model) = model else { return Ok(Self { detector: None, daemons: vec![] }) };
        let load = |(width, height)| {
            let file = ModelFile::open(model, "", ("no detector", &[]))?;
            let model = PathBuf::from(model);
            let config =
                config::Detector { model, width, height, threshold: LEAST, ..Default::default() };
            Detector::from_file(file, &config)
        };
        let detector = load((SIDE, SIDE))?;
        let ours = *detector.family() == Family::Center;
        let frames = FRAMES.into_iter().filter(|_| daemon && ours);
        let daemons = frames.map(load).collect::<Result<_, _>>()?;
        Ok(Self { detector: Some(detector), daemons })
    }

    /// Whether `seen` can find anything.
    pub fn sees(&self) -> bool {
        !self.daemons.is_empty()
    }

    /// Where the daemon finds the faces in these boxes of a whole picture; `None` for those that it
    /// does not find, and with other detectors than ours.
    pub fn seen(&mut self, picture: &Picture, boxes: &[Rect]) -> Vec<Option<Rect>> {
        let mut seen = vec![None; boxes.len()];
        for daemon in &mut self.daemons {
            if seen.iter().all(Option::is_some) {
                break;
            }
            let Ok(found) = daemon.detect(picture) else { continue };
            let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
            for (at, known) in boxes.iter().enumerate().filter(|(at, _)| seen[*at].is_none()) {
                let overlaps = found.iter().map(|face| known.iou(&face.bounds)).enumerate();
                pairs.extend(overlaps.filter(|(_, o)| *o >= SAME).map(|(f, o)| (o, at, f)));
            }
            pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
            let mut taken = vec![false; found.len()];
            for (_, at, face) in pairs {
                if seen[at].is_none() && !std::mem::replace(&mut taken[face], true) {
                    seen[at] = Some(found[face].bounds);
                }
            }
        }
        seen
    }

    /// The largest sure face, else the surest one, with its landmarks if the detector finds such; where
    /// none is found the assumed one.
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
        let ours = *detector.family() == Family::Center;
        let sure = if ours { SURE } else { SURE_OF_OTHERS };
        let largest = faces
            .iter()
            .filter(|face| face.score >= sure)
            .max_by(|a, b| a.bounds.area().total_cmp(&b.bounds.area()));
        let surest = || faces.iter().max_by(|a, b| a.score.total_cmp(&b.score)).filter(|_| ours);
        let largest = largest.or_else(surest)?;
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
