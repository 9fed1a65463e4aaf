//! Constants of an ONNX file as numbers.

use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataType;

/// Float32 values; `None` for another type or a wrong number of them.
pub fn numbers(tensor: &TensorProto) -> Option<Vec<f32>> {
    if tensor.data_type != DataType::Float as i32 {
        return None;
    }
    let values = if tensor.raw_data.is_empty() {
        tensor.float_data.clone()
    } else {
        let (whole, rest) = tensor.raw_data.as_chunks::<4>();
        if !rest.is_empty() {
            return None;
        }
        whole.iter().map(|raw| f32::from_le_bytes(*raw)).collect()
    };
    (values.len() == count(tensor)).then_some(values)
}

/// Int8 values; `None` for another type or a wrong number of them.
pub fn signed_bytes(tensor: &TensorProto) -> Option<Vec<i8>> {
    let fits = tensor.data_type == DataType::Int8 as i32 && tensor.raw_data.len() == count(tensor);
    fits.then(|| tensor.raw_data.iter().map(|byte| byte.cast_signed()).collect())
}

fn count(tensor: &TensorProto) -> usize {
    tensor.dims.iter().map(|dim| usize::try_from(*dim).unwrap_or(0)).product()
}
