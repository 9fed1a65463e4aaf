//! A single-shot, anchor-free net: a depthwise-separable backbone in the layout of UltraFace slim
//! (so that its published weights fit), a top-down path, and one head for each stride.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

/// Score, centre and size; then x and y of five landmarks; see `vision::decode::center`.
pub const BOX_CHANNELS: usize = 5;
pub const POINT_CHANNELS: usize = 10;
pub const CHANNELS: usize = BOX_CHANNELS + POINT_CHANNELS;
pub const STRIDES: [usize; 3] = [8, 16, 32];

/// Input channels, output channels, stride of each separable block of the backbone.
pub const BLOCKS: [(usize, usize, usize); 12] = [
    (16, 32, 1),
    (32, 32, 2),
    (32, 32, 1),
    (32, 64, 2),
    (64, 64, 1),
    (64, 64, 1),
    (64, 64, 1),
    (64, 128, 2),
    (128, 128, 1),
    (128, 128, 1),
    (128, 256, 2),
    (256, 256, 1),
];
/// Blocks after which a stride of 8, 16 and 32 is complete.
pub const TAPS: [usize; 3] = [6, 9, 11];
/// Channels of the stem, of the top-down path, and of the landmarks' own tower.
pub const STEM: usize = 16;
pub const NECK: usize = 64;
pub const POINTS: usize = 48;

/// A 3×3 depthwise convolution, then a 1×1; a bias and ReLU after each. There is no batch
/// normalisation: the published weights come with theirs, which is folded when they are read.
#[derive(Module, Debug)]
pub struct Separable {
    pub depthwise: Conv2d,
    pub pointwise: Conv2d,
}

impl Separable {
    fn new(input: usize, output: usize, stride: usize, device: &Device) -> Self {
        Self {
            depthwise: convolution(input, input, 3, stride, input, device),
            pointwise: convolution(input, output, 1, 1, 1, device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        relu(self.pointwise.forward(relu(self.depthwise.forward(x))))
    }
}

/// One stride's predictions. Landmarks have a tower of their own: in a shared one the boxes win,
/// and landmarks stay those of the mean face however the head is turned.
#[derive(Module, Debug)]
pub struct Head {
    pub tower: Separable,
    pub output: Conv2d,
    pub points_tower: Separable,
    pub points: Conv2d,
}

impl Head {
    fn new(device: &Device) -> Self {
        let mut output = convolution(NECK, BOX_CHANNELS, 1, 1, 1, device);
        output.weight =
            Initializer::Normal { mean: 0.0, std: 0.01 }.init([BOX_CHANNELS, NECK, 1, 1], device);
        // Boxes start two cells wide.
        let start = [-4.6_f32, 0.0, 0.0, 0.7, 0.7];
        output.bias = output.bias.map(|bias| bias.map(|b| Tensor::from_floats(start, &b.device())));
        let mut points = convolution(POINTS, POINT_CHANNELS, 1, 1, 1, device);
        points.weight = Initializer::Normal { mean: 0.0, std: 0.01 }
            .init([POINT_CHANNELS, POINTS, 1, 1], device);
        Self {
            tower: Separable::new(NECK, NECK, 1, device),
            output,
            points_tower: Separable::new(NECK, POINTS, 1, device),
            points,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        Tensor::cat(vec![self.boxes(x.clone()), self.points(x)], 1)
    }

    fn boxes(&self, x: Tensor<4>) -> Tensor<4> {
        self.output.forward(self.tower.forward(x))
    }

    fn points(&self, x: Tensor<4>) -> Tensor<4> {
        self.points.forward(self.points_tower.forward(x))
    }
}

/// The parts that can start from published weights.
#[derive(Module, Debug)]
pub struct Backbone {
    pub stem: Conv2d,
    pub blocks: Vec<Separable>,
}

/// The parts that start from nothing.
#[derive(Module, Debug)]
pub struct Neck {
    pub lateral16: Conv2d,
    pub lateral32: Conv2d,
    pub heads: Vec<Head>,
}

/// The whole detector: `[n, 3, h, w]` RGB in [-1, 1], h and w multiples of 32.
#[derive(Module, Debug)]
pub struct Network {
    pub backbone: Backbone,
    pub neck: Neck,
}

impl Network {
    /// Random weights; scores start near 0.01, so that the many background cells do not drown the
    /// few faces at first (Lin et al., "Focal Loss for Dense Object Detection", 2017).
    pub fn new(device: &Device) -> Self {
        let blocks = BLOCKS.iter().map(|&(i, o, s)| Separable::new(i, o, s, device)).collect();
        let stem = convolution(3, STEM, 3, 2, 1, device);
        let [_, c16, c32] = TAPS.map(|tap| BLOCKS[tap].1);
        Self {
            backbone: Backbone { stem, blocks },
            neck: Neck {
                lateral16: convolution(c16, NECK, 1, 1, 1, device),
                lateral32: convolution(c32, NECK, 1, 1, 1, device),
                heads: STRIDES.iter().map(|_| Head::new(device)).collect(),
            },
        }
    }

    /// Raw predictions, `[n, 15, h / stride, w / stride]` for each stride.
    pub fn forward(&self, input: Tensor<4>) -> [Tensor<4>; 3] {
        let mut level = 0;
        self.levels(input).map(|x| {
            level += 1;
            self.neck.heads[level - 1].forward(x)
        })
    }

    /// As [`Network::forward`], but nothing is learned from it except by the landmarks' towers.
    pub fn forward_for_landmarks(&self, input: Tensor<4>) -> [Tensor<4>; 3] {
        // Without gradients from the start: what is computed with them and then detached is kept
        // in memory by autodiff until something goes backward through it, which nothing would.
        let fixed = self.valid();
        let mut level = 0;
        fixed.levels(input.inner()).map(|x| {
            level += 1;
            let boxes = fixed.neck.heads[level - 1].boxes(x.clone());
            let points = self.neck.heads[level - 1].points(Tensor::from_inner(x));
            Tensor::cat(vec![Tensor::from_inner(boxes), points], 1)
        })
    }

    /// What the last layer of the landmarks sees, `[n, 48, h / stride, w / stride]` for each stride.
    pub fn point_features(&self, input: Tensor<4>) -> [Tensor<4>; 3] {
        let mut level = 0;
        self.levels(input).map(|x| {
            level += 1;
            self.neck.heads[level - 1].points_tower.forward(x)
        })
    }

    /// The top-down path, finest stride first.
    fn levels(&self, input: Tensor<4>) -> [Tensor<4>; 3] {
        let mut x = relu(self.backbone.stem.forward(input));
        let mut taps = Vec::with_capacity(TAPS.len());
        for (index, block) in self.backbone.blocks.iter().enumerate() {
            x = block.forward(x);
            if TAPS.contains(&index) {
                taps.push(x.clone());
            }
        }
        let neck = &self.neck;
        let p32 = relu(neck.lateral32.forward(taps[2].clone()));
        let p16 = relu(neck.lateral16.forward(taps[1].clone())) + double(p32.clone());
        let p8 = taps[0].clone() + double(p16.clone());
        [p8, p16, p32]
    }
}

/// Multiply-adds for an input of `width` × `height`, multiples of 32.
pub fn multiply_adds(width: usize, height: usize) -> usize {
    let separable = |i: usize, o: usize, cells: usize| cells * (9 * i + i * o);
    let mut cells = width * height / 4;
    let mut total = cells * 27 * STEM;
    for (input, output, stride) in BLOCKS {
        cells /= stride * stride;
        total += separable(input, output, cells);
    }
    for (level, stride) in STRIDES.into_iter().enumerate() {
        let cells = width * height / (stride * stride);
        let lateral = if level == 0 { 0 } else { BLOCKS[TAPS[level]].1 * NECK };
        let boxes = separable(NECK, NECK, cells) + cells * NECK * BOX_CHANNELS;
        let points = separable(NECK, POINTS, cells) + cells * POINTS * POINT_CHANNELS;
        total += cells * lateral + boxes + points;
    }
    total
}

fn convolution(
    input: usize,
    output: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
    device: &Device,
) -> Conv2d {
    let pad = kernel / 2;
    let config = Conv2dConfig::new([input, output], [kernel, kernel])
        .with_stride([stride, stride])
        .with_groups(groups)
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_initializer(Initializer::KaimingNormal { gain: 2.0_f64.sqrt(), fan_out_only: false });
    let mut layer = config.init(device);
    layer.bias = Some(Initializer::Zeros.init([output], device));
    layer
}

/// Each cell becomes four.
fn double(x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    x.reshape([n, c, h, 1, w, 1]).expand([n, c, h, 2, w, 2]).reshape([n, c, h * 2, w * 2])
}

#[cfg(test)]
mod tests {
    use burn::optim::GradientsParams;

    use super::*;

    #[test]
    fn landmarks_can_learn_alone_and_answer_as_before() {
        let device = Device::flex().autodiff();
        device.seed(6);
        let network = Network::new(&device);
        let input = || Tensor::<4>::full([1, 3, 64, 64], 0.3, &device);
        let floats = |outputs: [Tensor<4>; 3]| -> Vec<f32> {
            let flat = outputs.map(|o| o.flatten::<1>(0, 3));
            Tensor::cat(flat.to_vec(), 0).into_data().try_into_vec().unwrap_or_default()
        };
        let (alone, both) = (network.forward_for_landmarks(input()), network.forward(input()));
        assert_eq!(floats(alone.clone()), floats(both.clone()));
        let learned = |outputs: [Tensor<4>; 3]| {
            let sum = outputs.map(|o| o.sum()).into_iter().reduce(|a, b| a + b).expect("three");
            GradientsParams::from_grads(sum.backward(), &network).len()
        };
        // Kernel and bias of the tower's two layers and of the last one, at three strides.
        assert_eq!(learned(alone), 18);
        assert!(learned(both) > 60);
    }
}
