//! What our kernels save while a network learns: an inverted residual of MobileNetV2 there and back,
//! by them and by the framework's own layers.
//! `cargo bench --features train --bench training`

use burn::tensor::{Device, Distribution, Tensor};
use divan::{Bencher, black_box};
use maskgate::train::layers::{BatchNormConv, Layout, Maker};
use maskgate::train::mobilenet::Block;

/// Channels, side of the picture and stride, as in MobileNetV2 0.35 at 128 px.
const BLOCKS: [(usize, usize, usize); 3] = [(8, 32, 1), (8, 32, 2), (24, 8, 1)];
const BATCH: usize = 32;

fn main() {
    divan::main();
}

fn block((channels, side, stride): (usize, usize, usize)) -> (Block, Tensor<4>) {
    let device = Device::flex().autodiff();
    let maker = Maker { layout: Layout::Keras, momentum: 0.03, device: &device };
    let input = Tensor::random([BATCH, channels, side, side], Distribution::Default, &device);
    (Block::new(maker, channels, channels, 6, stride), input.require_grad())
}

#[divan::bench(args = BLOCKS)]
fn ours(bencher: Bencher, shape: (usize, usize, usize)) {
    let (block, input) = block(shape);
    bencher.bench_local(|| block.forward(black_box(input.clone())).sum().backward());
}

#[divan::bench(args = BLOCKS)]
fn framework(bencher: Bencher, shape: (usize, usize, usize)) {
    let (block, input) = block(shape);
    let plain = |layer: &BatchNormConv, x| layer.norm.forward(layer.conv.forward(x));
    bencher.bench_local(|| {
        let input = black_box(input.clone());
        let x = match &block.expand {
            Some(expand) => plain(expand, input.clone()).clamp(0.0, 6.0),
            None => input.clone(),
        };
        let x = plain(&block.project, plain(&block.depthwise, x).clamp(0.0, 6.0));
        let x = if block.residual { x + input } else { x };
        x.sum().backward()
    });
}
