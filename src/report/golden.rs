//! The exact text that others read.

use std::time::Duration;

use serde::Serialize;

use super::{Event, EventKind, FrameLine, ImageLine, Summary};
use crate::alarm::{Mode, Notice};
use crate::picture::{Face, Label, Look, Point, Probabilities, Rect};
use crate::tracking::{Change, Counts, Person, TrackId, Update, Verdict};

const AT: Duration = Duration::from_millis(480);

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain values become JSON")
}

fn verdict(label: Label) -> Verdict {
    Verdict { label, confidence: 0.970_4 }
}

fn look() -> Look {
    let face = Face {
        bounds: Rect { x1: 10.04, y1: 20.0, x2: 50.55, y2: 70.25 },
        score: 0.970_04,
        landmarks: [
            Point { x: 20.0, y: 35.0 },
            Point { x: 40.0, y: 35.12 },
            Point { x: 30.0, y: 45.0 },
            Point { x: 22.0, y: 58.0 },
            Point { x: 38.0, y: 58.0 },
        ],
    };
    let probabilities = Probabilities { with_mask: 0.01, without_mask: 0.98, incorrect_mask: 0.01 };
    Look { face, probabilities, sharpness: 0.3, yaw: 0.0 }
}

const FACE: &str = r#"{"box":[10.0,20.0,50.6,70.3],"score":0.97,"landmarks":[[20.0,35.0],[40.0,35.1],[30.0,45.0],[22.0,58.0],[38.0,58.0]],"label":"without_mask","probabilities":{"with_mask":0.01,"without_mask":0.98,"incorrect_mask":0.01}"#;

#[test]
fn events_as_json_leave_out_what_does_not_apply() {
    let track = TrackId(3);
    let bare = verdict(Label::WithoutMask);
    let told = Change::Verdict { track, verdict: bare };
    assert_eq!(
        json(&Event::of_change(&told, Some(12), AT)),
        r#"{"type":"event","event":"verdict","frame":12,"t":0.48,"track":3,"label":"without_mask","confidence":0.97}"#
    );
    let left = Change::Left { track, verdict: None };
    assert_eq!(
        json(&Event::of_change(&left, Some(40), Duration::from_micros(1_333_333))),
        r#"{"type":"event","event":"person_left","frame":40,"t":1.333,"track":3}"#
    );
    let on = Notice::AlarmOn { track, verdict: bare };
    assert_eq!(
        json(&Event::of_notice(&on, Some(12), AT)),
        r#"{"type":"event","event":"alarm_on","frame":12,"t":0.48,"track":3,"label":"without_mask","confidence":0.97}"#
    );
    assert_eq!(
        json(&Event::of_notice(&Notice::AlarmOff, Some(0), Duration::ZERO)),
        r#"{"type":"event","event":"alarm_off","frame":0,"t":0.0}"#
    );
    assert_eq!(
        json(&Event::of_notice(&Notice::DoorOpen, Some(12), AT)),
        r#"{"type":"event","event":"door_open","frame":12,"t":0.48}"#
    );
    assert_eq!(
        json(&Event::of_notice(&Notice::DoorClose, None, AT)),
        r#"{"type":"event","event":"door_close","t":0.48}"#
    );
    assert_eq!(
        json(&Event::new(EventKind::CameraLost, None, AT)),
        r#"{"type":"event","event":"camera_lost","t":0.48}"#
    );
    assert_eq!(
        json(&Event::new(EventKind::CameraBack, None, AT)),
        r#"{"type":"event","event":"camera_back","t":0.48}"#
    );
}

#[test]
fn what_a_hand_did_and_whether_vision_sleeps_are_events_without_a_frame() {
    let notice = |notice| json(&Event::of_notice(&notice, None, AT));
    assert_eq!(notice(Notice::Acknowledged), r#"{"type":"event","event":"acknowledged","t":0.48}"#);
    assert_eq!(
        notice(Notice::Mode(Mode::Soft)),
        r#"{"type":"event","event":"mode_soft","t":0.48}"#
    );
    assert_eq!(
        notice(Notice::Mode(Mode::Hard)),
        r#"{"type":"event","event":"mode_hard","t":0.48}"#
    );
    let event = |kind| json(&Event::new(kind, None, AT));
    assert_eq!(
        event(EventKind::VisionAsleep),
        r#"{"type":"event","event":"vision_asleep","t":0.48}"#
    );
    assert_eq!(
        event(EventKind::VisionAwake),
        r#"{"type":"event","event":"vision_awake","t":0.48}"#
    );
}

#[test]
fn events_as_text_are_lines_for_people() {
    let track = TrackId(3);
    let line = |change: Change| Event::of_change(&change, Some(12), AT).to_string();
    let told = |label| line(Change::Verdict { track, verdict: verdict(label) });
    assert_eq!(told(Label::WithoutMask), "0.48 s  person 3: no mask (97 %)");
    assert_eq!(told(Label::WithMask), "0.48 s  person 3: mask worn (97 %)");
    assert_eq!(told(Label::IncorrectMask), "0.48 s  person 3: mask worn wrongly (97 %)");
    assert_eq!(line(Change::Left { track, verdict: None }), "0.48 s  person 3 left");
    let verdict = verdict(Label::WithoutMask);
    assert_eq!(
        line(Change::Left { track, verdict: Some(verdict) }),
        "0.48 s  person 3 left: no mask (97 %)"
    );
    let on = Notice::AlarmOn { track, verdict };
    let notice = |notice| Event::of_notice(&notice, Some(12), AT).to_string();
    assert_eq!(notice(on), "0.48 s  alarm on: person 3, no mask (97 %)");
    assert_eq!(notice(Notice::AlarmOff), "0.48 s  alarm off");
    assert_eq!(notice(Notice::DoorOpen), "0.48 s  door released");
    assert_eq!(notice(Notice::DoorClose), "0.48 s  door held");
    assert_eq!(notice(Notice::Acknowledged), "0.48 s  acknowledged: the buzzer is silenced");
    let lost = Event::new(EventKind::CameraLost, None, Duration::from_secs(75));
    assert_eq!(lost.to_string(), "75.00 s  camera lost");
}

#[test]
fn a_frame_says_who_each_face_is_where_it_is_known() {
    let bounds = look().face.bounds;
    let person = Person { track: TrackId(3), look: Some(1), bounds, near: true, verdict: None };
    let update = Update { people: vec![person], changes: vec![] };
    assert_eq!(
        json(&FrameLine::new(12, AT, &[look(), look()], &update)),
        format!(r#"{{"type":"frame","frame":12,"t":0.48,"faces":[{FACE}}},{FACE},"track":3}}]}}"#)
    );
    assert_eq!(
        json(&FrameLine::new(0, Duration::ZERO, &[], &Update::default())),
        r#"{"type":"frame","frame":0,"t":0.0,"faces":[]}"#
    );
}

#[test]
fn an_image_gives_its_faces_or_why_not() {
    assert_eq!(
        json(&ImageLine::read("a.jpg".into(), 640, 480, &[look()])),
        format!(r#"{{"image":"a.jpg","width":640,"height":480,"faces":[{FACE}}}]}}"#)
    );
    assert_eq!(
        json(&ImageLine::failed("b \"1\".jpg".into(), "file is empty".into())),
        r#"{"image":"b \"1\".jpg","error":"file is empty"}"#
    );
}

#[test]
fn the_summary_counts_people_and_speed() {
    let counts = Counts { people: 4, with_mask: 1, without_mask: 2, incorrect_mask: 0 };
    assert_eq!(
        json(&Summary::new(244, counts, 61.237)),
        r#"{"type":"summary","frames":244,"people":4,"with_mask":1,"without_mask":2,"incorrect_mask":0,"fps":61.2}"#
    );
}
