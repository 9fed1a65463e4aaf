use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::pattern::{Outputs, Pattern, Signal};
use crate::picture::Label;
use crate::tracking::{Person, TrackId, Verdict};

/// How far the box goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Lamps and buzzer only; the door line stays off.
    Soft,
    /// Also holds and releases the door.
    Hard,
}

/// Defaults and ranges: [`crate::config::Alarm`].
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub mode: Mode,
    /// How long the alarm stays on after nobody is there any more whose mask is not right.
    pub hold: Duration,
    /// How long the buzzer stays silent after it sounded, and after an alarm in which it did.
    pub cool_down: Duration,
    /// Whether `incorrect_mask` is an alarm; otherwise it counts as masked.
    pub incorrect_alarms: bool,
    /// How red shows the alarm; not `Off`.
    pub red: Pattern,
    /// How the buzzer sounds for somebody new; one that does not end by itself goes on for as long
    /// as the alarm does.
    pub buzzer: Pattern,
    /// How long somebody is there without a verdict before amber asks them to look here.
    pub ask_after: Duration,
    /// How long a released door stays released at least.
    pub min_open: Duration,
}

/// Something to tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Notice {
    /// With whoever's mask is not right; of several, the one it is surest of.
    AlarmOn {
        track: TrackId,
        verdict: Verdict,
    },
    AlarmOff,
    DoorOpen,
    DoorClose,
    /// The buzzer was silenced by hand.
    Acknowledged,
    /// Switched over by hand.
    Mode(Mode),
}

/// What follows from one observation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    pub outputs: Outputs,
    pub notices: Vec<Notice>,
}

/// The state machine.
///
/// - The alarm is on while somebody is present whose mask is believed not right, and for the hold
///   time after that. Red is on as long as the alarm is.
/// - The buzzer sounds when such a person appears, once for each, and ends with the alarm at the
///   latest. Within the cool-down after that, after an alarm in which it sounded and after it was
///   silenced by hand it stays silent, and whoever appeared in silence is not made up for: red says
///   it, and nothing nags. An alarm in silence does not renew the silence: where people keep
///   coming, the buzzer is heard again once the cool-down is over.
/// - Green is on while the alarm is off, somebody is believed masked, and nobody otherwise.
/// - Amber blinks while somebody near has been there without a verdict for too long.
/// - The door (hard mode) is released where green is on and everybody near has a verdict: who
///   hides the face keeps it shut, for as long as they stay; who is too far off for a verdict does
///   not. Once released it stays so for the minimum time even if a new face comes that is not yet
///   believed, or nobody is left; but a person believed not right ends it at once.
///
/// People hidden for a moment count as present, as the tracker says.
#[derive(Clone, Debug)]
pub struct Policy {
    settings: Settings,
    /// Latest time seen; time never goes back here.
    now: Duration,
    outputs: Outputs,
    /// While the alarm is on: when somebody not right was last there.
    alarm: Option<Duration>,
    /// Whether the buzzer sounded in this alarm.
    sounded: bool,
    /// The buzzer stays silent until then.
    quiet_until: Duration,
    /// Those present whose mask is not right.
    known: BTreeSet<TrackId>,
    /// Those near without a verdict, and since when.
    unbelieved: BTreeMap<TrackId, Duration>,
    /// While the door is released: since when.
    released: Option<Duration>,
}

impl Policy {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            now: Duration::ZERO,
            outputs: Outputs::default(),
            alarm: None,
            sounded: false,
            quiet_until: Duration::ZERO,
            known: BTreeSet::new(),
            unbelieved: BTreeMap::new(),
            released: None,
        }
    }

    /// Decides on everybody present at `now` (monotonic). Call it for every frame, and with the
    /// same people when nothing new was seen.
    pub fn step(&mut self, now: Duration, people: &[Person]) -> Decision {
        self.now = self.now.max(now);
        let wrong: BTreeMap<TrackId, Verdict> = people
            .iter()
            .filter_map(|person| Some((person.track, person.verdict?)))
            .filter(|(_, verdict)| self.is_wrong(verdict.label))
            .collect();
        let masked = people
            .iter()
            .any(|person| person.verdict.is_some_and(|verdict| !self.is_wrong(verdict.label)));
        self.remember_unbelieved(people);

        let mut notices = Vec::new();
        notices.extend(self.switch_alarm(&wrong));
        self.sound(&wrong);
        let green = self.alarm.is_none() && masked;
        self.want(|outputs| &mut outputs.green, green, Pattern::Steady);
        let ask = self
            .unbelieved
            .values()
            .any(|since| self.now.saturating_sub(*since) >= self.settings.ask_after);
        self.want(|outputs| &mut outputs.amber, ask, Pattern::SLOW_BLINK);
        if self.settings.mode == Mode::Hard {
            notices.extend(self.switch_door(green, !wrong.is_empty()));
        }
        Decision { outputs: self.outputs, notices }
    }

    /// All off and the door held, at once: the camera is lost, or the box shuts down. Ends an
    /// alarm and a release, which it tells. The next `step` goes on from there; the buzzer's
    /// cool-down runs on.
    pub fn safe(&mut self, now: Duration) -> Decision {
        self.now = self.now.max(now);
        let mut notices = Vec::new();
        if self.alarm.take().is_some() {
            self.after_sound();
            notices.push(Notice::AlarmOff);
        }
        if self.released.take().is_some() {
            notices.push(Notice::DoorClose);
        }
        self.known.clear();
        self.unbelieved.clear();
        self.outputs = Outputs::default();
        Decision { outputs: self.outputs, notices }
    }

    /// Silences the buzzer until somebody new comes after the cool-down. Red and the door are as
    /// before. Where nothing sounded in this alarm, nothing happens and nothing is told.
    pub fn acknowledge(&mut self, now: Duration) -> Decision {
        self.now = self.now.max(now);
        let mut notices = Vec::new();
        if self.outputs.buzzer.pattern != Pattern::Off {
            self.outputs.buzzer.want(Pattern::Off, self.now);
            self.be_quiet();
            notices.push(Notice::Acknowledged);
        }
        Decision { outputs: self.outputs, notices }
    }

    /// From soft to hard or back, at once: soft ends a release.
    pub fn set_mode(&mut self, now: Duration, mode: Mode) -> Decision {
        self.now = self.now.max(now);
        let mut notices = Vec::new();
        if self.settings.mode != mode {
            self.settings.mode = mode;
            notices.push(Notice::Mode(mode));
            if self.released.take().is_some() {
                notices.push(Notice::DoorClose);
                self.outputs.door.want(Pattern::Off, self.now);
            }
        }
        Decision { outputs: self.outputs, notices }
    }

    /// What every line should do since the last decision.
    pub fn outputs(&self) -> Outputs {
        self.outputs
    }

    fn is_wrong(&self, label: Label) -> bool {
        match label {
            Label::WithMask => false,
            Label::WithoutMask => true,
            Label::IncorrectMask => self.settings.incorrect_alarms,
        }
    }

    fn remember_unbelieved(&mut self, people: &[Person]) {
        let waiting = people.iter().filter(|person| person.verdict.is_none() && person.near);
        self.unbelieved = waiting
            .map(|person| {
                let since = self.unbelieved.get(&person.track).copied().unwrap_or(self.now);
                (person.track, since)
            })
            .collect();
    }

    fn switch_alarm(&mut self, wrong: &BTreeMap<TrackId, Verdict>) -> Option<Notice> {
        let surest = wrong.iter().max_by(|a, b| a.1.confidence.total_cmp(&b.1.confidence));
        let notice = match (surest, self.alarm) {
            (Some((&track, &verdict)), before) => {
                self.alarm = Some(self.now);
                before.is_none().then_some(Notice::AlarmOn { track, verdict })
            }
            (None, Some(last)) if self.now.saturating_sub(last) >= self.settings.hold => {
                self.alarm = None;
                self.after_sound();
                Some(Notice::AlarmOff)
            }
            (None, _) => None,
        };
        let shown = self.settings.red;
        self.want(|outputs| &mut outputs.red, self.alarm.is_some(), shown);
        notice
    }

    fn sound(&mut self, wrong: &BTreeMap<TrackId, Verdict>) {
        let somebody_new = wrong.keys().any(|track| !self.known.contains(track));
        self.known = wrong.keys().copied().collect();
        if somebody_new && self.now >= self.quiet_until {
            let pattern = self.settings.buzzer;
            match pattern.length() {
                // It already sounds, or begins to.
                None => self.outputs.buzzer.want(pattern, self.now),
                Some(_) => self.outputs.buzzer = Signal { pattern, since: self.now },
            }
            self.sounded = true;
            self.be_quiet();
            let length = pattern.length().unwrap_or_default();
            self.quiet_until = self.quiet_until.saturating_add(length);
        } else if self.alarm.is_none() {
            self.outputs.buzzer.want(Pattern::Off, self.now);
        }
    }

    /// The end of an alarm.
    fn after_sound(&mut self) {
        if std::mem::take(&mut self.sounded) {
            self.be_quiet();
        }
    }

    fn be_quiet(&mut self) {
        let until = self.now.saturating_add(self.settings.cool_down);
        self.quiet_until = self.quiet_until.max(until);
    }

    fn switch_door(&mut self, green: bool, wrong: bool) -> Option<Notice> {
        let release = green && !wrong && self.unbelieved.is_empty();
        let notice = match self.released {
            None if release => {
                self.released = Some(self.now);
                Some(Notice::DoorOpen)
            }
            Some(since)
                if wrong
                    || !release && self.now.saturating_sub(since) >= self.settings.min_open =>
            {
                self.released = None;
                Some(Notice::DoorClose)
            }
            _ => None,
        };
        self.want(|outputs| &mut outputs.door, self.released.is_some(), Pattern::Steady);
        notice
    }

    fn want(&mut self, signal: fn(&mut Outputs) -> &mut Signal, on: bool, pattern: Pattern) {
        signal(&mut self.outputs).want(if on { pattern } else { Pattern::Off }, self.now);
    }
}
