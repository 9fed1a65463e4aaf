use std::time::Duration;

/// How a line behaves over time. The duration is the length of one beat, longer than zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pattern {
    #[default]
    Off,
    Steady,
    /// On for a beat, off for a beat, for as long as it is wanted.
    Blink(Duration),
    /// Three short beeps, then silence.
    Chirp(Duration),
    /// Morse SOS with its pauses (ITU-R M.1677-1; the beat is the dot), for as long as it is
    /// wanted.
    Sos(Duration),
}

/// Beats on, off, on, …; an odd number ends in silence for good, an even one begins again.
const BLINK: &[u32] = &[1, 1];
const CHIRP: &[u32] = &[1, 1, 1, 1, 1];
const SOS: &[u32] = &[1, 1, 1, 1, 1, 3, 3, 1, 3, 1, 3, 3, 1, 1, 1, 1, 1, 7];

impl Pattern {
    /// Half a second on, half a second off.
    pub const SLOW_BLINK: Pattern = Pattern::Blink(Duration::from_millis(500));

    /// On or off, so long after the pattern started.
    pub fn level(self, elapsed: Duration) -> bool {
        match self.rhythm() {
            None => self == Pattern::Steady,
            Some(rhythm) => rhythm.find(elapsed).is_some_and(|(on, _)| on),
        }
    }

    /// How long after the start the level changes next, always later than `elapsed`; `None`
    /// where it stays for good.
    pub fn next_change(self, elapsed: Duration) -> Option<Duration> {
        self.rhythm()?.find(elapsed).map(|(_, end)| end)
    }

    /// How long it lasts; `None` where it goes on for as long as it is wanted.
    pub fn length(self) -> Option<Duration> {
        match self {
            Pattern::Off => Some(Duration::ZERO),
            _ => self.rhythm().filter(|rhythm| !rhythm.repeats()).map(|rhythm| rhythm.length()),
        }
    }

    fn rhythm(self) -> Option<Rhythm> {
        let (beats, beat) = match self {
            Pattern::Off | Pattern::Steady => return None,
            Pattern::Blink(beat) => (BLINK, beat),
            Pattern::Chirp(beat) => (CHIRP, beat),
            Pattern::Sos(beat) => (SOS, beat),
        };
        (!beat.is_zero()).then_some(Rhythm { beats, beat })
    }
}

#[derive(Clone, Copy)]
struct Rhythm {
    beats: &'static [u32],
    beat: Duration,
}

impl Rhythm {
    fn repeats(self) -> bool {
        self.beats.len().is_multiple_of(2)
    }

    fn length(self) -> Duration {
        self.beat * self.beats.iter().sum()
    }

    /// The level at `elapsed` and when it ends; `None` after the end.
    fn find(self, elapsed: Duration) -> Option<(bool, Duration)> {
        let within = if self.repeats() { remainder(elapsed, self.length()) } else { elapsed };
        let mut end = elapsed - within;
        let mut on = true;
        for beats in self.beats {
            end += self.beat * *beats;
            if elapsed < end {
                return Some((on, end));
            }
            on = !on;
        }
        None
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

    /// Nothing is shown and nothing sounds; the door is held.
    pub fn is_quiet(&self) -> bool {
        [self.red, self.green, self.amber, self.buzzer, self.door]
            .iter()
            .all(|signal| signal.pattern == Pattern::Off)
    }

    /// The moment at which a line changes next without a new decision.
    pub fn next_change(&self, now: Duration) -> Option<Duration> {
        [self.red, self.green, self.amber, self.buzzer, self.door]
            .iter()
            .filter_map(|signal| signal.next_change(now))
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: Duration = Duration::from_millis(100);

    /// The levels in the middle of each of the first `beats` beats.
    fn heard(pattern: Pattern, beats: u32) -> String {
        let level = |beat| pattern.level(BEAT * beat + BEAT / 2);
        (0..beats).map(|beat| if level(beat) { '#' } else { '.' }).collect()
    }

    #[test]
    fn patterns_sound_as_they_are_called() {
        assert_eq!(heard(Pattern::Blink(BEAT), 6), "#.#.#.");
        assert_eq!(heard(Pattern::Chirp(BEAT), 10), "#.#.#.....");
        let sos = "#.#.#...###.###.###...#.#.#.......";
        assert_eq!(heard(Pattern::Sos(BEAT), 68), format!("{sos}{sos}"));
        assert_eq!(heard(Pattern::Steady, 4), "####");
        assert_eq!(heard(Pattern::Off, 4), "....");
    }

    #[test]
    fn only_what_ends_by_itself_has_a_length() {
        assert_eq!(Pattern::Chirp(BEAT).length(), Some(BEAT * 5));
        assert_eq!(Pattern::Sos(BEAT).length(), None);
        assert_eq!(Pattern::Steady.length(), None);
    }

    #[test]
    fn a_beat_of_no_length_is_silence_and_never_changes() {
        for pattern in [Pattern::Blink, Pattern::Chirp, Pattern::Sos] {
            assert!(!pattern(Duration::ZERO).level(BEAT));
            assert_eq!(pattern(Duration::ZERO).next_change(BEAT), None);
        }
    }
}
