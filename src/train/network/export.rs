//! The network as ONNX, batch normalisation folded into the convolutions.

use super::{Backbone, Network};
use crate::train::layers::Writer;
use crate::train::onnx::{OnnxError, Output};

/// A network written.
pub struct Written {
    /// The file.
    pub bytes: Vec<u8>,
    /// Multiply-adds for one picture.
    pub multiply_adds: u64,
}

/// Input `input` `[1, 3, side, side]`, output `probabilities` `[1, classes]`. Expects the network
/// on a device without autodiff (`valid`).
pub fn export(
    network: &Network,
    side: usize,
    metadata: &[(&str, &str)],
) -> Result<Written, OnnxError> {
    let mut graph = Writer::new(side);
    let x = match &network.backbone {
        Backbone::MobileNet(network) => network.write(&mut graph)?,
        Backbone::ResNet(network) => network.write(&mut graph)?,
    };
    let x = graph.builder.global_average_pool(&x);
    let mut x = graph.builder.flatten(&x);
    if let Some(hidden) = &network.head.hidden {
        x = graph.dense(&x, hidden)?;
        x = graph.builder.relu(&x);
    }
    let x = graph.dense(&x, &network.head.output)?;
    let x = graph.builder.softmax(&x, 1);
    let [_, classes] = network.head.output.weight.dims();
    let output = Output { tensor: &x, name: "probabilities", dims: &[1, classes] };
    let multiply_adds = graph.multiply_adds;
    Ok(Written { bytes: graph.builder.finish(&[output], metadata)?, multiply_adds })
}
