use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};

/// Keras' epsilon; part of the published weights.
const EPSILON: f64 = 1e-3;

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
    pub classes: usize,
    /// Probability of dropping a feature before the head while training.
    pub dropout: f64,
    /// How much of each batch enters the running statistics.
    pub momentum: f64,
}

impl MobileNetConfig {
    /// Three classes at `width`.
    pub fn new(width: f64) -> Self {
        Self { width, classes: 3, dropout: 0.2, momentum: 0.03 }
    }

    /// Random weights.
    pub fn init(&self, device: &Device) -> MobileNet {
        let mut channels = channels(32.0, self.width);
        let stem = self.conv(3, channels, 3, 2, 1, device);
        let mut blocks = Vec::new();
        for (expansion, wide, repeats, first_stride) in STAGES {
            let out = self::channels(wide, self.width);
            for repeat in 0..repeats {
                let stride = if repeat == 0 { first_stride } else { 1 };
                blocks.push(self.block(channels, out, expansion, stride, device));
                channels = out;
            }
        }
        // Keras narrows the last layer only for widths above 1.
        let features = self::channels(1280.0, self.width.max(1.0));
        MobileNet {
            stem,
            blocks,
            last: self.conv(channels, features, 1, 1, 1, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            head: LinearConfig::new(features, self.classes).init(device),
        }
    }

    fn block(
        &self,
        from: usize,
        to: usize,
        expansion: usize,
        stride: usize,
        device: &Device,
    ) -> Block {
        let inner = from * expansion;
        Block {
            expand: (expansion > 1).then(|| self.conv(from, inner, 1, 1, 1, device)),
            depthwise: self.conv(inner, inner, 3, stride, inner, device),
            project: self.conv(inner, to, 1, 1, 1, device),
            residual: stride == 1 && from == to,
        }
    }

    fn conv(
        &self,
        from: usize,
        to: usize,
        kernel: usize,
        stride: usize,
        groups: usize,
        device: &Device,
    ) -> BatchNormConv {
        BatchNormConv {
            // `Same` pads an even picture bottom and right only at stride 2, as TensorFlow does.
            conv: Conv2dConfig::new([from, to], [kernel, kernel])
                .with_stride([stride, stride])
                .with_groups(groups)
                .with_padding(PaddingConfig2d::Same)
                .with_bias(false)
                .init(device),
            norm: BatchNormConfig::new(to)
                .with_epsilon(EPSILON)
                .with_momentum(self.momentum)
                .init(device),
        }
    }
}

/// Channels at a width: the nearest multiple of 8, never below nine tenths.
fn channels(full: f64, width: f64) -> usize {
    let wanted = full * width;
    let rounded = (((wanted + 4.0) / 8.0).floor() * 8.0).max(8.0);
    let rounded = if rounded < 0.9 * wanted { rounded + 8.0 } else { rounded };
    rounded as usize
}

/// Convolution and batch normalisation; one convolution with bias when exported.
#[derive(Module, Debug)]
pub struct BatchNormConv {
    pub conv: Conv2d,
    pub norm: BatchNorm,
}

impl BatchNormConv {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
    }
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
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = match &self.expand {
            Some(expand) => relu6(expand.forward(input.clone())),
            None => input.clone(),
        };
        let x = self.project.forward(relu6(self.depthwise.forward(x)));
        if self.residual { x + input } else { x }
    }
}

/// The network: RGB pictures `[n, 3, side, side]` in [-1, 1], side a multiple of 32.
#[derive(Module, Debug)]
pub struct MobileNet {
    pub stem: BatchNormConv,
    pub blocks: Vec<Block>,
    pub last: BatchNormConv,
    pub dropout: Dropout,
    pub head: Linear,
}

impl MobileNet {
    /// Logits, `[n, classes]`.
    pub fn forward(&self, pictures: Tensor<4>) -> Tensor<2> {
        let pooled = adaptive_avg_pool2d(self.features(pictures), [1, 1]).flatten::<2>(1, 3);
        self.head.forward(self.dropout.forward(pooled))
    }

    /// What the published weights end in: `[n, features, side / 32, side / 32]`.
    pub fn features(&self, pictures: Tensor<4>) -> Tensor<4> {
        let mut x = relu6(self.stem.forward(pictures));
        for block in &self.blocks {
            x = block.forward(x);
        }
        relu6(self.last.forward(x))
    }
}

fn relu6(x: Tensor<4>) -> Tensor<4> {
    x.clamp(0.0, 6.0)
}
