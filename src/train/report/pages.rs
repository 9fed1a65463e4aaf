//! A report to look at: curves and the worst mistakes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Report;
use super::review::{self, Doubt};
use crate::picture::{Label, Probabilities};
use crate::train::data::Cut;
use crate::train::plot::{Chart, Line};
use crate::train::sheet::{self, Tile};

/// Fewer answers of one sureness say nothing of how often such are right.
const MANY: usize = 10;

/// Writes `report.json`, `report.txt`, `roc.png` and `.svg`, `calibration.png` and `.svg`, and
/// `mistakes.png`: the wrong answers, the surest first, each with what it is, what was answered and how
/// surely in percent. `mistakes.csv` names their pictures in the same order.
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
    let mistakes = mistakes(crops, answers);
    let tiles: Vec<Tile> = mistakes.iter().take(sheet::MOST).map(tile).collect();
    sheet::write(&tiles, &folder.join("mistakes.png"))?;
    let path = folder.join("mistakes.csv");
    fs::write(&path, review::table(&mistakes, crops)?)
        .with_context(|| format!("{}: cannot be written", path.display()))
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
    let many = told.bins.iter().filter(|(faces, ..)| *faces >= MANY);
    let points = many.map(|(_, sure, right)| (*sure, *right)).collect();
    Some(Chart {
        title: format!("Is 0.9 right nine times in ten? Off by {:.3} on average", told.error),
        x_label: format!("probability of the answer, in tenths with {MANY} answers and more"),
        y_label: "part of the answers that is right".into(),
        x: 0.0..1.0,
        y: 0.0..1.0,
        lines: vec![
            Line { name: "this model".into(), points, dashed: false },
            diagonal("as it should be"),
        ],
    })
}

fn mistakes<'a>(crops: &'a [Cut], answers: &[Probabilities]) -> Vec<Doubt<'a>> {
    let answered = crops.iter().zip(answers).map(|(cut, answer)| {
        let (suggested, probability) = answer.best();
        Doubt { cut, suggested, probability }
    });
    let mut wrong: Vec<Doubt<'a>> =
        answered.filter(|mistake| mistake.cut.label != mistake.suggested).collect();
    wrong.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    wrong
}

fn tile(mistake: &Doubt) -> Tile {
    let (truth, answer) = (short(mistake.cut.label), short(mistake.suggested));
    // As much as the plate holds.
    let percent = (mistake.probability * 100.0).min(99.0);
    Tile {
        picture: mistake.cut.picture.clone(),
        label: Some(mistake.suggested),
        text: format!("{truth}>{answer} {percent:.0}"),
    }
}

pub(super) fn short(label: Label) -> &'static str {
    match label {
        Label::WithMask => "mask",
        Label::WithoutMask => "bare",
        Label::IncorrectMask => "wrong",
    }
}
