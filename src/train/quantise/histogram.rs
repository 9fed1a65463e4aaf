//! How often an activation takes which value, over many faces and without knowing its range first.

/// Bins on each side of zero. A range that ends just above a power of two still has sixteen bins
/// for each of its 255 steps.
const HALF: usize = 8192;

/// Counts of values, in bins that double their width when a value lies outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    bins: Vec<u64>,
    /// The bins cover -reach to reach; a power of two, so that widening merges whole bins and the
    /// order of values does not matter.
    reach: f32,
    lowest: f32,
    highest: f32,
}

impl Default for Histogram {
    fn default() -> Self {
        let bins = vec![0; 2 * HALF];
        Self { bins, reach: 1.0 / 1024.0, lowest: f32::INFINITY, highest: f32::NEG_INFINITY }
    }
}

impl Histogram {
    /// Counts `values`; what is not finite is left out, and their number is given back.
    pub fn add(&mut self, values: &[f32]) -> usize {
        let mut left_out = 0;
        for value in values {
            if !value.is_finite() {
                left_out += 1;
                continue;
            }
            self.lowest = self.lowest.min(*value);
            self.highest = self.highest.max(*value);
            while value.abs() > self.reach {
                self.widen();
            }
            let bin = ((value / self.reach + 1.0) * HALF as f32) as usize;
            self.bins[bin.min(2 * HALF - 1)] += 1;
        }
        left_out
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, mut other: Self) {
        while self.reach < other.reach {
            self.widen();
        }
        while other.reach < self.reach {
            other.widen();
        }
        self.bins.iter_mut().zip(other.bins).for_each(|(bin, more)| *bin += more);
        self.lowest = self.lowest.min(other.lowest);
        self.highest = self.highest.max(other.highest);
    }

    fn widen(&mut self) {
        let mut wide = vec![0; 2 * HALF];
        for (bin, count) in self.bins.iter().enumerate() {
            wide[(HALF + bin) / 2] += count;
        }
        self.bins = wide;
        self.reach *= 2.0;
    }

    /// Lowest and highest value, zero among them.
    pub fn range(&self) -> (f32, f32) {
        (self.lowest.min(0.0), self.highest.max(0.0))
    }

    /// The middle of every bin that holds something, and how much it holds.
    pub fn values(&self) -> Vec<(f32, f32)> {
        let middle = |bin: usize| ((bin as f32 + 0.5) / HALF as f32 - 1.0) * self.reach;
        let filled = self.bins.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(bin, count)| (middle(bin), *count as f32)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::random::Random;

    #[test]
    fn values_are_found_again_near_where_they_were_whatever_the_range() {
        for scale in [1e-4, 0.3, 1.0, 5.9, 700.0] {
            let values = [-0.5 * scale, 0.25 * scale, 0.25 * scale, scale];
            let mut histogram = Histogram::default();
            assert_eq!(histogram.add(&values), 0);
            assert_eq!(histogram.range(), (-0.5 * scale, scale));
            let found = histogram.values();
            assert_eq!(found.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1.0, 2.0, 1.0]);
            for ((value, _), wanted) in found.iter().zip([-0.5, 0.25, 1.0]) {
                let step = (1.5 * scale / 255.0).max(1e-3 / 255.0);
                assert!((value - wanted * scale).abs() < step / 8.0, "{value}, scale {scale}");
            }
        }
    }

    #[test]
    fn the_order_of_values_and_of_merging_does_not_matter() {
        let mut random = Random::new(1);
        let values: Vec<f32> = (0..500).map(|_| random.normal() * 3.0).collect();
        let mut at_once = Histogram::default();
        at_once.add(&values);
        let mut backwards = Histogram::default();
        for part in values.rchunks(70) {
            let mut one = Histogram::default();
            one.add(part);
            backwards.merge(one);
        }
        assert_eq!(backwards, at_once);
    }

    #[test]
    fn what_is_no_number_is_counted_apart() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.add(&[f32::NAN, 1.0, f32::INFINITY]), 2);
        assert_eq!(histogram.range(), (0.0, 1.0));
        assert_eq!(histogram.values().len(), 1);
    }
}
