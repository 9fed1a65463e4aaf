//! A composed face set into a drawn head: skin, ears, neck and hair.

use crate::picture::{Picture, Point};

use super::align::Similarity;
use super::canvas::{Layer, mix, noise, paint, ramp, shade, smooth, symmetric};
use super::compose::{gaussian, skin};
use super::faces::{EYES, MIDDLE, SIZE};

/// Width and height of a head layer, in pixels.
const LAYER: (usize, usize) = (320, 400);
/// The middle between the eyes on a head layer.
const CENTRE: Point = Point { x: 160.0, y: 150.0 };

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hair {
    Short,
    /// Short, and high above the temples.
    Receding,
    /// To the jaw.
    Bob,
    /// Over the shoulders.
    Long,
}

/// Where eye distances from the middle between the eyes lie on the head layer.
pub fn place() -> Similarity {
    Similarity::new(CENTRE, EYES, 0.0)
}

/// Outline of head and jaw, without hair.
const SKULL: [(f32, f32); 10] = [
    (0.0, -1.36),
    (0.5, -1.27),
    (0.88, -0.92),
    (1.02, -0.35),
    (1.02, 0.2),
    (0.97, 0.65),
    (0.85, 1.08),
    (0.62, 1.4),
    (0.33, 1.6),
    (0.0, 1.66),
];

/// Where the composed face is opaque; its edge is soft.
const FACE: [(f32, f32); 8] = [
    (0.0, -0.74),
    (0.5, -0.68),
    (0.8, -0.35),
    (0.85, 0.2),
    (0.8, 0.65),
    (0.66, 1.05),
    (0.4, 1.34),
    (0.0, 1.46),
];

/// Draws the head around `face`, an aligned composed face.
pub fn draw(face: &Picture, hair: Hair, hair_colour: [f32; 3]) -> Layer {
    let mut layer = Layer::clear(LAYER.0, LAYER.1);
    let tone = skin(face);
    let spread = spread_skin(face, tone);
    let skin_at = |p: Point| {
        let at = p.y.clamp(0.0, LAYER.1 as f32 - 1.0) as usize * LAYER.0
            + p.x.clamp(0.0, LAYER.0 as f32 - 1.0) as usize;
        spread.get(at).copied().unwrap_or(tone)
    };

    if matches!(hair, Hair::Bob | Hair::Long) {
        let back = if hair == Hair::Long { LONG_BACK.as_slice() } else { BOB_BACK.as_slice() };
        layer.fill(&curve(back), 1.4, |p| strands(p, shade(hair_colour, 0.62)));
    }
    neck(&mut layer, &skin_at);
    for side in [-1.0, 1.0] {
        ear(&mut layer, side, tone);
    }
    layer.fill(&curve(&SKULL), 0.9, |p| {
        let v = place().undo(p);
        let edge = ramp(0.72, 1.08, (v.x / 1.0).hypot((v.y - 0.12) / 1.55));
        paint(shade(skin_at(p), 1.0 - 0.26 * edge), 1.0)
    });
    layer.fill(&curve(&FACE), 7.0, |p| {
        let x = p.x - CENTRE.x + MIDDLE.x;
        let y = p.y - CENTRE.y + MIDDLE.y;
        let rgb = face.get(x as i64, y as i64).map(|rgb| rgb.map(f32::from));
        paint(rgb.unwrap_or(tone), 1.0)
    });
    front_hair(&mut layer, hair, hair_colour);
    layer
}

fn curve(half: &[(f32, f32)]) -> Vec<Point> {
    outline(&symmetric(half))
}

fn outline(points: &[Point]) -> Vec<Point> {
    let points: Vec<Point> = points.iter().map(|&p| place().apply(p)).collect();
    smooth(&points)
}

/// The face's own colours carried outward beyond its edge, so that the head continues them.
fn spread_skin(face: &Picture, tone: [f32; 3]) -> Vec<[f32; 3]> {
    let inside = |v: Point| {
        (v.x / 0.8).powi(2) + ((v.y - 0.35) / 1.05).powi(2) < 1.0
            && !(v.y.abs() < 0.25 && v.x.abs() < 0.78)
            && !((v.y - 1.05).abs() < 0.16 && v.x.abs() < 0.45)
    };
    let count = LAYER.0 * LAYER.1;
    let mut planes = vec![vec![0.0_f32; count]; 4];
    for y in 0..LAYER.1 {
        for x in 0..LAYER.0 {
            let (fx, fy) =
                (x as f32 + 0.5 - CENTRE.x + MIDDLE.x, y as f32 + 0.5 - CENTRE.y + MIDDLE.y);
            let within = fx >= 0.0 && fy >= 0.0 && fx < SIZE.0 as f32 && fy < SIZE.1 as f32;
            let v = place().undo(Point { x: x as f32 + 0.5, y: y as f32 + 0.5 });
            if within && inside(v) {
                let rgb = face.get(fx as i64, fy as i64).unwrap_or_default();
                for (plane, channel) in planes.iter_mut().zip(rgb) {
                    plane[y * LAYER.0 + x] = f32::from(channel);
                }
                planes[3][y * LAYER.0 + x] = 1.0;
            }
        }
    }
    let planes: Vec<Vec<f32>> =
        planes.iter().map(|plane| gaussian(plane, LAYER.0, LAYER.1, 11.0)).collect();
    (0..count)
        .map(|i| {
            let weight = planes[3][i];
            let near = std::array::from_fn(|c| planes[c][i] / weight.max(1e-6));
            mix(tone, near, ramp(0.002, 0.06, weight))
        })
        .collect()
}

fn neck(layer: &mut Layer, skin_at: &impl Fn(Point) -> [f32; 3]) {
    let shape = curve(&[(0.0, 0.9), (0.7, 0.9), (0.7, 1.85), (0.78, 2.3), (1.2, 2.7), (0.0, 3.5)]);
    layer.fill(&shape, 1.0, |p| {
        let v = place().undo(p);
        let under_chin = 1.0 - ramp(1.45, 2.5, v.y);
        let round = 1.0 - 0.22 * (v.x / 0.8).powi(2).min(1.0);
        let chin = place().apply(Point { x: v.x * 0.6, y: 0.9 });
        paint(shade(skin_at(chin), (0.9 - 0.4 * under_chin) * round), 1.0)
    });
}

fn ear(layer: &mut Layer, side: f32, tone: [f32; 3]) {
    let at = |x: f32, y: f32| Point { x: side * x, y };
    let ear = [
        at(0.98, -0.16),
        at(1.12, -0.2),
        at(1.19, 0.02),
        at(1.14, 0.32),
        at(1.06, 0.55),
        at(0.97, 0.5),
    ];
    let colour = mix(shade(tone, 0.86), [190.0, 90.0, 70.0], 0.12);
    layer.fill(&outline(&ear), 1.0, |p| {
        let v = place().undo(p);
        let hollow = ramp(0.16, 0.02, ((v.x.abs() - 1.09) * 1.6).hypot((v.y - 0.1) * 0.55));
        paint(shade(colour, 1.0 - 0.28 * hollow), 1.0)
    });
}

const LONG_BACK: [(f32, f32); 8] = [
    (0.0, -1.62),
    (0.65, -1.48),
    (1.15, -0.95),
    (1.34, 0.0),
    (1.4, 1.1),
    (1.5, 2.3),
    (1.2, 3.1),
    (0.0, 2.6),
];
const BOB_BACK: [(f32, f32); 7] =
    [(0.0, -1.6), (0.65, -1.46), (1.15, -0.95), (1.36, 0.0), (1.4, 0.9), (1.22, 1.62), (0.0, 1.5)];

/// Half outline of the hair that frames the face: outside from the crown down, then back up
/// along the hairline.
fn fringe(hair: Hair) -> &'static [(f32, f32)] {
    match hair {
        Hair::Short => &[
            (0.0, -1.62),
            (0.6, -1.5),
            (1.02, -1.05),
            (1.12, -0.5),
            (1.09, -0.05),
            (1.0, 0.12),
            (0.95, -0.2),
            (0.88, -0.55),
            (0.62, -0.86),
            (0.3, -0.9),
            (0.0, -0.93),
        ],
        Hair::Receding => &[
            (0.0, -1.52),
            (0.58, -1.42),
            (0.98, -1.0),
            (1.1, -0.45),
            (1.08, 0.02),
            (1.0, 0.15),
            (0.96, -0.2),
            (0.94, -0.62),
            (0.76, -1.02),
            (0.42, -1.0),
            (0.0, -1.04),
        ],
        Hair::Bob => &[
            (0.0, -1.64),
            (0.65, -1.5),
            (1.12, -0.98),
            (1.3, -0.1),
            (1.34, 0.8),
            (1.2, 1.5),
            (1.0, 1.35),
            (0.98, 0.6),
            (0.95, -0.1),
            (0.82, -0.6),
            (0.45, -0.82),
            (0.0, -0.8),
        ],
        Hair::Long => &[
            (0.0, -1.64),
            (0.65, -1.5),
            (1.12, -0.98),
            (1.28, 0.0),
            (1.34, 1.1),
            (1.42, 2.3),
            (1.1, 2.9),
            (0.98, 1.9),
            (1.02, 0.9),
            (0.97, 0.1),
            (0.84, -0.55),
            (0.4, -0.92),
            (0.0, -1.0),
        ],
    }
}

fn front_hair(layer: &mut Layer, hair: Hair, colour: [f32; 3]) {
    let points = symmetric(fringe(hair));
    // What the hair keeps from the light, a little below its edge.
    let fallen: Vec<Point> = points.iter().map(|p| Point { x: p.x, y: p.y + 0.06 }).collect();
    layer.fill(&outline(&fallen), 5.0, |p| {
        let on_face = place().undo(p);
        let within = ramp(1.02, 0.9, on_face.x.abs() + (on_face.y - 0.2).max(0.0));
        paint(shade(colour, 0.4), 0.4 * within)
    });
    // The strands end at different heights, so that the hairline is no cut edge.
    let ragged: Vec<Point> = smooth(&points)
        .into_iter()
        .map(|p| {
            let jag = noise(p.x * 14.0, p.y * 14.0, 5) * 0.035;
            Point { x: p.x + jag, y: p.y + noise(p.x * 17.0, p.y * 9.0, 6) * 0.05 }
        })
        .map(|p| place().apply(p))
        .collect();
    layer.fill(&ragged, 1.0, |p| strands(p, colour));
}

/// Hair running down from the crown, with a sheen.
fn strands(p: Point, colour: [f32; 3]) -> [f32; 4] {
    let v = place().undo(p);
    let angle = v.x.atan2(v.y + 1.75);
    let away = v.x.hypot(v.y + 1.75);
    let grain =
        noise(angle * 34.0, away * 1.3, 11) * 0.6 + noise(angle * 80.0, away * 2.6, 12) * 0.4;
    let sheen = ramp(0.32, 0.0, (away - 0.75).abs()) * 0.22 - 0.12 * ramp(0.9, 1.35, v.x.abs());
    paint(shade(colour, 0.96 + 0.26 * grain + sheen), 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_shows_its_face_between_the_eyes_and_hair_above() {
        let mut face = Picture::new(SIZE.0, SIZE.1);
        for pixel in face.pixels_mut().chunks_exact_mut(3) {
            pixel.copy_from_slice(&[200, 150, 120]);
        }
        for hair in [Hair::Short, Hair::Receding, Hair::Bob, Hair::Long] {
            let head = draw(&face, hair, [40.0, 30.0, 20.0]).picture();
            let at = |x: f32, y: f32| {
                let p = place().apply(Point { x, y });
                head.get(p.x as i64, p.y as i64).unwrap()
            };
            assert_eq!(at(0.0, 0.3), [200, 150, 120], "{hair:?}");
            assert!(at(0.0, -1.3)[0] < 90, "{hair:?}: {:?}", at(0.0, -1.3));
        }
    }
}
