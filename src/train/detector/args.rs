//! `maskgate-train detector`, and judging a detector file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::fit::{self, Fit, Start, Told};
use super::judge::{self, Judgement};
use super::network::Channels;
use super::samples::Additions;
use super::{pages, scene};
use crate::train::classifier::{lies_in, same_file, ship};
use crate::train::device::Choice;
use crate::train::digest::Digest;
use crate::train::fit::Checkpoint;
use crate::train::history::History;
use crate::train::random::hash_of;
use crate::train::synthesise::Cutout;
use crate::train::{WrongUse, label, synthesise};
use crate::vision;
use crate::vision::model::ModelFile;

/// Names of the parts of the loss, in their order.
const LOSSES: [&str; 3] = ["loss of scores", "loss of boxes", "loss of landmarks"];

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
    /// An ONNX file to start from: a detector that was written here, or UltraFace slim for the
    /// backbone; of several that came from one another, the mean of their weights
    #[arg(long, num_args = 1..)]
    start: Vec<PathBuf>,
    /// The checkpoint of a finished training to go on from, instead of --start
    #[arg(long, conflicts_with = "start")]
    from: Option<PathBuf>,
    /// Steps of the optimiser
    #[arg(long, default_value_t = 8000)]
    steps: usize,
    /// Highest learning rate, 0 to 1
    #[arg(long, default_value_t = 8e-4, value_parser = within(0.0, 1.0))]
    rate: f64,
    /// Share of the bare faces with landmarks that get a drawn mask, 0 to 1; a face is bare unless
    /// its label says otherwise
    #[arg(long, default_value_t = 0.0, value_parser = synthesise::share)]
    drawn: f32,
    /// Hands to lay into the samples away from faces, which are often taken for one: a CSV of the columns
    /// image and outline (`x y x y …`), `hands.csv` (pictures in `hands/`) or `FOLDER=hands.csv`
    #[arg(long, value_name = "[FOLDER=]CSV")]
    hand_outlines: Option<String>,
    /// Only landmarks learn, from near faces; scores and boxes stay as --start has them
    #[arg(long, requires = "start")]
    only_landmarks: bool,
    /// How much landmarks count in the loss beside scores (1) and boxes (2), 0 to 10
    #[arg(long, default_value_t = 1.0, value_parser = within(0.0, 10.0))]
    landmark_weight: f64,
    /// Batch normalisation while the network learns, folded into the weights that are written
    #[arg(long, conflicts_with = "only_landmarks")]
    normalise: bool,
    /// Width of the network, 0.25 to 2: factor on all channels; it starts anew or from a detector of
    /// half its width or wider, of which the strongest channels are taken, some twice if need be
    #[arg(long, default_value_t = 1.0, value_parser = within(0.25, 2.0))]
    width: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What it calculates on; seed and settings give the same result only on the same kind
    #[arg(long, value_enum, default_value_t = Choice::Cpu)]
    device: Choice,
    /// Judge and set down the training every so many steps
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    check: u64,
    /// Folder of the checkpoint; a training found there is taken up
    #[arg(long)]
    checkpoint: PathBuf,
    /// The model file to write
    #[arg(long)]
    out: PathBuf,
    /// Folder for the curves of the training and contact sheets of its mistakes
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

fn within(low: f64, high: f64) -> impl Fn(&str) -> Result<f64, String> + Clone {
    move |text| match text.parse() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(format!("not a number from {low} to {high}")),
    }
}

/// Refuses what would fail only after the data was read, or later.
fn check(args: &Args) -> Result<(), WrongUse> {
    let named = args.boxes.len();
    if let Some(number) = args.validate.iter().find(|number| !(1..=named).contains(*number)) {
        let wrong = format!("--validate {number}: --boxes names {named}, counted from 1");
        return Err(WrongUse(wrong));
    }
    if args.out.is_dir() {
        return Err(WrongUse(format!("--out {}: a folder; name a file", args.out.display())));
    }
    if args.start.iter().any(|start| same_file(start, &args.out)) {
        let out = args.out.display();
        let wrong = format!("--out {out}: the file of --start, which would be lost; name another");
        return Err(WrongUse(wrong));
    }
    let mut written = [Some(&args.out), args.report.as_ref()].into_iter().flatten();
    if let Some(path) = written.find(|path| lies_in(path, &args.checkpoint)) {
        let path = path.display();
        let wrong = format!("{path}: in the folder of the --checkpoint, which is replaced whole");
        return Err(WrongUse(wrong));
    }
    Ok(())
}

/// Runs the training.
pub fn run(args: &Args) -> Result<()> {
    check(args)?;
    let device = args.device.open()?;
    ship::try_out(&args.out)?;
    if let Some(folder) = &args.report {
        ship::try_out(&folder.join("loss.png"))?;
    }
    let hands = args.hand_outlines.as_deref().map(synthesise::hands).transpose();
    let mut hands = hands.context("--hand-outlines")?.unwrap_or_default();
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
        let (images, _) = label::pictures_in(folder)?;
        background.push(scene::load(&folder.display().to_string(), &images));
    }
    synthesise::leave_judged(&mut hands, validation.iter().map(|image| image.path.as_path()));
    for source in training.iter().chain(&background) {
        let faces: usize =
            source.scenes.iter().map(|s| s.faces.iter().filter(|f| !f.ignore).count()).sum();
        tell!("{}: {} pictures, {faces} faces", source.name, source.scenes.len());
        ensure!(!source.scenes.is_empty(), "{}: no picture can be used", source.name);
    }
    let channels = Channels::of(args.width);
    tell!(
        "validation: {} pictures; {:.1} million multiply-adds at 320x256",
        validation.len(),
        channels.multiply_adds(320, 256) as f64 / 1e6
    );
    let mut settings = serde_json::json!({
        "boxes": args.boxes, "validate": args.validate, "background": args.background,
        "start": args.start, "from": args.from, "steps": args.steps, "rate": args.rate, "seed": args.seed,
    });
    if args.drawn > 0.0 {
        // Named only where it is used, so that trainings begun without it can be taken up.
        settings["drawn"] = args.drawn.into();
    }
    if args.width != 1.0 {
        settings["width"] = args.width.into();
    }
    if args.landmark_weight != 1.0 {
        settings["landmark_weight"] = args.landmark_weight.into();
    }
    if args.normalise {
        settings["normalise"] = true.into();
    }
    if args.only_landmarks {
        settings["only_landmarks"] = true.into();
    }
    if let Some(name) = &args.hand_outlines {
        settings["hand_outlines"] = name.as_str().into();
    }
    settings["digest"] = digest(training.iter().chain(&background), &hands, args)?.into();
    let fit = Fit {
        steps: args.steps,
        rate: args.rate,
        seed: args.seed,
        check: args.check as usize,
        additions: Additions { masks: args.drawn, hands },
        only_landmarks: args.only_landmarks,
        landmark_weight: args.landmark_weight as f32,
        normalise: args.normalise,
        channels,
        device,
    };
    fit::run(
        &fit,
        training,
        background,
        &Start { files: &args.start, from: args.from.as_deref() },
        &args.checkpoint,
        &settings,
        |told, bytes| {
            ship::put(bytes, &args.out)?;
            let found = if validation.is_empty() {
                None
            } else {
                let file = ModelFile::parse(args.out.display().to_string(), bytes, "")?;
                Some(judge::look(&mut judge::opened(file, 320)?, &validation)?)
            };
            let answer = found.as_ref().map(|found| found.judge(FALSE_PER_IMAGE));
            if let Some(answer) = &answer {
                tell!("step {}: {answer}", told.step);
            }
            // Opened anew each time: what is on disk goes with the checkpoint taken up.
            let mut history = History::open(&args.checkpoint, told.step);
            let before = history.forget(told.step);
            let mut figures = figures(told, answer.as_ref());
            if told.losses.is_none() {
                // Taken up after its last step: what these were is known.
                let losses = before.iter().filter(|(name, _)| LOSSES.contains(&name.as_str()));
                figures.extend(losses.map(|(name, loss)| (name.as_str(), *loss)));
            }
            history.push(told.step, &figures)?;
            if let Some(folder) = &args.report {
                curves(&history, answer.is_some(), folder)?;
                if let Some(found) = found {
                    let name = args.out.display().to_string();
                    pages::write(&[(name, found)], FALSE_PER_IMAGE, folder)?;
                }
            }
            Ok(())
        },
    )
}

/// Of the pictures with their faces, of the hands, and of the files at the start.
fn digest<'a>(
    sources: impl Iterator<Item = &'a scene::Scenes>,
    hands: &[Cutout],
    args: &Args,
) -> Result<String> {
    let mut digest = Digest::default();
    for source in sources {
        let name = Path::new(&source.name);
        for scene in &source.scenes {
            digest.face(name, None, &[]);
            digest.pixels(&scene.picture);
            for face in &scene.faces {
                let kind = [u8::from(face.ignore), face.label.map_or(u8::MAX, |label| label as u8)];
                digest.face(name, Some(face.bounds), &kind);
                face.landmarks.iter().for_each(|landmarks| digest.landmarks(landmarks));
            }
        }
    }
    hands.iter().for_each(|hand| hand.add_to(&mut digest));
    if let Some(folder) = &args.from {
        // Puts one in place that a power cut left half replaced.
        Checkpoint::new(folder)?.exists()?;
    }
    let average = args.from.as_ref().map(|folder| folder.join("average.bpk"));
    for path in args.start.iter().chain(&average) {
        digest.file(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    }
    Ok(digest.text())
}

/// What is drawn as curves.
fn figures(told: &Told, answer: Option<&Judgement>) -> Vec<(&'static str, f64)> {
    let losses = told.losses.into_iter().flat_map(|losses| losses.map(f64::from));
    let mut figures: Vec<(&str, f64)> = LOSSES.into_iter().zip(losses).collect();
    let Some(answer) = answer else { return figures };
    figures.push(("average precision", f64::from(answer.average_precision)));
    let near = answer.recalls.iter().find(|r| r.label == "all" && r.size == "24 px and over");
    figures.extend(near.map(|recall| ("recall from 24 px", f64::from(recall.recall))));
    figures
}

fn curves(history: &History, validated: bool, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let losses = ["loss of scores", "loss of boxes", "loss of landmarks"];
    history.chart("Loss", "step", &losses).write(&folder.join("loss"))?;
    if !validated {
        return Ok(());
    }
    let figures = ["average precision", "recall from 24 px"];
    history.chart("Validation", "step", &figures).write(&folder.join("validation"))?;
    Ok(())
}

/// What to judge detectors on.
pub struct Judging<'a> {
    pub boxes: &'a [String],
    /// All pictures, not only the fifth that training leaves out.
    pub all: bool,
    /// Longer side in pixels that a detector of free input size sees.
    pub size: u32,
    pub false_per_image: f32,
    /// Folder for charts and contact sheets.
    pub out: Option<&'a Path>,
}

/// Judges the detectors at `paths` (empty: the built-in one) side by side.
pub fn evaluate(paths: &[PathBuf], judging: &Judging<'_>) -> Result<Vec<(String, Judgement)>> {
    let mut images = Vec::new();
    for name in judging.boxes {
        let read = scene::annotated(name)?;
        images.extend(read.into_iter().filter(|i| judging.all || kept_for_validation(&i.path)));
    }
    ensure!(!images.is_empty(), "no pictures to judge on: name others with --boxes");
    let mut told = Vec::new();
    let mut findings = Vec::new();
    for path in paths {
        let file = vision::open_detector(path, "")?;
        let name = file.origin().name.clone();
        let found = judge::look(&mut judge::opened(file, judging.size)?, &images)?;
        told.push((name.clone(), found.judge(judging.false_per_image)));
        findings.push((name, found));
    }
    if let Some(folder) = judging.out {
        pages::write(&findings, judging.false_per_image, folder)?;
    }
    Ok(told)
}

/// One picture in five, by its name, so that the split never depends on order or on other files.
fn kept_for_validation(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (hash_of(name.bytes()) >> 32).is_multiple_of(5)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn what_cannot_work_is_refused_before_anything_is_read() {
        let refused = |more: &[&str]| {
            let words = ["detector", "--boxes", "none.csv", "--checkpoint", "runs/ck"];
            let args = Line::try_parse_from(words.iter().chain(more)).unwrap().args;
            let error = run(&args).unwrap_err();
            assert!(error.is::<WrongUse>(), "{error:#}");
            error.to_string()
        };
        let second = refused(&["--out", "a.onnx", "--validate", "2"]);
        assert_eq!(second, "--validate 2: --boxes names 1, counted from 1");
        #[cfg(not(feature = "gpu"))]
        assert!(refused(&["--out", "a.onnx", "--device", "gpu"]).contains("--features gpu"));
        assert!(refused(&["--out", env!("CARGO_MANIFEST_DIR")]).contains("a folder"));
        assert!(refused(&["--out", "runs/ck/a.onnx"]).contains("is replaced whole"));
        assert!(refused(&["--out", "a.onnx", "--report", "runs/ck/r"]).contains("replaced whole"));
        let file = tempfile::NamedTempFile::new().unwrap();
        let file = file.path().to_str().unwrap();
        assert!(refused(&["--start", file, "--out", file]).contains("would be lost"));
    }
}
