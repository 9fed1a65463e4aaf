//! A layer's weights and bias as the integers it is computed with.

use super::range::Bytes;
use super::source::Weighted;

/// Largest bias in steps. A sum of products of bytes (under 2^29 for 12,000 inputs, more than any
/// layer here has) still fits beside it in 32 bits.
const MOST: f32 = (1u32 << 30) as f32;

/// A layer in integers.
#[derive(Clone, Debug, PartialEq)]
pub struct Integers {
    pub weights: Vec<i8>,
    /// What a step of the weights is, one for each output channel.
    pub scales: Vec<f32>,
    /// In steps of the input's scale times the weights'.
    pub bias: Option<Vec<i32>>,
    pub bias_scales: Vec<f32>,
}

/// The layer behind an activation in `input` bytes. Weights stay just as they are but in dead
/// channels: where training has shrunk the weights to nothing beside the bias, the bias would not
/// fit into 32 bits; these weights get a larger step, of which they are less than half, that is 0.
pub fn integers(layer: &Weighted, input: Bytes) -> Integers {
    let channels = layer.scales.len().max(1);
    let per_channel = (layer.values.len() / channels).max(1);
    let mut made = Integers {
        weights: layer.values.clone(),
        scales: layer.scales.clone(),
        bias: layer.bias.as_ref().map(|_| Vec::with_capacity(channels)),
        bias_scales: Vec::with_capacity(channels),
    };
    let rows = made.weights.chunks_mut(per_channel).zip(&mut made.scales);
    for (channel, (weights, scale)) in rows.enumerate() {
        let bias = layer.bias.as_ref().and_then(|bias| bias.get(channel)).copied().unwrap_or(0.0);
        let least = (bias.abs() / (MOST * input.scale)).max(f32::MIN_POSITIVE / input.scale);
        if *scale < least {
            let ratio = *scale / least;
            weights.iter_mut().for_each(|w| *w = (f32::from(*w) * ratio).round() as i8);
            *scale = least;
        }
        let step = input.scale * *scale;
        made.bias_scales.push(step);
        if let Some(steps) = &mut made.bias {
            // At most 2^30 and a rounding.
            steps.push((bias / step).round_ties_even() as i32);
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::onnx::int32s;

    fn layer(values: Vec<i8>, scales: Vec<f32>, bias: Vec<f32>) -> Weighted {
        let nothing = int32s("nothing", &[0], &[]);
        let (weights, zeros) = (nothing.clone(), nothing);
        Weighted { weights, zeros, values, scales, bias: Some(bias) }
    }

    const INPUT: Bytes = Bytes { scale: 0.02, zero: 0 };

    #[test]
    fn weights_stay_and_the_bias_is_counted_in_their_steps() {
        let source = layer(vec![1, -127, 3, 127], vec![0.01, 0.5], vec![0.4, -1.0]);
        let made = integers(&source, INPUT);
        assert_eq!((&made.weights, &made.scales), (&source.values, &source.scales));
        assert_eq!(made.bias, Some(vec![2000, -100]));
        assert_eq!(made.bias_scales, [0.02 * 0.01, 0.02 * 0.5]);
    }

    #[test]
    fn a_dead_channel_keeps_its_bias_and_loses_weights_that_are_nothing() {
        let source = layer(vec![127, -5, 7, 127], vec![3e-23, 0.01], vec![1.5, 0.2]);
        let made = integers(&source, INPUT);
        assert_eq!(made.weights, [0, 0, 7, 127]);
        assert_eq!(made.scales[1], 0.01);
        let bias = made.bias.unwrap();
        assert!((bias[0] as f32 * made.bias_scales[0] - 1.5).abs() < 1e-5);
        assert!(bias[0] > 1 << 29 && bias[0] <= 1 << 30, "{bias:?}");
    }

    #[test]
    fn a_channel_without_weights_or_bias_has_steps_that_can_be_divided_by() {
        let made = integers(&layer(vec![0, 1], vec![f32::MIN_POSITIVE, 1.0], vec![0.0; 2]), INPUT);
        assert!(made.bias_scales.iter().all(|scale| scale.is_normal()), "{made:?}");
        assert_eq!(made.bias, Some(vec![0, 0]));
    }
}
