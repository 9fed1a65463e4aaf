//! Telling copies of one picture: difference hash on a 17 × 16 grid (Krawetz, "Kind of like that",
//! 2013), 256 bits. Survives scaling, compression and small changes of light or crop; not turning.
//! Mirrored pictures are told by a fingerprint of their own.

use crate::picture::{Picture, Rect};
use crate::vision::crop;

/// Whether each cell of a 16 × 16 grid is darker than its right neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u64; 4]);

impl Fingerprint {
    /// Up to this many of 256 bits apart, two pictures count as copies. On the sets used here 40
    /// joins edited copies (a mask pasted on); from 48 on unrelated portraits begin to chain up.
    pub const NEAR: u32 = 40;

    pub fn of(picture: &Picture) -> Self {
        Self::both(picture)[0]
    }

    /// Of the picture, and of the picture mirrored left to right.
    pub fn both(picture: &Picture) -> [Self; 2] {
        let mut grid = Picture::new(17, 16);
        let (x2, y2) = (picture.width() as f32, picture.height() as f32);
        crop::resize(picture, &Rect { x1: 0.0, y1: 0.0, x2, y2 }, &mut grid);
        let luma: Vec<u32> = grid
            .pixels()
            .chunks_exact(3)
            .map(|p| 299 * u32::from(p[0]) + 587 * u32::from(p[1]) + 114 * u32::from(p[2]))
            .collect();
        let mut both = [Self([0; 4]); 2];
        for (row, cells) in luma.chunks_exact(17).enumerate() {
            for (column, pair) in cells.windows(2).enumerate() {
                let mirrored = row * 16 + 15 - column;
                both[0].0[row / 4] |= u64::from(pair[0] < pair[1]) << ((row * 16 + column) % 64);
                both[1].0[row / 4] |= u64::from(pair[1] < pair[0]) << (mirrored % 64);
            }
        }
        both
    }

    /// Bits that differ, 0 to 256.
    pub fn distance(&self, other: &Self) -> u32 {
        self.0.iter().zip(&other.0).map(|(a, b)| (a ^ b).count_ones()).sum()
    }
}
