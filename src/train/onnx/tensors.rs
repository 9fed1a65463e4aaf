//! Tensors of an ONNX file, and how float weights become int8.

use tract_onnx::pb;

use super::OnnxError;

/// Float weights, row-major; the first axis counts output channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Weights {
    /// `values` in row-major order of `shape`; refused when the count differs or a value is not
    /// finite.
    pub fn new(shape: &[usize], values: Vec<f32>) -> Result<Self, OnnxError> {
        let need = shape.iter().product();
        if values.len() != need {
            let got = values.len();
            return Err(OnnxError::WeightCount { shape: shape.to_vec(), need, got });
        }
        if values.iter().any(|v| !v.is_finite()) {
            return Err(OnnxError::NotFinite { shape: shape.to_vec() });
        }
        Ok(Self { shape: shape.to_vec(), values })
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Length of the first axis.
    pub fn channels(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }
}

/// Symmetric int8 per output channel: `value ≈ q * scale[channel]`, q in ±127, zero point 0. A
/// channel of zeros has scale 1.
pub fn quantise(weights: &Weights) -> (Vec<i8>, Vec<f32>) {
    let per_channel = (weights.values.len() / weights.channels().max(1)).max(1);
    let mut scales = Vec::with_capacity(weights.channels());
    let mut quantised = Vec::with_capacity(weights.values.len());
    for channel in weights.values.chunks(per_channel) {
        let largest = channel.iter().fold(0.0f32, |a, v| a.max(v.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        scales.push(scale);
        quantised.extend(channel.iter().map(|v| (v / scale).round().clamp(-127.0, 127.0) as i8));
    }
    (quantised, scales)
}

type DataType = pb::tensor_proto::DataType;

fn tensor(name: &str, dims: &[usize], data_type: DataType, raw_data: Vec<u8>) -> pb::TensorProto {
    pb::TensorProto {
        name: name.to_owned(),
        dims: dims.iter().map(|d| *d as i64).collect(),
        data_type: data_type as i32,
        raw_data,
        ..Default::default()
    }
}

pub(in crate::train) fn floats(name: &str, dims: &[usize], values: &[f32]) -> pb::TensorProto {
    tensor(name, dims, DataType::Float, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

pub(super) fn bytes(name: &str, dims: &[usize], values: &[i8]) -> pb::TensorProto {
    tensor(name, dims, DataType::Int8, values.iter().map(|v| v.to_le_bytes()[0]).collect())
}

pub(in crate::train) fn uint8s(name: &str, dims: &[usize], values: &[u8]) -> pb::TensorProto {
    tensor(name, dims, DataType::Uint8, values.to_vec())
}

pub(in crate::train) fn int32s(name: &str, dims: &[usize], values: &[i32]) -> pb::TensorProto {
    tensor(name, dims, DataType::Int32, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

pub(super) fn integers(name: &str, values: &[i64]) -> pb::TensorProto {
    let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, &[values.len()], DataType::Int64, raw)
}

/// Name, type float32 and shape of a graph's input or output.
pub(in crate::train) fn value_info(name: &str, dims: &[usize]) -> pb::ValueInfoProto {
    use pb::tensor_shape_proto::{Dimension, dimension};
    let dim = |d: &usize| Dimension {
        value: Some(dimension::Value::DimValue(*d as i64)),
        ..Default::default()
    };
    let shape = pb::TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor_type =
        pb::type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(shape) };
    pb::ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(pb::TypeProto {
            value: Some(pb::type_proto::Value::TensorType(tensor_type)),
            ..Default::default()
        }),
        ..Default::default()
    }
}
