//! Boxes from CSV: what annotators and teachers wrote, row by row checked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

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
    #[error("{path}: not one usable row; first of {count} reasons: {first}")]
    Empty { path: PathBuf, count: usize, first: String },
}

/// Reads what the command line names: `faces.csv`, whose pictures lie in `faces/` beside it, or
/// `FOLDER=faces.csv` where they lie elsewhere.
pub fn read_named(name: &str) -> Result<Boxes, BoxesError> {
    match name.split_once('=') {
        Some((folder, csv)) => read_in(Path::new(csv), Path::new(folder)),
        None => read(Path::new(name)),
    }
}

/// Reads a CSV whose pictures lie in the folder of its name: `faces.csv`, `faces/`.
pub fn read(csv: &Path) -> Result<Boxes, BoxesError> {
    read_in(csv, &csv.with_extension(""))
}

/// Reads `image,xmin,ymin,xmax,ymax[,label][,ignore][,right_eye_x,…]`, pictures in `folder`. A row
/// that cannot be used is named in `skipped`, never silently trained on.
pub fn read_in(csv: &Path, folder: &Path) -> Result<Boxes, BoxesError> {
    let text = fs::read_to_string(csv)
        .map_err(|source| BoxesError::Unreadable { path: csv.into(), source })?;
    let mut lines = text.lines().enumerate();
    let header: Vec<&str> =
        lines.next().map_or("", |(_, line)| line).split(',').map(str::trim).collect();
    let column = |name: &str| header.iter().position(|&field| field == name);
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

    let mut skipped = Vec::new();
    let mut images: BTreeMap<String, Option<AnnotatedImage>> = BTreeMap::new();
    for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let number = index + 1;
        let mut skip =
            |reason: String| skipped.push(format!("{}:{number}: {reason}", csv.display()));
        let Some(&name) = fields.get(columns.image).filter(|name| !name.is_empty()) else {
            skip("no image is named".into());
            continue;
        };
        let entry = images.entry(name.to_owned()).or_insert_with(|| {
            let path = folder.join(name);
            match image::image_dimensions(&path) {
                Ok((width, height)) => Some(AnnotatedImage { path, width, height, faces: vec![] }),
                Err(error) => {
                    skip(format!("{}: {error}", path.display()));
                    None
                }
            }
        });
        let Some(image) = entry else { continue };
        match columns.annotation(&fields, image.width, image.height) {
            Ok(Some(face)) => image.faces.push(face),
            Ok(None) => {}
            Err(reason) => skipped.push(format!("{}:{number}: {reason}", csv.display())),
        }
    }
    let images: Vec<AnnotatedImage> = images.into_values().flatten().collect();
    if images.is_empty() {
        let first = skipped.first().cloned().unwrap_or_else(|| "the file has no rows".into());
        return Err(BoxesError::Empty { path: csv.into(), count: skipped.len(), first });
    }
    Ok(Boxes { images, skipped })
}

/// The first line of a CSV with everything [`read`] takes, and columns of the writer's own.
pub fn header(extra: &str) -> String {
    format!("image,xmin,ymin,xmax,ymax,label,ignore,{extra},{}\n", LANDMARK_COLUMNS.join(","))
}

/// The line for one face, as [`header`] with as many columns of the writer's own says.
pub fn row(image: &str, face: &Annotation, extra: &str) -> String {
    let b = face.bounds;
    let label = face.label.map_or("", Label::name);
    let ignore = u8::from(face.ignore);
    let landmarks = match face.landmarks {
        Some(points) => points.map(|p| format!("{:.1},{:.1}", p.x, p.y)).join(","),
        None => ",".repeat(LANDMARK_COLUMNS.len() - 1),
    };
    format!(
        "{image},{:.1},{:.1},{:.1},{:.1},{label},{ignore},{extra},{landmarks}\n",
        b.x1, b.y1, b.x2, b.y2
    )
}

struct Columns {
    image: usize,
    edges: [usize; 4],
    label: Option<usize>,
    ignore: Option<usize>,
    landmarks: Vec<Option<usize>>,
}

impl Columns {
    /// `Ok(None)` for a row that only names a picture without faces (all edges empty).
    fn annotation(
        &self,
        fields: &[&str],
        width: u32,
        height: u32,
    ) -> Result<Option<Annotation>, String> {
        let text = |at: Option<usize>| at.and_then(|at| fields.get(at).copied()).unwrap_or("");
        if self.edges.iter().all(|&at| text(Some(at)).is_empty()) {
            return Ok(None);
        }
        let mut edges = [0.0_f32; 4];
        for (edge, &at) in edges.iter_mut().zip(&self.edges) {
            *edge = number(text(Some(at)))?;
        }
        let bounds = Rect::from(edges);
        if bounds.area() <= 0.0 {
            return Err(format!("a box of no area: {edges:?}"));
        }
        let bounds = bounds.clamped(width as f32, height as f32);
        if bounds.area() <= 0.0 {
            return Err(format!("the box {edges:?} lies outside the {width}x{height} picture"));
        }
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
        Ok(Some(Annotation { bounds, label, ignore, landmarks: self.landmarks(fields)? }))
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
