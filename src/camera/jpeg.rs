//! JPEG to RGB, for stills and for the frames of motion JPEG.

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{CameraError, still};
use crate::picture::Picture;

/// What stands before the first scan, as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    /// Where the first scan's SOS marker stands.
    pub scan: usize,
    /// A Huffman table came before it.
    pub has_tables: bool,
    /// Of the picture, in pixels; 0 where no frame header came before it.
    pub width: u16,
    /// The coefficients of the whole picture are held at once, this many bytes of them:
    /// progressive pictures, and those with a scan for each component.
    pub held_bytes: u64,
    /// The first comment (COM).
    pub comment: Option<Vec<u8>>,
}

impl Header {
    /// Reads the segments before the first scan; `None` where they are cut off or out of order.
    pub fn read(bytes: &[u8]) -> Option<Header> {
        let mut header = Header::default();
        let mut frame: &[u8] = &[];
        let mut progressive = false;
        let mut at = 2;
        if !bytes.starts_with(&[0xff, 0xd8]) {
            return None;
        }
        loop {
            at += bytes.get(at..)?.iter().position(|byte| *byte == 0xff)?;
            let marker = *bytes.get(at + 1)?;
            match marker {
                0xff | 0x00 => {
                    at += 1;
                    continue;
                }
                0xd9 => return None,
                0xd0..=0xd8 | 0x01 => {
                    at += 2;
                    continue;
                }
                _ => {}
            }
            let length =
                usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]));
            let body = bytes.get(at + 4..at + 2 + length.max(2))?;
            match marker {
                0xc4 => header.has_tables = true,
                0xc0..=0xcf if !matches!(marker, 0xc8 | 0xcc) => {
                    progressive = marker == 0xc2;
                    frame = body;
                    header.width = u16::from_be_bytes([*frame.get(3)?, *frame.get(4)?]);
                }
                0xda => {
                    header.scan = at;
                    let in_scan = *body.first()?;
                    let in_frame = *frame.get(5)?;
                    if progressive || in_scan < in_frame {
                        header.held_bytes = coefficient_bytes(frame)?;
                    }
                    return Some(header);
                }
                0xfe if header.comment.is_none() => header.comment = Some(body.to_vec()),
                _ => {}
            }
            at += 2 + length.max(2);
        }
    }

    /// Where the end marker after the first scan stands; none where the picture is cut off.
    fn end(&self, bytes: &[u8]) -> Option<usize> {
        let data = bytes.get(self.scan..)?;
        let end = data.windows(2).position(|pair| pair == [0xff, 0xd9])?;
        Some(self.scan + end)
    }

    /// The bytes with which the decoder tells every lack of data. Before an end marker it fills up what
    /// is missing with zeros and says nothing; where there is none, it says so, row by row of blocks. It
    /// reads 64 bits ahead, so a row must have more than these: 40 blocks have, each of two codes.
    fn to_be_checked<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        match self.end(bytes) {
            Some(end) if self.held_bytes == 0 && self.width >= 320 => &bytes[..end],
            _ => bytes,
        }
    }
}

/// Two bytes for each sample of each component (the frame header as in ITU T.81, B.2.2).
fn coefficient_bytes(frame: &[u8]) -> Option<u64> {
    let height = u64::from(u16::from_be_bytes([*frame.get(1)?, *frame.get(2)?]));
    let width = u64::from(u16::from_be_bytes([*frame.get(3)?, *frame.get(4)?]));
    let sampling = frame.get(6..)?.chunks_exact(3).map(|component| component[1]);
    let (across, down) =
        (|factors: u8| u64::from(factors >> 4), |factors: u8| u64::from(factors & 15));
    let blocks: u64 = sampling.clone().map(|factors| across(factors) * down(factors)).sum();
    let whole = sampling.clone().map(across).max()? * sampling.map(down).max()?;
    Some(width * height * 2 * blocks / whole.max(1))
}

/// A still. One that is cut off is an error; one with damage inside shows what is left, and the
/// log says so.
pub(super) fn decode_still(name: &str, bytes: &[u8]) -> Result<Picture, CameraError> {
    let checked = Header::read(bytes).map_or(bytes, |header| header.to_be_checked(bytes));
    let (picture, orientation) = match decode(name, checked, true) {
        Err(CameraError::Damaged { reason, .. }) if is_whole(bytes) => {
            log::warn!("{name} is damaged ({reason}); what can be seen of it is used");
            decode(name, bytes, false)?
        }
        Err(CameraError::Damaged { name, .. }) if !is_whole(bytes) => {
            let reason = format!("it ends after {} bytes, before the picture does", bytes.len());
            return Err(CameraError::Damaged { name, reason });
        }
        decoded => decoded?,
    };
    let (width, height) = (picture.width(), picture.height());
    still::upright(name, width, height, picture.into_pixels(), orientation)
}

/// A frame of motion JPEG. Any damage is an error: the next frame is better than half a face.
/// Frames without Huffman tables get the standard ones, as is usual with cameras.
pub(super) fn decode_frame(name: &str, bytes: &[u8]) -> Result<Picture, CameraError> {
    let header = Header::read(bytes)
        .filter(|header| header.end(bytes).is_some())
        .ok_or_else(|| damaged(name, "it is cut off"))?;
    let bytes = header.to_be_checked(bytes);
    let decoded = if header.has_tables {
        decode(name, bytes, true)
    } else {
        let (before, scan) = bytes.split_at(header.scan);
        decode(name, &[before, &STANDARD_TABLES, scan].concat(), true)
    };
    decoded.map(|(picture, _)| picture)
}

/// Whether the markers of a frame are all there; what lies between them is not looked at.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    Header::read(bytes).is_some_and(|header| header.end(bytes).is_some())
}

fn decode(name: &str, bytes: &[u8], strict: bool) -> Result<(Picture, Orientation), CameraError> {
    // Some headers that no encoder writes make the decoder panic.
    catch_unwind(AssertUnwindSafe(|| decode_unguarded(name, bytes, strict)))
        .unwrap_or_else(|_| Err(damaged(name, "its decoder stumbled, as told above")))
}

fn decode_unguarded(
    name: &str,
    bytes: &[u8],
    strict: bool,
) -> Result<(Picture, Orientation), CameraError> {
    let failed = |error: DecodeErrors| damaged(name, &error.to_string());
    let options = DecoderOptions::default()
        .set_strict_mode(strict)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(failed)?;
    let (width, height) = decoder.dimensions().ok_or_else(|| damaged(name, "it has no size"))?;
    let (width, height) = (width as u32, height as u32);
    let orientation = decoder
        .exif()
        .and_then(|exif| Orientation::from_exif_chunk(exif))
        .unwrap_or(Orientation::NoTransforms);
    let held = Header::read(bytes).map_or(0, |header| header.held_bytes);
    let output = u64::from(width) * u64::from(height) * 3;
    let cost = (output + held).max(still::upright_cost((width, height), orientation));
    still::check_cost(name, (width, height), cost + bytes.len() as u64)?;
    let mut pixels = vec![0; output as usize];
    decoder.decode_into(&mut pixels).map_err(failed)?;
    let picture = Picture::from_pixels(width, height, pixels)
        .ok_or_else(|| damaged(name, "its data does not fill its size"))?;
    Ok((picture, orientation))
}

fn damaged(name: &str, reason: &str) -> CameraError {
    CameraError::Damaged { name: name.into(), reason: reason.into() }
}

/// The Huffman tables of ITU T.81, annex K.3, as one DHT segment.
#[rustfmt::skip]
const STANDARD_TABLES: [u8; 420] = [
    0xff, 0xc4, 0x01, 0xa2, 0x00, 0x00, 0x01, 0x05, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
    0x0b, 0x10, 0x00, 0x02, 0x01, 0x03, 0x03, 0x02, 0x04, 0x03, 0x05, 0x05, 0x04, 0x04, 0x00, 0x00,
    0x01, 0x7d, 0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51,
    0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52,
    0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26,
    0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47,
    0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67,
    0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
    0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6,
    0xf7, 0xf8, 0xf9, 0xfa, 0x01, 0x00, 0x03, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
    0x0b, 0x11, 0x00, 0x02, 0x01, 0x02, 0x04, 0x04, 0x03, 0x04, 0x07, 0x05, 0x04, 0x04, 0x00, 0x01,
    0x02, 0x77, 0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07,
    0x61, 0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33,
    0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19,
    0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46,
    0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66,
    0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85,
    0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3,
    0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba,
    0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8,
    0xd9, 0xda, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6,
    0xf7, 0xf8, 0xf9, 0xfa,
];

#[cfg(test)]
mod tests {
    use super::super::testing::{difference, jpeg, scene, with_segment, without_tables};
    use super::*;
    use image::ExtendedColorType;
    use image::codecs::jpeg::JpegEncoder;

    #[test]
    fn a_frame_without_huffman_tables_gets_the_standard_ones() {
        let whole = decode_frame("whole", &jpeg(64, 48, 0)).unwrap();
        let bare = without_tables(&jpeg(64, 48, 0));
        assert!(bare.len() < jpeg(64, 48, 0).len());
        assert_eq!(decode_frame("bare", &bare).unwrap(), whole);
        assert!(difference(whole.pixels(), &scene(64, 48, 0)) < 6.0);
    }

    #[test]
    fn junk_after_the_end_of_a_frame_does_no_harm() {
        let whole = decode_frame("whole", &jpeg(64, 48, 0)).unwrap();
        for junk in [&[0; 500][..], &[0xff; 500], b"\xff\xd8\xff\xe0garbage"] {
            let bytes = [&jpeg(64, 48, 0), junk].concat();
            assert_eq!(decode_frame("trailing", &bytes).unwrap(), whole);
        }
    }

    #[test]
    fn a_frame_that_is_cut_off_is_broken() {
        let bytes = jpeg(160, 120, 0);
        for part in [0, 2, 100, bytes.len() / 2, bytes.len() - 2] {
            assert!(decode_frame("cut", &bytes[..part]).is_err(), "{part}");
        }
    }

    #[test]
    fn a_frame_whose_data_is_missing_before_its_end_marker_is_broken() {
        let bytes = jpeg(320, 240, 0);
        let scan = Header::read(&bytes).unwrap().scan;
        let end = bytes.len() - 2;
        for left in [scan + 14, (scan + end) / 2, end - 200] {
            let cut = [&bytes[..left], &[0xff, 0xd9]].concat();
            assert!(decode_frame("short", &cut).is_err(), "{left} of {end}");
        }
        let hole = [&bytes[..scan + 400], &bytes[scan + 700..]].concat();
        assert!(decode_frame("hole", &hole).is_err());
    }

    #[test]
    fn a_frame_of_one_colour_is_whole_in_few_bytes() {
        for (format, channels) in [(ExtendedColorType::L8, 1), (ExtendedColorType::Rgb8, 3)] {
            for width in [16, 319, 320, 640] {
                let mut bytes = Vec::new();
                let black = vec![0; width as usize * 64 * channels];
                JpegEncoder::new(&mut bytes).encode(&black, width, 64, format).unwrap();
                assert!(decode_frame("black", &bytes).is_ok(), "{format:?}, {width}");
            }
        }
    }

    #[test]
    fn a_header_that_makes_the_decoder_panic_costs_the_frame() {
        // A scan of one component out of three, the third of which is sampled finest.
        let mut bytes = jpeg(16, 16, 0);
        let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        for (component, factors) in [0x21, 0x11, 0x42].into_iter().enumerate() {
            bytes[frame + 11 + 3 * component] = factors;
        }
        let scan = Header::read(&bytes).unwrap().scan;
        let one = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0";
        bytes.splice(scan..scan + 14, one.iter().copied());
        let said = decode_frame("odd", &bytes).unwrap_err().to_string();
        assert!(said.contains("stumbled"), "{said}");
    }

    #[test]
    fn a_comment_is_found_before_the_first_scan() {
        let bytes = with_segment(&jpeg(16, 16, 0), 0xfe, b"maskgate fps=10");
        let header = Header::read(&bytes).unwrap();
        assert_eq!(header.comment.as_deref(), Some(&b"maskgate fps=10"[..]));
        assert!(header.has_tables);
        assert_eq!(header.held_bytes, 0);
    }

    #[test]
    fn a_progressive_picture_is_known_to_hold_its_coefficients() {
        let bytes = include_bytes!("../../tests/data/progressive.jpg");
        assert_eq!(Header::read(bytes).unwrap().held_bytes, 32 * 32 * 3);
    }
}
