//! The faces that are averaged: one frame of each person, seen from the front, laid onto
//! [`FRONTAL`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::picture::{Picture, Point};
use crate::train::boxes;

use super::Error;
use super::align::{FRONTAL, Similarity, Warp};

/// Distance between the eyes of an aligned face, in pixels.
pub const EYES: f32 = 64.0;
/// Width and height of an aligned face, in pixels.
pub const SIZE: (u32, u32) = (256, 272);
/// The middle between the eyes of an aligned face, in pixels.
pub const MIDDLE: Point = Point { x: 128.0, y: 124.0 };

/// Eyes nearer to each other than this many pixels are too coarse to average.
const LEAST_EYES: f32 = 18.0;
/// Nose and mouth at most this far beside the middle line, in eye distances, together.
const MOST_TURN: f32 = 0.22;
/// Radians.
const MOST_ROLL: f32 = 0.35;
/// Pixels between the points at which a warp is computed; linear between them.
const GRID: usize = 8;

/// The aligned face, in pixels of the aligned picture.
pub fn landmarks() -> [Point; 5] {
    FRONTAL.map(|p| Similarity::new(MIDDLE, EYES, 0.0).apply(p))
}

/// One near-frontal frame of each person.
pub struct Chosen {
    pub frames: Vec<(PathBuf, [Point; 5])>,
    /// People in the list, near-frontal or not.
    pub people: usize,
}

/// Takes from the list of landmarks, for each person (file name up to the last `_`), the frame
/// seen most from the front; nobody who is always turned away or too small.
pub fn choose(csv: &Path) -> Result<Chosen, Error> {
    let mut best: BTreeMap<String, Option<(f32, PathBuf, [Point; 5])>> = BTreeMap::new();
    let boxes = boxes::read(csv)?;
    boxes.skipped.iter().for_each(|line| log::warn!("skipped {line}"));
    for image in boxes.images {
        let stem = image.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let person = stem.rsplit_once('_').map_or(stem.as_str(), |(person, _)| person).to_owned();
        let entry = best.entry(person).or_default();
        for points in image.faces.iter().filter_map(|face| face.landmarks) {
            if let Some(turn) = turned_away(&points)
                && entry.as_ref().is_none_or(|(least, ..)| turn < *least)
            {
                *entry = Some((turn, image.path.clone(), points));
            }
        }
    }
    let people = best.len();
    let frames = best.into_values().flatten().map(|(_, path, points)| (path, points)).collect();
    Ok(Chosen { frames, people })
}

/// How far from a frontal look, 0 for none; `None` when too far or too small to be used.
fn turned_away(points: &[Point; 5]) -> Option<f32> {
    let [right_eye, left_eye, nose, right_mouth, left_mouth] = *points;
    let (dx, dy) = (left_eye.x - right_eye.x, left_eye.y - right_eye.y);
    let eyes = dx.hypot(dy);
    if eyes < LEAST_EYES {
        return None;
    }
    let roll = dy.atan2(dx).abs();
    let middle = Point { x: (right_eye.x + left_eye.x) / 2.0, y: (right_eye.y + left_eye.y) / 2.0 };
    let upright = Similarity::new(middle, eyes, dy.atan2(dx));
    let nose = upright.undo(nose);
    let mouth = upright.undo(Point {
        x: (right_mouth.x + left_mouth.x) / 2.0,
        y: (right_mouth.y + left_mouth.y) / 2.0,
    });
    let sideways = nose.x.abs() + 0.7 * mouth.x.abs();
    let nod = (nose.y / mouth.y - FRONTAL[2].y / FRONTAL[3].y).abs();
    (sideways <= MOST_TURN && roll <= MOST_ROLL && nod.is_finite())
        .then_some(sideways + 0.1 * roll + 0.5 * nod)
}

/// The face laid onto [`landmarks`]; `None` when landmarks coincide.
pub fn align(picture: &Picture, points: &[Point; 5]) -> Option<Picture> {
    let warp = Warp::between(&landmarks(), points)?;
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    let columns = width / GRID + 1;
    let knots: Vec<Point> = (0..=height / GRID)
        .flat_map(|row| (0..columns).map(move |column| (row, column)))
        .map(|(row, column)| {
            warp.apply(Point { x: (column * GRID) as f32, y: (row * GRID) as f32 })
        })
        .collect();
    let mut aligned = Picture::new(SIZE.0, SIZE.1);
    for (i, pixel) in aligned.pixels_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = (i % width, i / width);
        let at = y / GRID * columns + x / GRID;
        let (fx, fy) = (
            (x % GRID) as f32 / GRID as f32 + 0.5 / GRID as f32,
            (y % GRID) as f32 / GRID as f32 + 0.5 / GRID as f32,
        );
        let between = |value: fn(&Point) -> f32| {
            let row = |at: usize| {
                let (a, b) = (value(&knots[at]), value(&knots[at + 1]));
                a + (b - a) * fx
            };
            row(at) + (row(at + columns) - row(at)) * fy
        };
        pixel.copy_from_slice(&cubic(picture, between(|p| p.x), between(|p| p.y)));
    }
    Some(aligned)
}

/// Catmull-Rom between the sixteen pixels around (`x`, `y`); the border repeats outside.
fn cubic(picture: &Picture, x: f32, y: f32) -> [u8; 3] {
    let (x, y) = (x - 0.5, y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let weights = |t: f32| {
        [
            ((2.0 - t) * t - 1.0) * t * 0.5,
            ((3.0 * t - 5.0) * t * t + 2.0) * 0.5,
            ((4.0 - 3.0 * t) * t + 1.0) * t * 0.5,
            (t - 1.0) * t * t * 0.5,
        ]
    };
    let (across, down) = (weights(x - left), weights(y - top));
    let last = (i64::from(picture.width()) - 1, i64::from(picture.height()) - 1);
    let mut sum = [0.0; 3];
    for (dy, wy) in (-1..).zip(down) {
        for (dx, wx) in (-1..).zip(across) {
            let column = (left as i64 + dx).clamp(0, last.0.max(0));
            let row = (top as i64 + dy).clamp(0, last.1.max(0));
            let rgb = picture.get(column, row).unwrap_or_default();
            for (total, channel) in sum.iter_mut().zip(rgb) {
                *total += f32::from(channel) * wx * wy;
            }
        }
    }
    sum.map(|value| (value + 0.5).clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aligned_face_has_its_landmarks_in_their_places() {
        let mut picture = Picture::new(120, 100);
        let place = Similarity::new(Point { x: 60.0, y: 40.0 }, 26.0, 0.15);
        let mut points = FRONTAL.map(|p| place.apply(p));
        points[2].x += 2.0;
        for p in points {
            for (dx, dy) in (-2..=2).flat_map(|dx| (-2..=2).map(move |dy| (dx, dy))) {
                picture.put(p.x as i64 + dx, p.y as i64 + dy, [255, 255, 255]);
            }
        }
        let aligned = align(&picture, &points).unwrap();
        for p in landmarks() {
            assert!(aligned.get(p.x as i64, p.y as i64).unwrap()[0] > 200, "{p:?} is dark");
        }
    }

    #[test]
    fn a_face_turned_away_or_too_small_is_not_chosen() {
        let at = |scale: f32| {
            FRONTAL.map(|p| Similarity::new(Point { x: 90.0, y: 80.0 }, scale, 0.1).apply(p))
        };
        assert!(turned_away(&at(30.0)).is_some());
        assert!(turned_away(&at(12.0)).is_none());
        let mut turned = at(30.0);
        turned[2].x += 9.0;
        assert!(turned_away(&turned).is_none());
    }
}
