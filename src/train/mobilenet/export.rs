//! The network as ONNX, batch normalisation folded into the convolutions.

use burn::tensor::Tensor;

use super::{BatchNormConv, MobileNet};
use crate::train::onnx::{ConvShape, GraphBuilder, OnnxError, Output, Weights};

/// The file's bytes: input `input` `[1, 3, side, side]`, output `probabilities` `[1, classes]`.
/// Expects the network on a device without autodiff (`valid`).
pub fn export(
    network: &MobileNet,
    side: usize,
    metadata: &[(&str, &str)],
) -> Result<Vec<u8>, OnnxError> {
    let mut graph = Graph {
        builder: GraphBuilder::new("maskgate classifier", "input", &[1, 3, side, side]),
        side,
    };
    let input = graph.builder.input();
    let x = graph.conv(&input, &network.stem)?;
    let mut x = graph.builder.relu6(&x);
    for block in &network.blocks {
        let input = x.clone();
        if let Some(expand) = &block.expand {
            x = graph.conv(&x, expand)?;
            x = graph.builder.relu6(&x);
        }
        x = graph.conv(&x, &block.depthwise)?;
        x = graph.builder.relu6(&x);
        x = graph.conv(&x, &block.project)?;
        if block.residual {
            x = graph.builder.add(&x, &input);
        }
    }
    let x = graph.conv(&x, &network.last)?;
    let mut builder = graph.builder;
    let x = builder.relu6(&x);
    let x = builder.global_average_pool(&x);
    let x = builder.flatten(&x);
    let [features, classes] = network.head.weight.dims();
    let weights = floats(network.head.weight.val().transpose());
    let weights = Weights::new(&[classes, features], weights)?;
    let bias = network.head.bias.as_ref().map(|bias| floats(bias.val()));
    let x = builder.gemm(&x, &weights, bias.as_deref());
    let x = builder.softmax(&x, 1);
    let output = Output { tensor: &x, name: "probabilities", dims: &[1, classes] };
    builder.finish(&[output], metadata)
}

struct Graph {
    builder: GraphBuilder,
    /// Side of the current feature map, which decides the padding of the next convolution.
    side: usize,
}

impl Graph {
    fn conv(&mut self, input: &str, layer: &BatchNormConv) -> Result<String, OnnxError> {
        let (weights, bias) = fold(layer)?;
        let [kernel, stride] = [layer.conv.kernel_size[0], layer.conv.stride[0]];
        let out = self.side.div_ceil(stride);
        let padding = ((out.max(1) - 1) * stride + kernel).saturating_sub(self.side);
        let (before, after) = (padding / 2, padding - padding / 2);
        self.side = out;
        let shape = ConvShape {
            stride: layer.conv.stride,
            pads: [before, before, after, after],
            groups: layer.conv.groups,
        };
        Ok(self.builder.conv(input, &weights, Some(&bias), shape))
    }
}

/// Kernel and bias of the one convolution that equals this one with its normalisation:
/// `w * gamma / sqrt(var + eps)` and `beta - mean * gamma / sqrt(var + eps)`.
pub(super) fn fold(layer: &BatchNormConv) -> Result<(Weights, Vec<f32>), OnnxError> {
    let norm = &layer.norm;
    let gamma = floats(norm.gamma.val());
    let beta = floats(norm.beta.val());
    let mean = floats(norm.running_mean.value_sync());
    let variance = floats(norm.running_var.value_sync());
    let factors: Vec<f32> =
        gamma.iter().zip(&variance).map(|(g, v)| g / (v + norm.epsilon as f32).sqrt()).collect();
    let mut kernel = floats(layer.conv.weight.val());
    let per_channel = (kernel.len() / factors.len().max(1)).max(1);
    for (channel, factor) in kernel.chunks_mut(per_channel).zip(&factors) {
        channel.iter_mut().for_each(|w| *w *= factor);
    }
    let bias = beta.iter().zip(&mean).zip(&factors).map(|((b, m), f)| b - m * f).collect();
    Ok((Weights::new(&layer.conv.weight.dims(), kernel)?, bias))
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    // The network is float32 throughout; nothing to convert, nothing to fail.
    tensor.into_data().convert::<f32>().try_into_vec().unwrap_or_default()
}
