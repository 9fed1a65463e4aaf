//! Scarves, collars and high necks: cloth about the chin that is no mask.
//! Owns what they look like on the frontal face, in units of the eyes' distance. Never: where they are in
//! a picture, or how they are lit.

use crate::picture::Point;
use crate::train::clip::canvas::{mix, noise, ramp};
use crate::train::random::Random;

use super::cloth::Print;
use super::head;
use super::mesh::{Look, Surface};

/// Wools and cottons: black, navy, greys, white, sand, brown, reds, blue, green, mustard, rose.
const COLOURS: [[f32; 3]; 14] = [
    [34.0, 34.0, 38.0],
    [40.0, 46.0, 70.0],
    [84.0, 86.0, 92.0],
    [150.0, 150.0, 152.0],
    [234.0, 232.0, 228.0],
    [206.0, 188.0, 160.0],
    [112.0, 82.0, 62.0],
    [158.0, 40.0, 46.0],
    [196.0, 92.0, 76.0],
    [70.0, 104.0, 160.0],
    [140.0, 176.0, 206.0],
    [62.0, 92.0, 70.0],
    [204.0, 160.0, 60.0],
    [212.0, 150.0, 164.0],
];
/// All that can be covered, half of it; the neck is seen below the jaw, shoulders further out.
const OUTLINE: [(f32, f32); 6] =
    [(0.0, 1.6), (0.6, 1.3), (1.0, 0.8), (1.36, 0.9), (1.38, 2.9), (0.0, 3.0)];
/// The jaw: distance from the middle, height.
const JAW: [(f32, f32); 6] =
    [(0.0, 1.84), (0.25, 1.8), (0.5, 1.68), (0.74, 1.42), (0.92, 1.1), (1.02, 0.9)];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// Wound round the neck, up to the jaw.
    Scarf,
    /// As wide as the neck, with a straight edge.
    High,
    /// Open in the middle, so far at the height of the chin.
    Collar(f32),
}

/// A cloth about the neck laid out on the frontal face.
#[derive(Clone, Debug, PartialEq)]
pub struct Scarf {
    cut: Cut,
    rgb: [f32; 3],
    print: Option<(Print, [f32; 3])>,
    /// Below the jaw, in eye distances.
    below: f32,
    /// How deep its folds are.
    folds: f32,
    seed: u32,
}

impl Scarf {
    pub fn draw(random: &mut Random) -> Self {
        let colour = |random: &mut Random| {
            let light = random.range(0.85, 1.1);
            COLOURS[random.below(COLOURS.len())].map(|value| (value * light).min(250.0))
        };
        let prints = [Print::Stripes, Print::Dots, Print::Tartan, Print::Patches, Print::Flowers];
        let (cut, folds) = match random.below(10) {
            0..=4 => (Cut::Scarf, random.range(0.1, 0.3)),
            5..=6 => (Cut::High, random.range(0.02, 0.12)),
            _ => (Cut::Collar(random.range(0.15, 0.6)), random.range(0.0, 0.08)),
        };
        Self {
            cut,
            rgb: colour(random),
            print: random.chance(0.3).then(|| (prints[random.below(prints.len())], colour(random))),
            below: random.range(-0.06, 0.3),
            folds,
            seed: random.below(1 << 20) as u32,
        }
    }

    /// Where a point of it is on the head: on the neck, and forward of it in the middle.
    pub fn in_space(&self, p: Point) -> [f32; 3] {
        let [_, _, chin] = head::skin(0.0, 1.7);
        [p.x, p.y, chin - 0.1 - 0.5 * (p.x / 1.2).powi(2)]
    }

    fn cover(&self, at: Point) -> f32 {
        let across = at.x.abs();
        let uneven = 0.05 * noise(at.x * 3.0, 0.5, self.seed);
        let jaw = head::along(&JAW, across) + self.below + uneven;
        let out = match self.cut {
            Cut::High => 0.84,
            Cut::Scarf | Cut::Collar(_) => 1.02 + 0.32 * ramp(1.2, 1.9, at.y),
        };
        let inside = ramp(out + 0.02, out - 0.02, across);
        let edge = match self.cut {
            Cut::Scarf => jaw,
            Cut::High | Cut::Collar(_) => jaw.max(1.74 + self.below),
        };
        let open = match self.cut {
            Cut::Collar(wide) => ramp(0.0, 0.03, across - (wide + 0.4 * (1.9 - at.y)).max(0.04)),
            Cut::Scarf | Cut::High => 1.0,
        };
        ramp(0.0, 0.03, at.y - edge) * inside * open
    }
}

impl Surface for Scarf {
    fn half(&self) -> &[(f32, f32)] {
        &OUTLINE
    }

    fn look(&self, at: Point, form: f32) -> Look {
        // Wound cloth falls in folds that hang from the sides.
        let hang = at.y - 0.25 * at.x * at.x;
        let fold = noise(at.x * 1.6, hang * 5.0, self.seed + 1);
        let fine = noise(at.x * 30.0, at.y * 30.0, self.seed + 2);
        let rgb = match self.print {
            Some((print, ink)) => mix(self.rgb, ink, print.at(at)),
            None => self.rgb,
        };
        (rgb, form * (1.0 + self.folds * fold + 0.04 * fine), self.cover(at))
    }
}
