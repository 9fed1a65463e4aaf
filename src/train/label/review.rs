//! Doubtful faces put before a person: pages of them, and a CSV to say what they are in. Teachers
//! and student are wrong about the same masks, hands and bags time and again; a look settles it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::picture::{Picture, Rect, outline};
use crate::train::boxes;
use crate::train::pictures;
use crate::train::sheet::{self, Tile};
use crate::vision::crop;

/// Part of the box shown around it, so that one sees what it is.
const AROUND: f32 = 0.45;
const TILE: u32 = 128;
/// A row speaks of a box that overlaps its own by more than this part: another student draws the
/// same face a little otherwise.
const SAME: f32 = 0.5;

/// What a person says of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Face,
    Background,
}

/// One row of the CSV.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    /// Of the tile on the pages; of no use later.
    #[serde(default)]
    number: Option<usize>,
    /// The end of the picture's path.
    image: PathBuf,
    xmin: f32,
    ymin: f32,
    xmax: f32,
    ymax: f32,
    /// Empty: nobody can say.
    label: Option<Verdict>,
}

/// What was said, by pictures' names.
#[derive(Default)]
pub struct Verdicts {
    rows: HashMap<OsString, Vec<Row>>,
    /// One line for each row that cannot be used.
    pub skipped: Vec<String>,
}

impl Verdicts {
    /// Reads `image,xmin,ymin,xmax,ymax,label`, other columns are the reader's own; that is what
    /// [`Review::write`] writes.
    pub fn read(path: &Path) -> Result<Self> {
        let unreadable = || format!("{}: cannot be read", path.display());
        let mut reader = boxes::rows(path).with_context(unreadable)?;
        let header = reader.headers().with_context(unreadable)?.clone();
        for column in ["image", "xmin", "ymin", "xmax", "ymax", "label"] {
            anyhow::ensure!(
                header.iter().any(|name| name == column),
                "{}: no column '{column}'; the first line must name image,xmin,ymin,xmax,ymax,label",
                path.display()
            );
        }
        let mut verdicts = Self::default();
        for row in reader.deserialize::<Row>() {
            match row {
                Ok(row) if !row.is_box() => verdicts.skipped.push(format!(
                    "{}: {}: {:?} is no box; xmin must be under xmax, ymin under ymax",
                    path.display(),
                    row.image.display(),
                    <[f32; 4]>::from(row.bounds())
                )),
                Ok(row) => {
                    let name = row.image.file_name().unwrap_or_default().to_owned();
                    verdicts.rows.entry(name).or_default().push(row);
                }
                Err(error) => verdicts.skipped.push(format!("{}: {error}", path.display())),
            }
        }
        Ok(verdicts)
    }

    /// What was said of this box of the picture at `path`.
    pub fn of(&self, path: &Path, bounds: &Rect) -> Option<Verdict> {
        self.about(path)
            .map(|row| (row.label, bounds.iou(&row.bounds())))
            .filter(|(_, overlap)| *overlap > SAME)
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .and_then(|(verdict, _)| verdict)
    }

    /// Boxes of the picture at `path` that were called faces.
    pub fn faces(&self, path: &Path) -> impl Iterator<Item = Rect> {
        self.about(path).filter(|row| row.label == Some(Verdict::Face)).map(Row::bounds)
    }

    /// How many rows are about the picture at `path`.
    pub fn count(&self, path: &Path) -> usize {
        self.about(path).count()
    }

    fn about(&self, path: &Path) -> impl Iterator<Item = &Row> {
        let rows = path.file_name().and_then(|name| self.rows.get(name));
        rows.into_iter().flatten().filter(move |row| path.ends_with(&row.image))
    }
}

/// Whether two boxes are of the same thing.
pub fn same(a: &Rect, b: &Rect) -> bool {
    a.iou(b) > SAME
}

impl Row {
    fn bounds(&self) -> Rect {
        Rect { x1: self.xmin, y1: self.ymin, x2: self.xmax, y2: self.ymax }
    }

    fn is_box(&self) -> bool {
        let Rect { x1, y1, x2, y2 } = self.bounds();
        [x1, y1, x2, y2].iter().all(|edge| edge.is_finite()) && x1 < x2 && y1 < y2
    }
}

/// Doubts, gathered to be looked at.
#[derive(Default)]
pub struct Review {
    doubts: Vec<(f32, Row, Picture)>,
}

impl Review {
    /// A box of `picture`, the surer it is a face the further to the front.
    pub fn add(&mut self, path: &Path, picture: &Picture, bounds: &Rect, score: f32) {
        let shown = crop::region(bounds, AROUND);
        let mut tile = crop::cut(picture, &shown, TILE);
        let scale = TILE as f32 / shown.width();
        let moved = Rect {
            x1: bounds.x1 - shown.x1,
            y1: bounds.y1 - shown.y1,
            x2: bounds.x2 - shown.x1,
            y2: bounds.y2 - shown.y1,
        };
        outline(&mut tile, &moved.scaled(scale, scale));
        let [xmin, ymin, xmax, ymax] = <[f32; 4]>::from(*bounds).map(|v| (v * 10.0).round() / 10.0);
        let row = Row {
            number: None,
            image: pictures::ending(path, [].into_iter()).into(),
            xmin,
            ymin,
            xmax,
            ymax,
            label: None,
        };
        self.doubts.push((score, row, tile));
    }

    /// Writes `review.csv`, what is most surely a face first, and the same in this order on
    /// `review-1.png` and so on, each with the number of its row. Tells how many there are.
    pub fn write(mut self, folder: &Path) -> Result<usize> {
        self.doubts.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
        fs::create_dir_all(folder)
            .with_context(|| format!("{}: cannot be made", folder.display()))?;
        let path = folder.join("review.csv");
        let unwritable = || format!("{}: cannot be written", path.display());
        let mut writer = csv::Writer::from_path(&path).with_context(unwritable)?;
        for (number, (_, row, _)) in (1..).zip(&mut self.doubts) {
            row.number = Some(number);
            writer.serialize(row).with_context(unwritable)?;
        }
        writer.flush().with_context(unwritable)?;
        let count = self.doubts.len();
        let tiles: Vec<Tile> = (1..)
            .zip(self.doubts)
            .map(|(number, (_, _, picture)): (usize, _)| Tile {
                picture,
                label: None,
                text: number.to_string(),
            })
            .collect();
        sheet::write_pages(&tiles, folder, "review")?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: f32, side: f32) -> Rect {
        Rect { x1: x, y1: 10.0, x2: x + side, y2: 10.0 + side }
    }

    #[test]
    fn what_it_writes_can_be_filled_in_and_read_back() {
        let mut picture = Picture::new(90, 60);
        picture.pixels_mut().fill(128);
        let mut review = Review::default();
        let path = Path::new("/data/scenes/hall/1.png");
        for (x, score) in [(5.0, 0.31), (45.04, 0.52), (70.0, 0.44)] {
            review.add(path, &picture, &square(x, 20.0), score);
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(review.write(folder.path()).unwrap(), 3);
        assert!(folder.path().join("review-1.png").is_file());
        let file = folder.path().join("review.csv");
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "1,scenes/hall/1.png,45.0,10.0,65.0,30.0,");

        fs::write(
            &file,
            format!("{}\n{}face\n{}\n{}background\n", lines[0], lines[1], lines[2], lines[3]),
        )
        .unwrap();
        let verdicts = Verdicts::read(&file).unwrap();
        assert!(verdicts.skipped.is_empty(), "{:?}", verdicts.skipped);
        let said = |x: f32| verdicts.of(path, &square(x, 18.0));
        assert_eq!(said(45.0), Some(Verdict::Face));
        assert_eq!(said(5.0), Some(Verdict::Background));
        // Nobody could say, nobody was asked, and another picture of that name.
        assert_eq!((said(70.0), said(25.0)), (None, None));
        assert_eq!(verdicts.of(Path::new("/data/scenes/door/1.png"), &square(45.0, 20.0)), None);
    }

    #[test]
    fn rows_that_cannot_be_used_cost_themselves_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("review.csv");
        let text = "image,xmin,ymin,xmax,ymax,label,of\n\
                    a.png,1,10,21,30,head,me\n\
                    a.png,one,10,21,30,face,me\n\
                    a.png,NaN,10,21,30,face,me\n\
                    a.png,30,10,21,30,face,me\n\
                    a.png,1,10,21,30,background,me\n";
        fs::write(&file, text).unwrap();
        let verdicts = Verdicts::read(&file).unwrap();
        assert_eq!(verdicts.skipped.len(), 4, "{:?}", verdicts.skipped);
        assert_eq!(verdicts.count(Path::new("x/a.png")), 1);
        assert!(verdicts.skipped[2].contains("a.png: [NaN, 10.0, 21.0, 30.0] is no box"));
        assert!(verdicts.skipped[0].contains("line: 2") && verdicts.skipped[0].contains("head"));
        let said = verdicts.of(Path::new("x/a.png"), &square(1.0, 20.0));
        assert_eq!(said, Some(Verdict::Background));

        fs::write(&file, "image,xmin,ymin,xmax,ymax\n").unwrap();
        let error = Verdicts::read(&file).err().unwrap().to_string();
        assert!(error.contains("no column 'label'"), "{error}");
    }
}
