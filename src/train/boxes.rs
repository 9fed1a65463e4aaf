//! Boxes from CSV: what annotators and teachers wrote, row by row checked.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::pictures;
use crate::picture::{Label, Point, Rect};

/// Column names of the five landmarks, in the order of `Face::landmarks`.
pub const LANDMARK_COLUMNS: [&str; 10] = [
    "right_eye_x",
    "right_eye_y",
    "left_eye_x",
    "left_eye_y",
    "nose_x",
    "nose_y",
    "right_mouth_x",
    "right_mouth_y",
    "left_mouth_x",
    "left_mouth_y",
];

/// One face somebody marked.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    /// In pixels of the stored picture, cut to it.
    pub bounds: Rect,
    /// `None`: a face, but nobody said what it wears.
    pub label: Option<Label>,
    /// Neither right nor wrong to find: unclear, or left out by the annotators.
    pub ignore: bool,
    pub landmarks: Option<[Point; 5]>,
}

/// One picture and its faces; none of them when a row names the picture alone.
#[derive(Clone, Debug)]
pub struct AnnotatedImage {
    pub path: PathBuf,
    /// Pixels, from the picture's header.
    pub width: u32,
    pub height: u32,
    pub faces: Vec<Annotation>,
    /// Whether every row about it gave a box. Where one did not, a face may be where no box is: such a
    /// picture must not say what is none.
    pub complete: bool,
}

/// A CSV file read.
#[derive(Clone, Debug, Default)]
pub struct Boxes {
    /// In the order of their names.
    pub images: Vec<AnnotatedImage>,
    /// One line for each row or picture that was left out, with its number and the reason.
    pub skipped: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum BoxesError {
    #[error("{path}: cannot be read: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error(
        "{path}: no column '{column}'; the first line must name image,xmin,ymin,xmax,ymax and may name label, ignore and landmarks"
    )]
    MissingColumn { path: PathBuf, column: String },
    #[error("{path}: no rows")]
    NoRows { path: PathBuf },
    #[error(
        "{path}: not one usable row; first of {count} reasons: {first}. Pictures are looked for in {folder}; FOLDER={path} names another place"
    )]
    Empty { path: PathBuf, count: usize, first: String, folder: PathBuf },
}

/// Reads what the command line names: `faces.csv`, whose pictures lie in `faces/` beside it, or
/// `FOLDER=faces.csv` where they lie elsewhere.
pub fn read_named(name: &str) -> Result<Boxes, BoxesError> {
    let (folder, csv) = named(name);
    read_in(&csv, &folder)
}

/// The folder of pictures and the CSV that such a name says.
pub fn named(name: &str) -> (PathBuf, PathBuf) {
    match name.split_once('=') {
        Some((folder, csv)) => (folder.into(), csv.into()),
        None => (Path::new(name).with_extension(""), name.into()),
    }
}

/// The rows of a CSV, of any number of fields, without blanks around these. Lines may end as on
/// Windows, for which the reader's numbers would be one too low.
pub fn rows(csv: &Path) -> io::Result<csv::Reader<Cursor<Vec<u8>>>> {
    let text = fs::read(csv)?;
    let next = text.iter().skip(1).map(Some).chain([None]);
    let pairs = text.iter().zip(next).filter(|pair| *pair != (&b'\r', Some(&b'\n')));
    let text: Vec<u8> = pairs.map(|(byte, _)| *byte).collect();
    let mut builder = csv::ReaderBuilder::new();
    Ok(builder.flexible(true).trim(csv::Trim::All).from_reader(Cursor::new(text)))
}

/// Reads a CSV whose pictures lie in the folder of its name: `faces.csv`, `faces/`.
pub fn read(csv: &Path) -> Result<Boxes, BoxesError> {
    read_in(csv, &csv.with_extension(""))
}

/// Reads `image,xmin,ymin,xmax,ymax[,label][,ignore][,right_eye_x,…]`, pictures in `folder`. A row
/// that cannot be used is named in `skipped`, never silently trained on; one whose box can be read and the
/// rest not makes an ignored face.
pub fn read_in(csv: &Path, folder: &Path) -> Result<Boxes, BoxesError> {
    let unreadable = |source: csv::Error| {
        let source = match source.into_kind() {
            csv::ErrorKind::Io(error) => error,
            other => io::Error::other(format!("{other:?}")),
        };
        BoxesError::Unreadable { path: csv.into(), source }
    };
    let mut reader = rows(csv).map_err(|error| unreadable(error.into()))?;
    let header = reader.headers().map_err(unreadable)?.clone();
    let column = |name: &str| header.iter().position(|field| field == name);
    let required = |name: &str| {
        column(name)
            .ok_or_else(|| BoxesError::MissingColumn { path: csv.into(), column: name.into() })
    };
    let image = required("image")?;
    let edges = [required("xmin")?, required("ymin")?, required("xmax")?, required("ymax")?];
    let columns = Columns {
        image,
        edges,
        label: column("label"),
        ignore: column("ignore"),
        landmarks: LANDMARK_COLUMNS.iter().map(|name| column(name)).collect(),
    };

    let (mut skipped, mut usable) = (Vec::new(), 0);
    let mut images: BTreeMap<String, Result<AnnotatedImage, String>> = BTreeMap::new();
    for (index, record) in reader.byte_records().enumerate() {
        // Names that are not UTF-8 cost their row, not the file.
        let record = record.map_err(unreadable)?;
        let number = record.position().map_or(index as u64 + 2, csv::Position::line);
        let mut skip =
            |reason: String| skipped.push(format!("{}:{number}: {reason}", csv.display()));
        let Ok(record) = StringRecord::from_byte_record(record) else {
            skip("it is not UTF-8".into());
            continue;
        };
        let fields: Vec<&str> = record.iter().collect();
        let Some(&name) = fields.get(columns.image).filter(|name| !name.is_empty()) else {
            skip("no image is named".into());
            continue;
        };
        let entry = images.entry(name.to_owned()).or_insert_with(|| {
            let path = folder.join(name);
            match pictures::size(&path) {
                Ok((width, height)) => {
                    Ok(AnnotatedImage { path, width, height, faces: vec![], complete: true })
                }
                Err(error) => Err(error.to_string()),
            }
        });
        let image = match entry {
            Ok(image) => image,
            Err(reason) => {
                skip(reason.clone());
                continue;
            }
        };
        match columns.bounds(&fields, image.width, image.height) {
            Ok(None) => usable += 1,
            Ok(Some(bounds)) => image.faces.push(match columns.annotation(&fields, bounds) {
                Ok(face) => {
                    usable += 1;
                    face
                }
                Err(reason) => {
                    skip(reason);
                    Annotation { bounds, label: None, ignore: true, landmarks: None }
                }
            }),
            Err(reason) => {
                skip(reason);
                image.complete = false;
            }
        }
    }
    let images: Vec<AnnotatedImage> = images.into_values().flatten().collect();
    if usable == 0 {
        let path = csv.into();
        let Some(first) = skipped.first().cloned() else {
            return Err(BoxesError::NoRows { path });
        };
        return Err(BoxesError::Empty { path, count: skipped.len(), first, folder: folder.into() });
    }
    Ok(Boxes { images, skipped })
}

impl Boxes {
    /// Takes out the pictures of which not every row gave a box, in which a face may be where no box
    /// is; a line for each is added to `skipped`.
    pub fn without_incomplete(mut self) -> Self {
        let (whole, incomplete): (Vec<_>, Vec<_>) =
            self.images.into_iter().partition(|image| image.complete);
        self.images = whole;
        let told = |image: AnnotatedImage| {
            format!("{}: left out, for a row about it cannot be used", image.path.display())
        };
        self.skipped.extend(incomplete.into_iter().map(told));
        self
    }
}

/// The first line of a CSV with everything [`read`] takes, and columns of the writer's own.
pub fn header(own: &[&str]) -> csv::Result<String> {
    let before = ["image", "xmin", "ymin", "xmax", "ymax", "label", "ignore"];
    line(before.iter().chain(own).chain(&LANDMARK_COLUMNS))
}

/// The line for one face of a picture, with the writer's own columns as in [`header`].
pub fn row(image: &str, face: &Annotation, own: &[&str]) -> csv::Result<String> {
    let number = |value: f32| format!("{value:.1}");
    let mut fields = vec![image.to_owned()];
    fields.extend(<[f32; 4]>::from(face.bounds).map(number));
    fields.push(face.label.map_or("", Label::name).to_owned());
    fields.push(u8::from(face.ignore).to_string());
    fields.extend(own.iter().map(|&field| field.to_owned()));
    let landmarks = fields.len();
    fields.extend(face.landmarks.iter().flatten().flat_map(|p| [number(p.x), number(p.y)]));
    fields.resize(landmarks + LANDMARK_COLUMNS.len(), String::new());
    line(&fields)
}

/// The line for a picture that is known to hold no face.
pub fn empty_row(image: &str) -> csv::Result<String> {
    line([image, "", "", "", ""])
}

fn line<I, F>(fields: I) -> csv::Result<String>
where
    I: IntoIterator<Item = F>,
    F: AsRef<[u8]>,
{
    let mut bytes = Vec::new();
    let mut writer = csv::Writer::from_writer(&mut bytes);
    writer.write_record(fields)?;
    writer.flush()?;
    drop(writer);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

struct Columns {
    image: usize,
    edges: [usize; 4],
    label: Option<usize>,
    ignore: Option<usize>,
    landmarks: Vec<Option<usize>>,
}

impl Columns {
    /// The box, cut to the picture; `Ok(None)` for a row that only names a picture without faces (all
    /// edges empty).
    fn bounds(&self, fields: &[&str], width: u32, height: u32) -> Result<Option<Rect>, String> {
        let text = |at: usize| fields.get(at).copied().unwrap_or("");
        if self.edges.iter().all(|&at| text(at).is_empty()) {
            return Ok(None);
        }
        let mut edges = [0.0_f32; 4];
        for (edge, &at) in edges.iter_mut().zip(&self.edges) {
            *edge = number(text(at))?;
        }
        let bounds = Rect::from(edges);
        if bounds.area() <= 0.0 {
            return Err(format!("a box of no area: {edges:?}"));
        }
        let bounds = bounds.clamped(width as f32, height as f32);
        if bounds.area() <= 0.0 {
            return Err(format!("the box {edges:?} lies outside the {width}x{height} picture"));
        }
        Ok(Some(bounds))
    }

    fn annotation(&self, fields: &[&str], bounds: Rect) -> Result<Annotation, String> {
        let text = |at: Option<usize>| at.and_then(|at| fields.get(at).copied()).unwrap_or("");
        let label = match text(self.label) {
            "" => None,
            name => Some(Label::from_name(name).ok_or_else(|| {
                format!("unknown label '{name}'; known: with_mask, without_mask, incorrect_mask")
            })?),
        };
        let ignore = match text(self.ignore) {
            "" | "0" | "false" => false,
            "1" | "true" => true,
            other => return Err(format!("ignore is '{other}', not 0 or 1")),
        };
        Ok(Annotation { bounds, label, ignore, landmarks: self.landmarks(fields)? })
    }

    fn landmarks(&self, fields: &[&str]) -> Result<Option<[Point; 5]>, String> {
        let mut points = [Point::default(); 5];
        for (index, at) in self.landmarks.iter().enumerate() {
            let Some(text) = at.and_then(|at| fields.get(at)).filter(|text| !text.is_empty())
            else {
                return Ok(None);
            };
            let value = number(text)?;
            let Some(point) = points.get_mut(index / 2) else { return Ok(None) };
            if index % 2 == 0 { point.x = value } else { point.y = value }
        }
        Ok(Some(points))
    }
}

fn number(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("'{text}' is not a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads rows under the usual header, beside a picture `a.png` of 100 × 80.
    fn read_rows(rows: &str) -> Result<Boxes, BoxesError> {
        let folder = tempfile::tempdir().expect("a folder");
        image::RgbImage::new(100, 80).save(folder.path().join("a.png")).expect("room");
        let csv = folder.path().join("faces.csv");
        std::fs::write(&csv, format!("image,xmin,ymin,xmax,ymax,label\n{rows}")).expect("room");
        read_in(&csv, folder.path())
    }

    #[test]
    fn each_row_that_cannot_be_used_is_named_with_its_line_and_reason() {
        let rows = "a.png,10,10,40,50,with_mask\n\
            a.png,10,10,10,50,with_mask\n\
            a.png,200,10,240,50,with_mask\n\
            a.png,ten,10,40,50,with_mask\n\
            a.png,10,10,inf,50,with_mask\n\
            a.png,10,10,40,50,with_hat\n\
            b.png,10,10,40,50,with_mask\n\
            b.png,50,10,90,50,with_mask\n\
            ,10,10,40,50,with_mask\n\
            a.png,60,20,140,70,without_mask\n";
        let boxes = read_rows(rows).expect("two rows can be used");
        let wanted = [
            "faces.csv:3: a box of no area",
            "faces.csv:4: the box [200.0, 10.0, 240.0, 50.0] lies outside the 100x80 picture",
            "faces.csv:5: 'ten' is not a number",
            "faces.csv:6: 'inf' is not a number",
            "faces.csv:7: unknown label 'with_hat'",
            "faces.csv:8: ",
            "faces.csv:9: ",
            "faces.csv:10: no image is named",
        ];
        assert_eq!(boxes.skipped.len(), wanted.len(), "{:#?}", boxes.skipped);
        for (found, wanted) in boxes.skipped.iter().zip(wanted) {
            assert!(found.contains(wanted), "{found} is not {wanted}");
        }
        let faces = &boxes.images[0].faces;
        let ignored: Vec<bool> = faces.iter().map(|face| face.ignore).collect();
        assert_eq!(ignored, [false, true, false], "a face of which nobody knows what it wears");
        assert_eq!(faces[2].bounds.x2, 100.0, "a box is cut to the picture");
        assert!(!boxes.images[0].complete, "faces may be where the others should be");
        // The same rows from Windows.
        let windows = read_rows(&rows.replace('\n', "\r\n")).expect("two rows can be used");
        assert_eq!(windows.skipped.len(), boxes.skipped.len());
        let line =
            |told: &str| told.split(": ").next().map(|at| at.rsplit(':').next().map(str::to_owned));
        for (windows, told) in windows.skipped.iter().zip(&boxes.skipped) {
            assert_eq!(line(windows), line(told), "{windows}");
        }
        let label = "a.png,10,10,40,50,with_mask\na.png,10,10,40,50,with_hat\n";
        assert!(read_rows(label).expect("one row can be used").images[0].complete);
    }

    #[test]
    fn what_is_written_is_read_again_whatever_the_pictures_are_called() {
        let folder = tempfile::tempdir().expect("a folder");
        let names = ["plain.png", "two, \"three\" & four.png"];
        for name in names {
            image::RgbImage::new(100, 80).save(folder.path().join(name)).expect("room");
        }
        let face = Annotation {
            bounds: Rect { x1: 10.0, y1: 12.5, x2: 40.0, y2: 50.0 },
            label: Some(Label::WithMask),
            ignore: false,
            landmarks: Some([Point { x: 12.5, y: 20.0 }; 5]),
        };
        let unclear = Annotation { label: None, ignore: true, landmarks: None, ..face.clone() };
        let lines = [
            header(&["score"]),
            empty_row(names[0]),
            row(names[1], &face, &["0.9"]),
            row(names[1], &unclear, &["0.2"]),
        ];
        let text: String = lines.map(|line| line.expect("room")).concat();
        let csv = folder.path().join("faces.csv");
        std::fs::write(&csv, text).expect("room");
        let read = read_in(&csv, folder.path()).expect("it can be read");
        assert_eq!(read.skipped, [""; 0]);
        assert_eq!(read.images[0].faces, []);
        assert_eq!(read.images[1].faces, [face, unclear]);
    }

    #[test]
    fn a_name_that_is_no_text_costs_its_row_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        image::RgbImage::new(100, 80).save(folder.path().join("a.png")).expect("room");
        let csv = folder.path().join("faces.csv");
        let mut bytes = b"image,xmin,ymin,xmax,ymax\n\xff\xfe.png,1,1,9,9\n".to_vec();
        bytes.extend(b"a.png,10,10,40,50\n");
        std::fs::write(&csv, bytes).expect("room");
        let boxes = read_in(&csv, folder.path()).expect("one row can be used");
        assert_eq!(boxes.images.len(), 1);
        assert!(boxes.skipped[0].ends_with("faces.csv:2: it is not UTF-8"), "{:?}", boxes.skipped);
    }

    #[test]
    fn a_missing_column_and_a_file_without_a_usable_row_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let csv = folder.path().join("faces.csv");
        std::fs::write(&csv, "image,xmin,ymin,xmax\n").expect("room");
        let error = read_in(&csv, folder.path()).expect_err("no ymax").to_string();
        assert!(error.contains("no column 'ymax'"), "{error}");
        let error = read_rows("c.png,1,1,9,9,with_mask\n").expect_err("no picture").to_string();
        assert!(error.contains("not one usable row") && error.contains("c.png"), "{error}");
        let error = read_rows("a.png,1,1,9,9,mask\na.png,1,1,9,9,no_mask\n").expect_err("no label");
        assert!(error.to_string().contains("unknown label 'mask'"), "{error}");
    }
}
