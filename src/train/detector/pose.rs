//! Whether a detector's landmarks tell a head that is turned away from one that looks at the door.

use std::fmt;

use serde::Serialize;

use crate::config;

/// Heads up to this part of `tracking.max_yaw` must not be taken for turned away.
const FRONTAL: f32 = 0.6;

/// Collects faces whose landmarks are annotated.
#[derive(Debug, Default)]
pub struct Pose {
    /// Turn of each head in degrees: annotated, found.
    faces: Vec<(f32, f32)>,
}

/// How the yaw that a detector finds compares with that of annotated landmarks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Turned {
    /// Mean difference in degrees.
    pub error: f32,
    /// Faces turned further than `tracking.max_yaw` allows by default, and the part of them that
    /// is found to be.
    pub away: usize,
    pub away_seen: f32,
    /// Faces turned less than 0.6 of that, and the part that is wrongly taken for turned away.
    pub frontal: usize,
    pub frontal_lost: f32,
}

impl Pose {
    /// A head's yaw in degrees by annotated landmarks, and as the detector says.
    pub fn add(&mut self, known: f32, found: f32) {
        self.faces.push((known.abs(), found.abs()));
    }

    /// `None` where no face has annotated landmarks.
    pub fn told(&self) -> Option<Turned> {
        if self.faces.is_empty() {
            return None;
        }
        let limit = config::Tracking::default().max_yaw;
        let part = |chosen: &dyn Fn(f32) -> bool| {
            let found: Vec<f32> =
                self.faces.iter().filter(|(known, _)| chosen(*known)).map(|f| f.1).collect();
            let beyond = found.iter().filter(|found| **found > limit).count();
            (found.len(), beyond as f32 / found.len().max(1) as f32)
        };
        let (away, away_seen) = part(&|known| known > limit);
        let (frontal, frontal_lost) = part(&|known| known < FRONTAL * limit);
        let sum: f32 = self.faces.iter().map(|(known, found)| (known - found).abs()).sum();
        let error = sum / self.faces.len() as f32;
        Some(Turned { error, away, away_seen, frontal, frontal_lost })
    }
}

impl fmt::Display for Turned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "heads: yaw off by {:.1} degrees; {:.0} % of {} turned away are seen to be, and {:.1} % of {} frontal ones wrongly",
            self.error,
            self.away_seen * 100.0,
            self.away,
            self.frontal_lost * 100.0,
            self.frontal
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_head_counts_as_seen_only_where_it_is_found_turned() {
        let mut pose = Pose::default();
        pose.add(60.0, 55.0);
        pose.add(-60.0, 2.0);
        pose.add(1.0, 0.0);
        let told = pose.told().expect("three faces");
        assert_eq!((told.away, told.away_seen), (2, 0.5));
        assert_eq!((told.frontal, told.frontal_lost), (1, 0.0));
        assert!((told.error - 64.0 / 3.0).abs() < 1e-3);
        assert_eq!(Pose::default().told(), None);
    }
}
