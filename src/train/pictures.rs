//! Pictures from files, for everything that learns or judges: read as the daemon reads them, by what
//! is in the file and not by its name, upright as EXIF says, and refused where they are cut off.
//! Boxes and landmarks count in the pixels of the upright picture.

use std::path::{Component, Path, PathBuf};

use image::metadata::Orientation;
use image::{ImageDecoder, ImageReader, ImageResult};

pub use crate::camera::decode_image as open;

use crate::camera::CameraError;

/// Width and height of the upright picture in pixels, from the file's header where that can be read.
pub fn size(path: &Path) -> Result<(u32, u32), CameraError> {
    let whole = || open(path).map(|picture| (picture.width(), picture.height()));
    // A named pipe would wait for whoever writes into it.
    if path.is_file() { header(path).or_else(|_| whole()) } else { whole() }
}

fn header(path: &Path) -> ImageResult<(u32, u32)> {
    let mut decoder = ImageReader::open(path)?.with_guessed_format()?.into_decoder()?;
    let (width, height) = decoder.dimensions();
    Ok(match decoder.orientation().unwrap_or(Orientation::NoTransforms) {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => (height, width),
        _ => (width, height),
    })
}

/// Source, class folder and name, which mostly tell pictures apart wherever the sources lie: two
/// sources often have a `without_mask/1.jpg` each. More folders where one of `others` ends so as well.
pub fn ending<'a>(path: &Path, others: impl Iterator<Item = &'a Path> + Clone) -> String {
    let parts: Vec<_> =
        path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let from = |count: usize| -> PathBuf { parts.iter().rev().take(count).rev().collect() };
    let tells = |count: &usize| {
        let ending = from(*count);
        !others.clone().any(|other| other != path && other.ends_with(&ending))
    };
    let count = (3..parts.len()).find(tells).unwrap_or(parts.len());
    let names = parts.iter().rev().take(count).rev();
    names.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;
    use std::fs;

    #[test]
    fn a_picture_is_known_by_its_bytes_and_one_cut_off_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [png, jpeg, cut] = ["a.jpg", "b.png", "c.jpg"].map(|name| folder.path().join(name));
        let mut picture = Picture::new(40, 30);
        picture.pixels_mut().iter_mut().enumerate().for_each(|(at, value)| *value = at as u8);
        let save = |path, format| {
            let (pixels, color) = (picture.pixels(), image::ColorType::Rgb8);
            image::save_buffer_with_format(path, pixels, 40, 30, color, format).unwrap();
        };
        save(&png, image::ImageFormat::Png);
        save(&jpeg, image::ImageFormat::Jpeg);
        let bytes = fs::read(&jpeg).unwrap();
        fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
        for path in [&png, &jpeg] {
            let opened = open(path).unwrap();
            assert_eq!((opened.width(), opened.height()), size(path).unwrap());
        }
        assert_eq!(open(&png).unwrap(), picture);
        let error = open(&cut).unwrap_err().to_string();
        assert!(error.contains("c.jpg"), "{error}");
    }

    #[test]
    fn a_picture_is_named_by_as_many_folders_as_tell_it_apart() {
        let paths = ["/x/site1/faces/a/1.jpg", "/x/site2/faces/a/1.jpg", "/x/site2/faces/b/1.jpg"];
        let all = paths.map(Path::new);
        let ending = |path: &str, others: &[&Path]| ending(Path::new(path), others.iter().copied());
        assert_eq!(ending(paths[0], &all), "site1/faces/a/1.jpg");
        assert_eq!(ending(paths[2], &all), "faces/b/1.jpg");
        assert_eq!(ending(paths[0], &[]), "faces/a/1.jpg");
        assert_eq!(ending("a/1.jpg", &[Path::new("/x/a/1.jpg")]), "a/1.jpg");
    }

    #[test]
    fn a_picture_that_a_phone_held_upright_counts_upright() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        let pixels = vec![90; 40 * 30 * 3];
        image::save_buffer(&path, &pixels, 40, 30, image::ColorType::Rgb8).unwrap();
        let jpeg = fs::read(&path).unwrap();
        // APP1 with one entry of TIFF: orientation 6, a quarter turn.
        let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let mut turned = jpeg[..2].to_vec();
        turned.extend([0xff, 0xe1, 0, exif.len() as u8 + 2]);
        turned.extend(exif);
        turned.extend(&jpeg[2..]);
        fs::write(&path, turned).unwrap();
        let opened = open(&path).unwrap();
        assert_eq!((opened.width(), opened.height()), (30, 40));
        assert_eq!(size(&path).unwrap(), (30, 40));
    }
}
