//! Still pictures as frames: one file, or the files of a folder in the order of their names.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::mjpeg::time_of;
use super::{CameraError, DEFAULT_RATE, Frame, Source, decode_image, still};

/// The picture files of a folder, by their names (.jpg, .jpeg, .png, .gif, .webp, .bmp), sorted;
/// what is no file, such as a folder or a named pipe, is left out. An error where there are none.
pub fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, CameraError> {
    let read = |source| CameraError::Read { path: folder.to_path_buf(), source };
    let mut pictures = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        // A link that leads nowhere stays in, to be told.
        if still::is_named_picture(&path) && path.metadata().map_or(true, |data| data.is_file()) {
            pictures.push(path);
        }
    }
    if pictures.is_empty() {
        return Err(CameraError::NoPictures { path: folder.to_path_buf() });
    }
    pictures.sort();
    Ok(pictures)
}

pub(super) struct Folder {
    path: PathBuf,
    left: VecDeque<PathBuf>,
    /// A folder passes over what it cannot read; a single file has nothing else to give.
    single: bool,
    count: u64,
    number: u64,
    broken: u64,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, CameraError> {
        Ok(Self::new(path, pictures_in(path)?.into(), false))
    }

    pub(super) fn single(path: &Path) -> Self {
        Self::new(path, [path.to_path_buf()].into(), true)
    }

    fn new(path: &Path, left: VecDeque<PathBuf>, single: bool) -> Self {
        let count = left.len() as u64;
        Self { path: path.to_path_buf(), left, single, count, number: 0, broken: 0 }
    }
}

impl Source for Folder {
    fn next(&mut self) -> Result<Option<Frame>, CameraError> {
        while let Some(path) = self.left.pop_front() {
            let number = self.number;
            self.number += 1;
            match decode_image(&path) {
                Ok(picture) => {
                    let captured_at = time_of(number, DEFAULT_RATE);
                    return Ok(Some(Frame { picture, number, captured_at }));
                }
                Err(error) if self.single => return Err(error),
                Err(error) => {
                    self.broken += 1;
                    log::warn!("{error}; passed over");
                    if self.broken == self.count {
                        return Err(CameraError::NoFrames {
                            path: self.path.clone(),
                            count: self.count,
                            reason: error.to_string(),
                        });
                    }
                }
            }
        }
        Ok(None)
    }

    fn describe(&self) -> String {
        match self.single {
            true => format!("file {}, a picture", self.path.display()),
            false => format!("folder {}, {} pictures", self.path.display(), self.count),
        }
    }

    fn rate(&self) -> Option<f32> {
        (!self.single).then_some(DEFAULT_RATE)
    }

    fn frames(&self) -> Option<u64> {
        Some(self.count)
    }

    fn broken(&self) -> u64 {
        self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::jpeg;
    use super::*;
    use std::fs;

    #[test]
    fn pictures_come_in_the_order_of_their_names_and_a_bad_one_keeps_its_number() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("c.jpg"), jpeg(30, 20, 0)).unwrap();
        fs::write(folder.path().join("a.JPG"), jpeg(10, 20, 0)).unwrap();
        fs::write(folder.path().join("b.png"), "no picture").unwrap();
        fs::write(folder.path().join("notes.txt"), "not asked for").unwrap();
        fs::create_dir(folder.path().join("d.jpg")).unwrap();
        // A named pipe, on which a reader would wait for ever.
        let made = std::process::Command::new("mkfifo").arg(folder.path().join("e.jpg")).status();
        assert!(made.unwrap().success());
        let mut source = Folder::open(folder.path()).unwrap();
        assert_eq!(source.frames(), Some(3));
        let seen: Vec<_> = std::iter::from_fn(|| source.next().unwrap())
            .map(|frame| (frame.number, frame.picture.width(), frame.captured_at.as_millis()))
            .collect();
        assert_eq!(seen, [(0, 10, 0), (2, 30, 200)]);
        assert_eq!(source.broken(), 1);
    }

    #[test]
    fn a_folder_without_pictures_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.txt"), "nothing to see").unwrap();
        let said = pictures_in(folder.path()).unwrap_err().to_string();
        assert!(
            said.starts_with(&format!("{} is a folder without pictures", folder.path().display()))
        );
    }

    #[test]
    fn a_folder_of_broken_pictures_only_is_an_error_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.jpg"), "").unwrap();
        fs::write(folder.path().join("b.jpg"), "text").unwrap();
        let said = Folder::open(folder.path()).unwrap().next().unwrap_err().to_string();
        assert!(said.contains("not one of its 2 frames can be decoded"), "{said}");
    }
}
