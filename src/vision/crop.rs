//! The one way from a frame and a face to what the classifier sees. Daemon and trainer both come
//! through here, so they cannot disagree.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::picture::{Picture, Rect};

/// How much of the surroundings the classifier sees, as a part of the face's longer side added on
/// each side. Chin, ears and a mask's lower edge lie outside many detectors' boxes.
pub const MARGIN: f32 = 0.15;

/// Pixels of the largest square that is cut beyond an edge as it is: three bytes each.
const LARGEST: f64 = 48e6;

/// The square that is cut for a face: about the box's centre, side `max(w, h) * (1 + 2 * margin)`
/// pixels. It may reach beyond the picture.
pub fn region(bounds: &Rect, margin: f32) -> Rect {
    let center = bounds.center();
    let half = bounds.width().max(bounds.height()) * (0.5 + margin);
    Rect { x1: center.x - half, y1: center.y - half, x2: center.x + half, y2: center.y + half }
}

/// Cuts `region` (pixels of `picture`, fractions allowed) and scales it to `size` × `size`.
/// Beyond the picture's edge the nearest pixel of the edge is repeated: a grey or black border
/// would be a shape of its own. Shrinking averages all pixels (no aliasing), growing is bilinear.
/// An empty picture or region gives black.
pub fn cut(picture: &Picture, region: &Rect, size: u32) -> Picture {
    let longest = picture.width().max(picture.height()) as f32;
    // A region far larger than the picture would show nothing of it.
    let usable = picture.width() > 0 && picture.height() > 0 && region.area() > 0.0;
    if !usable || size == 0 || !region.width().is_finite() || region.width() > 4.0 * longest {
        return Picture::new(size, size);
    }
    cut_usable(picture, region, size)
}

fn cut_usable(picture: &Picture, region: &Rect, size: u32) -> Picture {
    let mut out = Picture::new(size, size);
    let x0 = region.x1.floor() as i64;
    let y0 = region.y1.floor() as i64;
    let width = (region.x2.ceil() as i64 - x0).max(1) as u32;
    let height = (region.y2.ceil() as i64 - y0).max(1) as u32;
    let pixels = f64::from(width) * f64::from(height);
    let inside = x0 >= 0
        && y0 >= 0
        && x0 + i64::from(width) <= i64::from(picture.width())
        && y0 + i64::from(height) <= i64::from(picture.height());
    if inside {
        resize(picture, region, &mut out);
    } else if pixels > LARGEST {
        // Of a long, thin picture most of the square would be edge, repeated: gigabytes of it.
        let scale = (LARGEST / pixels).sqrt() as f32 / 2.0;
        let (from_width, from_height) = (picture.width() as f32, picture.height() as f32);
        let to = |side: f32| (side * scale).ceil().max(1.0);
        let mut small = Picture::new(to(from_width) as u32, to(from_height) as u32);
        resize(picture, &Rect { x1: 0.0, y1: 0.0, x2: from_width, y2: from_height }, &mut small);
        let region = region.scaled(to(from_width) / from_width, to(from_height) / from_height);
        return cut_usable(&small, &region, size);
    } else {
        let padded = replicate(picture, x0, y0, width, height);
        let moved = Rect {
            x1: region.x1 - x0 as f32,
            y1: region.y1 - y0 as f32,
            x2: region.x2 - x0 as f32,
            y2: region.y2 - y0 as f32,
        };
        resize(&padded, &moved, &mut out);
    }
    out
}

/// The classifier's input: planar RGB, `3 * size * size` values in [-1, 1].
pub fn to_input(picture: &Picture, planes: &mut [f32]) {
    planar(picture, planes, 1.0 / 127.5, -1.0);
}

/// Interleaved bytes to planes: `byte * scale + offset`; red, then green, then blue.
pub(crate) fn planar(picture: &Picture, planes: &mut [f32], scale: f32, offset: f32) {
    let area = picture.width() as usize * picture.height() as usize;
    let (red, rest) = planes.split_at_mut(area);
    let (green, blue) = rest.split_at_mut(area);
    let outputs = red.iter_mut().zip(green.iter_mut()).zip(blue.iter_mut());
    for (rgb, ((r, g), b)) in picture.pixels().chunks_exact(3).zip(outputs) {
        *r = f32::from(rgb[0]).mul_add(scale, offset);
        *g = f32::from(rgb[1]).mul_add(scale, offset);
        *b = f32::from(rgb[2]).mul_add(scale, offset);
    }
}

/// Scales `part` of `from` (inside it) onto the whole of `to`.
pub(crate) fn resize(from: &Picture, part: &Rect, to: &mut Picture) {
    // Typed, so that only this kind of pixel is compiled and not all thirteen: they would be more
    // than everything else in the program.
    let source = TypedImageRef::<U8x3>::from_buffer(from.width(), from.height(), from.pixels());
    let target = TypedImage::<U8x3>::from_buffer(to.width(), to.height(), to.pixels_mut());
    let (Ok(source), Ok(mut target)) = (source, target) else { return };
    // In f64: in f32 left and width can add up to a hair more than there is, and such a crop is
    // refused.
    let span = |low: f32, high: f32, end: u32| {
        let low = f64::from(low.max(0.0));
        (low, f64::from(high.min(end as f32)) - low)
    };
    let (left, width) = span(part.x1, part.x2, from.width());
    let (top, height) = span(part.y1, part.y2, from.height());
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(left, top, width, height);
    // Fails only for a crop outside the source, which `part` is not; `to` would stay black.
    let done = Resizer::new().resize_typed(&source, &mut target, &options);
    debug_assert!(done.is_ok(), "{done:?} for {part:?} of {}x{}", from.width(), from.height());
}

/// The window of `picture` at (`x0`, `y0`), its edge pixels repeated where the window leaves it.
fn replicate(picture: &Picture, x0: i64, y0: i64, width: u32, height: u32) -> Picture {
    let mut out = Picture::new(width, height);
    let last_x = i64::from(picture.width()) - 1;
    let last_y = i64::from(picture.height()) - 1;
    let row_bytes = width as usize * 3;
    for (y, row) in (y0..).zip(out.pixels_mut().chunks_exact_mut(row_bytes)) {
        let y = y.clamp(0, last_y);
        for (x, pixel) in (x0..).zip(row.chunks_exact_mut(3)) {
            if let Some(rgb) = picture.get(x.clamp(0, last_x), y) {
                pixel.copy_from_slice(&rgb);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Red tells the column, green the row.
    fn ramp(width: u32, height: u32) -> Picture {
        let mut picture = Picture::new(width, height);
        for y in 0..height {
            for x in 0..width {
                picture.put(i64::from(x), i64::from(y), [x as u8, y as u8, 9]);
            }
        }
        picture
    }

    #[test]
    fn the_region_is_square_about_the_centre_with_the_margin_on_each_side() {
        let bounds = Rect { x1: 10.0, y1: 20.0, x2: 30.0, y2: 60.0 };
        let expected = Rect { x1: -6.0, y1: 14.0, x2: 46.0, y2: 66.0 };
        assert_eq!(region(&bounds, 0.15), expected);
    }

    #[test]
    fn a_region_of_the_same_size_is_copied_pixel_by_pixel() {
        let region = Rect { x1: 8.0, y1: 16.0, x2: 40.0, y2: 48.0 };
        let out = cut(&ramp(64, 64), &region, 32);
        assert_eq!(out.get(0, 0), Some([8, 16, 9]));
        assert_eq!(out.get(31, 31), Some([39, 47, 9]));
    }

    #[test]
    fn beyond_the_edge_the_nearest_pixel_is_repeated() {
        let region = Rect { x1: -16.0, y1: -16.0, x2: 16.0, y2: 16.0 };
        let out = cut(&ramp(64, 64), &region, 32);
        assert_eq!(out.get(3, 5), Some([0, 0, 9]));
        assert_eq!(out.get(31, 5), Some([15, 0, 9]));
        assert_eq!(out.get(31, 31), Some([15, 15, 9]));
    }

    #[test]
    fn a_face_whose_square_ends_on_a_pixel_beyond_the_edge_is_not_black() {
        // The square begins a hair above the picture and ends on a whole pixel below it.
        let bounds = Rect { x1: 154.0, y1: 51.0, x2: 423.0, y2: 391.0 };
        let mut picture = Picture::new(600, 399);
        picture.pixels_mut().fill(200);
        let out = cut(&picture, &region(&bounds, MARGIN), 128);
        assert!(out.pixels().iter().all(|value| *value == 200));
    }

    #[test]
    fn the_square_about_a_long_thin_picture_costs_little_memory() {
        for (width, height) in [(60_000, 8), (1, 60_000)] {
            let mut picture = Picture::new(width, height);
            picture.pixels_mut().fill(200);
            let (x2, y2) = (width as f32, height as f32);
            let out = cut(&picture, &region(&Rect { x1: 0.0, y1: 0.0, x2, y2 }, MARGIN), 64);
            assert!(out.pixels().iter().all(|value| *value == 200));
        }
    }

    #[test]
    fn the_input_is_planar_from_minus_one_to_one() {
        let picture = Picture::from_pixels(2, 1, vec![0, 255, 51, 255, 0, 204]);
        let mut planes = [0.0; 6];
        to_input(&picture.expect("six bytes are two pixels"), &mut planes);
        let expected = [-1.0, 1.0, 1.0, -1.0, -0.6, 0.6];
        assert!(planes.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{planes:?}");
    }

    proptest! {
        #[test]
        fn any_region_of_any_picture_gives_a_crop_of_the_asked_size(
            width in 1..90_u32, height in 1..90_u32,
            x in -200.0..200.0_f32, y in -200.0..200.0_f32, side in 0.0..300.0_f32,
        ) {
            let region = Rect { x1: x, y1: y, x2: x + side, y2: y + side };
            let out = cut(&ramp(width, height), &region, 24);
            prop_assert_eq!((out.width(), out.height()), (24, 24));
            // A crop holds only colours that the picture has; one of nothing, or far too large, is
            // black.
            let usable = region.area() > 0.0 && region.width() <= 4.0 * width.max(height) as f32;
            let held = out.pixels().chunks_exact(3).all(|p| {
                u32::from(p[0]) < width && u32::from(p[1]) < height && p[2] == 9 * u8::from(usable)
            });
            prop_assert!(held);
        }

        /// Boxes that people draw have whole numbers, and squares that end on them.
        #[test]
        fn a_box_of_whole_pixels_is_never_cut_as_black(
            x in -20..120_i16, y in -20..120_i16, width in 1..200_i16, height in 1..200_i16,
        ) {
            let [x1, y1, x2, y2] = [x, y, x + width, y + height].map(f32::from);
            let out = cut(&ramp(120, 90), &region(&Rect { x1, y1, x2, y2 }, MARGIN), 24);
            prop_assert!(out.pixels().chunks_exact(3).all(|p| p[2] == 9));
        }
    }
}
