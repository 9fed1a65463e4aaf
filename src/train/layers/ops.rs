//! The kernels as operations of tensors that the framework can differentiate. They run on the
//! processor (flex) alone; on another device they would panic.

use std::borrow::Cow;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::ops::{ConvOptions, FloatTensorOps, ModuleOps};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Shape, TensorData};

use super::kernels::{Cut, Depthwise, Normalise, Planes, offset, offset_gradients};

/// `x` and what is given are `[pictures, channels, height, width]`.
#[backend_extension(Flex, Autodiff)]
pub trait LayerOps: Backend {
    /// `x` normalised with its own statistics and cut; their mean and biased variance,
    /// `[channels]`, without gradient.
    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        cut: Cut,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// `x` with its channel's bias added, cut.
    fn offset(x: FloatTensor<Self>, bias: FloatTensor<Self>, cut: Cut) -> FloatTensor<Self>;

    /// `kernel` is `[channels, 1, 3, 3]`.
    fn depthwise(
        x: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        how: Depthwise,
    ) -> FloatTensor<Self>;

    /// `kernel` is `[out, in, 1, 1]`.
    fn pointwise(x: FloatTensor<Self>, kernel: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl LayerOps for Flex {
    fn normalise(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f64,
        cut: Cut,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (gamma, beta) = (floats(&gamma), floats(&beta));
        let how = normalisation(&x, &gamma, &beta, epsilon, cut);
        let values = floats(&x);
        let (mean, variance) = how.statistics(&values);
        let out = how.forward(&values, &mean, &variance);
        let channels = [gamma.len()];
        (tensor(out, x.shape()), tensor(mean, channels), tensor(variance, channels))
    }

    fn offset(x: FlexTensor, bias: FlexTensor, cut: Cut) -> FlexTensor {
        let (shape, planes) = (x.shape(), planes(&x));
        let mut values = owned(x);
        offset(&mut values, &floats(&bias), planes, cut);
        tensor(values, shape)
    }

    fn depthwise(x: FlexTensor, kernel: FlexTensor, how: Depthwise) -> FlexTensor {
        let [pictures, channels, _, _] = x.shape().dims();
        let out = how.forward(&floats(&x), &floats(&kernel));
        tensor(out, [pictures, channels, how.rows, how.columns])
    }

    fn pointwise(x: FlexTensor, kernel: FlexTensor) -> FlexTensor {
        Flex::conv2d(x, kernel, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
    }
}

impl<C: CheckpointStrategy> LayerOps for Autodiff<Flex, C> {
    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        cut: Cut,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let nodes = [x.node(), gamma.node(), beta.node()];
        let inputs = [x.into_primitive(), gamma.into_primitive(), beta.into_primitive()];
        let [x, gamma, beta] = inputs.clone();
        let (out, mean, variance) = Flex::normalise(x, gamma, beta, epsilon, cut);
        let out = match NormaliseStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let statistics = [mean.clone(), variance.clone()];
                prepared.finish((inputs, statistics, epsilon, cut), out)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        };
        (out, Self::from_inner(mean), Self::from_inner(variance))
    }

    fn offset(x: FloatTensor<Self>, bias: FloatTensor<Self>, cut: Cut) -> FloatTensor<Self> {
        let nodes = [x.node(), bias.node()];
        let out = Flex::offset(x.into_primitive(), bias.into_primitive(), cut);
        match OffsetStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((out.clone(), cut), out),
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        }
    }

    fn depthwise(
        x: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        how: Depthwise,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), kernel.node()];
        let inputs = [x.into_primitive(), kernel.into_primitive()];
        let [x, kernel] = inputs.clone();
        let out = Flex::depthwise(x, kernel, how);
        match DepthwiseStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((inputs, how), out),
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        }
    }

    fn pointwise(x: FloatTensor<Self>, kernel: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [x.node(), kernel.node()];
        let inputs = [x.into_primitive(), kernel.into_primitive()];
        let [x, kernel] = inputs.clone();
        let out = Flex::pointwise(x, kernel);
        match PointwiseStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(inputs, out),
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        }
    }
}

#[derive(Debug)]
struct NormaliseStep;

impl Backward<Flex, 3> for NormaliseStep {
    /// Input, gamma, beta; mean, variance.
    type State = ([FlexTensor; 3], [FlexTensor; 2], f64, Cut);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let ([x, gamma, beta], [mean, variance], epsilon, cut) = ops.state;
        let (gamma, beta) = (floats(&gamma), floats(&beta));
        let how = normalisation(&x, &gamma, &beta, epsilon, cut);
        let (mean, variance) = (floats(&mean), floats(&variance));
        let [to_x, to_gamma, to_beta] =
            how.backward(&floats(&x), &mean, &variance, &floats(&gradient));
        let channels = Shape::from([gamma.len()]);
        let found = [(to_x, x.shape()), (to_gamma, channels.clone()), (to_beta, channels)];
        for (node, (values, shape)) in ops.parents.into_iter().zip(found) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, tensor(values, shape));
            }
        }
    }
}

#[derive(Debug)]
struct OffsetStep;

impl Backward<Flex, 2> for OffsetStep {
    /// The output.
    type State = (FlexTensor, Cut);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let (out, cut) = ops.state;
        let planes = planes(&out);
        let (to_x, to_bias) = offset_gradients(&floats(&out), &floats(&gradient), planes, cut);
        let [node_x, node_bias] = ops.parents;
        if let Some(node) = node_x {
            gradients.register::<Flex>(node.id, tensor(to_x, out.shape()));
        }
        if let Some(node) = node_bias {
            gradients.register::<Flex>(node.id, tensor(to_bias, [planes.channels]));
        }
    }
}

#[derive(Debug)]
struct DepthwiseStep;

impl Backward<Flex, 2> for DepthwiseStep {
    /// Input, kernel.
    type State = ([FlexTensor; 2], Depthwise);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let ([x, kernel], how) = ops.state;
        let [node_x, node_kernel] = ops.parents;
        let (to_x, to_kernel) =
            how.backward(&floats(&x), &floats(&kernel), &floats(&gradient), node_x.is_some());
        if let Some(node) = node_x {
            gradients.register::<Flex>(node.id, tensor(to_x, x.shape()));
        }
        if let Some(node) = node_kernel {
            gradients.register::<Flex>(node.id, tensor(to_kernel, kernel.shape()));
        }
    }
}

#[derive(Debug)]
struct PointwiseStep;

impl Backward<Flex, 2> for PointwiseStep {
    /// Input, kernel.
    type State = [FlexTensor; 2];

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let [x, kernel] = ops.state;
        let [pictures, from, height, width] = x.shape().dims();
        let [to, ..] = kernel.shape().dims::<4>();
        let flat = |t: FlexTensor, channels| {
            Flex::float_reshape(t, Shape::from([pictures, channels, height * width]))
        };
        let gradient = flat(gradient, to);
        let [node_x, node_kernel] = ops.parents;
        if let Some(node) = node_x {
            let kernel = Flex::float_reshape(kernel.clone(), Shape::from([1, to, from]));
            let kernel = Flex::float_swap_dims(kernel, 1, 2);
            let found = Flex::float_matmul(kernel, gradient.clone());
            gradients.register::<Flex>(node.id, Flex::float_reshape(found, x.shape()));
        }
        if let Some(node) = node_kernel {
            let x = Flex::float_swap_dims(flat(x, from), 1, 2);
            let found = Flex::float_sum_dim(Flex::float_matmul(gradient, x), 0);
            gradients.register::<Flex>(node.id, Flex::float_reshape(found, kernel.shape()));
        }
    }
}

fn normalisation<'a>(
    x: &FlexTensor,
    gamma: &'a [f32],
    beta: &'a [f32],
    epsilon: f64,
    cut: Cut,
) -> Normalise<'a> {
    Normalise { planes: planes(x), gamma, beta, epsilon: epsilon as f32, cut }
}

fn planes(x: &FlexTensor) -> Planes {
    let [_, channels, height, width] = x.shape().dims();
    Planes { channels, pixels: height * width }
}

/// The values in order; copied only where they do not lie so.
fn floats(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    match tensor.as_slice::<f32>() {
        Some(values) => Cow::Borrowed(&values[..tensor.layout().num_elements()]),
        None => Cow::Owned(owned(tensor.clone())),
    }
}

fn owned(tensor: FlexTensor) -> Vec<f32> {
    // All tensors of this crate are of f32.
    tensor.into_data().try_into_vec().unwrap_or_default()
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}
