//! `maskgate-train detector`, and judging a detector file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::fit::{self, Fit, Start};
use super::judge::{self, Judgement};
use super::{network, scene};
use crate::config;
use crate::train::boxes::AnnotatedImage;
use crate::train::label;
use crate::vision::model::ModelFile;
use crate::vision::{self, Detector};

/// False boxes an image at which recall is told.
const FALSE_PER_IMAGE: f32 = 0.5;

/// Train the face detector.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Annotated pictures: `faces.csv` (pictures in `faces/`) or `FOLDER=faces.csv`
    #[arg(long, required = true, num_args = 1..)]
    boxes: Vec<String>,
    /// Those of `--boxes` (by number, from 1) of which a fifth is kept for validation
    #[arg(long, num_args = 0.., default_values_t = [1])]
    validate: Vec<usize>,
    /// Folders of pictures without a face
    #[arg(long, num_args = 0..)]
    background: Vec<PathBuf>,
    /// An UltraFace slim ONNX file to start the backbone from
    #[arg(long)]
    start: Option<PathBuf>,
    /// The checkpoint of a finished training to go on from, instead of --start
    #[arg(long, conflicts_with = "start")]
    from: Option<PathBuf>,
    /// Steps of the optimiser
    #[arg(long, default_value_t = 8000)]
    steps: usize,
    /// Highest learning rate
    #[arg(long, default_value_t = 8e-4)]
    rate: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Judge and set down the training every so many steps
    #[arg(long, default_value_t = 1000)]
    check: usize,
    /// Folder of the checkpoint; a training found there is taken up
    #[arg(long)]
    checkpoint: PathBuf,
    /// The model file to write
    #[arg(long)]
    out: PathBuf,
}

/// Runs the training.
pub fn run(args: &Args) -> Result<()> {
    let mut training = Vec::new();
    let mut validation = Vec::new();
    for (number, name) in (1..).zip(&args.boxes) {
        let images = scene::annotated(name)?;
        let (kept_out, used): (Vec<_>, Vec<_>) = images
            .into_iter()
            .partition(|image| args.validate.contains(&number) && kept_for_validation(&image.path));
        training.push(scene::load(name, &used));
        validation.extend(kept_out);
    }
    let mut background = Vec::new();
    for folder in &args.background {
        let images = label::pictures_in(folder)?;
        background.push(scene::load(&folder.display().to_string(), &images));
    }
    for source in training.iter().chain(&background) {
        let faces: usize =
            source.scenes.iter().map(|s| s.faces.iter().filter(|f| !f.ignore).count()).sum();
        println!("{}: {} pictures, {faces} faces", source.name, source.scenes.len());
        ensure!(!source.scenes.is_empty(), "{}: no picture can be used", source.name);
    }
    println!(
        "validation: {} pictures; {:.1} million multiply-adds at 320x256",
        validation.len(),
        network::multiply_adds(320, 256) as f64 / 1e6
    );
    let settings = serde_json::json!({
        "boxes": args.boxes, "validate": args.validate, "background": args.background,
        "start": args.start, "from": args.from, "steps": args.steps, "rate": args.rate, "seed": args.seed,
    });
    let fit = Fit { steps: args.steps, rate: args.rate, seed: args.seed, check: args.check };
    fit::run(
        &fit,
        training,
        background,
        &Start { published: args.start.as_deref(), from: args.from.as_deref() },
        &args.checkpoint,
        &settings,
        |step, bytes| {
            fs::write(&args.out, bytes)
                .with_context(|| format!("{}: cannot be written", args.out.display()))?;
            if !validation.is_empty() {
                let name = args.out.display().to_string();
                let file = ModelFile::parse(name, bytes, "")?;
                let answer = judge_file(file, &validation, 320, FALSE_PER_IMAGE)?;
                println!("step {step}: {answer}");
            }
            Ok(())
        },
    )
}

/// Judges the detector at `path` (empty: the built-in one) on the annotated pictures of `boxes`:
/// on the fifth that training leaves out, or on `all`. `size` is the longer side it sees.
pub fn evaluate(
    path: &Path,
    boxes: &[String],
    all: bool,
    size: u32,
    false_per_image: f32,
) -> Result<Judgement> {
    let mut images = Vec::new();
    for name in boxes {
        let read = scene::annotated(name)?;
        images.extend(read.into_iter().filter(|i| all || kept_for_validation(&i.path)));
    }
    ensure!(!images.is_empty(), "no pictures to judge on: name others with --boxes");
    judge_file(vision::open_detector(path, "")?, &images, size, false_per_image)
}

fn judge_file(
    file: ModelFile,
    images: &[AnnotatedImage],
    size: u32,
    false_per_image: f32,
) -> Result<Judgement> {
    let config = config::Detector {
        width: size,
        height: size * 3 / 4,
        threshold: 0.05,
        ..config::Detector::default()
    };
    judge::judge(&mut Detector::from_file(file, &config)?, images, false_per_image)
}

/// One picture in five, by its name, so that the split never depends on order or on other files
/// (FNV-1a).
fn kept_for_validation(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 32) % 5 == 0
}
