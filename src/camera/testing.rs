//! Real bytes for this room's tests.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};

/// A soft slope of colours with a square in it whose place depends on `step`.
pub(super) fn scene(width: u32, height: u32, step: u32) -> Vec<u8> {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let inside = (x + 60 - step % 60) % 60 < 16 && y % 40 < 16;
            let slope = |at: u32, size: u32| (at * 255 / size.max(1)) as u8;
            pixels.extend(match inside {
                true => [230, 180, 160],
                false => [slope(x, width), slope(y, height), 90],
            });
        }
    }
    pixels
}

/// `scene` as baseline JPEG.
pub(super) fn jpeg(width: u32, height: u32, step: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 85)
        .write_image(&scene(width, height, step), width, height, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

/// The JPEG with one more segment after its start.
pub(super) fn with_segment(jpeg: &[u8], marker: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, body, &jpeg[2..]].concat()
}

/// The JPEG without its Huffman tables, as many cameras send it.
pub(super) fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let mut out = jpeg[..2].to_vec();
    let mut at = 2;
    loop {
        let length = usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if jpeg[at + 1] == 0xda {
            return [&out, &jpeg[at..]].concat();
        }
        if jpeg[at + 1] != 0xc4 {
            out.extend(&jpeg[at..at + 2 + length]);
        }
        at += 2 + length;
    }
}

/// An EXIF segment's body that says nothing but the orientation.
pub(super) fn exif(orientation: u8) -> Vec<u8> {
    let mut body = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    body.extend([orientation, 0, 0, 0, 0, 0, 0]);
    body
}

/// How far apart two pictures' samples are, on average.
pub(super) fn difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len() as f64
}
