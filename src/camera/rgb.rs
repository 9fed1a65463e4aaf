//! Samples of any layout to RGB, and pictures turned upright, without a second whole copy.

use image::metadata::Orientation;

use crate::picture::Picture;

/// How the samples of a pixel lie: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha; each of 1
/// byte, or of 2 in the machine's byte order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Samples {
    pub channels: usize,
    pub bytes: usize,
}

/// Whole pixels of `layout` to RGB, within the same memory where that suffices. Of 16 bits the
/// upper 8 are kept; what is transparent is laid on white.
pub(super) fn to_rgb(mut samples: Vec<u8>, layout: Samples) -> Vec<u8> {
    let step = layout.channels * layout.bytes;
    if step == 3 && layout.bytes == 1 {
        return samples;
    }
    let count = samples.len() / step;
    if step < 3 {
        samples.resize(count * 3, 0);
        for at in (0..count).rev() {
            let pixel = read_pixel(&samples, at * step, layout);
            samples[at * 3..at * 3 + 3].copy_from_slice(&pixel);
        }
    } else {
        for at in 0..count {
            let pixel = read_pixel(&samples, at * step, layout);
            samples[at * 3..at * 3 + 3].copy_from_slice(&pixel);
        }
        samples.truncate(count * 3);
        samples.shrink_to_fit();
    }
    samples
}

fn read_pixel(samples: &[u8], at: usize, layout: Samples) -> [u8; 3] {
    let upper = if layout.bytes == 2 && cfg!(target_endian = "little") { 1 } else { 0 };
    let sample = |channel: usize| samples[at + channel * layout.bytes + upper];
    let on_white = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    match layout.channels {
        1 => [sample(0); 3],
        2 => [on_white(sample(0), sample(1)); 3],
        3 => [sample(0), sample(1), sample(2)],
        _ => [0, 1, 2].map(|channel| on_white(sample(channel), sample(3))),
    }
}

/// Whether width and height change places.
pub(super) fn is_quarter_turn(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// The picture turned and mirrored: rotations are clockwise, and come before flips.
pub(super) fn oriented(picture: Picture, orientation: Orientation) -> Picture {
    match orientation {
        Orientation::NoTransforms => picture,
        Orientation::FlipHorizontal => mirrored(picture),
        Orientation::FlipVertical => mirrored(half_turned(picture)),
        Orientation::Rotate180 => half_turned(picture),
        Orientation::Rotate270FlipH => half_turned(transposed(picture)),
        Orientation::Rotate90FlipH => transposed(picture),
        Orientation::Rotate90 => mirrored(transposed(picture)),
        Orientation::Rotate270 => mirrored(half_turned(transposed(picture))),
    }
}

/// Left and right change places.
fn mirrored(mut picture: Picture) -> Picture {
    let row = picture.width() as usize * 3;
    if row > 0 {
        picture.pixels_mut().chunks_exact_mut(row).for_each(reverse_pixels);
    }
    picture
}

fn half_turned(mut picture: Picture) -> Picture {
    reverse_pixels(picture.pixels_mut());
    picture
}

fn reverse_pixels(pixels: &mut [u8]) {
    pixels.reverse();
    for pixel in pixels.chunks_exact_mut(3) {
        pixel.reverse();
    }
}

/// Columns become rows. Each channel keeps to its own bytes, so that one channel at a time can be
/// copied and written back: a third of the picture more, where a second picture would double it.
fn transposed(picture: Picture) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let mut pixels = picture.into_pixels();
    let mut plane = vec![0; pixels.len() / 3];
    for channel in 0..3 {
        for (sample, pixel) in plane.iter_mut().zip(pixels.chunks_exact(3)) {
            *sample = pixel[channel];
        }
        for (x, row) in pixels.chunks_exact_mut(height.max(1) as usize * 3).enumerate() {
            let column = plane.iter().skip(x).step_by(width.max(1) as usize);
            for (pixel, sample) in row.chunks_exact_mut(3).zip(column) {
                pixel[channel] = *sample;
            }
        }
    }
    Picture::from_pixels(height, width, pixels).unwrap_or_else(|| Picture::new(height, width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, RgbImage};
    use proptest::prelude::*;

    fn numbered(width: u32, height: u32) -> Picture {
        let pixels = (0..width * height * 3).map(|at| (at % 251) as u8).collect();
        Picture::from_pixels(width, height, pixels).unwrap()
    }

    proptest! {
        #[test]
        fn every_orientation_agrees_with_the_image_crate(
            width in 1_u32..20, height in 1_u32..20, exif in 1_u8..=8
        ) {
            let orientation = Orientation::from_exif(exif).unwrap();
            let picture = numbered(width, height);
            let buffer = RgbImage::from_raw(width, height, picture.pixels().to_vec()).unwrap();
            let mut reference = DynamicImage::ImageRgb8(buffer);
            reference.apply_orientation(orientation);
            let turned = oriented(picture, orientation);
            prop_assert_eq!((turned.width(), turned.height()), (reference.width(), reference.height()));
            prop_assert_eq!(turned.pixels(), reference.as_bytes());
        }
    }

    #[test]
    fn half_transparent_black_on_white_is_grey() {
        let rgb = to_rgb(vec![0, 0, 0, 128, 9, 8, 7, 255], Samples { channels: 4, bytes: 1 });
        assert_eq!(rgb, [127, 127, 127, 9, 8, 7]);
    }

    #[test]
    fn sixteen_bit_grey_with_alpha_keeps_the_upper_byte() {
        let bytes: Vec<u8> =
            [0x1234_u16, 0xffff, 0xabcd, 0xffff].iter().flat_map(|v| v.to_ne_bytes()).collect();
        let rgb = to_rgb(bytes, Samples { channels: 2, bytes: 2 });
        assert_eq!(rgb, [0x12, 0x12, 0x12, 0xab, 0xab, 0xab]);
    }

    #[test]
    fn grey_grows_into_three_channels() {
        assert_eq!(to_rgb(vec![1, 2], Samples { channels: 1, bytes: 1 }), [1, 1, 1, 2, 2, 2]);
    }
}
