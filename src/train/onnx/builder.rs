//! Grows a graph node by node. Every operator takes the names of its inputs and gives the name of
//! its output; shapes are the caller's business and are checked by whoever loads the file.

use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;

use super::tensors::{bytes, floats, integers, quantise, value_info};
use super::{OnnxError, Weights};
use crate::vision::model::seal;

/// Operators as of this version of the standard; 13 is the first whose DequantizeLinear takes one
/// scale per channel.
const OPSET: i64 = 13;
/// The file format that came with opset 13 to 15.
const IR_VERSION: i64 = 8;

/// How a convolution walks over its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Steps down and right, pixels.
    pub stride: [usize; 2],
    /// Zero rows and columns added: top, left, bottom, right.
    pub pads: [usize; 4],
    /// Groups of channels that do not see each other; as many as channels is depthwise.
    pub groups: usize,
}

impl ConvShape {
    /// Stride 1, no padding, one group.
    pub const POINTWISE: ConvShape = ConvShape { stride: [1, 1], pads: [0; 4], groups: 1 };
}

/// A result of the graph: the tensor, the name it is known by outside, and its shape.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    pub tensor: &'a str,
    pub name: &'a str,
    pub dims: &'a [usize],
}

/// A graph with one float32 input.
pub struct GraphBuilder {
    graph: pb::GraphProto,
    input: String,
    /// The first thing that was wrong; told by `finish`, so that a network reads as one chain.
    problem: Option<OnnxError>,
}

impl GraphBuilder {
    /// An empty graph called `name` whose input has shape `dims` (NCHW for pictures).
    pub fn new(name: &str, input: &str, dims: &[usize]) -> Self {
        let graph = pb::GraphProto {
            name: name.to_owned(),
            input: vec![value_info(input, dims)],
            ..Default::default()
        };
        Self { graph, input: input.to_owned(), problem: None }
    }

    /// The name of the graph's input.
    pub fn input(&self) -> String {
        self.input.clone()
    }

    /// 2-D convolution: weights `[out, in / groups, height, width]`, one bias per output channel.
    pub fn conv(
        &mut self,
        input: &str,
        weights: &Weights,
        bias: Option<&[f32]>,
        shape: ConvShape,
    ) -> String {
        let kernel = weights.shape().get(2..).unwrap_or_default();
        let attributes = vec![
            ints("dilations", &[1, 1]),
            int("group", shape.groups as i64),
            ints("kernel_shape", &signed(kernel)),
            ints("pads", &signed(&shape.pads)),
            ints("strides", &signed(&shape.stride)),
        ];
        let name = self.name("Conv");
        let inputs = self.weighted(&name, input, weights, bias);
        self.node(name, "Conv", inputs, attributes)
    }

    /// Dense layer on `[batch, in]`: weights `[out, in]`, one bias per output.
    pub fn gemm(&mut self, input: &str, weights: &Weights, bias: Option<&[f32]>) -> String {
        let name = self.name("Gemm");
        let inputs = self.weighted(&name, input, weights, bias);
        self.node(name, "Gemm", inputs, vec![int("transB", 1)])
    }

    pub fn relu(&mut self, input: &str) -> String {
        self.simple("Relu", &[input], vec![])
    }

    /// min(max(x, 0), 6), written as Clip.
    pub fn relu6(&mut self, input: &str) -> String {
        let name = self.name("Clip");
        let low = self.constant(floats(&format!("{name}.min"), &[], &[0.0]));
        let high = self.constant(floats(&format!("{name}.max"), &[], &[6.0]));
        self.node(name, "Clip", vec![input.to_owned(), low, high], vec![])
    }

    pub fn sigmoid(&mut self, input: &str) -> String {
        self.simple("Sigmoid", &[input], vec![])
    }

    pub fn exp(&mut self, input: &str) -> String {
        self.simple("Exp", &[input], vec![])
    }

    /// Softmax along `axis`; negative counts from the last.
    pub fn softmax(&mut self, input: &str, axis: i64) -> String {
        self.simple("Softmax", &[input], vec![int("axis", axis)])
    }

    pub fn add(&mut self, left: &str, right: &str) -> String {
        self.simple("Add", &[left, right], vec![])
    }

    pub fn mul(&mut self, left: &str, right: &str) -> String {
        self.simple("Mul", &[left, right], vec![])
    }

    /// Every value times one number.
    pub fn scale(&mut self, input: &str, factor: f32) -> String {
        let name = self.name("Mul");
        let factor = self.constant(floats(&format!("{name}.factor"), &[], &[factor]));
        self.node(name, "Mul", vec![input.to_owned(), factor], vec![])
    }

    /// Joined along `axis`.
    pub fn concat(&mut self, inputs: &[&str], axis: i64) -> String {
        self.simple("Concat", inputs, vec![int("axis", axis)])
    }

    /// Twice as high and wide, each pixel repeated.
    pub fn upsample2(&mut self, input: &str) -> String {
        let name = self.name("Resize");
        let scales = self.constant(floats(&format!("{name}.scales"), &[4], &[1.0, 1.0, 2.0, 2.0]));
        let attributes = vec![
            string("coordinate_transformation_mode", "asymmetric"),
            string("mode", "nearest"),
            string("nearest_mode", "floor"),
        ];
        // The second input is a region of interest, which this mode has none of.
        self.node(name, "Resize", vec![input.to_owned(), String::new(), scales], attributes)
    }

    /// Largest of each window; pads are top, left, bottom, right.
    pub fn max_pool(
        &mut self,
        input: &str,
        kernel: [usize; 2],
        stride: [usize; 2],
        pads: [usize; 4],
    ) -> String {
        let attributes = vec![
            ints("kernel_shape", &signed(&kernel)),
            ints("pads", &signed(&pads)),
            ints("strides", &signed(&stride)),
        ];
        self.simple("MaxPool", &[input], attributes)
    }

    /// `[n, c, h, w]` to `[n, c, 1, 1]`.
    pub fn global_average_pool(&mut self, input: &str) -> String {
        self.simple("GlobalAveragePool", &[input], vec![])
    }

    /// `[n, …]` to `[n, everything else]`.
    pub fn flatten(&mut self, input: &str) -> String {
        self.simple("Flatten", &[input], vec![int("axis", 1)])
    }

    pub fn transpose(&mut self, input: &str, order: &[usize]) -> String {
        self.simple("Transpose", &[input], vec![ints("perm", &signed(order))])
    }

    /// To `dims`; one of them may be -1 (what is left), 0 keeps the input's.
    pub fn reshape(&mut self, input: &str, dims: &[i64]) -> String {
        let name = self.name("Reshape");
        let dims = self.constant(integers(&format!("{name}.dims"), dims));
        self.node(name, "Reshape", vec![input.to_owned(), dims], vec![])
    }

    /// The file's bytes. Tensors named in `outputs` get their outside names; `metadata` goes into
    /// `metadata_props`, with a digest that shows a damaged copy.
    pub fn finish(
        mut self,
        outputs: &[Output<'_>],
        metadata: &[(&str, &str)],
    ) -> Result<Vec<u8>, OnnxError> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        for output in outputs {
            self.rename(output.tensor, output.name)?;
            self.graph.output.push(value_info(output.name, output.dims));
        }
        let property = |(key, value): &(&str, &str)| pb::StringStringEntryProto {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        };
        let model = pb::ModelProto {
            ir_version: IR_VERSION,
            opset_import: vec![pb::OperatorSetIdProto { domain: String::new(), version: OPSET }],
            producer_name: "maskgate-train".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(self.graph),
            metadata_props: metadata.iter().map(property).collect(),
            ..Default::default()
        };
        Ok(seal(model))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), OnnxError> {
        let nodes = &mut self.graph.node;
        if !nodes.iter().any(|node| node.output.iter().any(|o| o == from)) {
            return Err(OnnxError::UnknownOutput { tensor: from.to_owned() });
        }
        for node in nodes {
            for name in node.input.iter_mut().chain(&mut node.output) {
                if name == from {
                    *name = to.to_owned();
                }
            }
        }
        Ok(())
    }

    /// `input`, dequantised weights, bias: what Conv and Gemm take.
    fn weighted(
        &mut self,
        node: &str,
        input: &str,
        weights: &Weights,
        bias: Option<&[f32]>,
    ) -> Vec<String> {
        let channels = weights.channels();
        let (values, scales) = quantise(weights);
        let quantised = self.constant(bytes(&format!("{node}.weight"), weights.shape(), &values));
        let scale = self.constant(floats(&format!("{node}.scale"), &[channels], &scales));
        let zero = self.constant(bytes(&format!("{node}.zero"), &[channels], &vec![0; channels]));
        let dequantised = self.node(
            format!("{node}.dequantised"),
            "DequantizeLinear",
            vec![quantised, scale, zero],
            vec![int("axis", 0)],
        );
        let mut inputs = vec![input.to_owned(), dequantised];
        if let Some(bias) = bias {
            if bias.len() != channels {
                self.problem.get_or_insert(OnnxError::BiasCount {
                    node: node.to_owned(),
                    need: channels,
                    got: bias.len(),
                });
            }
            if bias.iter().any(|value| !value.is_finite()) {
                self.problem.get_or_insert(OnnxError::NotFinite { shape: vec![bias.len()] });
            }
            inputs.push(self.constant(floats(&format!("{node}.bias"), &[bias.len()], bias)));
        }
        inputs
    }

    fn simple(&mut self, op: &str, inputs: &[&str], attributes: Vec<pb::AttributeProto>) -> String {
        let name = self.name(op);
        self.node(name, op, inputs.iter().map(|i| (*i).to_owned()).collect(), attributes)
    }

    fn name(&self, op: &str) -> String {
        format!("{}_{}", op.to_lowercase(), self.graph.node.len())
    }

    /// Adds a node whose single output carries its name.
    fn node(
        &mut self,
        name: String,
        op: &str,
        input: Vec<String>,
        attribute: Vec<pb::AttributeProto>,
    ) -> String {
        self.graph.node.push(pb::NodeProto {
            input,
            output: vec![name.clone()],
            name: name.clone(),
            op_type: op.to_owned(),
            attribute,
            ..Default::default()
        });
        name
    }

    fn constant(&mut self, tensor: pb::TensorProto) -> String {
        let name = tensor.name.clone();
        self.graph.initializer.push(tensor);
        name
    }
}

fn signed(values: &[usize]) -> Vec<i64> {
    values.iter().map(|v| *v as i64).collect()
}

// ONNX readers refuse attributes whose type is not said.
fn attribute(name: &str, kind: AttributeType) -> pb::AttributeProto {
    pb::AttributeProto { name: name.to_owned(), r#type: kind as i32, ..Default::default() }
}

pub(in crate::train) fn int(name: &str, value: i64) -> pb::AttributeProto {
    pb::AttributeProto { i: value, ..attribute(name, AttributeType::Int) }
}

fn ints(name: &str, values: &[i64]) -> pb::AttributeProto {
    pb::AttributeProto { ints: values.to_vec(), ..attribute(name, AttributeType::Ints) }
}

fn string(name: &str, value: &str) -> pb::AttributeProto {
    pb::AttributeProto { s: value.as_bytes().to_vec(), ..attribute(name, AttributeType::String) }
}
