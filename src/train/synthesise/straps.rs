//! Loops round the ears and bands round the head.

use crate::picture::{Picture, Point};
use crate::train::clip::canvas::{Layer, paint, stroke};

use super::cloth::{Cloth, Mask, Wear};
use super::head::Head;
use super::light::Light;
use super::mesh::Region;
use super::style::Style;

/// Width of a loop and of a cup's band, in eye distances.
const LOOP: f32 = 0.035;
const BAND: f32 = 0.055;
const STEPS: usize = 12;

/// A strap in the picture.
pub struct Strap {
    pub line: Vec<Point>,
    /// In pixels.
    width: f32,
    opacity: f32,
    /// Whether hair can lie over it.
    under_hair: bool,
}

/// The straps of a mask that is worn, on the sides of the head that can be seen. `place` tells
/// where in space a point of the mask is.
pub fn worn(mask: &Mask, head: &Head, place: impl Fn(Point) -> [f32; 3]) -> Vec<Strap> {
    let (upper, lower) = corners(mask);
    // Where they go: to the roots of the ears, or past them round the head.
    let (over, under) = match (mask.wear, mask.cloth) {
        (Wear::Eyes, _) => ([1.1, -0.02, -1.05], [1.1, 0.06, -1.05]),
        (_, Cloth::Cup(..)) => ([1.06, -0.5, -1.1], [1.06, 0.8, -1.0]),
        _ => ([1.12, 0.06, -1.02], [1.12, 0.46, -0.98]),
    };
    let mut straps = Vec::new();
    for side in [-1.0, 1.0] {
        let opacity = 0.9 * head.side_seen(side);
        if opacity <= 0.0 {
            continue;
        }
        for (from, to) in [(upper, over), (lower, under)] {
            let from = place(Point { x: side * 0.97 * from.0, y: from.1 });
            let to = [side * to[0], to[1], to[2]];
            let bend = [side * 1.08, (from[1] + to[1]) / 2.0 + 0.03, (from[2] + to[2]) / 2.0 + 0.1];
            let along = |t: f32| {
                let at = std::array::from_fn(|k| {
                    (1.0 - t) * (1.0 - t) * from[k] + 2.0 * t * (1.0 - t) * bend[k] + t * t * to[k]
                });
                head.place(at).0
            };
            let line = (0..=STEPS).map(|step| along(step as f32 / STEPS as f32)).collect();
            let width = width(mask) * head.scale;
            straps.push(Strap { line, width, opacity, under_hair: true });
        }
    }
    straps
}

/// Both loops of a mask that hangs from `anchor` by them.
pub fn hanging(mask: &Mask, head: &Head, anchor: Point, ends: [Point; 2]) -> Vec<Strap> {
    ends.into_iter()
        .map(|end| {
            let line = vec![
                anchor,
                Point { x: (anchor.x + end.x) / 2.0, y: (anchor.y + end.y) / 2.0 },
                end,
            ];
            Strap { line, width: width(mask) * head.scale, opacity: 0.9, under_hair: false }
        })
        .collect()
}

/// Paints straps onto a layer that covers `region`; what lies over the skin there, hair above
/// all, stays over them.
pub fn draw(
    straps: &[Strap],
    style: &Style,
    layer: &mut Layer,
    region: &Region,
    light: &Light,
    picture: &Picture,
) {
    let (left, top) = (region.left as f32, region.top as f32);
    let lit = light.show(style.strap, Point { x: 0.0, y: 1.0 }, 0.9);
    for strap in straps {
        let line: Vec<Point> =
            strap.line.iter().map(|p| Point { x: p.x - left, y: p.y - top }).collect();
        // Thinner than a pixel, a line is fainter rather than thinner.
        let faint = strap.width.min(1.0);
        let band = stroke(&line, strap.width.max(1.0));
        layer.fill(&band, 0.0, |p| {
            let below = picture.get((p.x + left) as i64, (p.y + top) as i64).unwrap_or_default();
            let shows = if strap.under_hair { light.is_skin(below) } else { 1.0 };
            paint(lit, strap.opacity * faint * shows)
        });
    }
}

fn width(mask: &Mask) -> f32 {
    if matches!(mask.cloth, Cloth::Cup(..)) || mask.wear == Wear::Eyes { BAND } else { LOOP }
}

/// Where the straps leave the right side of a mask: above and below its widest place.
pub fn corners(mask: &Mask) -> ((f32, f32), (f32, f32)) {
    let half = mask.half();
    let widest = (0..half.len()).fold(0, |w, i| if half[i].0 > half[w].0 { i } else { w });
    let near = |at: usize| {
        let point = half.get(at).copied().unwrap_or(half[widest]);
        if point.0 > 0.85 * half[widest].0 { point } else { half[widest] }
    };
    (near(widest.saturating_sub(1)), near(widest + 1))
}
