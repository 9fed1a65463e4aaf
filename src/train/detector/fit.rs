//! Fits the network: batches made ahead by a thread, AdamW on one cycle, averaged weights,
//! checkpoints.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor, TensorData};
use crossbeam_channel::{Receiver, bounded};

use super::loss::{self, Batch};
use super::network::{Channels, Network};
use super::samples::{self, Additions, NEAR, SHAPES, Shape};
use super::scene::Scenes;
use super::targets::Cells;
use super::{backbone, export, gain, mining, norm};
use crate::train::fit::{Average, Checkpoint, Progress, one_cycle};
use crate::train::parameters;
use crate::train::progress::Meter;
use crate::train::random::Random;

/// Batches beyond the last step, on which the gain of the yaw is measured: with 200 it came out 1.35 to
/// 1.95 for the same network.
const BEYOND: usize = 1600;
/// Samples that normalisation is measured on at first.
const MEASURED: usize = 48;
/// Decay of the running average of the weights, a step.
const AVERAGE: f32 = 0.998;

/// How to fit.
pub struct Fit {
    pub steps: usize,
    pub rate: f64,
    pub seed: u64,
    pub check: usize,
    pub additions: Additions,
    /// Scores and boxes stay as they are at the start.
    pub only_landmarks: bool,
    /// How much landmarks count in the loss beside scores (1) and boxes (2).
    pub landmark_weight: f32,
    /// Batch normalisation while the network learns.
    pub normalise: bool,
    pub channels: Channels,
    pub device: Device,
}

/// How far a training is when it is judged.
pub struct Told {
    pub step: usize,
    /// Mean loss of scores, boxes and landmarks since the last judgement; `None` without a step since
    /// then, where a training was taken up after its last.
    pub losses: Option<[f32; 3]>,
}

/// Where the weights come from; random where neither is given.
pub struct Start<'a> {
    /// A detector file of ours, for everything, or UltraFace slim, for the backbone; of several the
    /// mean.
    pub files: &'a [PathBuf],
    /// The checkpoint of a finished training, for everything.
    pub from: Option<&'a Path>,
}

/// Fits and hands the averaged network, as a sealed ONNX file, to `judge` every `check` steps and
/// at the end. Takes up what `checkpoint` holds; the same seed and settings then give the same
/// result as a training left alone.
pub fn run(
    fit: &Fit,
    mut sources: Vec<Scenes>,
    mut empty: Vec<Scenes>,
    start: &Start<'_>,
    checkpoint: &Path,
    settings: &serde_json::Value,
    mut judge: impl FnMut(&Told, &[u8]) -> Result<()>,
) -> Result<()> {
    let store = Checkpoint::claim(checkpoint)?;
    let kept = backbone::yaw_gain(start.files)?;
    let device = fit.device.clone().autodiff();
    device.seed(fit.seed);
    let mut network = Network::new(&fit.channels, &device);
    if !start.files.is_empty() {
        network = backbone::start_from(network, start.files, &device)?;
    }
    if let Some(folder) = start.from {
        Checkpoint::new(folder)?.exists()?;
        let file = folder.join("average.bpk");
        network = ModuleRecord::load(&file)
            .and_then(|record| network.try_load_record(record))
            .with_context(|| {
                format!(
                    "--from {}: not the weights of a detector of this --width that was trained without \
                     --normalise; others go on with --start and the file they wrote",
                    folder.display()
                )
            })?;
    }
    if fit.only_landmarks {
        // They learn nothing where there is no face.
        empty.clear();
    } else if fit.steps > 0 && !(start.files.is_empty() && start.from.is_none()) {
        let (lures, missed) = mining::mine(&network.valid(), &mut sources, &mut empty)?;
        tell!("{lures} places without a face are taken for one, {missed} faces are missed");
    }
    if fit.normalise {
        network =
            norm::add(network, pictures(fit, &sources, &empty, &device.clone().inner()), &device);
    }
    let mut optimiser = AdamWConfig::new().with_weight_decay(1e-3).with_epsilon(1e-8).init();
    let mut average = parameters::take(&network);
    let mut done = 0;
    if store.exists()? {
        let saved = store.load(network, optimiser, settings)?;
        average = parameters::take(&saved.average);
        (network, optimiser, done) = (saved.network, saved.optimiser, saved.epochs);
        tell!("taken up at step {done}");
    }
    let mut average = Average::new(average, AVERAGE, done);

    let mut faces = sources.iter().flat_map(|all| &all.scenes).flat_map(|scene| &scene.faces);
    let landmarks = faces.any(|face| face.landmarks.is_some());
    let batches = batches(fit, done, Arc::new(sources), Arc::new(empty));
    let mut sums = [0.0_f32; 3];
    let mut since = Instant::now();
    let (mut losses, mut judged) = ([0.0_f32; 3], done);
    for step in done..fit.steps {
        let (side, input, cells) = batches.recv().context("the thread that makes batches ended")?;
        let batch = Batch::new(input, &cells, side, &device);
        let input = batch.input.clone();
        let outputs = if fit.only_landmarks {
            network.forward_for_landmarks(input)
        } else {
            network.forward(input)
        };
        let terms = loss::of(outputs, &batch, fit.landmark_weight);
        let gradients = GradientsParams::from_grads(terms.total.backward(), &network);
        let told = [terms.score, terms.boxes, terms.landmarks].map(|t| t.into_scalar::<f32>());
        ensure!(
            told.iter().all(|t| t.is_finite()),
            "step {step}: the loss is {told:?}; lower --rate"
        );
        network = optimiser.step(one_cycle(step, fit.steps, fit.rate), network, gradients);
        average.update(parameters::take(&network));
        for (sum, told) in sums.iter_mut().chain(&mut losses).zip(told.iter().cycle()) {
            *sum += told;
        }
        let count = step + 1;
        if count % 100 == 0 {
            let [score, boxes, landmarks] = sums.map(|sum| sum / 100.0);
            let pace = since.elapsed().as_secs_f32() / 100.0;
            tell!(
                "step {count} of {}: score {score:.3}, boxes {boxes:.3}, landmarks {landmarks:.3}, {:.0} ms a step",
                fit.steps,
                pace * 1e3
            );
            (sums, since) = ([0.0; 3], Instant::now());
        }
        if count % fit.check == 0 || count == fit.steps {
            let (averaged, ..) = parameters::put(network.valid(), &average.values);
            let progress = Progress { settings: settings.clone(), epochs: count, best: None };
            store.save(&network, averaged.clone(), &optimiser, &progress, None)?;
            if count == fit.steps {
                break;
            }
            let mean = losses.map(|sum| sum / (count - judged) as f32);
            judge(
                &Told { step: count, losses: Some(mean) },
                &export::export(&norm::fold(averaged), kept)?,
            )?;
            (losses, judged) = ([0.0; 3], count);
            since = Instant::now();
        }
    }
    let (averaged, ..) = parameters::put(network.valid(), &average.values);
    let averaged = norm::fold(averaged);
    let meter = Meter::new("turns of heads, batch", BEYOND as u64);
    let shown = batches.iter().inspect(|_| meter.step(""));
    let measured = if landmarks { gain::measure(&averaged, shown, &device.inner()) } else { None };
    meter.finish();
    let gain = match measured {
        Some(gain) => {
            tell!("turns of heads are found {gain:.2} times too small");
            gain
        }
        None => {
            tell!(
                "too few turned heads with landmarks to tell how well turns are found; {kept:.2} stays"
            );
            kept
        }
    };
    let steps = fit.steps - judged;
    let mean = (steps > 0).then(|| losses.map(|sum| sum / steps as f32));
    judge(&Told { step: fit.steps, losses: mean }, &export::export(&averaged, gain)?)
}

/// What normalisation is measured on at first.
fn pictures(fit: &Fit, sources: &[Scenes], empty: &[Scenes], device: &Device) -> Tensor<4> {
    let shape = Shape { batch: MEASURED, ..SHAPES[0] };
    // No step has this number.
    let mut random = Random::new(fit.seed).stream(u64::MAX);
    let (input, cells) = samples::batch(sources, empty, shape, &fit.additions, &mut random);
    Tensor::from_data(TensorData::new(input, [cells.len(), 3, shape.side, shape.side]), device)
}

type Made = (usize, Vec<f32>, Vec<Cells>);

/// Makes the batches from `first` on, a few ahead. Each depends on seed and number alone.
fn batches(
    fit: &Fit,
    first: usize,
    sources: Arc<Vec<Scenes>>,
    empty: Arc<Vec<Scenes>>,
) -> Receiver<Made> {
    let (send, receive) = bounded(4);
    let (steps, seed, additions) = (fit.steps, fit.seed, fit.additions.clone());
    let shapes: &[Shape] = if fit.only_landmarks { &NEAR } else { &SHAPES };
    thread::spawn(move || {
        let root = Random::new(seed);
        for step in first..steps + BEYOND {
            let shape = shapes[step % shapes.len()];
            let mut random = root.stream(step as u64);
            let (input, cells) = samples::batch(&sources, &empty, shape, &additions, &mut random);
            // The training ended early: nobody waits for more.
            if send.send((shape.side, input, cells)).is_err() {
                return;
            }
        }
    });
    receive
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::picture::{Picture, Rect};
    use crate::train::detector::scene::Scene;
    use crate::train::detector::targets::Target;
    use crate::vision::model::ModelFile;

    /// Dark pictures, each with a light square for a face; without `faces` dark alone.
    fn scenes(name: &str, count: u64, faces: bool) -> Vec<Scenes> {
        let scene = |seed: u64| {
            let mut random = Random::new(seed);
            let mut picture = Picture::new(96, 80);
            picture.pixels_mut().fill_with(|| random.below(60) as u8);
            let (x, y) = (random.below(60) as u32, random.below(40) as u32);
            let square =
                Rect { x1: x as f32, y1: y as f32, x2: (x + 30) as f32, y2: (y + 36) as f32 };
            if faces {
                for (at, byte) in picture.pixels_mut().iter_mut().enumerate() {
                    let (column, row) = (at as u32 / 3 % 96, at as u32 / 3 / 96);
                    let inside = (x..x + 30).contains(&column) && (y..y + 36).contains(&row);
                    *byte = if inside { 200 } else { *byte };
                }
            }
            let face = Target { bounds: square, landmarks: None, ignore: false, label: None };
            Scene { picture, faces: if faces { vec![face] } else { vec![] } }
        };
        vec![Scenes::new(name, (0..count).map(scene).collect())]
    }

    fn toy(steps: usize) -> Fit {
        Fit {
            steps,
            rate: 1e-3,
            seed: 5,
            check: 2,
            additions: Additions::default(),
            only_landmarks: false,
            landmark_weight: 1.0,
            normalise: false,
            channels: Channels::of(0.1),
            device: Device::flex(),
        }
    }

    /// Trains on toys; gives the steps at which it was judged with the files of then. A judgement
    /// after `stop` steps is the last thing that happens.
    fn train(
        folder: &Path,
        steps: usize,
        start: &[PathBuf],
        stop: Option<usize>,
    ) -> Result<Vec<(usize, Vec<u8>)>> {
        let mut judged = Vec::new();
        let start = Start { files: start, from: None };
        let (faces, empty) = (scenes("faces", 6, true), scenes("empty", 2, false));
        let settings = json!({ "seed": 5 });
        run(
            &toy(steps),
            faces,
            empty,
            &start,
            &folder.join("checkpoint"),
            &settings,
            |told, bytes| {
                ensure!(stop != Some(told.step), "the power went");
                let losses = told.losses.context("a loss was measured")?;
                ensure!(losses.iter().all(|loss| loss.is_finite()), "{losses:?}");
                judged.push((told.step, bytes.to_vec()));
                Ok(())
            },
        )?;
        Ok(judged)
    }

    #[test]
    fn a_training_that_was_cut_off_ends_as_one_left_alone_and_others_start_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
        // Both start from one file: the device's random numbers, of which networks are made from nothing,
        // are shared by all tests that run at once.
        let begun = [folder.path().join("begun.onnx")];
        let nothing = train(&folder.path().join("nothing"), 1, &[], None).unwrap();
        std::fs::write(&begun[0], &nothing[0].1).unwrap();
        let alone = train(&whole, 4, &begun, None).unwrap();
        assert_eq!(alone.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [2, 4]);
        assert_ne!(alone[0].1, alone[1].1, "it learned nothing");
        let error = train(&cut, 4, &begun, Some(2)).err().unwrap().to_string();
        assert_eq!(error, "the power went");
        assert!(train(&cut, 4, &begun, None).unwrap() == alone[1..], "another network");

        // Mined with the network at the start, then trained on.
        let file = folder.path().join("start.onnx");
        std::fs::write(&file, &alone[1].1).unwrap();
        let next = train(&folder.path().join("next"), 2, &[file], None).unwrap();
        assert!(next[0].1 != alone[1].1);
        assert!(ModelFile::parse("next".into(), &next[0].1, "").is_ok());
    }
}
