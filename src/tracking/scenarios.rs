//! People walking, hiding, masking: what the tracker and its beliefs make of them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Change, Counts, Settings, TrackId, Tracker, Update};
use crate::picture::{Face, Label, Look, Point, Probabilities, Rect};

pub(super) fn default_settings() -> Settings {
    settings_of(&crate::config::Tracking::default())
}

pub(super) fn settings_of(asked: &crate::config::Tracking) -> Settings {
    crate::pipeline::settings::tracking(asked, &crate::config::Alarm::default())
}

/// A crisp frontal face about the centre (`x`, `y`), `width` pixels wide; `masked` is the
/// probability of a mask, the rest is bare.
pub(crate) fn look(x: f32, y: f32, width: f32, masked: f32) -> Look {
    let (half_width, half_height) = (width / 2.0, width * 0.62);
    let point = |dx: f32, dy: f32| Point { x: x + dx * half_width, y: y + dy * half_height };
    let face = Face {
        bounds: Rect {
            x1: x - half_width,
            y1: y - half_height,
            x2: x + half_width,
            y2: y + half_height,
        },
        score: 0.95,
        landmarks: [
            point(-0.4, -0.2),
            point(0.4, -0.2),
            point(0.0, 0.2),
            point(-0.3, 0.5),
            point(0.3, 0.5),
        ],
    };
    let probabilities =
        Probabilities { with_mask: masked, without_mask: 1.0 - masked, incorrect_mask: 0.0 };
    Look { face, probabilities, sharpness: 0.5, yaw: 0.0 }
}

/// The same face, head turned away.
fn turned(look: Look) -> Look {
    Look { yaw: -75.0, ..look }
}

const BARE: f32 = 0.03;
const MASKED: f32 = 0.97;

/// Boxes tremble by up to 4 % of the face and half a pixel, the same in every run.
fn tremble(look: Look, frame: u32) -> Look {
    let noise = |seed: u32| {
        let mixed = (frame * 7 + seed).wrapping_mul(2_654_435_761) >> 16;
        (mixed % 1000) as f32 / 500.0 - 1.0
    };
    let part = look.face.bounds.width() * 0.04 + 0.5;
    let (dx, dy) = (noise(1) * part, noise(2) * part);
    let b = look.face.bounds;
    let bounds = Rect { x1: b.x1 + dx, y1: b.y1 + dy, x2: b.x2 + dx, y2: b.y2 + dy };
    Look { face: Face { bounds, ..look.face }, ..look }
}

/// A told story: who was whom at each frame, and what changed when.
struct Story {
    updates: Vec<(f32, Update)>,
    counts: Counts,
}

impl Story {
    /// Shows `seconds` of a scene at `fps`; the scene gives the looks of second `t`.
    fn watch(fps: u32, seconds: f32, scene: impl Fn(f32) -> Vec<Look>) -> Self {
        Self::watch_with(default_settings(), fps, seconds, scene)
    }

    fn watch_with(
        settings: Settings,
        fps: u32,
        seconds: f32,
        scene: impl Fn(f32) -> Vec<Look>,
    ) -> Self {
        let mut tracker = Tracker::new(settings);
        let mut updates = Vec::new();
        for frame in 0..(seconds * fps as f32) as u32 {
            let at = Duration::from_secs(1) * frame / fps;
            let looks: Vec<_> =
                scene(at.as_secs_f32()).into_iter().map(|look| tremble(look, frame)).collect();
            updates.push((at.as_secs_f32(), tracker.update(at, &looks)));
        }
        Self { updates, counts: tracker.counts() }
    }

    fn verdicts(&self) -> Vec<(f32, TrackId, Label)> {
        let changes = self.updates.iter().flat_map(|(t, u)| u.changes.iter().map(|c| (*t, *c)));
        changes
            .filter_map(|(t, change)| match change {
                Change::Verdict { track, verdict } => Some((t, track, verdict.label)),
                Change::Left { .. } => None,
            })
            .collect()
    }

    fn left(&self) -> Vec<(f32, TrackId)> {
        let changes = self.updates.iter().flat_map(|(t, u)| u.changes.iter().map(|c| (*t, *c)));
        changes
            .filter_map(|(t, change)| match change {
                Change::Left { track, .. } => Some((t, track)),
                Change::Verdict { .. } => None,
            })
            .collect()
    }

    /// Who the look of this index is at the frame nearest after second `t`.
    fn who(&self, t: f32, look: usize) -> Option<TrackId> {
        self.updates.iter().find(|(at, _)| *at >= t).and_then(|(_, update)| update.track_of(look))
    }
}

#[test]
fn a_clear_face_that_comes_near_is_believed_well_within_a_second() {
    for fps in [10, 12, 25] {
        for (masked, label) in [(BARE, Label::WithoutMask), (MASKED, Label::WithMask)] {
            let story =
                Story::watch(fps, 3.0, |t| vec![look(200.0, 150.0, 50.0 + 20.0 * t, masked)]);
            let verdicts = story.verdicts();
            assert_eq!(verdicts.len(), 1, "{fps} fps: {verdicts:?}");
            assert_eq!(verdicts[0].2, label);
            assert!(verdicts[0].0 <= 0.5, "{fps} fps: {verdicts:?}");
            assert_eq!(story.counts.people, 1);
        }
    }
}

#[test]
fn two_people_who_cross_keep_who_they_are() {
    for (fps, hidden) in [(10, 0.0), (12, 20.0), (25, 30.0), (25, 0.0)] {
        // From left and right past each other; the second is hidden where they overlap.
        let story = Story::watch(fps, 4.0, |t| {
            let (a, b) = (100.0 + 100.0 * t, 500.0 - 100.0 * t);
            let mut looks = vec![look(a, 200.0, 44.0, BARE)];
            if (a - b).abs() >= hidden {
                looks.push(look(b, 196.0, 40.0, MASKED));
            }
            looks
        });
        let (first, second) = (story.who(1.0, 0), story.who(1.0, 1));
        assert!(first.is_some() && second.is_some() && first != second);
        assert_eq!(story.who(3.5, 0), first, "{fps} fps, hidden for {hidden} px");
        assert_eq!(story.who(3.5, 1), second, "{fps} fps, hidden for {hidden} px");
        assert_eq!(story.verdicts().len(), 2, "{:?}", story.verdicts());
        assert_eq!(
            story.counts,
            Counts { people: 2, with_mask: 1, without_mask: 1, incorrect_mask: 0 }
        );
    }
}

#[test]
fn who_is_hidden_for_a_moment_stays_the_same_person_and_keeps_the_verdict() {
    for fps in [5, 12, 25] {
        // Walks behind a pillar from 2.0 to 2.7 s.
        let story = Story::watch(fps, 4.0, |t| {
            if (2.0..2.7).contains(&t) {
                vec![]
            } else {
                vec![look(100.0 + 60.0 * t, 200.0, 40.0, MASKED)]
            }
        });
        assert_eq!(story.counts.people, 1, "{fps} fps");
        assert_eq!(story.verdicts().len(), 1, "{fps} fps");
        let hidden = story.updates.iter().find(|(t, _)| *t >= 2.4).map(|(_, u)| u.people.clone());
        let hidden = hidden.unwrap_or_default();
        assert_eq!(hidden.len(), 1);
        assert_eq!(hidden[0].look, None);
        assert_eq!(hidden[0].verdict.map(|v| v.label), Some(Label::WithMask));
        assert!(hidden[0].bounds.center().x > 220.0, "went on behind the pillar");
    }
}

#[test]
fn who_turns_round_behind_a_pillar_is_not_counted_twice() {
    let story = Story::watch(12, 4.0, |t| match t {
        t if t < 2.0 => vec![look(100.0 + 80.0 * t, 200.0, 40.0, BARE)],
        t if t < 2.8 => vec![],
        t => vec![look(260.0 - 80.0 * (t - 2.8), 200.0, 40.0, BARE)],
    });
    assert_eq!(story.counts.people, 1);
}

#[test]
fn in_a_row_nobody_takes_the_place_of_who_is_hidden() {
    for fps in [5, 12, 25] {
        // Three places side by side. Who stands in the first is hidden when somebody comes to the
        // third; the one between is seen all the time.
        let story = Story::watch(fps, 4.0, |t| {
            let first = (t < 2.0).then(|| look(194.0, 200.0, 60.0, MASKED));
            let third = (t >= 2.0).then(|| look(406.0, 200.0, 60.0, MASKED));
            [Some(look(300.0, 200.0, 60.0, BARE)), first, third].into_iter().flatten().collect()
        });
        let between = story.who(1.5, 0);
        assert!(between.is_some());
        for (t, update) in story.updates.iter().filter(|(t, _)| *t >= 1.5) {
            assert_eq!(update.track_of(0), between, "{fps} fps, at {t}");
        }
        assert_eq!(story.verdicts().len(), 3, "{fps} fps: {:?}", story.verdicts());
        assert_eq!(
            story.counts,
            Counts { people: 3, with_mask: 2, without_mask: 1, incorrect_mask: 0 }
        );
    }
}

#[test]
fn a_bare_face_near_to_where_a_masked_one_left_is_somebody_else() {
    // Nearer than that it may be the same person, who took the mask off.
    for fps in [10, 12, 25] {
        let story = Story::watch(fps, 4.0, |t| match t {
            t if t < 2.0 => vec![look(200.0, 200.0, 60.0, MASKED)],
            t if t < 2.4 => vec![],
            _ => vec![look(382.0, 200.0, 60.0, BARE)],
        });
        assert_eq!(
            story.counts,
            Counts { people: 2, with_mask: 1, without_mask: 1, incorrect_mask: 0 },
            "{fps} fps"
        );
        let (at, _, label) = story.verdicts()[1];
        assert_eq!(label, Label::WithoutMask);
        assert!(at <= 2.8, "{fps} fps: as soon as anybody who comes, not at {at}");
    }
}

/// What looks a little like a face, and is none.
fn phantom(x: f32, y: f32, score: f32) -> Look {
    let look = look(x, y, 45.0, BARE);
    Look { face: Face { score, ..look.face }, sharpness: 0.01, ..look }
}

#[test]
fn what_is_no_face_does_not_go_on_for_somebody_who_left() {
    for fps in [5, 10, 15, 25] {
        let story = Story::watch(fps, 8.0, |t| {
            let passer = (t < 3.0).then(|| look(150.0 + 20.0 * t, 205.0, 60.0, BARE));
            [Some(phantom(300.0, 200.0, 0.4)), passer].into_iter().flatten().collect()
        });
        let left = story.left();
        assert!(left.len() == 1 && left[0].0 < 4.5, "{fps} fps: {left:?}");
    }
}

#[test]
fn one_strong_look_among_weak_ones_makes_no_person() {
    for fps in [5, 10, 25] {
        let flash = 20.0 / fps as f32;
        let story = Story::watch(fps, 8.0, |t| {
            let score = if (t - flash).abs() < 0.01 { 0.51 } else { 0.42 };
            vec![phantom(300.0, 200.0, score)]
        });
        assert_eq!(story.counts.people, 0, "{fps} fps");
    }
}

#[test]
fn a_newcomer_does_not_take_the_place_of_who_bows_their_head_beside_them() {
    for fps in [5, 10, 15] {
        let story = Story::watch(fps, 6.0, |t| {
            let standing = look(200.0, 200.0, 60.0, BARE);
            let score = if t < 2.0 { 0.9 } else { 0.45 };
            let standing = Look { face: Face { score, ..standing.face }, ..standing };
            let newcomer = (t >= 3.0).then(|| look(267.0, 200.0, 60.0, MASKED));
            [Some(standing), newcomer].into_iter().flatten().collect()
        });
        let labels: Vec<_> =
            story.verdicts().iter().map(|(_, track, label)| (track.0, *label)).collect();
        assert_eq!(labels, [(1, Label::WithoutMask), (2, Label::WithMask)], "{fps} fps");
    }
}

#[test]
fn a_worn_mask_is_not_believed_of_who_comes_out_somewhere_else() {
    for fps in [5, 10, 15, 25] {
        // The one who comes is never seen well enough for a verdict.
        let story = Story::watch(fps, 6.0, |t| match t {
            t if t < 2.0 => vec![look(200.0, 200.0, 60.0, MASKED)],
            t if t < 2.5 => vec![],
            _ => vec![turned(look(340.0, 200.0, 60.0, BARE))],
        });
        let (_, last) = story.updates.last().unwrap();
        assert!(
            !last.people.is_empty() && last.people.iter().all(|p| p.verdict.is_none()),
            "{fps} fps"
        );
    }
}

#[test]
fn who_leaves_is_told_once_and_the_next_one_is_somebody_else() {
    let story = Story::watch(12, 8.0, |t| match t {
        t if t < 2.0 => vec![look(200.0, 200.0, 50.0, MASKED)],
        t if t < 5.0 => vec![],
        _ => vec![look(200.0, 200.0, 50.0, BARE)],
    });
    let left = story.left();
    assert_eq!(left.len(), 1);
    assert!((2.9..3.3).contains(&left[0].0), "{left:?}");
    assert_ne!(story.who(1.0, 0), story.who(6.0, 0));
    assert_eq!(
        story.counts,
        Counts { people: 2, with_mask: 1, without_mask: 1, incorrect_mask: 0 }
    );
}

#[test]
fn a_mask_that_goes_on_and_comes_off_changes_the_verdict_each_time() {
    for fps in [10, 25] {
        let story = Story::watch(fps, 9.0, |t| {
            vec![look(200.0, 200.0, 60.0, if (3.0..6.0).contains(&t) { MASKED } else { BARE })]
        });
        let verdicts = story.verdicts();
        let labels: Vec<_> = verdicts.iter().map(|&(_, _, label)| label).collect();
        assert_eq!(labels, [Label::WithoutMask, Label::WithMask, Label::WithoutMask], "{fps} fps");
        assert!((3.3..=4.0).contains(&verdicts[1].0), "{verdicts:?}");
        assert!((6.3..=7.0).contains(&verdicts[2].0), "{verdicts:?}");
        assert_eq!(story.counts.people, 1);
    }
}

#[test]
fn a_masked_face_that_turns_away_keeps_its_verdict() {
    // In profile the classifier sees skin and takes it for bare.
    let story = Story::watch(12, 6.0, |t| {
        if (2.0..5.0).contains(&t) {
            vec![turned(look(200.0, 200.0, 60.0, BARE))]
        } else {
            vec![look(200.0, 200.0, 60.0, MASKED)]
        }
    });
    let labels: Vec<_> = story.verdicts().iter().map(|&(_, _, label)| label).collect();
    assert_eq!(labels, [Label::WithMask]);
}

#[test]
fn faces_too_small_too_blurred_or_turned_away_are_people_without_a_verdict() {
    let blurred = Look { sharpness: 0.01, ..look(200.0, 200.0, 60.0, BARE) };
    for poor in [look(200.0, 200.0, 18.0, BARE), blurred, turned(look(200.0, 200.0, 60.0, BARE))] {
        let story = Story::watch(12, 4.0, |_| vec![poor]);
        assert_eq!(story.counts, Counts { people: 1, ..Counts::default() });
    }
}

#[test]
fn small_faces_that_walk_fast_past_each_other_are_two_people() {
    // 14 px wide, 170 px a second: at 12 frames a second each step is the width of the face.
    let settings = Settings { min_face: 12.0, ..default_settings() };
    let story = Story::watch_with(settings, 12, 2.5, |t| {
        vec![look(20.0 + 170.0 * t, 100.0, 14.0, BARE), look(440.0 - 150.0 * t, 118.0, 14.0, BARE)]
    });
    assert_eq!(
        story.counts,
        Counts { people: 2, with_mask: 0, without_mask: 2, incorrect_mask: 0 }
    );
    assert_eq!(story.who(0.7, 0), story.who(2.3, 0));
    assert_eq!(story.who(0.7, 1), story.who(2.3, 1));
}

#[test]
fn a_face_found_in_every_second_frame_only_is_one_person() {
    for fps in [10, 25] {
        let story = Story::watch(fps, 4.0, |t| {
            if ((t * fps as f32).round() as u32).is_multiple_of(2) {
                vec![look(100.0 + 40.0 * t, 200.0, 40.0, BARE)]
            } else {
                vec![]
            }
        });
        assert_eq!(story.counts.people, 1, "{fps} fps");
        assert_eq!(story.verdicts().len(), 1, "{fps} fps");
    }
}

#[test]
fn single_false_detections_here_and_there_are_nobody() {
    let story = Story::watch(25, 8.0, |t| {
        let frame = (t * 25.0).round() as u32;
        // Every fifth frame, now here, now there, often near to where one was before.
        let x = 40.0 + (frame.wrapping_mul(2_654_435_761) >> 16) as f32 % 200.0;
        if frame.is_multiple_of(5) { vec![look(x, 200.0, 30.0, BARE)] } else { vec![] }
    });
    assert_eq!(story.counts.people, 0);
}

#[test]
fn a_second_box_on_a_face_is_not_a_second_person() {
    let story = Story::watch(25, 3.0, |_| {
        vec![look(200.0, 200.0, 60.0, BARE), look(204.0, 210.0, 38.0, BARE)]
    });
    assert_eq!(story.counts.people, 1);
}

#[test]
fn weak_detections_carry_a_person_on_but_make_none() {
    let weak = |t: f32| {
        let mut look = look(100.0 + 50.0 * t, 200.0, 40.0, BARE);
        // Between what the detector tells of and what starts a person.
        look.face.score = 0.45;
        look
    };
    let alone = Story::watch(12, 3.0, |t| vec![weak(t)]);
    assert_eq!(alone.counts.people, 0);

    let carried = Story::watch(12, 5.0, |t| {
        vec![if t < 1.0 { look(100.0 + 50.0 * t, 200.0, 40.0, BARE) } else { weak(t) }]
    });
    assert_eq!(carried.counts.people, 1);
    assert!(carried.left().is_empty());
}

#[test]
fn a_clip_that_starts_again_loses_nobody_twice() {
    let mut tracker = Tracker::new(default_settings());
    let mut left = 0;
    for round in 0..3 {
        for frame in 0..50_u32 {
            let at = Duration::from_millis(40) * frame;
            let update = tracker.update(at, &[look(200.0, 200.0, 50.0, BARE)]);
            left += update.changes.iter().filter(|c| matches!(c, Change::Left { .. })).count();
            assert!(update.people.len() <= 1, "round {round}");
        }
    }
    assert_eq!(left, 0);
    assert_eq!(tracker.counts().people, 1);
}

#[test]
fn a_crowd_with_boxes_that_are_no_boxes_breaks_nothing() {
    let mut tracker = Tracker::new(default_settings());
    for frame in 0..20_u32 {
        let mut looks: Vec<_> = (0..60)
            .map(|i| look(20.0 + (i % 10) as f32 * 60.0, 20.0 + (i / 10) as f32 * 70.0, 30.0, BARE))
            .collect();
        looks[0].face.bounds.x1 = f32::NAN;
        looks[1].face.bounds = Rect { x1: 50.0, y1: 50.0, x2: 10.0, y2: 10.0 };
        looks[2].face.bounds.x2 = f32::INFINITY;
        let update = tracker.update(Duration::from_millis(40) * frame, &looks);
        let tracks: BTreeSet<_> = update.people.iter().map(|person| person.track).collect();
        assert_eq!(tracks.len(), update.people.len());
    }
    assert_eq!(tracker.counts().people, 57);
}

#[test]
fn whoever_is_there_after_a_gap_in_the_frames_is_somebody_new() {
    // The camera stands still for four seconds, without a frame.
    let story = |gap: f32| {
        let mut tracker = Tracker::new(default_settings());
        let mut changes = vec![];
        for frame in 0..80_u32 {
            let (masked, at) = match frame {
                0..40 => (MASKED, frame as f32 / 12.0),
                _ => (BARE, frame as f32 / 12.0 + gap),
            };
            let looks = [tremble(look(200.0, 150.0, 60.0, masked), frame)];
            let update = tracker.update(Duration::from_secs_f32(at), &looks);
            changes.extend(update.changes.into_iter().map(|change| (frame, change)));
        }
        (tracker.counts(), changes)
    };
    let (counts, changes) = story(4.0);
    assert_eq!((counts.people, counts.with_mask, counts.without_mask), (2, 1, 1), "{changes:?}");
    let left = |(frame, change): &(u32, Change)| match change {
        Change::Left { track: TrackId(1), verdict: Some(verdict) } => {
            (*frame, verdict.label) == (40, Label::WithMask)
        }
        _ => false,
    };
    assert!(changes.iter().any(left), "{changes:?}");
    // A frame or two that is lost parts nobody.
    assert_eq!(story(0.3).0.people, 1);
}
