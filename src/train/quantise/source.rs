//! The classifier to quantise, as our trainer writes it: its graph as a list of steps, each with
//! the activation that goes in and the one that comes out.
//! Never: what other tools write; what is not known is refused by its name.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

use super::QuantiseError;
use super::tensors::{numbers, signed_bytes};

/// What a step does to the values that go through it.
#[derive(Clone, Debug)]
pub enum Work {
    /// Conv or Gemm: multiplies and sums.
    Weighted(Box<Weighted>),
    /// Adds two activations.
    Add,
    /// Averages each map.
    Average,
    /// MaxPool or Flatten: what comes out are values that went in.
    Passing,
    /// Softmax, the end of the graph; stays in float.
    Softmax,
}

/// The constants of a Conv or Gemm.
#[derive(Clone, Debug)]
pub struct Weighted {
    /// Int8 weights and their zero points, as they are in the file.
    pub weights: TensorProto,
    pub zeros: TensorProto,
    /// The weights' values, output channels first.
    pub values: Vec<i8>,
    /// What a step of the weights is, one for each output channel.
    pub scales: Vec<f32>,
    pub bias: Option<Vec<f32>>,
}

/// A node, with the Clip or Relu that follows it at once.
#[derive(Clone, Debug)]
pub struct Step {
    pub node: NodeProto,
    pub work: Work,
    pub clip: Option<NodeProto>,
    /// Between these the output lies; infinite where nothing clips it.
    pub limits: (f32, f32),
    /// The activations that go in; constants are not among them.
    pub inputs: Vec<String>,
    pub output: String,
}

/// A classifier's graph, read.
pub struct Source {
    pub proto: ModelProto,
    /// Constants by name.
    pub constants: HashMap<String, TensorProto>,
    pub input: String,
    pub steps: Vec<Step>,
}

impl Source {
    /// Reads the graph of `proto`, the file called `model` in errors.
    pub fn read(proto: &ModelProto, model: &str) -> Result<Self, QuantiseError> {
        let wrong = |reason: String| QuantiseError::NotOurs { model: model.to_owned(), reason };
        let graph = proto.graph.as_ref().ok_or_else(|| wrong("it holds no graph".into()))?;
        let version = proto.opset_import.iter().find(|set| set.domain.is_empty());
        if version.is_none_or(|set| set.version < 13) {
            return Err(wrong("its operators are not those of opset 13 or later".into()));
        }
        let constants: HashMap<String, TensorProto> =
            graph.initializer.iter().map(|t| (t.name.clone(), t.clone())).collect();
        let input = graph.input.iter().find(|input| !constants.contains_key(&input.name));
        let input = input.ok_or_else(|| wrong("it has no input".into()))?.name.clone();
        let mut reader = Reader {
            model,
            uses: uses(graph),
            constants: &constants,
            weights: HashMap::new(),
            known: HashSet::from([input.clone()]),
            steps: vec![],
        };
        for node in &graph.node {
            reader.node(node)?;
        }
        let steps = reader.steps;
        let ends = steps.iter().filter(|step| matches!(step.work, Work::Softmax)).count();
        let last = steps.last().filter(|step| matches!(step.work, Work::Softmax));
        match (last, graph.output.as_slice()) {
            (Some(last), [output]) if ends == 1 && output.name == last.output => (),
            _ => return Err(wrong("it does not end in one Softmax".into())),
        }
        Ok(Self { proto: proto.clone(), constants, input, steps })
    }
}

/// How often each tensor is used.
fn uses(graph: &GraphProto) -> HashMap<String, usize> {
    let mut uses = HashMap::new();
    let nodes = graph.node.iter().flat_map(|node| node.input.iter());
    for name in nodes.chain(graph.output.iter().map(|output| &output.name)) {
        *uses.entry(name.clone()).or_default() += 1;
    }
    uses
}

struct Reader<'a> {
    model: &'a str,
    uses: HashMap<String, usize>,
    constants: &'a HashMap<String, TensorProto>,
    /// Dequantised weights by name, until the layer that uses them comes.
    weights: HashMap<String, Weighted>,
    /// Activations made so far.
    known: HashSet<String>,
    steps: Vec<Step>,
}

impl Reader<'_> {
    fn node(&mut self, node: &NodeProto) -> Result<(), QuantiseError> {
        let work = match node.op_type.as_str() {
            "DequantizeLinear" => {
                let weighted = self.weights(node)?;
                self.weights.insert(self.output(node)?, weighted);
                return Ok(());
            }
            "Clip" | "Relu" => return self.clip(node),
            "Conv" | "Gemm" => Work::Weighted(Box::new(self.weighted(node)?)),
            "Add" => Work::Add,
            "GlobalAveragePool" => Work::Average,
            "MaxPool" | "Flatten" => Work::Passing,
            "Softmax" => Work::Softmax,
            operator => {
                return Err(QuantiseError::UnknownOperator {
                    model: self.model.to_owned(),
                    node: node.name.clone(),
                    operator: operator.to_owned(),
                });
            }
        };
        let activations = if matches!(work, Work::Add) { 2 } else { 1 };
        let inputs: Vec<String> = node.input.iter().take(activations).cloned().collect();
        if inputs.len() < activations {
            return Err(self.wrong(node, "has too few inputs".into()));
        }
        if let Some(input) = inputs.iter().find(|input| !self.known.contains(*input)) {
            return Err(self.wrong(node, format!("takes {input:?}, which is no activation")));
        }
        let output = self.output(node)?;
        self.known.insert(output.clone());
        let limits = (f32::NEG_INFINITY, f32::INFINITY);
        let node = node.clone();
        self.steps.push(Step { node, work, clip: None, limits, inputs, output });
        Ok(())
    }

    /// Puts a Clip or Relu to the step before it: between the two there is no rounding, so that
    /// integer runtimes make one operator of both.
    fn clip(&mut self, node: &NodeProto) -> Result<(), QuantiseError> {
        let limits = if node.op_type == "Relu" {
            (0.0, f32::INFINITY)
        } else {
            let limit = |at: usize, none: f32| match node.input.get(at).map(String::as_str) {
                None | Some("") => Ok(none),
                Some(name) => match self.constants.get(name).and_then(numbers).as_deref() {
                    Some([limit]) => Ok(*limit),
                    _ => Err(self.wrong(node, format!("its limit {name:?} is no number"))),
                },
            };
            (limit(1, f32::NEG_INFINITY)?, limit(2, f32::INFINITY)?)
        };
        // A byte must be able to stand for zero.
        if !(limits.0 <= 0.0 && limits.1 > 0.0) {
            let reason = format!("clips to {} to {}, without zero", limits.0, limits.1);
            return Err(self.wrong(node, reason));
        }
        let output = self.output(node)?;
        let input = node.input.first().cloned().unwrap_or_default();
        let alone = self.uses.get(&input) == Some(&1);
        let before = self.steps.last_mut().filter(|step| {
            let sums = matches!(step.work, Work::Weighted(_) | Work::Add);
            sums && alone && step.clip.is_none() && step.output == input
        });
        let Some(before) = before else {
            return Err(self.wrong(node, "does not follow a Conv, Gemm or Add at once".into()));
        };
        before.clip = Some(node.clone());
        before.limits = limits;
        self.known.insert(output.clone());
        before.output = output;
        Ok(())
    }

    /// Int8 weights with a scale for each output channel, which are the first axis.
    fn weights(&self, node: &NodeProto) -> Result<Weighted, QuantiseError> {
        let constant = |at: usize| node.input.get(at).and_then(|name| self.constants.get(name));
        let read = || {
            let (weights, scale, zeros) = (constant(0)?, constant(1)?, constant(2)?);
            let values = signed_bytes(weights)?;
            let scales = numbers(scale)?;
            let channels = *weights.dims.first()?;
            let axis = node.attribute.iter().find(|a| a.name == "axis").map_or(1, |a| a.i);
            let good = axis == 0
                && scales.len() as i64 == channels
                && scales.iter().all(|scale| scale.is_finite() && *scale > 0.0)
                && signed_bytes(zeros)?.iter().all(|zero| *zero == 0)
                && !values.is_empty();
            let (weights, zeros) = (weights.clone(), zeros.clone());
            good.then_some(Weighted { weights, zeros, values, scales, bias: None })
        };
        read().ok_or_else(|| {
            let reason = "holds no int8 weights with zero point 0 and one scale for each output channel; is the file quantised already?";
            self.wrong(node, reason.into())
        })
    }

    fn weighted(&self, node: &NodeProto) -> Result<Weighted, QuantiseError> {
        let weights = node.input.get(1).and_then(|name| self.weights.get(name)).cloned();
        let mut weighted = weights.ok_or_else(|| {
            self.wrong(node, "its weights are not int8 behind a DequantizeLinear".into())
        })?;
        let is = |name: &str, wanted: i64| {
            node.attribute.iter().find(|a| a.name == name).is_some_and(|a| a.i == wanted)
        };
        let has = |name: &str| node.attribute.iter().any(|a| a.name == name);
        if node.op_type == "Gemm"
            && (!is("transB", 1) || has("transA") || has("alpha") || has("beta"))
        {
            return Err(self.wrong(node, "is no plain dense layer with transB 1".into()));
        }
        if let Some(name) = node.input.get(2).filter(|name| !name.is_empty()) {
            let bias = self.constants.get(name).and_then(numbers);
            let bias = bias.filter(|b| {
                b.len() == weighted.scales.len() && b.iter().all(|value| value.is_finite())
            });
            let Some(bias) = bias else {
                let reason = format!("its bias {name:?} is not one number for each channel");
                return Err(self.wrong(node, reason));
            };
            weighted.bias = Some(bias);
        }
        Ok(weighted)
    }

    fn output(&self, node: &NodeProto) -> Result<String, QuantiseError> {
        match node.output.as_slice() {
            [output] if !output.is_empty() => Ok(output.clone()),
            _ => Err(self.wrong(node, "has not just one output".into())),
        }
    }

    fn wrong(&self, node: &NodeProto, reason: String) -> QuantiseError {
        QuantiseError::Node {
            model: self.model.to_owned(),
            node: node.name.clone(),
            operator: node.op_type.clone(),
            reason,
        }
    }
}
