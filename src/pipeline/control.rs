use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use crate::config::Config;
use crate::report::{Event, EventKind};
use crate::tracking::Counts;

use super::hearts::{BEAT, Heart};
use super::stage::{Clock, Seen};
use super::{Judge, Lamps, Shutdown};

/// Nothing seen for so long means that nothing is known: lines go safe even if no stage complains.
const STALE: Duration = Duration::from_secs(5);

/// Believes, decides and switches. Nothing it does waits for anybody but vision.
pub struct Control {
    pub config: Config,
    pub lamps: Lamps,
    pub seen: Receiver<Seen>,
    pub events: Sender<Event>,
    pub clock: Clock,
    pub shutdown: Shutdown,
    pub tally: Tally,
    pub heart: Heart,
}

/// What control counts, readable from outside.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    people: Arc<Mutex<Counts>>,
    frames: Arc<AtomicU64>,
    untold: Arc<AtomicU64>,
}

impl Tally {
    pub fn people(&self) -> Counts {
        *self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frames looked at.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Events nobody was ready to take.
    pub fn untold(&self) -> u64 {
        self.untold.load(Ordering::Relaxed)
    }
}

impl Control {
    /// Returns at the end of the source or of the pipeline, with the lines safe. Called again
    /// after a panic, it makes them safe and begins with nobody there.
    pub fn run(&mut self) {
        self.lamps.safe(self.clock.now());
        let mut judge = Judge::new(&self.config);
        let (mut last_seen, mut stale) = (self.clock.now(), true);
        let mut ended = false;
        while !ended && !self.shutdown.is_triggered() {
            self.heart.beat();
            let now = self.clock.now();
            let change = judge.outputs().next_change(now).map_or(BEAT, |at| at.saturating_sub(now));
            let seen = crossbeam_channel::select! {
                recv(self.seen) -> seen => seen.ok().or(Some(Seen::End)),
                recv(self.shutdown.closed()) -> _ => None,
                default(change.min(BEAT)) => None,
            };
            match seen {
                Some(Seen::Looks { number, at, looks }) => {
                    (last_seen, stale) = (self.clock.now(), false);
                    let judged = judge.see(number, at, &looks);
                    self.tally.frames.fetch_add(1, Ordering::Relaxed);
                    *self.tally.people.lock().unwrap_or_else(PoisonError::into_inner) =
                        judge.counts();
                    self.tell(judged.events);
                }
                Some(Seen::Lost(at)) => {
                    stale = true;
                    self.tell([Event::new(EventKind::CameraLost, None, at)]);
                    self.tell(judge.safe(at));
                }
                Some(Seen::Back(at)) => self.tell([Event::new(EventKind::CameraBack, None, at)]),
                Some(Seen::End) => ended = true,
                None => {}
            }
            let now = self.clock.now();
            if !stale && now.saturating_sub(last_seen) > STALE {
                stale = true;
                log::error!("nothing seen for {} s: lines are made safe", STALE.as_secs());
                self.tell(judge.safe(now));
            }
            self.lamps.follow(judge.outputs(), now);
        }
        let now = self.clock.now();
        self.lamps.safe(now);
        self.tell(judge.safe(now));
    }

    fn tell(&self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                    self.tally.untold.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpio::{Board, Record, Role, Simulated};
    use crate::picture::{Face, Look, Probabilities, Rect};

    /// A control stage, what goes into it, what comes out, and the record of its lines.
    fn control() -> (Control, Sender<Seen>, Receiver<Event>, Record) {
        let (seen_in, seen) = crossbeam_channel::unbounded();
        let (events, events_out) = crossbeam_channel::unbounded();
        let lines = Simulated::new();
        let record = lines.record();
        let control = Control {
            config: Config::default(),
            lamps: Lamps::new(Board::new(Box::new(lines))),
            seen,
            events,
            clock: Clock::start(),
            shutdown: Shutdown::default(),
            tally: Tally::default(),
            heart: Heart::default(),
        };
        (control, seen_in, events_out, record)
    }

    fn bare() -> Look {
        let bounds = Rect { x1: 100.0, y1: 100.0, x2: 180.0, y2: 200.0 };
        let landmarks =
            [[125.0, 135.0], [155.0, 135.0], [140.0, 155.0], [128.0, 175.0], [152.0, 175.0]];
        Look {
            face: Face { bounds, score: 0.98, landmarks: landmarks.map(Into::into) },
            probabilities: Probabilities {
                with_mask: 0.01,
                without_mask: 0.98,
                incorrect_mask: 0.01,
            },
            sharpness: 0.5,
        }
    }

    /// A second of a bare face at 20 frames a second.
    fn a_second_of_a_bare_face(to: &Sender<Seen>) {
        for number in 0..20 {
            let at = Duration::from_millis(50 * number);
            to.send(Seen::Looks { number, at, looks: vec![bare()] }).unwrap();
        }
    }

    fn last(record: &Record, role: Role) -> Option<bool> {
        record.changes().iter().rev().find(|change| change.role == role).map(|change| change.on)
    }

    #[test]
    fn a_lost_camera_ends_the_alarm_and_puts_out_the_lamp() {
        let (mut control, seen, events, record) = control();
        a_second_of_a_bare_face(&seen);
        seen.send(Seen::Lost(Duration::from_secs(1))).unwrap();
        drop(seen);
        control.run();
        assert!(record.changes().iter().any(|change| change.role == Role::Red && change.on));
        assert_eq!(last(&record, Role::Red), Some(false));
        drop(control);
        let kinds: Vec<_> = events.iter().map(|event| event.kind.name()).collect();
        assert_eq!(kinds, ["verdict", "alarm_on", "camera_lost", "alarm_off"]);
    }

    #[test]
    fn the_end_of_vision_leaves_all_lines_off() {
        let (mut control, seen, _events, record) = control();
        a_second_of_a_bare_face(&seen);
        drop(seen);
        control.run();
        for role in Role::ALL {
            assert_ne!(last(&record, role), Some(true), "{role}");
        }
        assert_eq!(control.tally.frames(), 20);
        assert_eq!(control.tally.people().people, 1);
    }

    #[test]
    fn nobody_to_tell_does_not_stop_control() {
        let (mut control, seen, events, _) = control();
        drop(events);
        a_second_of_a_bare_face(&seen);
        drop(seen);
        control.run();
        assert_eq!(control.tally.frames(), 20);
        assert!(control.tally.untold() > 0);
    }
}
