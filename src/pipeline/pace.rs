use std::time::Duration;

/// So many steps in a row that are too long are no hitch.
const TIMES: u32 = 5;

/// Notices that frames are looked at so seldom that nobody is followed from one to the next: then
/// everybody stays unseen, and nothing else would tell.
#[derive(Debug)]
pub struct Pace {
    longest: Duration,
    last: Option<Duration>,
    late: u32,
    told: bool,
}

impl Pace {
    /// `longest` is the time between two looks at a person beyond which they are somebody new.
    pub fn new(longest: Duration) -> Self {
        Self { longest, last: None, late: 0, told: false }
    }

    /// Takes the moment of the next frame. What there is to say, once.
    pub fn step(&mut self, at: Duration) -> Option<String> {
        let step = at.saturating_sub(self.last.replace(at).unwrap_or(at));
        self.late = if step > self.longest { self.late.saturating_add(1) } else { 0 };
        if self.told || self.late < TIMES {
            return None;
        }
        self.told = true;
        Some(format!(
            "frames are looked at every {:.1} s, and nobody can be followed over more than {:.1} s: \
             nobody will be noticed; set [detector] width and height lower, and see that the \
             camera gives more frames",
            step.as_secs_f64(),
            self.longest.as_secs_f64(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many times something is said at these moments, in milliseconds.
    fn said(at: impl IntoIterator<Item = u64>) -> usize {
        let mut pace = Pace::new(Duration::from_millis(1500));
        at.into_iter().filter_map(|at| pace.step(Duration::from_millis(at))).count()
    }

    #[test]
    fn a_box_that_is_too_slow_says_so_once() {
        assert_eq!(said((0..20).map(|n| n * 1600)), 1);
    }

    #[test]
    fn one_that_is_fast_enough_or_pauses_now_and_then_says_nothing() {
        assert_eq!(said((0..100).map(|n| n * 1400)), 0);
        assert_eq!(said((0..100).map(|n| n * 100 + n / 4 * 60_000)), 0);
    }
}
