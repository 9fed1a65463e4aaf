//! The graph again, every activation between two operators written as bytes and read back (QDQ):
//! the form that integer runtimes fuse into operators on bytes, and all others run as it stands.

use std::collections::HashMap;

use tract_onnx::pb::{NodeProto, TensorProto};

use super::QuantiseError;
use super::layers::{Integers, integers};
use super::range::Bytes;
use super::source::{Source, Step, Weighted, Work};
use crate::train::onnx::{floats, int, int32s, uint8s};
use crate::vision::model::seal;

/// The file, with the source's metadata. `bytes` says of the input and of each activation how it
/// is rounded.
pub fn write(source: &Source, bytes: &HashMap<String, Bytes>) -> Result<Vec<u8>, QuantiseError> {
    let mut writer = Writer { source, bytes: bytes.clone(), nodes: vec![], constants: vec![] };
    writer.activation(&source.input)?;
    for step in &source.steps {
        writer.step(step)?;
    }
    let Writer { nodes, constants, .. } = writer;
    let mut proto = source.proto.clone();
    if let Some(graph) = &mut proto.graph {
        graph.node = nodes;
        graph.initializer = constants;
        // Shapes known of the float graph's tensors would be told of names that are no more.
        graph.value_info.clear();
    }
    Ok(seal(proto))
}

struct Writer<'a> {
    source: &'a Source,
    bytes: HashMap<String, Bytes>,
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Writer<'_> {
    fn step(&mut self, step: &Step) -> Result<(), QuantiseError> {
        let mut node = step.node.clone();
        for input in node.input.iter_mut().take(step.inputs.len()) {
            *input = read_back(input);
        }
        match &step.work {
            Work::Weighted(weighted) => {
                let input = self.bytes_of(step.inputs.first().map_or("", String::as_str))?;
                self.weighted(&mut node, weighted, input);
            }
            Work::Passing => {
                // The same values come out, so they are the same bytes.
                let input = self.bytes_of(step.inputs.first().map_or("", String::as_str))?;
                self.bytes.insert(step.output.clone(), input);
            }
            Work::Add | Work::Average | Work::Softmax => (),
        }
        self.nodes.push(node);
        if let Some(clip) = &step.clip {
            for limit in clip.input.iter().skip(1).filter(|name| !name.is_empty()) {
                self.constants.extend(self.source.constants.get(limit).cloned());
            }
            self.nodes.push(clip.clone());
        }
        match step.work {
            Work::Softmax => Ok(()),
            _ => self.activation(&step.output),
        }
    }

    /// Weights as they are in the file, the bias in steps of the sum.
    fn weighted(&mut self, node: &mut NodeProto, layer: &Weighted, input: Bytes) {
        let Integers { weights, scales, bias, bias_scales } = integers(layer, input);
        let name = node.name.clone();
        let channels = [scales.len()];
        let raw = weights.iter().map(|w| w.cast_unsigned()).collect();
        let weights = TensorProto { raw_data: raw, ..layer.weights.clone() };
        let scale = floats(&format!("{name}.scale"), &channels, &scales);
        let parts = [&weights, &scale, &layer.zeros].map(|tensor| tensor.name.clone());
        self.constants.extend([weights, scale, layer.zeros.clone()]);
        let weights = self.node(&format!("{name}.dequantised"), "DequantizeLinear", &parts, true);
        node.input.truncate(1);
        node.input.push(weights);
        if let Some(bias) = bias {
            let bias = int32s(&format!("{name}.bias"), &channels, &bias);
            let scale = floats(&format!("{name}.bias_scale"), &channels, &bias_scales);
            // Int32 has no zero point.
            let parts = [&bias, &scale].map(|tensor| tensor.name.clone());
            self.constants.extend([bias, scale]);
            let made = format!("{name}.bias_dequantised");
            node.input.push(self.node(&made, "DequantizeLinear", &parts, true));
        }
    }

    /// Writes an activation as bytes and reads it back.
    fn activation(&mut self, name: &str) -> Result<(), QuantiseError> {
        let bytes = self.bytes_of(name)?;
        let scale = floats(&format!("{name}.byte_scale"), &[], &[bytes.scale]);
        let zero = uint8s(&format!("{name}.byte_zero"), &[], &[bytes.zero]);
        let (scale_name, zero_name) = (scale.name.clone(), zero.name.clone());
        self.constants.extend([scale, zero]);
        let parts = [name.to_owned(), scale_name.clone(), zero_name.clone()];
        let written = self.node(&format!("{name}.bytes"), "QuantizeLinear", &parts, false);
        let parts = [written, scale_name, zero_name];
        self.node(&read_back(name), "DequantizeLinear", &parts, false);
        Ok(())
    }

    fn bytes_of(&self, name: &str) -> Result<Bytes, QuantiseError> {
        let missing = || QuantiseError::NotCalibrated { activation: name.to_owned() };
        self.bytes.get(name).copied().ok_or_else(missing)
    }

    /// A node whose one output has its name; scales are along axis 0 or for the whole tensor.
    fn node(&mut self, name: &str, operator: &str, inputs: &[String], axis: bool) -> String {
        self.nodes.push(NodeProto {
            input: inputs.to_vec(),
            output: vec![name.to_owned()],
            name: name.to_owned(),
            op_type: operator.to_owned(),
            attribute: if axis { vec![int("axis", 0)] } else { vec![] },
            ..Default::default()
        });
        name.to_owned()
    }
}

/// The tensor that stands for an activation once it was bytes.
fn read_back(activation: &str) -> String {
    format!("{activation}.read")
}
