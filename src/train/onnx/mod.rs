//! Writing ONNX: a graph builder, weights stored as int8, metadata.
//! Knows tensors and operators; never which network is written or where its weights come from.

mod builder;
mod tensors;
#[cfg(test)]
mod tests;

pub(in crate::train) use builder::int;
pub use builder::{ConvShape, GraphBuilder, Output};
pub use tensors::{Weights, quantise};
pub(in crate::train) use tensors::{floats, int32s, uint8s, value_info};

/// Why a graph could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    #[error("weights of shape {shape:?} need {need} values, got {got}")]
    WeightCount { shape: Vec<usize>, need: usize, got: usize },
    #[error("weights of shape {shape:?} hold a value that is not finite")]
    NotFinite { shape: Vec<usize> },
    #[error("{node}: {got} bias values for {need} output channels")]
    BiasCount { node: String, need: usize, got: usize },
    #[error("output {tensor:?} is not made by any node of the graph")]
    UnknownOutput { tensor: String },
}
