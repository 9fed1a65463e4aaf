//! Tracking and policy as one step: looks and a time in, events and wanted lines out. Pure; the
//! daemon's control thread and the synchronous engine both run it.

use std::time::Duration;

use crate::alarm::{Decision, Mode, Outputs, Policy};
use crate::config::Config;
use crate::picture::Look;
use crate::report::Event;
use crate::tracking::{Counts, Tracker, Update};

use super::settings;

/// Who is there, what is believed of them, and what follows.
pub struct Judge {
    tracker: Tracker,
    policy: Policy,
    outputs: Outputs,
    /// Time never goes back, whatever a source says.
    now: Duration,
}

/// What one frame led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    pub update: Update,
    /// In the order in which they happened.
    pub events: Vec<Event>,
}

impl Judge {
    pub fn new(config: &Config) -> Self {
        Self::after(config, Counts::default())
    }

    /// One that takes the place of another, which had counted `before`.
    pub fn after(config: &Config, before: Counts) -> Self {
        Self {
            tracker: Tracker::after(settings::tracking(&config.tracking, &config.alarm), before),
            policy: Policy::new(settings::alarm(&config.alarm)),
            outputs: Outputs::default(),
            now: Duration::ZERO,
        }
    }

    /// Takes in what was seen in frame `number`, captured `at` (monotonic).
    pub fn see(&mut self, number: u64, at: Duration, looks: &[Look]) -> Judged {
        self.now = self.now.max(at);
        // By the times of the frames alone: between two of them a hand at the box, which is of now, moves
        // nobody.
        let update = self.tracker.update(at, looks);
        let mut events: Vec<Event> = update
            .changes
            .iter()
            .map(|change| Event::of_change(change, Some(number), self.now))
            .collect();
        let decision = self.policy.step(self.now, &update.people);
        events.extend(self.decided(decision, Some(number)));
        Judged { update, events }
    }

    /// Nothing is seen any more: everything safe at once, and nobody is there.
    pub fn blind(&mut self, at: Duration) -> Vec<Event> {
        self.now = self.now.max(at);
        let left = self.tracker.clear();
        let mut events: Vec<Event> =
            left.iter().map(|change| Event::of_change(change, None, self.now)).collect();
        events.extend(self.safe(at));
        events
    }

    /// The box ends: everything safe at once.
    pub fn safe(&mut self, at: Duration) -> Vec<Event> {
        self.now = self.now.max(at);
        let decision = self.policy.safe(self.now);
        self.decided(decision, None)
    }

    /// The button: silences the buzzer.
    pub fn acknowledge(&mut self, at: Duration) -> Vec<Event> {
        self.now = self.now.max(at);
        let decision = self.policy.acknowledge(self.now);
        self.decided(decision, None)
    }

    /// The switch: soft or hard from now on.
    pub fn set_mode(&mut self, at: Duration, mode: Mode) -> Vec<Event> {
        self.now = self.now.max(at);
        let decision = self.policy.set_mode(self.now, mode);
        self.decided(decision, None)
    }

    /// `at`, or the latest moment that was told of before.
    pub fn moment(&mut self, at: Duration) -> Duration {
        self.now = self.now.max(at);
        self.now
    }

    fn decided(&mut self, decision: Decision, frame: Option<u64>) -> Vec<Event> {
        self.outputs = decision.outputs;
        decision.notices.iter().map(|notice| Event::of_notice(notice, frame, self.now)).collect()
    }

    /// What the lines should do until the next frame.
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// The time between two frames beyond which nobody is followed.
    pub fn longest_step(&self) -> Duration {
        self.tracker.longest_step()
    }

    /// Everybody so far.
    pub fn counts(&self) -> Counts {
        self.tracker.counts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AlarmMode;
    use crate::report::EventKind;
    use crate::tracking::scenarios::look;

    #[test]
    fn a_press_of_the_button_between_two_slow_looks_parts_nobody_from_their_number() {
        let mut judge = Judge::new(&Config::default());
        let looks = [look(200.0, 200.0, 60.0, 0.03)];
        for number in 0..30 {
            judge.see(number, Duration::from_millis(100 * number), &looks);
        }
        // The next frame is of a second later, and what is in it known another second after that.
        judge.acknowledge(Duration::from_millis(4800));
        let judged = judge.see(30, Duration::from_millis(3900), &looks);
        assert!(judged.events.iter().all(|event| event.kind != EventKind::PersonLeft));
        assert_eq!(judge.counts().people, 1);
        assert_eq!(judge.moment(Duration::from_secs(4)), Duration::from_millis(4800));
    }

    #[test]
    fn who_comes_while_nothing_is_seen_does_not_get_the_verdict_of_who_was_there() {
        let mut config = Config::default();
        config.alarm.mode = AlarmMode::Hard;
        let mut judge = Judge::new(&config);
        let kinds = |from: u64, masked: f32, judge: &mut Judge| -> Vec<EventKind> {
            let frames = (from * 10..from * 10 + 30).map(|number| (number, number * 100));
            let see = |(number, at)| {
                let looks = [look(200.0, 200.0, 60.0, masked)];
                judge.see(number, Duration::from_millis(at), &looks).events
            };
            frames.flat_map(see).map(|event| event.kind).collect()
        };
        assert!(kinds(0, 0.97, &mut judge).contains(&EventKind::DoorOpen));
        let blind = judge.blind(Duration::from_secs(3)).into_iter().map(|event| event.kind);
        assert_eq!(blind.collect::<Vec<_>>(), [EventKind::PersonLeft, EventKind::DoorClose]);
        let after = kinds(4, 0.03, &mut judge);
        assert!(after.contains(&EventKind::AlarmOn), "{after:?}");
        assert!(!after.contains(&EventKind::DoorOpen), "{after:?}");
        assert_eq!(judge.counts().people, 2);
    }
}
