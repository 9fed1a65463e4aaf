//! Glasses, dark ones above all: they hide the eyes every day and are no mask over them.
//! Owns what they look like on the frontal face, in units of the eyes' distance. Never: where they are in
//! a picture, or how they are lit.

use crate::picture::Point;
use crate::train::clip::canvas::{mix, noise, ramp};
use crate::train::random::Random;

use super::head;
use super::mesh::{Look, Surface};

/// Frames: blacks, tortoiseshell, gold, steel, white, red, blue.
const FRAMES: [[f32; 3]; 8] = [
    [24.0, 24.0, 26.0],
    [36.0, 32.0, 32.0],
    [92.0, 62.0, 40.0],
    [190.0, 152.0, 84.0],
    [152.0, 154.0, 158.0],
    [232.0, 230.0, 226.0],
    [150.0, 36.0, 40.0],
    [42.0, 62.0, 116.0],
];
/// Dark lenses: grey, brown, green.
const TINTS: [[f32; 3]; 4] =
    [[20.0, 20.0, 22.0], [28.0, 28.0, 34.0], [48.0, 32.0, 24.0], [26.0, 38.0, 32.0]];
/// What mirrored ones show of the sky.
const MIRRORS: [[f32; 3]; 4] =
    [[70.0, 120.0, 190.0], [206.0, 140.0, 60.0], [170.0, 176.0, 184.0], [120.0, 90.0, 160.0]];
const SHINE: [f32; 3] = [236.0, 238.0, 242.0];
/// All that can be covered, half of it.
const OUTLINE: [(f32, f32); 6] =
    [(0.0, -0.56), (0.7, -0.56), (1.06, -0.4), (1.06, 0.44), (0.7, 0.62), (0.0, 0.62)];
/// The arms begin to go back here, and reach the temples there, distance from the middle.
const ARMS: (f32, f32) = (0.84, 0.98);

/// Glasses laid out on the frontal face.
#[derive(Clone, Debug, PartialEq)]
pub struct Glasses {
    /// Middle and half size of the right lens.
    lens: (Point, [f32; 2]),
    /// From an ellipse (2) to a rectangle.
    corners: f32,
    /// How much further the lens hangs down on its outer side, as a pilot's do.
    drop: f32,
    /// One lens over both eyes.
    visor: bool,
    rim: f32,
    frame: [f32; 3],
    tint: [f32; 3],
    /// How much of the eyes the lens hides at its upper and at its lower edge, 0 to 1.
    dark: [f32; 2],
    /// What a mirrored lens shows of the sky, and how much.
    mirror: ([f32; 3], f32),
    /// How bright the reflection of a lamp or a window is, 0 to 1, and where.
    shine: (f32, Point),
    seed: u32,
}

impl Glasses {
    /// Sunglasses, seven times in ten, or clear ones; a few are visors.
    pub fn draw(random: &mut Random) -> Self {
        let half = [random.range(0.32, 0.46), random.range(0.2, 0.38)];
        let (dark, tint) = if random.chance(0.7) {
            let upper = random.range(0.8, 0.98);
            ([upper, upper * random.range(0.6, 1.0)], TINTS[random.below(TINTS.len())])
        } else {
            ([random.range(0.0, 0.2); 2], TINTS[random.below(TINTS.len())])
        };
        let mirrored = dark[0] > 0.5 && random.chance(0.2);
        Self {
            lens: (
                Point { x: random.range(0.48, 0.53), y: random.range(-0.02, 0.1) },
                [half[0], half[1].min(half[0])],
            ),
            corners: random.range(2.0, 4.5),
            drop: if random.chance(0.3) { random.range(0.0, 0.3) } else { 0.0 },
            visor: dark[0] > 0.5 && random.chance(0.12),
            rim: if random.chance(0.2) { 0.012 } else { random.range(0.02, 0.075) },
            frame: FRAMES[random.below(FRAMES.len())].map(|value| value * random.range(0.9, 1.1)),
            tint,
            dark,
            mirror: (MIRRORS[random.below(MIRRORS.len())], if mirrored { 0.8 } else { 0.0 }),
            shine: (
                random.unit().powi(2),
                Point { x: random.range(-0.2, 0.2), y: random.range(-0.2, 0.1) },
            ),
            seed: random.below(1 << 20) as u32,
        }
    }

    /// Where a point of them is on the head: before the eyes, arms along the temples.
    pub fn in_space(&self, p: Point) -> [f32; 3] {
        let [x, y, skin] = head::skin(p.x, p.y);
        let back = ramp(ARMS.0, ARMS.1, p.x.abs());
        let before = 0.24 - 0.32 * p.x * p.x;
        [x, y, before + back * (skin.min(before) + 0.04 - before)]
    }

    /// Distance from the edge of the lens, inside negative, in eye distances.
    fn off(&self, at: Point) -> f32 {
        let (middle, half) = self.lens;
        let (x, wide) = if self.visor {
            (at.x.abs(), middle.x + half[0])
        } else {
            (at.x.abs() - middle.x, half[0])
        };
        // A visor leaves room for the nose.
        let nose =
            if self.visor { 0.2 * ramp(0.25, 0.0, at.x.abs()) * ramp(0.0, 0.2, at.y) } else { 0.0 };
        let tall = half[1] * (1.0 + self.drop * (x / wide).max(0.0) * ramp(-0.1, 0.1, at.y)) - nose;
        let (u, v) = ((x / wide).abs(), ((at.y - middle.y) / tall.max(0.05)).abs());
        let round = (u.powf(self.corners) + v.powf(self.corners)).powf(self.corners.recip());
        (round - 1.0) * wide.min(tall)
    }

    /// How much of what lies there is frame.
    fn framed(&self, at: Point, off: f32) -> f32 {
        let (middle, half) = self.lens;
        let rim = ramp(self.rim + 0.012, self.rim - 0.012, off) * ramp(-0.024, 0.0, off);
        let across = at.x.abs();
        let bar = self.rim.max(0.03);
        let line = |y: f32, thick: f32| ramp(thick + 0.012, thick - 0.012, (at.y - y).abs());
        let upper = middle.y - 0.35 * half[1];
        let bridge =
            line(upper, bar / 2.0) * ramp(middle.x - half[0] + 0.04, middle.x - half[0], across);
        let arm = line(upper - 0.02, bar / 1.6)
            * ramp(middle.x + half[0] - 0.04, middle.x + half[0], across);
        let outside = ramp(-0.01, 0.01, off);
        rim.max(if self.visor { 0.0 } else { bridge * outside }).max(arm * outside)
    }
}

impl Surface for Glasses {
    fn half(&self) -> &[(f32, f32)] {
        &OUTLINE
    }

    fn look(&self, at: Point, form: f32) -> Look {
        let off = self.off(at);
        let frame = self.framed(at, off);
        let inside = ramp(0.01, -0.01, off);
        let (middle, half) = self.lens;
        let down = ((at.y - middle.y) / half[1] * 0.5 + 0.5).clamp(0.0, 1.0);
        let dark = self.dark[0] + (self.dark[1] - self.dark[0]) * down;
        // The sky above, what stands around below.
        let (sky, much) = self.mirror;
        let uneven = 0.25 * noise(at.x * 4.0, at.y * 4.0, self.seed);
        let tint = mix(self.tint, sky, much * ramp(0.75, 0.35, down + uneven));
        // On the same side of both lenses, whatever the side of the face.
        let (shine, place) = self.shine;
        let (x, y) = (at.x - middle.x * at.x.signum() - place.x, at.y - middle.y - place.y);
        let spot = shine * ramp(0.1, 0.04, (x + 0.5 * y).abs()) * ramp(0.16, 0.1, y.abs());
        let lens = mix(tint, SHINE, spot);
        let cover = inside * dark.max(0.7 * spot);
        (mix(lens, self.frame, frame), 0.4 + 0.6 * form, cover.max(frame))
    }
}
