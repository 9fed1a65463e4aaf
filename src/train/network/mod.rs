//! The classifier's network: one of two backbones and a head, from pictures to logits; what is
//! frozen, how it is written, its weights as the file rounds them.
//! Never: data, fitting, where weights come from.

mod export;
mod freeze;
mod head;
mod rounding;
#[cfg(test)]
pub(crate) mod tests;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

pub use export::{Written, export};
pub use freeze::Freeze;
pub use head::{Head, HeadKind};
pub use rounding::rounded;

use super::layers::Layout;
use super::mobilenet::{MobileNet, MobileNetConfig};
use super::resnet::{DEPTHS, ResNet, ResNetConfig};

/// Which family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// MobileNetV2: small, for a Pi
    Mobilenetv2,
    /// ResNet50: seventy times the work of MobileNetV2 0.35, for a computer
    Resnet50,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Mobilenetv2 => "MobileNetV2",
            Self::Resnet50 => "ResNet50",
        }
    }
}

/// Which network exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NetworkConfig {
    pub kind: Kind,
    /// Width multiplier; 1.0 is as published.
    pub width: f64,
    /// Whose way of building the layers; ResNet50 is torchvision's always.
    pub layout: Layout,
    pub head: HeadKind,
    pub classes: usize,
    /// How much of each batch enters batch normalisation's running statistics.
    pub momentum: f64,
    /// Probability of dropping a feature before the last layer while training.
    pub dropout: f64,
}

impl NetworkConfig {
    /// Three classes, with what `head` was published with.
    pub fn new(kind: Kind, width: f64, layout: Layout, head: HeadKind) -> Self {
        let layout = if kind == Kind::Resnet50 { Layout::Torchvision } else { layout };
        Self { kind, width, layout, head, classes: 3, momentum: 0.03, dropout: head.dropout() }
    }

    /// Random weights.
    pub fn init(&self, device: &Device) -> Network {
        let (width, momentum) = (self.width, self.momentum);
        let (backbone, features) = match self.kind {
            Kind::Mobilenetv2 => {
                let config = MobileNetConfig { width, momentum, layout: self.layout };
                (Backbone::MobileNet(config.init(device)), config.features())
            }
            Kind::Resnet50 => {
                let config = ResNetConfig { width, momentum, depths: DEPTHS };
                (Backbone::ResNet(config.init(device)), config.features())
            }
        };
        let head = Head::new(self.head, features, self.classes, self.dropout, device);
        Network { backbone, head }
    }
}

/// Everything up to the features.
// There is one of it at a time; its size on the stack does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Backbone {
    MobileNet(MobileNet),
    ResNet(ResNet),
}

impl Backbone {
    /// `[n, features, side / 32, side / 32]`.
    pub fn features(&self, pictures: Tensor<4>) -> Tensor<4> {
        match self {
            Self::MobileNet(network) => network.features(pictures),
            Self::ResNet(network) => network.features(pictures),
        }
    }
}

/// Backbone and head: RGB pictures `[n, 3, side, side]` in [-1, 1], side a multiple of 32.
#[derive(Module, Debug)]
pub struct Network {
    pub backbone: Backbone,
    pub head: Head,
}

impl Network {
    /// The same network, without autodiff, with the statistics of its backbone's normalisation
    /// measured on pictures. Those of ResNet50 are always published.
    pub fn measured(self, pictures: Tensor<4>) -> Self {
        let backbone = match self.backbone {
            Backbone::MobileNet(network) => Backbone::MobileNet(network.measured(pictures)),
            other => other,
        };
        Self { backbone, ..self }
    }

    /// Logits, `[n, classes]`.
    pub fn forward(&self, pictures: Tensor<4>) -> Tensor<2> {
        self.head.forward(self.backbone.features(pictures))
    }
}
