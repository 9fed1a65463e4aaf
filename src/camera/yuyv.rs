//! YUYV (YUY2, packed 4:2:2) to RGB.

use crate::picture::Picture;

/// Converts `height` rows of `stride` bytes, each holding `width` pixels as Y0 U Y1 V, by ITU-R
/// BT.601 with limited range (Y 16 to 235, U and V 16 to 240), which is what UVC cameras send
/// unless they say otherwise. A `stride` of 0 means rows without padding; the last row may lack
/// its padding. `None` where the bytes are too few.
pub(super) fn to_rgb(bytes: &[u8], width: u32, height: u32, stride: u32) -> Option<Picture> {
    let columns = width as usize;
    let row = columns.div_ceil(2).checked_mul(4)?;
    let stride = if stride == 0 { row } else { stride as usize };
    let needed = stride.checked_mul((height as usize).saturating_sub(1))?.checked_add(row)?;
    if stride < row || columns == 0 || height == 0 || bytes.len() < needed {
        return None;
    }
    let mut picture = Picture::new(width, height);
    for (line, out) in bytes.chunks(stride).zip(picture.pixels_mut().chunks_exact_mut(columns * 3))
    {
        for (pair, out) in line.chunks_exact(4).zip(out.chunks_mut(6)) {
            let &[y0, u, y1, v] = pair else { continue };
            let chroma = Chroma::new(u, v);
            for (pixel, y) in out.chunks_exact_mut(3).zip([y0, y1]) {
                pixel.copy_from_slice(&chroma.rgb(y));
            }
        }
    }
    Some(picture)
}

/// What U and V add to red, green and blue, in 1/65536.
struct Chroma {
    red: i32,
    green: i32,
    blue: i32,
}

impl Chroma {
    /// The factors are 255/224 of BT.601's: 1.402, 0.344136, 0.714136 and 1.772.
    fn new(u: u8, v: u8) -> Self {
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        Self { red: 104_597 * v, green: -25_675 * u - 53_279 * v, blue: 132_201 * u }
    }

    fn rgb(&self, y: u8) -> [u8; 3] {
        // 255/219 in 1/65536, and a half for rounding.
        let luma = (i32::from(y) - 16) * 76_309 + 32_768;
        [self.red, self.green, self.blue].map(|chroma| ((luma + chroma) >> 16).clamp(0, 255) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reference(y: u8, u: u8, v: u8) -> [f64; 3] {
        let y = (f64::from(y) - 16.0) / 219.0;
        let (u, v) = ((f64::from(u) - 128.0) / 224.0, (f64::from(v) - 128.0) / 224.0);
        let blue = y + 1.772 * u;
        let red = y + 1.402 * v;
        let green = (y - 0.299 * red - 0.114 * blue) / 0.587;
        [red, green, blue].map(|value| value.clamp(0.0, 1.0) * 255.0)
    }

    #[test]
    fn every_colour_is_within_one_level_of_the_formula() {
        for y in 0..=255 {
            for u in (0..=255).step_by(3) {
                for v in (0..=255).step_by(3) {
                    let picture = to_rgb(&[y, u, y, v], 2, 1, 0).unwrap();
                    let wanted = reference(y, u, v);
                    for (value, wanted) in picture.pixels().iter().zip(wanted.iter().cycle()) {
                        assert!((f64::from(*value) - wanted).abs() <= 1.0, "{y} {u} {v}");
                    }
                }
            }
        }
    }

    #[test]
    fn white_black_and_red_come_out_as_such() {
        let rgb = |y, u, v| to_rgb(&[y, u, y, v], 2, 1, 0).unwrap().get(0, 0).unwrap();
        assert_eq!(rgb(235, 128, 128), [255, 255, 255]);
        assert_eq!(rgb(16, 128, 128), [0, 0, 0]);
        assert_eq!(rgb(81, 90, 240), [254, 0, 0]);
    }

    #[test]
    fn padding_at_the_end_of_rows_is_left_out() {
        let bytes = [235, 128, 16, 128, 9, 9, 9, 16, 128, 235, 128];
        let picture = to_rgb(&bytes, 2, 2, 7).unwrap();
        assert_eq!(picture.pixels(), [255, 255, 255, 0, 0, 0, 0, 0, 0, 255, 255, 255]);
    }

    proptest! {
        #[test]
        fn no_length_and_no_stride_crashes(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            width in 0_u32..20, height in 0_u32..20, stride in prop_oneof![0_u32..50, any::<u32>()]
        ) {
            if let Some(picture) = to_rgb(&bytes, width, height, stride) {
                prop_assert_eq!((picture.width(), picture.height()), (width, height));
            }
        }

        #[test]
        fn a_size_beyond_the_bytes_is_refused(width in any::<u32>(), height in any::<u32>()) {
            prop_assume!(u64::from(width) * u64::from(height) > 32);
            prop_assert!(to_rgb(&[128; 64], width, height, 0).is_none());
        }
    }
}
