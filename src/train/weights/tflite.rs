//! Convolutions of a quantised TFLite file, their normalisation folded into them.

use std::path::Path;

use tract_tflite::tflite::{BuiltinOperator, Model, SubGraph, TensorType, root_as_model};

use super::{Folded, WeightsError};
use crate::train::parameters::Values;

/// The convolutions of the file at `path` in the order in which they are run.
pub fn convolutions(path: &Path) -> Result<Vec<Folded>, WeightsError> {
    let unreadable = |reason: String| WeightsError::Unreadable { path: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let model = root_as_model(&bytes).map_err(|error| unreadable(error.to_string()))?;
    read(&model).map_err(|reason| unreadable(reason.to_owned()))
}

fn read(model: &Model<'_>) -> Result<Vec<Folded>, &'static str> {
    let graph = model.subgraphs().filter(|all| !all.is_empty()).ok_or("no graph in it")?.get(0);
    let codes = model.operator_codes().ok_or("no operators in it")?;
    let mut found = Vec::new();
    for operator in graph.operators().ok_or("no operators in it")? {
        let index = operator.opcode_index() as usize;
        let code = (index < codes.len()).then(|| codes.get(index)).ok_or("an unknown operator")?;
        // Old codes stand where there was one byte for them, and are all below 127.
        let depthwise = match i32::from(code.deprecated_builtin_code()).max(code.builtin_code().0) {
            code if code == BuiltinOperator::CONV_2D.0 => false,
            code if code == BuiltinOperator::DEPTHWISE_CONV_2D.0 => true,
            _ => continue,
        };
        let inputs = operator.inputs().filter(|all| all.len() == 3);
        let inputs = inputs.ok_or("a convolution without kernel and bias")?;
        let kernel = tensor(model, &graph, inputs.get(1))?;
        let [outer, height, width, inner] = kernel.shape[..] else {
            return Err("a kernel that is not of four dimensions");
        };
        // Kernels are out, height, width, in; depthwise ones 1, height, width, channel.
        let (outs, ins) = if depthwise { (inner, outer) } else { (outer, inner) };
        let mut values = Vec::with_capacity(kernel.values.len());
        for out in 0..outs {
            for input in 0..ins {
                let (first, last) = if depthwise { (input, out) } else { (out, input) };
                let at = |place| (first * height * width + place) * inner + last;
                values.extend((0..height * width).map(|place| kernel.values[at(place)]));
            }
        }
        let kernel = Values { shape: vec![outs, ins, height, width], values };
        found.push(Folded { kernel, bias: tensor(model, &graph, inputs.get(2))? });
    }
    Ok(found)
}

/// A tensor of whole numbers times their scales, one for all or one for each slice.
fn tensor(model: &Model<'_>, graph: &SubGraph<'_>, index: i32) -> Result<Values, &'static str> {
    const TORN: &str = "a convolution names a tensor that is not there";
    let tensors = graph.tensors().ok_or(TORN)?;
    let index = usize::try_from(index).ok().filter(|index| *index < tensors.len()).ok_or(TORN)?;
    let tensor = tensors.get(index);
    let buffers = model.buffers().ok_or(TORN)?;
    let buffer = tensor.buffer() as usize;
    let bytes = (buffer < buffers.len()).then(|| buffers.get(buffer).data()).flatten();
    let bytes = bytes.ok_or(TORN)?.bytes();
    const UNFIT: &str = "a convolution whose numbers do not fit its shape";
    let sides = tensor.shape().ok_or(TORN)?.iter().map(usize::try_from);
    let shape: Vec<usize> = sides.collect::<Result<_, _>>().map_err(|_| UNFIT)?;
    let count = shape.iter().try_fold(1usize, |count, side| count.checked_mul(*side));
    let whole: Vec<f32> = match tensor.type_() {
        TensorType::INT8 => bytes.iter().map(|byte| f32::from(*byte as i8)).collect(),
        TensorType::INT32 => {
            let words = bytes.chunks_exact(4);
            words.map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32).collect()
        }
        _ => return Err("its convolutions are not of 8-bit integers"),
    };
    let quantised = tensor.quantization().ok_or("a convolution without scales")?;
    let scales = quantised.scale().filter(|all| !all.is_empty());
    let scales: Vec<f32> = scales.ok_or("a convolution without scales")?.iter().collect();
    let centred = quantised.zero_point().is_none_or(|zeros| zeros.iter().all(|zero| zero == 0));
    let dimension = usize::try_from(quantised.quantized_dimension()).map_err(|_| UNFIT)?;
    let slices = shape.get(dimension).copied().unwrap_or(0);
    if !centred || count != Some(whole.len()) {
        return Err(UNFIT);
    }
    if scales.len() != 1 && scales.len() != slices {
        return Err("a convolution with too few scales");
    }
    let inner: usize = shape.iter().skip(dimension + 1).product();
    let scale = |at: usize| scales[if scales.len() == 1 { 0 } else { at / inner % slices }];
    let values = whole.iter().enumerate().map(|(at, value)| value * scale(at)).collect();
    Ok(Values { shape, values })
}
