//! Layers run by our kernels where these know them, else by the framework. The kernels are for the
//! processor; a graphics card is the framework's.

use burn::backend::Dispatch;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, PaddingConfig2d};
use burn::tensor::{Device, Tensor, s};

use super::kernels::{Cut, Depthwise};
use super::ops::LayerOps;

/// The convolution with its bias, cut.
pub fn convolve(conv: &Conv2d, x: Tensor<4>, cut: Cut) -> Tensor<4> {
    let ours = on_processor(&x.device());
    convolve_by(conv, x, cut, ours)
}

/// With kernels of ours or without.
fn convolve_by(conv: &Conv2d, x: Tensor<4>, cut: Cut, ours: bool) -> Tensor<4> {
    let Some(out) = fast(conv, &x, ours) else { return cut_off(conv.forward(x), cut) };
    match &conv.bias {
        Some(bias) if ours => {
            let bias = bias.val().into_dispatch();
            Tensor::from_dispatch(Dispatch::offset(out.into_dispatch(), bias, cut))
        }
        Some(bias) => cut_off(out + bias.val().reshape([1, -1, 1, 1]), cut),
        None => cut_off(out, cut),
    }
}

/// The convolution without its bias, where it is depthwise 3×3 or, with kernels of ours, 1×1.
fn fast(conv: &Conv2d, x: &Tensor<4>, ours: bool) -> Option<Tensor<4>> {
    let [_, channels, height, width] = x.dims();
    let [out, inner, ..] = conv.weight.dims();
    let [stride, other_stride] = conv.stride;
    if conv.dilation != [1, 1] || stride != other_stride {
        return None;
    }
    let kernel = || conv.weight.val().into_dispatch();
    let dispatched = || x.clone().into_dispatch();
    if conv.kernel_size == [1, 1] && conv.groups == 1 && stride == 1 && !padded(conv) && ours {
        return Some(Tensor::from_dispatch(Dispatch::pointwise(dispatched(), kernel())));
    }
    let depthwise = conv.groups == channels && out == channels && inner == 1;
    if conv.kernel_size != [3, 3] || !depthwise || !(1..=2).contains(&stride) {
        return None;
    }
    let (top, rows) = along(&conv.padding, height, stride, true)?;
    let (left, columns) = along(&conv.padding, width, stride, false)?;
    let how = Depthwise { channels, height, width, stride, top, left, rows, columns };
    if !ours {
        return shifted(x.clone(), conv.weight.val(), how);
    }
    Some(Tensor::from_dispatch(Dispatch::depthwise(dispatched(), kernel(), how)))
}

fn on_processor(device: &Device) -> bool {
    // Whether they are for gradients does not count.
    *device == Device::flex()
}

/// A depthwise convolution as the sum of nine shifted pictures: the framework finds the gradient of
/// its own kernel by a convolution for every channel.
fn shifted(x: Tensor<4>, kernel: Tensor<4>, how: Depthwise) -> Option<Tensor<4>> {
    let Depthwise { channels, height, width, stride, top, left, rows, columns } = how;
    // From the first to behind the last pixel that one tap of the kernel sees.
    let span = |out: usize| (out - 1) * stride + 1;
    let after = |out: usize, before, size| (span(out) + 2).saturating_sub(before + size);
    let around = (left, after(columns, left, width), top, after(rows, top, height));
    let x = x.pad(around, 0.0);
    let taps = (0..3).flat_map(|row| (0..3).map(move |column| (row, column)));
    let products = taps.map(|(row, column)| {
        let seen = x.clone().slice(s![
            ..,
            ..,
            row..row + span(rows);stride,
            column..column + span(columns);stride
        ]);
        let weight = kernel.clone().slice(s![.., .., row..=row, column..=column]);
        seen * weight.reshape([1, channels, 1, 1])
    });
    products.reduce(|sum, product| sum + product)
}

fn padded(conv: &Conv2d) -> bool {
    matches!(conv.padding, PaddingConfig2d::Explicit(a, b, c, d) if a + b + c + d > 0)
}

/// The padding before the first of `size` pixels, and the pixels of the output.
fn along(
    padding: &PaddingConfig2d,
    size: usize,
    stride: usize,
    upright: bool,
) -> Option<(usize, usize)> {
    let (before, after) = match padding {
        PaddingConfig2d::Same => {
            let whole = ((size.div_ceil(stride) - 1) * stride + 3).saturating_sub(size);
            (whole / 2, whole - whole / 2)
        }
        PaddingConfig2d::Valid => (0, 0),
        PaddingConfig2d::Explicit(top, _, bottom, _) if upright => (*top, *bottom),
        PaddingConfig2d::Explicit(_, left, _, right) => (*left, *right),
    };
    let out = (before + size + after).checked_sub(3)? / stride + 1;
    Some((before, out))
}

/// Batch normalisation, cut. While it learns, the running statistics take in those of the batch.
pub fn normalise(norm: &BatchNorm, x: Tensor<4>, cut: Cut) -> Tensor<4> {
    let device = x.device();
    if !device.is_autodiff() || !norm.training.is_enabled() || !on_processor(&device) {
        return cut_off(norm.forward(x), cut);
    }
    let (out, mean, variance) = Dispatch::normalise(
        x.into_dispatch(),
        norm.gamma.val().into_dispatch(),
        norm.beta.val().into_dispatch(),
        norm.epsilon,
        cut,
    );
    for (running, seen) in [(&norm.running_mean, mean), (&norm.running_var, variance)] {
        let seen = Tensor::<1>::from_dispatch(seen) * norm.momentum;
        let kept = running.value_sync().to_device(&device) * (1.0 - norm.momentum);
        running.update((kept + seen).detach());
    }
    Tensor::from_dispatch(out)
}

fn cut_off(x: Tensor<4>, cut: Cut) -> Tensor<4> {
    match cut {
        Cut::NONE => x,
        Cut::RELU => burn::tensor::activation::relu(x),
        Cut { low, high } => x.clamp(low, high),
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::activation::relu;
    use burn::tensor::{Device, Distribution};

    use super::*;

    #[test]
    fn layers_and_their_gradients_are_those_of_the_framework() {
        let device = Device::flex().autodiff();
        device.seed(4);
        // Channels in and out, kernel, stride, groups; the last two are left to the framework.
        let shapes =
            [(6, 6, 3, 1, 6), (6, 6, 3, 2, 6), (6, 4, 1, 1, 1), (6, 4, 3, 2, 1), (6, 4, 1, 2, 2)];
        for (shape, same) in shapes.into_iter().flat_map(|shape| [(shape, true), (shape, false)]) {
            let (from, to, kernel, stride, groups) = shape;
            let pad = kernel / 2;
            let padding = if same {
                PaddingConfig2d::Same
            } else {
                PaddingConfig2d::Explicit(pad, pad, pad, pad)
            };
            let conv = Conv2dConfig::new([from, to], [kernel, kernel])
                .with_stride([stride, stride])
                .with_groups(groups)
                .with_padding(padding)
                .init(&device);
            let noise = Distribution::Uniform(-1.0, 1.0);
            let x = Tensor::<4>::random([2, from, 8, 7], noise, &device).require_grad();
            let wanted = relu(conv.forward(x.clone()));
            let share = Tensor::<4>::random(wanted.dims(), noise, &device);
            let told = |out: &Tensor<4>| {
                let gradients = (out.clone() * share.clone()).sum().backward();
                let bias = conv.bias.as_ref().and_then(|bias| bias.val().grad(&gradients));
                let found = [
                    Some(out.clone().inner().reshape([-1])),
                    x.grad(&gradients).map(|t| t.reshape([-1])),
                    conv.weight.val().grad(&gradients).map(|t| t.reshape([-1])),
                    bias,
                ];
                Tensor::<1>::cat(found.map(|t| t.expect("a gradient")).to_vec(), 0)
            };
            let dims = wanted.dims();
            let wanted = told(&wanted);
            for ours in [true, false] {
                let found = convolve_by(&conv, x.clone(), Cut::RELU, ours);
                assert_eq!(found.dims(), dims, "{shape:?}");
                let off = (told(&found) - wanted.clone()).abs().max().into_scalar::<f32>();
                assert!(off < 1e-4, "{shape:?}, kernels of ours {ours}: {off}");
            }
        }
    }
}
