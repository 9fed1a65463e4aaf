//! A single-shot, anchor-free net: a depthwise-separable backbone in the layout of UltraFace slim
//! (so that its published weights fit), a top-down path, and one head for each stride.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use crate::train::layers::{Cut, convolve, normalise};

/// Score, centre and size; then x and y of five landmarks; see `vision::decode::center`.
pub const BOX_CHANNELS: usize = 5;
pub const POINT_CHANNELS: usize = 10;
pub const CHANNELS: usize = BOX_CHANNELS + POINT_CHANNELS;
pub const STRIDES: [usize; 3] = [8, 16, 32];

/// Output channels at width 1 and stride of each separable block of the backbone.
const BLOCKS: [(usize, usize); 12] = [
    (32, 1),
    (32, 2),
    (32, 1),
    (64, 2),
    (64, 1),
    (64, 1),
    (64, 1),
    (128, 2),
    (128, 1),
    (128, 1),
    (256, 2),
    (256, 1),
];
/// Blocks after which a stride of 8, 16 and 32 is complete.
pub const TAPS: [usize; 3] = [6, 9, 11];
/// Channels at width 1 of the stem, of the top-down path, and of the landmarks' own tower.
const STEM: usize = 16;
const NECK: usize = 64;
const POINTS: usize = 48;

/// How many channels each part has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels {
    stem: usize,
    /// Input channels, output channels, stride.
    blocks: Vec<(usize, usize, usize)>,
    neck: usize,
    points: usize,
}

impl Channels {
    /// Those of width 1 times `width`, in steps of eight, which vector registers like, and at
    /// least eight.
    pub fn of(width: f64) -> Self {
        let times = |channels: usize| ((channels as f64 * width / 8.0).round() as usize).max(1) * 8;
        let mut input = times(STEM);
        let block = |(output, stride): (usize, usize)| {
            let block = (input, times(output), stride);
            input = block.1;
            block
        };
        let blocks = BLOCKS.into_iter().map(block).collect();
        Self { stem: times(STEM), blocks, neck: times(NECK), points: times(POINTS) }
    }

    /// Multiply-adds for an input of `width` × `height` pixels, multiples of 32.
    pub fn multiply_adds(&self, width: usize, height: usize) -> usize {
        let separable = |i: usize, o: usize, cells: usize| cells * (9 * i + i * o);
        let mut cells = width * height / 4;
        let mut total = cells * 27 * self.stem;
        for &(input, output, stride) in &self.blocks {
            cells /= stride * stride;
            total += separable(input, output, cells);
        }
        let (neck, points) = (self.neck, self.points);
        for (level, stride) in STRIDES.into_iter().enumerate() {
            let cells = width * height / (stride * stride);
            let lateral = if level == 0 { 0 } else { self.blocks[TAPS[level]].1 * neck };
            let boxes = separable(neck, neck, cells) + cells * neck * BOX_CHANNELS;
            let marks = separable(neck, points, cells) + cells * points * POINT_CHANNELS;
            total += cells * lateral + boxes + marks;
        }
        total
    }
}

/// A convolution with a bias, or with batch normalisation in its place; then ReLU. Files have none of
/// the latter: the published weights come with theirs, which is folded when they are read, and ours
/// are folded before they are written; see `norm`.
#[derive(Module, Debug)]
pub struct Layer {
    pub conv: Conv2d,
    pub norm: Option<BatchNorm>,
}

impl Layer {
    fn new(conv: Conv2d) -> Self {
        Self { conv, norm: None }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.norm {
            Some(norm) => normalise(norm, convolve(&self.conv, x, Cut::NONE), Cut::RELU),
            None => convolve(&self.conv, x, Cut::RELU),
        }
    }
}

/// A 3×3 depthwise convolution, then a 1×1.
#[derive(Module, Debug)]
pub struct Separable {
    pub depthwise: Layer,
    pub pointwise: Layer,
}

impl Separable {
    fn new(input: usize, output: usize, stride: usize, device: &Device) -> Self {
        Self {
            depthwise: Layer::new(convolution(input, input, 3, stride, input, device)),
            pointwise: Layer::new(convolution(input, output, 1, 1, 1, device)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.pointwise.forward(self.depthwise.forward(x))
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
    fn new(channels: &Channels, device: &Device) -> Self {
        let (neck, marks) = (channels.neck, channels.points);
        let mut output = convolution(neck, BOX_CHANNELS, 1, 1, 1, device);
        output.weight =
            Initializer::Normal { mean: 0.0, std: 0.01 }.init([BOX_CHANNELS, neck, 1, 1], device);
        // Boxes start two cells wide.
        let start = [-4.6_f32, 0.0, 0.0, 0.7, 0.7];
        output.bias = Some(Param::from_tensor(Tensor::from_floats(start, device)));
        let mut points = convolution(marks, POINT_CHANNELS, 1, 1, 1, device);
        points.weight = Initializer::Normal { mean: 0.0, std: 0.01 }
            .init([POINT_CHANNELS, marks, 1, 1], device);
        Self {
            tower: Separable::new(neck, neck, 1, device),
            output,
            points_tower: Separable::new(neck, marks, 1, device),
            points,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        Tensor::cat(vec![self.boxes(x.clone()), self.points(x)], 1)
    }

    fn boxes(&self, x: Tensor<4>) -> Tensor<4> {
        convolve(&self.output, self.tower.forward(x), Cut::NONE)
    }

    fn points(&self, x: Tensor<4>) -> Tensor<4> {
        convolve(&self.points, self.points_tower.forward(x), Cut::NONE)
    }
}

/// The parts that can start from published weights.
#[derive(Module, Debug)]
pub struct Backbone {
    pub stem: Layer,
    pub blocks: Vec<Separable>,
}

/// The parts that start from nothing.
#[derive(Module, Debug)]
pub struct Neck {
    pub lateral16: Layer,
    pub lateral32: Layer,
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
    pub fn new(channels: &Channels, device: &Device) -> Self {
        let neck = channels.neck;
        let block = |&(i, o, s): &(usize, usize, usize)| Separable::new(i, o, s, device);
        let blocks = channels.blocks.iter().map(block).collect();
        let stem = Layer::new(convolution(3, channels.stem, 3, 2, 1, device));
        let [_, c16, c32] = TAPS.map(|tap| channels.blocks[tap].1);
        Self {
            backbone: Backbone { stem, blocks },
            neck: Neck {
                lateral16: Layer::new(convolution(c16, neck, 1, 1, 1, device)),
                lateral32: Layer::new(convolution(c32, neck, 1, 1, 1, device)),
                heads: STRIDES.iter().map(|_| Head::new(channels, device)).collect(),
            },
        }
    }

    /// Every layer but the last ones of the heads, in no order that matters.
    pub fn layers_mut(&mut self) -> impl Iterator<Item = &mut Layer> {
        let Network { backbone, neck } = self;
        let towers = neck.heads.iter_mut().flat_map(|h| [&mut h.tower, &mut h.points_tower]);
        let separable = backbone.blocks.iter_mut().chain(towers);
        separable.flat_map(|block| [&mut block.depthwise, &mut block.pointwise]).chain([
            &mut backbone.stem,
            &mut neck.lateral16,
            &mut neck.lateral32,
        ])
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

    /// The top-down path, finest stride first.
    fn levels(&self, input: Tensor<4>) -> [Tensor<4>; 3] {
        let mut x = self.backbone.stem.forward(input);
        let mut taps = Vec::with_capacity(TAPS.len());
        for (index, block) in self.backbone.blocks.iter().enumerate() {
            x = block.forward(x);
            if TAPS.contains(&index) {
                taps.push(x.clone());
            }
        }
        let [p16, p32] = [&self.neck.lateral16, &self.neck.lateral32];
        let p32 = p32.forward(taps[2].clone());
        let p16 = p16.forward(taps[1].clone()) + double(p32.clone());
        let p8 = taps[0].clone() + double(p16.clone());
        [p8, p16, p32]
    }
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
pub fn double(x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    x.reshape([n, c, h, 1, w, 1]).expand([n, c, h, 2, w, 2]).reshape([n, c, h * 2, w * 2])
}

#[cfg(test)]
mod tests {
    use burn::optim::GradientsParams;

    use super::*;
    use crate::train::parameters;

    #[test]
    fn a_narrower_network_costs_as_much_less_and_its_parts_fit() {
        let full = Channels::of(1.0);
        assert_eq!((full.stem, full.neck, full.points), (STEM, NECK, POINTS));
        assert_eq!(full.multiply_adds(320, 256), 98_071_040);
        for width in [0.25, 0.5, 0.625, 0.75, 1.5] {
            let channels = Channels::of(width);
            let part =
                channels.multiply_adds(320, 256) as f64 / full.multiply_adds(320, 256) as f64;
            assert!(part < width * 1.4 && part > width * width * 0.9, "{width}: {part}");
            let device = Device::flex();
            let input = Tensor::<4>::full([1, 3, 64, 96], 0.3, &device);
            let [fine, ..] = Network::new(&channels, &device).forward(input);
            assert_eq!(fine.dims(), [1, CHANNELS, 8, 12]);
        }
    }

    #[test]
    fn landmarks_can_learn_alone_and_answer_as_before() {
        let device = Device::flex().autodiff();
        device.seed(6);
        let network = Network::new(&Channels::of(1.0), &device);
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
        assert_eq!(learned(both), parameters::take(&network).len(), "every tensor learns");
    }

    /// Wants what the classifier's test of this kind wants.
    #[cfg(feature = "gpu")]
    #[test]
    fn a_graphics_card_finds_what_the_processor_does_in_a_detector_too() {
        use burn::tensor::TensorData;

        use crate::train::device::Choice;
        use crate::train::network::tests::{Gradients, flat, input, near};

        let channels = Channels::of(0.25);
        let device = Device::flex();
        device.seed(6);
        let values = parameters::take(&Network::new(&channels, &device));
        let [processor, card] = [Choice::Cpu, Choice::Gpu].map(|choice| {
            let device = choice.open().unwrap().autodiff();
            let network = parameters::put(Network::new(&channels, &device), &values).0;
            let picture = TensorData::new(input(64), [1, 3, 64, 64]);
            let outputs = network.forward(Tensor::from_data(picture, &device));
            let all = Tensor::cat(outputs.map(|o| o.flatten::<1>(0, 3)).to_vec(), 0);
            let answers = all.clone().inner().into_data().try_into_vec::<f32>().unwrap();
            let gradients = Gradients::of(&network, &all.powf_scalar(2.0).sum().backward());
            [("answers", answers), ("gradients", flat(gradients))]
        });
        near(&processor, &card);
    }
}
