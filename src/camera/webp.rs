use std::io::{Read, Seek, SeekFrom};

use super::{CameraError, still};

/// Refuses a WebP file with a chunk that reaches beyond its end: the decoder takes the memory that
/// a chunk claims before it reads it.
pub(super) fn is_whole(name: &str, reader: &mut (impl Read + Seek)) -> Result<(), CameraError> {
    let mut chunks = || -> std::io::Result<bool> {
        let length = reader.seek(SeekFrom::End(0))?;
        // After RIFF, its size and WEBP: a name of four bytes, a size, and that many, made even.
        let mut at = 12;
        while at + 8 <= length {
            reader.seek(SeekFrom::Start(at + 4))?;
            let mut size = [0; 4];
            reader.read_exact(&mut size)?;
            at += 8 + u64::from(u32::from_le_bytes(size));
            if at > length {
                return Ok(false);
            }
            at += at % 2;
        }
        reader.seek(SeekFrom::Start(0))?;
        Ok(true)
    };
    match chunks().map_err(|source| still::read_error(name, source))? {
        true => Ok(()),
        false => {
            let reason = "it ends before one of its chunks does".into();
            Err(CameraError::Damaged { name: name.into(), reason })
        }
    }
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

        bytes.extend(b"EXIF\xff\xff\xff\xff");
        let error = still::decode_bytes("a.webp", &bytes).unwrap_err().to_string();
        assert!(error.contains("a.webp") && error.contains("chunk"), "{error}");
    }
}
