//! `maskgate-train evaluate`: judges classifiers or detectors on what training left out, or on
//! pictures that no training saw, one or several side by side.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde_json::json;

use super::WrongUse;
use super::classifier::{self, DataArgs, Judged, ship};
use super::data::Origin;
use super::detector::{self, Judging};
use super::report::{self, Comparison, Nearness};
use super::sheet;
use crate::picture::Label;

/// What to judge, on what.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The classifier to judge, on --data; a second one is held against it side by side
    #[arg(long, value_name = "FILE", requires = "data", num_args = 1..=2)]
    classifier: Vec<PathBuf>,
    /// The detectors to judge, on --boxes (ours, YuNet or UltraFace files); with --classifier the
    /// one that finds the face in pictures without boxes
    #[arg(long, value_name = "FILE", num_args = 1..)]
    detector: Vec<PathBuf>,
    /// Labelled faces, as for training a classifier; may be given several times
    #[arg(
        long,
        value_name = "[FOLDER=]PATH[=LABEL]",
        requires = "classifier",
        conflicts_with = "boxes"
    )]
    data: Vec<Origin>,
    /// A CSV of labels put right and faces to leave out
    #[arg(long, value_name = "CSV", requires = "data", conflicts_with = "boxes")]
    corrections: Option<PathBuf>,
    /// Judge faces that have a box as the (one) --detector finds them, where it does: as in the daemon
    #[arg(long, requires_all = ["data", "detector"], conflicts_with = "boxes")]
    as_found: bool,
    /// Seed of the split that the classifier was trained with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Annotated pictures, as for training a detector
    #[arg(long, value_name = "[FOLDER=]CSV", num_args = 1.., conflicts_with = "classifier")]
    boxes: Vec<String>,
    /// Judge on all pictures, not only on the fifth that training leaves out (of a detector's sources
    /// those named with --validate): for data that no training saw
    #[arg(long)]
    all: bool,
    /// Longer side in pixels that a detector of free input size sees
    #[arg(long, default_value_t = 320, conflicts_with = "classifier",
        value_parser = clap::value_parser!(u32).range(96..=1920))]
    size: u32,
    /// False boxes an image at which a detector's recall is told
    #[arg(long, default_value_t = 0.5, conflicts_with = "classifier", value_parser = rate)]
    false_per_image: f32,
    /// Figures as JSON instead of tables, one object a line for each model
    #[arg(long)]
    json: bool,
    /// Folder for charts, contact sheets of mistakes, and the figures
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folder for the faces whose labels the (first) classifier doubts most, on pages to look at
    /// and as a CSV to put right and give to --corrections; with --all for every face
    #[arg(long, value_name = "DIR", requires = "data", conflicts_with = "boxes")]
    review: Option<PathBuf>,
}

/// So many a picture, 0 to 100.
fn rate(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(rate) if (0.0..=100.0).contains(&rate) => Ok(rate),
        _ => Err("not a number from 0 to 100".into()),
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    if !args.classifier.is_empty() {
        return classifiers(args);
    }
    if args.detector.is_empty() || args.boxes.is_empty() {
        let wanted = "nothing to judge: give --classifier and --data, or --detector and --boxes";
        return Err(WrongUse(wanted.into()).into());
    }
    if let Some(folder) = &args.out {
        ship::try_out(&folder.join("precision-recall.png"))?;
    }
    let judging = Judging {
        boxes: &args.boxes,
        all: args.all,
        size: args.size,
        false_per_image: args.false_per_image,
        out: args.out.as_deref(),
    };
    for (name, judgement) in detector::evaluate(&args.detector, &judging)? {
        if args.json {
            tell!("{}", json!({ "model": name, "judgement": judgement }));
        } else {
            tell!("{name}\n{judgement}");
        }
    }
    Ok(())
}

fn classifiers(args: &Args) -> Result<()> {
    let one = || WrongUse("--classifier takes one --detector, which finds the faces".into());
    ensure!(args.detector.len() < 2, one());
    if let Some(folder) = &args.review {
        sheet::new_review(folder)?;
    }
    if let Some(folder) = &args.out {
        ship::try_out(&folder.join("report.json"))?;
    }
    let detector = args.detector.first().cloned();
    let (data, corrections) = (args.data.clone(), args.corrections.clone());
    let as_found = args.as_found;
    let data = DataArgs { data, corrections, detector, as_found, seed: args.seed };
    let mut judged: Vec<Judged> = Vec::new();
    for (number, path) in (1..).zip(&args.classifier) {
        let model = classifier::judge(path, &data, args.all)?;
        if args.json {
            tell!("{}", json!({ "model": path, "report": model.report }));
        } else {
            tell!("{}\n{}", path.display(), model.report.table());
        }
        if let Some(folder) = &args.out {
            // A second model gets a folder of its own.
            let folder = if number == 1 { folder.clone() } else { folder.join("second") };
            report::write_pages(&model.report, &model.crops, &model.answers, &folder)?;
        }
        if let (Some(folder), 1) = (&args.review, number) {
            let found = report::write_review(&model.crops, &model.answers, folder)?;
            note!("review: {found} doubtful labels in {}", folder.display());
        }
        judged.push(model);
    }
    if let [first, second] = judged.as_slice() {
        let truths: Vec<Label> = first.crops.iter().map(|cut| cut.label).collect();
        let told = Comparison::of(&truths, &first.answers, &second.answers);
        let nearness = Nearness::of(&first.answers, &second.answers);
        let reports = [&first.report, &second.report];
        if args.json {
            tell!("{}", json!({ "comparison": told, "nearness": nearness }));
        } else {
            let table = report::beside(["first", "second"], reports, &nearness, &told);
            tell!("{}", table.trim_end());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn what_only_one_kind_of_model_is_judged_by_is_refused_with_the_other() {
        let boxes = ["evaluate", "--detector", "d", "--boxes", "b.csv"];
        for more in [
            &["--data", "faces"][..],
            &["--data", "faces", "--as-found"],
            &["--data", "faces", "--corrections", "c.csv"],
            &["--data", "faces", "--review", "r"],
            &["--false-per-image", "nan"],
            &["--false-per-image=-3"],
        ] {
            assert!(Line::try_parse_from(boxes.iter().chain(more)).is_err(), "{more:?}");
        }
        let args = Line::try_parse_from(boxes).unwrap().args;
        assert_eq!((args.boxes.len(), args.false_per_image), (1, 0.5));
    }
}
