//! NV12, YU12 and the planes of YUV4MPEG2 to RGB: luma in one plane, colour differences in others,
//! mostly at half the width and height. A colour difference stands for all pixels of its cell.

use super::color::Mixer;
use super::{Color, Size, plain, rows};
use crate::picture::Picture;

/// How many pixels share a colour difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::camera) enum Subsampling {
    /// 4:2:0: two by two.
    Quarter,
    /// 4:2:2: two beside each other.
    Half,
    /// 4:4:4: each has its own.
    None,
    /// There are none: grey.
    Grey,
}

impl Subsampling {
    /// Pixels across and down; `None` for grey.
    fn cell(self) -> Option<(usize, usize)> {
        match self {
            Subsampling::Quarter => Some((2, 2)),
            Subsampling::Half => Some((2, 1)),
            Subsampling::None => Some((1, 1)),
            Subsampling::Grey => None,
        }
    }

    /// Bytes of a frame without padding.
    pub(in crate::camera) fn frame_bytes(self, width: usize, height: usize) -> Option<usize> {
        let luma = width.checked_mul(height)?;
        let Some((across, down)) = self.cell() else { return Some(luma) };
        let chroma = width.div_ceil(across).checked_mul(height.div_ceil(down))?;
        luma.checked_add(chroma.checked_mul(2)?)
    }
}

/// Luma, then U and V by turns in rows as far apart as those of luma.
pub(super) fn nv12(bytes: &[u8], size: &Size, color: Color) -> Option<Picture> {
    let luma_stride = size.stride_of(size.width)?;
    let row = size.width.div_ceil(2).checked_mul(2)?;
    let stride = luma_stride.max(row);
    let (luma, chroma) = bytes.split_at_checked(luma_stride.checked_mul(size.height)?)?;
    let chroma = rows(chroma, size.height.div_ceil(2), row, stride)?;
    let planes = Chroma { u: chroma, v: chroma.get(1..)?, stride, step: 2, across: 2, down: 2 };
    mix(luma, luma_stride, &planes, size, color)
}

/// Luma, then U, then V, each with rows half as far apart as those of luma.
pub(super) fn yu12(bytes: &[u8], size: &Size, color: Color) -> Option<Picture> {
    separate(bytes, size, (2, 2), color)
}

/// As `yu12`, with other cells, and without padding.
pub(super) fn planes(
    bytes: &[u8],
    size: &Size,
    sampling: Subsampling,
    color: Color,
) -> Option<Picture> {
    match sampling.cell() {
        Some(cell) => separate(bytes, size, cell, color),
        None => plain::grey(bytes, size, color.range),
    }
}

fn separate(
    bytes: &[u8],
    size: &Size,
    (across, down): (usize, usize),
    color: Color,
) -> Option<Picture> {
    let luma_stride = size.stride_of(size.width)?;
    let (row, stride) = (size.width.div_ceil(across), luma_stride.div_ceil(across));
    let count = size.height.div_ceil(down);
    let (luma, chroma) = bytes.split_at_checked(luma_stride.checked_mul(size.height)?)?;
    let (u, v) = chroma.split_at_checked(stride.checked_mul(count)?)?;
    let v = rows(v, count, row, stride)?;
    mix(luma, luma_stride, &Chroma { u, v, stride, step: 1, across, down }, size, color)
}

/// Where the colour differences lie: `step` bytes from one to the next, `stride` from row to row;
/// each stands for `across` by `down` pixels.
struct Chroma<'a> {
    u: &'a [u8],
    v: &'a [u8],
    stride: usize,
    step: usize,
    across: usize,
    down: usize,
}

fn mix(
    luma: &[u8],
    luma_stride: usize,
    chroma: &Chroma,
    size: &Size,
    color: Color,
) -> Option<Picture> {
    let mixer = Mixer::new(color);
    let mut picture = size.picture()?;
    let lines = picture.pixels_mut().chunks_exact_mut(size.width * 3);
    for (at, (line, out)) in luma.chunks(luma_stride).zip(lines).enumerate() {
        let start = at / chroma.down * chroma.stride;
        let u = chroma.u.get(start..)?.iter().step_by(chroma.step);
        let v = chroma.v.get(start..)?.iter().step_by(chroma.step);
        let cells = line
            .get(..size.width)?
            .chunks(chroma.across)
            .zip(out.chunks_mut(chroma.across * 3))
            .zip(u.zip(v));
        for ((luma, out), (u, v)) in cells {
            let difference = mixer.chroma(*u, *v);
            for (y, pixel) in luma.iter().zip(out.chunks_exact_mut(3)) {
                pixel.copy_from_slice(&mixer.rgb(*y, difference));
            }
        }
    }
    Some(picture)
}

#[cfg(test)]
mod tests {
    use super::super::{Matrix, Range};
    use super::*;

    const FULL: Color = Color { matrix: Matrix::Bt601, range: Range::Full };

    #[test]
    fn the_same_colours_in_nv12_and_yu12_are_the_same_picture() {
        let luma: Vec<u8> = (0..15).map(|at| at * 16).collect();
        let (u, v) = ([10, 60, 110, 160, 210, 250], [250, 200, 150, 100, 50, 0]);
        let by_turns: Vec<u8> = u.iter().zip(v).flat_map(|(u, v)| [*u, v]).collect();
        let size = Size::new(5, 3, 0).unwrap();
        let one = nv12(&[&luma[..], &by_turns].concat(), &size, FULL).unwrap();
        let other = yu12(&[&luma[..], &u, &v].concat(), &size, FULL).unwrap();
        assert_eq!(one, other);
        assert_ne!(one.get(0, 0), one.get(4, 2));
    }

    #[test]
    fn each_subsampling_of_one_colour_is_that_colour() {
        let size = Size::new(3, 3, 0).unwrap();
        for (sampling, cells) in
            [(Subsampling::Quarter, 4), (Subsampling::Half, 6), (Subsampling::None, 9)]
        {
            let bytes = [vec![76; 9], vec![85; cells], vec![255; cells]].concat();
            assert_eq!(sampling.frame_bytes(3, 3), Some(bytes.len()));
            let picture = planes(&bytes, &size, sampling, FULL).unwrap();
            assert!(picture.pixels().chunks_exact(3).all(|pixel| pixel == [254, 0, 0]));
        }
        let grey = planes(&[9; 9], &size, Subsampling::Grey, FULL).unwrap();
        assert!(grey.pixels().iter().all(|value| *value == 9));
    }
}
