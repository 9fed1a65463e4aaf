//! A report to look at: curves and the worst mistakes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Report;
use crate::picture::{Label, Probabilities};
use crate::train::data::Cut;
use crate::train::plot::{Chart, Line};
use crate::train::sheet::{self, Tile};

/// Writes `report.json`, `report.txt`, `roc.png` and `.svg`, `calibration.png` and `.svg`, and
/// `mistakes.png`: the wrong answers, the surest first, with what was answered.
pub fn write(
    report: &Report,
    crops: &[Cut],
    answers: &[Probabilities],
    folder: &Path,
) -> Result<()> {
    let text = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("{}: cannot be written", path.display()))
    };
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    text("report.json", serde_json::to_string(report)? + "\n")?;
    text("report.txt", report.table())?;
    roc_chart(report).write(&folder.join("roc"))?;
    if let Some(chart) = calibration_chart(report) {
        chart.write(&folder.join("calibration"))?;
    }
    sheet::write(&mistakes(crops, answers), &folder.join("mistakes.png"))?;
    Ok(())
}

fn diagonal(name: &str) -> Line {
    Line { name: name.into(), points: vec![(0.0, 0.0), (1.0, 1.0)], dashed: true }
}

fn roc_chart(report: &Report) -> Chart {
    let lines = report.roc.iter().map(|roc| Line {
        name: format!("{} ({:.4})", roc.label, roc.area),
        points: roc.points.clone(),
        dashed: false,
    });
    Chart {
        title: "Each label against the others (area under the curve)".into(),
        x_label: "part of the others taken for it".into(),
        y_label: "part of it that is seen".into(),
        x: 0.0..1.0,
        y: 0.0..1.0,
        lines: lines.chain([diagonal("guessing")]).collect(),
    }
}

fn calibration_chart(report: &Report) -> Option<Chart> {
    let told = report.calibration.as_ref()?;
    let points = told.bins.iter().map(|(_, sure, right)| (*sure, *right)).collect();
    Some(Chart {
        title: format!("Is 0.9 right nine times in ten? Off by {:.3} on average", told.error),
        x_label: "probability of the answer".into(),
        y_label: "part of the answers that is right".into(),
        x: 0.0..1.0,
        y: 0.0..1.0,
        lines: vec![
            Line { name: "this model".into(), points, dashed: false },
            diagonal("as it should be"),
        ],
    })
}

fn mistakes(crops: &[Cut], answers: &[Probabilities]) -> Vec<Tile> {
    let mut wrong: Vec<(&Cut, Label, f32)> = crops
        .iter()
        .zip(answers)
        .map(|(cut, answer)| (cut, answer.best().0, answer.best().1))
        .filter(|(cut, answer, _)| cut.label != *answer)
        .collect();
    wrong.sort_by(|a, b| b.2.total_cmp(&a.2));
    let tile = |(cut, answer, sure): &(&Cut, Label, f32)| Tile {
        picture: cut.picture.clone(),
        label: Some(*answer),
        text: format!("{} {:.0}%", short(*answer), sure * 100.0),
    };
    wrong.iter().take(sheet::MOST).map(tile).collect()
}

pub(super) fn short(label: Label) -> &'static str {
    match label {
        Label::WithMask => "mask",
        Label::WithoutMask => "bare",
        Label::IncorrectMask => "wrong",
    }
}
