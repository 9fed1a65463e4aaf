//! Starts from weights that are there: the backbone from the published UltraFace slim (MIT
//! licence), its batch normalisation folded into the convolutions, or everything from a detector
//! file that this trainer wrote, of the same or another width.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use burn::module::Param;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor, TensorData};
use tract_onnx::pb::{GraphProto, ModelProto, TensorProto};

use super::network::{Head, Network};
use super::width;
use crate::train::parameters;
use crate::vision::YAW_GAIN;
use crate::vision::model::ModelFile;

/// PyTorch's default, which the published net was trained with.
const EPSILON: f32 = 1e-5;

/// Puts the mean of the weights of the files at `paths` into `network`. Trainings that went on from
/// one another lie in one valley, and their mean is often better than each (Wortsman et al., "Model
/// soups", 2022).
pub fn start_from(network: Network, paths: &[PathBuf], device: &Device) -> Result<Network> {
    let Some((first, others)) = paths.split_first() else { return Ok(network) };
    let mut sum = parameters::take(&started(network.clone(), first, device)?);
    for path in others {
        let one = parameters::take(&started(network.clone(), path, device)?);
        ensure!(parameters::add(&mut sum, &one), "{}: another network", path.display());
    }
    parameters::divide(&mut sum, paths.len());
    Ok(parameters::put(network, &sum).0)
}

/// What the first of these files that has one says of its yaw gain; 1 where none has.
pub fn yaw_gain(paths: &[PathBuf]) -> Result<f32> {
    for path in paths {
        let proto = proto(path)?;
        let entry = proto.metadata_props.iter().find(|entry| entry.key == YAW_GAIN);
        if let Some(gain) = entry.and_then(|entry| entry.value.parse().ok()) {
            return Ok(gain);
        }
    }
    Ok(1.0)
}

/// The file at `path`; one of ours must be as it was written.
fn proto(path: &Path) -> Result<ModelProto> {
    Ok(ModelFile::open(path, "", ("no detector", &[]))?.proto().clone())
}

fn started(network: Network, path: &Path, device: &Device) -> Result<Network> {
    let proto = proto(path)?;
    let ours = proto.metadata_props.iter().any(|entry| entry.value == "center");
    let graph = proto.graph.unwrap_or_default();
    if ours {
        return from_ours(network, &graph, device)
            .with_context(|| format!("{}: another network than this one", path.display()));
    }
    from_slim(network, graph, path, device)
}

/// Everything, layer by layer in the order `export` writes them.
fn from_ours(network: Network, graph: &GraphProto, device: &Device) -> Result<Network> {
    let mut layers = convolutions(graph)?.into_iter();
    let mut next =
        |layer: &mut Conv2d| put(layer, layers.next().context("it has too few layers")?, device);
    let mut file = network.clone();
    next(&mut file.backbone.stem.conv)?;
    for block in &mut file.backbone.blocks {
        next(&mut block.depthwise.conv)?;
        next(&mut block.pointwise.conv)?;
    }
    next(&mut file.neck.lateral32.conv)?;
    next(&mut file.neck.lateral16.conv)?;
    for Head { tower, output, points_tower, points } in &mut file.neck.heads {
        for tower in [(tower, output), (points_tower, points)] {
            next(&mut tower.0.depthwise.conv)?;
            next(&mut tower.0.pointwise.conv)?;
            next(tower.1)?;
        }
    }
    ensure!(layers.next().is_none(), "it has too many layers");
    width::change(network, &file)
}

/// Shape, kernel and bias of a convolution.
type Layer = (Vec<usize>, Vec<f32>, Vec<f32>);

/// The file's convolutions in order, int8 kernels as floats.
fn convolutions(graph: &GraphProto) -> Result<Vec<Layer>> {
    let tensors: HashMap<&str, &TensorProto> =
        graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let get = |name: &str| tensors.get(name).with_context(|| format!("no tensor {name}"));
    let mut layers = Vec::new();
    for node in graph.node.iter().filter(|node| node.op_type == "Conv") {
        let [_, kernel, bias] = node.input.as_slice() else { bail!("a layer without a bias") };
        let made = graph.node.iter().find(|node| node.output.contains(kernel));
        let [bytes, scales, ..] = made.map_or(&[][..], |node| &node.input) else {
            bail!("{kernel} is not int8");
        };
        let (bytes, scales) = (get(bytes)?, floats(get(scales)?));
        let shape: Vec<usize> = bytes.dims.iter().map(|d| *d as usize).collect();
        let per_channel = shape.iter().skip(1).product::<usize>().max(1);
        let kernel = bytes.raw_data.chunks_exact(per_channel).zip(&scales).flat_map(|(row, s)| {
            row.iter().map(move |byte| f32::from(i8::from_le_bytes([*byte])) * s)
        });
        layers.push((shape, kernel.collect(), floats(get(bias)?)));
    }
    Ok(layers)
}

/// Puts the layer into its place, whatever its shape: the file may be of a wider network.
fn put(layer: &mut Conv2d, (shape, kernel, bias): Layer, device: &Device) -> Result<()> {
    let [outputs, inputs, height, width] = shape.as_slice() else {
        bail!("a layer is {shape:?}, which is no convolution of pictures");
    };
    let dims = [*outputs, *inputs, *height, *width];
    ensure!(
        kernel.len() == dims.iter().product::<usize>() && bias.len() == *outputs,
        "a layer of {dims:?} has {} values and {} biases",
        kernel.len(),
        bias.len()
    );
    let weight = Tensor::<4>::from_data(TensorData::new(kernel, dims), device);
    layer.weight = Param::from_tensor(weight);
    layer.bias = Some(Param::from_tensor(Tensor::<1>::from_floats(bias.as_slice(), device)));
    Ok(())
}

fn floats(tensor: &TensorProto) -> Vec<f32> {
    if tensor.raw_data.is_empty() {
        return tensor.float_data.clone();
    }
    let words = tensor.raw_data.chunks_exact(4);
    words.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn from_slim(
    mut network: Network,
    graph: GraphProto,
    path: &Path,
    device: &Device,
) -> Result<Network> {
    let tensors =
        graph.initializer.iter().map(|tensor| (tensor.name.clone(), floats(tensor))).collect();
    let file = Weights { tensors, path };
    let backbone = &mut network.backbone;
    file.fold(&mut backbone.stem.conv, "base_net.0.0", "base_net.0.1", device)?;
    for (index, block) in backbone.blocks.iter_mut().enumerate() {
        let prefix = format!("base_net.{}", index + 1);
        let name = |part: usize| format!("{prefix}.{part}");
        file.fold(&mut block.depthwise.conv, &name(0), &name(1), device)?;
        file.fold(&mut block.pointwise.conv, &name(3), &name(4), device)?;
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
            bail!(
                "{}: no tensor {name}; --start takes a detector written here, or UltraFace slim",
                self.path.display()
            );
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_yaw_gain_of_the_start_is_known() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let [classifier, detector] =
            ["classifier", "detector"].map(|name| root.join(format!("models/{name}.onnx")));
        assert_eq!(yaw_gain(&[classifier.clone(), detector]).unwrap(), 1.6);
        assert_eq!((yaw_gain(&[classifier]).unwrap(), yaw_gain(&[]).unwrap()), (1.0, 1.0));
        assert!(yaw_gain(&[root.join("Cargo.toml")]).is_err());
    }

    #[test]
    fn nothing_starts_from_a_damaged_file_of_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged.onnx");
        let mut bytes = include_bytes!("../../../models/detector.onnx").to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        std::fs::write(&path, bytes).unwrap();
        let device = Device::flex();
        let network = Network::new(&super::super::network::Channels::of(0.25), &device);
        let error = start_from(network, &[path], &device).err().unwrap().to_string();
        assert!(error.contains("damaged.onnx") && error.contains("digest"), "{error}");
    }
}
