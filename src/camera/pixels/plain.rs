//! RGB3, BGR3 and GREY to RGB: nothing is shared between pixels.

use super::color::levels;
use super::{Range, Size, rows};
use crate::picture::Picture;

/// Three bytes a pixel, red first, or blue first with `swapped`.
pub(super) fn rgb(bytes: &[u8], size: &Size, range: Range, swapped: bool) -> Option<Picture> {
    let row = size.width.checked_mul(3)?;
    let stride = size.stride_of(row)?;
    let bytes = rows(bytes, size.height, row, stride)?;
    let mut picture = size.picture()?;
    for (line, out) in bytes.chunks(stride).zip(picture.pixels_mut().chunks_exact_mut(row)) {
        out.copy_from_slice(line.get(..row)?);
    }
    if swapped {
        picture.pixels_mut().chunks_exact_mut(3).for_each(<[u8]>::reverse);
    }
    if range == Range::Limited {
        let levels = levels(range);
        for value in picture.pixels_mut() {
            *value = levels[usize::from(*value)];
        }
    }
    Some(picture)
}

/// One byte a pixel.
pub(super) fn grey(bytes: &[u8], size: &Size, range: Range) -> Option<Picture> {
    let stride = size.stride_of(size.width)?;
    let bytes = rows(bytes, size.height, size.width, stride)?;
    let levels = levels(range);
    let mut picture = size.picture()?;
    let lines = picture.pixels_mut().chunks_exact_mut(size.width * 3);
    for (line, out) in bytes.chunks(stride).zip(lines) {
        for (value, pixel) in line.iter().zip(out.chunks_exact_mut(3)) {
            pixel.fill(levels[usize::from(*value)]);
        }
    }
    Some(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blue_first_becomes_red_first() {
        let size = Size::new(1, 2, 4).unwrap();
        let picture = rgb(&[1, 2, 3, 99, 4, 5, 6], &size, Range::Full, true).unwrap();
        assert_eq!(picture.pixels(), [3, 2, 1, 6, 5, 4]);
    }

    #[test]
    fn grey_has_three_channels_that_are_the_same() {
        let size = Size::new(2, 1, 0).unwrap();
        assert_eq!(grey(&[7, 200], &size, Range::Full).unwrap().pixels(), [7, 7, 7, 200, 200, 200]);
    }
}
