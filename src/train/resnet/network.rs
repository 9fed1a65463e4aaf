use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};

use crate::train::layers::{BatchNormConv, Cut, Layout, Maker, Shape, to_layout};

/// Channels inside the blocks of each stage at width 1; a block gives four times as many.
const STAGES: [usize; 4] = [64, 128, 256, 512];
const EXPANSION: usize = 4;
/// Blocks of each stage in ResNet50.
pub const DEPTHS: [usize; 4] = [3, 4, 6, 3];

/// ResNet50, or a smaller relative of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResNetConfig {
    /// Factor on all channels; 1.0 is the published network.
    pub width: f64,
    /// Blocks of each stage; `DEPTHS` is the published network.
    pub depths: [usize; 4],
    /// How much of each batch enters the running statistics.
    pub momentum: f64,
}

impl ResNetConfig {
    /// Random weights.
    pub fn init(&self, device: &Device) -> ResNet {
        let maker = Maker { layout: Layout::Torchvision, momentum: self.momentum, device };
        let mut channels = self.channels(STAGES[0]);
        let stem = maker.make(Shape { from: 3, to: channels, kernel: 7, stride: 2, groups: 1 });
        let mut blocks = Vec::new();
        for (stage, (inner, depth)) in STAGES.into_iter().zip(self.depths).enumerate() {
            let inner = self.channels(inner);
            for number in 0..depth {
                let stride = if stage > 0 && number == 0 { 2 } else { 1 };
                blocks.push(Bottleneck::new(maker, channels, inner, stride));
                channels = EXPANSION * inner;
            }
        }
        ResNet { stem, blocks }
    }

    /// Channels of the features.
    pub fn features(&self) -> usize {
        EXPANSION * self.channels(STAGES[3])
    }

    /// A multiple of 8, as few as 8.
    fn channels(&self, full: usize) -> usize {
        ((full as f64 * self.width / 8.0).round() as usize).max(1) * 8
    }
}

/// Narrow, look around, widen; added to the input, which is projected where shapes differ.
#[derive(Module, Debug)]
pub struct Bottleneck {
    pub narrow: BatchNormConv,
    pub middle: BatchNormConv,
    pub widen: BatchNormConv,
    pub project: Option<BatchNormConv>,
}

impl Bottleneck {
    /// From `from` channels to four times `inner`.
    pub fn new(maker: Maker<'_>, from: usize, inner: usize, stride: usize) -> Self {
        let to = EXPANSION * inner;
        let differs = stride != 1 || from != to;
        Self {
            narrow: maker.make(Shape::pointwise(from, inner)),
            middle: maker.make(Shape { from: inner, to: inner, kernel: 3, stride, groups: 1 }),
            widen: maker.make(Shape::pointwise(inner, to)),
            project: differs.then(|| maker.make(Shape { stride, ..Shape::pointwise(from, to) })),
        }
    }

    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = self.narrow.forward(input.clone(), Cut::RELU);
        let x = self.widen.forward(self.middle.forward(x, Cut::RELU), Cut::NONE);
        let beside = match &self.project {
            Some(project) => project.forward(input, Cut::NONE),
            None => input,
        };
        relu(x + beside)
    }
}

/// The network: RGB pictures `[n, 3, side, side]` in [-1, 1], side a multiple of 32.
#[derive(Module, Debug)]
pub struct ResNet {
    pub stem: BatchNormConv,
    pub blocks: Vec<Bottleneck>,
}

impl ResNet {
    /// `[n, features, side / 32, side / 32]`.
    pub fn features(&self, pictures: Tensor<4>) -> Tensor<4> {
        let x = self.stem.forward(to_layout(pictures, Layout::Torchvision), Cut::RELU);
        let pool = MaxPoolOptions {
            kernel_size: [3, 3],
            stride: [2, 2],
            padding: [(1, 1); 2],
            dilation: [1, 1],
            ceil_mode: false,
        };
        let mut x = max_pool2d(x, pool);
        for block in &self.blocks {
            x = block.forward(x);
        }
        x
    }
}
