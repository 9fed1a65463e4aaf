use std::time::Duration;

/// How a line behaves over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pattern {
    #[default]
    Off,
    Steady,
    /// On and off for half a second each, for as long as it is wanted.
    Blink,
    /// Three short beeps, then silence.
    Chirp,
}

const BLINK_HALF: Duration = Duration::from_millis(500);
const BEEP: Duration = Duration::from_millis(120);
const BEEP_PERIOD: Duration = Duration::from_millis(240);
/// Three beeps with their pauses.
pub(super) const CHIRP_LENGTH: Duration = Duration::from_millis(720);

impl Pattern {
    /// On or off, so long after the pattern started.
    pub fn level(self, elapsed: Duration) -> bool {
        match self {
            Pattern::Off => false,
            Pattern::Steady => true,
            Pattern::Blink => remainder(elapsed, BLINK_HALF * 2) < BLINK_HALF,
            Pattern::Chirp => elapsed < CHIRP_LENGTH && remainder(elapsed, BEEP_PERIOD) < BEEP,
        }
    }

    /// How long after the start the level changes next, always later than `elapsed`; `None`
    /// where it stays for good.
    pub fn next_change(self, elapsed: Duration) -> Option<Duration> {
        match self {
            Pattern::Off | Pattern::Steady => None,
            Pattern::Blink => Some(elapsed - remainder(elapsed, BLINK_HALF) + BLINK_HALF),
            Pattern::Chirp => {
                let start = elapsed - remainder(elapsed, BEEP_PERIOD);
                let next = if elapsed - start < BEEP { start + BEEP } else { start + BEEP_PERIOD };
                (next < CHIRP_LENGTH).then_some(next)
            }
        }
    }
}

fn remainder(time: Duration, period: Duration) -> Duration {
    Duration::from_nanos((time.as_nanos() % period.as_nanos()) as u64)
}

/// A pattern and the moment it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signal {
    pub pattern: Pattern,
    pub since: Duration,
}

impl Signal {
    /// On or off at `now`.
    pub fn level(&self, now: Duration) -> bool {
        self.pattern.level(now.saturating_sub(self.since))
    }

    /// The moment of the next change after `now`.
    pub fn next_change(&self, now: Duration) -> Option<Duration> {
        let next = self.pattern.next_change(now.saturating_sub(self.since))?;
        Some(self.since + next)
    }

    /// Wants `pattern` from `now` on; one that already plays goes on undisturbed.
    pub(super) fn want(&mut self, pattern: Pattern, now: Duration) {
        if self.pattern != pattern {
            *self = Signal { pattern, since: now };
        }
    }
}

/// What every line should do. `Default` is the safe state: all off, the door held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    pub red: Signal,
    pub green: Signal,
    pub amber: Signal,
    pub buzzer: Signal,
    /// On: the door is released. Off: it is held.
    pub door: Signal,
}

/// Whether each line is on at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    pub red: bool,
    pub green: bool,
    pub amber: bool,
    pub buzzer: bool,
    /// On: released.
    pub door: bool,
}

impl Outputs {
    pub fn levels(&self, now: Duration) -> Levels {
        Levels {
            red: self.red.level(now),
            green: self.green.level(now),
            amber: self.amber.level(now),
            buzzer: self.buzzer.level(now),
            door: self.door.level(now),
        }
    }

    /// The moment at which a line changes next without a new decision.
    pub fn next_change(&self, now: Duration) -> Option<Duration> {
        [self.red, self.green, self.amber, self.buzzer, self.door]
            .iter()
            .filter_map(|signal| signal.next_change(now))
            .min()
    }
}
