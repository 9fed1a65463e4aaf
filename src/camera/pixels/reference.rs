//! What the converters must agree with: the formulas in floating point, a pixel at a time.

use proptest::prelude::*;

use super::{Color, Layout, Matrix, PixelFormat, Range};
use crate::picture::Picture;

pub(super) fn rgb([y, u, v]: [u8; 3], color: Color) -> [f64; 3] {
    let (red_share, blue_share) = color.matrix.shares();
    let (y, u, v) = (f64::from(y), f64::from(u) - 128.0, f64::from(v) - 128.0);
    let (y, u, v) = match color.range {
        Range::Full => (y / 255.0, u / 255.0, v / 255.0),
        Range::Limited => ((y - 16.0) / 219.0, u / 224.0, v / 224.0),
    };
    let red = y + v * 2.0 * (1.0 - red_share);
    let blue = y + u * 2.0 * (1.0 - blue_share);
    let green = (y - red_share * red - blue_share * blue) / (1.0 - red_share - blue_share);
    [red, green, blue].map(|value| value.clamp(0.0, 1.0) * 255.0)
}

fn spread(value: u8, range: Range) -> f64 {
    match range {
        Range::Full => f64::from(value),
        Range::Limited => ((f64::from(value) - 16.0) / 219.0).clamp(0.0, 1.0) * 255.0,
    }
}

/// The pixel at (`x`, `y`) as V4L2's description of the format lays it out.
fn pixel(layout: &Layout, bytes: &[u8], x: usize, y: usize) -> [f64; 3] {
    let (width, height) = (layout.width as usize, layout.height as usize);
    let stride = |tight: usize| match layout.stride {
        0 => tight,
        stride => stride as usize,
    };
    let color = layout.color;
    match layout.format {
        PixelFormat::Rgb3 => {
            let at = y * stride(width * 3) + x * 3;
            [0, 1, 2].map(|channel| spread(bytes[at + channel], color.range))
        }
        PixelFormat::Bgr3 => {
            let at = y * stride(width * 3) + x * 3;
            [2, 1, 0].map(|channel| spread(bytes[at + channel], color.range))
        }
        PixelFormat::Grey => [spread(bytes[y * stride(width) + x], color.range); 3],
        PixelFormat::Yuyv => {
            let at = y * stride(width.div_ceil(2) * 4) + x / 2 * 4;
            rgb([bytes[at + x % 2 * 2], bytes[at + 1], bytes[at + 3]], color)
        }
        PixelFormat::Uyvy => {
            let at = y * stride(width.div_ceil(2) * 4) + x / 2 * 4;
            rgb([bytes[at + x % 2 * 2 + 1], bytes[at], bytes[at + 2]], color)
        }
        PixelFormat::Nv12 => {
            let luma = stride(width);
            let at = luma * height + y / 2 * luma.max(width.div_ceil(2) * 2) + x / 2 * 2;
            rgb([bytes[y * luma + x], bytes[at], bytes[at + 1]], color)
        }
        PixelFormat::Yu12 => {
            let luma = stride(width);
            let chroma = luma.div_ceil(2);
            let u = luma * height + y / 2 * chroma + x / 2;
            rgb([bytes[y * luma + x], bytes[u], bytes[u + chroma * height.div_ceil(2)]], color)
        }
        PixelFormat::Mjpg => unreachable!("has no pixels to point at"),
    }
}

fn check(layout: &Layout, bytes: &[u8], picture: &Picture) {
    for y in 0..layout.height as usize {
        for x in 0..layout.width as usize {
            let got = picture.get(x as i64, y as i64).unwrap();
            for (got, wanted) in got.iter().zip(pixel(layout, bytes, x, y)) {
                let off = (f64::from(*got) - wanted).abs();
                assert!(off <= 2.0, "{layout:?} at {x},{y}: {got} for {wanted:.1}");
            }
        }
    }
}

proptest! {
    #[test]
    fn every_format_matrix_range_odd_size_and_stride_is_within_two_levels(
        which in 0..PixelFormat::ALL.len(),
        width in 1_u32..20, height in 1_u32..12, padding in 0_u32..9,
        matrix in prop_oneof![Just(Matrix::Bt601), Just(Matrix::Bt709)],
        range in prop_oneof![Just(Range::Full), Just(Range::Limited)],
        bytes in prop::collection::vec(any::<u8>(), 2000),
    ) {
        let format = PixelFormat::ALL[which];
        let row = match format {
            PixelFormat::Rgb3 | PixelFormat::Bgr3 => width * 3,
            PixelFormat::Yuyv | PixelFormat::Uyvy => width.div_ceil(2) * 4,
            _ => width,
        };
        let stride = if padding == 0 { 0 } else { row + padding - 1 };
        let layout = Layout { format, width, height, stride, color: Color { matrix, range } };
        if format != PixelFormat::Mjpg {
            let picture = layout.to_rgb(&bytes).unwrap();
            check(&layout, &bytes, &picture);
        }
    }
}
