use std::fmt;
use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::line::{round, seconds};
use crate::alarm::{Mode, Notice};
use crate::picture::Label;
use crate::tracking::{Change, TrackId, Verdict};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    Verdict,
    PersonLeft,
    AlarmOn,
    AlarmOff,
    DoorOpen,
    DoorClose,
    CameraLost,
    CameraBack,
    /// The buzzer was silenced by hand.
    Acknowledged,
    /// Switched by hand to lamps and buzzer only.
    ModeSoft,
    /// Switched by hand to the door too.
    ModeHard,
    /// Nothing moves: frames are not looked at until something does.
    VisionAsleep,
    VisionAwake,
}

impl EventKind {
    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Verdict => "verdict",
            EventKind::PersonLeft => "person_left",
            EventKind::AlarmOn => "alarm_on",
            EventKind::AlarmOff => "alarm_off",
            EventKind::DoorOpen => "door_open",
            EventKind::DoorClose => "door_close",
            EventKind::CameraLost => "camera_lost",
            EventKind::CameraBack => "camera_back",
            EventKind::Acknowledged => "acknowledged",
            EventKind::ModeSoft => "mode_soft",
            EventKind::ModeHard => "mode_hard",
            EventKind::VisionAsleep => "vision_asleep",
            EventKind::VisionAwake => "vision_awake",
        }
    }
}

/// Something worth telling, the same for every place it goes to. As JSON:
/// `{"type":"event","event":"verdict","frame":12,"t":0.48,"track":3,"label":"without_mask",
/// "confidence":0.97}`; what does not apply is left out. As text, a line for people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    pub kind: EventKind,
    /// Number of the frame that showed it; `None` where no frame did, as when the camera is lost.
    pub frame: Option<u64>,
    /// Time of that frame.
    pub at: Duration,
    pub track: Option<TrackId>,
    pub verdict: Option<Verdict>,
}

impl Event {
    /// An event about nobody in particular.
    pub fn new(kind: EventKind, frame: Option<u64>, at: Duration) -> Self {
        Self { kind, frame, at, track: None, verdict: None }
    }

    /// `frame` is `None` where people left because nothing is seen any more.
    pub fn of_change(change: &Change, frame: Option<u64>, at: Duration) -> Self {
        let (kind, track, verdict) = match *change {
            Change::Verdict { track, verdict } => (EventKind::Verdict, track, Some(verdict)),
            Change::Left { track, verdict } => (EventKind::PersonLeft, track, verdict),
        };
        Self { track: Some(track), verdict, ..Self::new(kind, frame, at) }
    }

    /// `frame` is `None` where the notice follows from a lost camera, a hand or a shutdown.
    pub fn of_notice(notice: &Notice, frame: Option<u64>, at: Duration) -> Self {
        match *notice {
            Notice::AlarmOn { track, verdict } => Self {
                track: Some(track),
                verdict: Some(verdict),
                ..Self::new(EventKind::AlarmOn, frame, at)
            },
            Notice::AlarmOff => Self::new(EventKind::AlarmOff, frame, at),
            Notice::DoorOpen => Self::new(EventKind::DoorOpen, frame, at),
            Notice::DoorClose => Self::new(EventKind::DoorClose, frame, at),
            Notice::Acknowledged => Self::new(EventKind::Acknowledged, frame, at),
            Notice::Mode(Mode::Soft) => Self::new(EventKind::ModeSoft, frame, at),
            Notice::Mode(Mode::Hard) => Self::new(EventKind::ModeHard, frame, at),
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Event", 7)?;
        map.serialize_field("type", "event")?;
        map.serialize_field("event", self.kind.name())?;
        if let Some(frame) = self.frame {
            map.serialize_field("frame", &frame)?;
        }
        map.serialize_field("t", &seconds(self.at))?;
        if let Some(track) = self.track {
            map.serialize_field("track", &track)?;
        }
        if let Some(verdict) = self.verdict {
            map.serialize_field("label", &verdict.label)?;
            map.serialize_field("confidence", &round(verdict.confidence, 1000.0))?;
        }
        map.end()
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} s  ", self.at.as_secs_f64())?;
        let who = Who(self.track);
        match self.kind {
            EventKind::Verdict => write!(f, "{who}")?,
            EventKind::PersonLeft => write!(f, "{who} left")?,
            EventKind::AlarmOn => write!(f, "alarm on: {who}")?,
            EventKind::AlarmOff => f.write_str("alarm off")?,
            EventKind::DoorOpen => f.write_str("door released")?,
            EventKind::DoorClose => f.write_str("door held")?,
            EventKind::CameraLost => f.write_str("camera lost")?,
            EventKind::CameraBack => f.write_str("camera back")?,
            EventKind::Acknowledged => f.write_str("acknowledged: the buzzer is silenced")?,
            EventKind::ModeSoft => f.write_str("switched to soft")?,
            EventKind::ModeHard => f.write_str("switched to hard")?,
            EventKind::VisionAsleep => f.write_str("vision sleeps: nothing moves")?,
            EventKind::VisionAwake => f.write_str("vision is awake")?,
        }
        let Some(verdict) = self.verdict else { return Ok(()) };
        let words = match verdict.label {
            Label::WithMask => "mask worn",
            Label::WithoutMask => "no mask",
            Label::IncorrectMask => "mask worn wrongly",
        };
        let comma = if self.kind == EventKind::AlarmOn { ", " } else { ": " };
        write!(f, "{comma}{words} ({:.0} %)", verdict.confidence * 100.0)
    }
}

struct Who(Option<TrackId>);

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(track) => write!(f, "person {track}"),
            None => f.write_str("somebody"),
        }
    }
}
