//! Would a decoder that leaves out pixels while it decodes be cheaper than one that decodes them
//! all? `cargo bench --bench jpeg`; what it says is in docs/cameras.md.

use std::io::Cursor;

use divan::{Bencher, black_box};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use jpeg_decoder::Decoder;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;

/// Sizes that cameras offer, and parts of them: 2 is every second pixel of every second line.
const SIZES: [(u16, u16); 3] = [(640, 480), (1280, 720), (1920, 1080)];
const PARTS: [u16; 2] = [2, 4];

fn main() {
    divan::main();
}

/// A frame of the demo clip at this size, as a camera would send it.
fn frame((width, height): (u16, u16)) -> Vec<u8> {
    let clip = include_bytes!("../models/demo.mjpg");
    let end = clip.windows(2).position(|w| w == [0xff, 0xd9]).map_or(clip.len(), |at| at + 2);
    let picture = image::load_from_memory(&clip[..end]).expect("the clip is whole").into_rgb8();
    let (width, height) = (u32::from(width), u32::from(height));
    let picture = imageops::resize(&picture, width, height, FilterType::CatmullRom);
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, 85).encode_image(&picture).expect("room");
    bytes.into_inner()
}

/// What the daemon does.
#[divan::bench(args = SIZES)]
fn all_pixels(bencher: Bencher, size: (u16, u16)) {
    let bytes = frame(size);
    bencher.bench_local(|| JpegDecoder::new(ZCursor::new(black_box(&bytes))).decode());
}

/// A part of the pixels, by the only decoder in Rust that can.
#[divan::bench(args = SIZES, consts = PARTS)]
fn part_of_the_pixels<const PART: u16>(bencher: Bencher, size: (u16, u16)) {
    let bytes = frame(size);
    bencher.bench_local(|| {
        let mut decoder = Decoder::new(black_box(&bytes[..]));
        decoder.scale(size.0 / PART, size.1 / PART).expect("a header");
        decoder.decode()
    });
}
