//! Pixel formats of cameras and pipes to RGB.
//! Owns which formats are read, how their bytes lie, and the colours they stand for; one file for
//! each family. JPEG has its own decoder beside this folder.
//! Never: floating point for each pixel.

mod color;
mod packed;
mod plain;
mod planar;
#[cfg(test)]
mod reference;

use std::fmt;

pub(super) use color::{Color, Matrix, Range};
pub(super) use planar::Subsampling;

use crate::config::FrameFormat;
use crate::picture::Picture;

/// Pixel formats that are read. The order is that of preference at equal size and rate: those that
/// need least work first, more colour before less, and grey last, which has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PixelFormat {
    Rgb3,
    Bgr3,
    Yuyv,
    Uyvy,
    Nv12,
    Yu12,
    Mjpg,
    Grey,
}

impl PixelFormat {
    pub(super) const ALL: [PixelFormat; 8] = [
        PixelFormat::Rgb3,
        PixelFormat::Bgr3,
        PixelFormat::Yuyv,
        PixelFormat::Uyvy,
        PixelFormat::Nv12,
        PixelFormat::Yu12,
        PixelFormat::Mjpg,
        PixelFormat::Grey,
    ];

    /// As V4L2 names it.
    pub(super) fn fourcc(self) -> &'static [u8; 4] {
        match self {
            PixelFormat::Rgb3 => b"RGB3",
            PixelFormat::Bgr3 => b"BGR3",
            PixelFormat::Yuyv => b"YUYV",
            PixelFormat::Uyvy => b"UYVY",
            PixelFormat::Nv12 => b"NV12",
            PixelFormat::Yu12 => b"YU12",
            PixelFormat::Mjpg => b"MJPG",
            PixelFormat::Grey => b"GREY",
        }
    }

    pub(super) fn from_fourcc(code: &[u8; 4]) -> Option<PixelFormat> {
        match code {
            // What some drivers call frames that are baseline JPEG all the same.
            b"JPEG" => Some(PixelFormat::Mjpg),
            _ => PixelFormat::ALL.into_iter().find(|format| format.fourcc() == code),
        }
    }

    /// What the configuration asks for; `None` where it leaves the choice.
    pub(super) fn wanted(format: FrameFormat) -> Option<PixelFormat> {
        Some(match format {
            FrameFormat::Auto => return None,
            FrameFormat::Yuyv => PixelFormat::Yuyv,
            FrameFormat::Uyvy => PixelFormat::Uyvy,
            FrameFormat::Nv12 => PixelFormat::Nv12,
            FrameFormat::Yu12 => PixelFormat::Yu12,
            FrameFormat::Mjpg => PixelFormat::Mjpg,
            FrameFormat::Grey => PixelFormat::Grey,
            FrameFormat::Rgb3 => PixelFormat::Rgb3,
            FrameFormat::Bgr3 => PixelFormat::Bgr3,
        })
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fourcc().escape_ascii())
    }
}

/// How the bytes of an uncompressed frame lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    pub format: PixelFormat,
    /// In pixels.
    pub width: u32,
    pub height: u32,
    /// Bytes from one row to the next of the first plane; 0: rows without padding.
    pub stride: u32,
    pub color: Color,
}

impl Layout {
    /// The frame as RGB; `None` where `bytes` are too few for it, a row is longer than the stride,
    /// or the format is compressed. Bytes behind the frame are left alone.
    pub(super) fn to_rgb(self, bytes: &[u8]) -> Option<Picture> {
        let Layout { width, height, stride, color, .. } = self;
        let size = Size::new(width, height, stride)?;
        match self.format {
            PixelFormat::Rgb3 => plain::rgb(bytes, &size, color.range, false),
            PixelFormat::Bgr3 => plain::rgb(bytes, &size, color.range, true),
            PixelFormat::Grey => plain::grey(bytes, &size, color.range),
            PixelFormat::Yuyv => packed::yuyv(bytes, &size, color),
            PixelFormat::Uyvy => packed::uyvy(bytes, &size, color),
            PixelFormat::Nv12 => planar::nv12(bytes, &size, color),
            PixelFormat::Yu12 => planar::yu12(bytes, &size, color),
            PixelFormat::Mjpg => None,
        }
    }

    /// How many bytes a frame without padding has; `None` where that varies.
    pub(super) fn frame_bytes(&self) -> Option<usize> {
        let (width, height) = (self.width as usize, self.height as usize);
        let (across, down) = (width.div_ceil(2), height.div_ceil(2));
        Some(match self.format {
            PixelFormat::Rgb3 | PixelFormat::Bgr3 => width * height * 3,
            PixelFormat::Grey => width * height,
            PixelFormat::Yuyv | PixelFormat::Uyvy => across * 4 * height,
            PixelFormat::Nv12 | PixelFormat::Yu12 => width * height + across * down * 2,
            PixelFormat::Mjpg => return None,
        })
    }
}

/// The frame of YUV4MPEG2 whose planes lie one after another without padding.
pub(super) fn planes_to_rgb(
    bytes: &[u8],
    (width, height): (u32, u32),
    sampling: Subsampling,
    color: Color,
) -> Option<Picture> {
    planar::planes(bytes, &Size::new(width, height, 0)?, sampling, color)
}

/// Lengths in pixels and bytes, none of them 0 save the stride.
#[derive(Clone, Copy, Debug)]
struct Size {
    width: usize,
    height: usize,
    stride: usize,
}

impl Size {
    fn new(width: u32, height: u32, stride: u32) -> Option<Size> {
        let size = Size { width: width as usize, height: height as usize, stride: stride as usize };
        (width > 0 && height > 0).then_some(size)
    }

    /// Bytes from one row of `row` bytes to the next.
    fn stride_of(&self, row: usize) -> Option<usize> {
        match self.stride {
            0 => Some(row),
            stride => (stride >= row).then_some(stride),
        }
    }

    /// A black picture of this size, made only when the bytes for it are there.
    fn picture(&self) -> Option<Picture> {
        Some(Picture::new(u32::try_from(self.width).ok()?, u32::try_from(self.height).ok()?))
    }
}

/// `rows` rows of `row` bytes, `stride` apart, from the start of `bytes`: the last may lack its
/// padding. `None` where they are too few.
fn rows(bytes: &[u8], rows: usize, row: usize, stride: usize) -> Option<&[u8]> {
    let needed = stride.checked_mul(rows.checked_sub(1)?)?.checked_add(row)?;
    bytes.get(..needed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_format_is_known_by_its_code() {
        for format in PixelFormat::ALL {
            assert_eq!(PixelFormat::from_fourcc(format.fourcc()), Some(format));
        }
        assert_eq!(PixelFormat::from_fourcc(b"H264"), None);
    }

    #[test]
    fn a_frame_of_exactly_its_bytes_is_enough_and_one_less_is_not() {
        for format in PixelFormat::ALL {
            for (width, height) in [(1, 1), (2, 2), (3, 5), (16, 9), (17, 3)] {
                let layout = Layout { format, width, height, stride: 0, color: Color::default() };
                let Some(count) = layout.frame_bytes() else { continue };
                let bytes = vec![128; count];
                assert!(layout.to_rgb(&bytes).is_some(), "{format} {width}x{height}");
                assert!(layout.to_rgb(&bytes[1..]).is_none(), "{format} {width}x{height}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_no_size_and_no_stride_crash_a_converter(
            bytes in prop::collection::vec(any::<u8>(), 0..600),
            which in 0..PixelFormat::ALL.len(),
            width in prop_oneof![0_u32..24, any::<u32>()],
            height in prop_oneof![0_u32..24, any::<u32>()],
            stride in prop_oneof![0_u32..80, any::<u32>()],
            matrix in prop_oneof![Just(Matrix::Bt601), Just(Matrix::Bt709)],
            range in prop_oneof![Just(Range::Full), Just(Range::Limited)],
        ) {
            let format = PixelFormat::ALL[which];
            let color = Color { matrix, range };
            let layout = Layout { format, width, height, stride, color };
            if let Some(picture) = layout.to_rgb(&bytes) {
                prop_assert_eq!((picture.width(), picture.height()), (width, height));
            }
        }

        #[test]
        fn any_bytes_of_the_right_length_become_a_picture(
            bytes in prop::collection::vec(any::<u8>(), 3000),
            which in 0..PixelFormat::ALL.len(), width in 1_u32..24, height in 1_u32..24,
        ) {
            let format = PixelFormat::ALL[which];
            let layout = Layout { format, width, height, stride: 0, color: Color::default() };
            if let Some(count) = layout.frame_bytes() {
                prop_assert!(layout.to_rgb(&bytes[..count]).is_some());
            }
        }
    }
}
