//! What a judgement of detectors looks like: a curve for all of them, and for each the faces it
//! missed and the boxes that hold none.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::judge::{Findings, Spot};
use crate::picture::{Picture, Rect};
use crate::train::pictures;
use crate::train::plot::{Chart, Line};
use crate::train::sheet::{self, Tile};
use crate::vision::crop;

/// Part of the box shown around it, so that one sees what it is.
const AROUND: f32 = 0.6;
/// Side in pixels of a piece on a sheet.
const SIDE: u32 = 128;

/// Writes `precision-recall.png` and `.svg`, and for each detector `NAME.json` with its figures,
/// `NAME-misses.png` and `NAME-false.png`, with a CSV each that names the pictures in the same order.
pub fn write(findings: &[(String, Findings)], false_per_image: f32, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let names = names(findings.iter().map(|(file, _)| file.as_str()));
    let lines = findings.iter().zip(&names).map(|((_, found), name)| Line {
        name: name.clone(),
        points: found.curve(),
        dashed: false,
    });
    let chart = Chart {
        title: "Precision and recall (IoU 0.35), faces of 12 px and over in 320".into(),
        x_label: "recall".into(),
        y_label: "precision".into(),
        x: 0.0..1.0,
        y: 0.0..1.0,
        lines: lines.collect(),
    };
    chart.write(&folder.join("precision-recall"))?;
    for ((_, found), name) in findings.iter().zip(&names) {
        let figures = serde_json::to_string_pretty(&found.judge(false_per_image))?;
        let path = folder.join(format!("{name}.json"));
        fs::write(&path, figures + "\n")
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        let misses = found.misses(false_per_image);
        let shown = tiles(&misses, |width| format!("{width:.0} px"));
        sheet::write(&shown, &folder.join(format!("{name}-misses.png")))?;
        table(&misses, "width_at_320", &folder.join(format!("{name}-misses.csv")))?;
        let wrong = found.false_boxes(false_per_image);
        let shown = tiles(&wrong, |score| format!("{score:.2}"));
        sheet::write(&shown, &folder.join(format!("{name}-false.png")))?;
        table(&wrong, "score", &folder.join(format!("{name}-false.csv")))?;
    }
    Ok(())
}

/// The files' names alone; of equal ones the later get a number.
fn names<'a>(files: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for file in files {
        let name = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or(file);
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.to_owned()).chain(numbered).find(|n| !names.contains(n));
        names.extend(free);
    }
    names
}

fn table(spots: &[(Spot, f32)], value: &str, path: &Path) -> Result<()> {
    let unwritable = || format!("{}: cannot be written", path.display());
    let mut writer = csv::Writer::from_path(path).with_context(unwritable)?;
    writer
        .write_record(["image", "xmin", "ymin", "xmax", "ymax", value])
        .with_context(unwritable)?;
    for (spot, value) in spots {
        let mut fields = vec![pictures::ending(&spot.path, [].into_iter())];
        fields.extend(<[f32; 4]>::from(spot.bounds).map(|edge| format!("{edge:.1}")));
        fields.push(format!("{value:.2}"));
        writer.write_record(&fields).with_context(unwritable)?;
    }
    writer.flush().with_context(unwritable)
}

fn tiles(spots: &[(Spot, f32)], text: impl Fn(f32) -> String) -> Vec<Tile> {
    let tiles = spots.iter().take(sheet::MOST).filter_map(|(spot, value)| {
        let picture = piece(spot)?;
        Some(Tile { picture, label: None, text: text(*value) })
    });
    tiles.collect()
}

fn piece(spot: &Spot) -> Option<Picture> {
    let picture = pictures::open(&spot.path).ok()?;
    let around: Rect = crop::region(&spot.bounds, AROUND);
    Some(crop::cut(&picture, &around, SIDE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detectors_of_one_name_have_pages_of_their_own() {
        let files = ["a/detector.onnx", "b/detector.onnx", "yunet.onnx", "c/detector.onnx"];
        assert_eq!(names(files.into_iter()), ["detector", "detector-2", "yunet", "detector-3"]);
    }
}
