//! How soft and how noisy a picture is where the face is.

use crate::picture::{Picture, Point};
use crate::train::clip::compose::{gaussian, luma};

use super::head::{Head, skin};

/// Side in pixels of the largest patch that is measured; larger faces in part.
const LARGEST: usize = 160;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Focus {
    /// Standard deviation in pixels of the blur an ideal edge would have got.
    pub blur: f32,
    /// Standard deviation of the noise, in levels of 255.
    pub noise: f32,
}

impl Focus {
    /// Measured around the eyes, where every face has edges.
    ///
    /// Blur after Zhuo and Sim ("Defocus map estimation from a single image", 2011): an edge
    /// blurred once more by 1 pixel loses gradient by a ratio that tells how blurred it was.
    /// Noise after Immerkaer ("Fast noise variance estimation", 1996), by the median of his
    /// operator instead of its mean, so that edges do not count as noise.
    pub fn of(picture: &Picture, head: &Head) -> Self {
        let (middle, _) = head.place(skin(0.0, 0.2));
        let half = head.scale.clamp(8.0, LARGEST as f32 / 2.0);
        let Some((values, width)) = patch(picture, middle, half) else {
            return Self { blur: 0.8, noise: 0.0 };
        };
        let height = values.len() / width;
        let softer = gaussian(&values, width, height, 1.0);
        let gradient =
            |v: &[f32], at: usize| (v[at + 1] - v[at - 1]).hypot(v[at + width] - v[at - width]);
        let mut edges: Vec<(f32, f32)> = Vec::new();
        let mut residues: Vec<f32> = Vec::new();
        for at in (1..height - 1).flat_map(|y| (1..width - 1).map(move |x| y * width + x)) {
            edges.push((gradient(&values, at), gradient(&softer, at)));
            let corners = values[at - width - 1]
                + values[at - width + 1]
                + values[at + width - 1]
                + values[at + width + 1];
            let sides = values[at - width] + values[at - 1] + values[at + 1] + values[at + width];
            residues.push((corners - 2.0 * sides + 4.0 * values[at]).abs());
        }
        // Median of |residue| of white noise of deviation 1: 0.6745 times the operator's norm, 6.
        residues.sort_by(f32::total_cmp);
        let noise = residues[residues.len() * 2 / 5] / 3.15;
        edges.sort_by(|a, b| b.0.total_cmp(&a.0));
        edges.truncate((edges.len() / 12).max(1));
        let mut ratios: Vec<f32> =
            edges.iter().map(|(once, twice)| once / twice.max(1e-3)).collect();
        ratios.sort_by(f32::total_cmp);
        let ratio = ratios[ratios.len() * 3 / 4].max(1.01);
        let blur = (1.0 / (ratio * ratio - 1.0).sqrt()).clamp(0.3, 0.12 * head.scale + 0.3);
        Self { blur, noise: noise.min(14.0) }
    }
}

/// Brightness of a square of the picture, and its width; `None` where too little of it is inside.
fn patch(picture: &Picture, middle: Point, half: f32) -> Option<(Vec<f32>, usize)> {
    let span = |centre: f32, end: u32| {
        let low = (centre - half).max(0.0) as usize;
        let high = (centre + half).clamp(0.0, end as f32) as usize;
        (high >= low + 6).then_some((low, high))
    };
    let (left, right) = span(middle.x, picture.width())?;
    let (top, bottom) = span(middle.y, picture.height())?;
    let values = (top..bottom)
        .flat_map(|y| (left..right).map(move |x| (x, y)))
        .map(|(x, y)| picture.get(x as i64, y as i64).unwrap_or_default())
        .map(|rgb| luma(rgb.map(f32::from)))
        .collect();
    Some((values, right - left))
}

#[cfg(test)]
mod tests {
    use super::super::head::posed;
    use super::*;
    use crate::train::random::Random;

    fn scene(blur: f32, noise: f32) -> Focus {
        let side = 120_usize;
        let mut values: Vec<f32> = (0..side * side)
            .map(|i| if (i % side / 15).is_multiple_of(2) { 60.0 } else { 180.0 })
            .collect();
        if blur > 0.0 {
            values = gaussian(&values, side, side, blur);
        }
        let mut random = Random::new(4);
        let mut picture = Picture::new(side as u32, side as u32);
        for (rgb, value) in picture.pixels_mut().chunks_exact_mut(3).zip(values) {
            rgb.fill((value + noise * random.normal()) as u8);
        }
        let head = Head::fit(&posed(Point { x: 60.0, y: 60.0 }, 40.0, 0.0, 0.0)).unwrap();
        Focus::of(&picture, &head)
    }

    #[test]
    fn the_blur_of_an_edge_is_measured() {
        for blur in [1.0, 2.0, 3.0] {
            let found = scene(blur, 0.0).blur;
            assert!((found / blur - 1.0).abs() < 0.35, "{found} for {blur}");
        }
    }

    #[test]
    fn noise_is_measured_and_edges_are_not_taken_for_it() {
        assert!(scene(1.0, 0.0).noise < 1.0);
        let found = scene(1.0, 6.0).noise;
        assert!((4.0..8.0).contains(&found), "{found}");
    }
}
