//! What light, lens, sensor and compression do. Works on any picture; used for faces and for
//! whole scenes.

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::{ExtendedColorType, ImageDecoder};

use crate::picture::Picture;
use crate::train::random::Random;
use crate::vision::crop;

/// Least size in pixels that fewer pixels leave of a face: below, none is told from a blot.
const LEAST: f32 = 8.0;

/// Changes `picture` as cameras do, each step with its own probability: exposure and colour,
/// grey, fewer pixels, blur, noise, JPEG. A face of `smallest` pixels, and what it wears, stays
/// recognisable.
pub fn photometric(picture: &mut Picture, smallest: f32, random: &mut Random) {
    if random.chance(0.8) {
        expose(picture, random);
    }
    if random.chance(0.1) {
        grey(picture);
    }
    if random.chance(0.3) {
        coarsen(picture, smallest, random);
    }
    if random.chance(0.2) {
        blur(picture, smallest, random);
    }
    if random.chance(0.3) {
        noise(picture, random);
    }
    if random.chance(0.3) {
        compress(picture, random);
    }
}

/// Brightness, contrast, gamma and the colour of the light, as one table per channel.
fn expose(picture: &mut Picture, random: &mut Random) {
    let gain = random.range(0.6, 1.4);
    let contrast = random.range(0.7, 1.3);
    let gamma = random.range(-0.4, 0.4).exp();
    let tables: [[u8; 256]; 3] = std::array::from_fn(|_| {
        let tint = random.range(0.9, 1.1);
        std::array::from_fn(|value| {
            let light = (value as f32 / 255.0).powf(gamma) * gain * tint;
            let light = (light - 0.45) * contrast + 0.45;
            (light * 255.0).clamp(0.0, 255.0) as u8
        })
    });
    let saturation = random.range(0.5, 1.4);
    for rgb in picture.pixels_mut().chunks_exact_mut(3) {
        let lit: [f32; 3] = [0, 1, 2].map(|c| f32::from(tables[c][usize::from(rgb[c])]));
        let luma = luma(lit);
        for (byte, value) in rgb.iter_mut().zip(lit) {
            *byte = (luma + (value - luma) * saturation).clamp(0.0, 255.0) as u8;
        }
    }
}

/// A camera without colour: infrared at night.
fn grey(picture: &mut Picture) {
    for rgb in picture.pixels_mut().chunks_exact_mut(3) {
        let value = luma([rgb[0], rgb[1], rgb[2]].map(f32::from)) as u8;
        rgb.fill(value);
    }
}

/// ITU-R BT.601.
fn luma(rgb: [f32; 3]) -> f32 {
    0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
}

/// A face far away: down to as little as a fifth, and up again.
fn coarsen(picture: &mut Picture, smallest: f32, random: &mut Random) {
    let part = random.range(0.2, 0.8).max(LEAST / smallest).min(1.0);
    let (width, height) = (picture.width(), picture.height());
    let small = |side: u32| ((side as f32 * part) as u32).max(1);
    let mut far = Picture::new(small(width), small(height));
    crop::resize(picture, &whole(picture), &mut far);
    crop::resize(&far, &whole(&far), picture);
}

fn whole(picture: &Picture) -> crate::picture::Rect {
    let (x2, y2) = (picture.width() as f32, picture.height() as f32);
    crate::picture::Rect { x1: 0.0, y1: 0.0, x2, y2 }
}

/// Out of focus (every direction) or moving (one direction), over up to a twentieth of the width
/// and no more than a fifth of the smallest face.
fn blur(picture: &mut Picture, smallest: f32, random: &mut Random) {
    let reach = picture.width() as f32 * random.range(0.008, 0.025);
    let reach = reach.min(smallest / 10.0).round().max(1.0) as usize;
    match random.below(3) {
        0 => box_blur(picture, reach, true),
        1 => box_blur(picture, reach, false),
        _ => {
            // Two boxes each way come close enough to a round spot.
            for along_rows in [true, false, true, false] {
                box_blur(picture, reach.div_ceil(2), along_rows);
            }
        }
    }
}

/// Mean of the `2 * reach + 1` neighbours along one axis, the edge repeated.
fn box_blur(picture: &mut Picture, reach: usize, along_rows: bool) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (lines, length, step, line_step) =
        if along_rows { (height, width, 3, width * 3) } else { (width, height, width * 3, 3) };
    if length == 0 {
        return;
    }
    let pixels = picture.pixels_mut();
    let mut line = vec![0u32; length];
    let count = 2 * reach as u32 + 1;
    for start in (0..lines).map(|l| l * line_step) {
        for channel in 0..3 {
            let at = |i: usize| start + channel + i * step;
            for (i, value) in line.iter_mut().enumerate() {
                *value = u32::from(pixels[at(i)]);
            }
            let value = |i: isize| line[i.clamp(0, length as isize - 1) as usize];
            let reach = reach as isize;
            let mut sum: u32 = (-reach..=reach).map(value).sum();
            for i in 0..length {
                pixels[at(i)] = (sum / count) as u8;
                sum = sum + value(i as isize + reach + 1) - value(i as isize - reach);
            }
        }
    }
}

/// Sensor noise, the same for all channels or for each its own.
fn noise(picture: &mut Picture, random: &mut Random) {
    let strength = random.range(2.0, 16.0);
    let coloured = random.chance(0.5);
    for rgb in picture.pixels_mut().chunks_exact_mut(3) {
        let mut shift = random.normal() * strength;
        for byte in rgb {
            *byte = (f32::from(*byte) + shift).clamp(0.0, 255.0) as u8;
            if coloured {
                shift = random.normal() * strength;
            }
        }
    }
}

/// JPEG at a quality of 20 to 85.
fn compress(picture: &mut Picture, random: &mut Random) {
    let quality = 20 + random.below(66) as u8;
    let mut bytes = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut bytes, quality).encode(
        picture.pixels(),
        picture.width(),
        picture.height(),
        ExtendedColorType::Rgb8,
    );
    if encoded.is_err() {
        return;
    }
    let Ok(decoder) = JpegDecoder::new(std::io::Cursor::new(&bytes)) else { return };
    if decoder.total_bytes() == picture.pixels().len() as u64 {
        // What the encoder above wrote is readable; were it not, the view stays uncompressed.
        let mut decoded = vec![0; picture.pixels().len()];
        if decoder.read_image(&mut decoded).is_ok() {
            picture.pixels_mut().copy_from_slice(&decoded);
        }
    }
}

/// A block of one colour over part of the lower half of a face: a hand, a cup, a scarf, somebody's
/// shoulder. Teaches that not every covered mouth is a mask, so it stays smaller than one.
pub fn cover_below(picture: &mut Picture, random: &mut Random) {
    let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
    let block_width = (width as f32 * random.range(0.1, 0.3)) as i64;
    let block_height = (height as f32 * random.range(0.1, 0.25)) as i64;
    let left = (width as f32 * random.range(0.0, 1.0)) as i64 - block_width / 2;
    let top = (height as f32 * random.range(0.55, 1.0)) as i64;
    let colour = [0; 3].map(|_: u8| random.below(256) as u8);
    for y in top..(top + block_height).min(height) {
        for x in left.max(0)..(left + block_width).min(width) {
            picture.put(x, y, colour);
        }
    }
}
