//! How many faces a detector finds, and how much else.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use super::pose::{Pose, Turned};
use crate::config;
use crate::picture::{Face, Label, Point, Rect, yaw};
use crate::train::boxes::{AnnotatedImage, Annotation};
use crate::train::pictures;
use crate::vision::Detector;
use crate::vision::model::ModelFile;

/// A detection matches an annotated face from this IoU on; annotators draw boxes differently.
const MATCH: f32 = 0.35;
/// The same for the average precision, as Pascal VOC has it.
const CLOSE: f32 = 0.5;

/// A place in one of the pictures.
#[derive(Clone, Debug)]
pub struct Spot {
    pub path: PathBuf,
    /// In pixels of the stored picture.
    pub bounds: Rect,
}

/// One detection of the whole set.
struct Found {
    score: f32,
    spot: Spot,
    /// The face it matches, or `None` for a false box.
    face: Option<usize>,
}

/// A face that must be found.
struct Known {
    /// In a picture whose longer side is scaled to 320 px.
    width: f32,
    label: Option<Label>,
    spot: Spot,
    /// Mean distance of found landmarks from annotated ones, in parts of the box width.
    landmark_error: Option<f32>,
}

/// Everything a detector said about a set of pictures, surest first.
pub struct Findings {
    found: Vec<Found>,
    /// Each score with whether its box matches a face closely.
    close: Vec<(f32, bool)>,
    faces: Vec<Known>,
    images: usize,
    turned: Option<Turned>,
}

/// Faces by width in pixels of a picture whose longer side is scaled to 320.
const BANDS: [(&str, f32, f32); 4] = [
    ("12-20 px", 12.0, 20.0),
    ("20-40 px", 20.0, 40.0),
    ("over 40 px", 40.0, f32::INFINITY),
    ("24 px and over", 24.0, f32::INFINITY),
];

/// Recall of one kind of face.
#[derive(Debug, Serialize)]
pub struct Recall {
    pub label: String,
    pub size: String,
    pub faces: usize,
    pub recall: f32,
    /// Mean distance of landmarks from the annotated ones, in parts of the box width, of the faces
    /// that were found at any score.
    pub landmark_error: Option<f32>,
}

/// The answer for one set at one rate of false boxes.
#[derive(Debug, Serialize)]
pub struct Judgement {
    pub images: usize,
    /// The score from which on a box counts, chosen so that `false_per_image` is reached.
    pub threshold: f32,
    pub false_per_image: f32,
    pub recalls: Vec<Recall>,
    /// Mean distance of landmarks from the annotated ones, in parts of the box width.
    pub landmark_error: Option<f32>,
    /// Whether heads that are turned away are seen to be, where landmarks are annotated.
    pub turned: Option<Turned>,
    /// Average precision where a box matches from an IoU of 0.5 on, faces of 12 px and over.
    pub average_precision: f32,
}

/// A detector that sees pictures `size` pixels wide, 4:3, and tells of every box from a score of
/// 0.05 on.
pub fn opened(file: ModelFile, size: u32) -> Result<Detector> {
    let config = config::Detector {
        width: size,
        height: size * 3 / 4,
        threshold: 0.05,
        ..config::Detector::default()
    };
    Ok(Detector::from_file(file, &config)?)
}

/// Runs `detector` (threshold low) over `images`.
pub fn look(detector: &mut Detector, images: &[AnnotatedImage]) -> Result<Findings> {
    let (mut found, mut close) = (Vec::new(), Vec::new());
    let mut faces = Vec::new();
    let mut pose = Pose::default();
    let mut read = 0;
    for image in images {
        let picture = match pictures::open(&image.path) {
            Ok(picture) => picture,
            Err(error) => {
                log::warn!("skipped {error}");
                continue;
            }
        };
        let (width, height) = (picture.width(), picture.height());
        read += 1;
        let scale = 320.0 / width.max(height) as f32;
        let spot = |bounds| Spot { path: image.path.clone(), bounds };
        let mut taken = vec![false; image.faces.len()];
        let mut closely = taken.clone();
        let mut index = vec![None; image.faces.len()];
        for (at, face) in image.faces.iter().enumerate() {
            let width = face.bounds.width() * scale;
            if !face.ignore && width >= BANDS[0].1 {
                index[at] = Some(faces.len());
                let (label, spot) = (face.label, spot(face.bounds));
                faces.push(Known { width, label, spot, landmark_error: None });
            }
        }
        for detection in detector.detect(&picture)? {
            let (score, spot) = (detection.score, spot(detection.bounds));
            let excused = excused(&detection, &image.faces, scale);
            match best(&detection, &image.faces, &closely, CLOSE) {
                Some(at) => {
                    closely[at] = true;
                    close.extend(index[at].map(|_| (score, true)));
                }
                None if excused => {}
                None => close.push((score, false)),
            }
            match best(&detection, &image.faces, &taken, MATCH) {
                Some(at) => {
                    taken[at] = true;
                    if let Some(index) = index[at] {
                        found.push(Found { score, spot, face: Some(index) });
                        if let Some(known) = image.faces[at].landmarks {
                            let error = distance_between(&known, &detection.landmarks);
                            faces[index].landmark_error =
                                Some(error / image.faces[at].bounds.width().max(1.0));
                            pose.add(yaw(&known), detector.yaw(&detection));
                        }
                    }
                }
                None if excused => {}
                None => found.push(Found { score, spot, face: None }),
            }
        }
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    close.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(Findings { found, close, faces, images: read, turned: pose.told() })
}

impl Findings {
    /// The surest detections, up to the last that keeps to `false_per_image`.
    fn kept(&self, false_per_image: f32) -> &[Found] {
        let allowed = (false_per_image * self.images as f32) as usize;
        let wrong = |(at, _): &(usize, &Found)| *at;
        let first_too_many =
            self.found.iter().enumerate().filter(|(_, f)| f.face.is_none()).nth(allowed);
        let cut = first_too_many.as_ref().map_or(self.found.len(), wrong);
        &self.found[..cut]
    }

    fn hits(&self, kept: &[Found]) -> Vec<bool> {
        let mut hit = vec![false; self.faces.len()];
        kept.iter().filter_map(|found| found.face).for_each(|at| hit[at] = true);
        hit
    }

    /// The figures at `false_per_image`.
    pub fn judge(&self, false_per_image: f32) -> Judgement {
        let kept = self.kept(false_per_image);
        let hit = self.hits(kept);
        let mut recalls = Vec::new();
        for (size, low, high) in BANDS {
            for label in
                [None, Some(Label::WithMask), Some(Label::WithoutMask), Some(Label::IncorrectMask)]
            {
                let counts = |f: &Known| {
                    f.width >= low && f.width < high && (label.is_none() || f.label == label)
                };
                let of: Vec<(&Known, bool)> =
                    self.faces.iter().zip(hit.iter().copied()).filter(|(f, _)| counts(f)).collect();
                if !of.is_empty() {
                    recalls.push(Recall {
                        label: label.map_or("all".to_owned(), |label| label.to_string()),
                        size: size.to_owned(),
                        faces: of.len(),
                        recall: of.iter().filter(|(_, hit)| *hit).count() as f32 / of.len() as f32,
                        landmark_error: mean(of.iter().filter_map(|(f, _)| f.landmark_error)),
                    });
                }
            }
        }
        let wrong = kept.iter().filter(|f| f.face.is_none()).count();
        Judgement {
            images: self.images,
            threshold: kept.last().map_or(1.0, |f| f.score),
            false_per_image: wrong as f32 / self.images.max(1) as f32,
            recalls,
            landmark_error: mean(self.faces.iter().filter_map(|face| face.landmark_error)),
            turned: self.turned,
            average_precision: average_precision(&self.close, self.faces.len()),
        }
    }

    /// Recall and precision as the threshold falls, faces of 12 px and over.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        let mut right = 0;
        let faces = self.faces.len().max(1) as f64;
        let points = self.found.iter().enumerate().map(|(at, found)| {
            right += usize::from(found.face.is_some());
            (right as f64 / faces, right as f64 / (at + 1) as f64)
        });
        points.collect()
    }

    /// Faces not found at `false_per_image`, the widest first.
    pub fn misses(&self, false_per_image: f32) -> Vec<(Spot, f32)> {
        let hit = self.hits(self.kept(false_per_image));
        let mut missed: Vec<&Known> =
            self.faces.iter().zip(hit).filter(|(_, hit)| !hit).map(|(face, _)| face).collect();
        missed.sort_by(|a, b| b.width.total_cmp(&a.width));
        missed.into_iter().map(|face| (face.spot.clone(), face.width)).collect()
    }

    /// False boxes at `false_per_image` with their scores, the surest first.
    pub fn false_boxes(&self, false_per_image: f32) -> Vec<(Spot, f32)> {
        let kept = self.kept(false_per_image).iter();
        kept.filter(|f| f.face.is_none()).map(|f| (f.spot.clone(), f.score)).collect()
    }
}

/// The free face that overlaps the detection most, by `least` or more.
fn best(detection: &Face, faces: &[Annotation], taken: &[bool], least: f32) -> Option<usize> {
    let overlap = |at: usize| faces[at].bounds.iou(&detection.bounds);
    (0..faces.len())
        .filter(|&at| !taken[at] && !faces[at].ignore && overlap(at) >= least)
        .max_by(|&a, &b| overlap(a).total_cmp(&overlap(b)))
}

/// Not wrong: much of it lies on an ignored region or on a face too small to judge.
fn excused(detection: &Face, faces: &[Annotation], scale: f32) -> bool {
    let area = detection.bounds.area();
    let over = |face: &Annotation| {
        let common = face.bounds.intersect(&detection.bounds).area();
        let unjudged = face.ignore || face.bounds.width() * scale < BANDS[0].1;
        unjudged && common > 0.3 * area
    };
    faces.iter().any(over)
}

/// `None` of nothing.
fn mean(values: impl Iterator<Item = f32>) -> Option<f32> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f32)
}

/// Mean distance of landmarks, pixels.
fn distance_between(known: &[Point; 5], found: &[Point; 5]) -> f32 {
    known.iter().zip(found).map(|(a, b)| (a.x - b.x).hypot(a.y - b.y)).sum::<f32>() / 5.0
}

/// Area under the precision-recall curve, precision made monotone as in Pascal VOC 2010.
fn average_precision(found: &[(f32, bool)], faces: usize) -> f32 {
    let mut right = 0;
    let mut curve: Vec<(f32, f32)> = Vec::with_capacity(found.len());
    for (at, (_, hit)) in found.iter().enumerate() {
        right += usize::from(*hit);
        curve.push((right as f32 / faces.max(1) as f32, right as f32 / (at + 1) as f32));
    }
    let mut precision = 0.0_f32;
    let mut area = 0.0;
    for at in (0..curve.len()).rev() {
        precision = precision.max(curve[at].1);
        let before = if at == 0 { 0.0 } else { curve[at - 1].0 };
        area += (curve[at].0 - before) * precision;
    }
    area
}

impl std::fmt::Display for Judgement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} images, threshold {:.3}, {:.2} false boxes an image, AP {:.3} (IoU 0.5), landmarks off by {}",
            self.images,
            self.threshold,
            self.false_per_image,
            self.average_precision,
            self.landmark_error.map_or("unknown".to_owned(), of_the_width)
        )?;
        if let Some(turned) = &self.turned {
            writeln!(f, "  {turned}")?;
        }
        for recall in &self.recalls {
            write!(
                f,
                "  {:<16} {:<15} {:>5} faces  recall {:.3}",
                recall.size, recall.label, recall.faces, recall.recall
            )?;
            if let Some(error) = recall.landmark_error {
                write!(f, "  landmarks off by {}", of_the_width(error))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn of_the_width(part: f32) -> String {
    format!("{:.1} % of the width", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot() -> Spot {
        Spot { path: "a.jpg".into(), bounds: Rect::default() }
    }

    fn found(score: f32, face: Option<usize>) -> Found {
        Found { score, spot: spot(), face }
    }

    /// Three faces 60, 30 and 15 px wide, of which the first two were found; two false boxes.
    fn findings() -> Findings {
        let known =
            |width| Known { width, label: None, spot: spot(), landmark_error: Some(width / 300.0) };
        Findings {
            found: vec![
                found(0.9, Some(0)),
                found(0.8, None),
                found(0.7, Some(1)),
                found(0.2, None),
            ],
            close: vec![(0.9, true), (0.8, false), (0.7, false), (0.2, false)],
            faces: vec![known(60.0), known(30.0), known(15.0)],
            images: 2,
            turned: None,
        }
    }

    #[test]
    fn landmarks_are_told_for_each_size_and_altogether() {
        let answer = findings().judge(0.5);
        let of = |size: &str| {
            let recall = answer.recalls.iter().find(|recall| recall.size == size);
            recall.and_then(|recall| recall.landmark_error)
        };
        assert_eq!(of("20-40 px"), Some(0.1));
        assert_eq!(of("24 px and over"), Some(0.15));
        assert!((answer.landmark_error.expect("they are known") - 0.35 / 3.0).abs() < 1e-6);
        assert!(answer.to_string().contains("recall 1.000  landmarks off by 20.0 % of the width"));
    }

    #[test]
    fn the_threshold_is_where_one_more_false_box_would_be_too_many() {
        let strict = findings().judge(0.0);
        assert_eq!((strict.threshold, strict.false_per_image), (0.9, 0.0));
        let loose = findings().judge(0.5);
        assert_eq!((loose.threshold, loose.false_per_image), (0.7, 0.5));
        assert_eq!(findings().judge(9.0).threshold, 0.2);
    }

    #[test]
    fn what_was_missed_and_what_was_made_up_can_be_looked_at() {
        let widths = |rate| findings().misses(rate).iter().map(|m| m.1).collect::<Vec<_>>();
        assert_eq!(widths(0.0), [30.0, 15.0], "the widest first");
        assert_eq!(widths(0.5), [15.0]);
        assert_eq!(findings().false_boxes(0.5)[0].1, 0.8);
        assert!(findings().false_boxes(0.0).is_empty());
    }

    #[test]
    fn the_curve_starts_precise_and_ends_with_all_that_was_found() {
        let curve = findings().curve();
        assert_eq!(curve[0], (1.0 / 3.0, 1.0));
        assert_eq!(curve[3], (2.0 / 3.0, 0.5));
    }

    #[test]
    fn average_precision_counts_false_boxes_only_above_a_face() {
        let (right, wrong) = ((0.9, true), (0.9, false));
        assert_eq!(average_precision(&[right, right], 2), 1.0);
        assert_eq!(average_precision(&[right, right, wrong], 2), 1.0);
        assert_eq!(average_precision(&[wrong, right], 2), 0.25);
        assert_eq!(average_precision(&[], 2), 0.0);
    }

    #[test]
    fn a_box_that_lies_a_little_off_finds_its_face_and_counts_against_the_average_precision() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = root.join("tests/assets/bare_face.jpg");
        let file = root.join("models/detector.onnx");
        let mut detector = opened(ModelFile::open(&file, "", ("", &[])).unwrap(), 320).unwrap();
        let picture = pictures::open(&path).unwrap();
        let (width, height) = (picture.width(), picture.height());
        let seen = detector.detect(&picture).unwrap()[0].bounds;
        let mut judged = |shift: f32| {
            let shift = shift * seen.width();
            let bounds = Rect { x1: seen.x1 + shift, x2: seen.x2 + shift, ..seen };
            let face = Annotation { bounds, label: None, ignore: false, landmarks: None };
            let path = path.clone();
            let image = AnnotatedImage { path, width, height, faces: vec![face], complete: true };
            let answer = look(&mut detector, &[image]).unwrap().judge(0.0);
            (answer.recalls.last().unwrap().recall, answer.average_precision)
        };
        assert_eq!(judged(0.0), (1.0, 1.0));
        // An overlap of 0.6 of 1.4 widths.
        assert_eq!(judged(0.4), (1.0, 0.0));
        assert_eq!(judged(0.6), (0.0, 0.0));
    }
}
