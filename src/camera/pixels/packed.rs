//! YUYV and UYVY (packed 4:2:2) to RGB: two pixels in four bytes share their colour.

use super::color::Mixer;
use super::{Color, Size, rows};
use crate::picture::Picture;

/// Y0 U Y1 V.
pub(super) fn yuyv(bytes: &[u8], size: &Size, color: Color) -> Option<Picture> {
    pairs(bytes, size, color, |[y0, u, y1, v]| [y0, y1, u, v])
}

/// U Y0 V Y1.
pub(super) fn uyvy(bytes: &[u8], size: &Size, color: Color) -> Option<Picture> {
    pairs(bytes, size, color, |[u, y0, v, y1]| [y0, y1, u, v])
}

fn pairs(
    bytes: &[u8],
    size: &Size,
    color: Color,
    sorted: impl Fn([u8; 4]) -> [u8; 4],
) -> Option<Picture> {
    let row = size.width.div_ceil(2).checked_mul(4)?;
    let stride = size.stride_of(row)?;
    let bytes = rows(bytes, size.height, row, stride)?;
    let mixer = Mixer::new(color);
    let mut picture = size.picture()?;
    let lines = picture.pixels_mut().chunks_exact_mut(size.width * 3);
    for (line, out) in bytes.chunks(stride).zip(lines) {
        for (pair, out) in line.chunks_exact(4).zip(out.chunks_mut(6)) {
            let &[a, b, c, d] = pair else { continue };
            let [y0, y1, u, v] = sorted([a, b, c, d]);
            let chroma = mixer.chroma(u, v);
            for (pixel, y) in out.chunks_exact_mut(3).zip([y0, y1]) {
                pixel.copy_from_slice(&mixer.rgb(y, chroma));
            }
        }
    }
    Some(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_at_the_end_of_rows_is_left_out() {
        let bytes = [235, 128, 16, 128, 9, 9, 9, 16, 128, 235, 128];
        let size = Size::new(2, 2, 7).unwrap();
        let picture = yuyv(&bytes, &size, Color::default()).unwrap();
        assert_eq!(picture.pixels(), [255, 255, 255, 0, 0, 0, 0, 0, 0, 255, 255, 255]);
    }

    #[test]
    fn uyvy_is_yuyv_with_its_bytes_changed_about() {
        let size = Size::new(3, 1, 0).unwrap();
        let a = yuyv(&[10, 90, 20, 200, 30, 100, 0, 30], &size, Color::default());
        let b = uyvy(&[90, 10, 200, 20, 100, 30, 30, 0], &size, Color::default());
        assert_eq!(a, b);
        assert!(a.is_some());
    }
}
