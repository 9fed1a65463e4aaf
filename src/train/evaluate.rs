//! `maskgate-train evaluate`: judges a classifier or a detector on what training left out.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::classifier::{self, DataArgs};
use super::data::Origin;
use super::detector;

/// What to judge, on what.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The classifier to judge, on --data
    #[arg(long, value_name = "FILE", requires = "data")]
    classifier: Option<PathBuf>,
    /// The detector to judge, on --boxes (ours, a YuNet or an UltraFace file); with --classifier
    /// the one that finds the face in pictures without boxes
    #[arg(long, value_name = "FILE")]
    detector: Option<PathBuf>,
    /// Labelled faces, as for training a classifier; may be given several times
    #[arg(long, value_name = "PATH[=LABEL]")]
    data: Vec<Origin>,
    /// Seed of the split that the classifier was trained with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Annotated pictures, as for training a detector
    #[arg(long, value_name = "[FOLDER=]CSV", num_args = 1..)]
    boxes: Vec<String>,
    /// Judge a detector on all pictures instead of the fifth that training leaves out
    #[arg(long)]
    all: bool,
    /// Longer side in pixels that a detector of free input size sees
    #[arg(long, default_value_t = 320)]
    size: u32,
    /// False boxes an image at which a detector's recall is told
    #[arg(long, default_value_t = 0.5)]
    false_per_image: f32,
    /// Figures as one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let (table, json) = match (&args.classifier, &args.detector) {
        (Some(model), finder) => {
            let data =
                DataArgs { data: args.data.clone(), detector: finder.clone(), seed: args.seed };
            let report = classifier::judge(model, &data)?;
            (report.table(), serde_json::to_string(&report)?)
        }
        (None, Some(model)) if !args.boxes.is_empty() => {
            let rate = args.false_per_image;
            let report = detector::evaluate(model, &args.boxes, args.all, args.size, rate)?;
            (report.to_string(), serde_json::to_string(&report)?)
        }
        _ => bail!("nothing to judge: give --classifier and --data, or --detector and --boxes"),
    };
    if args.json {
        println!("{json}")
    } else {
        print!("{table}")
    }
    Ok(())
}
