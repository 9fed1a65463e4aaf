//! A number for what a training learns from, so that it is not taken up with something else under
//! the same names.

use std::fs;
use std::io;
use std::path::Path;

use super::random::hash_of;
use crate::picture::{Picture, Point, Rect};

/// Grows with everything that is added, in its order.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    bytes: Vec<u8>,
}

impl Digest {
    /// Adds a file's bytes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn file(&mut self, path: &Path) -> io::Result<()> {
        let hash = hash_of(fs::read(path)?);
        self.bytes.extend(hash.to_le_bytes());
        Ok(())
    }

    /// Adds a face of a picture, which counts by its folder and name wherever that lies. `kind` is
    /// what else tells it from others.
    pub fn face(&mut self, picture: &Path, bounds: Option<Rect>, kind: &[u8]) {
        for part in picture.iter().rev().take(2) {
            self.bytes.extend(part.as_encoded_bytes());
            self.bytes.push(0);
        }
        if let Some(Rect { x1, y1, x2, y2 }) = bounds {
            self.bytes.extend([x1, y1, x2, y2].iter().flat_map(|edge| edge.to_le_bytes()));
        }
        self.bytes.extend(kind);
    }

    /// Adds enough of a picture's pixels to tell it from others.
    pub fn pixels(&mut self, picture: &Picture) {
        self.bytes.extend(picture.pixels().iter().step_by(1009));
    }

    /// Adds where a face has its eyes, nose and mouth.
    pub fn landmarks(&mut self, landmarks: &[Point; 5]) {
        self.points(landmarks);
    }

    /// Adds points in their order.
    pub fn points(&mut self, points: &[Point]) {
        let numbers = points.iter().flat_map(|point| [point.x, point.y]);
        self.bytes.extend(numbers.flat_map(f32::to_le_bytes));
    }

    /// Sixteen hexadecimal digits.
    pub fn text(&self) -> String {
        format!("{:016x}", hash_of(self.bytes.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_hangs_on_content_and_order_and_not_on_where_things_lie() {
        let of = |parts: &[(&str, f32, u8)]| {
            let mut digest = Digest::default();
            for (path, x1, kind) in parts {
                let bounds = Rect { x1: *x1, y1: 0.0, x2: 9.0, y2: 9.0 };
                digest.face(Path::new(path), Some(bounds), &[*kind]);
            }
            digest.text()
        };
        let one = of(&[("/here/door/1.jpg", 0.0, 0)]);
        assert_eq!(one, of(&[("/there/door/1.jpg", 0.0, 0)]));
        for other in [("a/door/2.jpg", 0.0, 0), ("a/door/1.jpg", 1.0, 0), ("a/door/1.jpg", 0.0, 1)]
        {
            assert_ne!(one, of(&[other]));
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights");
        let of_file = |content: &str| {
            fs::write(&file, content).unwrap();
            let mut digest = Digest::default();
            digest.file(&file).unwrap();
            digest.text()
        };
        assert_ne!(of_file("a"), of_file("b"));
        let of_grey = |grey: u8| {
            let mut picture = Picture::new(64, 64);
            picture.pixels_mut().fill(grey);
            let mut digest = Digest::default();
            digest.pixels(&picture);
            digest.text()
        };
        assert_ne!(of_grey(1), of_grey(2), "another picture under the same name");
    }
}
