use std::time::Duration;

use crate::picture::{Label, Look};

use super::quality::weight;
use super::{Settings, Verdict};

/// Weight of "nobody knows", half for right and half for not right: few or weak looks cannot
/// make a confident verdict.
const DOUBT: f32 = 0.25;
/// Share of a side's votes at which one label of it gives way to the other.
const KIND_CHANGE: f32 = 0.65;

/// What the looks at one person say: a vote for each label, weighed by how good each look was,
/// forgotten with a half-life of time (so that 5 and 30 frames a second believe alike).
///
/// The verdict is found in two steps. First right (`with_mask`) against not right (the other two
/// together): a mask that slips between under the nose and off stays not right, without a pause.
/// Where a mask under nose or chin counts as right, it is with_mask and incorrect_mask against
/// without_mask. It takes the configured confidence to change sides, so between the two thresholds
/// the old verdict stays. Then, on the side of two labels, which of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Belief {
    /// In the order of `Label::ALL`.
    votes: [f32; 3],
    /// When the first and the last look that counted were taken.
    span: Option<(Duration, Duration)>,
    looks: u32,
    label: Option<Label>,
    /// As the settings have it.
    incorrect_is_right: bool,
}

impl Belief {
    /// Takes in a look of the moment `at`.
    pub fn see(&mut self, look: &Look, at: Duration, settings: &Settings) {
        let weight = weight(look, settings);
        if weight <= 0.0 {
            return;
        }
        self.incorrect_is_right = settings.incorrect_is_right;
        self.forget(at, settings);
        self.looks = self.looks.saturating_add(1);
        for (vote, label) in self.votes.iter_mut().zip(Label::ALL) {
            *vote += weight * look.probabilities.of(label);
        }
        self.judge(settings);
    }

    /// Adds what a later track of the same person saw.
    pub fn absorb(&mut self, later: &Belief, settings: &Settings) {
        let Some((from, at)) = later.span else { return };
        // Who was not seen well before is known since the later track's first good look.
        self.span.get_or_insert((from, from));
        self.incorrect_is_right = later.incorrect_is_right;
        self.forget(at, settings);
        self.looks = self.looks.saturating_add(later.looks);
        for (vote, new) in self.votes.iter_mut().zip(later.votes) {
            *vote += new;
        }
        self.judge(settings);
    }

    /// Whether what a later track saw would change the verdict by itself: then it is more likely
    /// somebody else.
    pub fn contradicts(&self, later: &Belief, settings: &Settings) -> bool {
        self.label.is_some_and(|label| {
            later.confidence(!self.counts_as_right(label)) >= settings.confidence
        })
    }

    pub fn verdict(&self) -> Option<Verdict> {
        let label = self.label?;
        Some(Verdict { label, confidence: self.confidence(self.counts_as_right(label)).max(0.5) })
    }

    /// Whether the mask is believed right.
    pub fn is_right(&self) -> bool {
        self.label.is_some_and(|label| self.counts_as_right(label))
    }

    fn counts_as_right(&self, label: Label) -> bool {
        match label {
            Label::WithMask => true,
            Label::WithoutMask => false,
            Label::IncorrectMask => self.incorrect_is_right,
        }
    }

    /// Votes fade only as new ones come in, and never by more than a half between two looks: who
    /// turns away keeps what was believed, and one look after that does not overthrow it.
    fn forget(&mut self, at: Duration, settings: &Settings) {
        let (first, last) = self.span.unwrap_or((at, at));
        let elapsed = at.saturating_sub(last).min(settings.half_life);
        let half_lives = elapsed.as_secs_f32() / settings.half_life.as_secs_f32().max(1e-3);
        for vote in &mut self.votes {
            *vote *= (-half_lives).exp2();
        }
        self.span = Some((first, at));
    }

    fn judge(&mut self, settings: &Settings) {
        let seen_for = self.span.map_or(Duration::ZERO, |(first, last)| last.saturating_sub(first));
        if self.label.is_none() && (self.looks < settings.min_looks || seen_for < settings.min_span)
        {
            return;
        }
        if self.confidence(true) >= settings.confidence {
            self.label = Some(self.of_side(true));
        } else if self.confidence(false) >= settings.confidence {
            self.label = Some(self.of_side(false));
        }
    }

    /// How sure it is that the mask is right, or that it is not.
    fn confidence(&self, right: bool) -> f32 {
        let wanted: f32 = Label::ALL
            .into_iter()
            .zip(self.votes)
            .filter(|(label, _)| self.counts_as_right(*label) == right)
            .map(|(_, vote)| vote)
            .sum();
        (wanted + DOUBT / 2.0) / (self.votes.iter().sum::<f32>() + DOUBT)
    }

    /// Which label of this side.
    fn of_side(&self, right: bool) -> Label {
        let plain = if right { Label::WithMask } else { Label::WithoutMask };
        if self.counts_as_right(Label::IncorrectMask) != right {
            return plain;
        }
        let share = match self.label {
            Some(label) if label == plain => KIND_CHANGE,
            Some(Label::IncorrectMask) => 1.0 - KIND_CHANGE,
            _ => 0.5,
        };
        let [with, without, incorrect] = self.votes;
        let other = if right { with } else { without };
        if incorrect > share * (other + incorrect) { Label::IncorrectMask } else { plain }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config;
    use crate::picture::Probabilities;
    use crate::tracking::scenarios::{default_settings, look, settings_of};

    const BARE: f32 = 0.03;
    const MASKED: f32 = 0.97;

    /// Shows looks at `fps`; `masked(t)` is the probability of a mask at second `t`. Gives each
    /// label with the second it came.
    fn story(fps: u32, seconds: f32, masked: impl Fn(f32) -> f32) -> Vec<(f32, Label)> {
        let settings = default_settings();
        let mut belief = Belief::default();
        let mut told = Vec::new();
        for frame in 0..(seconds * fps as f32) as u32 {
            let at = Duration::from_secs(1) * frame / fps;
            belief.see(&look(0.0, 0.0, 60.0, masked(at.as_secs_f32())), at, &settings);
            if let Some(verdict) = belief.verdict()
                && told.last().is_none_or(|&(_, label)| label != verdict.label)
            {
                told.push((at.as_secs_f32(), verdict.label));
            }
        }
        told
    }

    #[test]
    fn a_clear_bare_face_is_believed_within_half_a_second() {
        for fps in [5, 10, 12, 25, 30] {
            let told = story(fps, 2.0, |_| BARE);
            assert_eq!(told.len(), 1, "{fps} fps: {told:?}");
            assert_eq!(told[0].1, Label::WithoutMask);
            assert!(told[0].0 <= 0.5, "{fps} fps: {told:?}");
        }
    }

    #[test]
    fn a_mask_that_goes_on_or_comes_off_changes_the_verdict_within_a_second() {
        for (fps, before, after) in
            [(5, BARE, MASKED), (12, MASKED, BARE), (25, BARE, MASKED), (25, MASKED, BARE)]
        {
            let told = story(fps, 5.0, |t| if t < 2.0 { before } else { after });
            assert_eq!(told.len(), 2, "{fps} fps: {told:?}");
            assert!((2.3..=3.0).contains(&told[1].0), "{fps} fps: {told:?}");
        }
    }

    #[test]
    fn the_highest_confidence_that_may_be_asked_for_is_reached_by_clear_looks() {
        for (fps, half_life) in [(4, 0.05), (5, 0.3), (5, 10.0), (15, 0.05), (30, 0.3)] {
            let asked = config::Tracking {
                confidence: 0.99,
                half_life_s: half_life,
                ..config::Tracking::default()
            };
            let settings = settings_of(&asked);
            let mut belief = Belief::default();
            for frame in 0..4 * fps {
                let at = Duration::from_secs(1) * frame / fps;
                belief.see(&look(0.0, 0.0, 60.0, BARE), at, &settings);
            }
            let verdict = belief.verdict();
            assert!(verdict.is_some(), "{fps} fps, half-life {half_life} s: {belief:?}");
        }
    }

    #[test]
    fn one_wrong_look_at_any_moment_makes_no_verdict() {
        for fps in [5, 10, 25] {
            for wrong in 0..fps * 2 {
                let told = story(fps, 2.0, |t| {
                    if (t * fps as f32).round() as u32 == wrong { MASKED } else { BARE }
                });
                assert_eq!(told.len(), 1, "{fps} fps, look {wrong} wrong: {told:?}");
                assert_eq!(told[0].1, Label::WithoutMask);
            }
        }
    }

    #[test]
    fn one_wrong_look_in_three_for_eight_seconds_makes_no_verdict() {
        let story =
            |from: f32| {
                story(25, 8.0, |t| {
                    if t >= from && ((t * 25.0) as u32) % 3 == 1 { MASKED } else { BARE }
                })
            };
        // Where nothing was believed before, two to one is not enough; what was believed stays.
        assert_eq!(story(0.0), []);
        assert_eq!(
            story(1.0).iter().map(|(_, label)| *label).collect::<Vec<_>>(),
            [Label::WithoutMask]
        );
    }

    #[test]
    fn where_a_low_mask_counts_as_right_between_worn_and_low_is_no_doubt() {
        let settings = Settings { incorrect_is_right: true, ..default_settings() };
        let told = |with_mask, without_mask, incorrect_mask| {
            let mut belief = Belief::default();
            for frame in 0..12_u32 {
                let mut look = look(0.0, 0.0, 60.0, MASKED);
                look.probabilities = Probabilities { with_mask, without_mask, incorrect_mask };
                belief.see(&look, Duration::from_millis(80) * frame, &settings);
            }
            belief.verdict().map(|verdict| verdict.label)
        };
        assert_eq!(told(0.45, 0.02, 0.53), Some(Label::IncorrectMask));
        assert_eq!(told(0.55, 0.02, 0.43), Some(Label::WithMask));
        assert_eq!(told(0.02, 0.96, 0.02), Some(Label::WithoutMask));
        // Undecided where it matters.
        assert_eq!(told(0.0, 0.48, 0.52), None);
    }

    #[test]
    fn a_face_between_bare_and_under_the_nose_stays_not_right() {
        let settings = default_settings();
        let mut belief = Belief::default();
        let mut changes = 0;
        let mut last = None;
        for frame in 0..100_u32 {
            let mut look = look(0.0, 0.0, 60.0, BARE);
            if frame % 2 == 0 {
                look.probabilities =
                    Probabilities { with_mask: 0.03, without_mask: 0.02, incorrect_mask: 0.95 };
            }
            belief.see(&look, Duration::from_millis(80) * frame, &settings);
            let label = belief.verdict().map(|verdict| verdict.label);
            assert_ne!(label, Some(Label::WithMask));
            assert!(label.is_some() || frame < 6, "silent at frame {frame}");
            changes += u32::from(last.is_some() && label != last);
            last = label.or(last);
        }
        assert!(changes <= 1, "{changes} changes");
    }

    #[test]
    fn a_return_after_a_long_absence_needs_more_than_one_look_to_change_the_verdict() {
        let settings = default_settings();
        let mut belief = Belief::default();
        for frame in 0..20_u32 {
            let at = Duration::from_millis(80) * frame;
            belief.see(&look(0.0, 0.0, 60.0, MASKED), at, &settings);
        }
        belief.see(&look(0.0, 0.0, 60.0, BARE), Duration::from_secs(60), &settings);
        assert_eq!(belief.verdict().map(|verdict| verdict.label), Some(Label::WithMask));
    }

    #[test]
    fn who_is_found_again_and_was_never_seen_well_waits_no_longer_for_a_verdict() {
        let settings = default_settings();
        let (mut person, mut later) = (Belief::default(), Belief::default());
        for frame in 0..5_u32 {
            let at = Duration::from_secs(9) + Duration::from_millis(80) * frame;
            later.see(&look(0.0, 0.0, 60.0, BARE), at, &settings);
        }
        person.absorb(&later, &settings);
        assert_eq!(person.verdict().map(|verdict| verdict.label), Some(Label::WithoutMask));
    }

    proptest! {
        #[test]
        fn confidence_stays_a_probability_and_a_verdict_never_goes_away(
            steps in prop::collection::vec((0_u64..2000, 0.0_f32..1.0, 10.0_f32..200.0), 1..60),
        ) {
            let settings = default_settings();
            let mut belief = Belief::default();
            let mut at = Duration::ZERO;
            let mut believed = false;
            for (wait, masked, size) in steps {
                at += Duration::from_millis(wait);
                belief.see(&look(0.0, 0.0, size, masked), at, &settings);
                let verdict = belief.verdict();
                prop_assert!(!believed || verdict.is_some());
                believed = verdict.is_some();
                if let Some(verdict) = verdict {
                    prop_assert!((0.5..=1.0).contains(&verdict.confidence), "{verdict:?}");
                }
            }
        }
    }
}
