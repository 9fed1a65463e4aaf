//! Masks as they lie on the frontal face of `clip::align`: outline, cut, cloth, print.
//! Owns what a mask looks like, in units of the eyes' distance. Never: where it is in a picture,
//! or how it is lit.

use std::sync::Arc;

use crate::picture::Point;
use crate::train::clip::canvas::{mix, noise, ramp};

use super::swatch::Swatch;

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
    /// Sewn from a cloth with a second colour printed on the first.
    Printed(Print, [f32; 3], [f32; 3]),
    /// A stiff cup with a welded rim, an N95; whether it has a valve of this colour.
    Cup([f32; 3], Option<[f32; 3]>),
}

/// What is printed on a cloth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Print {
    Stripes,
    Dots,
    /// Woven bands both ways.
    Tartan,
    /// Large soft-edged patches.
    Patches,
    /// Small five-leaved flowers.
    Flowers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum Wear {
    /// Over the nose and under the chin.
    Right,
    UnderNose,
    /// On the chin: nose and mouth bare.
    Chin,
    /// Pulled down below the chin: all of the face is bare.
    UnderChin,
    /// Hanging from one ear beside the face.
    Ear,
    /// Over the eyes: nose, mouth and chin bare.
    Eyes,
}

/// Half outlines from the upper to the lower end of the middle line, in the units of
/// `clip::align::FRONTAL`.
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
const CHIN: [(f32, f32); 9] = [
    (0.0, 1.36),
    (0.25, 1.34),
    (0.5, 1.28),
    (0.76, 1.12),
    (0.92, 0.92),
    (0.9, 1.22),
    (0.74, 1.62),
    (0.42, 1.95),
    (0.0, 2.06),
];
/// The upper edge is bent round the chin; what is seen below it is bunched cloth.
const UNDER_CHIN: [(f32, f32); 9] = [
    (0.0, 1.78),
    (0.25, 1.74),
    (0.5, 1.62),
    (0.74, 1.36),
    (0.92, 1.04),
    (0.9, 1.32),
    (0.74, 1.76),
    (0.42, 2.1),
    (0.0, 2.24),
];
const EYES: [(f32, f32); 8] = [
    (0.0, -0.32),
    (0.4, -0.38),
    (0.75, -0.34),
    (0.98, -0.14),
    (0.92, 0.14),
    (0.62, 0.33),
    (0.3, 0.3),
    (0.0, 0.17),
];
const CUP: [(f32, f32); 10] = [
    (0.0, 0.2),
    (0.15, 0.25),
    (0.33, 0.46),
    (0.56, 0.62),
    (0.76, 0.8),
    (0.82, 1.08),
    (0.74, 1.4),
    (0.53, 1.64),
    (0.28, 1.77),
    (0.0, 1.8),
];
/// How far the upper edge can be raised beside the nose, in eye distances.
const RAISED: f32 = 0.24;
/// How much narrower than other masks a cup is that is not worn right.
const CUP_WIDTH: f32 = 0.84;

/// A mask laid out on the frontal face.
#[derive(Clone, Debug)]
pub struct Mask {
    pub cloth: Cloth,
    pub wear: Wear,
    half: Vec<(f32, f32)>,
    widest: usize,
    swatch: Option<Arc<Swatch>>,
}

impl Mask {
    pub fn new(cloth: Cloth, wear: Wear) -> Self {
        let cup = matches!(cloth, Cloth::Cup(..));
        let half: &[(f32, f32)] = match wear {
            Wear::Right | Wear::Ear if cup => &CUP,
            Wear::Right | Wear::Ear => &RIGHT,
            Wear::UnderNose => &UNDER_NOSE,
            Wear::Chin => &CHIN,
            Wear::UnderChin => &UNDER_CHIN,
            Wear::Eyes => &EYES,
        };
        let narrow = if cup && wear.low() { CUP_WIDTH } else { 1.0 };
        let half: Vec<(f32, f32)> = half.iter().map(|&(x, y)| (x * narrow, y)).collect();
        let widest =
            half.iter().enumerate().fold(0, |w, (i, p)| if p.0 > half[w].0 { i } else { w });
        Self { cloth, wear, half, widest, swatch: None }
    }

    /// The same mask with its upper edge raised beside the nose, by a part of 0 to 1: at 1 it lies on the
    /// cheeks as one worn right, and the nose hangs out over it.
    pub fn raised(mut self, part: f32) -> Self {
        for (x, y) in self.half.iter_mut().take(self.widest) {
            *y -= part * RAISED * ramp(0.14, 0.45, *x);
        }
        self
    }

    /// The same mask, made of a cloth from a picture.
    pub fn made_of(self, swatch: Option<Arc<Swatch>>) -> Self {
        Self { swatch, ..self }
    }

    /// The right half of the outline, from the upper to the lower end of the middle line.
    pub fn half(&self) -> &[(f32, f32)] {
        &self.half
    }

    /// Half the width of the mask.
    pub fn reach(&self) -> f32 {
        self.half.get(self.widest).map_or(0.0, |p| p.0)
    }

    /// Height of the upper and the lower edge at `x`.
    pub fn edges(&self, x: f32) -> (f32, f32) {
        (self.edge_at(x, true), self.edge_at(x, false))
    }

    fn edge_at(&self, x: f32, upper: bool) -> f32 {
        let (half, widest) = (&self.half, self.widest);
        let x = x.abs();
        let part = if upper { &half[..=widest] } else { &half[widest..] };
        part.windows(2)
            .find(|pair| (pair[0].0.min(pair[1].0)..=pair[0].0.max(pair[1].0)).contains(&x))
            .map_or(half[widest].1, |pair| {
                let t = (x - pair[0].0) / (pair[1].0 - pair[0].0);
                pair[0].1 + t * (pair[1].1 - pair[0].1)
            })
    }

    /// Colour of the cloth at a place of the frontal face, and how light it is there: `form`, the
    /// light that its shape catches (1: as the colour says), with folds, seams and weave added.
    pub fn look(&self, at: Point, form: f32) -> ([f32; 3], f32) {
        let (top, bottom) = self.edges(at.x);
        // 0 at the upper edge, 1 at the lower one.
        let down = ((at.y - top) / (bottom - top).max(0.05)).clamp(0.0, 1.0);
        let across = at.x.abs();
        let hem = -0.1 * bump((down - 0.06) / 0.018) - 0.06 * bump((down - 0.95) / 0.02);
        if let Some(swatch) = &self.swatch {
            // Its folds and half of its shape's shading are in the picture that it comes from.
            let rgb = swatch.at(at.x / self.reach().max(1e-3), down);
            return (rgb, 0.5 + 0.5 * form + hem);
        }
        let weave = 0.015 * noise(at.x * 46.0, at.y * 46.0, 31);
        let wrinkle = 0.03 * noise(at.x * 5.0, at.y * 9.0, 32);
        let seam = -0.12 * bump(at.x / 0.02);
        let (rgb, fold) = match self.cloth {
            Cloth::Surgical(rgb) => {
                let bent = down - 0.05 * (1.0 - (across / 0.95).powi(2));
                let fade = ramp(0.95, 0.7, across) * 0.5 + 0.5;
                (rgb, [0.27, 0.46, 0.65].iter().map(|at| pleat(bent - at) * fade).sum())
            }
            Cloth::Folded(rgb) => {
                let ridge = 0.05 * bump(at.x / 0.03) + 0.05 * ramp(0.1, -0.1, at.x) - 0.03;
                (rgb, ridge - 0.05 * bump((down - 0.5 - 0.2 * across) / 0.02))
            }
            Cloth::Sewn(rgb) => {
                (rgb, -0.16 * bump(at.x / 0.022) + 0.05 * bump((across - 0.07) / 0.04))
            }
            Cloth::Chequered(a, b) => {
                let cells = (at.x * 5.0).floor() as i32 + (at.y * 5.0).floor() as i32;
                (if cells.rem_euclid(2) == 0 { a } else { b }, seam)
            }
            Cloth::Printed(print, ground, ink) => (mix(ground, ink, print.at(at)), seam),
            Cloth::Cup(rgb, valve) => self.cup(at, down, rgb, valve),
        };
        (rgb, form + weave + wrinkle + hem + fold)
    }

    /// Rim, welded lines, the clip over the nose and the valve of a cup.
    fn cup(&self, at: Point, down: f32, rgb: [f32; 3], valve: Option<[f32; 3]>) -> ([f32; 3], f32) {
        let (top, bottom) = self.edges(at.x);
        let side = self.reach() - at.x.abs();
        let inward = (at.y - top).min(bottom - at.y).min(side);
        let rim = 0.06 * ramp(0.09, 0.05, inward) - 0.16 * bump((inward - 0.1) / 0.018);
        let weld = -0.05 * bump((down - 0.42) / 0.02) - 0.05 * bump((down - 0.72) / 0.02);
        let clip = ramp(0.03, 0.02, (inward - 0.045).abs())
            * ramp(0.34, 0.3, at.x.abs())
            * ramp(0.4, 0.3, down);
        let mut rgb = mix(rgb, [168.0, 170.0, 172.0], clip);
        let mut fold = rim + weld;
        if let Some(valve) = valve {
            let away = (at.x - 0.16).hypot(at.y - 1.14);
            let on = ramp(0.215, 0.2, away);
            rgb = mix(rgb, valve, on);
            let slit = bump((at.y - 1.14) / 0.025) * ramp(0.14, 0.12, away);
            fold += on * (0.1 * bump((away - 0.17) / 0.02) - 0.22 * slit)
                - 0.22 * bump((away - 0.225) / 0.02);
        }
        (rgb, fold)
    }
}

impl Print {
    /// How much of the second colour is there, 0 to 1.
    pub fn at(self, p: Point) -> f32 {
        let wave = |value: f32| (value * std::f32::consts::TAU).sin();
        match self {
            Print::Stripes => ramp(-0.15, 0.15, wave(p.y * 3.6 + 0.1 * p.x)),
            Print::Dots => {
                let row = (p.y * 5.0).floor();
                let x = (p.x * 5.0 + 0.5 * row.rem_euclid(2.0)).rem_euclid(1.0) - 0.5;
                let y = (p.y * 5.0).rem_euclid(1.0) - 0.5;
                ramp(0.3, 0.22, x.hypot(y))
            }
            Print::Tartan => {
                let band =
                    |v: f32| ramp(0.1, 0.3, wave(v * 2.2)) + 0.5 * ramp(0.9, 0.97, wave(v * 4.4));
                (0.5 * band(p.x) + 0.5 * band(p.y)).min(1.0)
            }
            Print::Patches => {
                let n = noise(p.x * 3.4, p.y * 3.4, 41) + 0.5 * noise(p.x * 8.0, p.y * 8.0, 42);
                ramp(-0.08, 0.08, n)
            }
            Print::Flowers => {
                let row = (p.y * 3.4).floor();
                let x = (p.x * 3.4 + 0.5 * row.rem_euclid(2.0)).rem_euclid(1.0) - 0.5;
                let y = (p.y * 3.4).rem_euclid(1.0) - 0.5;
                let leaf = 0.26 + 0.1 * (5.0 * y.atan2(x)).cos();
                ramp(leaf, leaf - 0.07, x.hypot(y)) * ramp(0.04, 0.09, x.hypot(y))
            }
        }
    }
}

/// 1 at 0, falling to 0 beyond about 2.
pub fn bump(x: f32) -> f32 {
    (-x * x).exp()
}

/// A fold of cloth hanging over the one below: a lit edge and the shadow beneath it.
fn pleat(distance: f32) -> f32 {
    0.07 * bump((distance + 0.02) / 0.018) - 0.17 * bump((distance - 0.012) / 0.016)
}
