use burn::tensor::{Device, Tensor};
use npyz::WriterBuilder;
use npyz::npz::NpzWriter;

use super::{Block, MobileNetConfig, torchvision};
use crate::train::layers::{Layout, Maker};
use crate::train::network::tests::gradients_agree;
use crate::train::parameters::Parameters;

#[test]
fn channels_are_those_of_the_published_widths() {
    let device = Device::flex();
    // Stem, first and last block, features: from Keras' and torchvision's model files.
    let published = [
        (0.35, [16, 8, 112, 1280]),
        (0.5, [16, 8, 160, 1280]),
        (0.75, [24, 16, 240, 1280]),
        (1.0, [32, 16, 320, 1280]),
        (1.3, [40, 24, 416, 1664]),
        (1.4, [48, 24, 448, 1792]),
    ];
    for (width, channels) in published {
        let config = MobileNetConfig { width, layout: Layout::Keras, momentum: 0.03 };
        let network = config.init(&device);
        let out = |layer: &crate::train::layers::BatchNormConv| layer.conv.weight.dims()[0];
        let made = [
            out(&network.stem),
            out(&network.blocks[0].project),
            out(&network.blocks[16].project),
            out(&network.last),
        ];
        assert_eq!(made, channels, "width {width}");
        assert_eq!(network.blocks.len(), 17);
    }
}

#[test]
fn gradients_of_the_blocks_are_those_of_finite_differences() {
    let device = Device::flex().autodiff();
    let maker = Maker { layout: Layout::Keras, momentum: 0.1, device: &device };
    for (to, expansion, stride) in [(4, 1, 1), (4, 2, 1), (6, 2, 2)] {
        let block = Block::new(maker, 4, to, expansion, stride);
        gradients_agree(block, |block: &Block, x: Tensor<4>| block.forward(x), &device);
    }
}

#[test]
fn torchvision_names_the_layers_of_a_block_by_their_place() {
    let ours = |name: &str| torchvision(name).unwrap_or_default();
    assert_eq!(ours("features.0.0.weight"), "stem.conv.weight");
    assert_eq!(ours("features.1.conv.0.1.bias"), "blocks.0.depthwise.norm.beta");
    assert_eq!(ours("features.1.conv.1.weight"), "blocks.0.project.conv.weight");
    assert_eq!(ours("features.1.conv.2.running_var"), "blocks.0.project.norm.running_var");
    assert_eq!(ours("features.17.conv.0.0.weight"), "blocks.16.expand.conv.weight");
    assert_eq!(ours("features.4.conv.1.1.running_mean"), "blocks.3.depthwise.norm.running_mean");
    assert_eq!(ours("features.4.conv.2.weight"), "blocks.3.project.conv.weight");
    assert_eq!(ours("features.4.conv.3.weight"), "blocks.3.project.norm.gamma");
    assert_eq!(ours("features.18.1.weight"), "last.norm.gamma");
    for name in ["features.19.0.weight", "features.4.conv.4.weight", "layer1.0.conv1.weight"] {
        assert_eq!(torchvision(name), None, "{name}");
    }
}

/// Writes `parameters` as Keras would: its names, height and width first.
pub(crate) fn keras_file(parameters: &Parameters, path: &std::path::Path) {
    let mut file = NpzWriter::create(path).unwrap();
    for (name, tensor) in parameters {
        let Some((layer, array)) = keras_name(name) else { continue };
        let depthwise = array == "depthwise_kernel";
        let (shape, values) = match tensor.shape[..] {
            [outs, ins, height, width] => {
                let (third, fourth) = if depthwise { (outs, ins) } else { (ins, outs) };
                let mut values = vec![0.0; tensor.values.len()];
                for (at, value) in tensor.values.iter().enumerate() {
                    let (pixel, rest) = (at % (height * width), at / (height * width));
                    let (input, out) = (rest % ins, rest / ins);
                    let (i3, i4) = if depthwise { (out, input) } else { (input, out) };
                    values[(pixel * third + i3) * fourth + i4] = *value;
                }
                (vec![height, width, third, fourth], values)
            }
            _ => (tensor.shape.clone(), tensor.values.clone()),
        };
        let shape: Vec<u64> = shape.iter().map(|d| *d as u64).collect();
        let mut writer = file
            .array(&format!("{layer}/{array}"), Default::default())
            .unwrap()
            .default_dtype()
            .shape(&shape)
            .begin_nd()
            .unwrap();
        writer.extend(values).unwrap();
        writer.finish().unwrap();
    }
}

fn keras_name(name: &str) -> Option<(String, &'static str)> {
    let (place, tensor) = name.rsplit_once('.')?;
    let (place, kind) = place.rsplit_once('.')?;
    let base = match place.split('.').collect::<Vec<_>>()[..] {
        ["stem"] => {
            if kind == "conv" {
                "Conv1".into()
            } else {
                "bn_Conv1".into()
            }
        }
        ["last"] => {
            if kind == "conv" {
                "Conv_1".into()
            } else {
                "Conv_1_bn".into()
            }
        }
        ["blocks", number, part] => {
            let block =
                if number == "0" { "expanded_conv".into() } else { format!("block_{number}") };
            format!("{block}_{part}{}", if kind == "norm" { "_BN" } else { "" })
        }
        _ => return None,
    };
    let array = match tensor {
        "weight" if place.ends_with("depthwise") => "depthwise_kernel",
        "weight" => "kernel",
        "gamma" => "gamma",
        "beta" => "beta",
        "running_mean" => "moving_mean",
        "running_var" => "moving_variance",
        _ => return None,
    };
    Some((base, array))
}
