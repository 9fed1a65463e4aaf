use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::{Freeze, HeadKind, Kind, Network, NetworkConfig, export, rounded};
use crate::train::layers::{Layout, fold};
use crate::train::network::Backbone;
use crate::train::parameters::{self, Parameters, Values};
use crate::train::random::Random;
use crate::vision::model::ModelFile;

/// The narrowest member of a family.
pub fn narrow(kind: Kind, layout: Layout, head: HeadKind) -> NetworkConfig {
    NetworkConfig::new(kind, 0.1, layout, head)
}

/// A network with lively weights and statistics, the same every time.
pub fn lively(config: NetworkConfig, device: &Device) -> Network {
    let network = config.init(device);
    let mut values = parameters::take(&network);
    let mut random = Random::new(2);
    for (name, tensor) in &mut values {
        // Uniform with the variance 2 / fan-in that keeps signals alive behind ReLU (He, 2015).
        let fan_in = (tensor.values.len() / tensor.shape[0]) as f32;
        let bound = (6.0 / fan_in).sqrt();
        for value in &mut tensor.values {
            *value = match name.rsplit('.').next() {
                Some("gamma") => random.range(0.6, 1.4),
                Some("running_var") => random.range(0.6, 1.4),
                Some("beta" | "running_mean" | "bias") => random.range(-0.3, 0.3),
                _ if name.starts_with("head.") => random.range(-0.1, 0.1),
                _ => random.range(-bound, bound),
            };
        }
    }
    parameters::put(network, &values).0
}

pub fn input(side: usize) -> Vec<f32> {
    let mut random = Random::new(3);
    (0..3 * side * side).map(|_| random.range(-1.0, 1.0)).collect()
}

fn forward(network: &Network, side: usize, device: &Device) -> Vec<f32> {
    let data = TensorData::new(input(side), [1, 3, side, side]);
    let logits = network.forward(Tensor::from_data(data, device));
    softmax(logits, 1).into_data().try_into_vec().unwrap()
}

/// What tract makes of the written network.
fn written(network: &Network, side: usize) -> Vec<f32> {
    let bytes = export(network, side, &[]).unwrap().bytes;
    let file = ModelFile::parse("toy".into(), &bytes, "").unwrap();
    assert_eq!(file.input(), [Some(1), Some(3), Some(side), Some(side)]);
    file.plan([1, 3, side, side]).unwrap().run(&input(side)).unwrap()[0].values.clone()
}

fn close(a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len());
    let largest = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest < tolerance, "{a:?} against {b:?}");
}

#[test]
fn every_network_layout_and_head_answers_from_its_file_as_in_memory() {
    let device = Device::flex();
    let families = [
        (Kind::Mobilenetv2, Layout::Keras),
        (Kind::Mobilenetv2, Layout::Torchvision),
        (Kind::Resnet50, Layout::Torchvision),
    ];
    for (kind, layout) in families {
        for head in [HeadKind::Single, HeadKind::Published] {
            let network = lively(narrow(kind, layout, head), &device).valid();
            // What is rounded already is written without a loss.
            let network = rounded(&network, &parameters::take(&network)).unwrap();
            // 96 halves evenly down to 3; the last strided layer of 32 sees an odd side of 1.
            for side in [32, 96] {
                close(&written(&network, side), &forward(&network, side, &device), 1e-4);
            }
        }
    }
}

#[test]
fn a_temperature_divides_the_logits() {
    let device = Device::flex();
    let config = narrow(Kind::Mobilenetv2, Layout::Keras, HeadKind::Single);
    let network = lively(config, &device);
    let before = forward(&network, 32, &device);
    let Network { backbone, head } = network;
    let cooled = Network { backbone, head: head.tempered(0.5) };
    let after = forward(&cooled, 32, &device);
    let squares: Vec<f32> = before.iter().map(|value| value * value).collect();
    let sum: f32 = squares.iter().sum();
    let wanted: Vec<f32> = squares.iter().map(|value| value / sum).collect();
    close(&after, &wanted, 1e-4);
    assert!(before[0] > 0.34 || before[0] < 0.32, "{before:?} says nothing");
}

#[test]
fn an_offset_moves_the_odds_of_one_class_alone() {
    let device = Device::flex();
    let config = narrow(Kind::Mobilenetv2, Layout::Keras, HeadKind::Single);
    let network = lively(config, &device);
    let before = forward(&network, 32, &device);
    let Network { backbone, head } = network;
    let moved = Network { backbone, head: head.with_offset(2, 0.5) };
    let after = forward(&moved, 32, &device);
    let odds = |p: &[f32]| [p[2] / p[0], p[1] / p[0]];
    let [low, bare] = odds(&before);
    close(&odds(&after), &[low * 0.5_f32.exp(), bare], 1e-4);
}

#[test]
fn two_classes_make_two_outputs() {
    let device = Device::flex();
    let config = narrow(Kind::Mobilenetv2, Layout::Keras, HeadKind::Single);
    let network = lively(NetworkConfig { classes: 2, ..config }, &device).valid();
    assert_eq!(written(&network, 32).len(), 2);
}

#[test]
fn multiply_adds_are_those_that_are_published() {
    let device = Device::flex();
    // Width, side, whole millions with a thousand classes: the table of the paper's authors.
    for (width, side, millions) in [(1.0, 224, 300), (0.35, 128, 20), (0.35, 96, 11)] {
        let config = NetworkConfig::new(Kind::Mobilenetv2, width, Layout::Keras, HeadKind::Single);
        let network = NetworkConfig { classes: 1000, ..config }.init(&device);
        let made = export(&network, side, &[]).unwrap().multiply_adds / 1_000_000;
        assert_eq!(made, millions, "{width} at {side}");
    }
}

#[test]
fn every_published_width_and_input_size_runs_from_its_file() {
    let device = Device::flex();
    let widths = [0.35, 0.5, 0.75, 1.0, 1.3, 1.4];
    for (width, side) in widths.into_iter().zip([64, 96, 128, 160, 32, 32]) {
        let config = NetworkConfig::new(Kind::Mobilenetv2, width, Layout::Keras, HeadKind::Single);
        let network = config.init(&device);
        let answers = written(&network, side);
        assert!((answers.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{width} at {side}");
    }
}

#[test]
fn a_folded_convolution_equals_the_convolution_with_its_normalisation() {
    let device = Device::flex();
    let config = narrow(Kind::Mobilenetv2, Layout::Keras, HeadKind::Single);
    let Backbone::MobileNet(network) = lively(config, &device).valid().backbone else {
        panic!("another family");
    };
    let layer = &network.stem;
    let (weights, bias) = fold(layer).unwrap();

    let mut folded = layer.conv.clone();
    let shape: [usize; 4] = folded.weight.dims();
    let kernel = TensorData::new(weights.values().to_vec(), shape);
    folded.weight = Param::from_data(kernel, &device);
    folded.bias = Some(Param::from_data(TensorData::new(bias.clone(), [bias.len()]), &device));
    let picture = || Tensor::<4>::from_data(TensorData::new(input(32), [1, 3, 32, 32]), &device);
    let one = folded.forward(picture());
    let two = layer.norm.forward(layer.conv.forward(picture()));
    let largest = (one - two).abs().max().into_scalar::<f32>();
    assert!(largest < 1e-4, "{largest}");
}

#[test]
fn just_what_is_frozen_has_no_gradient_and_keeps_its_statistics() {
    let device = Device::flex().autodiff();
    for kind in [Kind::Mobilenetv2, Kind::Resnet50] {
        let config = narrow(kind, Layout::Torchvision, HeadKind::Published);
        let mut network = config.init(&device);
        for (freeze, free_block) in
            [(Freeze::All, None), (Freeze::UpTo(3), Some(4)), (Freeze::None, Some(0))]
        {
            network = network.frozen(freeze);
            let before = parameters::take(&network);
            // Four different pictures: a batch without variance would leave statistics alone.
            let data = TensorData::new(input(64), [4, 3, 32, 32]);
            let loss = network.forward(Tensor::from_data(data, &device)).powf_scalar(2.0).sum();
            let gradients = loss.backward();
            let learns = Gradients::of(&network, &gradients);
            let after = parameters::take(&network);
            for (name, tensor) in &before {
                let block = name.split("blocks.").nth(1).and_then(|rest| rest.split('.').next());
                let block = block.and_then(|number| number.parse::<usize>().ok());
                let free = match free_block {
                    _ if name.starts_with("head.") => true,
                    None => false,
                    Some(first) => match block {
                        Some(block) => block >= first,
                        None => first == 0 || name.contains(".last."),
                    },
                };
                // A mean may be nothing before and after, behind layers that give nothing.
                if name.ends_with("running_mean") {
                    continue;
                }
                if name.ends_with("running_var") {
                    assert_eq!(after[name] != *tensor, free, "{name}, {freeze}");
                } else {
                    assert_eq!(learns.contains_key(name), free, "{name}, {freeze}");
                }
            }
        }
    }
}

/// Wants a graphics card, or what emulates one (Debian: mesa-vulkan-drivers).
#[cfg(feature = "gpu")]
#[test]
fn a_graphics_card_gives_the_answers_and_gradients_of_the_processor() {
    use crate::train::device::Choice;

    let mut config = narrow(Kind::Mobilenetv2, Layout::Keras, HeadKind::Published);
    config.dropout = 0.0;
    let values = parameters::take(&lively(config, &Device::flex()));
    let [processor, card] = [Choice::Cpu, Choice::Gpu].map(|choice| {
        let device = choice.open().unwrap().autodiff();
        let network = parameters::put(config.init(&device), &values).0;
        let data = TensorData::new(input(64), [4, 3, 32, 32]);
        let logits = network.forward(Tensor::from_data(data, &device));
        let answers = logits.clone().inner().into_data().try_into_vec::<f32>().unwrap();
        let gradients = Gradients::of(&network, &logits.powf_scalar(2.0).sum().backward());
        let mut statistics = parameters::take(&network);
        statistics.retain(|name, _| parameters::is_statistic(name));
        [("answers", answers), ("gradients", flat(gradients)), ("statistics", flat(statistics))]
    });
    near(&processor, &card);
}

/// All values of all tensors, in the order of their names.
#[cfg(feature = "gpu")]
pub fn flat(all: Parameters) -> Vec<f32> {
    all.into_values().flat_map(|tensor| tensor.values).collect()
}

/// Holds what a card found, with its name, against what the processor did.
#[cfg(feature = "gpu")]
pub fn near(processor: &[(&str, Vec<f32>)], card: &[(&str, Vec<f32>)]) {
    for ((name, wanted), (_, found)) in processor.iter().zip(card) {
        assert_eq!(wanted.len(), found.len(), "{name}");
        let off = wanted.iter().zip(found).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        let part = (off / wanted.iter().map(|a| a * a).sum::<f32>()).sqrt();
        println!("{name}: off by {part:.6}");
        assert!(part < 0.01, "{name}: off by {part}");
    }
}

/// The gradients of a loss by parameter, where there are any.
pub struct Gradients<'a> {
    path: Vec<String>,
    found: Parameters,
    gradients: &'a burn::tensor::Gradients,
}

impl<'a> Gradients<'a> {
    pub fn of<M: Module>(module: &M, gradients: &'a burn::tensor::Gradients) -> Parameters {
        let mut visitor = Self { path: vec![], found: Parameters::new(), gradients };
        module.visit(&mut visitor);
        visitor.found
    }
}

impl ModuleVisitor for Gradients<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            let shape = gradient.dims().to_vec();
            let values = gradient.into_data().try_into_vec().unwrap();
            self.found.insert(self.path.join("."), Values { shape, values });
        }
    }
}

/// Holds the gradients of a block's parameters and input against finite differences.
pub fn gradients_agree<M: Module>(
    block: M,
    forward: impl Fn(&M, Tensor<4>) -> Tensor<4>,
    device: &Device,
) {
    const STEP: f32 = 2e-3;
    let mut random = Random::new(7);
    let mut values = parameters::take(&block);
    for (name, tensor) in &mut values {
        // Normalised values go into ReLU far from its kinks, where differences tell nothing: some
        // channels pass, some are cut off below, some above 6.
        let mut offsets = [2.5, -2.5, 8.0].into_iter().cycle();
        let sign = if name.ends_with("norm.gamma") { 0.0 } else { 0.5 };
        tensor.values.fill_with(|| match offsets.next() {
            Some(offset) if name.ends_with("norm.beta") => offset,
            _ => random.range(0.3, 0.6) * if random.chance(sign) { -1.0 } else { 1.0 },
        });
    }
    let block = parameters::put(block, &values).0;
    let shape = [2, 4, 4, 4];
    let picture: Vec<f32> = (0..128).map(|_| random.range(-1.0, 1.0)).collect();
    let mut share: Vec<f32> = Vec::new();
    // A sum of all outputs, each with a weight of its own.
    let mut loss = |block: &M, picture: &Tensor<4>| {
        let out = forward(block, picture.clone());
        let dims: [usize; 4] = out.dims();
        if share.is_empty() {
            share = (0..dims.iter().product()).map(|_| random.range(-1.0, 1.0)).collect();
        }
        let share = Tensor::<4>::from_data(TensorData::new(share.clone(), dims), device);
        (out * share).sum()
    };
    let given =
        |picture: &[f32]| Tensor::<4>::from_data(TensorData::new(picture.to_vec(), shape), device);
    let x = given(&picture).require_grad();
    let gradients = loss(&block, &x).backward();
    let mut wanted = Vec::new();
    let gradient = x.grad(&gradients).unwrap().into_data().try_into_vec::<f32>().unwrap();
    for at in (0..128).step_by(17) {
        let mut moved = |by: f32| {
            let mut picture = picture.clone();
            picture[at] += by;
            loss(&block, &given(&picture)).into_scalar::<f32>()
        };
        let told = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        wanted.push(("input".to_owned(), gradient[at], told));
    }
    let learned = Gradients::of(&block, &gradients);
    for (name, gradient) in &learned {
        for at in (0..gradient.values.len()).step_by(5) {
            let mut moved = |by: f32| {
                let mut values = values.clone();
                if let Some(tensor) = values.get_mut(name) {
                    tensor.values[at] += by;
                }
                let block = parameters::put(block.clone(), &values).0;
                loss(&block, &given(&picture)).into_scalar::<f32>()
            };
            let told = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            wanted.push((name.clone(), gradient.values[at], told));
        }
    }
    assert!(learned.len() >= 6, "{:?}", learned.keys());
    let off = |(_, a, b): &&(String, f32, f32)| (a - b).abs() > 0.02 * a.abs().max(b.abs()) + 0.02;
    let wrong: Vec<_> = wanted.iter().filter(off).collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:?}", wrong.len(), wanted.len());
    let lively = wanted.iter().filter(|(_, a, _)| a.abs() > 0.05).count();
    assert!(lively * 4 > wanted.len(), "hardly any gradient: {wanted:?}");
}
