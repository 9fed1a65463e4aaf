use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Point, Rect};

/// A face as the detector found it, in pixels of the frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Face {
    pub bounds: Rect,
    /// How sure the detector is, 0 to 1.
    pub score: f32,
    /// Right eye, left eye, nose, right and left mouth corner; right and left are the person's.
    pub landmarks: [Point; 5],
}

impl Face {
    /// The same face in the mirrored picture of `width` pixels; left and right change places.
    pub fn mirrored(&self, width: f32) -> Face {
        let [right_eye, left_eye, nose, right_mouth, left_mouth] =
            self.landmarks.map(|p| Point { x: width - p.x, y: p.y });
        Face {
            bounds: Rect { x1: width - self.bounds.x2, x2: width - self.bounds.x1, ..self.bounds },
            score: self.score,
            landmarks: [left_eye, right_eye, nose, left_mouth, right_mouth],
        }
    }
}

/// What is worn, in the order of the classifier's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    WithMask,
    WithoutMask,
    /// Worn, but nose or chin bare.
    IncorrectMask,
}

impl Label {
    pub const ALL: [Label; 3] = [Label::WithMask, Label::WithoutMask, Label::IncorrectMask];

    /// The name used in JSON, CSV and model metadata.
    pub fn name(self) -> &'static str {
        match self {
            Label::WithMask => "with_mask",
            Label::WithoutMask => "without_mask",
            Label::IncorrectMask => "incorrect_mask",
        }
    }

    pub fn from_name(name: &str) -> Option<Label> {
        Label::ALL.into_iter().find(|label| label.name() == name)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the classifier believes; the three sum to 1. A model of two classes never says
/// `incorrect_mask`: its probability is 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probabilities {
    pub with_mask: f32,
    pub without_mask: f32,
    pub incorrect_mask: f32,
}

impl Probabilities {
    pub fn of(&self, label: Label) -> f32 {
        match label {
            Label::WithMask => self.with_mask,
            Label::WithoutMask => self.without_mask,
            Label::IncorrectMask => self.incorrect_mask,
        }
    }

    /// The most probable label and its probability.
    pub fn best(&self) -> (Label, f32) {
        Label::ALL
            .into_iter()
            .map(|label| (label, self.of(label)))
            .fold((Label::WithMask, f32::NEG_INFINITY), |a, b| if b.1 > a.1 { b } else { a })
    }
}

/// One look at one face in one frame: everything vision says about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    pub face: Face,
    pub probabilities: Probabilities,
    /// Focus of the crop: mean absolute Laplacian of its luma over its mean luma contrast,
    /// about 0 (blurred) to 1 (crisp); see `vision::sharpness`.
    pub sharpness: f32,
    /// How far the head is turned, in degrees; 0 is frontal, positive towards the picture's right.
    pub yaw: f32,
}
