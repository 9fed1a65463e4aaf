use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::train::layers::{BatchNormConv, Cut, Layout, Maker, Shape, to_layout};

/// Expansion, channels at width 1, repeats, first stride: table 2 of the paper.
const STAGES: [(usize, f64, usize, usize); 7] = [
    (1, 16.0, 1, 1),
    (6, 24.0, 2, 2),
    (6, 32.0, 3, 2),
    (6, 64.0, 4, 2),
    (6, 96.0, 3, 1),
    (6, 160.0, 3, 2),
    (6, 320.0, 1, 1),
];

/// Which member of the family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MobileNetConfig {
    /// Width multiplier; 1.0 is the paper's.
    pub width: f64,
    pub layout: Layout,
    /// How much of each batch enters the running statistics.
    pub momentum: f64,
}

impl MobileNetConfig {
    /// Random weights.
    pub fn init(&self, device: &Device) -> MobileNet {
        let maker = Maker { layout: self.layout, momentum: self.momentum, device };
        let mut channels = channels(32.0, self.width);
        let stem = maker.make(Shape { from: 3, to: channels, kernel: 3, stride: 2, groups: 1 });
        let mut blocks = Vec::new();
        for (expansion, wide, repeats, first_stride) in STAGES {
            let out = self::channels(wide, self.width);
            for repeat in 0..repeats {
                let stride = if repeat == 0 { first_stride } else { 1 };
                blocks.push(Block::new(maker, channels, out, expansion, stride));
                channels = out;
            }
        }
        MobileNet {
            stem,
            blocks,
            last: maker.make(Shape::pointwise(channels, self.features())),
            torchvision: self.layout == Layout::Torchvision,
        }
    }

    /// Channels of the features.
    pub fn features(&self) -> usize {
        // Published networks narrow the last layer only for widths above 1.
        channels(1280.0, self.width.max(1.0))
    }
}

/// Channels at a width: the nearest multiple of 8, never below nine tenths.
fn channels(full: f64, width: f64) -> usize {
    let wanted = full * width;
    let rounded = (((wanted + 4.0) / 8.0).floor() * 8.0).max(8.0);
    let rounded = if rounded < 0.9 * wanted { rounded + 8.0 } else { rounded };
    rounded as usize
}

/// Inverted residual: expand, depthwise, project; added to its input where shapes agree.
#[derive(Module, Debug)]
pub struct Block {
    pub expand: Option<BatchNormConv>,
    pub depthwise: BatchNormConv,
    pub project: BatchNormConv,
    pub residual: bool,
}

impl Block {
    pub fn new(maker: Maker<'_>, from: usize, to: usize, expansion: usize, stride: usize) -> Self {
        let inner = from * expansion;
        Self {
            expand: (expansion > 1).then(|| maker.make(Shape::pointwise(from, inner))),
            depthwise: maker.make(Shape {
                from: inner,
                to: inner,
                kernel: 3,
                stride,
                groups: inner,
            }),
            project: maker.make(Shape::pointwise(inner, to)),
            residual: stride == 1 && from == to,
        }
    }

    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = match &self.expand {
            Some(expand) => expand.forward(input.clone(), Cut::RELU6),
            None => input.clone(),
        };
        let x = self.project.forward(self.depthwise.forward(x, Cut::RELU6), Cut::NONE);
        if self.residual { x + input } else { x }
    }

    /// See `BatchNormConv::measured`.
    fn measured(self, input: Tensor<4>) -> (Self, Tensor<4>) {
        let (expand, x) = match self.expand {
            Some(expand) => {
                let (expand, x) = expand.measured(input.clone(), Cut::RELU6);
                (Some(expand), x)
            }
            None => (None, input.clone()),
        };
        let (depthwise, x) = self.depthwise.measured(x, Cut::RELU6);
        let (project, x) = self.project.measured(x, Cut::NONE);
        let x = if self.residual { x + input } else { x };
        (Self { expand, depthwise, project, ..self }, x)
    }
}

/// The network: RGB pictures `[n, 3, side, side]` in [-1, 1], side a multiple of 32.
#[derive(Module, Debug)]
pub struct MobileNet {
    pub stem: BatchNormConv,
    pub blocks: Vec<Block>,
    pub last: BatchNormConv,
    torchvision: bool,
}

impl MobileNet {
    /// What the published weights end in: `[n, features, side / 32, side / 32]`.
    pub fn features(&self, pictures: Tensor<4>) -> Tensor<4> {
        let mut x = self.stem.forward(to_layout(pictures, self.layout()), Cut::RELU6);
        for block in &self.blocks {
            x = block.forward(x);
        }
        self.last.forward(x, Cut::RELU6)
    }

    /// The same network with the statistics of its normalisation measured on `pictures`.
    pub fn measured(self, pictures: Tensor<4>) -> Self {
        let (stem, mut x) = self.stem.measured(pictures, Cut::RELU6);
        let mut blocks = Vec::new();
        for block in self.blocks {
            let (block, next) = block.measured(x);
            blocks.push(block);
            x = next;
        }
        let (last, _) = self.last.measured(x, Cut::RELU6);
        Self { stem, blocks, last, ..self }
    }

    pub fn layout(&self) -> Layout {
        if self.torchvision { Layout::Torchvision } else { Layout::Keras }
    }
}
