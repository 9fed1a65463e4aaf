//! Files of named tensors, whatever network they are of.

use std::io::Read;
use std::path::Path;

use npyz::NpyFile;
use npyz::npz::{NpzArchive, file_name_from_array_name};
use pytorch_reader::{DType, PytorchReader};
use safetensors::{Dtype, SafeTensors};

use super::WeightsError;
use crate::train::parameters::{Parameters, Values};

/// All tensors of the file at `path` under its own names, wrappers around them taken off.
pub fn read(path: &Path) -> Result<Parameters, WeightsError> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("npz") => npz(path),
        Some("safetensors") => safetensors(path),
        Some("pth" | "pt") => torch(path),
        _ => Err(WeightsError::UnknownKind { path: path.to_owned() }),
    }
}

fn unreadable<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> WeightsError {
    |error| WeightsError::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

fn npz(path: &Path) -> Result<Parameters, WeightsError> {
    let mut archive = NpzArchive::open(path).map_err(unreadable(path))?;
    let names: Vec<String> = archive.array_names().map(str::to_owned).collect();
    let mut found = Parameters::new();
    for name in names {
        let torn = |reason: String| unreadable(path)(format!("tensor {name}: {reason}"));
        let mut bytes = Vec::new();
        // Only one that is read to its end is held against its checksum.
        archive
            .zip_archive()
            .by_name(&file_name_from_array_name(&name))
            .map_err(|error| torn(error.to_string()))?
            .read_to_end(&mut bytes)
            .map_err(|error| torn(error.to_string()))?;
        let array = NpyFile::new(&bytes[..]).map_err(|error| torn(error.to_string()))?;
        let not_float = || WeightsError::NotFloat { path: path.to_owned(), name: name.clone() };
        let shape: Vec<usize> = array.shape().iter().map(|d| *d as usize).collect();
        if array.order() != npyz::Order::C {
            return Err(not_float());
        }
        let values = array.try_data::<f32>().map_err(|_| not_float())?;
        let values: Vec<f32> =
            values.collect::<Result<_, _>>().map_err(|error| torn(error.to_string()))?;
        let count = shape.iter().try_fold(1usize, |count, side| count.checked_mul(*side));
        if count != Some(values.len()) {
            return Err(torn(format!("{} numbers for the shape {shape:?}", values.len())));
        }
        found.insert(name, Values { shape, values });
    }
    Ok(found)
}

fn safetensors(path: &Path) -> Result<Parameters, WeightsError> {
    let bytes = std::fs::read(path).map_err(unreadable(path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(unreadable(path))?;
    let mut found = Parameters::new();
    for (name, tensor) in file.iter() {
        if is_count(name) {
            continue;
        }
        if tensor.dtype() != Dtype::F32 {
            return Err(WeightsError::NotFloat { path: path.to_owned(), name: name.to_owned() });
        }
        let words = tensor.data().chunks_exact(4);
        let values = words.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let shape = tensor.shape().to_vec();
        found.insert(unwrapped(name).to_owned(), Values { shape, values });
    }
    Ok(found)
}

fn torch(path: &Path) -> Result<Parameters, WeightsError> {
    let file = PytorchReader::new(path).map_err(unreadable(path))?;
    let mut found = Parameters::new();
    for (name, tensor) in file.tensors() {
        if is_count(name) {
            continue;
        }
        if tensor.dtype() != DType::F32 {
            return Err(WeightsError::NotFloat { path: path.to_owned(), name: name.clone() });
        }
        let bytes = tensor.read().map_err(unreadable(path))?;
        let words = bytes.chunks_exact(4);
        let values = words.map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])).collect();
        let shape = tensor.shape().to_vec();
        found.insert(unwrapped(name).to_owned(), Values { shape, values });
    }
    Ok(found)
}

/// How many batches torch's normalisation has seen: a whole number that no network needs.
fn is_count(name: &str) -> bool {
    name.ends_with("num_batches_tracked")
}

/// The name without what saving scripts put around a network.
fn unwrapped(name: &str) -> &str {
    let mut name = name;
    for wrapper in ["state_dict.", "model.", "module."] {
        name = name.strip_prefix(wrapper).unwrap_or(name);
    }
    name
}
