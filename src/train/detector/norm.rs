//! Batch normalisation while the network learns: without it the steps of a layer hang on the scale
//! that the layers before it happen to have (Ioffe and Szegedy, "Batch Normalization", 2015). It comes in without changing an answer, and is folded away again before a file is written.

use burn::module::{Module, Param, RunningState};
use burn::nn::BatchNormConfig;
use burn::tensor::{Device, Tensor, TensorData};

use super::network::{Layer, Network, Separable, TAPS, double};
use crate::train::layers::{Cut, convolve};
use crate::train::parameters;

const EPSILON: f64 = 1e-5;
/// How much of each batch enters the running statistics; as slow as the running average of the weights,
/// since batches of near and of far faces differ.
const MOMENTUM: f64 = 0.01;
/// Channels that vary less are silent ones, and are not scaled up to vary as the others do.
const SILENT: f32 = 1e-3;

/// `network` with normalisation in every layer, its statistics measured on `pictures`
/// (`[n, 3, h, w]`, without autodiff), so that it answers as before. Kernels get the size that they
/// would be initialised with and channels within the backbone a deviation of 1; normalisation takes
/// up what that changes.
pub fn add(mut network: Network, pictures: Tensor<4>, device: &Device) -> Network {
    let measured = measured(network.valid(), pictures);
    for layer in network.layers_mut() {
        let [outputs, ..] = layer.conv.weight.dims();
        layer.conv.bias = None;
        layer.norm = Some(config(outputs).init(device));
    }
    parameters::put(network, &parameters::take(&measured)).0
}

/// `network` (without autodiff) with its normalisation folded into kernels and biases.
pub fn fold(mut network: Network) -> Network {
    for layer in network.layers_mut() {
        let Some(norm) = layer.norm.take() else { continue };
        let variance = norm.running_var.value_sync();
        let factor = norm.gamma.val() / (variance + norm.epsilon).sqrt();
        let bias = norm.beta.val() - norm.running_mean.value_sync() * factor.clone();
        let [outputs, ..] = layer.conv.weight.dims();
        let kernel = layer.conv.weight.val() * factor.reshape([outputs, 1, 1, 1]);
        layer.conv.weight = Param::from_tensor(kernel);
        layer.conv.bias = Some(Param::from_tensor(bias));
    }
    network
}

fn config(channels: usize) -> BatchNormConfig {
    BatchNormConfig::new(channels).with_epsilon(EPSILON).with_momentum(MOMENTUM)
}

/// A map, and for each channel how many times larger it was before it was scaled.
type Scaled = (Tensor<4>, Vec<f32>);

fn measured(mut network: Network, pictures: Tensor<4>) -> Network {
    let plain = |map: Tensor<4>| {
        let [_, channels, ..] = map.dims();
        (map, vec![1.0; channels])
    };
    let mut x = measure(&mut network.backbone.stem, plain(pictures), true);
    let mut taps = Vec::with_capacity(TAPS.len());
    for (index, block) in network.backbone.blocks.iter_mut().enumerate() {
        // The finest tap is added to what comes from above, which it must be in proportion to.
        x = separable(block, x, index != TAPS[0]);
        if TAPS.contains(&index) {
            taps.push(x.clone());
        }
    }
    let neck = &mut network.neck;
    let p32 = measure(&mut neck.lateral32, taps[2].clone(), false).0;
    let p16 = measure(&mut neck.lateral16, taps[1].clone(), false).0 + double(p32.clone());
    let p8 = taps[0].0.clone() + double(p16.clone());
    for (head, level) in neck.heads.iter_mut().zip([p8, p16, p32]) {
        for tower in [&mut head.tower, &mut head.points_tower] {
            separable(tower, plain(level.clone()), false);
        }
    }
    network
}

/// Where `scaled`, its answers get a deviation of 1.
fn separable(block: &mut Separable, x: Scaled, scaled: bool) -> Scaled {
    let x = measure(&mut block.depthwise, x, true);
    measure(&mut block.pointwise, x, scaled)
}

fn measure(layer: &mut Layer, (x, scales): Scaled, scaled: bool) -> Scaled {
    let conv = &mut layer.conv;
    let device = x.device();
    let dims = conv.weight.dims();
    let [outputs, inputs, high, wide] = dims;
    let mut kernel = floats(conv.weight.val());
    let mut grown = Vec::with_capacity(outputs);
    for (output, row) in kernel.chunks_exact_mut(inputs * high * wide).enumerate() {
        for (input, weights) in row.chunks_exact_mut(high * wide).enumerate() {
            // A depthwise kernel has one input, the channel of its own number.
            let scale = scales[if inputs == 1 { output } else { input }];
            weights.iter_mut().for_each(|weight| *weight *= scale);
        }
        let size = (row.iter().map(|w| w * w).sum::<f32>() / row.len() as f32).sqrt();
        let usual = (2.0 / row.len() as f32).sqrt();
        let factor = if size > 1e-6 { usual / size } else { 1.0 };
        row.iter_mut().for_each(|weight| *weight *= factor);
        grown.push(factor);
    }
    conv.weight = Param::from_tensor(Tensor::from_data(TensorData::new(kernel, dims), &device));
    let bias = conv.bias.take().map_or(vec![0.0; outputs], |bias| floats(bias.val()));

    let seen = convolve(conv, x.clone(), Cut::NONE).swap_dims(0, 1).flatten::<2>(1, 3);
    let (variance, mean) = seen.var_mean_bias(1);
    let (variance, mean) = (floats(variance), floats(mean));
    let scales: Vec<f32> = variance
        .iter()
        .zip(&grown)
        .map(|(variance, grown)| if scaled { (variance.sqrt() / grown).max(SILENT) } else { 1.0 })
        .collect();
    let each = |value: &dyn Fn(usize) -> f32| -> Tensor<1> {
        let values: Vec<f32> = (0..outputs).map(value).collect();
        Tensor::from_floats(values.as_slice(), &device)
    };
    let mut norm = config(outputs).init(&device);
    let deviation = |channel: usize| (variance[channel] + EPSILON as f32).sqrt();
    norm.gamma = Param::from_tensor(each(&|c| deviation(c) / (grown[c] * scales[c])));
    norm.beta = Param::from_tensor(each(&|c| (mean[c] / grown[c] + bias[c]) / scales[c]));
    norm.running_mean = RunningState::new(each(&|c| mean[c]));
    norm.running_var = RunningState::new(each(&|c| variance[c]));
    layer.norm = Some(norm);
    (layer.forward(x), scales)
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    // All parameters are float32, so the conversion cannot fail.
    tensor.into_data().convert::<f32>().try_into_vec().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Int;

    use super::*;
    use crate::train::detector::network::Channels;

    fn pictures(device: &Device) -> Tensor<4> {
        let waves = Tensor::<1, Int>::arange(0..4 * 3 * 64 * 64, device).float();
        (waves * 0.37).sin().reshape([4, 3, 64, 64])
    }

    fn answer(network: &Network) -> Vec<f32> {
        let device = Device::flex();
        let flat = network.valid().forward(pictures(&device)).map(|o| o.flatten::<1>(0, 3));
        floats(Tensor::cat(flat.to_vec(), 0))
    }

    #[test]
    fn normalisation_comes_and_goes_without_changing_an_answer() {
        let device = Device::flex().autodiff();
        device.seed(12);
        let network = Network::new(&Channels::of(0.5), &device);
        // One channel that is always silent.
        let mut values = parameters::take(&network);
        let bias = values.get_mut("backbone.blocks.3.pointwise.conv.bias").expect("there is one");
        bias.values[1] = -100.0;
        let (network, ..) = parameters::put(network, &values);
        let wanted = answer(&network);
        let with = add(network, pictures(&Device::flex()), &device);
        assert!(with.backbone.blocks[2].depthwise.norm.is_some());
        let folded = fold(with.valid());
        assert!(folded.backbone.blocks[2].depthwise.norm.is_none());
        for found in [answer(&with), answer(&folded)] {
            let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-3, "off by {worst}");
        }
    }

    #[test]
    fn all_layers_but_the_last_ones_are_normalised_and_learn() {
        let device = Device::flex().autodiff();
        device.seed(12);
        let network = Network::new(&Channels::of(0.5), &device);
        let with = add(network, pictures(&Device::flex()), &device);
        let names: Vec<String> = parameters::take(&with).into_keys().collect();
        let ends = |end: &str| names.iter().filter(|name| name.ends_with(end)).count();
        // The stem, twelve blocks of two layers, two laterals, two towers of two at three strides.
        assert_eq!(ends("norm.running_var"), 1 + 24 + 2 + 12);
        assert_eq!(ends("conv.bias"), 0);
        assert_eq!((ends(".output.bias"), ends(".points.bias")), (3, 3));
        let batch = pictures(&device);
        let sum = with.forward(batch).map(|o| o.sum()).into_iter().reduce(|a, b| a + b);
        let gradients = sum.expect("three").backward();
        let gamma = with.backbone.stem.norm.as_ref().expect("it is there").gamma.val();
        assert!(gamma.grad(&gradients).is_some());
    }
}
