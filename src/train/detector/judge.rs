//! How many faces a detector finds, and how much else.

use anyhow::Result;
use serde::Serialize;

use crate::picture::{Face, Label, Picture};
use crate::train::boxes::{AnnotatedImage, Annotation};
use crate::vision::Detector;

/// A detection matches an annotated face from this IoU on; annotators draw boxes differently.
const MATCH: f32 = 0.35;

/// One detection of the whole set.
struct Found {
    score: f32,
    /// The face it matches: its size class and label, or `None` for a false box.
    face: Option<usize>,
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
    /// Average precision at the matching IoU, faces of 12 px and over.
    pub average_precision: f32,
}

/// Runs `detector` (threshold low) over `images` and judges at `false_per_image`.
pub fn judge(
    detector: &mut Detector,
    images: &[AnnotatedImage],
    false_per_image: f32,
) -> Result<Judgement> {
    let mut found = Vec::new();
    // Width and label of each face that must be found, in 320 px pictures.
    let mut faces: Vec<(f32, Option<Label>)> = Vec::new();
    let (mut distance, mut distances) = (0.0_f32, 0);
    let mut read = 0;
    for image in images {
        let Ok(decoded) = image::open(&image.path) else {
            log::warn!("skipped {}: cannot be decoded", image.path.display());
            continue;
        };
        let decoded = decoded.into_rgb8();
        let (width, height) = decoded.dimensions();
        let Some(picture) = Picture::from_pixels(width, height, decoded.into_raw()) else {
            continue;
        };
        read += 1;
        let scale = 320.0 / width.max(height) as f32;
        let mut taken = vec![false; image.faces.len()];
        let first = faces.len();
        let mut index = vec![None; image.faces.len()];
        for (at, face) in image.faces.iter().enumerate() {
            let size = face.bounds.width() * scale;
            if !face.ignore && size >= BANDS[0].1 {
                index[at] = Some(faces.len());
                faces.push((size, face.label));
            }
        }
        debug_assert!(first <= faces.len());
        for detection in detector.detect(&picture)? {
            match best(&detection, &image.faces, &taken) {
                Some(at) => {
                    taken[at] = true;
                    if index[at].is_some() {
                        found.push(Found { score: detection.score, face: index[at] });
                        if let Some(error) = landmark_error(&detection, &image.faces[at]) {
                            distance += error;
                            distances += 1;
                        }
                    }
                }
                None if excused(&detection, &image.faces, scale) => {}
                None => found.push(Found { score: detection.score, face: None }),
            }
        }
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let allowed = (false_per_image * read as f32) as usize;
    let mut wrong = 0;
    let mut cut = found.len();
    for (at, detection) in found.iter().enumerate() {
        wrong += usize::from(detection.face.is_none());
        if wrong > allowed {
            cut = at;
            break;
        }
    }
    let kept = &found[..cut];
    let mut hit = vec![false; faces.len()];
    kept.iter().filter_map(|f| f.face).for_each(|at| hit[at] = true);
    let mut recalls = Vec::new();
    for (size, low, high) in BANDS {
        for label in
            [None, Some(Label::WithMask), Some(Label::WithoutMask), Some(Label::IncorrectMask)]
        {
            let of: Vec<bool> = faces
                .iter()
                .zip(&hit)
                .filter(|((w, l), _)| *w >= low && *w < high && (label.is_none() || *l == label))
                .map(|(_, hit)| *hit)
                .collect();
            if !of.is_empty() {
                let recall = of.iter().filter(|hit| **hit).count() as f32 / of.len() as f32;
                let label = label.map_or("all".to_owned(), |label| label.to_string());
                recalls.push(Recall { label, size: size.to_owned(), faces: of.len(), recall });
            }
        }
    }
    let wrong = kept.iter().filter(|f| f.face.is_none()).count();
    Ok(Judgement {
        images: read,
        threshold: kept.last().map_or(1.0, |f| f.score),
        false_per_image: wrong as f32 / read.max(1) as f32,
        recalls,
        landmark_error: (distances > 0).then(|| distance / distances as f32),
        average_precision: average_precision(&found, faces.len()),
    })
}

/// The free face that overlaps the detection most.
fn best(detection: &Face, faces: &[Annotation], taken: &[bool]) -> Option<usize> {
    let overlap = |at: usize| faces[at].bounds.iou(&detection.bounds);
    (0..faces.len())
        .filter(|&at| !taken[at] && !faces[at].ignore && overlap(at) >= MATCH)
        .max_by(|&a, &b| overlap(a).total_cmp(&overlap(b)))
}

/// Not wrong: over an ignored region, a second box on a face too small to judge, or itself tiny.
fn excused(detection: &Face, faces: &[Annotation], scale: f32) -> bool {
    let area = detection.bounds.area();
    let over = |face: &Annotation| {
        let common = face.bounds.intersect(&detection.bounds).area();
        let unjudged = face.ignore || face.bounds.width() * scale < BANDS[0].1;
        unjudged && common > 0.3 * area.min(face.bounds.area())
    };
    faces.iter().any(over)
}

fn landmark_error(detection: &Face, face: &Annotation) -> Option<f32> {
    let known = face.landmarks?;
    let sum: f32 =
        known.iter().zip(&detection.landmarks).map(|(a, b)| (a.x - b.x).hypot(a.y - b.y)).sum();
    Some(sum / 5.0 / face.bounds.width().max(1.0))
}

/// Area under the precision-recall curve, precision made monotone as in Pascal VOC 2010.
fn average_precision(found: &[Found], faces: usize) -> f32 {
    let mut right = 0;
    let mut curve: Vec<(f32, f32)> = Vec::with_capacity(found.len());
    for (at, detection) in found.iter().enumerate() {
        right += usize::from(detection.face.is_some());
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
            "{} images, threshold {:.3}, {:.2} false boxes an image, AP {:.3}, landmarks off by {}",
            self.images,
            self.threshold,
            self.false_per_image,
            self.average_precision,
            self.landmark_error.map_or("unknown".to_owned(), |error| format!(
                "{:.1} % of the width",
                error * 100.0
            ))
        )?;
        for recall in &self.recalls {
            writeln!(
                f,
                "  {:<16} {:<15} {:>5} faces  recall {:.3}",
                recall.size, recall.label, recall.faces, recall.recall
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(score: f32, face: Option<usize>) -> Found {
        Found { score, face }
    }

    #[test]
    fn average_precision_counts_false_boxes_only_above_a_face() {
        let right = |at| found(0.9, Some(at));
        assert_eq!(average_precision(&[right(0), right(1)], 2), 1.0);
        assert_eq!(average_precision(&[right(0), right(1), found(0.1, None)], 2), 1.0);
        assert_eq!(average_precision(&[found(0.95, None), right(0)], 2), 0.25);
        assert_eq!(average_precision(&[], 2), 0.0);
    }
}
