//! Drawing a mask on a face, from its five landmarks alone.
//!
//! The mask is laid out on the frontal face of `align` and carried onto the landmarks, so it
//! turns, leans and stretches with them.

use crate::picture::{Picture, Point};

use super::align::{FRONTAL, Warp};
use super::canvas::{Layer, noise, paint, ramp, shade, smooth, stroke, symmetric};

/// Cut and cloth. Colours are red, green, blue, 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cloth {
    /// Pleated, with a wire over the nose.
    Surgical([f32; 3]),
    /// Folded along the middle, stiff.
    Folded([f32; 3]),
    /// Sewn along the middle, soft.
    Sewn([f32; 3]),
    /// Sewn from a chequered cloth of two colours.
    Chequered([f32; 3], [f32; 3]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wear {
    /// Over the nose and under the chin.
    Right,
    UnderNose,
}

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

/// Half outlines from the nose to under the chin, in the units of [`FRONTAL`].
const RIGHT: [(f32, f32); 11] = [
    (0.0, 0.25),
    (0.16, 0.29),
    (0.38, 0.45),
    (0.68, 0.5),
    (0.93, 0.46),
    (0.97, 0.72),
    (0.93, 1.08),
    (0.78, 1.42),
    (0.52, 1.68),
    (0.26, 1.8),
    (0.0, 1.83),
];
const UNDER_NOSE: [(f32, f32); 11] = [
    (0.0, 0.83),
    (0.2, 0.82),
    (0.45, 0.79),
    (0.7, 0.75),
    (0.93, 0.68),
    (0.96, 0.88),
    (0.93, 1.14),
    (0.78, 1.47),
    (0.52, 1.74),
    (0.26, 1.87),
    (0.0, 1.9),
];

/// Where the loops leave the mask and where they go behind the ear, from the middle line.
const LOOPS: [[(f32, f32); 3]; 2] =
    [[(0.92, 0.5), (1.02, 0.36), (1.1, 0.1)], [(0.93, 1.05), (1.04, 0.85), (1.09, 0.5)]];

/// The outline of the mask on a face, in pixels of its picture; `None` when landmarks coincide.
pub fn outline(landmarks: &[Point; 5], wear: Wear) -> Option<Vec<Point>> {
    Some(placed(&Warp::between(&FRONTAL, landmarks)?, wear, 0.0))
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
    let edge = placed(&to_picture, style.wear, style.dropped);
    let eyes = (landmarks[1].x - landmarks[0].x).hypot(landmarks[1].y - landmarks[0].y);

    let shadow: Vec<Point> = edge.iter().map(|p| Point { x: p.x, y: p.y + 0.035 * eyes }).collect();
    layer.fill(&shadow, 0.05 * eyes, |_| [20.0, 12.0, 8.0, 0.38 * style.opacity]);
    loops(layer, &to_picture, style, eyes);
    layer.fill(&edge, 0.008 * eyes, |p| {
        let at = to_face.apply(p);
        let [r, g, b] = cloth(Point { x: at.x, y: at.y - style.dropped }, style);
        [r, g, b, style.opacity]
    });
    Some(())
}

fn half_outline(wear: Wear) -> &'static [(f32, f32)] {
    match wear {
        Wear::Right => &RIGHT,
        Wear::UnderNose => &UNDER_NOSE,
    }
}

fn placed(to_picture: &Warp, wear: Wear, dropped: f32) -> Vec<Point> {
    smooth(&symmetric(half_outline(wear)))
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
fn cloth(at: Point, style: &Style) -> [f32; 3] {
    let half = half_outline(style.wear);
    let (top, bottom) = (edge_at(half, at.x, true), edge_at(half, at.x, false));
    // 0 at the upper edge, 1 at the lower one.
    let down = ((at.y - top) / (bottom - top).max(0.05)).clamp(0.0, 1.0);
    let across = at.x.abs();
    let round = 1.04 - 0.24 * (across / 0.95).powi(2) - 0.22 * ramp(0.55, 1.05, down);
    let nose = if style.wear == Wear::Right {
        0.07 * bump(at.x / 0.2) * bump((at.y - 0.5) / 0.28)
            - 0.07 * bump(at.x / 0.3) * bump((at.y - 0.86) / 0.12)
    } else {
        0.0
    };
    let weave = 0.015 * noise(at.x * 46.0, at.y * 46.0, 31);
    let wrinkle = 0.03 * noise(at.x * 5.0, at.y * 9.0, 32);
    let hem = -0.1 * bump((down - 0.06) / 0.018) - 0.06 * bump((down - 0.95) / 0.02);
    let (rgb, fold) = match style.cloth {
        Cloth::Surgical(rgb) => {
            let bent = down - 0.05 * (1.0 - (across / 0.95).powi(2));
            let fade = ramp(0.95, 0.7, across) * 0.5 + 0.5;
            (rgb, [0.27, 0.46, 0.65].iter().map(|at| pleat(bent - at) * fade).sum())
        }
        Cloth::Folded(rgb) => {
            let ridge = 0.05 * bump(at.x / 0.03) + 0.05 * ramp(0.1, -0.1, at.x) - 0.03;
            (rgb, ridge - 0.05 * bump((down - 0.5 - 0.2 * across) / 0.02))
        }
        Cloth::Sewn(rgb) => (rgb, -0.16 * bump(at.x / 0.022) + 0.05 * bump((across - 0.07) / 0.04)),
        Cloth::Chequered(a, b) => {
            let cells = (at.x * 5.0).floor() as i32 + (at.y * 5.0).floor() as i32;
            let rgb = if cells.rem_euclid(2) == 0 { a } else { b };
            (rgb, -0.12 * bump(at.x / 0.02))
        }
    };
    shade(rgb, (round + nose + weave + wrinkle + hem + fold) * style.light)
}

/// 1 at 0, falling to 0 beyond about 2.
fn bump(x: f32) -> f32 {
    (-x * x).exp()
}

/// A fold of cloth hanging over the one below: a lit edge and the shadow beneath it.
fn pleat(distance: f32) -> f32 {
    0.07 * bump((distance + 0.02) / 0.018) - 0.17 * bump((distance - 0.012) / 0.016)
}

/// Height of the upper or lower edge of a half outline at `x`.
fn edge_at(half: &[(f32, f32)], x: f32, upper: bool) -> f32 {
    let x = x.abs();
    let widest = half.iter().enumerate().fold(0, |w, (i, p)| if p.0 > half[w].0 { i } else { w });
    let part = if upper { &half[..=widest] } else { &half[widest..] };
    part.windows(2)
        .find(|pair| (pair[0].0.min(pair[1].0)..=pair[0].0.max(pair[1].0)).contains(&x))
        .map_or(half[widest].1, |pair| {
            let t = (x - pair[0].0) / (pair[1].0 - pair[0].0);
            pair[0].1 + t * (pair[1].1 - pair[0].1)
        })
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
