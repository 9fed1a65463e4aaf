//! Starts the backbone from the published UltraFace slim weights (MIT licence), their batch
//! normalisation folded into the convolutions.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use burn::module::Param;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor, TensorData};
use prost::Message;
use tract_onnx::pb::ModelProto;

use super::network::Network;

/// PyTorch's default, which the published net was trained with.
const EPSILON: f32 = 1e-5;

/// Puts the weights of the slim file at `path` into the backbone of `network`.
pub fn start_from(mut network: Network, path: &Path, device: &Device) -> Result<Network> {
    let bytes =
        std::fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let proto = ModelProto::decode(&*bytes)
        .with_context(|| format!("{}: not an ONNX file", path.display()))?;
    let mut tensors = HashMap::new();
    for tensor in proto.graph.unwrap_or_default().initializer {
        let values = if tensor.raw_data.is_empty() {
            tensor.float_data
        } else {
            let words = tensor.raw_data.chunks_exact(4);
            words.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        };
        tensors.insert(tensor.name, values);
    }
    let file = Weights { tensors, path };
    let backbone = &mut network.backbone;
    file.fold(&mut backbone.stem, "base_net.0.0", "base_net.0.1", device)?;
    for (index, block) in backbone.blocks.iter_mut().enumerate() {
        let prefix = format!("base_net.{}", index + 1);
        let name = |part: usize| format!("{prefix}.{part}");
        file.fold(&mut block.depthwise, &name(0), &name(1), device)?;
        file.fold(&mut block.pointwise, &name(3), &name(4), device)?;
    }
    Ok(network)
}

struct Weights<'a> {
    tensors: HashMap<String, Vec<f32>>,
    path: &'a Path,
}

impl Weights<'_> {
    fn get(&self, name: &str, len: usize) -> Result<&[f32]> {
        let Some(values) = self.tensors.get(name) else {
            bail!("{}: no tensor {name}; an UltraFace slim file is needed", self.path.display());
        };
        ensure!(
            values.len() == len,
            "{}: tensor {name} has {} values, not {len}",
            self.path.display(),
            values.len()
        );
        Ok(values)
    }

    /// weight * gamma / sqrt(var + eps), bias = beta - mean * gamma / sqrt(var + eps).
    fn fold(&self, layer: &mut Conv2d, conv: &str, norm: &str, device: &Device) -> Result<()> {
        let shape = layer.weight.dims();
        let (channels, per_channel) = (shape[0], shape[1] * shape[2] * shape[3]);
        let weight = self.get(&format!("{conv}.weight"), channels * per_channel)?;
        let of = |part: &str| self.get(&format!("{norm}.{part}"), channels);
        let (gamma, beta) = (of("weight")?, of("bias")?);
        let (mean, var) = (of("running_mean")?, of("running_var")?);
        let factor: Vec<f32> =
            gamma.iter().zip(var).map(|(g, v)| g / (v + EPSILON).sqrt()).collect();
        let folded: Vec<f32> = weight
            .chunks_exact(per_channel)
            .zip(&factor)
            .flat_map(|(row, f)| row.iter().map(move |w| w * f))
            .collect();
        let bias: Vec<f32> =
            beta.iter().zip(mean).zip(&factor).map(|((b, m), f)| b - m * f).collect();
        let weight = Tensor::<4>::from_data(TensorData::new(folded, shape), device);
        layer.weight = Param::from_tensor(weight);
        layer.bias = Some(Param::from_tensor(Tensor::<1>::from_floats(bias.as_slice(), device)));
        Ok(())
    }
}
