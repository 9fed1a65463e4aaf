use std::io::{Read, Seek, SeekFrom};

use super::{CameraError, still};

/// What decoding a frame takes at least, in bytes a pixel; `still` judges the whole picture by what it is.
const FRAME: u64 = 7;

/// Refuses a WebP file with a chunk that reaches beyond its end: the decoder takes the memory that
/// a chunk claims before it reads it. So it does for a frame larger than the picture it is part of.
pub(super) fn check(name: &str, reader: &mut (impl Read + Seek)) -> Result<(), CameraError> {
    let read = |source| still::read_error(name, source);
    let length = reader.seek(SeekFrom::End(0)).map_err(read)?;
    let mut header = [0; 12];
    reader.seek(SeekFrom::Start(0)).map_err(read)?;
    if reader.read_exact(&mut header).is_err() {
        return Err(cut_off(name));
    }
    let size = |bytes: &[u8]| bytes.iter().rev().fold(0, |size, byte| size << 8 | u64::from(*byte));
    // What stands behind it is no part of it.
    let length = length.min(8 + size(&header[4..8]));
    // A name of four bytes, a size, and that many, made even.
    let mut at = 12;
    while at + 8 <= length {
        let mut chunk = [0; 18];
        reader.seek(SeekFrom::Start(at)).map_err(read)?;
        let there = (length - at).min(chunk.len() as u64) as usize;
        reader.read_exact(&mut chunk[..there]).map_err(read)?;
        let end = at + 8 + size(&chunk[4..8]);
        if end > length {
            return Err(cut_off(name));
        }
        // As the formats have it: behind tag and start code, and behind the signature.
        let (width, height) = match &chunk[..4] {
            b"VP8 " => (size(&chunk[14..16]) & 0x3fff, size(&chunk[16..18]) & 0x3fff),
            b"VP8L" => {
                let sides = size(&chunk[9..13]);
                ((sides & 0x3fff) + 1, (sides >> 14 & 0x3fff) + 1)
            }
            _ => (0, 0),
        };
        still::check_cost(name, (width as u32, height as u32), width * height * FRAME)?;
        at = match &chunk[..4] {
            // A frame of an animation: its place and times, and then chunks of its own.
            b"ANMF" => at + 8 + 16,
            _ => end + end % 2,
        };
    }
    reader.seek(SeekFrom::Start(0)).map_err(read)?;
    Ok(())
}

fn cut_off(name: &str) -> CameraError {
    let reason = "it ends before one of its chunks does".into();
    CameraError::Damaged { name: name.into(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::ExtendedColorType;
    use image::codecs::webp::WebPEncoder;

    #[test]
    fn a_chunk_that_claims_more_than_the_file_has_costs_the_file_and_no_memory() {
        let mut bytes = Vec::new();
        let encoder = WebPEncoder::new_lossless(&mut bytes);
        encoder.encode(&[9; 27], 3, 3, ExtendedColorType::Rgb8).unwrap();
        let picture = still::decode_bytes("a.webp", &bytes).unwrap();
        assert_eq!((picture.width(), picture.get(2, 2)), (3, Some([9; 3])));

        // What stands behind the file is none of its chunks.
        let more = [&bytes[..], b"EXIF\xff\xff\xff\xff"].concat();
        assert!(still::decode_bytes("a.webp", &more).is_ok());
        bytes.extend(b"EXIF\xff\xff\xff\xff");
        let length = bytes.len() as u32 - 8;
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        let error = still::decode_bytes("a.webp", &bytes).unwrap_err().to_string();
        assert!(error.contains("a.webp") && error.contains("chunk"), "{error}");
    }

    #[test]
    fn a_frame_larger_than_its_picture_is_refused_before_it_is_decoded() {
        let chunk = |name: &[u8; 4], body: &[u8]| {
            [name, &(body.len() as u32).to_le_bytes()[..], body].concat()
        };
        // Sixteen pixels square; each side is stored less one.
        let canvas = chunk(b"VP8X", &[0x02, 0, 0, 0, 15, 0, 0, 15, 0, 0]);
        let side = 14_000_u16.to_le_bytes();
        let lossy = chunk(b"VP8 ", &[b"\0\0\0\x9d\x01\x2a", &side[..], &side].concat());
        let sides = (13_999_u32 | 13_999 << 14).to_le_bytes();
        let lossless = chunk(b"VP8L", &[&[0x2f][..], &sides, &[0]].concat());
        let moving = chunk(b"ANMF", &[&[0; 16][..], &lossy].concat());
        for frame in [lossy, lossless, moving] {
            let body = [b"WEBP", &canvas[..], &frame, &[0; 40]].concat();
            let error = still::decode_bytes("a.webp", &chunk(b"RIFF", &body)).unwrap_err();
            assert!(error.to_string().contains("14000x14000"), "{error}");
        }
    }
}
