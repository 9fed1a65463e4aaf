//! Fitting the classifier: loss, optimiser, learning rate, what is frozen when, weight average,
//! the best epoch, checkpoints.
//! Never: files of pictures; it knows batches and the network.

mod average;
mod checkpoint;
mod judge;
mod loss;
mod optimiser;
mod schedule;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};

pub use average::Average;
pub use checkpoint::{Checkpoint, Mark, Progress, Saved, beside};
pub use judge::judge;
pub use loss::{Loss, balanced};
pub use optimiser::OptimiserKind;
pub use schedule::{Schedule, one_cycle};

use super::data::{Batch, Cut, Loader, Teacher, Views};
use super::network::{Freeze, Network, rounded};
use super::onnx::OnnxError;
use super::parameters;
use crate::picture::Label;

#[derive(Debug, thiserror::Error)]
pub enum FitError {
    #[error(transparent)]
    Rounding(#[from] OnnxError),
    #[error("checkpoint {path}: {reason}")]
    Checkpoint { path: PathBuf, reason: String },
    #[error(
        "checkpoint {path} is of another training: {other}; use the same settings or another folder"
    )]
    OtherSettings { path: PathBuf, other: String },
    #[error(
        "--batch {batch} is more than the {count} faces to learn from; give a smaller one, or more pictures"
    )]
    TooFew { count: usize, batch: usize },
    #[error(
        "the thread that makes batches stopped in epoch {epoch}; take the training up with --resume"
    )]
    NoBatches { epoch: usize },
    #[error("the loss became {loss} in epoch {epoch}, step {step}; lower --rate")]
    Diverged { loss: f32, epoch: usize, step: usize },
}

/// How to fit.
#[derive(Clone, Debug)]
pub struct Fit {
    /// Epochs in all.
    pub epochs: usize,
    pub batch: usize,
    pub optimiser: OptimiserKind,
    pub weight_decay: f32,
    pub schedule: Schedule,
    /// Epochs over which the rate rises evenly, at the start of each phase; one cycle warms up by
    /// itself.
    pub warm_up: usize,
    /// Highest learning rate.
    pub rate: f64,
    /// The first epochs, in which only the head learns; the schedule starts anew after them.
    pub head_epochs: usize,
    /// Highest learning rate after the epochs of the head alone.
    pub fine_rate: f64,
    /// What stays frozen throughout.
    pub freeze: Freeze,
    /// Decay of the weight average.
    pub average: f32,
    pub loss: Loss,
    /// What the network's outputs stand for.
    pub classes: Vec<Label>,
    pub views: Views,
    /// Whose answers are learned beside the labels, as far as `loss.teacher` says.
    pub teacher: Option<Arc<Teacher>>,
    /// Epochs with free weights; after these the network learns with its weights rounded as the
    /// file will hold them, so that rounding costs little in the end.
    pub free_epochs: usize,
    pub keep: Keep,
    /// Ends the training when the best epoch lies so many epochs back.
    pub early_stop: Option<usize>,
    pub seed: u64,
}

/// Which epoch's network is the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Keep {
    /// The one with the lowest loss on the validation side
    Best,
    /// The last, whatever validation says
    Last,
}

/// One step done.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Counted from 1.
    pub epoch: usize,
    pub loss: f32,
}

/// Hears how a training goes.
pub trait Watch {
    fn step(&mut self, _: Step) {}
    /// An epoch (from 1) ended with this mean loss; gives the validation loss of the averaged
    /// network, where there is one.
    fn epoch(&mut self, epoch: usize, loss: f32, network: &Network) -> Option<f64>;
    /// The network judged last is the result so far.
    fn keep(&mut self, _epoch: usize) {}
    /// The epoch is on disk.
    fn saved(&mut self, _epoch: usize) {}
}

/// A training that ended.
pub struct Fitted {
    /// The averaged network, ready to judge (no autodiff).
    pub network: Network,
    /// The epoch it is of.
    pub epoch: usize,
    /// Epochs done; fewer than asked for when it was stopped early.
    pub epochs: usize,
    /// The epoch with the lowest validation loss.
    pub best: Option<Mark>,
}

impl Fit {
    pub fn optimiser(&self) -> ModuleOptimizer {
        self.optimiser.init(self.weight_decay)
    }

    /// Fits `start` to the crops. `watch` hears of every step and judges after every epoch.
    pub fn run(
        &self,
        start: Saved<Network>,
        crops: Arc<Vec<Cut>>,
        device: &Device,
        checkpoint: &Checkpoint,
        settings: &serde_json::Value,
        watch: &mut impl Watch,
    ) -> Result<Fitted, FitError> {
        let Saved { mut network, average, mut optimiser, epochs: first, .. } = start;
        let mut done = first;
        let (mut best, mut best_network) = (start.best, start.best_network);
        let steps = crops.len() / self.batch.max(1);
        if steps == 0 && first < self.epochs {
            return Err(FitError::TooFew { count: crops.len(), batch: self.batch });
        }
        let mut average = Average::new(parameters::take(&average), self.average, first * steps);
        let mut current = parameters::take(&network);
        for epoch in first..self.epochs {
            if self.is_over(epoch, best) {
                break;
            }
            if epoch == first || epoch == self.head_epochs {
                network = network.frozen(self.frozen(epoch));
            }
            // Dropout draws from the device; an epoch taken up draws what it would have drawn.
            device.seed(self.seed.wrapping_add(epoch as u64));
            let (crops, teacher) = (Arc::clone(&crops), self.teacher.clone());
            let batches =
                Loader::start(crops, self.views.clone(), teacher, self.batch, self.seed, epoch);
            let mut sum = 0.0;
            let mut seen_batches = 0;
            for (step, batch) in batches.enumerate() {
                let seen = if epoch < self.free_epochs {
                    network.clone()
                } else {
                    rounded(&network, &current)?
                };
                let logits = seen.forward(self.inputs(&batch, device));
                let loss = self.loss.of(logits, &batch, &self.classes, device);
                let gradients = GradientsParams::from_grads(loss.backward(), &seen);
                let loss = loss.into_scalar::<f32>();
                if !loss.is_finite() {
                    return Err(FitError::Diverged { loss, epoch: epoch + 1, step });
                }
                network = optimiser.step(self.rate(epoch, step, steps), network, gradients);
                current = parameters::take(&network);
                average.update(current.clone());
                sum += loss;
                seen_batches += 1;
                watch.step(Step { epoch: epoch + 1, loss });
            }
            if seen_batches < steps {
                return Err(FitError::NoBatches { epoch: epoch + 1 });
            }
            done = epoch + 1;
            let judged = averaged(&network, &average);
            let loss = watch.epoch(done, sum / steps as f32, &judged);
            if let Some(loss) = loss.filter(|loss| best.is_none_or(|best| *loss < best.loss)) {
                best = Some(Mark { epoch: done, loss });
                best_network = (self.keep == Keep::Best).then(|| judged.clone());
            }
            if self.keep == Keep::Last || best.is_none_or(|best| best.epoch == done) {
                watch.keep(done);
            }
            let progress = Progress { settings: settings.clone(), epochs: done, best };
            checkpoint.save(&network, judged, &optimiser, &progress, best_network.clone())?;
            watch.saved(done);
        }
        let (network, epoch) = match (best, best_network) {
            (Some(best), Some(network)) => (network.valid(), best.epoch),
            _ => (averaged(&network, &average), done),
        };
        Ok(Fitted { network, epoch, epochs: done, best })
    }

    /// What is frozen in an epoch (from 0).
    fn frozen(&self, epoch: usize) -> Freeze {
        if epoch < self.head_epochs { Freeze::All } else { self.freeze }
    }

    /// The learning rate of a step; each phase has the whole schedule.
    fn rate(&self, epoch: usize, step: usize, steps: usize) -> f64 {
        let (first, end, peak) = if epoch < self.head_epochs {
            (0, self.head_epochs.min(self.epochs), self.rate)
        } else if self.head_epochs > 0 {
            (self.head_epochs, self.epochs, self.fine_rate)
        } else {
            (0, self.epochs, self.rate)
        };
        let at = (epoch - first) * steps + step;
        self.schedule.rate(at, (end - first) * steps, self.warm_up * steps, peak)
    }

    /// Whether to stop before epoch number `epoch` (from 0). Epochs of the head alone and of
    /// warming up are not held against a training.
    fn is_over(&self, epoch: usize, best: Option<Mark>) -> bool {
        let counted =
            |best: Mark| epoch - best.epoch.max(self.head_epochs + self.warm_up).min(epoch);
        self.early_stop.is_some_and(|limit| best.is_some_and(|best| counted(best) >= limit))
    }

    /// A batch's pictures as the network takes them.
    pub fn inputs(&self, batch: &Batch, device: &Device) -> Tensor<4> {
        let side = self.views.side as usize;
        let data = TensorData::new(batch.inputs.clone(), [batch.labels.len(), 3, side, side]);
        Tensor::from_data(data, device)
    }
}

fn averaged(network: &Network, average: &Average) -> Network {
    parameters::put(network.valid(), &average.values).0
}
