use std::time::Duration;

/// Takes a level only when it has held for the settling time. Pure: time comes with the samples.
///
/// It starts inactive, so that an input that is active from the beginning counts as just become
/// so.
#[derive(Clone, Debug)]
pub struct Debounce {
    settle: Duration,
    active: bool,
    /// Since when the samples say the opposite without a break.
    turning: Option<Duration>,
}

impl Debounce {
    pub fn new(settle: Duration) -> Self {
        Self { settle, active: false, turning: None }
    }

    /// Takes in a sample of `at`; true when the input has just changed. A sample of an earlier
    /// time than one before counts as of the same time.
    pub fn sample(&mut self, at: Duration, level: bool) -> bool {
        if level == self.active {
            self.turning = None;
            return false;
        }
        let since = *self.turning.get_or_insert(at);
        if at.saturating_sub(since) < self.settle {
            return false;
        }
        self.active = level;
        self.turning = None;
        true
    }

    /// The level that counts.
    pub fn is_active(&self) -> bool {
        self.active
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTLE: Duration = Duration::from_millis(30);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_button_that_bounces_is_pressed_once() {
        let mut button = Debounce::new(SETTLE);
        let mut changes = Vec::new();
        for at in 0..200 {
            // Bounces for 20 ms after it is pressed at 50 and let go at 120.
            let level = match at {
                50..70 | 120..140 => at % 3 == 0,
                70..120 => true,
                _ => false,
            };
            if button.sample(ms(at), level) {
                changes.push((at, button.is_active()));
            }
        }
        let [(pressed, true), (released, false)] = changes[..] else { panic!("{changes:?}") };
        assert!((80..=100).contains(&pressed), "{pressed}");
        assert!((150..=170).contains(&released), "{released}");
    }

    #[test]
    fn an_input_that_is_active_from_the_start_is_told_once_it_has_settled() {
        let mut switch = Debounce::new(SETTLE);
        assert!(!switch.sample(ms(0), true));
        assert!(!switch.sample(ms(29), true));
        assert!(switch.sample(ms(30), true));
        assert!(!switch.sample(ms(60), true));
    }

    #[test]
    fn a_spike_between_two_samples_that_agree_is_nothing() {
        let mut sensor = Debounce::new(SETTLE);
        for at in (0..1000).step_by(20) {
            assert!(!sensor.sample(ms(at), at % 40 == 0), "at {at}");
        }
    }

    /// Samples some milliseconds apart.
    fn samples() -> impl Strategy<Value = Vec<(Duration, bool)>> {
        prop::collection::vec((1_u64..25, any::<bool>()), 0..200).prop_map(|steps| {
            let mut now = Duration::ZERO;
            steps
                .into_iter()
                .map(|(wait, level)| {
                    now += Duration::from_millis(wait);
                    (now, level)
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn every_change_was_held_and_changes_are_apart(samples in samples()) {
            let mut input = Debounce::new(SETTLE);
            let mut last_change = None;
            for (index, &(at, level)) in samples.iter().enumerate() {
                let before = input.is_active();
                if input.sample(at, level) {
                    prop_assert_ne!(input.is_active(), before);
                    prop_assert_eq!(input.is_active(), level);
                    // All samples of the settling time agree.
                    let held: Vec<_> =
                        samples[..=index].iter().filter(|(then, _)| at - *then <= SETTLE).collect();
                    prop_assert!(held.iter().all(|(_, then)| *then == level));
                    if let Some(last) = last_change {
                        prop_assert!(at - last >= SETTLE);
                    }
                    last_change = Some(at);
                } else {
                    prop_assert_eq!(input.is_active(), before);
                }
            }
        }

        #[test]
        fn what_stays_is_taken_at_last(samples in samples(), level in any::<bool>()) {
            let mut input = Debounce::new(SETTLE);
            let mut end = Duration::ZERO;
            for (at, level) in samples {
                input.sample(at, level);
                end = at;
            }
            input.sample(end + ms(1), level);
            input.sample(end + ms(1) + SETTLE, level);
            prop_assert_eq!(input.is_active(), level);
        }
    }
}
