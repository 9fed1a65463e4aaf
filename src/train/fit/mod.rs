//! Fitting the classifier: loss, learning rate, weight average, checkpoints.
//! Knows batches and the network, never files of pictures.

mod average;
mod checkpoint;
mod loss;
mod schedule;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

pub use average::Average;
pub use checkpoint::{Checkpoint, Progress, Saved};
pub use loss::Loss;
pub use schedule::one_cycle;

use super::data::{Batch, Cut, Loader, Views};
use super::mobilenet::{MobileNet, rounded};
use super::onnx::OnnxError;
use super::parameters;
use crate::picture::{Label, Probabilities};
use crate::vision::crop;

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
    #[error("{count} crops do not fill one batch of {batch}")]
    TooFew { count: usize, batch: usize },
    #[error(
        "the thread that makes batches stopped in epoch {epoch}; take the training up with --resume"
    )]
    NoBatches { epoch: usize },
    #[error("the loss became {loss} in epoch {epoch}, step {step}; lower --rate")]
    Diverged { loss: f32, epoch: usize, step: usize },
}

/// How to fit.
#[derive(Clone, Copy, Debug)]
pub struct Fit {
    pub epochs: usize,
    pub batch: usize,
    /// Highest learning rate.
    pub rate: f64,
    pub weight_decay: f32,
    /// Decay of the weight average.
    pub average: f32,
    pub loss: Loss,
    pub views: Views,
    /// Epochs with free weights; after these the network learns with its weights rounded as the
    /// file will hold them, so that rounding costs little in the end.
    pub free_epochs: usize,
    pub seed: u64,
}

/// Told while fitting.
#[derive(Clone, Copy, Debug)]
pub enum Told {
    Step {
        epoch: usize,
        step: usize,
        steps: usize,
        loss: f32,
    },
    /// The averaged network may be judged now.
    Epoch {
        epoch: usize,
        loss: f32,
    },
}

impl Fit {
    pub fn optimiser(&self) -> ModuleOptimizer {
        AdamWConfig::new().with_weight_decay(self.weight_decay).with_epsilon(1e-8).init()
    }

    /// Fits `start` to the crops and gives the averaged network, ready to judge (no autodiff).
    /// `tell` hears of every step, and after every epoch with the averaged network.
    pub fn run(
        &self,
        start: Saved<MobileNet>,
        crops: Arc<Vec<Cut>>,
        device: &Device,
        checkpoint: &Checkpoint,
        settings: &serde_json::Value,
        mut tell: impl FnMut(Told, &MobileNet),
    ) -> Result<MobileNet, FitError> {
        let Saved { mut network, average, mut optimiser, epochs: done } = start;
        let steps = crops.len() / self.batch.max(1);
        if steps == 0 {
            return Err(FitError::TooFew { count: crops.len(), batch: self.batch });
        }
        let mut average = Average::new(parameters::take(&average), self.average, done * steps);
        let mut current = parameters::take(&network);
        for epoch in done..self.epochs {
            // Dropout draws from the device; an epoch taken up draws what it would have drawn.
            device.seed(self.seed.wrapping_add(epoch as u64));
            let batches =
                Loader::start(Arc::clone(&crops), self.views, self.batch, self.seed, epoch);
            let mut sum = 0.0;
            let mut seen_batches = 0;
            for (step, batch) in batches.enumerate() {
                let rate = one_cycle(epoch * steps + step, self.epochs * steps, self.rate);
                let seen = if epoch < self.free_epochs {
                    network.clone()
                } else {
                    rounded(&network, &current)?
                };
                let logits = seen.forward(self.inputs(&batch, device));
                let loss = self.loss.of(logits, &batch.labels, device);
                let gradients = GradientsParams::from_grads(loss.backward(), &seen);
                let loss = loss.into_scalar::<f32>();
                if !loss.is_finite() {
                    return Err(FitError::Diverged { loss, epoch: epoch + 1, step });
                }
                network = optimiser.step(rate, network, gradients);
                current = parameters::take(&network);
                average.update(current.clone());
                sum += loss;
                seen_batches += 1;
                tell(Told::Step { epoch: epoch + 1, step: step + 1, steps, loss }, &network);
            }
            if seen_batches < steps {
                return Err(FitError::NoBatches { epoch: epoch + 1 });
            }
            let judged = averaged(&network, &average);
            let progress = Progress { settings: settings.clone(), epochs: epoch + 1 };
            checkpoint.save(&network, judged.clone(), &optimiser, &progress)?;
            tell(Told::Epoch { epoch: epoch + 1, loss: sum / steps as f32 }, &judged);
        }
        Ok(averaged(&network, &average))
    }

    fn inputs(&self, batch: &Batch, device: &Device) -> Tensor<4> {
        let side = self.views.side as usize;
        let data = TensorData::new(batch.inputs.clone(), [batch.labels.len(), 3, side, side]);
        Tensor::from_data(data, device)
    }
}

fn averaged(network: &MobileNet, average: &Average) -> MobileNet {
    parameters::put(network.valid(), &average.values).0
}

/// What `network` (without autodiff) says of each crop, in their order.
pub fn judge(network: &MobileNet, crops: &[Cut], device: &Device) -> Vec<Probabilities> {
    const AT_ONCE: usize = 32;
    let device = device.clone().inner();
    let mut all = Vec::with_capacity(crops.len());
    for some in crops.chunks(AT_ONCE) {
        let side = some.first().map_or(0, |cut| cut.picture.width() as usize);
        let plane = 3 * side * side;
        let mut inputs = vec![0.0; plane * some.len()];
        for (cut, planes) in some.iter().zip(inputs.chunks_exact_mut(plane.max(1))) {
            crop::to_input(&cut.picture, planes);
        }
        let data = TensorData::new(inputs, [some.len(), 3, side, side]);
        let logits = network.forward(Tensor::from_data(data, &device));
        let values = softmax(logits, 1).into_data().try_into_vec::<f32>().unwrap_or_default();
        all.extend(values.chunks_exact(Label::ALL.len()).map(|p| Probabilities {
            with_mask: p[0],
            without_mask: p[1],
            incorrect_mask: p[2],
        }));
    }
    all
}
