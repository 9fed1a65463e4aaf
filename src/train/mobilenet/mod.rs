//! MobileNetV2 (Sandler et al., 2018, arXiv:1801.04381) as Keras or torchvision builds it, up to
//! its features: the network, how it is written, what published files call its tensors.
//! Never: the head, files, fitting.

mod export;
mod names;
mod network;
#[cfg(test)]
pub(crate) mod tests;

pub use names::{keras, order, torchvision};
pub use network::{Block, MobileNet, MobileNetConfig};
