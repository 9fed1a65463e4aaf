//! One picture from a file or from bytes, however it is stored, as RGB and the right way up.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::codecs::{bmp::BmpDecoder, gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageFormat, ImageResult, Limits};

use super::{CameraError, jpeg, rgb, webp};
use crate::picture::Picture;

/// Memory that decoding one picture may take, judged from its header before any of it is taken.
/// That is some 35 megapixels for ordinary JPEG and 8-bit PNG, 27 where EXIF turns the picture by a
/// quarter, 12 to 18 for progressive JPEG.
pub const MAX_DECODE_BYTES: u64 = 110_000_000;

/// Longest side of a picture, in pixels.
const MAX_SIDE: u32 = 65_535;

/// Names of files taken for pictures, in lower case.
const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "png", "gif", "webp", "bmp"];

/// What the first bytes of a file say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Gif,
    /// PNG, WebP or BMP.
    Picture,
    /// None of these: a video perhaps.
    Other,
}

/// Decodes the picture in `path`: JPEG, PNG, GIF (its first frame), WebP or BMP, known by its
/// bytes. Grey, 16-bit, CMYK and YCCK become RGB; what is transparent is laid on white; the
/// orientation in EXIF is applied.
pub fn decode_image(path: &Path) -> Result<Picture, CameraError> {
    let read = |source| CameraError::Read { path: path.to_path_buf(), source };
    // Before it is opened: a named pipe would wait for whoever writes into it.
    let kind = std::fs::metadata(path).map_err(read)?;
    if kind.is_dir() {
        return Err(read(std::io::ErrorKind::IsADirectory.into()));
    }
    if !kind.is_file() {
        return Err(CameraError::NotAFile { path: path.to_path_buf() });
    }
    let file = File::open(path).map_err(read)?;
    decode(&path.display().to_string(), BufReader::new(file))
}

/// As `decode_image`, for bytes in memory; `name` is what errors call them.
pub fn decode_bytes(name: &str, bytes: &[u8]) -> Result<Picture, CameraError> {
    decode(name, Cursor::new(bytes))
}

/// Whether a file's name promises a picture.
pub(super) fn is_named_picture(path: &Path) -> bool {
    has_extension(path, &EXTENSIONS)
}

pub(super) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| extensions.contains(&extension.to_ascii_lowercase().as_str()))
}

/// What the file is, by its first bytes. An empty file is an error, and so is something else
/// under a picture's name.
pub(super) fn sniff(path: &Path) -> Result<Kind, CameraError> {
    let read = |source| CameraError::Read { path: path.to_path_buf(), source };
    let mut reader = BufReader::new(File::open(path).map_err(read)?);
    let name = path.display().to_string();
    match format(&name, &mut reader) {
        Ok(ImageFormat::Jpeg) => Ok(Kind::Jpeg),
        Ok(ImageFormat::Gif) => Ok(Kind::Gif),
        Ok(_) => Ok(Kind::Picture),
        Err(CameraError::NotAPicture { .. }) if !is_named_picture(path) => Ok(Kind::Other),
        Err(error) => Err(error),
    }
}

fn decode(name: &str, reader: impl BufRead + Seek) -> Result<Picture, CameraError> {
    // Some damage to an animated WebP makes its decoder panic.
    catch_unwind(AssertUnwindSafe(|| decode_unguarded(name, reader))).unwrap_or_else(|_| {
        let reason = "its decoder stumbled, as told above".into();
        Err(CameraError::Damaged { name: name.into(), reason })
    })
}

fn decode_unguarded(name: &str, mut reader: impl BufRead + Seek) -> Result<Picture, CameraError> {
    match format(name, &mut reader)? {
        ImageFormat::Jpeg => jpeg::decode_still(name, &read_jpeg(name, reader)?),
        ImageFormat::Png => finish(name, PngDecoder::with_limits(reader, limits()), 0),
        ImageFormat::Gif => {
            // A frame may claim to be larger than the canvas, whose size is judged.
            let limited = GifDecoder::new(reader).and_then(|mut decoder| {
                decoder.set_limits(limits())?;
                Ok(decoder)
            });
            finish(name, limited, 1)
        }
        ImageFormat::WebP => {
            webp::check(name, &mut reader)?;
            let decoder = WebPDecoder::new(reader);
            let scratch = match &decoder {
                Ok(decoder) if decoder.has_animation() => 8,
                Ok(decoder) if decoder.color_type() == ColorType::Rgba8 => 7,
                _ => 4,
            };
            finish(name, decoder, scratch)
        }
        _ => finish(name, BmpDecoder::new(reader), 0),
    }
}

fn format(name: &str, reader: &mut impl BufRead) -> Result<ImageFormat, CameraError> {
    let start = reader.fill_buf().map_err(|source| read_error(name, source))?;
    if start.is_empty() {
        return Err(CameraError::Empty { name: name.into() });
    }
    match image::guess_format(start) {
        Ok(
            known @ (ImageFormat::Jpeg
            | ImageFormat::Png
            | ImageFormat::Gif
            | ImageFormat::WebP
            | ImageFormat::Bmp),
        ) => Ok(known),
        _ => {
            let start = start.get(..12).unwrap_or(start);
            let start = format!("\"{}\"", start.escape_ascii());
            Err(CameraError::NotAPicture { name: name.into(), start })
        }
    }
}

/// The whole file: JPEG is decoded from memory.
fn read_jpeg(name: &str, reader: impl Read) -> Result<Vec<u8>, CameraError> {
    let mut bytes = Vec::new();
    reader
        .take(MAX_DECODE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|source| read_error(name, source))?;
    Ok(bytes)
}

pub(super) fn limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODE_BYTES);
    limits
}

/// `scratch` is what the decoder takes beside its output, in bytes a pixel.
fn finish<D: ImageDecoder>(
    name: &str,
    decoder: ImageResult<D>,
    scratch: u64,
) -> Result<Picture, CameraError> {
    let damaged = |error: image::ImageError| damaged(name, error);
    let mut decoder = decoder.map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let pixels = u64::from(width) * u64::from(height);
    let decoding = decoder.total_bytes().saturating_add(pixels * scratch);
    check_cost(name, (width, height), decoding.max(upright_cost((width, height), orientation)))?;
    let mut samples = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut samples).map_err(damaged)?;
    let layout = match color {
        ColorType::L8 => rgb::Samples { channels: 1, bytes: 1 },
        ColorType::La8 => rgb::Samples { channels: 2, bytes: 1 },
        ColorType::Rgb8 => rgb::Samples { channels: 3, bytes: 1 },
        ColorType::Rgba8 => rgb::Samples { channels: 4, bytes: 1 },
        ColorType::L16 => rgb::Samples { channels: 1, bytes: 2 },
        ColorType::La16 => rgb::Samples { channels: 2, bytes: 2 },
        ColorType::Rgb16 => rgb::Samples { channels: 3, bytes: 2 },
        ColorType::Rgba16 => rgb::Samples { channels: 4, bytes: 2 },
        other => {
            let reason = format!("its pixels are {other:?}, which is not read");
            return Err(CameraError::Damaged { name: name.into(), reason });
        }
    };
    let pixels = rgb::to_rgb(samples, layout);
    upright(name, width, height, pixels, orientation)
}

/// What an RGB picture takes while it is turned upright, in bytes.
pub(super) fn upright_cost((width, height): (u32, u32), orientation: Orientation) -> u64 {
    let bytes_a_pixel = if rgb::is_quarter_turn(orientation) { 4 } else { 3 };
    u64::from(width) * u64::from(height) * bytes_a_pixel
}

/// Refuses what would take more than `MAX_DECODE_BYTES`, or has a side over `MAX_SIDE`.
pub(super) fn check_cost(
    name: &str,
    (width, height): (u32, u32),
    bytes: u64,
) -> Result<(), CameraError> {
    // A side beyond what JPEG and GIF can have is nobody's photograph, and scaling it takes more
    // than its pixels do.
    let longest = width.max(height);
    if longest > MAX_SIDE {
        return Err(CameraError::TooLong { name: name.into(), width, height, limit: MAX_SIDE });
    }
    if bytes <= MAX_DECODE_BYTES {
        return Ok(());
    }
    let (megabytes, limit) = (bytes.div_ceil(1_000_000), MAX_DECODE_BYTES / 1_000_000);
    Err(CameraError::TooLarge { name: name.into(), width, height, megabytes, limit })
}

/// `width` × `height` pixels of RGB, turned as EXIF asks.
pub(super) fn upright(
    name: &str,
    width: u32,
    height: u32,
    pixels: Vec<u8>,
    orientation: Orientation,
) -> Result<Picture, CameraError> {
    Picture::from_pixels(width, height, pixels)
        .map(|picture| rgb::oriented(picture, orientation))
        .ok_or_else(|| CameraError::Damaged {
            name: name.into(),
            reason: format!("its data does not fill {width}x{height} pixels"),
        })
}

fn damaged(name: &str, error: image::ImageError) -> CameraError {
    CameraError::Damaged { name: name.into(), reason: error.to_string() }
}

pub(super) fn read_error(name: &str, source: std::io::Error) -> CameraError {
    CameraError::Read { path: name.into(), source }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{difference, exif, jpeg, scene, with_segment};
    use super::*;
    use image::codecs::{gif::GifEncoder, png::PngEncoder};
    use image::{ExtendedColorType, ImageEncoder};
    use proptest::prelude::*;

    fn message(result: Result<Picture, CameraError>) -> String {
        result.unwrap_err().to_string()
    }

    fn png(samples: &[u8], width: u32, height: u32, color: ExtendedColorType) -> Vec<u8> {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes).write_image(samples, width, height, color).unwrap();
        bytes
    }

    /// A PNG whose header says this size, and in which nothing follows.
    fn png_header(width: u32, height: u32) -> Vec<u8> {
        let mut chunk = b"IHDR".to_vec();
        chunk.extend(width.to_be_bytes());
        chunk.extend(height.to_be_bytes());
        chunk.extend([8, 2, 0, 0, 0]);
        let crc = !chunk.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
            })
        });
        let start = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".as_slice();
        [start, &chunk, &crc.to_be_bytes(), b"\0\0\0\0IDAT\x35\xaf\x06\x1e"].concat()
    }

    #[test]
    fn an_empty_file_is_called_empty() {
        assert_eq!(message(decode_bytes("a.jpg", b"")), "a.jpg is empty");
    }

    #[test]
    fn text_named_jpg_is_called_no_picture_and_shown() {
        let said = message(decode_bytes("notes.jpg", b"Dear all, here is the"));
        assert!(said.starts_with("notes.jpg is not a picture (it begins with \"Dear all, he\")"));
    }

    #[test]
    fn a_jpeg_that_is_cut_off_is_an_error_wherever_it_is_cut() {
        let bytes = jpeg(160, 120, 0);
        for part in [3, 10, 300, bytes.len() / 2, bytes.len() * 3 / 4] {
            let said = message(decode_bytes("cut.jpg", &bytes[..part]));
            assert!(said.starts_with("cut.jpg is damaged: it ends after "), "{part}: {said}");
        }
    }

    #[test]
    fn a_jpeg_damaged_inside_still_shows_what_is_left() {
        let mut bytes = jpeg(160, 120, 0);
        let middle = bytes.len() / 2;
        bytes[middle..middle + 40].fill(0xf1);
        let picture = decode_bytes("scratched.jpg", &bytes).unwrap();
        assert_eq!((picture.width(), picture.height()), (160, 120));
    }

    #[test]
    fn a_picture_too_large_is_refused_by_its_header_alone() {
        let said = message(decode_bytes("wide.png", &png_header(3_000_000, 1)));
        assert_eq!(
            said,
            "wide.png is too large: 3000000x1 pixels, and a side may have 65535; cut or scale it"
        );
        let said = message(decode_bytes("big.png", &png_header(30_000, 30_000)));
        assert_eq!(
            said,
            "big.png is too large: 30000x30000 pixels take 2700 MB to decode, and the limit is \
             110 MB; scale it down"
        );
        let mut large = jpeg(16, 16, 0);
        let frame = large.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        large[frame + 5..frame + 9].copy_from_slice(&[0x75, 0x30, 0x75, 0x30]);
        assert!(message(decode_bytes("big.jpg", &large)).contains("30000x30000"));
    }

    #[test]
    fn a_single_pixel_and_a_single_column_are_pictures() {
        for (width, height) in [(1, 1), (1, 4000), (4000, 1)] {
            let stored = png(&scene(width, height, 0), width, height, ExtendedColorType::Rgb8);
            for bytes in [jpeg(width, height, 0), stored] {
                let picture = decode_bytes("thin", &bytes).unwrap();
                assert_eq!((picture.width(), picture.height()), (width, height));
            }
        }
    }

    #[test]
    fn the_orientation_in_exif_is_applied() {
        let upright = decode_bytes("a", &jpeg(48, 32, 0)).unwrap();
        for orientation in 1..=8 {
            let bytes = with_segment(&jpeg(48, 32, 0), 0xe1, &exif(orientation));
            let turned = decode_bytes("a", &bytes).unwrap();
            let wanted =
                rgb::oriented(upright.clone(), Orientation::from_exif(orientation).unwrap());
            assert_eq!((turned.width(), turned.height()), (wanted.width(), wanted.height()));
            assert!(turned.pixels() == wanted.pixels(), "orientation {orientation}");
        }
    }

    #[test]
    fn grey_transparent_and_16_bit_pictures_become_rgb() {
        let grey = png(&[7, 200], 2, 1, ExtendedColorType::L8);
        assert_eq!(decode_bytes("a", &grey).unwrap().pixels(), [7, 7, 7, 200, 200, 200]);
        let clear = png(&[9, 9, 9, 0, 1, 2, 3, 255], 2, 1, ExtendedColorType::Rgba8);
        assert_eq!(decode_bytes("a", &clear).unwrap().pixels(), [255, 255, 255, 1, 2, 3]);
        let deep: Vec<u8> =
            [0x1234_u16, 0x5678, 0xfedc].iter().flat_map(|v| v.to_ne_bytes()).collect();
        let deep = png(&deep, 1, 1, ExtendedColorType::Rgb16);
        assert_eq!(decode_bytes("a", &deep).unwrap().pixels(), [0x12, 0x56, 0xfe]);
    }

    #[test]
    fn cmyk_ycck_and_progressive_jpeg_show_their_colours() {
        let files: [(&str, &[u8]); 3] = [
            ("cmyk.jpg", include_bytes!("../../tests/data/cmyk.jpg")),
            ("ycck.jpg", include_bytes!("../../tests/data/ycck.jpg")),
            ("progressive.jpg", include_bytes!("../../tests/data/progressive.jpg")),
        ];
        let patches = [
            (8, 8, [200, 40, 30]),
            (24, 8, [30, 180, 60]),
            (8, 24, [40, 60, 200]),
            (24, 24, [240; 3]),
        ];
        for (name, bytes) in files {
            let picture = decode_bytes(name, bytes).unwrap();
            for (x, y, wanted) in patches {
                let found = picture.get(x, y).unwrap();
                assert!(difference(&found, &wanted) < 4.0, "{name} at {x},{y}: {found:?}");
            }
        }
    }

    #[test]
    fn a_gif_gives_its_first_frame() {
        let mut bytes = Vec::new();
        let frame = image::RgbaImage::from_pixel(5, 4, image::Rgba([255, 0, 0, 255]));
        GifEncoder::new(&mut bytes).encode_frame(image::Frame::new(frame)).unwrap();
        assert_eq!(decode_bytes("a.gif", &bytes).unwrap().get(4, 3), Some([255, 0, 0]));
    }

    #[test]
    fn a_file_that_its_decoder_stumbles_over_is_damaged_and_no_more() {
        let bytes = include_bytes!("../../tests/data/stumble.webp");
        let told = message(decode_bytes("stumble.webp", bytes));
        assert!(told.contains("stumble.webp is damaged"), "{told}");
    }

    #[test]
    fn a_folder_and_a_missing_file_are_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(message(decode_image(folder.path())).contains("is a directory"));
        let missing = folder.path().join("none.png");
        assert!(
            message(decode_image(&missing))
                .starts_with(&format!("cannot read {}", missing.display()))
        );
    }

    fn encoded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let pixels = scene(width, height, 0);
        let color = ExtendedColorType::Rgb8;
        image::write_buffer_with_format(&mut bytes, &pixels, width, height, color, format).unwrap();
        bytes.into_inner()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn no_damage_to_a_file_makes_it_crash(
            kind in 0_usize..7, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut in prop::option::of(any::<prop::sample::Index>())
        ) {
            let mut bytes = match kind {
                0 => jpeg(40, 24, 0),
                1 => png(&scene(16, 9, 0), 16, 9, ExtendedColorType::Rgb8),
                2 => include_bytes!("../../tests/data/progressive.jpg").to_vec(),
                3 => include_bytes!("../../tests/data/stumble.webp").to_vec(),
                4 => encoded(16, 9, ImageFormat::Gif),
                5 => encoded(16, 9, ImageFormat::Bmp),
                _ => include_bytes!("../../tests/data/ycck.jpg").to_vec(),
            };
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(picture) = decode_bytes("changed", &bytes) {
                prop_assert!(picture.width() > 0 && picture.height() > 0);
            }
        }
    }
}
