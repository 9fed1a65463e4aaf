//! Which 256 values an activation may take: the scale and zero point that lose least.

use serde::Serialize;

use super::histogram::Histogram;

/// Ends tried for the range, as parts of what was seen: from all of it to a quarter.
const ENDS: usize = 32;
const LEAST_END: f32 = 0.25;
/// Then scales this near to the best, in so many steps either way, with neighbouring zero points.
const FINE: f32 = 0.02;
const FINE_STEPS: i32 = 20;

/// An activation as a byte: `value ≈ (byte - zero) * scale`. Zero itself is always exact, for
/// zeros are what convolutions pad with and ReLU cuts at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bytes {
    pub scale: f32,
    pub zero: u8,
}

impl Bytes {
    /// From about `low` to `high`, which have zero between them.
    pub fn between(low: f32, high: f32) -> Self {
        let scale = (high - low) / 255.0;
        if !scale.is_normal() {
            // Nothing but zeros; any scale holds them.
            return Self { scale: 1.0, zero: 0 };
        }
        Self { scale, zero: (-low / scale).round().clamp(0.0, 255.0) as u8 }
    }

    /// Lowest and highest value.
    pub fn range(self) -> (f32, f32) {
        (self.value(0), self.value(255))
    }

    pub fn value(self, byte: u8) -> f32 {
        (f32::from(byte) - f32::from(self.zero)) * self.scale
    }

    /// As ONNX's QuantizeLinear has it.
    pub fn byte(self, value: f32) -> u8 {
        let steps = (value / self.scale).round_ties_even() + f32::from(self.zero);
        steps.clamp(0.0, 255.0) as u8
    }

    /// Sum of squared errors over values and how often they occur.
    fn loss(self, values: &[(f32, f32)]) -> f64 {
        let (per_scale, zero) = (1.0 / self.scale, f32::from(self.zero));
        let error = |value: f32| {
            let steps = (value * per_scale).round_ties_even().clamp(-zero, 255.0 - zero);
            value - steps * self.scale
        };
        values.iter().map(|(value, count)| f64::from(count * error(*value).powi(2))).sum()
    }
}

/// The bytes that lose least of what `seen` has counted, in the mean of squares. No byte stands for
/// a value outside `limits`, which are what the activation is clipped to (infinite where it is
/// not).
pub fn choose(seen: &Histogram, limits: (f32, f32)) -> Bytes {
    let (low, high) = seen.range();
    let (low, high) = (low.max(limits.0), high.min(limits.1));
    let whole = within(Bytes::between(low, high), limits);
    let mut search = Search { values: seen.values(), limits, best: whole, loss: f64::INFINITY };
    for low in ends(low) {
        for high in ends(high) {
            search.consider(Bytes::between(low, high));
        }
    }
    let coarse = search.best;
    for zero in coarse.zero.saturating_sub(1)..=coarse.zero.saturating_add(1) {
        for step in -FINE_STEPS..=FINE_STEPS {
            let factor = 1.0 + FINE * step as f32 / FINE_STEPS as f32;
            search.consider(Bytes { scale: coarse.scale * factor, zero });
        }
    }
    search.best
}

/// The best so far.
struct Search {
    values: Vec<(f32, f32)>,
    limits: (f32, f32),
    best: Bytes,
    loss: f64,
}

impl Search {
    fn consider(&mut self, bytes: Bytes) {
        let bytes = within(bytes, self.limits);
        // A zero point that has no room below the clip leaves no scale.
        if !bytes.scale.is_normal() {
            return;
        }
        let loss = bytes.loss(&self.values);
        if loss < self.loss {
            (self.best, self.loss) = (bytes, loss);
        }
    }
}

/// Ends to try on one side of zero; zero alone where nothing lies on that side.
fn ends(end: f32) -> Vec<f32> {
    if end == 0.0 {
        return vec![0.0];
    }
    let part = |step: usize| 1.0 - (1.0 - LEAST_END) * step as f32 / ENDS as f32;
    (0..=ENDS).map(|step| end * part(step)).collect()
}

/// The same zero point and the largest scale, up to that of `bytes`, that keeps to the limits: the
/// clip can then be left to the rounding, which integer runtimes do when they fuse.
fn within(bytes: Bytes, limits: (f32, f32)) -> Bytes {
    let zero = f32::from(bytes.zero);
    let mut scale = bytes.scale;
    if bytes.zero < 255 {
        scale = scale.min(limits.1 / (255.0 - zero));
    }
    if bytes.zero > 0 {
        scale = scale.min(-limits.0 / zero);
    }
    let mut bytes = Bytes { scale, ..bytes };
    // The division may have rounded up.
    while scale > 0.0 && (bytes.range().0 < limits.0 || bytes.range().1 > limits.1) {
        bytes.scale = bytes.scale.next_down();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::train::random::Random;

    const FREE: (f32, f32) = (f32::NEG_INFINITY, f32::INFINITY);

    fn counted(values: &[f32]) -> Histogram {
        let mut histogram = Histogram::default();
        histogram.add(values);
        histogram
    }

    fn mean_error(bytes: Bytes, values: &[f32]) -> f32 {
        let error = |v: &f32| (bytes.value(bytes.byte(*v)) - v).powi(2);
        values.iter().map(error).sum::<f32>() / values.len() as f32
    }

    #[test]
    fn an_outlier_does_not_cost_all_others_their_steps() {
        let mut random = Random::new(1);
        let mut values: Vec<f32> = (0..1_000_000).map(|_| random.normal()).collect();
        values.push(14.0);
        let chosen = choose(&counted(&values), FREE);
        let (low, high) = chosen.range();
        assert!((-3.6..-2.5).contains(&low) && (2.8..7.0).contains(&high), "{chosen:?}");
        let whole = Bytes::between(-3.5, 14.0);
        assert!(mean_error(chosen, &values) < 0.6 * mean_error(whole, &values), "{chosen:?}");
    }

    #[test]
    fn what_fills_its_range_evenly_keeps_it_all() {
        let values: Vec<f32> = (0..=6000).map(|v| v as f32 / 1000.0).collect();
        let chosen = choose(&counted(&values), (0.0, 6.0));
        assert_eq!(chosen.zero, 0);
        assert!((5.95..=6.0).contains(&chosen.range().1), "{chosen:?}");
    }

    #[test]
    fn a_clipped_activation_gets_no_value_beyond_its_clip() {
        // Most of it at the clip itself, the worst case for a scale that is rounded.
        let values: Vec<f32> = (0..3000).map(|v| (v as f32 / 100.0).min(6.0)).collect();
        let chosen = choose(&counted(&values), (0.0, 6.0));
        assert!(chosen.value(255) <= 6.0 && 255.0 * chosen.scale <= 6.0, "{chosen:?}");
        assert!(chosen.value(255) > 5.999, "{chosen:?}");
    }

    #[test]
    fn pixels_do_not_fall_between_the_bytes() {
        // A byte of a picture is 1/127.5 wide and none is zero: a scale of just that would put all
        // of them half way between two steps.
        let pixels: Vec<f32> = (0..=255).map(|p| p as f32 / 127.5 - 1.0).collect();
        let chosen = choose(&counted(&pixels), FREE);
        let natural = Bytes::between(-1.0, 1.0);
        assert!(mean_error(chosen, &pixels) < 0.5 * mean_error(natural, &pixels), "{chosen:?}");
    }

    #[test]
    fn nothing_but_zeros_is_held_and_nothing_at_all_too() {
        for values in [&[0.0_f32; 4][..], &[]] {
            let chosen = choose(&counted(values), (0.0, 6.0));
            assert!(chosen.scale > 0.0 && chosen.value(chosen.byte(0.0)) == 0.0, "{chosen:?}");
        }
    }

    proptest! {
        #[test]
        fn zero_is_exact_and_every_value_within_half_a_step(
            low in -50.0..0.0_f32, high in 0.0..50.0_f32, part in 0.0..1.0_f32,
        ) {
            let bytes = Bytes::between(low, high);
            prop_assert_eq!(bytes.value(bytes.byte(0.0)), 0.0);
            prop_assert_eq!(bytes.byte(0.0), bytes.zero);
            let (first, last) = bytes.range();
            let value = first + (last - first) * part;
            prop_assert!((bytes.value(bytes.byte(value)) - value).abs() <= 0.501 * bytes.scale);
        }

        #[test]
        fn any_values_are_given_a_scale_that_can_be_divided_by(
            values in proptest::collection::vec(-1e6..1e6_f32, 0..20),
        ) {
            let chosen = choose(&counted(&values), FREE);
            prop_assert!(chosen.scale.is_normal() && chosen.scale > 0.0);
        }
    }
}
