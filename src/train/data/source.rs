//! Where faces come from: a folder of class folders, or a CSV of boxes.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::DataError;
use crate::picture::{Label, Point, Rect};
use crate::train::boxes;

/// Narrower boxes teach nothing about masks: at 18 px a mask is some eight pixels wide.
pub const MIN_WIDTH: f32 = 18.0;

/// One of the places data comes from: `PATH`; `PATH=LABEL` where its rows carry no label;
/// `FOLDER=CSV` and `FOLDER=CSV=LABEL` where the pictures lie in another folder than `CSV` without
/// its extension.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// A folder of class folders, or a CSV of boxes.
    pub path: PathBuf,
    /// The folder that a CSV's pictures lie in, where it was given.
    pub pictures: Option<PathBuf>,
    /// The label of rows that have none.
    pub label: Option<Label>,
}

impl FromStr for Origin {
    type Err = DataError;

    fn from_str(argument: &str) -> Result<Self, DataError> {
        let is_csv = |path: &str| path.ends_with(".csv");
        let (path, label) = match argument.rsplit_once('=') {
            Some((path, name)) if !is_csv(name) => {
                let label = Label::from_name(name).ok_or_else(|| DataError::UnknownLabel {
                    argument: argument.to_owned(),
                    label: name.to_owned(),
                })?;
                (path, Some(label))
            }
            _ => (argument, None),
        };
        Ok(match path.split_once('=') {
            Some((folder, csv)) if is_csv(csv) => {
                Self { path: csv.into(), pictures: Some(folder.into()), label }
            }
            _ => Self { path: path.into(), pictures: None, label },
        })
    }
}

/// One labelled face in one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub path: PathBuf,
    /// `None`: a folder's picture, whose face is yet to be found.
    pub bounds: Option<Rect>,
    /// In pixels of the stored picture, where somebody marked them.
    pub landmarks: Option<[Point; 5]>,
    pub label: Label,
    /// Index of its origin in the order given.
    pub origin: usize,
    /// Pictures of one person share it, where file names tell.
    pub person: Option<String>,
}

/// All usable faces of `origins`, in a fixed order, and one line for each thing left out.
pub fn read(origins: &[Origin]) -> Result<(Vec<Sample>, Vec<String>), DataError> {
    let mut samples = Vec::new();
    let mut skipped = Vec::new();
    for (index, origin) in origins.iter().enumerate() {
        if origin.path.is_dir() {
            read_folders(&origin.path, index, &mut samples)?;
        } else if origin.path.extension().is_some_and(|e| e == "csv") {
            read_boxes(origin, index, &mut samples, &mut skipped)?;
        } else {
            return Err(DataError::NotASource { path: origin.path.clone() });
        }
    }
    Ok((samples, skipped))
}

fn read_folders(path: &Path, origin: usize, samples: &mut Vec<Sample>) -> Result<(), DataError> {
    let before = samples.len();
    for label in Label::ALL {
        let folder = path.join(label.name());
        if !folder.is_dir() {
            continue;
        }
        let unreadable = |source| DataError::Unreadable { path: folder.clone(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file.is_file() {
                files.push(file);
            }
        }
        if files.is_empty() {
            return Err(DataError::EmptyClass { path: folder });
        }
        files.sort();
        let sample =
            |path| Sample { path, bounds: None, landmarks: None, label, origin, person: None };
        samples.extend(files.into_iter().map(sample));
    }
    if samples.len() == before {
        return Err(DataError::NoClasses { path: path.to_owned() });
    }
    Ok(())
}

fn read_boxes(
    origin: &Origin,
    index: usize,
    samples: &mut Vec<Sample>,
    skipped: &mut Vec<String>,
) -> Result<(), DataError> {
    let boxes = match &origin.pictures {
        Some(folder) => boxes::read_in(&origin.path, folder)?,
        None => boxes::read(&origin.path)?,
    };
    skipped.extend(boxes.skipped);
    let before = samples.len();
    let (mut narrow, mut unlabelled) = (0, 0);
    for image in &boxes.images {
        for face in image.faces.iter().filter(|face| !face.ignore) {
            if face.bounds.width() < MIN_WIDTH {
                narrow += 1;
                continue;
            }
            let Some(label) = face.label.or(origin.label) else {
                unlabelled += 1;
                continue;
            };
            samples.push(Sample {
                path: image.path.clone(),
                bounds: Some(face.bounds),
                landmarks: face.landmarks,
                label,
                origin: index,
                person: person(&image.path),
            });
        }
    }
    if unlabelled > 0 && samples.len() == before {
        return Err(DataError::NoLabel { path: origin.path.clone() });
    }
    let path = origin.path.display();
    if unlabelled > 0 {
        skipped.push(format!("{path}: {unlabelled} boxes without a label"));
    }
    if narrow > 0 {
        skipped.push(format!("{path}: {narrow} boxes narrower than {MIN_WIDTH} px"));
    }
    Ok(())
}

/// `Some_Name_12.jpg` is picture 12 of Some_Name, as face collections name their files.
fn person(path: &Path) -> Option<String> {
    let (name, number) = path.file_stem()?.to_str()?.rsplit_once('_')?;
    number.parse::<u32>().ok()?;
    Some(format!("{}/{name}", path.parent()?.display()))
}
