//! Contact sheets: many small pictures on one, to be looked through by eye.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};

use super::WrongUse;
use crate::picture::{Label, Mark, Picture, Rect, draw};
use crate::vision::crop;

/// Side of a picture on the sheet and height of the plate above it, pixels.
const SIDE: u32 = 128;
const PLATE: u32 = 16;
const GAP: u32 = 6;
const COLUMNS: u32 = 8;
/// More is not looked at.
pub const MOST: usize = 80;

/// One picture of the sheet.
pub struct Tile {
    /// Any size; shown in a square, the whole of it.
    pub picture: Picture,
    /// Gives colour and sign of the plate.
    pub label: Option<Label>,
    /// At most 13 ASCII letters fit.
    pub text: String,
}

/// Draws the first 80 tiles, eight a row, and writes them as PNG. Nothing is written without any, and a
/// sheet of an earlier time removed.
pub fn write(tiles: &[Tile], path: &Path) -> Result<bool> {
    let tiles = &tiles[..tiles.len().min(MOST)];
    if tiles.is_empty() {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{}: cannot be removed", path.display()))
            }
            _ => Ok(false),
        };
    }
    let sheet = lay_out(tiles);
    image::save_buffer(path, sheet.pixels(), sheet.width(), sheet.height(), image::ColorType::Rgb8)
        .with_context(|| format!("{}: cannot be written", path.display()))?;
    Ok(true)
}

/// Writes all tiles in `folder`, as `NAME-1.png` and so on; further pages of an earlier time are removed.
pub fn write_pages(tiles: &[Tile], folder: &Path, name: &str) -> Result<()> {
    let path = |page: usize| folder.join(format!("{name}-{page}.png"));
    let pages = tiles.chunks(MOST);
    let count = pages.len();
    for (page, tiles) in (1..).zip(pages) {
        write(tiles, &path(page))?;
    }
    for path in (count + 1..).map(path).take_while(|path| path.exists()) {
        write(&[], &path)?;
    }
    Ok(())
}

fn lay_out(tiles: &[Tile]) -> Picture {
    let columns = COLUMNS.min(tiles.len() as u32);
    let rows = (tiles.len() as u32).div_ceil(COLUMNS);
    let (across, down) = (SIDE + GAP, SIDE + PLATE + GAP);
    let mut sheet = Picture::new(columns * across + GAP, rows * down + GAP);
    sheet.pixels_mut().fill(255);
    for (at, tile) in (0..).zip(tiles) {
        let (x, y) = (GAP + at % COLUMNS * across, GAP + at / COLUMNS * down);
        let tile = framed(tile);
        for (row, line) in (0..).zip(tile.pixels().chunks_exact(SIDE as usize * 3)) {
            for (column, rgb) in (0..).zip(line.as_chunks::<3>().0) {
                sheet.put(i64::from(x + column), i64::from(y) + row, *rgb);
            }
        }
    }
    sheet
}

/// The picture with its plate above.
fn framed(tile: &Tile) -> Picture {
    let (width, height) = (tile.picture.width() as f32, tile.picture.height() as f32);
    let side = width.max(height);
    let (x, y) = ((width - side) / 2.0, (height - side) / 2.0);
    let square = Rect { x1: x, y1: y, x2: x + side, y2: y + side };
    let small = crop::cut(&tile.picture, &square, SIDE);
    let mut framed = Picture::new(SIDE, SIDE + PLATE);
    let start = PLATE as usize * SIDE as usize * 3;
    framed.pixels_mut()[start..].copy_from_slice(small.pixels());
    let top = PLATE as f32;
    let bounds = Rect { x1: 1.0, y1: top, x2: SIDE as f32 - 1.0, y2: top + SIDE as f32 - 1.0 };
    draw(&mut framed, &[Mark { bounds, label: tile.label, text: tile.text.clone() }]);
    framed
}

/// Makes the folder for pages to look at, told before the work: what somebody said in a `review.csv` that
/// lies there is not written over.
pub fn new_review(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let csv = folder.join("review.csv");
    if csv.exists() {
        return Err(WrongUse(format!(
            "--review {}: {} is there already, and may hold what you said; name another folder",
            folder.display(),
            csv.display()
        ))
        .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(grey: u8) -> Tile {
        let mut picture = Picture::new(40, 60);
        picture.pixels_mut().fill(grey);
        Tile { picture, label: Some(Label::WithMask), text: "0.98".into() }
    }

    #[test]
    fn each_picture_has_its_own_place() {
        let sheet = lay_out(&(0..10).map(|at| tile(100 + at)).collect::<Vec<_>>());
        assert_eq!(sheet.width(), COLUMNS * (SIDE + GAP) + GAP);
        assert_eq!(sheet.height(), 2 * (SIDE + PLATE + GAP) + GAP);
        let middle = |column: u32, row: u32| {
            let x = GAP + column * (SIDE + GAP) + SIDE / 2;
            let y = GAP + row * (SIDE + PLATE + GAP) + PLATE + SIDE / 2;
            sheet.get(i64::from(x), i64::from(y))
        };
        assert_eq!(middle(0, 0), Some([100; 3]));
        assert_eq!(middle(7, 0), Some([107; 3]));
        assert_eq!(middle(1, 1), Some([109; 3]));
    }

    #[test]
    fn no_pictures_give_no_sheet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.png");
        assert!(!write(&[], &path).unwrap());
        assert!(!path.exists());
        assert!(write(&[tile(7)], &path).unwrap());
        assert_eq!(image::open(&path).unwrap().width(), SIDE + 2 * GAP);
        assert!(!write(&[], &path).unwrap() && !path.exists(), "that of an earlier time");
        let pages = |count: u8| {
            let tiles: Vec<Tile> = (0..count).map(tile).collect();
            write_pages(&tiles, folder.path(), "page").unwrap();
            [1, 2, 3].map(|page| folder.path().join(format!("page-{page}.png")).exists())
        };
        assert_eq!(pages(170), [true, true, true]);
        assert_eq!(pages(3), [true, false, false]);
    }
}
