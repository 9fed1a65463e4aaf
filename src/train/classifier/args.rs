//! What can be asked of a training, what is refused, and what is written down of it.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::ClassifierError;
use crate::picture::Label;
use crate::train::augment::Geometry;
use crate::train::boxes;
use crate::train::data::{Drawing, Origin, Teacher, Views};
use crate::train::device::Choice;
use crate::train::fit::{Fit, Keep, Loss, OptimiserKind, Schedule, balanced, beside};
use crate::train::layers::Layout;
use crate::train::network::{Freeze, HeadKind, Kind, NetworkConfig};
use crate::train::synthesise;

/// Where the faces come from and how they are cut and split; the same for training and judging.
#[derive(clap::Args, Clone, Debug)]
pub struct DataArgs {
    /// A folder with one folder for each class, or a CSV of boxes, with FOLDER= before it where
    /// its pictures lie elsewhere; =LABEL labels rows that have no label. May be given several
    /// times.
    #[arg(long = "data", required = true, value_name = "[FOLDER=]PATH[=LABEL]")]
    pub data: Vec<Origin>,
    /// A CSV of labels put right and faces to leave out, as `evaluate --review` begins one.
    #[arg(long, value_name = "CSV")]
    pub corrections: Option<PathBuf>,
    /// A face detector (ONNX) that finds the face in pictures without boxes. One of ours also finds
    /// faces that have one, which are learned half of the time as it finds them.
    #[arg(long, value_name = "FILE")]
    pub detector: Option<PathBuf>,
    /// Faces that have a box are judged as --detector finds them, where it does: as in the daemon.
    #[arg(long, requires = "detector")]
    pub as_found: bool,
    /// Seed of the split and of everything random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What to train and how.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(flatten)]
    pub data: DataArgs,
    #[arg(long, value_enum, default_value_t = Kind::Mobilenetv2)]
    pub network: Kind,
    /// Weights to start from, of the same network and width: published ones as Keras' arrays in .npz,
    /// torchvision's tensors in .safetensors or .pth, or 8-bit integers in .tflite; or a classifier
    /// that this program wrote (.onnx), whose head is kept where kind and labels are the same. Of
    /// several classifiers the mean is taken. Without, the network starts at random.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub weights: Vec<PathBuf>,
    /// Where the model goes; the figures go beside it as .json.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Width of the network, 1.0 as published; 0.35 for MobileNetV2 and 1.0 for ResNet50 if not
    /// given. Published MobileNetV2: 0.35, 0.5, 0.75, 1.0, 1.3, 1.4.
    #[arg(long)]
    pub width: Option<f64>,
    /// Side of the input in pixels, a multiple of 32.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(32..=512))]
    pub input: u32,
    /// What follows the backbone; single for MobileNetV2 and published for ResNet50 if not given.
    #[arg(long, value_enum)]
    pub head: Option<HeadKind>,
    /// How often a bare face with known landmarks gets a drawn mask, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = synthesise::share)]
    pub drawn: f32,
    /// How many of the drawn masks are made of the cloth of one that somebody else wears, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = synthesise::share, requires = "drawn")]
    pub worn: f32,
    /// How often a bare face with known landmarks gets a drawn beard, 0 to 1; a mask may lie over it.
    #[arg(long, default_value_t = 0.0, value_parser = synthesise::share)]
    pub beards: f32,
    /// How often a bare or masked face with known landmarks gets a scarf, a collar or a high neck, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = synthesise::share)]
    pub scarves: f32,
    /// How often a bare or masked face with known landmarks gets glasses, mostly dark ones, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = synthesise::share)]
    pub glasses: f32,
    /// How often a bare face, or one with a mask worn right, with known landmarks has a hand or a cup
    /// before its mouth, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = synthesise::share)]
    pub hands: f32,
    /// Outlines of hands in photographs: half of the hands are cut out there instead of drawn, some of
    /// them held beside the mouth, of faces that wear a mask wrongly too. Columns image and outline
    /// (x y x y …); FOLDER= before it where the pictures lie elsewhere.
    #[arg(long, value_name = "[FOLDER=]CSV", requires = "hands")]
    pub hand_outlines: Option<String>,
    /// Epochs in all; 0 judges and writes what --weights (.onnx) names.
    #[arg(long, default_value_t = 20)]
    pub epochs: usize,
    #[arg(long, default_value_t = 32)]
    pub batch: usize,
    #[arg(long, value_enum, default_value_t = OptimiserKind::Adamw)]
    pub optimiser: OptimiserKind,
    /// Highest learning rate; 0.001, or 0.01 with sgd, if not given.
    #[arg(long)]
    pub rate: Option<f64>,
    /// How weights are pulled to nothing; 0.01 with adamw, 0.0001 with sgd, else none if not given.
    #[arg(long)]
    pub weight_decay: Option<f32>,
    #[arg(long, value_enum, default_value_t = Schedule::OneCycle)]
    pub schedule: Schedule,
    /// Epochs over which the rate rises at first; not with one-cycle, which has its own.
    #[arg(long, default_value_t = 0, value_name = "EPOCHS")]
    pub warm_up: usize,
    /// What stays as the weights file has it: none, all (but the head), or the blocks up to this
    /// number, counted from 0.
    #[arg(long, default_value_t = Freeze::None, value_name = "none|all|BLOCK")]
    pub freeze: Freeze,
    /// The first epochs, in which only the head learns; then everything that is not frozen does.
    #[arg(long, default_value_t = 0, value_name = "EPOCHS")]
    pub head_epochs: usize,
    /// Highest learning rate after the head's epochs; a tenth of --rate if not given.
    #[arg(long, requires = "head_epochs")]
    pub fine_rate: Option<f64>,
    /// What a face of each class counts: auto (rare classes more), or three numbers for
    /// with_mask,without_mask,incorrect_mask.
    #[arg(long, default_value = "1,1,3", value_name = "auto|W,W,W")]
    pub class_weights: ClassWeights,
    /// Added to the logit of incorrect_mask in the file, after the training: more of those who wear a mask
    /// wrongly are found, and more others called so. With --epochs 0 --weights FILE for a finished one.
    #[arg(long, default_value_t = 0.0, value_parser = offset, allow_negative_numbers = true)]
    pub incorrect_offset: f64,
    /// How much of each target is spread over all classes.
    #[arg(long, default_value_t = 0.05)]
    pub label_smoothing: f32,
    /// A trained classifier (ONNX), usually a larger one, whose answers are learned beside the labels.
    #[arg(long, value_name = "FILE")]
    pub teacher: Option<PathBuf>,
    /// How much of each target is what the teacher says, 0 to 1.
    #[arg(long, default_value_t = 0.5, value_parser = synthesise::share, requires = "teacher")]
    pub teacher_share: f32,
    /// Which epoch's network is written; best if not given, but last with one-cycle, which is made
    /// to end at its best, unless --early-stop may end it before.
    #[arg(long, value_enum)]
    pub keep: Option<Keep>,
    /// Stop when validation has not become better for so many epochs.
    #[arg(long, value_name = "EPOCHS")]
    pub early_stop: Option<usize>,
    /// How far each step's weights move the average that is kept, as its decay.
    #[arg(long, default_value_t = 0.998)]
    pub average: f32,
    /// Folder of the checkpoint.
    #[arg(long, default_value = "models/checkpoints/classifier", value_name = "DIR")]
    pub checkpoint: PathBuf,
    /// Folder for the curves of the training, the charts and the contact sheet of mistakes.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Draw loss, validation and time left on the terminal while it trains.
    #[arg(long)]
    pub dashboard: bool,
    /// What it calculates on; seed and settings give the same result only on the same kind.
    #[arg(long, value_enum, default_value_t = Choice::Cpu)]
    pub device: Choice,
    /// Take up the training in the checkpoint folder.
    #[arg(long)]
    pub resume: bool,
}

/// What a face counts in the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClassWeights {
    /// So that every class counts the same in all.
    Auto,
    /// In the order of `Label::ALL`.
    Given([f32; 3]),
}

impl FromStr for ClassWeights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let numbers: Result<Vec<f32>, _> = text.split(',').map(|w| w.trim().parse()).collect();
        numbers
            .ok()
            .and_then(|numbers| <[f32; 3]>::try_from(numbers).ok())
            .filter(|weights| weights.iter().all(|w| w.is_finite() && *w > 0.0))
            .map(Self::Given)
            .ok_or_else(|| "give auto or three numbers above 0, such as 1,1,3".to_owned())
    }
}

impl Args {
    /// The network asked for; `layout` is that of the weights.
    pub fn network(&self, layout: Layout, classes: usize) -> NetworkConfig {
        let head = self.head.unwrap_or(match self.network {
            Kind::Mobilenetv2 => HeadKind::Single,
            Kind::Resnet50 => HeadKind::Published,
        });
        NetworkConfig { classes, ..NetworkConfig::new(self.network, self.width(), layout, head) }
    }

    /// What is drawn on faces to learn from.
    fn drawing(&self, classes: &[Label]) -> Drawing {
        Drawing {
            masks: self.drawn,
            never_wrong: !classes.contains(&Label::IncorrectMask),
            worn: self.worn,
            beards: self.beards,
            scarves: self.scarves,
            glasses: self.glasses,
            hands: self.hands,
            ..Drawing::default()
        }
    }

    /// The file of hands.
    pub(super) fn hand_outlines(&self) -> Option<PathBuf> {
        self.hand_outlines.as_deref().map(|name| boxes::named(name).1)
    }

    fn width(&self) -> f64 {
        self.width.unwrap_or(match self.network {
            Kind::Mobilenetv2 => 0.35,
            Kind::Resnet50 => 1.0,
        })
    }

    fn rate(&self) -> f64 {
        self.rate.unwrap_or(self.optimiser.rate())
    }

    /// How to fit to faces of `classes`, of which there are `counts` to learn from.
    pub fn fit(
        &self,
        classes: Vec<Label>,
        counts: [usize; 3],
        teacher: Option<Arc<Teacher>>,
    ) -> Fit {
        let weights = match self.class_weights {
            ClassWeights::Auto => balanced(counts),
            ClassWeights::Given(weights) => weights,
        };
        let ends_at_its_best = self.schedule == Schedule::OneCycle && self.early_stop.is_none();
        Fit {
            epochs: self.epochs,
            batch: self.batch,
            optimiser: self.optimiser,
            weight_decay: self.weight_decay.unwrap_or(self.optimiser.weight_decay()),
            schedule: self.schedule,
            warm_up: self.warm_up,
            rate: self.rate(),
            head_epochs: self.head_epochs,
            fine_rate: self.fine_rate.unwrap_or(self.rate() / 10.0),
            freeze: self.freeze,
            average: self.average,
            loss: Loss { smoothing: self.label_smoothing, weights, teacher: self.teacher_share },
            views: Views {
                side: self.input,
                geometry: Geometry::default(),
                cover: 0.2,
                drawing: self.drawing(&classes),
            },
            classes,
            teacher,
            free_epochs: self.epochs.div_ceil(2),
            keep: self.keep.unwrap_or(if ends_at_its_best { Keep::Last } else { Keep::Best }),
            early_stop: self.early_stop,
            seed: self.data.seed,
        }
    }

    /// Where the figures go.
    pub fn figures(&self) -> PathBuf {
        match self.out.extension() {
            Some(extension) if extension == "onnx" => self.out.with_extension("json"),
            Some(extension) if extension == "json" => self.out.clone(),
            _ => beside(&self.out, "json"),
        }
    }

    /// Whether it starts from classifiers of ours, which bring a head.
    fn goes_on(&self) -> bool {
        let own = |path: &PathBuf| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx"));
        !self.weights.is_empty() && self.weights.iter().all(own)
    }

    /// Refuses numbers that would fail only after the data was read.
    pub fn check(&self) -> Result<(), ClassifierError> {
        let (width, rate) = (self.width(), self.rate());
        let decay = self.weight_decay.unwrap_or(0.0);
        let fine = self.fine_rate.unwrap_or(rate);
        let shortest = match self.head_epochs {
            0 => self.epochs,
            head => head.min(self.epochs.saturating_sub(head)),
        };
        let below = |name: &str| format!("less than --{name} {}", self.epochs);
        let in_0_to_1 = || "in 0 to 1".to_owned();
        let table = [
            (
                "input",
                self.input.to_string(),
                self.input.is_multiple_of(32),
                "a multiple of 32".into(),
            ),
            (
                "epochs",
                self.epochs.to_string(),
                self.epochs > 0 || self.goes_on(),
                "1 or more; 0 only with --weights of classifiers written here (.onnx)".into(),
            ),
            ("batch", self.batch.to_string(), self.batch > 1, "2 or more".into()),
            ("width", width.to_string(), width > 0.0 && width <= 2.0, "in 0 to 2".into()),
            ("rate", rate.to_string(), rate > 0.0 && rate <= 1.0, in_0_to_1()),
            ("fine-rate", fine.to_string(), fine > 0.0 && fine <= 1.0, in_0_to_1()),
            ("weight-decay", decay.to_string(), (0.0..=1.0).contains(&decay), in_0_to_1()),
            (
                "average",
                self.average.to_string(),
                (0.0..1.0).contains(&self.average),
                "in 0 to 1, below 1".into(),
            ),
            (
                "label-smoothing",
                self.label_smoothing.to_string(),
                (0.0..1.0).contains(&self.label_smoothing),
                "in 0 to 1, below 1".into(),
            ),
            (
                "head-epochs",
                self.head_epochs.to_string(),
                self.head_epochs == 0 || self.head_epochs < self.epochs,
                below("epochs"),
            ),
            (
                "worn",
                self.worn.to_string(),
                self.worn == 0.0 || self.drawn > 0.0,
                "possible without --drawn, of whose masks it is a share".into(),
            ),
            (
                "warm-up",
                self.warm_up.to_string(),
                self.warm_up == 0 || self.schedule != Schedule::OneCycle,
                "possible with --schedule one-cycle, which warms up by itself".into(),
            ),
            (
                "warm-up",
                self.warm_up.to_string(),
                self.warm_up == 0 || self.warm_up < shortest,
                format!("less than {shortest}, the epochs of its shortest phase"),
            ),
            (
                "early-stop",
                self.early_stop.unwrap_or(1).to_string(),
                self.early_stop != Some(0),
                "1 or more".into(),
            ),
        ];
        for (option, value, good, allowed) in table {
            if !good {
                return Err(ClassifierError::Option { option, value, allowed });
            }
        }
        let mut read = self.weights.iter().chain(&self.teacher).chain(&self.data.detector);
        let figures = self.figures() == self.out;
        if figures || self.out.is_dir() || read.any(|path| same_file(path, &self.out)) {
            return Err(ClassifierError::Option {
                option: "out",
                value: self.out.display().to_string(),
                allowed:
                    "a model's file of its own (.onnx): figures go beside it as .json, and what \
                          is learned from is needed to --resume"
                        .into(),
            });
        }
        let mut written = [("out", Some(&self.out)), ("report", self.report.as_ref())].into_iter();
        let inside = |path: &PathBuf| lies_in(path, &self.checkpoint);
        if let Some((option, Some(path))) = written.find(|(_, path)| path.is_some_and(inside)) {
            return Err(ClassifierError::Option {
                option,
                value: path.display().to_string(),
                allowed: "outside the folder of the --checkpoint, which each epoch replaces".into(),
            });
        }
        if self.weights.is_empty() && self.head_epochs > 0 {
            return Err(ClassifierError::FrozenAtRandom { option: "head-epochs" });
        }
        if self.weights.is_empty() && self.freeze != Freeze::None {
            return Err(ClassifierError::FrozenAtRandom { option: "freeze" });
        }
        Ok(())
    }
}

/// Whether `path`, which need not be there, lies in `folder`, however both are written.
pub fn lies_in(path: &Path, folder: &Path) -> bool {
    real(path).starts_with(real(folder))
}

/// Without links, as far as it is there, and without `.` and `..`.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for ancestor in path.ancestors() {
        if let (Ok(there), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) {
            return there.join(rest);
        }
    }
    path
}

/// Whether both are there and one.
pub fn same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    real(one).is_some_and(|one| real(other) == Some(one))
}
/// A logit that moves a boundary and does not take all.
fn offset(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(offset) if offset.abs() <= 3.0 => Ok(offset),
        _ => Err("not a number of -3 to 3".into()),
    }
}
