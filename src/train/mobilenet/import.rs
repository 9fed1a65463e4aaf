//! Keras' published weights (an .npz of the layers' arrays) into the network.

use std::path::{Path, PathBuf};

use npyz::npz::NpzArchive;

use super::MobileNet;
use crate::train::parameters::{self, Parameters, Values};

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{path}: cannot be read: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path}: array {name} is not float32 in C order")]
    NotFloat { path: PathBuf, name: String },
    #[error(
        "{path}: the network lacks {missing:?} and has no place for {surplus:?}; is this the width that was asked for?"
    )]
    Mismatch { path: PathBuf, missing: Vec<String>, surplus: Vec<String> },
}

/// `network` with the backbone of `path`; the head keeps its values. Every array must find its
/// place and every tensor but the head's must be found.
pub fn import(network: MobileNet, path: &Path) -> Result<MobileNet, ImportError> {
    let (network, mut missing, surplus) = parameters::put(network, &read(path)?);
    missing.retain(|name| !name.starts_with("head."));
    if missing.is_empty() && surplus.is_empty() {
        return Ok(network);
    }
    Err(ImportError::Mismatch { path: path.to_owned(), missing, surplus })
}

fn read(path: &Path) -> Result<Parameters, ImportError> {
    let unreadable = |source| ImportError::Unreadable { path: path.to_owned(), source };
    let mut archive = NpzArchive::open(path).map_err(unreadable)?;
    let names: Vec<String> = archive.array_names().map(str::to_owned).collect();
    let mut found = Parameters::new();
    for name in names {
        let Some(array) = archive.by_name(&name).map_err(unreadable)? else { continue };
        let not_float = || ImportError::NotFloat { path: path.to_owned(), name: name.clone() };
        let shape: Vec<usize> = array.shape().iter().map(|d| *d as usize).collect();
        if array.order() != npyz::Order::C {
            return Err(not_float());
        }
        let values = array.into_vec::<f32>().map_err(|_| not_float())?;
        let values = Values { shape, values };
        // What has no counterpart keeps its name and is reported as surplus.
        let values = if values.shape.len() == 4 { to_oihw(values, &name) } else { values };
        found.insert(path_of(&name).unwrap_or(name), values);
    }
    Ok(found)
}

/// Keras stores kernels as height, width, in, out; depthwise ones as height, width, channel, 1.
fn to_oihw(kernel: Values, name: &str) -> Values {
    let depthwise = name.ends_with("depthwise_kernel");
    let [height, width, third, fourth] = match kernel.shape[..] {
        [h, w, i, o] => [h, w, i, o],
        _ => return kernel,
    };
    let (outs, ins) = if depthwise { (third, fourth) } else { (fourth, third) };
    let mut values = Vec::with_capacity(kernel.values.len());
    for out in 0..outs {
        for input in 0..ins {
            for at in 0..height * width {
                let (i3, i4) = if depthwise { (out, input) } else { (input, out) };
                values.push(kernel.values[(at * third + i3) * fourth + i4]);
            }
        }
    }
    Values { shape: vec![outs, ins, height, width], values }
}

/// `block_3_project_BN/gamma` → `blocks.3.project.norm.gamma`.
fn path_of(name: &str) -> Option<String> {
    let (layer, array) = name.split_once('/')?;
    let place = match layer {
        "Conv1" | "bn_Conv1" => "stem".to_owned(),
        "Conv_1" | "Conv_1_bn" => "last".to_owned(),
        _ => {
            let layer = layer.strip_suffix("_BN").unwrap_or(layer);
            // The first block has no number of its own.
            let (number, part) = match layer.strip_prefix("expanded_conv_") {
                Some(part) => ("0", part),
                None => layer.strip_prefix("block_")?.split_once('_')?,
            };
            format!("blocks.{number}.{part}")
        }
    };
    let tensor = match array {
        "kernel" | "depthwise_kernel" => "conv.weight",
        "gamma" => "norm.gamma",
        "beta" => "norm.beta",
        "moving_mean" => "norm.running_mean",
        "moving_variance" => "norm.running_var",
        _ => return None,
    };
    Some(format!("{place}.{tensor}"))
}
