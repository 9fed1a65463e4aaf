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
        Self {
            tracker: Tracker::new(settings::tracking(&config.tracking)),
            policy: Policy::new(settings::alarm(&config.alarm)),
            outputs: Outputs::default(),
            now: Duration::ZERO,
        }
    }

    /// Takes in what was seen in frame `number`, captured `at` (monotonic).
    pub fn see(&mut self, number: u64, at: Duration, looks: &[Look]) -> Judged {
        self.now = self.now.max(at);
        let update = self.tracker.update(self.now, looks);
        let mut events: Vec<Event> = update
            .changes
            .iter()
            .map(|change| Event::of_change(change, number, self.now))
            .collect();
        let decision = self.policy.step(self.now, &update.people);
        events.extend(self.decided(decision, Some(number)));
        Judged { update, events }
    }

    /// Nothing is seen any more, or the box ends: everything safe at once.
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

    fn decided(&mut self, decision: Decision, frame: Option<u64>) -> Vec<Event> {
        self.outputs = decision.outputs;
        decision.notices.iter().map(|notice| Event::of_notice(notice, frame, self.now)).collect()
    }

    /// What the lines should do until the next frame.
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Everybody so far.
    pub fn counts(&self) -> Counts {
        self.tracker.counts()
    }
}
