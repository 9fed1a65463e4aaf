use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

use crate::picture::{Label, Probabilities};
use crate::train::data::Batch;

/// Cross entropy against softened targets, rare classes weighed up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// How much of each target is spread evenly over all classes.
    pub smoothing: f32,
    /// What a face of each label counts, in the order of `Label::ALL`.
    pub weights: [f32; 3],
    /// How much of each target is what the teacher says, where there is one.
    pub teacher: f32,
}

impl Loss {
    /// Weighted mean over the batch, whose `logits` are `[n, classes]`. A face whose label is none
    /// of the `classes` counts nothing.
    pub fn of(
        &self,
        logits: Tensor<2>,
        batch: &Batch,
        classes: &[Label],
        device: &Device,
    ) -> Tensor<1> {
        let labels = &batch.labels;
        let mut targets = Vec::with_capacity(labels.len() * classes.len());
        let mut sum = 0.0;
        for (face, label) in labels.iter().enumerate() {
            let answer = batch.answers.get(face).copied().flatten();
            let known = classes.contains(label);
            let weight = if known { self.weights[*label as usize] } else { 0.0 };
            sum += weight;
            targets.extend(classes.iter().map(|class| {
                let hard = if class == label { 1.0 - self.smoothing } else { 0.0 };
                let target = hard + self.smoothing / classes.len() as f32;
                weight * self.blend(target, answer.as_ref(), *class)
            }));
        }
        let targets = TensorData::new(targets, [labels.len(), classes.len()]);
        let targets = Tensor::<2>::from_data(targets, device);
        (log_softmax(logits, 1) * targets).sum().neg() / sum.max(f32::EPSILON)
    }

    /// The target of a class, moved toward the teacher's answer.
    fn blend(&self, target: f32, answer: Option<&Probabilities>, class: Label) -> f32 {
        answer.map_or(target, |answer| target + self.teacher * (answer.of(class) - target))
    }
}

/// Weights that make every class count the same in all: faces / (classes × faces of the class).
pub fn balanced(counts: [usize; 3]) -> [f32; 3] {
    let classes = counts.iter().filter(|count| **count > 0).count().max(1);
    let all: usize = counts.iter().sum();
    counts.map(|count| if count > 0 { all as f32 / (classes * count) as f32 } else { 1.0 })
}
