//! Beards on bare faces: what hides mouth and chin every day and is no mask.
//! Owns what hair looks like on the frontal face, in units of the eyes' distance. Never: where it is
//! in a picture, or how it is lit.

use crate::picture::Point;
use crate::train::clip::canvas::{mix, noise, ramp};
use crate::train::random::Random;

use super::head;
use super::mesh::{Look, Surface};

/// Black, browns, ginger, grey, white.
const HAIR: [[f32; 3]; 7] = [
    [30.0, 26.0, 24.0],
    [44.0, 34.0, 28.0],
    [66.0, 48.0, 36.0],
    [104.0, 76.0, 52.0],
    [140.0, 86.0, 52.0],
    [128.0, 126.0, 122.0],
    [206.0, 203.0, 198.0],
];
const GREY: [f32; 3] = [196.0, 194.0, 190.0];
/// Above this line the cheeks are bare: distance from the middle, height.
const CHEEK: [(f32, f32); 6] =
    [(0.36, 1.3), (0.48, 1.16), (0.62, 1.05), (0.8, 0.86), (0.92, 0.5), (1.02, 0.2)];
/// Half outline of all that can be hair, before it grows below the chin.
const OUTLINE: [(f32, f32); 11] = [
    (0.0, 0.66),
    (0.3, 0.68),
    (0.6, 0.72),
    (0.86, 0.34),
    (1.02, 0.12),
    (1.01, 0.6),
    (0.95, 1.1),
    (0.8, 1.5),
    (0.54, 1.78),
    (0.28, 1.9),
    (0.0, 1.93),
];
/// From this height on long hair hangs down from the chin.
const CHIN: f32 = 1.6;

/// A beard laid out on the frontal face.
#[derive(Clone, Debug, PartialEq)]
pub struct Beard {
    hair: [f32; 3],
    /// Part of the hairs that are grey.
    grey: f32,
    /// How much of the skin is hidden under the nose, on the chin and on the cheeks, 0 to 1.
    cover: [f32; 3],
    /// Below the chin, in eye distances.
    length: f32,
    /// Cheeks bare down to this much below the usual line.
    trimmed: f32,
    seed: u32,
    half: Vec<(f32, f32)>,
}

impl Beard {
    /// Full, stubble, chin and moustache, moustache alone, or what grows without one.
    pub fn draw(random: &mut Random) -> Self {
        let thick = random.range(0.75, 1.0);
        let (cover, longest) = match random.below(10) {
            0..=3 => ([thick; 3], 0.45),
            4..=6 => ([random.range(0.25, 0.6); 3], 0.0),
            7 => ([thick, thick, 0.0], 0.15),
            8 => ([thick, 0.0, 0.0], 0.0),
            _ => ([0.0, thick, thick * random.range(0.5, 1.0)], 0.3),
        };
        let length = longest * random.unit().powi(2);
        // Darker or lighter as a whole: red, green and blue by themselves make hair green.
        let light = random.range(0.85, 1.15);
        let lower = |&(x, y): &(f32, f32)| (x, y + length * ramp(1.3, 1.9, y));
        Self {
            hair: HAIR[random.below(HAIR.len())].map(|value| value * light),
            grey: if random.chance(0.3) { random.range(0.1, 0.5) } else { 0.0 },
            cover,
            length,
            trimmed: random.range(-0.08, 0.16),
            seed: random.below(1 << 20) as u32,
            half: OUTLINE.iter().map(lower).collect(),
        }
    }

    /// Where a point of it is on the head.
    pub fn in_space(&self, p: Point) -> [f32; 3] {
        let [x, y, z] = head::skin(p.x, p.y);
        let [_, _, chin] = head::skin(p.x, p.y.min(CHIN));
        let hanging = ramp(0.0, 0.1, self.length);
        [x, y, z + hanging * (chin - z).max(0.0) + 0.04]
    }

    /// How much of the skin is hidden there, were hair even.
    fn density(&self, at: Point) -> f32 {
        let across = at.x.abs();
        let [moustache, chin, cheeks] = self.cover;
        let lip = at.y - 0.16 * (across / 0.45).powi(2);
        let under_nose =
            ramp(0.7, 0.8, lip) * ramp(1.04, 0.97, lip) * ramp(0.52, 0.42, across) * moustache;
        // Around the mouth's corners, below the lower lip, and the chin.
        let round = ramp(0.5, 0.58, (at.x / 0.95).hypot((at.y - 0.98) / 1.12));
        let front = ramp(0.66, 0.54, across) * ramp(0.86, 1.02, at.y);
        let on_chin = front * round.max(ramp(1.26, 1.36, at.y)) * chin;
        let line = head::along(&CHEEK, across) + self.trimmed;
        let on_cheeks = ramp(-0.05, 0.09, at.y - line) * ramp(0.36, 0.52, across) * cheeks;
        let mouth = ramp(1.0, 1.25, (at.x / 0.37).hypot((at.y - 1.08) / 0.105));
        // Thinning out where it ends below.
        let end = ramp(1.93 + self.length, 1.8 + 0.8 * self.length, at.y);
        under_nose.max(on_chin).max(on_cheeks) * mouth * end
    }
}

impl Surface for Beard {
    fn half(&self) -> &[(f32, f32)] {
        &self.half
    }

    fn look(&self, at: Point, form: f32) -> Look {
        // Hair falls outward from the middle.
        let (along, across) = (at.y + 0.5 * at.x.abs(), at.x - 0.35 * at.x * at.y);
        let strands = noise(across * 34.0, along * 7.0, self.seed);
        let fine = noise(across * 80.0, along * 18.0, self.seed + 1);
        let clumps = noise(at.x * 6.0, at.y * 6.0, self.seed + 2);
        let density = self.density(at);
        let cover = density * (1.0 + 0.3 * strands + 0.2 * fine + 0.2 * clumps);
        let grey = self.grey * ramp(-0.2, 0.6, fine + 0.5 * clumps);
        let rgb = mix(self.hair, GREY, grey);
        (rgb, form * (1.0 + 0.22 * strands + 0.15 * fine), cover.clamp(0.0, density.sqrt()))
    }
}
