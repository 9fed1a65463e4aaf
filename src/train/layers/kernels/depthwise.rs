use multiversion::multiversion;
use rayon::prelude::*;

use super::Planes;

/// A 3×3 convolution of each channel by itself.
///
/// A plane is laid out with its padding, and for stride 2 taken apart into its even and odd rows and
/// columns. Then every tap of the kernel is the same run of floats, begun elsewhere, whatever the
/// stride, and small planes make as long loops as large ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depthwise {
    pub channels: usize,
    /// Of the input.
    pub height: usize,
    pub width: usize,
    /// 1 or 2.
    pub stride: usize,
    /// Rows of zeros above and columns of zeros left of the input, 0 or 1.
    pub top: usize,
    pub left: usize,
    /// Of the output.
    pub rows: usize,
    pub columns: usize,
}

/// What a task lays planes out in; margins stay zero from plane to plane.
struct Scratch {
    /// The input, or its gradient.
    picture: Vec<f32>,
    /// The output, or its gradient, with a row's margin before and behind it.
    flat: Vec<f32>,
}

impl Depthwise {
    fn input(&self) -> usize {
        self.height * self.width
    }

    fn output(&self) -> usize {
        self.rows * self.columns
    }

    /// Floats of a row as it is laid out.
    fn pitch(&self) -> usize {
        self.columns + self.margin()
    }

    /// Further rows and columns that the last taps need.
    fn margin(&self) -> usize {
        3 - self.stride
    }

    /// Floats of one part of the input: all of it for stride 1, a quarter for stride 2.
    fn part(&self) -> usize {
        (self.rows + self.margin()) * self.pitch()
    }

    /// Where the run of each tap begins.
    fn taps(&self) -> [usize; 9] {
        std::array::from_fn(|tap| {
            let (row, column) = (tap / 3, tap % 3);
            self.place(row, column)
        })
    }

    /// Where a pixel lies, its row and column counted with the padding.
    fn place(&self, row: usize, column: usize) -> usize {
        let stride = self.stride;
        let part = (row % stride) * stride + column % stride;
        part * self.part() + row / stride * self.pitch() + column / stride
    }

    /// How far the last tap's run begins behind the first's, for stride 1.
    fn reach(&self) -> usize {
        2 * self.pitch() + 2
    }

    fn scratch(&self) -> Scratch {
        let run = self.rows * self.pitch();
        Scratch {
            picture: vec![0.0; self.stride * self.stride * self.part() + 2],
            flat: vec![0.0; self.reach() * 2 + run + 2],
        }
    }

    /// Calls `each` with the place of a row's first pixels in `picture` and in the plane, how many
    /// there are, and how far apart they lie in the plane.
    fn rows_of(&self, mut each: impl FnMut(usize, usize, usize)) {
        let stride = self.stride;
        for y in 0..self.height {
            for first in 0..stride.min(self.width) {
                let place = self.place(y + self.top, first + self.left);
                let count = (self.width - first).div_ceil(stride);
                each(place, y * self.width + first, count);
            }
        }
    }

    fn lay_out(&self, plane: &[f32], picture: &mut [f32]) {
        self.rows_of(|place, first, count| {
            let from = plane[first..].iter().step_by(self.stride);
            picture[place..][..count].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        });
    }

    fn take_back(&self, picture: &[f32], plane: &mut [f32]) {
        self.rows_of(|place, first, count| {
            let to = plane[first..].iter_mut().step_by(self.stride);
            to.zip(&picture[place..][..count]).for_each(|(to, from)| *to = *from);
        });
    }

    fn kernel<'a>(&self, kernels: &'a [f32], plane: usize) -> &'a [f32] {
        &kernels[plane % self.channels * 9..][..9]
    }

    fn planes(&self) -> Planes {
        Planes { channels: self.channels, pixels: self.input() }
    }

    /// `x` is `[pictures, channels, height, width]`, `kernels` `[channels, 3, 3]`.
    pub fn forward(&self, x: &[f32], kernels: &[f32]) -> Vec<f32> {
        let taps = self.taps();
        let (pitch, run) = (self.pitch(), self.rows * self.pitch());
        let mut out = vec![0.0; x.len() / self.input() * self.output()];
        out.par_chunks_mut(self.output())
            .zip(x.par_chunks(self.input()))
            .with_min_len(self.planes().grain())
            .enumerate()
            .for_each_init(
                || self.scratch(),
                |scratch, (plane, (out, x))| {
                    self.lay_out(x, &mut scratch.picture);
                    let flat = &mut scratch.flat[..run];
                    correlate(&scratch.picture, &taps, self.kernel(kernels, plane), flat);
                    for (to, from) in out.chunks_mut(self.columns).zip(flat.chunks(pitch)) {
                        to.copy_from_slice(&from[..self.columns]);
                    }
                },
            );
        out
    }

    /// The gradients of `x` (left empty unless asked for) and the kernels from that of the output.
    pub fn backward(
        &self,
        x: &[f32],
        kernels: &[f32],
        gradient: &[f32],
        of_x: bool,
    ) -> (Vec<f32>, Vec<f32>) {
        let taps = self.taps();
        let count = x.len() / self.input();
        let mut to_x = vec![0.0; if of_x { x.len() } else { 0 }];
        let mut planes = vec![[0.0_f32; 9]; count];
        // Where nothing is asked for, nothing is there to be cut in chunks.
        let mut places: Vec<&mut [f32]> = if of_x {
            to_x.chunks_mut(self.input()).collect()
        } else {
            (0..count).map(|_| &mut [][..]).collect()
        };
        planes
            .par_iter_mut()
            .zip(places.par_iter_mut())
            .zip(x.par_chunks(self.input()).zip(gradient.par_chunks(self.output())))
            .with_min_len(self.planes().grain())
            .enumerate()
            .for_each_init(
                || self.scratch(),
                |scratch, (plane, ((to_kernel, to_x), (x, gradient)))| {
                    self.back(scratch, x, gradient, &taps, to_kernel);
                    if of_x {
                        self.back_to_x(scratch, self.kernel(kernels, plane), &taps, to_x);
                    }
                },
            );
        let mut to_kernels = vec![0.0; kernels.len()];
        for (plane, sums) in planes.iter().enumerate() {
            let to = &mut to_kernels[plane % self.channels * 9..][..9];
            to.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
        }
        (to_x, to_kernels)
    }

    /// Lays the gradient out in `scratch.flat` and writes that of the kernel.
    fn back(
        &self,
        scratch: &mut Scratch,
        x: &[f32],
        gradient: &[f32],
        taps: &[usize; 9],
        to_kernel: &mut [f32; 9],
    ) {
        let (pitch, reach) = (self.pitch(), self.reach());
        self.lay_out(x, &mut scratch.picture);
        let flat = &mut scratch.flat[reach..][..self.rows * pitch];
        for (to, from) in flat.chunks_mut(pitch).zip(gradient.chunks(self.columns)) {
            to[..self.columns].copy_from_slice(from);
        }
        products(&scratch.picture, taps, flat, to_kernel);
    }

    fn back_to_x(
        &self,
        scratch: &mut Scratch,
        kernel: &[f32],
        taps: &[usize; 9],
        to_x: &mut [f32],
    ) {
        let reach = self.reach();
        let Scratch { picture, flat } = scratch;
        if self.stride == 1 {
            // Each pixel gathers from where it was a tap: the same loop, its runs the other way.
            let from = taps.map(|tap| reach - tap);
            let len = self.part();
            correlate(flat, &from, kernel, &mut picture[..len]);
        } else {
            picture.fill(0.0);
            let run = self.rows * self.pitch();
            scatter(&flat[reach..][..run], taps, kernel, picture);
        }
        self.take_back(picture, to_x);
        picture.fill(0.0);
    }
}

/// The sum of nine runs of `from`, each times its weight.
#[multiversion(targets("x86_64+avx2+fma"))]
fn correlate(from: &[f32], taps: &[usize; 9], kernel: &[f32], out: &mut [f32]) {
    let len = out.len();
    let k: [f32; 9] = std::array::from_fn(|tap| kernel[tap]);
    let runs = taps.map(|tap| &from[tap..][..len]);
    for at in 0..len {
        let top = runs[0][at] * k[0] + runs[1][at] * k[1] + runs[2][at] * k[2];
        let middle = runs[3][at] * k[3] + runs[4][at] * k[4] + runs[5][at] * k[5];
        let bottom = runs[6][at] * k[6] + runs[7][at] * k[7] + runs[8][at] * k[8];
        out[at] = top + middle + bottom;
    }
}

/// The sum of the products of `flat` with each of nine runs of `from`.
#[multiversion(targets("x86_64+avx2+fma"))]
fn products(from: &[f32], taps: &[usize; 9], flat: &[f32], out: &mut [f32; 9]) {
    for (out, tap) in out.iter_mut().zip(taps) {
        *out = super::sums(&from[*tap..][..flat.len()], flat, |a, b| (a * b, 0.0)).0;
    }
}

/// Adds `flat`, times each tap's weight, to that tap's run.
#[multiversion(targets("x86_64+avx2+fma"))]
fn scatter(flat: &[f32], taps: &[usize; 9], kernel: &[f32], to: &mut [f32]) {
    for (tap, weight) in taps.iter().zip(kernel) {
        for (to, from) in to[*tap..].iter_mut().zip(flat) {
            *to += from * weight;
        }
    }
}
