//! `maskgate-train classifier` and `evaluate --classifier`: from data to a model and its figures.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;
use serde_json::json;

use super::augment::Geometry;
use super::data::{self, Crops, Cut, Cutting, DataError, Origin, Sides, Views};
use super::fit::{self, Checkpoint, Fit, FitError, Loss, Saved, Told};
use super::history::History;
use super::mobilenet::{self, ImportError, MobileNet, MobileNetConfig};
use super::onnx::OnnxError;
use super::parameters;
use super::progress::Meter;
use super::report::{Report, write_pages};
use super::synthesise;
use crate::picture::{Label, Probabilities};
use crate::vision::model::ModelFile;
use crate::vision::{Classifier, VisionError, crop};

/// Where the faces come from and how they are cut and split; the same for training and judging.
#[derive(clap::Args, Clone, Debug)]
pub struct DataArgs {
    /// A folder with one folder for each class, or a CSV of boxes; PATH=LABEL labels rows that
    /// have no label. May be given several times.
    #[arg(long = "data", required = true, value_name = "PATH[=LABEL]")]
    pub data: Vec<Origin>,
    /// A face detector (ONNX) that finds the face in pictures without boxes.
    #[arg(long, value_name = "FILE")]
    pub detector: Option<PathBuf>,
    /// Seed of the split and of everything random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What to train and how.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(flatten)]
    pub data: DataArgs,
    /// Published backbone weights (Keras arrays in .npz) of the same width.
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,
    /// Where the model goes; the figures go beside it as .json.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Width of the network; 1.0 is the paper's.
    #[arg(long, default_value_t = 0.35)]
    pub width: f64,
    /// Side of the input in pixels, a multiple of 32.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(32..=512))]
    pub input: u32,
    /// How often a bare face with known landmarks gets a drawn mask, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = synthesise::share)]
    pub drawn: f32,
    #[arg(long, default_value_t = 8)]
    pub epochs: usize,
    #[arg(long, default_value_t = 32)]
    pub batch: usize,
    /// Highest learning rate.
    #[arg(long, default_value_t = 1e-3)]
    pub rate: f64,
    /// How far each step's weights move the average that is kept, as its decay.
    #[arg(long, default_value_t = 0.998)]
    pub average: f32,
    /// Folder of the checkpoint.
    #[arg(long, default_value = "models/checkpoints/classifier", value_name = "DIR")]
    pub checkpoint: PathBuf,
    /// Folder for the curves of the training, the charts and the contact sheet of mistakes.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Take up the training in the checkpoint folder.
    #[arg(long)]
    pub resume: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Fit(#[from] FitError),
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    Vision(#[from] VisionError),
    #[error("--{option} {value} is not {allowed}")]
    Option { option: &'static str, value: f64, allowed: &'static str },
    #[error("{0:#}")]
    Pages(anyhow::Error),
    #[error("{path}: cannot be written: {source}")]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error(
        "the written model does not answer as the trained one: {agree} of {of} labels agree, probabilities differ by up to {largest:.3}"
    )]
    Differs { agree: usize, of: usize, largest: f32 },
}

/// `maskgate-train classifier`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    print!("{}", train(args)?.table());
    Ok(())
}

/// Trains, checks the written model against the trained one, writes it and its figures.
pub fn train(options: &Args) -> Result<Report, ClassifierError> {
    check(options)?;
    let device = Device::flex().autodiff();
    device.seed(options.data.seed);
    let network = MobileNetConfig::new(options.width).init(&device);
    let network = mobilenet::import(network, &options.weights)?;

    let crops = crops(&options.data, options.input, Sides::Train, options.drawn)?;
    for label in Label::ALL {
        let count = crops.train.iter().filter(|cut| cut.label == label).count();
        eprintln!("{label}: {count} faces to learn from");
        if count < options.batch {
            let (label, need) = (label.name(), options.batch);
            return Err(DataError::TooFew { label, count, need }.into());
        }
    }
    let fit = Fit {
        epochs: options.epochs,
        batch: options.batch,
        rate: options.rate,
        weight_decay: 0.01,
        average: options.average,
        loss: Loss { smoothing: 0.05, incorrect_weight: 3.0 },
        views: Views { side: options.input, geometry: Geometry::default(), cover: 0.2 },
        free_epochs: options.epochs.div_ceil(2),
        seed: options.data.seed,
    };
    let mut settings = settings(options, &fit, &crops);
    if options.drawn > 0.0 {
        // Named only where it is used, so that trainings begun without it can be taken up.
        settings["drawn"] = decimal(options.drawn).into();
    }
    let checkpoint = Checkpoint::new(&options.checkpoint);
    let start = if options.resume {
        checkpoint.load(network, fit.optimiser(), &settings)?
    } else {
        let average = network.clone();
        Saved { network, average, optimiser: fit.optimiser(), epochs: 0 }
    };

    let sources = sources(&options.data);
    let Crops { train, validation, .. } = crops;
    let steps = train.len() / options.batch * (options.epochs - start.epochs.min(options.epochs));
    let meter = Meter::new("step", steps as u64);
    let mut history = History::open(&options.checkpoint, start.epochs);
    let network = fit.run(
        start,
        Arc::new(train),
        &device,
        &checkpoint,
        &settings,
        |told, network| match told {
            Told::Step { epoch, loss, .. } => {
                meter.step(&format!("epoch {epoch} loss {loss:.3}"));
            }
            Told::Epoch { epoch, loss } => {
                // A model after every epoch: a long training is useful before it ends.
                let written = as_written(network).and_then(|network| {
                    let answers = fit::judge(&network, &validation, &device);
                    let report = Report::of(&validation, &answers, &sources);
                    eprintln!("epoch {epoch}, mean loss {loss:.4}\n{}", report.table());
                    history.push(epoch, &figures(&report, loss)).map_err(ClassifierError::Pages)?;
                    write(&network, &validation, &answers, options)
                });
                if let Err(error) = written {
                    log::warn!("no model after epoch {epoch}: {error}");
                }
            }
        },
    )?;
    meter.finish();
    let free = fit::judge(&network, &validation, &device);
    let network = as_written(&network)?;
    let answers = fit::judge(&network, &validation, &device);
    let (agree, largest) = compare(&free, &answers);
    eprintln!("rounding: {agree} of {} labels stay, |Δp| ≤ {largest:.4}", answers.len());
    write(&network, &validation, &answers, options)?;
    let file = ModelFile::open(&options.out, "", ("no classifier", &[]))?;
    let answers = ask(&file, validation.iter())?;
    let report = Report::of(&validation, &answers, &sources);
    if let Some(folder) = &options.report {
        pages(&report, &validation, &answers, &history, folder).map_err(ClassifierError::Pages)?;
    }
    let figures = options.out.with_extension("json");
    let text = json!({ "settings": settings, "validation": report }).to_string();
    std::fs::write(&figures, text + "\n")
        .map_err(|source| ClassifierError::Unwritable { path: figures, source })?;
    Ok(report)
}

/// What is drawn as curves.
fn figures(report: &Report, loss: f32) -> Vec<(&'static str, f64)> {
    let mut figures = vec![("training loss", f64::from(loss))];
    figures.extend(report.loss.map(|loss| ("validation loss", loss)));
    figures.extend(report.accuracy.map(|value| ("accuracy", value)));
    figures.extend(report.balanced_accuracy.map(|value| ("accuracy, mask and bare", value)));
    figures
}

fn pages(
    report: &Report,
    crops: &[Cut],
    answers: &[Probabilities],
    history: &History,
    folder: &Path,
) -> anyhow::Result<()> {
    write_pages(report, crops, answers, folder)?;
    let loss = history.chart("Loss", "epoch", &["training loss", "validation loss"]);
    loss.write(&folder.join("loss"))?;
    let names = ["accuracy", "accuracy, mask and bare"];
    history.chart("Validation", "epoch", &names).write(&folder.join("accuracy"))?;
    Ok(())
}

/// Refuses numbers that would fail only after the data was read.
fn check(options: &Args) -> Result<(), ClassifierError> {
    let table = [
        ("input", f64::from(options.input), options.input.is_multiple_of(32), "a multiple of 32"),
        ("epochs", options.epochs as f64, options.epochs > 0, "1 or more"),
        ("batch", options.batch as f64, options.batch > 1, "2 or more"),
        ("width", options.width, options.width > 0.0 && options.width <= 2.0, "in 0 to 2"),
        ("rate", options.rate, options.rate > 0.0 && options.rate <= 1.0, "in 0 to 1"),
        (
            "average",
            f64::from(options.average),
            (0.0..1.0).contains(&options.average),
            "in 0 to 1, below 1",
        ),
    ];
    for (option, value, good, allowed) in table {
        if !good {
            return Err(ClassifierError::Option { option, value, allowed });
        }
    }
    Ok(())
}

/// A model judged: its figures, and the faces and answers they come from.
pub struct Judged {
    pub report: Report,
    pub crops: Vec<Cut>,
    pub answers: Vec<Probabilities>,
}

/// Judges the model at `path` as the daemon runs it, on the validation side of the data or on
/// `all` of it.
pub fn judge(path: &Path, options: &DataArgs, all: bool) -> Result<Judged, ClassifierError> {
    let file = ModelFile::open(path, "", ("no classifier", &[]))?;
    let side = Classifier::from_file(&file)?.size();
    let sides = if all { Sides::JudgeAll } else { Sides::Judge };
    let crops = crops(options, side, sides, 0.0)?.validation;
    let answers = ask(&file, crops.iter())?;
    Ok(Judged { report: Report::of(&crops, &answers, &sources(options)), crops, answers })
}

fn sources(options: &DataArgs) -> Vec<String> {
    let name = |origin: &Origin| origin.path.file_stem().map(|s| s.to_string_lossy().into_owned());
    options.data.iter().map(|origin| name(origin).unwrap_or_default()).collect()
}

fn crops(options: &DataArgs, input: u32, sides: Sides, drawn: f32) -> Result<Crops, DataError> {
    let (samples, mut skipped) = data::read(&options.data)?;
    let mut pictures: Vec<&PathBuf> = samples.iter().map(|sample| &sample.path).collect();
    pictures.sort();
    pictures.dedup();
    let meter = Meter::new("picture", pictures.len() as u64);
    let detector = options.detector.clone();
    let cutting = Cutting { seed: options.seed, input, sides, detector, drawn };
    let crops = data::cut(samples, &cutting, &|| meter.step(""))?;
    meter.finish();
    skipped.extend(crops.skipped.iter().cloned());
    for reason in &skipped {
        log::warn!("left out: {reason}");
    }
    eprintln!(
        "{} faces to learn from, {} to judge on, {} groups of pictures, {} left out",
        crops.train.len(),
        crops.validation.len(),
        crops.groups,
        skipped.len()
    );
    Ok(crops)
}

/// Everything that shapes the result, for the checkpoint and the card.
fn settings(options: &Args, fit: &Fit, crops: &Crops) -> serde_json::Value {
    let data: Vec<String> = options
        .data
        .data
        .iter()
        .zip(sources(&options.data))
        .map(|(origin, name)| match origin.label {
            Some(label) => format!("{name}={label}"),
            None => name,
        })
        .collect();
    let geometry = fit.views.geometry;
    json!({
        "network": format!("MobileNetV2 {}", options.width),
        "input": options.input,
        "data": data,
        "detector": options.data.detector.as_ref().and_then(|path| path.file_name())
            .map(|name| name.to_string_lossy()),
        "faces": [crops.train.len(), crops.validation.len()],
        "seed": fit.seed,
        "epochs": fit.epochs,
        "free_epochs": fit.free_epochs,
        "batch": fit.batch,
        "rate": fit.rate,
        "weight_decay": decimal(fit.weight_decay),
        "average": decimal(fit.average),
        "smoothing": decimal(fit.loss.smoothing),
        "incorrect_weight": decimal(fit.loss.incorrect_weight),
        "margin": geometry.margin.map(decimal),
        "shift": decimal(geometry.shift),
        "turn": decimal(geometry.turn),
        "stretch": decimal(geometry.stretch),
        "shear": decimal(geometry.shear),
        "cover": decimal(fit.views.cover),
    })
}

/// The number as people write it: 0.35, not 0.3499999940395355.
fn decimal(value: f32) -> f64 {
    (f64::from(value) * 1e6).round() / 1e6
}

/// The averaged network with its weights rounded as the file holds them.
fn as_written(network: &MobileNet) -> Result<MobileNet, ClassifierError> {
    Ok(mobilenet::rounded(network, &parameters::take(network))?)
}

/// How many labels agree, and the largest difference of a probability.
fn compare(some: &[Probabilities], others: &[Probabilities]) -> (usize, f32) {
    let mut agree = 0;
    let mut largest = 0.0f32;
    for (a, b) in some.iter().zip(others) {
        agree += usize::from(a.best().0 == b.best().0);
        for label in Label::ALL {
            largest = largest.max((a.of(label) - b.of(label)).abs());
        }
    }
    (agree, largest)
}

/// Exports, holds the file against the network's own answers, and writes it.
fn write(
    network: &MobileNet,
    validation: &[Cut],
    answers: &[Probabilities],
    options: &Args,
) -> Result<(), ClassifierError> {
    let labels = Label::ALL.map(Label::name).join(",");
    let crop = format!("square margin={} border=replicate", crop::MARGIN);
    let metadata = [
        ("maskgate.input", options.input.to_string()),
        ("maskgate.labels", labels),
        ("maskgate.crop", crop),
    ];
    let metadata: Vec<(&str, &str)> = metadata.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let bytes = mobilenet::export(&network.valid(), options.input as usize, &metadata)?;
    let file = ModelFile::parse("the trained model".into(), &bytes, "")?;
    // Evenly over all sources.
    let every = validation.len().div_ceil(CHECKED).max(1);
    let own: Vec<Probabilities> = answers.iter().step_by(every).copied().collect();
    let written = ask(&file, validation.iter().step_by(every))?;
    let (agree, largest) = compare(&written, &own);
    let of = own.len();
    eprintln!("written model: {agree} of {of} labels agree, |Δp| ≤ {largest:.4}");
    if (agree as f64) < 0.995 * of as f64 || largest >= LARGEST {
        return Err(ClassifierError::Differs { agree, of, largest });
    }
    let unwritable = |source| ClassifierError::Unwritable { path: options.out.clone(), source };
    if let Some(folder) = options.out.parent() {
        std::fs::create_dir_all(folder).map_err(unwritable)?;
    }
    let fresh = options.out.with_extension("new");
    std::fs::write(&fresh, bytes).map_err(unwritable)?;
    std::fs::rename(&fresh, &options.out).map_err(unwritable)
}

/// Crops on which a written model is held against the trained one.
const CHECKED: usize = 400;
/// Probabilities may differ by less than this; both have the same weights, so only the order of
/// sums differs.
const LARGEST: f32 = 0.03;

/// The model's answers through the daemon's own classifier; the crops are its own already.
fn ask<'a>(
    file: &ModelFile,
    crops: impl Iterator<Item = &'a Cut>,
) -> Result<Vec<Probabilities>, VisionError> {
    let mut classifier = Classifier::from_file(file)?;
    crops.map(|cut| classifier.classify_crop(&cut.picture)).collect()
}
