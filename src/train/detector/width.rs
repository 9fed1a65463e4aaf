//! A network from one of another width. A narrower one keeps the strongest channels of each layer:
//! it answers badly, but learns in a fraction of the steps that a start from nothing takes. A wider
//! one has the strongest channels twice and answers as the one it came from (Chen et al., "Net2Net:
//! Accelerating Learning via Knowledge Transfer", 2016).

use anyhow::{Result, ensure};
use burn::module::Param;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::network::{Network, Separable, TAPS};
use crate::train::random::Random;

/// `network` with its weights from `file`, which is at least half as wide.
pub fn change(mut network: Network, file: &Network) -> Result<Network> {
    let (to, from) = (&mut network.backbone, &file.backbone);
    let mut kept = strongest(heard_by(&from.stem.conv, &from.blocks[0]), &to.stem.conv)?;
    put(&mut to.stem.conv, &from.stem.conv, &kept, &[0, 1, 2])?;
    let mut taps = Vec::with_capacity(TAPS.len());
    for (index, (to, from_block)) in to.blocks.iter_mut().zip(&from.blocks).enumerate() {
        let strength = match from.blocks.get(index + 1) {
            Some(next) => heard_by(&from_block.pointwise.conv, next),
            None => times(rows(&from_block.pointwise.conv), columns(&file.neck.lateral32.conv)),
        };
        let outputs = strongest(strength, &to.pointwise.conv)?;
        separable(to, from_block, &kept, &outputs)?;
        kept = outputs;
        if TAPS.contains(&index) {
            taps.push(kept.clone());
        }
    }
    let (to, from) = (&mut network.neck, &file.neck);
    // The finest level is added to the others, so all have its channels.
    let neck = &taps[0];
    put(&mut to.lateral16.conv, &from.lateral16.conv, neck, &taps[1])?;
    put(&mut to.lateral32.conv, &from.lateral32.conv, neck, &taps[2])?;
    for (to, from) in to.heads.iter_mut().zip(&from.heads) {
        for (tower, last, from_tower, from_last) in [
            (&mut to.tower, &mut to.output, &from.tower, &from.output),
            (&mut to.points_tower, &mut to.points, &from.points_tower, &from.points),
        ] {
            let strength = times(rows(&from_tower.pointwise.conv), columns(from_last));
            let outputs = strongest(strength, &tower.pointwise.conv)?;
            separable(tower, from_tower, neck, &outputs)?;
            put(last, from_last, &Vec::from_iter(0..last.weight.dims()[0]), &outputs)?;
        }
    }
    Ok(network)
}

fn separable(
    to: &mut Separable,
    from: &Separable,
    inputs: &[usize],
    outputs: &[usize],
) -> Result<()> {
    put(&mut to.depthwise.conv, &from.depthwise.conv, inputs, &[0])?;
    put(&mut to.pointwise.conv, &from.pointwise.conv, outputs, inputs)
}

/// Puts these outputs of `from`, and of each these inputs, into `to`.
fn put(to: &mut Conv2d, from: &Conv2d, outputs: &[usize], inputs: &[usize]) -> Result<()> {
    let (dims, wanted) = (from.weight.dims(), to.weight.dims());
    let within = |kept: &[usize], all: usize| kept.iter().all(|channel| *channel < all);
    ensure!(
        [outputs.len(), inputs.len(), dims[2], dims[3]] == wanted
            && within(outputs, dims[0])
            && within(inputs, dims[1]),
        "a layer is {dims:?}, not {wanted:?}"
    );
    let device = from.weight.device();
    let parts = Tensor::from_data(
        TensorData::new(parts(outputs, inputs), [wanted[0], wanted[1], 1, 1]),
        &device,
    );
    let (outputs, inputs) = (indices(outputs, &device), indices(inputs, &device));
    // Detached: a weight is where learning starts, not what came of the file's.
    let weight = from.weight.val().select(0, outputs.clone()).select(1, inputs) * parts;
    to.weight = Param::from_tensor(weight.detach());
    let bias = from.bias.as_ref().map(|bias| bias.val().select(0, outputs).detach());
    to.bias = bias.map(Param::from_tensor);
    Ok(())
}

/// How much of the file's weight each output takes from each input: all of it, or a part from either
/// of two that say the same, which are neighbours. The parts are drawn, for twins that are heard
/// alike learn alike and stay twins for ever.
fn parts(outputs: &[usize], inputs: &[usize]) -> Vec<f32> {
    let mut random = Random::new(outputs.len() as u64);
    let mut parts = Vec::with_capacity(outputs.len() * inputs.len());
    for _ in outputs {
        let mut rest = None;
        for pair in (0..inputs.len()).map(|at| &inputs[at..inputs.len().min(at + 2)]) {
            let part = match (rest.take(), pair) {
                (Some(rest), _) => rest,
                (None, [one, next]) if one == next => {
                    let part = random.range(0.25, 0.75);
                    rest = Some(1.0 - part);
                    part
                }
                _ => 1.0,
            };
            parts.push(part);
        }
    }
    parts
}

fn indices(channels: &[usize], device: &Device) -> Tensor<1, Int> {
    let channels: Vec<i32> = channels.iter().map(|channel| *channel as i32).collect();
    Tensor::from_ints(channels.as_slice(), device)
}

/// As many of the channels as `layer` has outputs, in their order, some of them twice where there are
/// too few.
fn strongest(strength: Vec<f32>, layer: &Conv2d) -> Result<Vec<usize>> {
    let (count, there) = (layer.weight.dims()[0], strength.len());
    ensure!(
        count <= 2 * there,
        "a layer has {there} channels, not {count}; a file of half of --width or wider is needed"
    );
    let mut order = Vec::from_iter(0..there);
    order.sort_by(|a, b| strength[*b].total_cmp(&strength[*a]));
    order.extend_from_within(..count.saturating_sub(there));
    order.truncate(count);
    order.sort_unstable();
    Ok(order)
}

/// How much of each output of `layer` comes through `next`. The three factors together do not
/// depend on how a channel's scale is spread over the layers.
fn heard_by(layer: &Conv2d, next: &Separable) -> Vec<f32> {
    times(rows(layer), times(rows(&next.depthwise.conv), columns(&next.pointwise.conv)))
}

/// The norm of each output's kernel.
fn rows(layer: &Conv2d) -> Vec<f32> {
    norms(layer.weight.val().flatten::<2>(1, 3))
}

/// The norm of what each input is multiplied with.
fn columns(layer: &Conv2d) -> Vec<f32> {
    norms(layer.weight.val().swap_dims(0, 1).flatten::<2>(1, 3))
}

fn norms(matrix: Tensor<2>) -> Vec<f32> {
    let norms = matrix.powi_scalar(2).sum_dim(1).sqrt();
    // All parameters are float32, so the conversion cannot fail.
    norms.into_data().convert::<f32>().try_into_vec().unwrap_or_default()
}

fn times(a: Vec<f32>, b: Vec<f32>) -> Vec<f32> {
    a.into_iter().zip(b).map(|(a, b)| a * b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::detector::network::Channels;
    use crate::train::parameters;

    fn answer(network: &Network) -> Vec<f32> {
        let input = Tensor::<1, Int>::arange(0..3 * 64 * 64, &Device::flex()).float();
        let input = (input * 0.37).sin().reshape([1, 3, 64, 64]);
        let flat = network.forward(input).map(|output| output.flatten::<1>(0, 3));
        Tensor::cat(flat.to_vec(), 0).into_data().try_into_vec().unwrap_or_default()
    }

    #[test]
    fn channels_that_say_nothing_are_the_ones_left_out() {
        let device = Device::flex();
        device.seed(9);
        let wide = Network::new(&Channels::of(1.0), &device);
        let mut values = parameters::take(&wide);
        // Every other channel is silent, except of the answers.
        for (name, kernel) in values.iter_mut().filter(|(_, kernel)| kernel.shape.len() == 4) {
            let answers = name.contains("output") || name.contains("points.");
            let per: usize = kernel.shape[1..].iter().product();
            let silent = kernel.values.chunks_exact_mut(per).skip(1).step_by(2);
            silent.filter(|_| !answers).for_each(|row| row.fill(0.0));
        }
        let (wide, ..) = parameters::put(wide, &values);
        let narrow = change(Network::new(&Channels::of(0.5), &device), &wide).expect("it fits");
        let (found, wanted) = (answer(&narrow), answer(&wide));
        assert_eq!(found.len(), wanted.len());
        let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "off by {worst}");
    }

    #[test]
    fn as_wide_it_is_the_same() {
        let device = Device::flex().autodiff();
        let network = Network::new(&Channels::of(0.5), &device);
        let same = change(Network::new(&Channels::of(0.5), &device), &network).expect("it fits");
        assert_eq!(parameters::take(&same), parameters::take(&network));
    }

    #[test]
    fn a_wider_one_answers_as_the_one_it_came_from_and_its_twins_are_heard_differently() {
        let device = Device::flex();
        device.seed(4);
        let network = Network::new(&Channels::of(0.5), &device);
        for width in [0.75, 1.0] {
            let wide = change(Network::new(&Channels::of(width), &device), &network);
            let wide = wide.expect("it fits");
            let (found, wanted) = (answer(&wide), answer(&network));
            let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-4, "off by {worst} at {width}");
            let columns = columns(&wide.backbone.blocks[11].pointwise.conv);
            let mut sorted = columns.clone();
            sorted.sort_by(f32::total_cmp);
            assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]), "twins at {width}");
        }
        let refused = change(Network::new(&Channels::of(1.5), &device), &network);
        let message = format!("{:#}", refused.expect_err("it is too wide"));
        assert!(message.contains("a layer has 8 channels, not 24"), "{message}");
    }
}
