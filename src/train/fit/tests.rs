use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::json;

use super::{
    Checkpoint, Fit, FitError, Fitted, Keep, Loss, Mark, OptimiserKind, Saved, Schedule, Step,
    Watch, balanced, judge,
};
use crate::picture::{Label, Picture, Probabilities};
use crate::train::augment::Geometry;
use crate::train::data::{Batch, Cut, Drawing, Views};
use crate::train::layers::Layout;
use crate::train::network::{Freeze, HeadKind, Kind, Network, NetworkConfig};
use crate::train::parameters;
use crate::train::random::Random;

const SETTINGS: &str = "toy";

/// Red, green and blue squares: three classes that a small network tells apart soon.
fn crops(count: usize) -> Vec<Cut> {
    let make = |number: usize| {
        let label = Label::ALL[number % 3];
        let mut picture = Picture::new(48, 48);
        for rgb in picture.pixels_mut().chunks_exact_mut(3) {
            rgb.fill(30 + number as u8);
            rgb[number % 3] = 200;
        }
        Cut {
            picture,
            label,
            origin: 0,
            bounds: None,
            width: 48.0,
            path: "toy.png".into(),
            placed: None,
            found: None,
        }
    };
    (0..count).map(make).collect()
}

fn toy(epochs: usize) -> Fit {
    let geometry = Geometry { turn: 0.0, ..Default::default() };
    Fit {
        epochs,
        batch: 6,
        optimiser: OptimiserKind::Adamw,
        weight_decay: 0.01,
        schedule: Schedule::OneCycle,
        warm_up: 0,
        rate: 3e-3,
        head_epochs: 0,
        fine_rate: 1e-3,
        freeze: Freeze::None,
        average: 0.8,
        loss: Loss { smoothing: 0.05, weights: [1.0; 3], teacher: 0.5 },
        classes: Label::ALL.to_vec(),
        views: Views { side: 32, geometry, cover: 0.0, drawing: Drawing::default() },
        teacher: None,
        free_epochs: 100,
        keep: Keep::Last,
        early_stop: None,
        seed: 4,
    }
}

/// The same random network every time. Without dropout: the device's random numbers are shared by
/// all tests that run at once.
fn start(fit: &Fit, device: &Device) -> Saved<Network> {
    let network = config().init(device);
    let mut values = parameters::take(&network);
    let mut random = Random::new(5);
    for (name, tensor) in &mut values {
        if name.starts_with("head.") {
            tensor.values.fill(0.0);
        } else if name.ends_with("conv.weight") {
            // Uniform with the variance 2 / fan-in that keeps signals alive behind ReLU (He, 2015).
            let fan_in = tensor.values.len() / tensor.shape[0];
            let bound = (6.0 / fan_in as f32).sqrt();
            tensor.values.fill_with(|| random.range(-bound, bound));
        }
    }
    let network = parameters::put(network, &values).0;
    Saved::fresh(network, fit.optimiser())
}

fn config() -> NetworkConfig {
    let config = NetworkConfig::new(Kind::Mobilenetv2, 0.1, Layout::Keras, HeadKind::Single);
    NetworkConfig { momentum: 0.3, dropout: 0.0, ..config }
}

/// Notes what it hears; says of validation what it was given beforehand.
#[derive(Default)]
struct Notes {
    losses: Vec<f32>,
    /// Validation losses by epoch, from the first.
    validation: Vec<f64>,
    kept: Vec<usize>,
    /// Copies this checkpoint, as a power cut after the epoch would leave it.
    copy: Option<(usize, PathBuf, PathBuf)>,
}

impl Watch for Notes {
    fn step(&mut self, step: Step) {
        assert!(step.loss.is_finite());
    }

    fn epoch(&mut self, epoch: usize, loss: f32, _: &Network) -> Option<f64> {
        self.losses.push(loss);
        self.validation.get(epoch - 1).copied()
    }

    fn keep(&mut self, epoch: usize) {
        self.kept.push(epoch);
    }

    fn saved(&mut self, epoch: usize) {
        let Some((_, from, to)) = self.copy.as_ref().filter(|(at, ..)| *at == epoch) else {
            return;
        };
        std::fs::create_dir(to).unwrap();
        for file in std::fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

/// Runs to the end of `fit`.
fn run(fit: &Fit, from: Saved<Network>, count: usize, folder: &Path, notes: &mut Notes) -> Fitted {
    let device = Device::flex().autodiff();
    let checkpoint = Checkpoint::new(folder).unwrap();
    fit.run(from, Arc::new(crops(count)), &device, &checkpoint, &json!(SETTINGS), notes).unwrap()
}

#[test]
fn three_plain_classes_are_learned_and_the_average_tells_them_apart() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let fit = Fit { batch: 16, rate: 1e-3, free_epochs: 10, ..toy(20) };
    let path = folder.path().join("c");
    let mut notes = Notes::default();
    let network = run(&fit, start(&fit, &device), 96, &path, &mut notes).network;
    let losses = notes.losses;
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    assert!(mean(&losses[15..]) < mean(&losses[..5]) - 0.05, "{losses:?}");
    let mut small = crops(24);
    for cut in &mut small {
        let still =
            crate::train::augment::Affine { a: 1.0, b: 0.0, c: 0.0, d: 0.0, e: 1.0, f: 0.0 };
        cut.picture = crate::train::augment::warp(&cut.picture, &still, 32);
    }
    let answers = judge(&network, &small, &Label::ALL, &device);
    let right = answers.iter().zip(&small).filter(|(a, cut)| a.best().0 == cut.label).count();
    assert!(right >= 22, "{right} of 24");
}

#[test]
fn a_checkpoint_brings_back_weights_average_and_epochs() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let fit = toy(2);
    let network = run(&fit, start(&fit, &device), 24, &path, &mut Notes::default()).network;
    let fresh = config().init(&device);
    let saved =
        Checkpoint::new(&path).unwrap().load(fresh, fit.optimiser(), &json!(SETTINGS)).unwrap();
    assert_eq!(saved.epochs, 2);
    assert_eq!(parameters::take(&saved.average), parameters::take(&network));
    assert_ne!(parameters::take(&saved.network), parameters::take(&network));
    // The optimiser knows these weights: its state is found again under their identities.
    assert!(!saved.optimiser.to_record().is_empty());
}

/// Runs `fit` left alone, and again from what a power cut after epoch `cut` leaves; both must end
/// alike.
fn ends_as_if_left_alone(fit: &Fit, cut: usize, validation: &[f64]) {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let (path, left) = (folder.path().join("whole"), folder.path().join("left"));
    let mut notes = Notes {
        validation: validation.to_vec(),
        copy: Some((cut, path.clone(), left.clone())),
        ..Default::default()
    };
    let alone = run(fit, start(fit, &device), 24, &path, &mut notes);

    let fresh = config().init(&device);
    let saved =
        Checkpoint::new(&left).unwrap().load(fresh, fit.optimiser(), &json!(SETTINGS)).unwrap();
    assert_eq!(saved.epochs, cut);
    let mut notes = Notes { validation: validation.to_vec(), ..Default::default() };
    let resumed = run(fit, saved, 24, &left, &mut notes);
    assert_eq!((resumed.epoch, resumed.epochs), (alone.epoch, alone.epochs));
    assert_eq!(resumed.best, alone.best);
    let (a, b) = (parameters::take(&alone.network), parameters::take(&resumed.network));
    for (name, tensor) in &a {
        assert!(*tensor == b[name], "{:?}: {name} is another one", fit.optimiser);
    }
}

#[test]
fn a_training_taken_up_ends_as_if_left_alone_with_every_optimiser() {
    for optimiser in
        [OptimiserKind::Adamw, OptimiserKind::Adam, OptimiserKind::Rmsprop, OptimiserKind::Sgd]
    {
        ends_as_if_left_alone(&Fit { optimiser, rate: 1e-3, ..toy(3) }, 2, &[]);
    }
}

#[test]
fn two_phases_are_taken_up_in_either_and_between_them() {
    let fit = Fit { head_epochs: 2, schedule: Schedule::Cosine, warm_up: 1, ..toy(4) };
    for cut in [1, 2, 3] {
        ends_as_if_left_alone(&fit, cut, &[]);
    }
}

#[test]
fn the_best_epoch_and_the_patience_outlive_a_power_cut() {
    let fit = Fit { keep: Keep::Best, early_stop: Some(2), ..toy(6) };
    // The best epoch is before the cut; the training ends two epochs after it.
    ends_as_if_left_alone(&fit, 3, &[0.9, 0.5, 0.6, 0.55, 0.4, 0.3]);
    ends_as_if_left_alone(&Fit { keep: Keep::Last, ..fit }, 3, &[0.9, 0.5, 0.6, 0.55, 0.4, 0.3]);
}

#[test]
fn only_the_head_learns_in_its_epochs_and_all_that_is_free_after_them() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let fit = Fit { head_epochs: 2, freeze: Freeze::UpTo(1), ..toy(3) };
    let begun = parameters::take(&start(&fit, &device).network);
    let moved = |network: &Network| -> Vec<String> {
        let now = parameters::take(network);
        let moved = begun.iter().filter(|(name, values)| now[*name] != **values);
        moved.map(|(name, _)| name.clone()).collect()
    };
    let path = folder.path().join("c");
    let two = Fit { epochs: 2, ..fit.clone() };
    let after_two = run(&two, start(&fit, &device), 24, &path, &mut Notes::default()).network;
    let names = moved(&after_two);
    assert!(!names.is_empty() && names.iter().all(|name| name.starts_with("head.")), "{names:?}");
    let path = folder.path().join("d");
    let after_three = run(&fit, start(&fit, &device), 24, &path, &mut Notes::default()).network;
    let names = moved(&after_three);
    assert!(names.iter().any(|name| name.contains("blocks.2.")));
    for frozen in ["stem.", "blocks.0.", "blocks.1."] {
        assert!(!names.iter().any(|name| name.contains(frozen)), "{frozen}");
    }
}

#[test]
fn the_best_epoch_is_kept_and_nothing_better_for_long_ends_the_training() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let fit = Fit { keep: Keep::Best, early_stop: Some(2), ..toy(9) };
    let mut notes = Notes { validation: vec![0.9, 0.4, 0.5, 0.6, 0.1], ..Default::default() };
    let path = folder.path().join("c");
    let fitted = run(&fit, start(&fit, &device), 24, &path, &mut notes);
    assert_eq!((fitted.epoch, fitted.epochs), (2, 4));
    assert_eq!(fitted.best, Some(Mark { epoch: 2, loss: 0.4 }));
    assert_eq!(notes.kept, [1, 2]);
    // The network is that of epoch 2: as after a training that had only these.
    let path = folder.path().join("d");
    let mut two = Notes { copy: Some((2, path.clone(), folder.path().join("e"))), ..notes };
    let last = Fit { keep: Keep::Last, early_stop: None, ..fit };
    run(&last, start(&last, &device), 24, &path, &mut two);
    let saved = Checkpoint::new(&folder.path().join("e")).unwrap();
    let saved = saved.load(config().init(&device), last.optimiser(), &json!(SETTINGS)).unwrap();
    let (a, b) = (parameters::take(&fitted.network), parameters::take(&saved.average));
    for (name, tensor) in &a {
        for (x, y) in tensor.values.iter().zip(&b[name].values) {
            assert!((x - y).abs() < 2e-3, "{name}: {x} against {y}");
        }
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_one_before_whole() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let fit = toy(1);
    let path = folder.path().join("c");
    let checkpoint = Checkpoint::new(&path).unwrap();
    let network = start(&fit, &device).network;
    let save = |epochs| {
        let progress = super::Progress { settings: json!({}), epochs, best: None };
        checkpoint.save(&network, network.valid(), &fit.optimiser(), &progress, None)
    };
    save(1).unwrap();
    // A file where the new folder must go: as with a full disk, nothing can be written.
    std::fs::write(path.with_extension("unfinished"), "").unwrap();
    let error = save(2).unwrap_err().to_string();
    assert!(error.contains("checkpoint") && error.contains("c: "), "{error}");
    let load = || checkpoint.load(config().init(&device), fit.optimiser(), &json!({})).unwrap();
    assert_eq!(load().epochs, 1);
    // A power cut between the two renames: only the old one is there, under its other name.
    std::fs::rename(&path, path.with_extension("replaced")).unwrap();
    assert_eq!(load().epochs, 1);
    std::fs::remove_file(path.with_extension("unfinished")).unwrap();
    save(2).unwrap();
    assert_eq!(load().epochs, 2);
}

#[test]
fn a_checkpoint_takes_the_place_of_nothing_but_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    for path in [Path::new("."), Path::new(".."), Path::new("/")] {
        let error = Checkpoint::new(path).err().unwrap().to_string();
        assert!(error.contains("folder of its own"), "{error}");
    }
    Checkpoint::new(&folder.path().join("new")).unwrap();
    Checkpoint::new(folder.path()).unwrap();
    std::fs::write(folder.path().join("thesis.txt"), "").unwrap();
    let error = Checkpoint::new(folder.path()).err().unwrap().to_string();
    assert!(error.contains("something else"), "{error}");
    let error = Checkpoint::new(&folder.path().join("thesis.txt")).err().unwrap().to_string();
    assert!(error.contains("it is a file"), "{error}");
    assert_eq!(super::beside(Path::new("ck/w-0.35"), "lock"), Path::new("ck/w-0.35.lock"));
    // Nor of what lies beside it.
    for ending in ["unfinished", "replaced"] {
        let run = folder.path().join(ending);
        let beside = super::beside(&run, ending);
        std::fs::create_dir(&beside).unwrap();
        std::fs::write(beside.join("network.bpk"), "").unwrap();
        Checkpoint::new(&run).unwrap();
        std::fs::write(beside.join("thesis.txt"), "").unwrap();
        let error = Checkpoint::new(&run).err().unwrap().to_string();
        assert!(error.contains("none of its own"), "{error}");
    }
}

#[test]
fn one_training_at_a_time_writes_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs/c");
    let lock = super::beside(&path, "lock");
    std::fs::create_dir(folder.path().join("runs")).unwrap();
    std::fs::write(&lock, "somebody's").unwrap();
    let first = Checkpoint::claim(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), "somebody's");
    let error = Checkpoint::claim(&path).err().unwrap().to_string();
    assert!(error.contains("another training writes there"), "{error}");
    drop(first);
    Checkpoint::claim(&path).unwrap();
}

#[test]
fn a_training_is_not_taken_up_with_other_settings() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let fit = toy(1);
    let checkpoint = Checkpoint::new(&folder.path().join("c")).unwrap();
    let progress =
        super::Progress { settings: json!({"rate": 0.001, "seed": 1}), epochs: 1, best: None };
    let network = start(&fit, &device).network;
    checkpoint.save(&network, network.valid(), &fit.optimiser(), &progress, None).unwrap();
    let other = json!({"rate": 0.002, "seed": 1});
    match checkpoint.load(network, fit.optimiser(), &other) {
        Err(FitError::OtherSettings { other, .. }) => {
            assert_eq!(other, "rate was 0.001, is 0.002");
        }
        _ => panic!("taken up"),
    }
}

#[test]
fn settings_with_long_fractions_are_recognised_again() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let fit = toy(1);
    let checkpoint = Checkpoint::new(&folder.path().join("c")).unwrap();
    let settings = json!({"average": f64::from(0.998f32), "turn": f64::from(0.35f32)});
    let progress = super::Progress { settings: settings.clone(), epochs: 1, best: None };
    let network = start(&fit, &device).network;
    checkpoint.save(&network, network.valid(), &fit.optimiser(), &progress, None).unwrap();
    assert!(checkpoint.load(network, fit.optimiser(), &settings).is_ok());
}

#[test]
fn a_sure_and_right_answer_costs_only_the_smoothing_and_weights_do_not_change_a_single_class() {
    let device = Device::flex();
    let logits = || Tensor::<2>::from_data(TensorData::from([[4.0f32, 0.0, 0.0]]), &device);
    let cost = |smoothing, incorrect_weight, label| {
        let loss = Loss { smoothing, weights: [1.0, 1.0, incorrect_weight], teacher: 0.5 };
        loss.of(logits(), &untaught(&[label]), &Label::ALL, &device).into_scalar::<f32>()
    };
    let sum = (4.0f32.exp() + 2.0).ln();
    assert!((cost(0.0, 3.0, Label::WithMask) - (sum - 4.0)).abs() < 1e-5);
    assert!((cost(0.0, 3.0, Label::IncorrectMask) - sum).abs() < 1e-5);
    let spread = 0.3 / 3.0 * (3.0 * sum - 4.0);
    assert!((cost(0.3, 1.0, Label::WithMask) - (0.7 * (sum - 4.0) + spread)).abs() < 1e-5);
}

/// A batch without a teacher's answers; the loss does not look at its pictures.
fn untaught(labels: &[Label]) -> Batch {
    Batch { inputs: vec![], labels: labels.to_vec(), answers: vec![] }
}

#[test]
fn a_teacher_moves_the_targets_toward_its_answers() {
    let device = Device::flex();
    let logits = || Tensor::<2>::from_data(TensorData::from([[2.0f32, 0.0, 0.0]]), &device);
    let answer = Probabilities { with_mask: 0.2, without_mask: 0.1, incorrect_mask: 0.7 };
    let batch = Batch { answers: vec![Some(answer)], ..untaught(&[Label::WithMask]) };
    let cost = |teacher| {
        let loss = Loss { smoothing: 0.0, weights: [1.0; 3], teacher };
        loss.of(logits(), &batch, &Label::ALL, &device).into_scalar::<f32>()
    };
    let sum = (2.0f32.exp() + 2.0).ln();
    assert!((cost(0.0) - (sum - 2.0)).abs() < 1e-5, "the label alone");
    assert!((cost(1.0) - (sum - 0.2 * 2.0)).abs() < 1e-5, "the teacher alone");
    assert!((cost(0.5) - (sum - 0.6 * 2.0)).abs() < 1e-5, "half of each");
}

#[test]
fn too_few_crops_for_a_batch_are_refused() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let fit = Fit { batch: 100, ..toy(1) };
    let checkpoint = Checkpoint::new(&folder.path().join("c")).unwrap();
    let result = fit.run(
        start(&fit, &device),
        Arc::new(crops(24)),
        &device,
        &checkpoint,
        &json!(SETTINGS),
        &mut Notes::default(),
    );
    assert!(matches!(result, Err(FitError::TooFew { count: 24, batch: 100 })));
}

#[test]
fn balanced_weights_make_every_class_count_the_same() {
    let weights = balanced([60, 30, 10]);
    let sums: Vec<f32> = weights.iter().zip([60.0, 30.0, 10.0]).map(|(w, n)| w * n).collect();
    assert!(sums.iter().all(|sum| (sum - sums[0]).abs() < 1e-3), "{sums:?}");
    assert_eq!(balanced([50, 50, 0])[..2], [1.0, 1.0]);
}

#[test]
fn a_face_of_a_class_the_network_does_not_know_counts_nothing() {
    let device = Device::flex();
    let loss = Loss { smoothing: 0.0, weights: [1.0; 3], teacher: 0.5 };
    let classes = [Label::WithMask, Label::WithoutMask];
    let logits = || Tensor::<2>::from_data(TensorData::from([[1.0f32, 0.0], [5.0, 0.0]]), &device);
    let labels = [Label::WithMask, Label::IncorrectMask];
    let cost = loss.of(logits(), &untaught(&labels), &classes, &device).into_scalar::<f32>();
    assert!((cost - (1.0 + (-1.0f32).exp()).ln()).abs() < 1e-5, "{cost}");
}
