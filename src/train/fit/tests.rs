use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::json;

use super::{Checkpoint, Fit, FitError, Loss, Saved, Told, judge};
use crate::picture::{Label, Picture};
use crate::train::augment::Geometry;
use crate::train::data::{Cut, Views};
use crate::train::mobilenet::{MobileNet, MobileNetConfig};
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
        Cut { picture, label, origin: 0, width: 48.0, path: "toy.png".into(), bare: None }
    };
    (0..count).map(make).collect()
}

fn toy(epochs: usize) -> Fit {
    let geometry = Geometry { turn: 0.0, ..Default::default() };
    Fit {
        epochs,
        batch: 6,
        rate: 3e-3,
        weight_decay: 0.01,
        average: 0.8,
        loss: Loss { smoothing: 0.05, incorrect_weight: 1.0 },
        views: Views { side: 32, geometry, cover: 0.0 },
        free_epochs: 100,
        seed: 4,
    }
}

/// The same random network every time. Without dropout: the device's random numbers are shared by
/// all tests that run at once.
fn start(fit: &Fit, device: &Device) -> Saved<MobileNet> {
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
    Saved { average: network.clone(), network, optimiser: fit.optimiser(), epochs: 0 }
}

fn config() -> MobileNetConfig {
    MobileNetConfig { momentum: 0.3, dropout: 0.0, ..MobileNetConfig::new(0.1) }
}

/// Runs until `stop` epochs are done, as if switched off there; the loss of each epoch.
fn run(
    fit: &Fit,
    from: Saved<MobileNet>,
    count: usize,
    folder: &Path,
    stop: usize,
) -> (MobileNet, Vec<f32>) {
    let device = Device::flex().autodiff();
    let mut losses = Vec::new();
    let fit = Fit { epochs: fit.epochs.min(stop), ..*fit };
    let network = fit
        .run(
            from,
            Arc::new(crops(count)),
            &device,
            &Checkpoint::new(folder),
            &json!(SETTINGS),
            |told, _| {
                if let Told::Epoch { loss, .. } = told {
                    losses.push(loss);
                }
            },
        )
        .unwrap();
    (network, losses)
}

#[test]
fn three_plain_classes_are_learned_and_the_average_tells_them_apart() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let fit = Fit { batch: 16, rate: 1e-3, free_epochs: 10, ..toy(20) };
    let path = folder.path().join("c");
    let (network, losses) = run(&fit, start(&fit, &device), 96, &path, 20);
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    assert!(mean(&losses[15..]) < mean(&losses[..5]) - 0.05, "{losses:?}");
    let mut small = crops(24);
    for cut in &mut small {
        let still =
            crate::train::augment::Affine { a: 1.0, b: 0.0, c: 0.0, d: 0.0, e: 1.0, f: 0.0 };
        cut.picture = crate::train::augment::warp(&cut.picture, &still, 32);
    }
    let answers = judge(&network, &small, &device);
    let right = answers.iter().zip(&small).filter(|(a, cut)| a.best().0 == cut.label).count();
    assert!(right >= 22, "{right} of 24");
}

#[test]
fn a_checkpoint_brings_back_weights_average_and_epochs() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let fit = toy(2);
    let (network, _) = run(&fit, start(&fit, &device), 24, &path, 2);
    let fresh = MobileNetConfig::new(0.1).init(&device);
    let saved = Checkpoint::new(&path).load(fresh, fit.optimiser(), &json!(SETTINGS)).unwrap();
    assert_eq!(saved.epochs, 2);
    assert_eq!(parameters::take(&saved.average), parameters::take(&network));
    assert_ne!(parameters::take(&saved.network), parameters::take(&network));
    // The optimiser knows these weights: its state is found again under their identities.
    assert!(!saved.optimiser.to_record().is_empty());
}

#[test]
fn a_training_taken_up_goes_on_where_it_stopped() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let fit = toy(3);
    let whole = folder.path().join("whole");
    let (straight, _) = run(&fit, start(&fit, &device), 24, &whole, 3);

    // The copy taken after epoch 2 is what a power cut would have left.
    let path = folder.path().join("cut");
    let left = folder.path().join("left");
    fit.run(
        start(&fit, &device),
        Arc::new(crops(24)),
        &device,
        &Checkpoint::new(&path),
        &json!(SETTINGS),
        |told, _| {
            if matches!(told, Told::Epoch { epoch: 2, .. }) {
                std::fs::create_dir(&left).unwrap();
                for file in std::fs::read_dir(&path).unwrap() {
                    let file = file.unwrap();
                    std::fs::copy(file.path(), left.join(file.file_name())).unwrap();
                }
            }
        },
    )
    .unwrap();
    let fresh = config().init(&device);
    let saved = Checkpoint::new(&left).load(fresh, fit.optimiser(), &json!(SETTINGS)).unwrap();
    assert_eq!(saved.epochs, 2);
    let (resumed, losses) = run(&fit, saved, 24, &left, 3);
    assert_eq!(losses.len(), 1);
    let (a, b) = (parameters::take(&straight), parameters::take(&resumed));
    for (name, tensor) in &a {
        for (x, y) in tensor.values.iter().zip(&b[name].values) {
            assert!((x - y).abs() < 2e-3, "{name}: {x} against {y}");
        }
    }
}

#[test]
fn a_training_is_not_taken_up_with_other_settings() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let fit = toy(1);
    let checkpoint = Checkpoint::new(&folder.path().join("c"));
    let progress = super::Progress { settings: json!({"rate": 0.001, "seed": 1}), epochs: 1 };
    let network = start(&fit, &device).network;
    checkpoint.save(&network, network.valid(), &fit.optimiser(), &progress).unwrap();
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
    let checkpoint = Checkpoint::new(&folder.path().join("c"));
    let settings = json!({"average": f64::from(0.998f32), "turn": f64::from(0.35f32)});
    let progress = super::Progress { settings: settings.clone(), epochs: 1 };
    let network = start(&fit, &device).network;
    checkpoint.save(&network, network.valid(), &fit.optimiser(), &progress).unwrap();
    assert!(checkpoint.load(network, fit.optimiser(), &settings).is_ok());
}

#[test]
fn a_sure_and_right_answer_costs_only_the_smoothing_and_weights_do_not_change_a_single_class() {
    let device = Device::flex();
    let logits = || Tensor::<2>::from_data(TensorData::from([[4.0f32, 0.0, 0.0]]), &device);
    let cost = |smoothing, incorrect_weight, label| {
        let loss = Loss { smoothing, incorrect_weight };
        loss.of(logits(), &[label], &device).into_scalar::<f32>()
    };
    let sum = (4.0f32.exp() + 2.0).ln();
    assert!((cost(0.0, 3.0, Label::WithMask) - (sum - 4.0)).abs() < 1e-5);
    assert!((cost(0.0, 3.0, Label::IncorrectMask) - sum).abs() < 1e-5);
    let spread = 0.3 / 3.0 * (3.0 * sum - 4.0);
    assert!((cost(0.3, 1.0, Label::WithMask) - (0.7 * (sum - 4.0) + spread)).abs() < 1e-5);
}

#[test]
fn too_few_crops_for_a_batch_are_refused() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let fit = Fit { batch: 100, ..toy(1) };
    let checkpoint = Checkpoint::new(&folder.path().join("c"));
    let result = fit.run(
        start(&fit, &device),
        Arc::new(crops(24)),
        &device,
        &checkpoint,
        &json!(SETTINGS),
        |_, _| (),
    );
    assert!(matches!(result, Err(FitError::TooFew { count: 24, batch: 100 })));
}
