//! Whole pictures with their faces, held in memory: the training draws thousands of samples from
//! each.

use anyhow::Result;

use super::targets::Target;
use crate::picture::{Picture, Point, Rect};
use crate::train::boxes::{self, AnnotatedImage};
use crate::train::pictures;
use crate::vision::crop;

/// Longer side pictures are kept at, in pixels: twice what the detector sees by default.
const LONGEST: u32 = 640;

/// Landmarks of narrower faces, in pixels of the picture as it is stored, are left out: the teacher
/// places them at a tenth of the width beside where it does in a larger picture. How small faces
/// look is learned from large ones scaled down.
const CLEAR: f32 = 32.0;

/// One picture.
pub struct Scene {
    pub picture: Picture,
    pub faces: Vec<Target>,
}

/// The pictures of one `--boxes` or `--background`.
pub struct Scenes {
    pub name: String,
    pub scenes: Vec<Scene>,
    /// Faces to learn, or pictures where these are more.
    pub size: usize,
    /// Places without a face that are taken for one; see `mining`.
    pub lures: Vec<Hard>,
    /// Faces that are not found, or hardly.
    pub missed: Vec<Hard>,
}

/// A place that a detector is wrong about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hard {
    /// Number of the picture in its [`Scenes`].
    pub scene: usize,
    /// In pixels of that picture.
    pub bounds: Rect,
    /// Square root of the box's area in the picture that the detector saw, in pixels.
    pub size: f32,
}

/// Reads the pictures of `images`; those that cannot be decoded are named and left out.
pub fn load(name: &str, images: &[AnnotatedImage]) -> Scenes {
    Scenes::new(name, images.iter().filter_map(scene).collect())
}

impl Scenes {
    pub fn new(name: &str, scenes: Vec<Scene>) -> Self {
        let faces = scenes.iter().flat_map(|scene| &scene.faces).filter(|face| !face.ignore);
        let size = faces.count().max(scenes.len());
        Self { name: name.to_owned(), scenes, size, lures: Vec::new(), missed: Vec::new() }
    }
}

/// Reads a CSV and says what was left out: rows, and pictures in which a face may be where no box is.
pub fn annotated(name: &str) -> Result<Vec<AnnotatedImage>> {
    let boxes = boxes::read_named(name)?;
    let rows = boxes.skipped.len();
    let boxes = boxes.without_incomplete();
    let pictures = boxes.skipped.len() - rows;
    boxes.skipped.iter().for_each(|line| log::warn!("skipped {line}"));
    log::info!(
        "{name}: {} pictures, {rows} rows skipped, {pictures} pictures left out for them",
        boxes.images.len()
    );
    Ok(boxes.images)
}

fn scene(image: &AnnotatedImage) -> Option<Scene> {
    let picture = match pictures::open(&image.path) {
        Ok(picture) => picture,
        Err(error) => {
            log::warn!("skipped {error}");
            return None;
        }
    };
    let (width, height) = (picture.width(), picture.height());
    let scale = (LONGEST as f32 / width.max(height) as f32).min(1.0);
    let picture = if scale < 1.0 {
        let whole = Rect { x1: 0.0, y1: 0.0, x2: width as f32, y2: height as f32 };
        let to = |side: u32| ((side as f32 * scale).round() as u32).max(1);
        let mut small = Picture::new(to(width), to(height));
        crop::resize(&picture, &whole, &mut small);
        small
    } else {
        picture
    };
    let faces = image.faces.iter().map(|face| Target {
        bounds: face.bounds.scaled(scale, scale),
        landmarks: face
            .landmarks
            .filter(|_| face.bounds.width() >= CLEAR)
            .map(|points| points.map(|p| Point { x: p.x * scale, y: p.y * scale })),
        ignore: face.ignore,
        label: face.label,
    });
    Some(Scene { faces: faces.collect(), picture })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_in_which_a_face_may_be_where_no_box_is_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("door")).unwrap();
        for name in ["a.png", "b.png"] {
            image::RgbImage::new(90, 60).save(folder.path().join("door").join(name)).unwrap();
        }
        let csv = folder.path().join("door.csv");
        let rows = "image,xmin,ymin,xmax,ymax,label\n\
                    a.png,0,0,30,30,with_mask\n\
                    a.png,30,0,sixty,30,with_mask\n\
                    b.png,0,0,30,30,with_mask\n\
                    b.png,30,0,60,30,masked\n";
        std::fs::write(&csv, rows).unwrap();
        let images = annotated(csv.to_str().unwrap()).unwrap();
        assert_eq!(images.len(), 1, "{images:?}");
        let ignored: Vec<bool> = images[0].faces.iter().map(|face| face.ignore).collect();
        assert_eq!(ignored, [false, true]);
    }
}
