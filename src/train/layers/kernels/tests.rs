use proptest::prelude::*;

use super::{Cut, Depthwise, Normalise, Planes, offset, offset_gradients};
use crate::train::random::Random;

fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..len).map(|_| random.range(-1.0, 1.0)).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn close(a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len());
    let off = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off <= tolerance, "off by {off}");
}

/// The convolution as its definition says it.
fn plain(how: &Depthwise, x: &[f32], kernels: &[f32]) -> Vec<f32> {
    let mut out = Vec::new();
    for (plane, x) in x.chunks(how.height * how.width).enumerate() {
        let kernel = &kernels[plane % how.channels * 9..][..9];
        for (row, column) in (0..how.rows).flat_map(|r| (0..how.columns).map(move |c| (r, c))) {
            let mut sum = 0.0;
            for (tap, weight) in kernel.iter().enumerate() {
                let y = (row * how.stride + tap / 3).checked_sub(how.top);
                let x_at = (column * how.stride + tap % 3).checked_sub(how.left);
                if let (Some(y), Some(x_at)) = (y, x_at)
                    && y < how.height
                    && x_at < how.width
                {
                    sum += weight * x[y * how.width + x_at];
                }
            }
            out.push(sum);
        }
    }
    out
}

fn depthwise() -> impl Strategy<Value = Depthwise> {
    let padding = || (0..2_usize, 0..2_usize);
    (1..4_usize, 3..12_usize, 3..12_usize, 1..3_usize, padding(), padding()).prop_map(
        |(channels, height, width, stride, (top, bottom), (left, right))| Depthwise {
            channels,
            height,
            width,
            stride,
            top,
            left,
            rows: (top + height + bottom - 3) / stride + 1,
            columns: (left + width + right - 3) / stride + 1,
        },
    )
}

proptest! {
    #[test]
    fn depthwise_is_the_plain_convolution(how in depthwise(), seed in 0_u64..1000) {
        let x = noise(seed, 2 * how.channels * how.height * how.width);
        let kernels = noise(seed + 1, how.channels * 9);
        close(&how.forward(&x, &kernels), &plain(&how, &x, &kernels), 1e-5);
    }

    /// The convolution is linear in its input and in its kernels, so a gradient is right when its
    /// product with any input (or kernel) is the gradient's product with that one's output.
    #[test]
    fn depthwise_gradients_are_the_transposed_convolution(how in depthwise(), seed in 0_u64..1000) {
        let x = noise(seed, 2 * how.channels * how.height * how.width);
        let kernels = noise(seed + 1, how.channels * 9);
        let (other_x, other_kernels) = (noise(seed + 2, x.len()), noise(seed + 3, kernels.len()));
        let gradient = noise(seed + 4, 2 * how.channels * how.rows * how.columns);
        let (to_x, to_kernels) = how.backward(&x, &kernels, &gradient, true);
        let (none, alone) = how.backward(&x, &kernels, &gradient, false);
        prop_assert!(none.is_empty());
        prop_assert_eq!(&alone, &to_kernels);
        let wanted = dot(&gradient, &plain(&how, &other_x, &kernels));
        prop_assert!((dot(&to_x, &other_x) - wanted).abs() < 1e-4);
        let wanted = dot(&gradient, &plain(&how, &x, &other_kernels));
        prop_assert!((dot(&to_kernels, &other_kernels) - wanted).abs() < 1e-4);
    }
}

const PLANES: Planes = Planes { channels: 3, pixels: 35 };

#[test]
fn normalised_channels_have_their_gamma_and_beta() {
    let x: Vec<f32> = noise(1, 4 * 105).iter().map(|x| 1000.0 + x).collect();
    let (gamma, beta) = ([0.5, 2.0, 1.0], [0.0, -1.0, 3.0]);
    let how =
        Normalise { planes: PLANES, gamma: &gamma, beta: &beta, epsilon: 0.0, cut: Cut::NONE };
    let (mean, variance) = how.statistics(&x);
    let out = how.forward(&x, &mean, &variance);
    let (means, variances) = how.statistics(&out);
    // A thousand standard deviations from zero, and still some digits left.
    close(&means, &beta, 2e-3);
    close(&variances, &gamma.map(|gamma| gamma * gamma), 2e-3);
}

#[test]
fn gradients_of_the_normalisation_are_those_of_finite_differences() {
    for cut in [Cut::NONE, Cut::RELU, Cut::RELU6] {
        let x = noise(5, 2 * 105);
        let share = noise(6, x.len());
        // Cut off mostly, in part, and hardly.
        let (gamma, beta) = ([0.7, 2.0, 1.5], [-1.1, 0.4, 4.9]);
        let loss = |x: &[f32], gamma: &[f32], beta: &[f32]| {
            let how = Normalise { planes: PLANES, gamma, beta, epsilon: 1e-3, cut };
            let (mean, variance) = how.statistics(x);
            dot(&how.forward(x, &mean, &variance), &share)
        };
        let how = Normalise { planes: PLANES, gamma: &gamma, beta: &beta, epsilon: 1e-3, cut };
        let (mean, variance) = how.statistics(&x);
        let [to_x, to_gamma, to_beta] = how.backward(&x, &mean, &variance, &share);
        let step = 1e-3;
        let told =
            |moved: &dyn Fn(f32) -> f64| (moved(step) - moved(-step)) / f64::from(2.0 * step);
        let check = |found: f32, told: f64, what: &str| {
            assert!((f64::from(found) - told).abs() < 0.03, "{what}: {found}, not {told}");
        };
        for at in (0..x.len()).step_by(13) {
            let told = told(&|by| {
                let mut x = x.clone();
                x[at] += by;
                loss(&x, &gamma, &beta)
            });
            check(to_x[at], told, "x");
        }
        for channel in 0..3 {
            let moved = |values: [f32; 3], by: f32| {
                let mut values = values;
                values[channel] += by;
                values
            };
            check(to_gamma[channel], told(&|by| loss(&x, &moved(gamma, by), &beta)), "gamma");
            check(to_beta[channel], told(&|by| loss(&x, &gamma, &moved(beta, by))), "beta");
        }
    }
}

#[test]
fn an_offset_adds_cuts_and_hands_back_what_passed() {
    let planes = Planes { channels: 2, pixels: 3 };
    let mut x = vec![-2.0, 0.5, 1.0, 4.0, 5.5, -9.0];
    offset(&mut x, &[1.0, 1.0], planes, Cut::RELU6);
    assert_eq!(x, [0.0, 1.5, 2.0, 5.0, 6.0, 0.0]);
    let gradient = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let (to_x, to_bias) = offset_gradients(&x, &gradient, planes, Cut::RELU6);
    assert_eq!(to_x, [0.0, 2.0, 3.0, 4.0, 0.0, 0.0]);
    assert_eq!(to_bias, [5.0, 4.0]);
}

#[test]
fn what_is_no_number_is_not_cut_to_one() {
    for cut in [Cut::NONE, Cut::RELU, Cut::RELU6] {
        let mut x = vec![f32::NAN, 1.0, f32::NAN, 1.0];
        let planes = Planes { channels: 2, pixels: 2 };
        offset(&mut x, &[0.0, 0.0], planes, cut);
        assert!(x[0].is_nan() && x[2].is_nan(), "{cut:?}: {x:?}");
        let (to_x, _) = offset_gradients(&x, &[f32::NAN; 4], planes, cut);
        assert!(to_x.iter().all(|gradient| gradient.is_nan()), "{cut:?}: {to_x:?}");
        let how = Normalise { planes, gamma: &[1.0; 2], beta: &[0.0; 2], epsilon: 1e-3, cut };
        let (mean, variance) = how.statistics(&x);
        assert!(how.forward(&x, &mean, &variance).iter().all(|value| value.is_nan()), "{cut:?}");
    }
}
