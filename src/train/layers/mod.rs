//! What the networks are built of: a convolution with its batch normalisation, made in the way of
//! Keras or of torchvision; how layers run, by kernels of our own where there are some; how they are
//! written as ONNX.
//! Never: which layers make which network.

mod apply;
mod kernels;
mod ops;
mod write;

use burn::module::{Module, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};

pub use apply::{convolve, normalise};
pub use kernels::Cut;
pub use write::{Writer, fold};

/// Whose weights a network can start from; the two build the same layers differently, and weights
/// of one are slightly wrong in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Stride 2 pads an even picture bottom and right only; normalisation's epsilon 1e-3; the
    /// network sees pixels in [-1, 1].
    Keras,
    /// Stride 2 pads all sides alike; epsilon 1e-5; pixels less ImageNet's mean colour, divided
    /// by its deviation.
    Torchvision,
}

impl Layout {
    pub fn name(self) -> &'static str {
        match self {
            Self::Keras => "keras",
            Self::Torchvision => "torchvision",
        }
    }

    pub fn epsilon(self) -> f64 {
        match self {
            Self::Keras => 1e-3,
            Self::Torchvision => 1e-5,
        }
    }

    fn padding(self, kernel: usize) -> PaddingConfig2d {
        match self {
            // `Same` pads as TensorFlow does.
            Self::Keras => PaddingConfig2d::Same,
            Self::Torchvision => {
                let side = kernel / 2;
                PaddingConfig2d::Explicit(side, side, side, side)
            }
        }
    }
}

/// Makes layers, all alike in what is not asked for layer by layer.
#[derive(Clone, Copy)]
pub struct Maker<'a> {
    pub layout: Layout,
    /// How much of each batch enters the running statistics.
    pub momentum: f64,
    pub device: &'a Device,
}

/// A convolution to make.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub from: usize,
    pub to: usize,
    pub kernel: usize,
    pub stride: usize,
    pub groups: usize,
}

impl Shape {
    /// One pixel wide, one step at a time.
    pub fn pointwise(from: usize, to: usize) -> Self {
        Self { from, to, kernel: 1, stride: 1, groups: 1 }
    }
}

impl Maker<'_> {
    pub fn make(&self, shape: Shape) -> BatchNormConv {
        let Shape { from, to, kernel, stride, groups } = shape;
        BatchNormConv {
            conv: Conv2dConfig::new([from, to], [kernel, kernel])
                .with_stride([stride, stride])
                .with_groups(groups)
                .with_padding(self.layout.padding(kernel))
                .with_bias(false)
                .init(self.device),
            norm: BatchNormConfig::new(to)
                .with_epsilon(self.layout.epsilon())
                .with_momentum(self.momentum)
                .init(self.device),
        }
    }
}

/// Convolution and batch normalisation; one convolution with bias when exported.
#[derive(Module, Debug)]
pub struct BatchNormConv {
    pub conv: Conv2d,
    pub norm: BatchNorm,
}

impl BatchNormConv {
    /// Both, then the cut.
    pub fn forward(&self, x: Tensor<4>, cut: Cut) -> Tensor<4> {
        normalise(&self.norm, convolve(&self.conv, x, Cut::NONE), cut)
    }

    /// The same layer with statistics measured on `x`, the normalisation changed so that it still
    /// gives the same answers; and its answer. For weights published without statistics.
    pub fn measured(mut self, x: Tensor<4>, cut: Cut) -> (Self, Tensor<4>) {
        let seen = convolve(&self.conv, x, Cut::NONE);
        let out = normalise(&self.norm, seen.clone(), cut);
        let [count, channels, height, width] = seen.dims();
        let seen = seen.swap_dims(0, 1).reshape([channels, count * height * width]);
        let (variance, mean) = seen.var_mean_bias(1);
        let (variance, mean) = (variance.reshape([channels]), mean.reshape([channels]));
        let norm = &mut self.norm;
        let before = (norm.running_var.value_sync() + norm.epsilon).sqrt();
        let now = (variance.clone() + norm.epsilon).sqrt();
        let moved = mean.clone() - norm.running_mean.value_sync();
        norm.beta = norm.beta.clone().map(|beta| beta + norm.gamma.val() * moved / before.clone());
        norm.gamma = norm.gamma.clone().map(|gamma| gamma * now / before);
        norm.running_mean = RunningState::new(mean);
        norm.running_var = RunningState::new(variance);
        (self, out)
    }
}

/// ImageNet's mean colour and deviation, red, green, blue, as torchvision has them.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// Factor and offset of each colour that make torchvision's input of pixels in [-1, 1].
pub fn torchvision_input() -> ([f32; 3], [f32; 3]) {
    let factors = DEVIATION.map(|deviation| 0.5 / deviation);
    let offsets = [0, 1, 2].map(|color| (0.5 - MEAN[color]) / DEVIATION[color]);
    (factors, offsets)
}

/// Pictures in [-1, 1] as a network of `layout` wants them.
pub fn to_layout(pictures: Tensor<4>, layout: Layout) -> Tensor<4> {
    if layout == Layout::Keras {
        return pictures;
    }
    let device = pictures.device();
    let row = |values: [f32; 3]| {
        Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), &device)
    };
    let (factors, offsets) = torchvision_input();
    pictures * row(factors) + row(offsets)
}
