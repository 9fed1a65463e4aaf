//! What the box does when people come, mask themselves and go.

use std::time::Duration;

use proptest::prelude::*;

use super::{Decision, Levels, Mode, Notice, Outputs, Pattern, Policy, Settings};
use crate::picture::{Label, Rect};
use crate::tracking::{Person, TrackId, Verdict};

fn default_settings() -> Settings {
    crate::pipeline::settings::alarm(&crate::config::Alarm::default())
}

fn hard() -> Settings {
    Settings { mode: Mode::Hard, ..default_settings() }
}

const CHIRP: Pattern = Pattern::Chirp(Duration::from_millis(120));
const SOS: Pattern = Pattern::Sos(Duration::from_millis(120));

const MASKED: Option<Label> = Some(Label::WithMask);
const BARE: Option<Label> = Some(Label::WithoutMask);
const UNDER_NOSE: Option<Label> = Some(Label::IncorrectMask);

fn person(track: u32, label: Option<Label>) -> Person {
    Person {
        track: TrackId(track),
        look: None,
        bounds: Rect::default(),
        near: true,
        verdict: label.map(|label| Verdict { label, confidence: 0.9 }),
    }
}

/// A policy under a stopwatch.
struct Door {
    policy: Policy,
    now: Duration,
    notices: Vec<(f32, Notice)>,
    chirps: Vec<f32>,
}

impl Door {
    fn new(settings: Settings) -> Self {
        Self {
            policy: Policy::new(settings),
            now: Duration::ZERO,
            notices: Vec::new(),
            chirps: Vec::new(),
        }
    }

    /// Shows the same people for some seconds at ten frames a second; gives the last levels.
    fn show(&mut self, seconds: f32, people: &[Person]) -> Levels {
        let mut levels = Levels::default();
        for _ in 0..(seconds * 10.0).round() as u32 {
            let Decision { outputs, notices } = self.policy.step(self.now, people);
            let t = self.now.as_secs_f32();
            self.notices.extend(notices.into_iter().map(|notice| (t, notice)));
            if outputs.buzzer.pattern == CHIRP && outputs.buzzer.since == self.now {
                self.chirps.push(t);
            }
            levels = outputs.levels(self.now);
            self.now += Duration::from_millis(100);
        }
        levels
    }

    fn told(&self) -> Vec<&'static str> {
        let name = |notice: &Notice| match notice {
            Notice::AlarmOn { .. } => "alarm on",
            Notice::AlarmOff => "alarm off",
            Notice::DoorOpen => "door open",
            Notice::DoorClose => "door close",
            Notice::Acknowledged => "acknowledged",
            Notice::Mode(Mode::Soft) => "soft",
            Notice::Mode(Mode::Hard) => "hard",
        };
        self.notices.iter().map(|(_, notice)| name(notice)).collect()
    }
}

#[test]
fn a_bare_face_lights_red_and_chirps_and_a_mask_put_on_ends_it_after_the_hold() {
    let mut this = Door::new(default_settings());
    let red = this.show(3.0, &[person(1, BARE)]);
    assert!(red.red && !red.green);
    assert_eq!(this.chirps, [0.0]);
    let held = this.show(1.5, &[person(1, MASKED)]);
    assert!(held.red && !held.green, "still held");
    let green = this.show(2.0, &[person(1, MASKED)]);
    assert!(green.green && !green.red);
    assert_eq!(this.told(), ["alarm on", "alarm off"]);
    assert!((4.8..5.0).contains(&this.notices[1].0), "hold of 2 s: {:?}", this.notices);
}

#[test]
fn a_mask_under_the_nose_is_an_alarm_unless_configured_otherwise() {
    let mut strict = Door::new(default_settings());
    assert!(strict.show(1.0, &[person(1, UNDER_NOSE)]).red);
    let mut lenient = Door::new(Settings { incorrect_alarms: false, ..hard() });
    let levels = lenient.show(1.0, &[person(1, UNDER_NOSE)]);
    assert!(levels.green && levels.door && !levels.red);
}

#[test]
fn who_is_too_far_off_for_a_verdict_neither_keeps_the_door_shut_nor_is_asked() {
    let mut this = Door::new(hard());
    let far = Person { near: false, ..person(2, None) };
    let levels = this.show(30.0, &[person(1, MASKED), far]);
    assert!(levels.door && levels.green && !levels.amber);
    let levels = this.show(30.0, &[person(1, MASKED), Person { near: true, ..far }]);
    assert!(!levels.door);
}

#[test]
fn from_bare_to_under_the_nose_the_alarm_goes_on_without_a_new_chirp() {
    let mut this = Door::new(default_settings());
    for label in [BARE, UNDER_NOSE, BARE, UNDER_NOSE] {
        this.show(8.0, &[person(1, label)]);
    }
    assert_eq!(this.told(), ["alarm on"]);
    assert_eq!(this.chirps.len(), 1);
}

#[test]
fn who_stays_bare_is_not_nagged() {
    let mut this = Door::new(default_settings());
    assert!(this.show(120.0, &[person(1, BARE)]).red);
    assert_eq!(this.chirps.len(), 1);
}

#[test]
fn within_the_cool_down_red_tells_it_but_the_buzzer_stays_silent() {
    let mut this = Door::new(default_settings());
    this.show(1.0, &[person(1, BARE)]);
    this.show(5.0, &[]);
    assert!(this.show(1.0, &[person(2, BARE)]).red);
    assert_eq!(this.chirps.len(), 1);
    this.show(20.0, &[]);
    this.show(1.0, &[person(3, BARE)]);
    assert_eq!(this.chirps.len(), 2, "after the cool-down it sounds again");
    assert_eq!(this.told().len(), 5);
}

#[test]
fn where_people_keep_coming_the_buzzer_is_heard_once_in_a_cool_down() {
    let mut this = Door::new(default_settings());
    for track in 0..60 {
        this.show(0.5, &[person(track, BARE)]);
        this.show(9.0, &[]);
    }
    // Sounded, silent for the alarm and ten seconds more: every second person.
    assert_eq!(this.chirps.len(), 30, "{:?}", this.chirps);
}

#[test]
fn a_second_bare_person_is_heard_once_the_cool_down_is_over() {
    let mut this = Door::new(default_settings());
    this.show(12.0, &[person(1, BARE)]);
    this.show(3.0, &[person(1, BARE), person(2, BARE)]);
    assert_eq!(this.chirps.len(), 2);
    assert_eq!(this.told(), ["alarm on"]);
}

#[test]
fn amber_asks_who_hides_the_face_to_look_here() {
    let mut this = Door::new(default_settings());
    this.show(0.9, &[person(1, None)]);
    assert_eq!(this.policy.outputs().amber.pattern, Pattern::Off);
    this.show(0.5, &[person(1, None)]);
    assert_eq!(this.policy.outputs().amber.pattern, Pattern::SLOW_BLINK);
    this.show(0.1, &[person(1, MASKED)]);
    assert_eq!(this.policy.outputs().amber.pattern, Pattern::Off);
}

#[test]
fn in_soft_mode_the_door_line_is_never_touched() {
    let mut this = Door::new(default_settings());
    assert!(!this.show(5.0, &[person(1, MASKED)]).door);
    assert!(this.told().is_empty());
}

#[test]
fn the_door_opens_for_the_masked_and_closes_behind_them() {
    let mut this = Door::new(hard());
    assert!(!this.show(0.5, &[person(1, None)]).door);
    assert!(this.show(1.0, &[person(1, MASKED)]).door);
    assert!(this.show(1.5, &[]).door, "open for the minimum time");
    assert!(!this.show(1.0, &[]).door);
    assert_eq!(this.told(), ["door open", "door close"]);
}

#[test]
fn a_bare_face_closes_the_door_at_once() {
    let mut this = Door::new(hard());
    assert!(this.show(0.5, &[person(1, MASKED)]).door);
    assert!(!this.show(0.1, &[person(1, MASKED), person(2, BARE)]).door);
    assert_eq!(this.told(), ["door open", "alarm on", "door close"]);
}

#[test]
fn somebody_unbelieved_keeps_the_door_shut_for_as_long_as_they_stay() {
    let mut this = Door::new(hard());
    assert!(!this.show(60.0, &[person(1, MASKED), person(2, None)]).door);
    assert!(this.show(0.2, &[person(1, MASKED)]).door);
}

#[test]
fn a_lost_camera_ends_alarm_and_release() {
    let mut this = Door::new(hard());
    this.show(1.0, &[person(1, BARE)]);
    let safe = this.policy.safe(this.now);
    assert_eq!(safe.outputs.levels(this.now), Levels::default());
    assert_eq!(safe.notices, [Notice::AlarmOff]);
    this.show(1.0, &[person(1, MASKED)]);
    let safe = this.policy.safe(this.now);
    assert_eq!(safe.notices, [Notice::DoorClose]);
    assert_eq!(this.policy.safe(this.now).notices, [], "told once");
}

impl Door {
    fn acknowledge(&mut self) -> Levels {
        let decision = self.policy.acknowledge(self.now);
        self.decided(decision)
    }

    fn switch(&mut self, mode: Mode) -> Levels {
        let decision = self.policy.set_mode(self.now, mode);
        self.decided(decision)
    }

    fn decided(&mut self, decision: Decision) -> Levels {
        let t = self.now.as_secs_f32();
        self.notices.extend(decision.notices.into_iter().map(|notice| (t, notice)));
        decision.outputs.levels(self.now)
    }

    fn sounds(&self) -> bool {
        self.policy.outputs().buzzer.pattern != Pattern::Off
    }
}

#[test]
fn a_buzzer_that_goes_on_is_silenced_by_hand_while_red_stays() {
    let mut this = Door::new(Settings { buzzer: SOS, ..default_settings() });
    this.show(20.0, &[person(1, BARE)]);
    assert!(this.sounds(), "it goes on for as long as the alarm does");
    assert!(this.acknowledge().red);
    this.acknowledge();
    this.show(60.0, &[person(1, BARE)]);
    assert!(!this.sounds(), "who was there is known");
    this.show(1.0, &[person(1, BARE), person(2, BARE)]);
    assert!(this.sounds(), "somebody new is heard");
    assert_eq!(this.told(), ["alarm on", "acknowledged"]);
}

#[test]
fn a_buzzer_that_goes_on_ends_with_the_alarm() {
    let mut this = Door::new(Settings { buzzer: Pattern::Steady, ..default_settings() });
    assert!(this.show(3.0, &[person(1, BARE)]).buzzer);
    assert!(!this.show(3.0, &[]).buzzer);
    assert_eq!(this.told(), ["alarm on", "alarm off"]);
}

#[test]
fn the_button_without_an_alarm_does_and_tells_nothing() {
    let mut this = Door::new(default_settings());
    this.show(1.0, &[person(1, MASKED)]);
    assert!(this.acknowledge().green);
    this.show(1.0, &[person(1, MASKED), person(2, BARE)]);
    assert_eq!(this.chirps.len(), 1, "it does not silence what comes later");
    assert_eq!(this.told(), ["alarm on"]);
}

#[test]
fn red_blinks_where_it_is_wanted() {
    let red = Pattern::Blink(Duration::from_millis(200));
    let mut this = Door::new(Settings { red, ..default_settings() });
    this.show(1.0, &[person(1, BARE)]);
    assert_eq!(this.policy.outputs().red.pattern, red);
}

#[test]
fn switched_to_soft_the_door_is_held_at_once() {
    let mut this = Door::new(hard());
    assert!(this.show(1.0, &[person(1, MASKED)]).door);
    assert!(!this.switch(Mode::Soft).door);
    assert!(!this.show(5.0, &[person(1, MASKED)]).door);
    this.switch(Mode::Hard);
    assert!(this.show(0.1, &[person(1, MASKED)]).door);
    assert_eq!(this.told(), ["door open", "soft", "door close", "hard", "door open"]);
}

fn anybody() -> impl Strategy<Value = Person> {
    let label = prop_oneof![Just(None), Just(MASKED), Just(BARE), Just(UNDER_NOSE)];
    (1_u32..6, label).prop_map(|(track, label)| person(track, label))
}

fn anything() -> impl Strategy<Value = Vec<(u64, Option<Vec<Person>>)>> {
    // `None`: the camera is lost.
    let scene = prop::option::weighted(0.95, prop::collection::vec(anybody(), 0..4));
    prop::collection::vec((0_u64..3000, scene), 0..80)
}

proptest! {
    #[test]
    fn whatever_happens_the_rules_hold(
        story in anything(), is_hard in any::<bool>(), incorrect_alarms in any::<bool>(),
    ) {
        let mode = if is_hard { Mode::Hard } else { Mode::Soft };
        let mut policy = Policy::new(Settings { mode, incorrect_alarms, ..default_settings() });
        let mut now = Duration::ZERO;
        let (mut alarm, mut door) = (false, false);
        for (wait, scene) in story {
            now += Duration::from_millis(wait);
            let decision = match &scene {
                Some(people) => policy.step(now, people),
                None => policy.safe(now),
            };
            for notice in &decision.notices {
                let (state, wanted) = match notice {
                    Notice::AlarmOn { .. } => (&mut alarm, true),
                    Notice::AlarmOff => (&mut alarm, false),
                    Notice::DoorOpen => (&mut door, true),
                    Notice::DoorClose => (&mut door, false),
                    Notice::Acknowledged | Notice::Mode(_) => continue,
                };
                prop_assert_ne!(*state, wanted, "on and off alternate");
                *state = wanted;
            }
            let levels = decision.outputs.levels(now);
            prop_assert_eq!(levels.red, alarm);
            prop_assert_eq!(levels.door, door);
            prop_assert!(!(levels.red && levels.green));
            prop_assert!(is_hard || !levels.door);
            match &scene {
                None => prop_assert_eq!(levels, Levels::default(), "safe is safe"),
                Some(people) => {
                    let has = |label| people.iter().any(|p| p.verdict.map(|v| v.label) == label);
                    let wrong = has(BARE) || incorrect_alarms && has(UNDER_NOSE);
                    prop_assert!(!wrong || levels.red && !levels.door && !levels.green);
                    let opened = decision.notices.contains(&Notice::DoorOpen);
                    prop_assert!(!opened || !has(None), "opened for somebody unbelieved");
                    prop_assert!(!opened || has(MASKED) || has(UNDER_NOSE), "opened for nobody");
                }
            }
        }
    }

    #[test]
    fn whatever_hands_do_soft_holds_the_door_and_what_is_silenced_stays_so(
        story in prop::collection::vec(
            (0_u64..3000, prop::collection::vec(anybody(), 0..4), 0_u8..6), 0..80,
        ),
    ) {
        let settings = Settings { buzzer: SOS, ..hard() };
        let (mut mode, cool_down) = (settings.mode, settings.cool_down);
        let mut policy = Policy::new(settings);
        let (mut now, mut silent_until) = (Duration::ZERO, Duration::ZERO);
        for (wait, people, hand) in story {
            now += Duration::from_millis(wait);
            let before = policy.outputs();
            let Decision { outputs, notices } = match hand {
                0 => policy.acknowledge(now),
                1 | 2 => {
                    mode = if hand == 1 { Mode::Soft } else { Mode::Hard };
                    policy.set_mode(now, mode)
                }
                _ => policy.step(now, &people),
            };
            prop_assert!(mode == Mode::Hard || outputs.door.pattern == Pattern::Off);
            if hand == 0 {
                let silenced = Outputs { buzzer: outputs.buzzer, ..before };
                prop_assert_eq!(outputs, silenced, "only the buzzer");
                prop_assert_eq!(outputs.buzzer.pattern, Pattern::Off);
            }
            if notices.contains(&Notice::Acknowledged) {
                silent_until = now + cool_down;
            }
            prop_assert!(now >= silent_until || outputs.buzzer.pattern == Pattern::Off);
        }
    }

    #[test]
    fn the_next_change_of_a_pattern_is_the_next_change(
        pattern in prop::sample::select(vec![
            Pattern::Off, Pattern::Steady, Pattern::SLOW_BLINK, CHIRP, SOS,
        ]),
        elapsed in 0_u64..5000,
    ) {
        let at = Duration::from_millis(elapsed);
        let end = pattern.next_change(at).unwrap_or(at + Duration::from_secs(5));
        prop_assert!(end > at);
        let mut time = at;
        while time < end {
            prop_assert_eq!(pattern.level(time), pattern.level(at));
            time += Duration::from_millis(1);
        }
        if pattern.next_change(at).is_some() {
            prop_assert_ne!(pattern.level(end), pattern.level(at));
        }
    }
}
