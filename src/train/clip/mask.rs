//! Drawing a mask on a face, from its five landmarks alone.
//!
//! The mask is laid out on the frontal face of `align` and carried onto the landmarks, so it
//! turns, leans and stretches with them.

use crate::picture::{Picture, Point};

use super::align::{FRONTAL, Warp};
use super::canvas::{Layer, paint, ramp, shade, smooth, stroke, symmetric};
pub use crate::train::synthesise::cloth::{Cloth, Wear};
use crate::train::synthesise::cloth::{Mask, bump};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    pub cloth: Cloth,
    pub wear: Wear,
    /// 0 (not there) to 1.
    pub opacity: f32,
    /// How far below its place the mask is, in eye distances: 0 when worn.
    pub dropped: f32,
    /// Of the scene: 1 leaves the colours as they are.
    pub light: f32,
}

impl Style {
    pub fn new(cloth: Cloth, wear: Wear) -> Self {
        Self { cloth, wear, opacity: 1.0, dropped: 0.0, light: 1.0 }
    }
}

/// Where the loops leave the mask and where they go behind the ear, from the middle line.
const LOOPS: [[(f32, f32); 3]; 2] =
    [[(0.92, 0.5), (1.02, 0.36), (1.1, 0.1)], [(0.93, 1.05), (1.04, 0.85), (1.09, 0.5)]];

/// The outline of the mask on a face, in pixels of its picture; `None` when landmarks coincide.
pub fn outline(landmarks: &[Point; 5], wear: Wear) -> Option<Vec<Point>> {
    let mask = Mask::new(Cloth::Folded([0.0; 3]), wear);
    Some(placed(&Warp::between(&FRONTAL, landmarks)?, &mask, 0.0))
}

/// The picture with a mask drawn on the face whose landmarks (as in `picture::Face`, in pixels)
/// are given; `None` when landmarks coincide.
pub fn wear(picture: &Picture, landmarks: &[Point; 5], style: &Style) -> Option<Picture> {
    let mut layer = Layer::of(picture);
    draw(&mut layer, landmarks, style)?;
    Some(layer.picture())
}

/// As [`wear`], on a layer that is being painted.
pub fn draw(layer: &mut Layer, landmarks: &[Point; 5], style: &Style) -> Option<()> {
    let to_picture = Warp::between(&FRONTAL, landmarks)?;
    let to_face = Warp::between(landmarks, &FRONTAL)?;
    let mask = Mask::new(style.cloth, style.wear);
    let edge = placed(&to_picture, &mask, style.dropped);
    let eyes = (landmarks[1].x - landmarks[0].x).hypot(landmarks[1].y - landmarks[0].y);

    let shadow: Vec<Point> = edge.iter().map(|p| Point { x: p.x, y: p.y + 0.035 * eyes }).collect();
    layer.fill(&shadow, 0.05 * eyes, |_| [20.0, 12.0, 8.0, 0.38 * style.opacity]);
    loops(layer, &to_picture, style, eyes);
    layer.fill(&edge, 0.008 * eyes, |p| {
        let at = to_face.apply(p);
        let [r, g, b] = colour(&mask, Point { x: at.x, y: at.y - style.dropped }, style.light);
        [r, g, b, style.opacity]
    });
    Some(())
}

fn placed(to_picture: &Warp, mask: &Mask, dropped: f32) -> Vec<Point> {
    smooth(&symmetric(mask.half()))
        .into_iter()
        .map(|p| to_picture.apply(Point { x: p.x, y: p.y + dropped }))
        .collect()
}

fn loops(layer: &mut Layer, to_picture: &Warp, style: &Style, eyes: f32) {
    let colour = match style.cloth {
        Cloth::Sewn(rgb) => rgb,
        _ => [226.0, 226.0, 222.0],
    };
    let lower = if style.wear == Wear::UnderNose { 0.1 } else { 0.0 };
    for side in [-1.0, 1.0] {
        for line in LOOPS {
            let at = |(x, y): (f32, f32)| Point { x: side * x, y };
            let [mut from, mut bend, to] = line.map(at);
            from.y += lower + style.dropped;
            bend.y += lower + style.dropped;
            let line: Vec<Point> = (0..=8)
                .map(|step| {
                    let t = step as f32 / 8.0;
                    let along = |a: f32, b: f32, c: f32| {
                        (1.0 - t) * (1.0 - t) * a + 2.0 * t * (1.0 - t) * b + t * t * c
                    };
                    to_picture.apply(Point {
                        x: along(from.x, bend.x, to.x),
                        y: along(from.y, bend.y, to.y),
                    })
                })
                .collect();
            let opacity = 0.85 * style.opacity;
            let band = stroke(&line, 0.035 * eyes);
            layer.fill(&band, 0.0, |_| paint(shade(colour, 0.88 * style.light), opacity));
        }
    }
}

/// The colour of the cloth where it lies on the frontal face.
fn colour(mask: &Mask, at: Point, light: f32) -> [f32; 3] {
    let (top, bottom) = mask.edges(at.x);
    let down = ((at.y - top) / (bottom - top).max(0.05)).clamp(0.0, 1.0);
    let across = at.x.abs();
    let round = 1.04 - 0.24 * (across / 0.95).powi(2) - 0.22 * ramp(0.55, 1.05, down);
    let nose = if mask.wear == Wear::Right {
        0.07 * bump(at.x / 0.2) * bump((at.y - 0.5) / 0.28)
            - 0.07 * bump(at.x / 0.3) * bump((at.y - 0.86) / 0.12)
    } else {
        0.0
    };
    let (rgb, lit) = mask.look(at, round + nose);
    shade(rgb, lit * light)
}

#[cfg(test)]
mod tests {
    use super::super::align::Similarity;
    use super::*;

    const WHITE: Style = Style {
        cloth: Cloth::Folded([230.0, 230.0, 228.0]),
        wear: Wear::Right,
        opacity: 1.0,
        dropped: 0.0,
        light: 1.0,
    };

    fn face(turn: f32) -> (Picture, [Point; 5]) {
        let mut picture = Picture::new(160, 160);
        picture.pixels_mut().fill(90);
        let place = Similarity::new(Point { x: 80.0, y: 55.0 }, 40.0, turn);
        (picture, FRONTAL.map(|p| place.apply(p)))
    }

    fn covered(before: &Picture, after: &Picture, p: Point) -> bool {
        let (x, y) = (p.x as i64, p.y as i64);
        before.get(x, y) != after.get(x, y)
    }

    #[test]
    fn a_mask_worn_right_covers_nose_and_mouth_and_leaves_the_eyes() {
        for turn in [-0.4, 0.0, 0.4] {
            let (bare, landmarks) = face(turn);
            let masked = wear(&bare, &landmarks, &WHITE).unwrap();
            let seen = landmarks.map(|p| covered(&bare, &masked, p));
            assert_eq!(seen, [false, false, true, true, true], "turned by {turn}");
        }
    }

    #[test]
    fn a_mask_under_the_nose_covers_the_mouth_and_not_the_nose() {
        let (bare, landmarks) = face(0.2);
        let style = Style { wear: Wear::UnderNose, ..WHITE };
        let masked = wear(&bare, &landmarks, &style).unwrap();
        let seen = landmarks.map(|p| covered(&bare, &masked, p));
        assert_eq!(seen, [false, false, false, true, true]);
    }

    #[test]
    fn a_mask_not_yet_there_changes_nothing() {
        let (bare, landmarks) = face(0.0);
        let style = Style { opacity: 0.0, dropped: 1.0, ..WHITE };
        assert_eq!(wear(&bare, &landmarks, &style), Some(bare));
    }

    #[test]
    fn landmarks_that_coincide_get_no_mask() {
        let (bare, mut landmarks) = face(0.0);
        landmarks[3] = landmarks[4];
        assert!(wear(&bare, &landmarks, &WHITE).is_none());
        assert!(outline(&[Point::default(); 5], Wear::Right).is_none());
    }
}
