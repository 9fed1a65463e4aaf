//! Layers as ONNX, batch normalisation folded into the convolutions.

use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::Tensor;

use super::{BatchNormConv, Layout, torchvision_input};
use crate::train::onnx::{ConvShape, GraphBuilder, OnnxError, Weights};

/// A graph that grows layer by layer and knows the size of the map it has come to.
pub struct Writer {
    pub builder: GraphBuilder,
    /// Side of the current feature map, which decides the padding of the next convolution.
    side: usize,
    /// Multiply-adds so far, for one picture.
    pub multiply_adds: u64,
}

impl Writer {
    /// An empty graph for pictures of `side`; the input is called `input`.
    pub fn new(side: usize) -> Self {
        let builder = GraphBuilder::new("maskgate classifier", "input", &[1, 3, side, side]);
        Self { builder, side, multiply_adds: 0 }
    }

    /// The graph's input as a network of `layout` wants it.
    pub fn input(&mut self, layout: Layout) -> Result<String, OnnxError> {
        let input = self.builder.input();
        if layout == Layout::Keras {
            return Ok(input);
        }
        let (factors, offsets) = torchvision_input();
        // One value a channel is held exactly by int8 with a scale a channel.
        let weights = Weights::new(&[3, 1, 1, 1], factors.to_vec())?;
        self.multiply_adds += 3 * (self.side * self.side) as u64;
        let shape = ConvShape { groups: 3, ..ConvShape::POINTWISE };
        Ok(self.builder.conv(&input, &weights, Some(&offsets), shape))
    }

    pub fn conv(&mut self, input: &str, layer: &BatchNormConv) -> Result<String, OnnxError> {
        let (weights, bias) = fold(layer)?;
        let [kernel, stride] = [layer.conv.kernel_size[0], layer.conv.stride[0]];
        let (pads, out) = padded(&layer.conv.padding, kernel, stride, self.side);
        self.side = out;
        self.multiply_adds += (weights.values().len() * out * out) as u64;
        let shape = ConvShape { stride: layer.conv.stride, pads, groups: layer.conv.groups };
        Ok(self.builder.conv(input, &weights, Some(&bias), shape))
    }

    /// The path beside the main one, which starts at a map of `side`; the main one goes on where
    /// it was.
    pub fn aside(
        &mut self,
        side: usize,
        input: &str,
        layer: &BatchNormConv,
    ) -> Result<String, OnnxError> {
        let now = std::mem::replace(&mut self.side, side);
        let made = self.conv(input, layer)?;
        self.side = now;
        Ok(made)
    }

    /// Side of the current map, pixels.
    pub fn side(&self) -> usize {
        self.side
    }

    /// The largest of each 3 × 3 window, every second pixel.
    pub fn max_pool(&mut self, input: &str) -> String {
        self.side = self.side.div_ceil(2);
        self.builder.max_pool(input, [3, 3], [2, 2], [1; 4])
    }

    pub fn dense(&mut self, input: &str, layer: &Linear) -> Result<String, OnnxError> {
        let [from, to] = layer.weight.dims();
        let weights = Weights::new(&[to, from], floats(layer.weight.val().transpose()))?;
        let bias = layer.bias.as_ref().map(|bias| floats(bias.val()));
        self.multiply_adds += (from * to) as u64;
        Ok(self.builder.gemm(input, &weights, bias.as_deref()))
    }
}

/// Rows and columns to add (top, left, bottom, right) and the side that comes out.
fn padded(
    padding: &PaddingConfig2d,
    kernel: usize,
    stride: usize,
    side: usize,
) -> ([usize; 4], usize) {
    let out = |total: usize| (side + total).saturating_sub(kernel) / stride + 1;
    match padding {
        PaddingConfig2d::Same => {
            let out = side.div_ceil(stride);
            let total = ((out.max(1) - 1) * stride + kernel).saturating_sub(side);
            let (before, after) = (total / 2, total - total / 2);
            ([before, before, after, after], out)
        }
        PaddingConfig2d::Explicit(top, left, bottom, right) => {
            ([*top, *left, *bottom, *right], out(top + bottom))
        }
        PaddingConfig2d::Valid => ([0; 4], out(0)),
    }
}

/// Kernel and bias of the one convolution that equals this one with its normalisation:
/// `w * gamma / sqrt(var + eps)` and `beta - mean * gamma / sqrt(var + eps)`.
pub fn fold(layer: &BatchNormConv) -> Result<(Weights, Vec<f32>), OnnxError> {
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
