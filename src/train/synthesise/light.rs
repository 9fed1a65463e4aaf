//! The light on a face, read from its own skin, so that what is drawn there stands in it.
//! Owns brightness, colour cast, shading and the darkest tone. Never: blur and noise.

use crate::picture::{Picture, Point};

use super::head::{Head, cross, skin};

/// Brightness that light skin and the lightest things of a scene have in a well exposed picture,
/// 0 to 255.
const BRIGHT_FACE: f32 = 182.0;
const BRIGHT_SCENE: f32 = 236.0;
/// Red and blue over green of skin in white light: the middle of light and dark.
const SKIN_RED: f32 = 1.34;
const SKIN_BLUE: f32 = 0.8;
/// How much of the skin's and of the whole picture's tint is believed to be the light's.
const FROM_SKIN: f32 = 0.3;
const FROM_SCENE: f32 = 0.3;
/// How much of the face's shading a cloth before it shows; the rest is the skin's own.
const SHADING: f32 = 0.75;
/// Steepest shading believed, in powers of e over a distance of the eyes.
const STEEPEST: f32 = 0.55;
/// Log brightness this far off the plane is hair, glasses, a mouth, not light.
const OUTLYING: f32 = 0.3;

/// Below this height a face may be masked.
const MASKED: f32 = 0.2;

/// Samples across and down the face.
const ACROSS: usize = 17;
const DOWN: usize = 19;

/// What the light does to a colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Light {
    /// Brightness against a well exposed picture.
    pub level: f32,
    /// Factor for red, green and blue.
    pub cast: [f32; 3],
    /// 0 in a picture without colours, 1 otherwise.
    pub colour: f32,
    /// Change of log brightness over a distance of the eyes, across and down the face.
    pub slope: [f32; 2],
    /// The scene's darkest tone, 0 to 255.
    pub black: f32,
    /// Mean colour of the face's skin as it shows.
    pub skin: [f32; 3],
}

impl Light {
    /// Read from a bare face.
    pub fn on(picture: &Picture, head: &Head) -> Self {
        Self::read(picture, samples(picture, head))
    }

    /// Read from what a mask leaves bare; how the light changes down the face cannot be told from that.
    pub fn above_mask(picture: &Picture, head: &Head) -> Self {
        let mut face = samples(picture, head);
        face.retain(|sample| sample.at.y < MASKED);
        let light = Self::read(picture, face);
        Self { slope: [light.slope[0], 0.0], ..light }
    }

    fn read(picture: &Picture, face: Vec<Sample>) -> Self {
        let (lumas, scene) = scene(picture);
        let black = percentile(&lumas, 0.01).min(90.0);
        let bright_scene = percentile(&lumas, 0.97);
        let mut face_lumas: Vec<f32> = face.iter().map(|s| s.luma).collect();
        face_lumas.sort_by(f32::total_cmp);
        let bright_face = percentile(&face_lumas, 0.85);
        let level = 0.55 * (bright_face.max(4.0) / BRIGHT_FACE).ln()
            + 0.45 * (bright_scene.max(4.0) / BRIGHT_SCENE).ln();

        let (slope, kept) = plane(&face);
        let mean = mean(kept.iter().map(|s| s.rgb));
        let green = mean[1].max(2.0);
        let colour = ramped(0.03, 0.14, (mean[0] - mean[2]).abs() / green);
        let scene_green = scene[1].max(2.0);
        let tint = |skin: f32, usual: f32, scene: f32| {
            let log = FROM_SKIN * (skin / green / usual).max(0.1).ln()
                + FROM_SCENE * (scene / scene_green).max(0.1).ln();
            (colour * log).clamp(-0.2, 0.2).exp()
        };
        Self {
            level: level.exp().clamp(0.22, 1.12),
            cast: [tint(mean[0], SKIN_RED, scene[0]), 1.0, tint(mean[2], SKIN_BLUE, scene[2])],
            colour,
            slope,
            black,
            skin: mean,
        }
    }

    /// How much a pixel looks like this face's skin, 0 to 1, in light or in shade: a strap that
    /// passes under hair does not show on it.
    pub fn is_skin(&self, rgb: [u8; 3]) -> f32 {
        let far = (0..3)
            .map(|c| ((f32::from(rgb[c]) + 12.0) / (self.skin[c] + 12.0)).ln().abs())
            .fold(0.0, f32::max);
        1.0 - ramped(0.55, 1.05, far)
    }

    /// A colour as it shows at a place of the face, `form` being what the shape adds.
    pub fn show(&self, rgb: [f32; 3], at: Point, form: f32) -> [f32; 3] {
        let light = self.level * form * self.shading(at);
        let luma = luma(rgb);
        std::array::from_fn(|c| {
            let value = luma + (rgb[c] - luma) * self.colour;
            let lit = value * light * self.cast[c];
            // Highlights bend over instead of being cut.
            let lit = if lit > 225.0 { 225.0 + 30.0 * ((lit - 225.0) / 30.0).tanh() } else { lit };
            let black = 0.85 * self.black;
            black + lit * (1.0 - black / 255.0)
        })
    }

    /// The colour that shows as `shown` at a place of the face, on what its shape makes no lighter or
    /// darker: the reverse of [`Light::show`], but for highlights that were cut.
    pub fn unshow(&self, shown: [f32; 3], at: Point) -> [f32; 3] {
        let light = self.level * self.shading(at);
        let black = 0.85 * self.black;
        std::array::from_fn(|c| {
            let lit = (shown[c] - black) / (1.0 - black / 255.0);
            (lit / (light * self.cast[c])).clamp(4.0, 250.0)
        })
    }

    /// Light at a place of the face against that at the middle of a mask, so that shading does not
    /// change a mask's brightness.
    fn shading(&self, at: Point) -> f32 {
        let shading = self.slope[0] * at.x + self.slope[1] * (at.y - 1.0);
        (SHADING * shading).clamp(-0.8, 0.5).exp()
    }

    /// Where the light comes from, for shapes: x right, y down, z to the camera.
    pub fn direction(&self) -> [f32; 3] {
        let [x, y] = self.slope;
        let d = [1.3 * x, -0.35 + 0.8 * y.min(0.0), 0.9];
        let length = (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]).sqrt();
        d.map(|v| v / length)
    }
}

/// A look at the skin.
struct Sample {
    at: Point,
    rgb: [f32; 3],
    luma: f32,
}

/// The mean of a few pixels at places all over the face that the camera sees.
fn samples(picture: &Picture, head: &Head) -> Vec<Sample> {
    let step = (head.scale * 0.06).max(1.0);
    let mut found = Vec::new();
    for (i, j) in (0..ACROSS).flat_map(|i| (0..DOWN).map(move |j| (i, j))) {
        let x = (i as f32 / (ACROSS - 1) as f32 - 0.5) * 1.5;
        let y = j as f32 / (DOWN - 1) as f32 * 1.9 - 0.5;
        let outward = head.turned([x, 0.0, 0.6])[2];
        if outward < 0.15 {
            continue;
        }
        let (p, _) = head.place(skin(x, y));
        let around = [(0.0, 0.0), (-step, 0.0), (step, 0.0), (0.0, -step), (0.0, step)];
        let seen: Vec<[f32; 3]> = around
            .iter()
            .filter_map(|(dx, dy)| {
                picture.get((p.x + dx).floor() as i64, (p.y + dy).floor() as i64)
            })
            .map(|rgb| rgb.map(f32::from))
            .collect();
        if !seen.is_empty() {
            let rgb = mean(seen.into_iter());
            found.push(Sample { at: Point { x, y }, rgb, luma: luma(rgb) });
        }
    }
    found
}

/// Slope of the plane through the samples' log brightness, and the samples that lie on it. Fitted
/// twice, the second time without what lies far off.
fn plane(samples: &[Sample]) -> ([f32; 2], Vec<&Sample>) {
    let log = |s: &Sample| (s.luma + 6.0).ln();
    let mut kept: Vec<&Sample> = samples.iter().collect();
    let mut logs: Vec<f32> = kept.iter().map(|s| log(s)).collect();
    logs.sort_by(f32::total_cmp);
    // First guess: level, at the upper middle, for most of what is no skin is dark.
    let mut fitted = [percentile(&logs, 0.6), 0.0, 0.0];
    for far in [2.0 * OUTLYING, OUTLYING] {
        let value = |s: &Sample| fitted[0] + fitted[1] * s.at.x + fitted[2] * (s.at.y - 0.4);
        kept.retain(|s| (log(s) - value(s)).abs() < far);
        let mut rows = [[0.0_f32; 3]; 3];
        let mut right = [0.0_f32; 3];
        for s in &kept {
            let terms = [1.0, s.at.x, s.at.y - 0.4];
            for i in 0..3 {
                right[i] += terms[i] * log(s);
                for j in 0..3 {
                    rows[i][j] += terms[i] * terms[j];
                }
            }
        }
        // Cramer's rule.
        let of = |a: [f32; 3], b: [f32; 3], c: [f32; 3]| {
            let bc = cross(b, c);
            a[0] * bc[0] + a[1] * bc[1] + a[2] * bc[2]
        };
        let all = of(rows[0], rows[1], rows[2]);
        if kept.len() < 12 || all.abs() < 1e-3 {
            break;
        }
        fitted = [
            of(right, rows[1], rows[2]) / all,
            of(rows[0], right, rows[2]) / all,
            of(rows[0], rows[1], right) / all,
        ];
    }
    let bounded = |slope: f32| slope.clamp(-STEEPEST, STEEPEST);
    // Down a face beards and chins are dark too: half of it is believed.
    ([bounded(fitted[1]), 0.5 * bounded(fitted[2])], kept)
}

/// Sorted brightness and mean colour of the whole picture, from some thousands of its pixels.
fn scene(picture: &Picture) -> (Vec<f32>, [f32; 3]) {
    let pixels = picture.pixels().len() / 3;
    let every = (pixels / 4000).max(1);
    let seen = || {
        picture
            .pixels()
            .chunks_exact(3)
            .step_by(every)
            .map(|rgb| [f32::from(rgb[0]), f32::from(rgb[1]), f32::from(rgb[2])])
    };
    let mut lumas: Vec<f32> = seen().map(luma).collect();
    lumas.sort_by(f32::total_cmp);
    (lumas, mean(seen()))
}

fn percentile(sorted: &[f32], part: f32) -> f32 {
    let at = (sorted.len() as f32 * part) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(128.0)
}

fn mean(colours: impl Iterator<Item = [f32; 3]>) -> [f32; 3] {
    let (mut sum, mut count) = ([0.0_f32; 3], 0.0_f32);
    for rgb in colours {
        sum.iter_mut().zip(rgb).for_each(|(sum, value)| *sum += value);
        count += 1.0;
    }
    sum.map(|sum| sum / count.max(1.0))
}

fn luma(rgb: [f32; 3]) -> f32 {
    crate::train::clip::compose::luma(rgb)
}

fn ramped(from: f32, to: f32, value: f32) -> f32 {
    crate::train::clip::canvas::ramp(from, to, value)
}
