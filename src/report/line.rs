use std::time::Duration;

use serde::Serialize;

use crate::picture::{Label, Look, Point, Probabilities, Rect};
use crate::tracking::{Counts, TrackId, Update};

/// Seconds, to the millisecond.
pub(super) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

/// `value` to a part of `parts`.
pub(super) fn round(value: f32, parts: f32) -> f32 {
    (value * parts).round() / parts
}

/// One face of one picture: pixels to a tenth, scores and probabilities to four decimals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaceLine {
    #[serde(rename = "box")]
    bounds: Rect,
    score: f32,
    landmarks: [Point; 5],
    label: Label,
    probabilities: Probabilities,
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<TrackId>,
}

impl FaceLine {
    /// `track` is `None` in a single image, and while a face is not yet followed.
    pub fn new(look: &Look, track: Option<TrackId>) -> Self {
        let pixel = |value| round(value, 10.0);
        let share = |value| round(value, 10_000.0);
        let bounds = look.face.bounds;
        let p = look.probabilities;
        Self {
            bounds: Rect {
                x1: pixel(bounds.x1),
                y1: pixel(bounds.y1),
                x2: pixel(bounds.x2),
                y2: pixel(bounds.y2),
            },
            score: share(look.face.score),
            landmarks: look.face.landmarks.map(|p| Point { x: pixel(p.x), y: pixel(p.y) }),
            label: p.best().0,
            probabilities: Probabilities {
                with_mask: share(p.with_mask),
                without_mask: share(p.without_mask),
                incorrect_mask: share(p.incorrect_mask),
            },
            track,
        }
    }
}

/// One processed frame of a video: `{"type":"frame","frame":12,"t":0.48,"faces":[…]}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "frame")]
pub struct FrameLine {
    frame: u64,
    t: f64,
    faces: Vec<FaceLine>,
}

impl FrameLine {
    /// The looks of a frame with whom `update` knows them to be.
    pub fn new(frame: u64, at: Duration, looks: &[Look], update: &Update) -> Self {
        let faces = looks
            .iter()
            .enumerate()
            .map(|(index, look)| FaceLine::new(look, update.track_of(index)))
            .collect();
        Self { frame, t: seconds(at), faces }
    }
}

/// One image: `{"image":"a.jpg","width":640,"height":480,"faces":[…]}`, or
/// `{"image":"a.jpg","error":"…"}` where it could not be read.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ImageLine {
    Read { image: String, width: u32, height: u32, faces: Vec<FaceLine> },
    Failed { image: String, error: String },
}

impl ImageLine {
    /// `width` and `height` in pixels.
    pub fn read(image: String, width: u32, height: u32, looks: &[Look]) -> Self {
        let faces = looks.iter().map(|look| FaceLine::new(look, None)).collect();
        Self::Read { image, width, height, faces }
    }

    pub fn failed(image: String, error: String) -> Self {
        Self::Failed { image, error }
    }
}

/// The last line of a video: `{"type":"summary","frames":…,"people":…,…,"fps":…}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "summary")]
pub struct Summary {
    frames: u64,
    people: u64,
    with_mask: u64,
    without_mask: u64,
    incorrect_mask: u64,
    fps: f64,
}

impl Summary {
    /// `fps`: frames processed a second of real time; written to a tenth.
    pub fn new(frames: u64, counts: Counts, fps: f64) -> Self {
        Self {
            frames,
            people: counts.people,
            with_mask: counts.with_mask,
            without_mask: counts.without_mask,
            incorrect_mask: counts.incorrect_mask,
            fps: (fps * 10.0).round() / 10.0,
        }
    }
}
