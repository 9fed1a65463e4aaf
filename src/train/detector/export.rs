//! The network as ONNX with int8 weights.

use anyhow::Result;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

use super::network::{CHANNELS, Network, STRIDES, Separable, TAPS};
use crate::train::onnx::{ConvShape, GraphBuilder, OnnxError, Output, Weights};
use crate::vision::YAW_GAIN;

/// The file's bytes: input `input` `[1, 3, 256, 320]` (loaders may set any multiple of 32), one
/// output of 15 channels for each stride. Expects a network on a device
/// without autodiff, its normalisation folded. `yaw_gain`, 1 to 3, is for `vision::Detector::yaw`.
pub fn export(network: &Network, yaw_gain: f32) -> Result<Vec<u8>> {
    let (height, width) = (256, 320);
    let mut g = GraphBuilder::new("maskgate detector", "input", &[1, 3, height, width]);
    let input = g.input();
    let mut x = conv(&mut g, &input, &network.backbone.stem.conv)?;
    x = g.relu(&x);
    let mut taps = Vec::new();
    for (index, block) in network.backbone.blocks.iter().enumerate() {
        x = separable(&mut g, &x, block)?;
        if TAPS.contains(&index) {
            taps.push(x.clone());
        }
    }
    let [c8, c16, c32] = [&taps[0], &taps[1], &taps[2]];
    let lateral = conv(&mut g, c32, &network.neck.lateral32.conv)?;
    let p32 = g.relu(&lateral);
    let lateral = conv(&mut g, c16, &network.neck.lateral16.conv)?;
    let lateral = g.relu(&lateral);
    let above = g.upsample2(&p32);
    let p16 = g.add(&lateral, &above);
    let above = g.upsample2(&p16);
    let p8 = g.add(c8, &above);
    let mut predictions = Vec::new();
    for (head, x) in network.neck.heads.iter().zip([&p8, &p16, &p32]) {
        let tower = separable(&mut g, x, &head.tower)?;
        let boxes = conv(&mut g, &tower, &head.output)?;
        let tower = separable(&mut g, x, &head.points_tower)?;
        let points = conv(&mut g, &tower, &head.points)?;
        predictions.push(g.concat(&[&boxes, &points], 1));
    }
    let names = STRIDES.map(|stride| format!("stride{stride}"));
    let dims = STRIDES.map(|stride| [1, CHANNELS, height / stride, width / stride]);
    let outputs: Vec<Output<'_>> = (0..STRIDES.len())
        .map(|at| Output { tensor: &predictions[at], name: &names[at], dims: &dims[at] })
        .collect();
    let yaw_gain = format!("{yaw_gain:.2}");
    let metadata = [
        ("maskgate.decoder", "center"),
        ("maskgate.input", "rgb -1..1, width and height multiples of 32"),
        (YAW_GAIN, &yaw_gain),
    ];
    Ok(g.finish(&outputs, &metadata)?)
}

fn separable(g: &mut GraphBuilder, x: &str, block: &Separable) -> Result<String, OnnxError> {
    let x = conv(g, x, &block.depthwise.conv)?;
    let x = g.relu(&x);
    let x = conv(g, &x, &block.pointwise.conv)?;
    Ok(g.relu(&x))
}

fn conv(g: &mut GraphBuilder, x: &str, layer: &Conv2d) -> Result<String, OnnxError> {
    let weights = Weights::new(&layer.weight.dims(), floats(layer.weight.val()))?;
    let bias = layer.bias.as_ref().map(|bias| floats(bias.val()));
    let pad = layer.kernel_size[0] / 2;
    let shape = ConvShape { stride: layer.stride, pads: [pad; 4], groups: layer.groups };
    Ok(g.conv(x, &weights, bias.as_deref(), shape))
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    // All parameters are float32, so the conversion cannot fail.
    tensor.into_data().convert::<f32>().try_into_vec().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::train::detector::network::Channels;
    use crate::train::onnx::quantise;
    use crate::train::parameters;
    use crate::train::random::Random;
    use crate::vision::model::ModelFile;

    /// The network with its kernels rounded as the file rounds them.
    fn rounded(network: Network) -> Network {
        let mut values = parameters::take(&network);
        for kernel in values.values_mut().filter(|kernel| kernel.shape.len() == 4) {
            let weights = Weights::new(&kernel.shape, kernel.values.clone()).expect("finite");
            let (bytes, scales) = quantise(&weights);
            let per_channel = bytes.len() / scales.len();
            let steps = bytes.iter().zip(scales.iter().flat_map(|s| vec![*s; per_channel]));
            kernel.values = steps.map(|(byte, scale)| f32::from(*byte) * scale).collect();
        }
        parameters::put(network, &values).0
    }

    #[test]
    fn a_training_starts_from_the_mean_of_written_files() {
        let device = Device::flex();
        let folder = tempfile::tempdir().expect("a folder");
        let (mut paths, mut written) = (Vec::new(), Vec::new());
        for seed in [4, 5] {
            device.seed(seed);
            let network = rounded(Network::new(&Channels::of(1.0), &device));
            let path = folder.path().join(format!("{seed}.onnx"));
            std::fs::write(&path, export(&network, 1.0).expect("it can be written")).expect("room");
            written.push(parameters::take(&network));
            paths.push(path);
        }
        let start = |paths: &[_]| {
            let started = super::super::backbone::start_from(
                Network::new(&Channels::of(1.0), &device),
                paths,
                &device,
            );
            parameters::take(&started.expect("the files fit"))
        };
        let (first, mean) = (start(&paths[..1]), start(&paths));
        assert_eq!(mean.len(), written[0].len());
        for (name, mean) in &mean {
            let (a, b) = (&written[0][name].values, &written[1][name].values);
            let off = |found: &[f32], wanted: &dyn Fn(usize) -> f32| {
                (0..found.len()).map(|i| (found[i] - wanted(i)).abs()).fold(0.0, f32::max)
            };
            assert!(off(&first[name].values, &|i| a[i]) < 1e-6, "{name}");
            assert!(off(&mean.values, &|i| f32::midpoint(a[i], b[i])) < 1e-6, "{name}");
        }
    }

    #[test]
    fn the_file_answers_as_the_network_does() {
        let device = Device::flex();
        device.seed(3);
        for width in [1.0, 0.5] {
            answers_as(&rounded(Network::new(&Channels::of(width), &device)), &device);
        }
    }

    fn answers_as(network: &Network, device: &Device) {
        let (height, width) = (64, 96);
        let mut random = Random::new(1);
        let input: Vec<f32> = (0..3 * height * width).map(|_| random.range(-1.0, 1.0)).collect();
        let tensor =
            Tensor::from_data(TensorData::new(input.clone(), [1, 3, height, width]), device);
        let wanted = network.forward(tensor).map(floats);

        let bytes = export(network, 1.5).expect("the network can be written");
        let file = ModelFile::parse("test".into(), &bytes, "").expect("the file is whole");
        let plan = file.plan([1, 3, height, width]).expect("tract takes the file");
        let found = plan.run(&input).expect("tract runs it");
        for ((found, wanted), stride) in found.iter().zip(&wanted).zip(STRIDES) {
            assert_eq!(found.shape, [1, CHANNELS, height / stride, width / stride]);
            let worst =
                found.values.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-3, "stride {stride}: off by {worst}");
            let spread = wanted[..found.values.len() / CHANNELS]
                .iter()
                .fold(0.0_f32, |m, v| m.max((v + 4.6).abs()));
            assert!(spread > 1e-3, "stride {stride}: the outputs do not depend on the picture");
        }
    }
}
