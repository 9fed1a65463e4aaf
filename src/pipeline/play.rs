//! Starts each pattern when its line learns of it.

use std::time::Duration;

use crate::alarm::{Outputs, Signal};

/// What was decided, and what the lines play of it.
///
/// A decision carries the time at which its frame was captured. When vision has looked at the
/// frame, that is past: a pattern that counted from there would lose its first beats, the more the
/// slower the board is. So a pattern counts from the moment at which it reaches its line.
#[derive(Debug, Default)]
pub struct Play {
    decided: Outputs,
    playing: Outputs,
}

impl Play {
    /// Takes up what was decided; returns what the lines play. `now` is the time of the lines.
    pub fn take(&mut self, decided: &Outputs, now: Duration) -> &Outputs {
        let signals: [fn(&mut Outputs) -> &mut Signal; 5] = [
            |o| &mut o.red,
            |o| &mut o.green,
            |o| &mut o.amber,
            |o| &mut o.buzzer,
            |o| &mut o.door,
        ];
        let mut wanted = *decided;
        for signal in signals {
            let wanted = *signal(&mut wanted);
            if wanted != *signal(&mut self.decided) {
                *signal(&mut self.playing) = Signal { since: now, ..wanted };
            }
        }
        self.decided = *decided;
        &self.playing
    }

    /// The moment at which a line changes next without a new decision.
    pub fn next_change(&self, now: Duration) -> Option<Duration> {
        self.playing.next_change(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::Pattern;

    const BEAT: Duration = Duration::from_millis(100);
    const CHIRP: Pattern = Pattern::Chirp(BEAT);

    fn buzzer(pattern: Pattern, since: Duration) -> Outputs {
        Outputs { buzzer: Signal { pattern, since }, ..Outputs::default() }
    }

    /// The buzzer's level in each of `beats` half beats from `start` on.
    fn heard(play: &mut Play, decided: &Outputs, start: Duration, beats: u32) -> String {
        let half = BEAT / 2;
        let level = |play: &mut Play, n| {
            let now = start + half * n;
            play.take(decided, now).levels(now).buzzer
        };
        (0..beats).map(|n| if level(play, n) { '#' } else { '.' }).collect()
    }

    #[test]
    fn a_frame_that_took_longer_than_the_chirp_is_still_heard_whole() {
        let mut play = Play::default();
        let (captured, seen) = (Duration::from_secs(10), Duration::from_secs(12));
        assert_eq!(heard(&mut play, &buzzer(CHIRP, captured), seen, 12), "##..##..##..");
    }

    #[test]
    fn a_decision_that_stays_the_same_does_not_start_it_again() {
        let mut play = Play::default();
        let decided = buzzer(CHIRP, BEAT);
        heard(&mut play, &decided, BEAT, 10);
        assert_eq!(heard(&mut play, &decided, BEAT * 6, 10), "..........");
        assert_eq!(play.next_change(BEAT * 6), None);
    }

    #[test]
    fn the_same_pattern_decided_anew_sounds_anew() {
        let mut play = Play::default();
        heard(&mut play, &buzzer(CHIRP, BEAT), BEAT, 3);
        let again = buzzer(CHIRP, BEAT * 2);
        assert_eq!(heard(&mut play, &again, BEAT * 9, 12), "##..##..##..");
    }

    #[test]
    fn it_ends_at_once_where_that_is_decided() {
        let mut play = Play::default();
        heard(&mut play, &buzzer(CHIRP, BEAT), BEAT, 1);
        assert_eq!(heard(&mut play, &Outputs::default(), BEAT, 4), "....");
    }
}
