//! What the layers spend their time in, on plain slices: normalisation with the cut behind it, and
//! 3×3 convolutions of single channels, with their gradients. Made of a framework's tensor
//! operations these pass over the memory once for each operation; written out, a few times.
//! Never: tensors, parameters, which layer wants what.

mod depthwise;
mod normalise;
#[cfg(test)]
mod tests;

pub use depthwise::Depthwise;
pub use normalise::{Normalise, offset, offset_gradients};

/// Floats that one task takes on at least, so that starting it is worth while.
const GRAIN: usize = 1 << 14;

/// How a slice holds its pictures: `[pictures, channels, pixels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planes {
    pub channels: usize,
    pub pixels: usize,
}

impl Planes {
    /// The planes of one channel, one of each picture.
    fn of<'a>(&self, values: &'a [f32], channel: usize) -> impl Iterator<Item = &'a [f32]> {
        let Self { channels, pixels } = *self;
        values
            .chunks_exact(channels * pixels)
            .map(move |picture| &picture[channel * pixels..][..pixels])
    }

    /// Planes that make a task.
    fn grain(&self) -> usize {
        (GRAIN / self.pixels.max(1)).max(1)
    }
}

/// Below and above which values are cut off; their gradient is 0 there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    pub low: f32,
    pub high: f32,
}

impl Cut {
    pub const NONE: Self = Self { low: f32::NEG_INFINITY, high: f32::INFINITY };
    pub const RELU: Self = Self { low: 0.0, high: f32::INFINITY };
    pub const RELU6: Self = Self { low: 0.0, high: 6.0 };

    /// What is no number stays none, there and back: a training that diverges must be seen to.
    #[inline(always)]
    fn of(self, value: f32) -> f32 {
        value.clamp(self.low, self.high)
    }

    /// `gradient` where `value` was not cut off.
    #[inline(always)]
    fn gradient(self, value: f32, gradient: f32) -> f32 {
        if value <= self.low || value >= self.high { 0.0 } else { gradient }
    }
}

/// Sums of two terms of every pair, in lanes, so that they need not wait for one another.
#[inline(always)]
fn sums(a: &[f32], b: &[f32], terms: impl Fn(f32, f32) -> (f32, f32)) -> (f32, f32) {
    const LANES: usize = 16;
    let (mut first, mut second) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let rest = rest.map(|(a, b)| terms(*a, *b)).fold((0.0, 0.0), |s, t| (s.0 + t.0, s.1 + t.1));
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            let (one, two) = terms(a[lane], b[lane]);
            first[lane] += one;
            second[lane] += two;
        }
    }
    (first.iter().sum::<f32>() + rest.0, second.iter().sum::<f32>() + rest.1)
}
