//! The typed configuration: read from a TOML file and the environment, checked as a whole.
//! Every default is here and nowhere else.
//! Never: opening what is configured.

mod camera;
mod gpio;
mod keys;
mod lines;
mod load;
mod passwords;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use camera::{Camera, FrameFormat, PowerLine, Region, Setting};
pub use gpio::{Backend, Gpio};
pub use lines::{Drive, InputLine, LineRef, OutputLine, Pattern, Pull, Shape};
pub use load::{ConfigError, DEFAULT_PATH, Loaded, Problem, from_text, load};
pub use passwords::{without_arguments, without_passwords};

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub camera: Camera,
    pub detector: Detector,
    pub classifier: Classifier,
    pub tracking: Tracking,
    pub alarm: Alarm,
    pub gpio: Gpio,
}

/// The face detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Detector {
    /// An ONNX file; empty: the built-in one.
    pub model: PathBuf,
    /// SHA-256 the file must have, in hex; empty: any.
    pub sha256: String,
    /// Width in pixels of the picture the detector sees, 96 to 1920; the frame is scaled to fit.
    pub width: u32,
    /// Its height in pixels, 96 to 1920.
    pub height: u32,
    /// Lowest score of a face, 0 to 1.
    pub threshold: f32,
    /// IoU above which two boxes are one face, 0 to 1.
    pub nms_iou: f32,
}

impl Default for Detector {
    fn default() -> Self {
        Self {
            model: PathBuf::new(),
            sha256: String::new(),
            width: 320,
            height: 240,
            threshold: 0.35,
            nms_iou: 0.4,
        }
    }
}

/// The mask classifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Classifier {
    /// An ONNX file; empty: the built-in one.
    pub model: PathBuf,
    /// SHA-256 the file must have, in hex; empty: any.
    pub sha256: String,
}

/// Who is who, and when a verdict is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tracking {
    /// Looks after which a face counts as a person, 1 to 30. More keeps out false detections,
    /// fewer is faster.
    pub confirm_looks: u32,
    /// Detector score that starts a new person, 0 to 1; a weaker face only continues one.
    pub new_score: f32,
    /// Seconds for which a hidden person is still followed and believed, 0.1 to 10.
    pub occlusion_s: f32,
    /// Narrowest face that counts towards a verdict, in pixels of the frame, 8 to 1000.
    pub min_face: f32,
    /// Least sharpness that counts towards a verdict, 0 (any) to 1. In focus, a face 16 px wide
    /// measures about 0.09 and one of 50 px 0.2; out of focus, both measure 0.04 to 0.06.
    pub min_sharpness: f32,
    /// Furthest turned head that counts towards a verdict, in degrees from frontal, 5 to 90.
    pub max_yaw: f32,
    /// Good looks a first verdict needs, 1 to 100.
    pub min_looks: u32,
    /// Seconds these looks must span, 0 to 10.
    pub min_span_s: f32,
    /// Confidence that gives a verdict and that changes it, 0.55 to 0.99; over 0.9 counts as 0.9, for
    /// more is never reached where frames are few.
    pub confidence: f32,
    /// Seconds after which a look counts half, 0.05 to 10. Shorter follows a mask that comes off
    /// sooner, longer forgives more wrong looks.
    pub half_life_s: f32,
}

impl Default for Tracking {
    fn default() -> Self {
        Self {
            confirm_looks: 3,
            new_score: 0.5,
            occlusion_s: 1.0,
            min_face: 24.0,
            min_sharpness: 0.06,
            max_yaw: 40.0,
            min_looks: 3,
            min_span_s: 0.25,
            confidence: 0.75,
            half_life_s: 0.3,
        }
    }
}

/// How far the box goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmMode {
    /// Lamps and buzzer only.
    #[default]
    Soft,
    /// Also holds the door, and releases it while everybody is masked.
    Hard,
}

/// What a verdict switches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alarm {
    /// `soft`: lamps and buzzer; `hard`: the door line too.
    pub mode: AlarmMode,
    /// Seconds the alarm stays on after nobody without a right mask is there any more, 0 to 60.
    pub hold_s: f32,
    /// Seconds the buzzer stays silent after it sounded and after an alarm in which it did, 0 to
    /// 3600. Lamps do not wait.
    pub cool_down_s: f32,
    /// Whether a mask under nose or chin is an alarm; if not, it counts as worn.
    pub incorrect_alarms: bool,
    /// How red shows the alarm: `steady`, `blink` or `sos`.
    pub red_pattern: Pattern,
    /// How the buzzer sounds: `chirp` (once for each person), or, until the alarm ends or is
    /// acknowledged, `steady`, `blink` or `sos`.
    pub buzzer_pattern: Pattern,
    /// Seconds somebody is there without a verdict before amber asks them to look here, 0 to 60.
    pub ask_after_s: f32,
    /// Seconds a released door stays released at least, 0 to 60; a person without a right mask
    /// ends it at once.
    pub min_open_s: f32,
}

impl Default for Alarm {
    fn default() -> Self {
        Self {
            mode: AlarmMode::Soft,
            hold_s: 2.0,
            cool_down_s: 10.0,
            incorrect_alarms: true,
            red_pattern: Pattern::usual(Shape::Steady),
            buzzer_pattern: Pattern::usual(Shape::Chirp),
            ask_after_s: 1.0,
            min_open_s: 3.0,
        }
    }
}
