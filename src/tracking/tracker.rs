use std::time::Duration;

use super::assign::assign;
use super::belief::Belief;
use super::motion::{Motion, distance, overlap, size_ratio};
use super::{Change, Counts, Person, Settings, TrackId, Update, Verdict};
use crate::picture::{Label, Look, Rect};

/// A face may be so many sizes from where it was expected: this much for trembling boxes, and so
/// much a second besides. Somebody who walks across at 1.5 m/s covers ten face widths a second;
/// once the speed is known only its change has to be allowed for.
const REACH: f32 = 0.7;
const REACH_PER_SECOND_UNKNOWN: f32 = 12.0;
const REACH_PER_SECOND_KNOWN: f32 = 5.0;
const REACH_MOST: f32 = 2.5;
/// Somebody found again this near (in face sizes) to where they were lost is the same person.
const FOUND_AGAIN: f32 = 3.0;
/// From one look to the next a face grows or shrinks by less than this.
const SIZE_MOST: f32 = 2.0;
/// Within half a face of where somebody is expected it is they, whoever else is near: only then may
/// looks be shared out anew. Else one who is hidden while another comes would shift a whole row of
/// people by one, and their verdicts with them.
const NEAR: f32 = 0.5 * 0.5;
/// Who was hidden and comes out a face further than expected may be somebody else, so a mask that was believed
/// worn must be seen anew: a door may hang on it. What was believed not worn is kept.
const SURELY_SAME: f32 = 1.0;
/// What leaving a track without a look costs: more than the furthest pair allowed.
const ALONE: f32 = 2.0 * REACH_MOST * REACH_MOST;
/// A face that covers so much of one already followed is a second box of the same face.
const SAME_FACE: f32 = 0.6;

/// Where no frame came for so long, or for longer than anybody may be hidden, whoever is there next may be
/// somebody else: people leave before new faces are taken for theirs.
const GAP: Duration = Duration::from_millis(1500);

/// Follows faces from frame to frame.
///
/// Every frame the looks are shared out among the tracks so that the sum of squared distances
/// (in face sizes) between expected and seen places is smallest: among people first the strong
/// looks that are near, then the weak ones that are (ByteTrack, Zhang et al., ECCV 2022, has weak ones
/// after all strong ones; then a newcomer takes the place of who stands there with a bowed head), then
/// the other strong ones. A weak look further off is nobody's: what is no face but looks a little like one
/// would go on for somebody who left. What is left of the strong looks goes to faces that are not yet
/// people; no weak one makes a person.
#[derive(Clone, Debug)]
pub struct Tracker {
    settings: Settings,
    tracks: Vec<Track>,
    gone: Counts,
    last_id: u32,
    /// Time as tracks know it: the sum of all steps forward.
    now: Duration,
    last_at: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Track {
    /// `None` until confirmed.
    id: Option<TrackId>,
    motion: Motion,
    belief: Belief,
    born: Duration,
    looks: u32,
    /// Frames without a look.
    misses: u32,
    look: Option<usize>,
    /// Whether there was no look in the frame before.
    hidden: bool,
    told: Option<Label>,
}

impl Track {
    fn new(index: usize, look: &Look, now: Duration, settings: &Settings) -> Self {
        let mut belief = Belief::default();
        belief.see(look, now, settings);
        Self {
            id: None,
            motion: Motion::new(&look.face.bounds, now),
            belief,
            born: now,
            looks: 1,
            misses: 0,
            look: Some(index),
            hidden: false,
            told: None,
        }
    }

    fn see(&mut self, index: usize, look: &Look, now: Duration, settings: &Settings) {
        let far = self.cost(&look.face.bounds, now).is_none_or(|cost| cost > SURELY_SAME);
        if self.hidden && far && self.belief.is_right() {
            self.belief = Belief::default();
        }
        self.motion.update(&look.face.bounds, now);
        self.belief.see(look, now, settings);
        self.looks = self.looks.saturating_add(1);
        self.look = Some(index);
    }

    /// The squared distance to a look, where it may be this face.
    fn cost(&self, look: &Rect, now: Duration) -> Option<f32> {
        let expected = self.motion.predict(now);
        let unseen = now.saturating_sub(self.motion.seen()).as_secs_f32();
        let per_second =
            if self.motion.is_steady() { REACH_PER_SECOND_KNOWN } else { REACH_PER_SECOND_UNKNOWN };
        let reach = (REACH + per_second * unseen).min(REACH_MOST);
        let distance = distance(&expected, look);
        let ratio = size_ratio(&expected, look);
        (distance <= reach && ratio <= SIZE_MOST).then(|| distance.powi(2) + ratio.ln().powi(2))
    }

    /// Whether this lost person and a face that appeared later may be the same.
    fn may_be(&self, other: &Track, now: Duration) -> bool {
        let found = other.motion.predict(now);
        let places = [self.motion.predict(self.motion.seen()), self.motion.predict(now)];
        self.id.is_some()
            && self.look.is_none()
            && self.motion.seen() < other.born
            && places.iter().any(|place| {
                distance(place, &found) <= FOUND_AGAIN && size_ratio(place, &found) <= SIZE_MOST
            })
    }
}

impl Tracker {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            tracks: Vec::new(),
            gone: Counts::default(),
            last_id: 0,
            now: Duration::ZERO,
            last_at: None,
        }
    }

    /// Those who came before a tracker that broke down are counted, and nobody gets their numbers.
    pub fn after(settings: Settings, before: Counts) -> Self {
        let last_id = u32::try_from(before.people).unwrap_or(u32::MAX);
        Self { gone: before, last_id, ..Self::new(settings) }
    }

    /// Takes in the looks of one frame, of the moment `at`. Time that goes back (a clip that
    /// starts again) counts as standing still for that step.
    pub fn update(&mut self, at: Duration, looks: &[Look]) -> Update {
        let step = at.saturating_sub(self.last_at.unwrap_or(at));
        self.now += step;
        self.last_at = Some(at);
        let after_gap = step > self.longest_step();
        let mut changes = if after_gap { self.part() } else { vec![] };
        for track in &mut self.tracks {
            track.hidden = track.look.take().is_none();
        }
        let free = self.share_out(looks);
        for track in self.tracks.iter_mut().filter(|track| track.look.is_none()) {
            track.misses = track.misses.saturating_add(1);
        }
        self.start(&free, looks);
        self.confirm();
        changes.extend(self.part());
        changes.extend(self.judge());
        Update { people: self.people(), changes }
    }

    /// Nothing is seen any more: everybody leaves, with their last verdict. Whoever is seen next is
    /// somebody new, for a verdict must not pass from one who was there to one who came meanwhile.
    pub fn clear(&mut self) -> Vec<Change> {
        let people = self.tracks.drain(..).filter_map(|track| Some((track.id?, track.belief)));
        let gone = &mut self.gone;
        people
            .map(|(track, belief)| {
                let verdict = belief.verdict();
                gone.add(verdict);
                Change::Left { track, verdict }
            })
            .collect()
    }

    /// The time from one frame to the next beyond which nobody is taken for the same person.
    pub fn longest_step(&self) -> Duration {
        self.settings.occlusion.max(GAP)
    }

    /// Everybody so far: those who left with their last verdict, those present with their
    /// present one.
    pub fn counts(&self) -> Counts {
        let mut counts = self.gone;
        for track in self.tracks.iter().filter(|track| track.id.is_some()) {
            counts.add(track.belief.verdict());
        }
        counts
    }

    /// Gives looks to tracks, and returns the looks nobody took.
    fn share_out(&mut self, looks: &[Look]) -> Vec<usize> {
        let is_box = |index: &usize| {
            let area = looks[*index].face.bounds.area();
            area.is_finite() && area > 0.0
        };
        let mut free: Vec<usize> = (0..looks.len()).filter(is_box).collect();
        let least = self.settings.new_score;
        for (weakest, most) in [(least, NEAR), (0.0, NEAR), (least, f32::INFINITY)] {
            let some = |index: &usize| looks[*index].face.score >= weakest;
            let some: Vec<usize> = free.iter().copied().filter(some).collect();
            self.pair(true, most, &some, &mut free, looks);
        }
        let strong = |index: &usize| looks[*index].face.score >= least;
        let some: Vec<usize> = free.iter().copied().filter(strong).collect();
        self.pair(false, f32::INFINITY, &some, &mut free, looks);
        free
    }

    /// Pairs people (or faces that are none yet) still without a look with some of the looks, where
    /// that costs `most` at the most.
    fn pair(
        &mut self,
        people: bool,
        most: f32,
        some: &[usize],
        free: &mut Vec<usize>,
        looks: &[Look],
    ) {
        let now = self.now;
        let mut tracks: Vec<&mut Track> = self
            .tracks
            .iter_mut()
            .filter(|track| track.look.is_none() && track.id.is_some() == people)
            .collect();
        let pairs = assign(tracks.len(), some.len(), ALONE, |row, column| {
            tracks[row].cost(&looks[some[column]].face.bounds, now).filter(|cost| *cost <= most)
        });
        for (track, column) in tracks.iter_mut().zip(pairs) {
            if let Some(column) = column {
                let index = some[column];
                track.see(index, &looks[index], now, &self.settings);
                free.retain(|&other| other != index);
            }
        }
    }

    /// A strong look nobody took may be a new person.
    fn start(&mut self, free: &[usize], looks: &[Look]) {
        for &index in free {
            let look = &looks[index];
            let taken = |track: &Track| {
                track.look.is_some_and(|other| {
                    overlap(&looks[other].face.bounds, &look.face.bounds) > SAME_FACE
                })
            };
            if look.face.score >= self.settings.new_score && !self.tracks.iter().any(taken) {
                self.tracks.push(Track::new(index, look, self.now, &self.settings));
            }
        }
    }

    /// Faces seen often enough become people: one lost just before near by, or somebody new.
    fn confirm(&mut self) {
        let mut index = 0;
        while let Some(track) = self.tracks.get(index) {
            if track.id.is_some() || track.looks < self.settings.confirm_looks {
                index += 1;
                continue;
            }
            let place = track.motion.predict(self.now);
            let lost = self
                .tracks
                .iter()
                .enumerate()
                .filter(|(_, lost)| lost.may_be(track, self.now))
                .filter(|(_, lost)| !lost.belief.contradicts(&track.belief, &self.settings))
                .map(|(at, lost)| (at, distance(&lost.motion.predict(self.now), &place)))
                .min_by(|a, b| a.1.total_cmp(&b.1));
            if let Some((lost, _)) = lost {
                let found = self.tracks.remove(index);
                let lost = if lost > index { lost - 1 } else { lost };
                let track = &mut self.tracks[lost];
                track.motion = found.motion;
                track.look = found.look;
                track.looks = track.looks.saturating_add(found.looks);
                // As for who comes out further off than expected.
                if track.belief.is_right() && found.belief.verdict().is_none() {
                    track.belief = found.belief;
                } else {
                    track.belief.absorb(&found.belief, &self.settings);
                }
            } else {
                self.last_id += 1;
                self.tracks[index].id = Some(TrackId(self.last_id));
                index += 1;
            }
        }
        self.tracks.sort_by_key(|track| (track.id.is_none(), track.id));
    }

    /// Lets go of who was not seen for too long. A face that is no person yet must be seen in at
    /// least every second frame: false detections come and go.
    fn part(&mut self) -> Vec<Change> {
        let (now, occlusion) = (self.now, self.settings.occlusion);
        let mut changes = Vec::new();
        let gone = &mut self.gone;
        self.tracks.retain(|track| {
            let unseen = now.saturating_sub(track.motion.seen());
            let Some(id) = track.id else {
                return unseen <= occlusion && track.misses <= track.looks;
            };
            if unseen > occlusion {
                let verdict = track.belief.verdict();
                gone.add(verdict);
                changes.push(Change::Left { track: id, verdict });
            }
            unseen <= occlusion
        });
        changes
    }

    /// Tells verdicts that are new or of another label than told before.
    fn judge(&mut self) -> Vec<Change> {
        let news = |track: &mut Track| {
            let (id, verdict): (TrackId, Verdict) = (track.id?, track.belief.verdict()?);
            let new = track.told != Some(verdict.label);
            track.told = Some(verdict.label);
            new.then_some(Change::Verdict { track: id, verdict })
        };
        self.tracks.iter_mut().filter_map(news).collect()
    }

    fn people(&self) -> Vec<Person> {
        let person = |track: &Track| {
            let bounds = track.motion.predict(self.now);
            Some(Person {
                track: track.id?,
                look: track.look,
                bounds,
                near: bounds.width() >= self.settings.min_face,
                verdict: track.belief.verdict(),
            })
        };
        self.tracks.iter().filter_map(person).collect()
    }
}
