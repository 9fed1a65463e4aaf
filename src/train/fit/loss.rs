use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

use crate::picture::Label;

/// Cross entropy against softened targets, rare classes weighed up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// How much of each target is spread evenly over all classes.
    pub smoothing: f32,
    /// Weight of a wrongly worn mask; the others weigh 1.
    pub incorrect_weight: f32,
}

impl Loss {
    /// Weighted mean over the batch; `logits` is `[n, 3]`.
    pub fn of(&self, logits: Tensor<2>, labels: &[Label], device: &Device) -> Tensor<1> {
        let classes = Label::ALL.len();
        let mut targets = Vec::with_capacity(labels.len() * classes);
        let mut sum = 0.0;
        for label in labels {
            let weight = match label {
                Label::IncorrectMask => self.incorrect_weight,
                Label::WithMask | Label::WithoutMask => 1.0,
            };
            sum += weight;
            targets.extend(Label::ALL.map(|class| {
                let hard = if class == *label { 1.0 - self.smoothing } else { 0.0 };
                weight * (hard + self.smoothing / classes as f32)
            }));
        }
        let targets = TensorData::new(targets, [labels.len(), classes]);
        let targets = Tensor::<2>::from_data(targets, device);
        (log_softmax(logits, 1) * targets).sum().neg() / sum.max(f32::EPSILON)
    }
}
