//! ResNet50 (He et al., 2016, arXiv:1512.03385) as torchvision builds it, the stride in the 3 × 3
//! convolution, up to its features: the network, how it is written, torchvision's names.
//! Never: the head, files, fitting.

mod export;
mod names;
mod network;
#[cfg(test)]
mod tests;

pub use names::torchvision;
pub use network::{Bottleneck, DEPTHS, ResNet, ResNetConfig};
