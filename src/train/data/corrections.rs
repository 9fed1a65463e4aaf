//! Labels that somebody gave or put right after looking: a CSV that goes before what the sources say.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::DataError;
use crate::picture::{Label, Rect};
use crate::train::boxes;

/// What stands in place of a label where a face is not to be used at all.
pub const LEAVE_OUT: &str = "leave_out";
/// A row speaks of the face whose box overlaps its own by more than this part: the same face is
/// drawn a little otherwise by another teacher or another version of it.
const SAME: f32 = 0.5;

/// One row, read.
struct Correction {
    line: u64,
    /// The end of the picture's path: its name, with as many folders before it as tell it apart.
    image: PathBuf,
    /// `None`: every face of the picture.
    bounds: Option<Rect>,
    /// `None`: leave it out.
    label: Option<Label>,
    /// The first picture that it was applied to, and another one.
    used: Option<PathBuf>,
    also: Option<PathBuf>,
}

/// A file of corrections.
pub struct Corrections {
    path: PathBuf,
    rows: Vec<Correction>,
    by_name: HashMap<OsString, Vec<usize>>,
    /// One line for each row that cannot be used.
    skipped: Vec<String>,
    done: Corrected,
}

/// What corrections did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Corrected {
    pub relabelled: usize,
    /// Faces that had no label before.
    pub labelled: usize,
    pub left_out: usize,
}

impl Corrections {
    /// Reads `image,label[,xmin,ymin,xmax,ymax]`, other columns are the reader's own; that is what
    /// `evaluate --review` writes. Without a box a row holds for every face of its picture.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let unreadable = |error: csv::Error| DataError::Unreadable {
            path: path.to_owned(),
            source: std::io::Error::other(error),
        };
        let mut reader = boxes::rows(path).map_err(csv::Error::from).map_err(unreadable)?;
        let header = reader.headers().map_err(unreadable)?.clone();
        let column = |name: &str| header.iter().position(|field| field == name);
        let need = |name: &'static str| {
            column(name).ok_or(DataError::NoColumn { path: path.to_owned(), column: name })
        };
        let (image, label) = (need("image")?, need("label")?);
        let edges = ["xmin", "ymin", "xmax", "ymax"].map(column);
        let mut all = Self {
            path: path.to_owned(),
            rows: Vec::new(),
            by_name: HashMap::new(),
            skipped: Vec::new(),
            done: Corrected::default(),
        };
        for record in reader.byte_records() {
            // Names that are not UTF-8 cost their row, not the file.
            let record = record.map_err(unreadable)?;
            let line = record.position().map_or(0, csv::Position::line);
            let Ok(record) = csv::StringRecord::from_byte_record(record) else {
                all.skipped.push(format!("{}:{line}: it is not UTF-8", path.display()));
                continue;
            };
            let text = |at: usize| record.get(at).unwrap_or("");
            match row(text(image), text(label), edges.map(|at| at.map_or("", text)), line) {
                Ok(row) => all.add(row),
                Err(reason) => {
                    all.skipped.push(format!("{}:{line}: {reason}", path.display()));
                }
            }
        }
        Ok(all)
    }

    fn add(&mut self, row: Correction) {
        let name = row.image.file_name().unwrap_or_default().to_owned();
        self.by_name.entry(name).or_default().push(self.rows.len());
        self.rows.push(row);
    }

    /// The label to use for a face that its source labels as `given`; `None`: none, leave it out.
    pub fn label(
        &mut self,
        path: &Path,
        bounds: Option<Rect>,
        given: Option<Label>,
    ) -> Option<Label> {
        let mut about: Vec<(usize, Option<f32>)> =
            self.rows_of(path).filter_map(|(at, row)| Some((at, row.about(bounds)?))).collect();
        let nearest = about.iter().filter_map(|row| row.1).fold(SAME, f32::max);
        about.retain(|(_, overlap)| overlap.is_none_or(|overlap| overlap == nearest));
        let rows: Vec<usize> = about.into_iter().map(|(at, _)| at).collect();
        // The last one counts; those before it are not wrong for that.
        let Some(&last) = rows.last() else { return given };
        for at in rows {
            let row = &mut self.rows[at];
            match &row.used {
                None => row.used = Some(path.to_owned()),
                Some(first) if first != path => row.also = Some(path.to_owned()),
                Some(_) => {}
            }
        }
        let label = self.rows[last].label;
        match (given, label) {
            (_, None) => self.done.left_out += 1,
            (None, Some(_)) => self.done.labelled += 1,
            (Some(given), Some(label)) => self.done.relabelled += usize::from(given != label),
        }
        label
    }

    /// Whether a row speaks of this face alone, not of all in its picture.
    pub fn names(&self, path: &Path, bounds: Rect) -> bool {
        let mut rows = self.rows_of(path);
        rows.any(|(_, row)| row.about(Some(bounds)).flatten().is_some())
    }

    /// What was done; rows that fit no face, or pictures of several folders, are named in `skipped`.
    pub fn finish(mut self, skipped: &mut Vec<String>) -> Corrected {
        skipped.append(&mut self.skipped);
        for row in &self.rows {
            let (at, image) =
                (format!("{}:{}", self.path.display(), row.line), row.image.display());
            match (&row.used, &row.also) {
                (None, _) => skipped.push(format!("{at}: no face of {image} is there")),
                // A name alone is meant for every folder.
                (Some(one), Some(other)) if row.image.components().count() > 1 => {
                    skipped.push(format!(
                        "{at}: {image} is {} and {}; name more folders of the one that is meant",
                        one.display(),
                        other.display()
                    ));
                }
                _ => {}
            }
        }
        self.done
    }

    /// The rows that speak of a picture, with their places, in the order of the file.
    fn rows_of(&self, path: &Path) -> impl Iterator<Item = (usize, &Correction)> {
        let named = path.file_name().and_then(|name| self.by_name.get(name));
        let rows = named.into_iter().flatten().filter_map(|at| Some((*at, self.rows.get(*at)?)));
        rows.filter(move |(_, row)| path.ends_with(&row.image))
    }
}

impl Correction {
    /// Whether it speaks of the face in this box of its picture; where it names a box itself, by how
    /// much the two overlap.
    fn about(&self, bounds: Option<Rect>) -> Option<Option<f32>> {
        let Some(wanted) = self.bounds else { return Some(None) };
        bounds.map(|found| wanted.iou(&found)).filter(|overlap| *overlap > SAME).map(Some)
    }
}

fn row(image: &str, label: &str, edges: [&str; 4], line: u64) -> Result<Correction, String> {
    if image.is_empty() {
        return Err("no image is named".into());
    }
    let label = match label {
        LEAVE_OUT => None,
        name => Some(Label::from_name(name).ok_or_else(|| {
            format!(
                "unknown label '{name}'; known: with_mask, without_mask, incorrect_mask, {LEAVE_OUT}"
            )
        })?),
    };
    let bounds = if edges.iter().all(|edge| edge.is_empty()) {
        None
    } else {
        let mut numbers = [0.0f32; 4];
        for (number, text) in numbers.iter_mut().zip(edges) {
            *number = text.parse().map_err(|_| format!("'{text}' is not a number"))?;
        }
        Some(Rect::from(numbers))
    };
    Ok(Correction { line, image: image.into(), bounds, label, used: None, also: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of three faces with a mask and of one without a label.
    fn corrected(text: impl AsRef<[u8]>) -> (Vec<Option<Label>>, Vec<String>, Corrected) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("corrections.csv");
        std::fs::write(&path, text).unwrap();
        let mut corrections = Corrections::read(&path).unwrap();
        let with_mask = Some(Label::WithMask);
        let faces = [
            ("/a/door/1.png", 0.0, with_mask),
            ("/a/door/1.png", 60.0, with_mask),
            ("/b/hall/1.png", 0.0, with_mask),
            ("/b/hall/2.png", 0.0, None),
        ];
        let labels = faces.map(|(path, x, given)| {
            let bounds = Rect { x1: x, y1: 10.0, x2: x + 30.0, y2: 50.0 };
            corrections.label(Path::new(path), Some(bounds), given)
        });
        let mut skipped = vec![];
        let done = corrections.finish(&mut skipped);
        (labels.to_vec(), skipped, done)
    }

    #[test]
    fn a_row_speaks_of_the_face_that_is_nearest_to_its_box_however_it_is_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("corrections.csv");
        // As a teacher drew it once, from the hairline on; and a wider box of the same face.
        let text = "image,xmin,ymin,xmax,ymax,label\n\
                    1.png,100,100,200,240,incorrect_mask\n\
                    1.png,80,100,230,240,without_mask\n";
        std::fs::write(&path, text).unwrap();
        let mut corrections = Corrections::read(&path).unwrap();
        // As it is moved to where annotators draw it, and somebody beside it.
        let moved = Rect { x1: 97.0, y1: 118.9, x2: 203.0, y2: 246.3 };
        let beside = Rect { x1: 160.0, y1: 100.0, x2: 260.0, y2: 240.0 };
        let image = Path::new("door/1.png");
        assert!(corrections.names(image, moved) && !corrections.names(image, beside));
        let mut label = |bounds| corrections.label(image, Some(bounds), Some(Label::WithMask));
        assert_eq!(label(moved), Some(Label::IncorrectMask));
        assert_eq!(label(beside), Some(Label::WithMask));
        let mut skipped = vec![];
        corrections.finish(&mut skipped);
        assert_eq!(skipped.len(), 1, "{skipped:?}");
    }

    #[test]
    fn a_row_with_a_box_changes_that_face_alone() {
        let text = "image,xmin,ymin,xmax,ymax,label,given\n\
                    door/1.png,60.0,10.0,90.0,50.0,incorrect_mask,with_mask\n\
                    hall/1.png,0,10,30,50,leave_out,with_mask\n";
        let (labels, skipped, done) = corrected(text);
        assert_eq!(labels, [Some(Label::WithMask), Some(Label::IncorrectMask), None, None]);
        assert_eq!(done, Corrected { relabelled: 1, labelled: 0, left_out: 1 });
        assert!(skipped.is_empty(), "{skipped:?}");
    }

    #[test]
    fn a_row_gives_a_label_to_a_face_that_has_none() {
        let (labels, skipped, done) =
            corrected("image,xmin,ymin,xmax,ymax,label\n2.png,0.4,10,30,50,incorrect_mask\n");
        assert_eq!(labels[3], Some(Label::IncorrectMask));
        assert_eq!(done, Corrected { labelled: 1, ..Corrected::default() });
        assert!(skipped.is_empty(), "{skipped:?}");
    }

    #[test]
    fn a_row_without_a_box_is_for_the_whole_picture_and_a_name_alone_for_every_folder() {
        let (labels, _, done) = corrected("image,label\ndoor/1.png,without_mask\n");
        assert_eq!(done.relabelled, 2);
        assert_eq!(labels[2], Some(Label::WithMask));
        let (labels, _, done) = corrected("image,label\n1.png,leave_out\n");
        assert_eq!((labels, done.left_out), (vec![None; 4], 3));
    }

    #[test]
    fn a_row_that_is_overruled_is_no_mistake_and_one_about_two_pictures_is() {
        let (labels, skipped, _) = corrected(
            "image,xmin,ymin,xmax,ymax,label\n\
             2.png,0,10,30,50,incorrect_mask\n\
             2.png,0,10,30,50,without_mask\n",
        );
        assert_eq!((labels[3], skipped), (Some(Label::WithoutMask), vec![]));

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.csv");
        std::fs::write(&path, "image,label\nfaces/1.png,without_mask\n").unwrap();
        let mut corrections = Corrections::read(&path).unwrap();
        for site in ["/site1/faces/1.png", "/site2/faces/1.png", "/site1/faces/1.png"] {
            corrections.label(Path::new(site), None, Some(Label::WithMask));
        }
        let mut told = vec![];
        corrections.finish(&mut told);
        assert!(told.len() == 1 && told[0].contains("c.csv:2: faces/1.png is /site1"), "{told:?}");
    }

    #[test]
    fn rows_that_say_nothing_usable_are_named() {
        let text = "image,xmin,ymin,xmax,ymax,label\n\
                    door/1.png,,,,,masked\n\
                    ,,,,,with_mask\n\
                    door/1.png,a,1,2,3,with_mask\n\
                    door/9.png,,,,,with_mask\n";
        let (labels, skipped, done) = corrected(text);
        assert_eq!((labels.iter().flatten().count(), done), (3, Corrected::default()));
        let told = skipped.join("\n");
        for part in
            [":2: unknown label 'masked'", ":3: no image", ":4: 'a'", ":5: no face of door/9"]
        {
            assert!(told.contains(part), "{part} in {told}");
        }
    }

    #[test]
    fn a_row_that_is_not_utf_8_costs_itself_alone() {
        let (_, skipped, done) =
            corrected(b"image,label\n\xff.png,with_mask\nhall/1.png,without_mask\n");
        assert_eq!(done.relabelled, 1);
        assert!(skipped[0].ends_with(":2: it is not UTF-8"), "{skipped:?}");
    }

    #[test]
    fn a_file_without_the_columns_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.csv");
        std::fs::write(&path, "picture,label\n").unwrap();
        let error = Corrections::read(&path).err().unwrap().to_string();
        assert!(error.contains("c.csv") && error.contains("'image'"), "{error}");
        assert!(Corrections::read(&folder.path().join("none.csv")).is_err());
    }
}
