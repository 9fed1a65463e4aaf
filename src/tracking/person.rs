use std::fmt;

use serde::Serialize;

use crate::picture::{Label, Rect};

/// Names one person for as long as they are followed; counts from 1 and is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TrackId(pub u32);

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is believed of a person after several looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    pub label: Label,
    /// 0.5 to 1: how sure it is that the mask is right (`with_mask`) or not right (the other
    /// two labels together).
    pub confidence: f32,
}

/// Somebody who is in front of the camera now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Person {
    pub track: TrackId,
    /// Index into the looks of this update; `None` while the person is hidden or overlooked.
    pub look: Option<usize>,
    /// Where the face is, in pixels of the frame; predicted while there is no look.
    pub bounds: Rect,
    /// Whether the face is large enough for a verdict. Who is further off can only be waited for.
    pub near: bool,
    /// `None` until enough good looks agree.
    pub verdict: Option<Verdict>,
}

/// Something that became true with this update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// A first verdict, or another label than before.
    Verdict { track: TrackId, verdict: Verdict },
    /// Not seen for longer than an occlusion lasts; with what was believed last.
    Left { track: TrackId, verdict: Option<Verdict> },
}

/// What one frame changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// Everybody present, by track. Faces seen too seldom to be sure of are not among them.
    pub people: Vec<Person>,
    pub changes: Vec<Change>,
}

impl Update {
    /// Whose face the look of this index is; `None` while the track is not confirmed.
    pub fn track_of(&self, look: usize) -> Option<TrackId> {
        self.people.iter().find(|person| person.look == Some(look)).map(|person| person.track)
    }
}

/// How many different people came by, and the last verdict of each who got one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Everybody followed, with or without a verdict.
    pub people: u64,
    pub with_mask: u64,
    pub without_mask: u64,
    pub incorrect_mask: u64,
}

impl Counts {
    pub(super) fn add(&mut self, verdict: Option<Verdict>) {
        self.people += 1;
        match verdict.map(|verdict| verdict.label) {
            Some(Label::WithMask) => self.with_mask += 1,
            Some(Label::WithoutMask) => self.without_mask += 1,
            Some(Label::IncorrectMask) => self.incorrect_mask += 1,
            None => {}
        }
    }
}
