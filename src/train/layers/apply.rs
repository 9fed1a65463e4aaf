//! Layers run by our kernels where these know them, else by the framework.

use burn::backend::Dispatch;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, PaddingConfig2d};
use burn::tensor::Tensor;

use super::kernels::{Cut, Depthwise};
use super::ops::LayerOps;

/// The convolution with its bias, cut.
pub fn convolve(conv: &Conv2d, x: Tensor<4>, cut: Cut) -> Tensor<4> {
    let Some(out) = fast(conv, &x) else { return cut_off(conv.forward(x), cut) };
    match &conv.bias {
        Some(bias) => {
            let bias = bias.val().into_dispatch();
            Tensor::from_dispatch(Dispatch::offset(out.into_dispatch(), bias, cut))
        }
        None => cut_off(out, cut),
    }
}

/// The convolution without its bias, where it is depthwise 3×3 or 1×1.
fn fast(conv: &Conv2d, x: &Tensor<4>) -> Option<Tensor<4>> {
    let [_, channels, height, width] = x.dims();
    let [out, inner, ..] = conv.weight.dims();
    let [stride, other_stride] = conv.stride;
    if conv.dilation != [1, 1] || stride != other_stride {
        return None;
    }
    let kernel = conv.weight.val().into_dispatch();
    let x = || x.clone().into_dispatch();
    if conv.kernel_size == [1, 1] && conv.groups == 1 && stride == 1 && !padded(conv) {
        return Some(Tensor::from_dispatch(Dispatch::pointwise(x(), kernel)));
    }
    let depthwise = conv.groups == channels && out == channels && inner == 1;
    if conv.kernel_size != [3, 3] || !depthwise || !(1..=2).contains(&stride) {
        return None;
    }
    let (top, rows) = along(&conv.padding, height, stride, true)?;
    let (left, columns) = along(&conv.padding, width, stride, false)?;
    let how = Depthwise { channels, height, width, stride, top, left, rows, columns };
    Some(Tensor::from_dispatch(Dispatch::depthwise(x(), kernel, how)))
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
    if !device.is_autodiff() || !norm.training.is_enabled() {
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
            let ours = convolve(&conv, x.clone(), Cut::RELU);
            let wanted = relu(conv.forward(x.clone()));
            assert_eq!(ours.dims(), wanted.dims(), "{shape:?}");
            let share = Tensor::<4>::random(ours.dims(), noise, &device);
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
            let off = (told(&ours) - told(&wanted)).abs().max().into_scalar::<f32>();
            assert!(off < 1e-4, "{shape:?}: {off}");
        }
    }
}
