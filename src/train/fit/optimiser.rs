//! The four optimisers, with the published settings; burn's defaults differ from these.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, RmsPropConfig, SgdConfig};

/// How gradients become steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OptimiserKind {
    /// Adam with weight decay of its own (Loshchilov and Hutter, 2019)
    Adamw,
    /// Adam (Kingma and Ba, 2015)
    Adam,
    /// RMSprop nearly as Keras has it: decay 0.9, no momentum
    Rmsprop,
    /// Gradient descent with momentum 0.9
    Sgd,
}

/// Keras divides by `sqrt(v + 1e-7)`, burn by `sqrt(v) + epsilon`: so steps on small gradients are
/// damped as much.
const RMSPROP_EPSILON: f32 = 3.16e-4;

impl OptimiserKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Adamw => "adamw",
            Self::Adam => "adam",
            Self::Rmsprop => "rmsprop",
            Self::Sgd => "sgd",
        }
    }

    /// The highest learning rate that usually works.
    pub fn rate(self) -> f64 {
        match self {
            Self::Sgd => 1e-2,
            Self::Adamw | Self::Adam | Self::Rmsprop => 1e-3,
        }
    }

    /// Weight decay where none is asked for: AdamW's and, for SGD, that of the ResNet paper.
    pub fn weight_decay(self) -> f32 {
        match self {
            Self::Adamw => 0.01,
            Self::Sgd => 1e-4,
            Self::Adam | Self::Rmsprop => 0.0,
        }
    }

    /// A fresh optimiser. Decay is decoupled for AdamW and added to the gradient for the others.
    pub fn init(self, weight_decay: f32) -> ModuleOptimizer {
        let decay = (weight_decay > 0.0).then(|| WeightDecayConfig::new(weight_decay));
        match self {
            Self::Adamw => {
                AdamWConfig::new().with_weight_decay(weight_decay).with_epsilon(1e-8).init()
            }
            Self::Adam => AdamConfig::new().with_epsilon(1e-8).with_weight_decay(decay).init(),
            Self::Rmsprop => RmsPropConfig::new()
                .with_alpha(0.9)
                .with_momentum(0.0)
                .with_epsilon(RMSPROP_EPSILON)
                .with_weight_decay(decay)
                .init(),
            Self::Sgd => {
                let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
                SgdConfig::new().with_momentum(Some(momentum)).with_weight_decay(decay).init()
            }
        }
    }
}
