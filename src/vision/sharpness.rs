//! How well a face is in focus.

use super::crop;
use crate::picture::{Picture, Rect};

/// Side in pixels of the patch that is measured.
const SIDE: u32 = 64;

/// Focus of the face in `bounds`, 0 (flat or blurred) to 1 (crisp): the mean absolute Laplacian of
/// the luma over its mean absolute deviation, on a patch of 64 × 64 pixels. A face scaled up from
/// a few pixels is as soft as one out of focus, which is what the classifier meets too. After the
/// Laplacian focus measures compared by Pertuz et al., Pattern Recognition 46 (2013).
pub fn of(picture: &Picture, bounds: &Rect) -> f32 {
    let patch = crop::cut(picture, &crop::region(bounds, 0.0), SIDE);
    let luma: Vec<f32> = patch
        .pixels()
        .chunks_exact(3)
        .map(|p| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]))
        .collect();
    let side = SIDE as usize;
    let mean = luma.iter().sum::<f32>() / luma.len() as f32;
    let deviation = luma.iter().map(|value| (value - mean).abs()).sum::<f32>() / luma.len() as f32;
    let mut laplacian = 0.0;
    for rows in luma.chunks_exact(side).collect::<Vec<_>>().windows(3) {
        for x in 1..side - 1 {
            let around = rows[0][x] + rows[2][x] + rows[1][x - 1] + rows[1][x + 1];
            laplacian += (4.0 * rows[1][x] - around).abs();
        }
    }
    let laplacian = laplacian / ((side - 2) * (side - 2)) as f32;
    // Four grey levels of deviation keep sensor noise on an even patch from looking like detail.
    (laplacian / (deviation + 4.0)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripes(period: u32) -> Picture {
        let mut picture = Picture::new(64, 64);
        for y in 0..64 {
            for x in 0..64_u32 {
                // A sine of the given period, so that a longer one is a softer edge.
                let phase = x as f32 / period as f32 * std::f32::consts::TAU;
                let value = (127.0 + 80.0 * phase.sin()) as u8;
                picture.put(i64::from(x), i64::from(y), [value; 3]);
            }
        }
        picture
    }

    #[test]
    fn soft_edges_measure_less_than_crisp_ones_and_an_even_patch_nothing() {
        let all = Rect { x1: 0.0, y1: 0.0, x2: 64.0, y2: 64.0 };
        let crisp = of(&stripes(5), &all);
        let soft = of(&stripes(32), &all);
        assert!(crisp > 4.0 * soft, "crisp {crisp}, soft {soft}");
        assert_eq!(of(&Picture::new(64, 64), &all), 0.0);
    }
}
