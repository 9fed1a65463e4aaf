//! MobileNetV2 (Sandler et al., 2018, arXiv:1801.04381) as Keras builds it: the network, the import
//! of its published weights, the export with batch normalisation folded in.

mod export;
mod import;
mod network;
mod rounding;
#[cfg(test)]
pub(crate) mod tests;

pub use export::export;
pub use import::{ImportError, import};
pub use network::{BatchNormConv, Block, MobileNet, MobileNetConfig};
pub use rounding::rounded;
