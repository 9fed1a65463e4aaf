use burn::tensor::{Device, Tensor, TensorData};

use super::{Bottleneck, ResNetConfig, torchvision};
use crate::train::layers::{Layout, Maker};
use crate::train::network::tests::gradients_agree;
use crate::train::resnet::DEPTHS;

#[test]
fn the_whole_network_has_the_published_layers() {
    let config = ResNetConfig { width: 1.0, depths: DEPTHS, momentum: 0.1 };
    assert_eq!(config.features(), 2048);
    let small = ResNetConfig { width: 0.125, ..config };
    let network = small.init(&Device::flex());
    assert_eq!(network.blocks.len(), 16);
    let projects = network.blocks.iter().map(|block| block.project.is_some());
    let first: Vec<usize> = projects.enumerate().filter(|(_, p)| *p).map(|(at, _)| at).collect();
    assert_eq!(first, [0, 3, 7, 13]);
    let picture =
        Tensor::<4>::from_data(TensorData::zeros::<f32, _>([1, 3, 64, 64]), &Device::flex());
    assert_eq!(network.features(picture).dims(), [1, 256, 2, 2]);
}

#[test]
fn gradients_of_the_blocks_are_those_of_finite_differences() {
    let device = Device::flex().autodiff();
    let maker = Maker { layout: Layout::Torchvision, momentum: 0.1, device: &device };
    for (inner, stride) in [(1, 1), (2, 1), (2, 2)] {
        let block = Bottleneck::new(maker, 4, inner, stride);
        gradients_agree(block, |block: &Bottleneck, x: Tensor<4>| block.forward(x), &device);
    }
}

#[test]
fn torchvision_counts_blocks_by_stage() {
    let ours = |name: &str| torchvision(name, &DEPTHS);
    let is = |name: &str, path: &str| assert_eq!(ours(name).as_deref(), Some(path));
    is("conv1.weight", "stem.conv.weight");
    is("bn1.running_var", "stem.norm.running_var");
    is("layer1.0.downsample.0.weight", "blocks.0.project.conv.weight");
    is("layer2.0.bn2.bias", "blocks.3.middle.norm.beta");
    is("layer3.5.conv3.weight", "blocks.12.widen.conv.weight");
    is("layer4.2.bn1.weight", "blocks.15.narrow.norm.gamma");
    for name in ["layer5.0.conv1.weight", "layer1.3.conv1.weight", "layer1.0.conv4.weight"] {
        assert_eq!(ours(name), None, "{name}");
    }
}
