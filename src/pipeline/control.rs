use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use crate::alarm::Mode;
use crate::config::{AlarmMode, Config};
use crate::gpio::Input;
use crate::report::{Event, EventKind};
use crate::tracking::Counts;

use super::hearts::{BEAT, Heart};
use super::pace::Pace;
use super::play::Play;
use super::rest::{Asleep, Rest};
use super::stage::{Clock, Faults, Seen};
use super::{Judge, Lamps, Shutdown, settings};

/// How often inputs are looked at, where there are any: a press of a finger lasts ten times as
/// long. Sampling needs no interrupt of the chip, and no edge is lost between two.
const SAMPLE: Duration = Duration::from_millis(10);

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
    pub asleep: Asleep,
    pub faults: Faults,
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
    /// after a panic, it makes them safe and begins with nobody there; counts and numbers go on.
    pub fn run(&mut self) {
        self.lamps.safe(self.clock.now());
        let mut judge = Judge::after(&self.judged_by(), self.tally.people());
        let mut pace = Pace::new(judge.longest_step());
        let mut play = Play::default();
        let mut rest = self.rest();
        self.lamps.forget_inputs();
        let tick =
            if Input::ALL.iter().any(|input| self.lamps.has(*input)) { SAMPLE } else { BEAT };
        let (mut last_seen, mut stale) = (self.clock.now(), true);
        let mut ended = false;
        while !ended && !self.shutdown.is_triggered() {
            self.heart.beat();
            let now = self.clock.now();
            let change = play.next_change(now).map_or(tick, |at| at.saturating_sub(now));
            let seen = crossbeam_channel::select! {
                recv(self.seen) -> seen => seen.ok().or(Some(Seen::End)),
                recv(self.shutdown.closed()) -> _ => None,
                default(change.min(tick)) => None,
            };
            let mut somebody = false;
            match seen {
                Some(Seen::Looks { number, at, looks }) => {
                    (last_seen, stale) = (self.clock.now(), false);
                    if let Some(words) = pace.step(at) {
                        log::error!("{words}");
                    }
                    let judged = judge.see(number, at, &looks);
                    somebody = !looks.is_empty() || !judged.update.people.is_empty();
                    self.tally.frames.fetch_add(1, Ordering::Relaxed);
                    *self.tally.people.lock().unwrap_or_else(PoisonError::into_inner) =
                        judge.counts();
                    self.tell(judged.events);
                }
                Some(Seen::Lost(at)) => {
                    stale = true;
                    self.tell([Event::new(EventKind::CameraLost, None, judge.moment(at))]);
                    self.tell(judge.blind(at));
                }
                Some(Seen::Back(at)) => {
                    self.tell([Event::new(EventKind::CameraBack, None, judge.moment(at))]);
                }
                Some(Seen::Blind) => {
                    stale = true;
                    self.tell(judge.blind(self.clock.now()));
                }
                Some(Seen::End) => ended = true,
                None => {}
            }
            let now = self.clock.now();
            self.obey(&mut judge, now);
            if let Some(rest) = &mut rest {
                let busy = somebody || self.lamps.motion() || !judge.outputs().is_quiet();
                if let Some(asleep) = rest.step(now, busy) {
                    self.asleep.set(asleep);
                    let kind =
                        if asleep { EventKind::VisionAsleep } else { EventKind::VisionAwake };
                    self.tell([Event::new(kind, None, now)]);
                }
                if rest.is_asleep() {
                    // Nothing is looked at, on purpose.
                    last_seen = now;
                }
            }
            if !stale && now.saturating_sub(last_seen) > STALE {
                stale = true;
                log::error!("nothing seen for {} s: lines are made safe", STALE.as_secs());
                self.tell(judge.blind(now));
            }
            if let Err(error) = self.lamps.follow(play.take(judge.outputs(), now), now) {
                self.faults.fail(error.into());
            }
        }
        let now = self.clock.now();
        self.lamps.safe(now);
        self.tell(judge.safe(now));
    }

    /// The configuration, but for what a switch decides: until it is read, soft.
    fn judged_by(&self) -> Config {
        let mut config = self.config.clone();
        if self.lamps.has(Input::ModeSwitch) {
            config.alarm.mode = AlarmMode::Soft;
        }
        config
    }

    /// Awake; `None` where no sensor could wake it.
    fn rest(&self) -> Option<Rest> {
        self.asleep.set(false);
        let after = settings::seconds(self.config.gpio.sleep_after_s);
        self.lamps.has(Input::Motion).then(|| Rest::new(after, self.clock.now()))
    }

    /// Does what hands ask for.
    fn obey(&mut self, judge: &mut Judge, now: Duration) {
        for (input, active) in self.lamps.turned(now) {
            match (input, active) {
                (Input::Acknowledge, true) => self.tell(judge.acknowledge(now)),
                (Input::ModeSwitch, true) => self.tell(judge.set_mode(now, Mode::Hard)),
                (Input::ModeSwitch, false) => self.tell(judge.set_mode(now, Mode::Soft)),
                (Input::Acknowledge, false) | (Input::Motion, _) => {}
            }
        }
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
    use crate::gpio::{Board, Record, Role, Simulated, Switches};
    use crate::picture::{Face, Look, Probabilities, Rect};
    use crate::tracking::TrackId;

    /// A control stage, what goes into it, what comes out, and the record of its lines.
    fn control() -> (Control, Sender<Seen>, Receiver<Event>, Record) {
        let (seen_in, seen) = crossbeam_channel::unbounded();
        let (events, events_out) = crossbeam_channel::unbounded();
        let lines = Simulated::new();
        let record = lines.record();
        let shutdown = Shutdown::default();
        let control = Control {
            config: Config::default(),
            lamps: Lamps::new(Board::new(Box::new(lines))),
            seen,
            events,
            clock: Clock::start(),
            faults: Faults::new(shutdown.clone()),
            shutdown,
            tally: Tally::default(),
            heart: Heart::default(),
            asleep: Asleep::default(),
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
            yaw: 0.0,
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
        assert_eq!(kinds, ["verdict", "alarm_on", "camera_lost", "person_left", "alarm_off"]);
    }

    #[test]
    fn a_breakdown_of_vision_ends_the_alarm_at_once() {
        let (mut control, seen, events, record) = control();
        a_second_of_a_bare_face(&seen);
        seen.send(Seen::Blind).unwrap();
        drop(seen);
        control.run();
        assert_eq!(last(&record, Role::Red), Some(false));
        drop(control);
        let kinds: Vec<_> = events.iter().map(|event| event.kind.name()).collect();
        assert_eq!(kinds, ["verdict", "alarm_on", "person_left", "alarm_off"]);
    }

    /// Waits for an event of this name; others are passed over.
    #[track_caller]
    fn until(events: &Receiver<Event>, name: &str) {
        // Far longer than it takes; only a broken control waits so long.
        while let Ok(event) = events.recv_timeout(Duration::from_secs(30)) {
            if event.kind.name() == name {
                return;
            }
        }
        panic!("no {name}");
    }

    /// Runs `control` while `story` goes on outside, then ends it.
    fn alongside(mut control: Control, seen: Sender<Seen>, story: impl FnOnce(&Sender<Seen>)) {
        let running = std::thread::spawn(move || control.run());
        story(&seen);
        drop(seen);
        running.join().unwrap();
    }

    fn with_inputs(wired: &[Input]) -> (Control, Sender<Seen>, Receiver<Event>, Record, Switches) {
        let (mut control, seen, events, _) = control();
        let lines = Simulated::new();
        let (record, switches) = (lines.record(), lines.switches());
        wired.iter().for_each(|input| switches.set(*input, false));
        control.lamps = Lamps::new(Board::new(Box::new(lines)));
        (control, seen, events, record, switches)
    }

    #[test]
    fn the_button_silences_the_buzzer_and_leaves_red_on() {
        let (mut control, seen, events, record, switches) = with_inputs(&[Input::Acknowledge]);
        control.config.alarm.buzzer_pattern = "steady".parse().unwrap();
        alongside(control, seen, |seen| {
            a_second_of_a_bare_face(seen);
            until(&events, "alarm_on");
            switches.set(Input::Acknowledge, true);
            until(&events, "acknowledged");
        });
        let order: Vec<_> = record.changes().iter().map(|c| (c.role, c.on)).collect();
        let on = [(Role::Red, true), (Role::Buzzer, true)];
        assert_eq!(order[..2], on);
        assert_eq!(order[2], (Role::Buzzer, false), "before red: {order:?}");
    }

    #[test]
    fn the_switch_takes_the_place_of_the_configured_mode() {
        let (mut control, seen, events, _, switches) = with_inputs(&[Input::ModeSwitch]);
        control.config.alarm.mode = AlarmMode::Hard;
        assert_eq!(control.judged_by().alarm.mode, AlarmMode::Soft, "until it is read");
        switches.set(Input::ModeSwitch, true);
        alongside(control, seen, |_| {
            until(&events, "mode_hard");
            switches.set(Input::ModeSwitch, false);
            until(&events, "mode_soft");
        });
    }

    #[test]
    fn vision_sleeps_while_nothing_moves_and_is_woken_by_motion() {
        let (mut control, seen, events, _, switches) = with_inputs(&[Input::Motion]);
        control.config.gpio.sleep_after_s = 0.05;
        let asleep = control.asleep.clone();
        alongside(control, seen, |_| {
            until(&events, "vision_asleep");
            assert!(asleep.get());
            switches.set(Input::Motion, true);
            until(&events, "vision_awake");
            assert!(!asleep.get());
        });
    }

    #[test]
    fn without_a_motion_sensor_it_never_sleeps() {
        let (mut control, ..) = with_inputs(&[Input::Acknowledge]);
        control.config.gpio.sleep_after_s = 0.0;
        assert!(control.rest().is_none());
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
    fn who_came_before_a_breakdown_stays_counted_and_keeps_the_number() {
        let (mut control, seen, events, _) = control();
        a_second_of_a_bare_face(&seen);
        seen.send(Seen::End).unwrap();
        control.run();
        // As the guard of its thread does after a panic.
        a_second_of_a_bare_face(&seen);
        drop(seen);
        control.run();
        let people = control.tally.people();
        assert_eq!((people.people, people.without_mask), (2, 2));
        drop(control);
        let verdicts = events.iter().filter(|event| event.kind.name() == "verdict");
        let numbers: Vec<_> = verdicts.map(|event| event.track).collect();
        assert_eq!(numbers, [Some(TrackId(1)), Some(TrackId(2))]);
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
