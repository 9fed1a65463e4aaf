//! Weights as the file will hold them. Rounding scales with a channel, and folding multiplies whole
//! channels, so rounding before folding equals rounding after it.

use super::Network;
use crate::train::onnx::{OnnxError, Weights, quantise};
use crate::train::parameters::{self, Parameters, Values};

/// `network` with every kernel rounded to int8 steps per output channel. Identities stay: its
/// gradients may be applied to `network` (straight-through, Bengio et al., 2013,
/// arXiv:1308.3432).
pub fn rounded(network: &Network, current: &Parameters) -> Result<Network, OnnxError> {
    let mut kernels = Parameters::new();
    for (name, kernel) in current {
        if name.ends_with("conv.weight") {
            kernels.insert(name.clone(), round(kernel.clone())?);
        } else if name.starts_with("head.") && name.ends_with("weight") {
            // Stored as [in, out]; output channels come first in the file.
            kernels.insert(name.clone(), transposed(round(transposed(kernel.clone()))?));
        }
    }
    Ok(parameters::put(network.clone(), &kernels).0)
}

fn round(kernel: Values) -> Result<Values, OnnxError> {
    let weights = Weights::new(&kernel.shape, kernel.values)?;
    let (steps, scales) = quantise(&weights);
    let per_channel = (steps.len() / scales.len().max(1)).max(1);
    let values = steps
        .chunks(per_channel)
        .zip(&scales)
        .flat_map(|(channel, scale)| channel.iter().map(move |step| f32::from(*step) * scale))
        .collect();
    Ok(Values { shape: kernel.shape, values })
}

fn transposed(matrix: Values) -> Values {
    let [rows, columns] = match matrix.shape[..] {
        [rows, columns] => [rows, columns],
        _ => return matrix,
    };
    let at = |column: usize, row: usize| matrix.values[row * columns + column];
    let values = (0..columns).flat_map(|c| (0..rows).map(move |r| (c, r))).map(|(c, r)| at(c, r));
    Values { shape: vec![columns, rows], values: values.collect() }
}
