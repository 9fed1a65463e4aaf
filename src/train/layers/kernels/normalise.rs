use multiversion::multiversion;
use rayon::prelude::*;

use super::{Cut, Planes, sums};

/// Batch normalisation with the statistics of the batch, and a cut behind it: `x` and what it gives
/// are `[pictures, channels, pixels]`, all other slices `[channels]`.
#[derive(Clone, Copy, Debug)]
pub struct Normalise<'a> {
    pub planes: Planes,
    pub gamma: &'a [f32],
    pub beta: &'a [f32],
    pub epsilon: f32,
    pub cut: Cut,
}

/// What a channel's values are multiplied by, and what is added then.
#[derive(Clone, Copy)]
struct Line {
    scale: f32,
    shift: f32,
}

impl Normalise<'_> {
    /// Mean and biased variance of each channel.
    pub fn statistics(&self, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let channel = |channel| {
            let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
            // Plane by plane (Chan et al., "Updating formulae and a pairwise algorithm for
            // computing sample variances", 1979): a difference of large sums would lose digits.
            for plane in self.planes.of(x, channel) {
                let (plane_mean, plane_squares) = moments(plane);
                let added = plane.len() as f64;
                let off = f64::from(plane_mean) - mean;
                count += added;
                mean += off * added / count;
                squares += f64::from(plane_squares) + off * off * added * (count - added) / count;
            }
            (mean as f32, (squares / count) as f32)
        };
        (0..self.planes.channels).into_par_iter().map(channel).unzip()
    }

    fn lines(&self, mean: &[f32], variance: &[f32]) -> Vec<Line> {
        let factors = self.gamma.iter().zip(self.beta).zip(mean.iter().zip(variance));
        factors
            .map(|((gamma, beta), (mean, variance))| {
                let scale = gamma / (variance + self.epsilon).sqrt();
                Line { scale, shift: beta - mean * scale }
            })
            .collect()
    }

    /// `x` normalised with these statistics and cut.
    pub fn forward(&self, x: &[f32], mean: &[f32], variance: &[f32]) -> Vec<f32> {
        let lines = self.lines(mean, variance);
        let mut out = vec![0.0; x.len()];
        let Planes { channels, pixels } = self.planes;
        out.par_chunks_mut(pixels)
            .zip(x.par_chunks(pixels))
            .with_min_len(self.planes.grain())
            .enumerate()
            .for_each(|(plane, (out, x))| along(x, lines[plane % channels], self.cut, out));
        out
    }

    /// The gradients of `x`, gamma and beta from that of the output; the formula of Ioffe and
    /// Szegedy, "Batch Normalization", 2015.
    pub fn backward(
        &self,
        x: &[f32],
        mean: &[f32],
        variance: &[f32],
        gradient: &[f32],
    ) -> [Vec<f32>; 3] {
        let lines = self.lines(mean, variance);
        let (to_gamma, to_beta): (Vec<f32>, Vec<f32>) = (0..self.planes.channels)
            .into_par_iter()
            .map(|channel| {
                let pairs = self.planes.of(x, channel).zip(self.planes.of(gradient, channel));
                let (mut products, mut sum) = (0.0, 0.0);
                for (x, gradient) in pairs {
                    let of = slopes(x, gradient, lines[channel], self.cut, mean[channel]);
                    products += f64::from(of.0);
                    sum += f64::from(of.1);
                }
                let deviation = f64::from(variance[channel] + self.epsilon).sqrt();
                ((products / deviation) as f32, sum as f32)
            })
            .unzip();
        let Planes { channels, pixels } = self.planes;
        let count = (x.len() / channels) as f32;
        // scale · (g - mean(g) - x̂ · mean(g · x̂)), as a line in x beside the gradient.
        let corrections: Vec<Line> = (0..channels)
            .map(|channel| {
                let Line { scale, .. } = lines[channel];
                let deviation = (variance[channel] + self.epsilon).sqrt();
                let slope = -scale * to_gamma[channel] / count / deviation;
                let shift = -scale * to_beta[channel] / count - slope * mean[channel];
                Line { scale: slope, shift }
            })
            .collect();
        let mut to_x = vec![0.0; x.len()];
        to_x.par_chunks_mut(pixels)
            .zip(x.par_chunks(pixels).zip(gradient.par_chunks(pixels)))
            .with_min_len(self.planes.grain())
            .enumerate()
            .for_each(|(plane, (to_x, (x, gradient)))| {
                let channel = plane % channels;
                back(x, gradient, [lines[channel], corrections[channel]], self.cut, to_x);
            });
        [to_x, to_gamma, to_beta]
    }
}

/// Adds its channel's `bias` to each value of `x` and cuts it, in place.
pub fn offset(x: &mut [f32], bias: &[f32], planes: Planes, cut: Cut) {
    x.par_chunks_mut(planes.pixels)
        .with_min_len(planes.grain())
        .enumerate()
        .for_each(|(plane, x)| raise(x, bias[plane % planes.channels], cut));
}

/// The gradients of `x` and the bias of [`offset`] from its output and that output's gradient.
pub fn offset_gradients(
    out: &[f32],
    gradient: &[f32],
    planes: Planes,
    cut: Cut,
) -> (Vec<f32>, Vec<f32>) {
    let Planes { channels, pixels } = planes;
    let mut to_x = vec![0.0; out.len()];
    let sums: Vec<f32> = to_x
        .par_chunks_mut(pixels)
        .zip(out.par_chunks(pixels).zip(gradient.par_chunks(pixels)))
        .with_min_len(planes.grain())
        .map(|(to_x, (out, gradient))| passed(out, gradient, cut, to_x))
        .collect();
    let mut to_bias = vec![0.0_f64; channels];
    for (plane, sum) in sums.into_iter().enumerate() {
        to_bias[plane % channels] += f64::from(sum);
    }
    (to_x, to_bias.into_iter().map(|sum| sum as f32).collect())
}

/// Mean, and sum of the squared distances from it.
#[multiversion(targets("x86_64+avx2+fma"))]
fn moments(plane: &[f32]) -> (f32, f32) {
    let mean = sums(plane, plane, |x, _| (x, 0.0)).0 / plane.len() as f32;
    (mean, sums(plane, plane, |x, _| ((x - mean) * (x - mean), 0.0)).0)
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn along(x: &[f32], line: Line, cut: Cut, out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = cut.of(x * line.scale + line.shift);
    }
}

/// Sums of the gradients that pass the cut: times the distance from the mean, and by themselves.
#[multiversion(targets("x86_64+avx2+fma"))]
fn slopes(x: &[f32], gradient: &[f32], line: Line, cut: Cut, mean: f32) -> (f32, f32) {
    sums(x, gradient, |x, gradient| {
        let passed = cut.gradient(x * line.scale + line.shift, gradient);
        (passed * (x - mean), passed)
    })
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn back(x: &[f32], gradient: &[f32], lines: [Line; 2], cut: Cut, to_x: &mut [f32]) {
    let [line, correction] = lines;
    for ((to_x, x), gradient) in to_x.iter_mut().zip(x).zip(gradient) {
        let passed = cut.gradient(x * line.scale + line.shift, *gradient);
        *to_x = passed * line.scale + x * correction.scale + correction.shift;
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn raise(x: &mut [f32], bias: f32, cut: Cut) {
    for x in x {
        *x = cut.of(*x + bias);
    }
}

/// Writes the gradients that pass the cut; gives their sum.
#[multiversion(targets("x86_64+avx2+fma"))]
fn passed(out: &[f32], gradient: &[f32], cut: Cut, to_x: &mut [f32]) -> f32 {
    for ((to_x, out), gradient) in to_x.iter_mut().zip(out).zip(gradient) {
        *to_x = cut.gradient(*out, *gradient);
    }
    sums(to_x, to_x, |x, _| (x, 0.0)).0
}
