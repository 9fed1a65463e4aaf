use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};

/// What follows the features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum HeadKind {
    /// Average pool, dropout 0.2, one dense layer
    Single,
    /// As the published mask classifiers have it: average pool, dense 128, ReLU, dropout 0.5,
    /// dense
    Published,
}

impl HeadKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Published => "published",
        }
    }

    /// Probability of dropping a feature before the last layer.
    pub fn dropout(self) -> f64 {
        match self {
            Self::Single => 0.2,
            Self::Published => 0.5,
        }
    }
}

/// Width of the published head's first layer.
const HIDDEN: usize = 128;

/// Features to logits.
#[derive(Module, Debug)]
pub struct Head {
    pub hidden: Option<Linear>,
    pub dropout: Dropout,
    pub output: Linear,
}

impl Head {
    pub fn new(
        kind: HeadKind,
        features: usize,
        classes: usize,
        dropout: f64,
        device: &Device,
    ) -> Self {
        let hidden =
            (kind == HeadKind::Published).then(|| LinearConfig::new(features, HIDDEN).init(device));
        let last = if hidden.is_some() { HIDDEN } else { features };
        Self {
            hidden,
            dropout: DropoutConfig::new(dropout).init(),
            output: LinearConfig::new(last, classes).init(device),
        }
    }

    /// With its logits divided by `temperature`, folded into the last layer: how sure it is
    /// changes, what it answers does not.
    pub fn tempered(mut self, temperature: f64) -> Self {
        self.output.weight = self.output.weight.map(|weight| weight / temperature);
        self.output.bias = self.output.bias.map(|bias| bias.map(|bias| bias / temperature));
        self
    }

    /// With `offset` added to the logit of this class.
    pub fn with_offset(mut self, class: usize, offset: f64) -> Self {
        self.output.bias = self.output.bias.map(|bias| {
            bias.map(|bias| {
                let classes = bias.dims()[0];
                let one_hot: Vec<f32> =
                    (0..classes).map(|at| if at == class { offset as f32 } else { 0.0 }).collect();
                let device = bias.device();
                bias + Tensor::from_floats(&one_hot[..], &device)
            })
        });
        self
    }

    /// From `[n, features, height, width]`, averaged over all positions.
    pub fn forward(&self, features: Tensor<4>) -> Tensor<2> {
        let mut x = adaptive_avg_pool2d(features, [1, 1]).flatten::<2>(1, 3);
        if let Some(hidden) = &self.hidden {
            x = relu(hidden.forward(x));
        }
        self.output.forward(self.dropout.forward(x))
    }
}
