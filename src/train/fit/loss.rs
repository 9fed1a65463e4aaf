use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

use crate::picture::Label;

/// Cross entropy against softened targets, rare classes weighed up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// How much of each target is spread evenly over all classes.
    pub smoothing: f32,
    /// What a face of each label counts, in the order of `Label::ALL`.
    pub weights: [f32; 3],
}

impl Loss {
    /// Weighted mean over the batch; `logits` is `[n, classes]`. A face whose label is none of
    /// the `classes` counts nothing.
    pub fn of(
        &self,
        logits: Tensor<2>,
        labels: &[Label],
        classes: &[Label],
        device: &Device,
    ) -> Tensor<1> {
        let mut targets = Vec::with_capacity(labels.len() * classes.len());
        let mut sum = 0.0;
        for label in labels {
            let known = classes.contains(label);
            let weight = if known { self.weights[*label as usize] } else { 0.0 };
            sum += weight;
            targets.extend(classes.iter().map(|class| {
                let hard = if class == label { 1.0 - self.smoothing } else { 0.0 };
                weight * (hard + self.smoothing / classes.len() as f32)
            }));
        }
        let targets = TensorData::new(targets, [labels.len(), classes.len()]);
        let targets = Tensor::<2>::from_data(targets, device);
        (log_softmax(logits, 1) * targets).sum().neg() / sum.max(f32::EPSILON)
    }
}

/// Weights that make every class count the same in all: faces / (classes × faces of the class).
pub fn balanced(counts: [usize; 3]) -> [f32; 3] {
    let classes = counts.iter().filter(|count| **count > 0).count().max(1);
    let all: usize = counts.iter().sum();
    counts.map(|count| if count > 0 { all as f32 / (classes * count) as f32 } else { 1.0 })
}
