//! Random numbers that are the same on every machine and in every version: SplitMix64
//! (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).

/// A stream of random numbers, made whole by its seed.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// An independent stream for item `index` of this seed; takes nothing from this one, so the
    /// order in which items are made does not matter.
    pub fn stream(&self, index: u64) -> Self {
        let mut mixed = Self { state: self.state ^ index.wrapping_mul(0xd6e8_feb8_6659_fd93) };
        Self { state: mixed.bits() }
    }

    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly in [0, 1).
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Evenly in [low, high).
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    /// A whole number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// Roughly normal, mean 0 and variance 1 (sum of four uniform draws), within ±3.47.
    pub fn normal(&mut self) -> f32 {
        let sum: f32 = (0..4).map(|_| self.unit()).sum();
        (sum - 2.0) * 3.0_f32.sqrt()
    }

    /// Fisher-Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// A number that a name always has, wherever and in whatever company it comes: FNV-1a of 64 bits
/// (Fowler, Noll, Vo).
pub fn hash_of(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::{Random, hash_of};

    #[test]
    fn a_name_has_the_published_number() {
        assert_eq!(hash_of(*b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash_of(*b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash_of(*b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_seed_gives_the_published_sequence() {
        let mut random = Random::new(1_234_567);
        assert_eq!(random.bits(), 6_457_827_717_110_365_317);
        assert_eq!(random.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn streams_differ_and_do_not_depend_on_the_order_of_use() {
        let parent = Random::new(7);
        let (mut a, mut b) = (parent.stream(0), parent.stream(1));
        assert_ne!(a.bits(), b.bits());
        assert_eq!(parent.stream(1).bits(), Random::new(7).stream(1).bits());
    }

    #[test]
    fn normal_draws_have_the_promised_mean_and_variance() {
        let mut random = Random::new(3);
        let draws: Vec<f32> = (0..20_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f32>() / draws.len() as f32;
        let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f32>() / draws.len() as f32;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
