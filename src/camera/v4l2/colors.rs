//! The colours that a driver says its frames have, or means where it does not say.

use super::raw::Format;
use crate::camera::pixels::{Color, Matrix, PixelFormat, Range};

/// Numbers of videodev2.h: enum v4l2_colorspace, v4l2_ycbcr_encoding and v4l2_quantization.
const COLORSPACE_REC709: u32 = 3;
const COLORSPACE_JPEG: u32 = 7;
const COLORSPACE_DCI_P3: u32 = 12;
const ENCODING_DEFAULT: u32 = 0;
const ENCODING_709: u32 = 2;
const ENCODING_XV709: u32 = 4;
const FULL_RANGE: u32 = 1;
const LIMITED_RANGE: u32 = 2;

/// What is left to the default is what the kernel's V4L2_MAP_YCBCR_ENC_DEFAULT and
/// V4L2_MAP_QUANTIZATION_DEFAULT make of it. Encodings of neither standard count as BT.601.
pub(super) fn color_of(got: &Format) -> Color {
    let matrix = match (got.encoding, got.colorspace) {
        (ENCODING_709 | ENCODING_XV709, _)
        | (ENCODING_DEFAULT, COLORSPACE_REC709 | COLORSPACE_DCI_P3) => Matrix::Bt709,
        _ => Matrix::Bt601,
    };
    let is_rgb = matches!(
        PixelFormat::from_fourcc(&got.fourcc),
        Some(PixelFormat::Rgb3 | PixelFormat::Bgr3)
    );
    let range = match (got.quantization, got.colorspace) {
        (FULL_RANGE, _) => Range::Full,
        (LIMITED_RANGE, _) => Range::Limited,
        (_, COLORSPACE_JPEG) => Range::Full,
        _ if is_rgb => Range::Full,
        _ => Range::Limited,
    };
    Color { matrix, range }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(fourcc: &[u8; 4], colorspace: u32, encoding: u32, quantization: u32) -> Color {
        color_of(&Format {
            fourcc: *fourcc,
            colorspace,
            encoding,
            quantization,
            ..Format::default()
        })
    }

    #[test]
    fn what_the_driver_says_counts_and_what_it_leaves_out_has_the_defaults_of_the_kernel() {
        let (srgb, color601) = (8, |range| Color { matrix: Matrix::Bt601, range });
        let color709 = |range| Color { matrix: Matrix::Bt709, range };
        assert_eq!(color(b"YUYV", srgb, 0, 0), color601(Range::Limited));
        assert_eq!(color(b"YUYV", COLORSPACE_JPEG, 0, 0), color601(Range::Full));
        assert_eq!(color(b"YUYV", COLORSPACE_REC709, 0, 0), color709(Range::Limited));
        assert_eq!(color(b"YUYV", COLORSPACE_REC709, 1, FULL_RANGE), color601(Range::Full));
        assert_eq!(color(b"NV12", srgb, ENCODING_709, 0), color709(Range::Limited));
        assert_eq!(color(b"RGB3", srgb, 0, 0), color601(Range::Full));
        assert_eq!(color(b"RGB3", srgb, 0, LIMITED_RANGE).range, Range::Limited);
        assert_eq!(color(b"YUYV", 999, 999, 999), color601(Range::Limited));
    }
}
