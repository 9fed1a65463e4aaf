//! A source's pictures cropped, turned and mirrored, in this order: for cameras that hang on their
//! side or see more than the door.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use image::metadata::Orientation;

use super::{CameraError, Frame, Source, rgb};
use crate::config::{self, Region};
use crate::picture::Picture;

struct Turned {
    inner: Box<dyn Source>,
    /// As it is written in the configuration.
    crop: String,
    region: Option<Region>,
    orientation: Orientation,
}

/// `source` with what `camera` says done to its pictures; itself where that is nothing.
pub(super) fn turned(source: Box<dyn Source>, camera: &config::Camera) -> Box<dyn Source> {
    let region = camera.crop.parse().ok();
    // Turned, and mirrored after that.
    let orientation = match (camera.rotate, camera.mirror) {
        (90, false) => Orientation::Rotate90,
        (180, false) => Orientation::Rotate180,
        (270, false) => Orientation::Rotate270,
        (90, true) => Orientation::Rotate90FlipH,
        (180, true) => Orientation::FlipVertical,
        (270, true) => Orientation::Rotate270FlipH,
        (_, true) => Orientation::FlipHorizontal,
        (_, false) => Orientation::NoTransforms,
    };
    if region.is_none() && orientation == Orientation::NoTransforms {
        return source;
    }
    Box::new(Turned { inner: source, crop: camera.crop.clone(), region, orientation })
}

impl Source for Turned {
    fn next(&mut self) -> Result<Option<Frame>, CameraError> {
        let Some(mut frame) = self.inner.next()? else { return Ok(None) };
        if let Some(region) = self.region {
            let (width, height) = (frame.picture.width(), frame.picture.height());
            frame.picture = cropped(&frame.picture, region).ok_or_else(|| {
                CameraError::CropOutside { crop: self.crop.clone(), width, height }
            })?;
        }
        frame.picture = rgb::oriented(frame.picture, self.orientation);
        Ok(Some(frame))
    }

    fn describe(&self) -> String {
        let mut text = self.inner.describe();
        if self.region.is_some() {
            text += &format!(", cropped to {}", self.crop);
        }
        match self.orientation {
            Orientation::NoTransforms => {}
            Orientation::FlipHorizontal => text += ", mirrored",
            Orientation::FlipVertical => text += ", turned by 180 degrees and mirrored",
            Orientation::Rotate90 => text += ", turned by 90 degrees",
            Orientation::Rotate180 => text += ", turned by 180 degrees",
            Orientation::Rotate270 => text += ", turned by 270 degrees",
            Orientation::Rotate90FlipH => text += ", turned by 90 degrees and mirrored",
            Orientation::Rotate270FlipH => text += ", turned by 270 degrees and mirrored",
        }
        text
    }

    fn rate(&self) -> Option<f32> {
        self.inner.rate()
    }

    fn frames(&self) -> Option<u64> {
        self.inner.frames()
    }

    fn broken(&self) -> u64 {
        self.inner.broken()
    }

    fn stop_on(&mut self, stop: Arc<AtomicBool>) {
        self.inner.stop_on(stop);
    }
}

/// `None` where the region does not lie within the picture.
fn cropped(picture: &Picture, region: Region) -> Option<Picture> {
    let Region { left, top, width, height } = region;
    if left.checked_add(width)? > picture.width() || top.checked_add(height)? > picture.height() {
        return None;
    }
    let mut out = Picture::new(width, height);
    let (row, part) = (picture.width() as usize * 3, width as usize * 3);
    let lines = picture.pixels().chunks_exact(row).skip(top as usize);
    for (to, from) in out.pixels_mut().chunks_exact_mut(part).zip(lines) {
        to.copy_from_slice(from.get(left as usize * 3..)?.get(..part)?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One picture whose pixels tell their place.
    struct Once(Option<Picture>);

    impl Source for Once {
        fn next(&mut self) -> Result<Option<Frame>, CameraError> {
            let frame = |picture| Frame { picture, number: 0, captured_at: Default::default() };
            Ok(self.0.take().map(frame))
        }

        fn describe(&self) -> String {
            "a picture".into()
        }

        fn rate(&self) -> Option<f32> {
            None
        }
    }

    fn placed(width: u32, height: u32) -> Picture {
        let mut picture = Picture::new(width, height);
        for y in 0..height {
            for x in 0..width {
                picture.put(x.into(), y.into(), [x as u8, y as u8, 0]);
            }
        }
        picture
    }

    fn source(crop: &str, rotate: u32, mirror: bool) -> Box<dyn Source> {
        let camera =
            config::Camera { crop: crop.into(), rotate, mirror, ..config::Camera::default() };
        turned(Box::new(Once(Some(placed(40, 30)))), &camera)
    }

    fn picture(crop: &str, rotate: u32, mirror: bool) -> Picture {
        source(crop, rotate, mirror).next().unwrap().unwrap().picture
    }

    #[test]
    fn a_picture_is_cropped_then_turned_then_mirrored() {
        assert_eq!(picture("", 0, false), placed(40, 30));
        let cropped = picture("20x16+5+7", 0, false);
        assert_eq!((cropped.width(), cropped.height()), (20, 16));
        assert_eq!((cropped.get(0, 0), cropped.get(19, 15)), (Some([5, 7, 0]), Some([24, 22, 0])));
        // Clockwise: what was on the left is on top; its lower end comes first.
        let turned = picture("20x16+5+7", 90, false);
        assert_eq!((turned.width(), turned.height()), (16, 20));
        assert_eq!((turned.get(0, 0), turned.get(15, 0)), (Some([5, 22, 0]), Some([5, 7, 0])));
        assert_eq!(picture("20x16+5+7", 90, true), turned.mirrored());
        for rotate in [0, 180, 270] {
            assert_eq!(picture("", rotate, true), picture("", rotate, false).mirrored());
        }
        assert_eq!(picture("", 180, false).get(0, 0), Some([39, 29, 0]));
        assert_eq!(picture("", 270, false).get(0, 0), Some([39, 0, 0]));
    }

    #[test]
    fn what_is_done_is_told() {
        let told = source("16x16+0+0", 90, true).describe();
        assert_eq!(told, "a picture, cropped to 16x16+0+0, turned by 90 degrees and mirrored");
    }

    #[test]
    fn a_region_beyond_the_picture_is_told_with_the_size_of_the_picture() {
        for crop in ["16x16+30+0", "16x16+0+20", "41x16+0+0", "16x16+65535+0"] {
            let said = source(crop, 0, false).next().unwrap_err().to_string();
            let start =
                format!("[camera] crop = \"{crop}\" does not lie within the picture of 40x30");
            assert!(said.starts_with(&start), "{said}");
        }
        assert_eq!(picture("40x30+0+0", 0, false), placed(40, 30));
    }
}
