//! Where faces come from: a folder of class folders, or a CSV of boxes.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::corrections::Corrections;
use super::{DataError, LeftOut};
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

/// All usable faces of `origins` with their labels, which `corrections` go before, in a fixed order, and
/// what is left out.
pub fn read(
    origins: &[Origin],
    corrections: Option<&mut Corrections>,
) -> Result<(Vec<Sample>, LeftOut), DataError> {
    let mut reading = Reading { samples: vec![], left_out: LeftOut::default(), corrections };
    for (index, origin) in origins.iter().enumerate() {
        let before = reading.samples.len();
        if origin.path.is_dir() {
            if let Some(label) = origin.label {
                return Err(DataError::LabelOfFolders { path: origin.path.clone(), label });
            }
            reading.folders(&origin.path, index)?;
        } else if origin.path.extension().is_some_and(|e| e == "csv") {
            reading.boxes(origin, index)?;
        } else {
            return Err(DataError::NotASource { path: origin.path.clone() });
        }
        reading.forget_what_is_nobody(before, &origin.path);
    }
    Ok((reading.samples, reading.left_out))
}

struct Reading<'a> {
    samples: Vec<Sample>,
    left_out: LeftOut,
    corrections: Option<&'a mut Corrections>,
}

impl Reading<'_> {
    fn folders(&mut self, path: &Path, origin: usize) -> Result<(), DataError> {
        let mut any = false;
        for label in Label::ALL {
            let folder = path.join(label.name());
            let unreadable = |source| DataError::Unreadable { path: folder.clone(), source };
            // A link that leads nowhere is an error: the model would not know the class.
            if folder.symlink_metadata().is_err_and(|e| e.kind() == ErrorKind::NotFound) {
                continue;
            }
            let mut files = Vec::new();
            for entry in fs::read_dir(&folder).map_err(unreadable)? {
                let file = entry.map_err(unreadable)?.path();
                if file.is_file() {
                    files.push(file);
                } else if file.is_dir() {
                    let line = format!("{}: a folder within a class folder", file.display());
                    self.left_out.add(1, line);
                } else {
                    let line = format!("{}: no file, or a link that leads nowhere", file.display());
                    self.left_out.add(1, line);
                }
            }
            if files.is_empty() {
                return Err(DataError::EmptyClass { path: folder });
            }
            any = true;
            files.sort();
            for path in files {
                let Some(label) = self.label(&path, None, Some(label)) else { continue };
                let (bounds, landmarks) = (None, None);
                let person = person(&path, 2);
                self.samples.push(Sample { path, bounds, landmarks, label, origin, person });
            }
        }
        if !any {
            return Err(DataError::NoClasses { path: path.to_owned() });
        }
        self.tell_others(path)
    }

    /// What lies beside the class folders: a class may be spelled otherwise.
    fn tell_others(&mut self, path: &Path) -> Result<(), DataError> {
        let unreadable = |source| DataError::Unreadable { path: path.to_owned(), source };
        let mut others = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if Label::ALL.iter().all(|label| *label.name() != *entry.file_name()) {
                others.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        others.sort();
        if !others.is_empty() {
            let classes = Label::ALL.map(Label::name).join(", ");
            let (path, count) = (path.display(), others.len());
            others.truncate(8);
            self.left_out.notes.push(format!(
                "{path}: {count} names beside the class folders ({classes}) are passed over: {}{}",
                others.join(", "),
                if count > others.len() { ", …" } else { "" }
            ));
        }
        Ok(())
    }

    fn boxes(&mut self, origin: &Origin, index: usize) -> Result<(), DataError> {
        let boxes = match &origin.pictures {
            Some(folder) => boxes::read_in(&origin.path, folder)?,
            None => boxes::read(&origin.path)?,
        };
        self.left_out.each(boxes.skipped);
        let before = self.samples.len();
        let (mut narrow, mut unlabelled) = (0, 0);
        for image in &boxes.images {
            for face in &image.faces {
                if face.ignore && !self.corrected(&image.path, face.bounds) {
                    continue;
                }
                // Asked of narrow ones too: a correction of one is not about nothing.
                let given = face.label.or(origin.label);
                let label = self.label(&image.path, Some(face.bounds), given);
                if face.bounds.width() < MIN_WIDTH {
                    narrow += 1;
                    continue;
                }
                let Some(label) = label else {
                    unlabelled += usize::from(given.is_none());
                    continue;
                };
                self.samples.push(Sample {
                    path: image.path.clone(),
                    bounds: Some(face.bounds),
                    landmarks: face.landmarks,
                    label,
                    origin: index,
                    person: person(&image.path, 1),
                });
            }
        }
        if unlabelled > 0 && self.samples.len() == before {
            return Err(DataError::NoLabel { path: origin.path.clone() });
        }
        let path = origin.path.display();
        if unlabelled > 0 {
            let line = format!("{path}: {unlabelled} boxes without a label");
            self.left_out.add(unlabelled, line);
        }
        if narrow > 0 {
            let line = format!("{path}: {narrow} boxes narrower than {MIN_WIDTH} px");
            self.left_out.add(narrow, line);
        }
        Ok(())
    }

    /// A camera names its pictures like one person's. Whom more than a fifth of a source shows could
    /// not be judged on either.
    fn forget_what_is_nobody(&mut self, first: usize, origin: &Path) {
        let samples = self.samples.get_mut(first..).unwrap_or_default();
        let mut faces: BTreeMap<String, usize> = BTreeMap::new();
        for person in samples.iter().filter_map(|sample| sample.person.clone()) {
            *faces.entry(person).or_default() += 1;
        }
        faces.retain(|_, count| *count >= MANY && *count * 5 > samples.len());
        for sample in samples {
            sample.person.take_if(|person| faces.contains_key(person));
        }
        for (name, count) in faces {
            let name = name.rsplit('/').next().unwrap_or_default();
            self.left_out.notes.push(format!(
                "{}: {count} pictures are named {name}_…, so that is taken for no person's name",
                origin.display()
            ));
        }
    }

    /// Whether somebody has said of this very face what it wears, which makes one to learn from of an
    /// ignored one.
    fn corrected(&self, path: &Path, bounds: Rect) -> bool {
        self.corrections.as_ref().is_some_and(|corrections| corrections.names(path, bounds))
    }

    fn label(&mut self, path: &Path, bounds: Option<Rect>, given: Option<Label>) -> Option<Label> {
        match &mut self.corrections {
            Some(corrections) => corrections.label(path, bounds, given),
            None => given,
        }
    }
}

/// Fewer pictures than these can well be of one person, whatever part of a source they are.
const MANY: usize = 5;

/// Words that programs put before numbers.
const NOBODY: [&str; 9] =
    ["img", "image", "dsc", "dscn", "pxl", "photo", "picture", "frame", "video"];

/// `Some_Name_12.jpg` is picture 12 of Some_Name, as face collections name their files, in the folder
/// so many levels up: a person may be in several class folders.
fn person(path: &Path, levels: usize) -> Option<String> {
    let (name, number) = path.file_stem()?.to_str()?.rsplit_once('_')?;
    number.parse::<u32>().ok()?;
    let nobody = |name: &str| {
        let last = name.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        NOBODY.contains(&last.to_ascii_lowercase().as_str())
    };
    // A date before the time tells nobody either: IMG_20240131_120001.
    let undated = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_' || c == '-');
    let dated = name.len() - undated.len() >= "240131".len();
    if nobody(name) || (dated && (undated.is_empty() || nobody(undated))) {
        return None;
    }
    Some(format!("{}/{name}", path.ancestors().nth(levels)?.display()))
}
