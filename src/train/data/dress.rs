//! Faces that get a mask, a beard, glasses, a scarf or a hand drawn on now and then while a network
//! learns.

use std::sync::Arc;

use crate::picture::{Label, Picture, Point, Rect};
use crate::train::random::Random;
use crate::train::synthesise::{self, Cutout, Extra, Held, Swatch, Wardrobe};

use super::crops::Cut;

/// Narrower faces, in pixels of the stored picture, have masks too coarse to be worn by others.
const COARSEST: f32 = 40.0;
/// Masked faces tried for one whose mask can be taken off.
const TRIES: usize = 4;
/// How many of the hands are cut out of photographs where there are any; the others are drawn.
const CUT_OUT: f32 = 0.5;
/// How many of these are beside the mouth, where they say nothing about how a mask is worn.
const BESIDE: f32 = 0.4;

/// How often a face gets something drawn on, 0 to 1 each; masks and beards only where it is bare.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawing {
    pub masks: f32,
    /// Whether these are only such as make no incorrect_mask, where the network knows no such label.
    pub never_wrong: bool,
    /// Of these masks, how many are of the cloth of a mask that somebody else wears.
    pub worn: f32,
    pub beards: f32,
    /// Scarves, collars and high necks, under masked faces too.
    pub scarves: f32,
    /// Glasses, mostly dark ones, on masked faces too.
    pub glasses: f32,
    /// Hands and cups before the mouth, also before a mask worn right.
    pub hands: f32,
    /// Hands out of photographs, which half of the hands are. Some of these are beside the mouth, of a face
    /// that wears its mask wrongly too.
    pub cutouts: Arc<[Cutout]>,
}

/// Where the face is in a crop, in the crop's pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    pub bounds: Rect,
    pub landmarks: [Point; 5],
}

impl Placed {
    /// The face in the crop of `side` pixels that `region` of a picture was scaled to.
    pub fn in_crop(bounds: &Rect, landmarks: &[Point; 5], region: &Rect, side: u32) -> Self {
        let scale = side as f32 / region.width().max(1e-3);
        let moved = |p: Point| Point { x: (p.x - region.x1) * scale, y: (p.y - region.y1) * scale };
        let low = moved(Point { x: bounds.x1, y: bounds.y1 });
        let high = moved(Point { x: bounds.x2, y: bounds.y2 });
        let bounds = Rect { x1: low.x, y1: low.y, x2: high.x, y2: high.y };
        Self { bounds, landmarks: landmarks.map(moved) }
    }
}

/// The faces whose masks can be worn by others; none where nobody asks.
pub fn wearers<'a>(crops: &'a [Cut], drawing: &Drawing) -> Vec<&'a Cut> {
    let usable =
        |cut: &&Cut| cut.label == Label::WithMask && cut.placed.is_some() && cut.width >= COARSEST;
    crops.iter().filter(|_| drawing.worn > 0.0).filter(usable).collect()
}

impl Drawing {
    /// The face with what is drawn on it this time, others each time: a scarf, glasses, if it is bare a
    /// beard, a mask, or a mask over all that, and a hand before everything. `None` for a face that stays
    /// as it is.
    pub fn dress(
        &self,
        cut: &Cut,
        wearers: &[&Cut],
        random: &mut Random,
    ) -> Option<(Picture, Label)> {
        let placed = cut.placed.as_ref().filter(|_| self.draws_on(cut.label))?;
        if cut.label == Label::IncorrectMask {
            return self.hold(cut, placed, None, cut.label, random);
        }
        let Placed { bounds, landmarks } = placed;
        // Without beards, masks of others and so on the random numbers are those of before there were any.
        let wrapped = self.scarves > 0.0 && random.chance(self.scarves);
        let mut drawn = wrapped
            .then(|| synthesise::add(&cut.picture, bounds, landmarks, Extra::Scarf, random))
            .flatten();
        if self.glasses > 0.0 && random.chance(self.glasses) {
            let face = drawn.as_ref().unwrap_or(&cut.picture);
            drawn = synthesise::add(face, bounds, landmarks, Extra::Glasses, random).or(drawn);
        }
        if cut.label != Label::WithoutMask {
            return self.hold(cut, placed, drawn, cut.label, random);
        }
        if self.beards > 0.0 && random.chance(self.beards) {
            let face = drawn.as_ref().unwrap_or(&cut.picture);
            drawn = synthesise::add(face, bounds, landmarks, Extra::Beard, random).or(drawn);
        }
        let masked = random.chance(self.masks).then(|| {
            let style = self.wardrobe().draw(random);
            let worn = self.worn > 0.0 && random.chance(self.worn);
            let style = match worn.then(|| taken_off(wearers, random)).flatten() {
                Some(swatch) => style.made_of(Arc::new(swatch)),
                None => style,
            };
            let face = drawn.as_ref().unwrap_or(&cut.picture);
            synthesise::draw(face, bounds, landmarks, &style, random)
        });
        let (drawn, label) = match masked.flatten() {
            Some((masked, label)) => (Some(masked), label),
            None => (drawn, Label::WithoutMask),
        };
        self.hold(cut, placed, drawn, label, random)
    }

    /// The same with a hand or a cup before it now and then. A mask worn wrongly gets only those that are
    /// beside the mouth, as many as other faces do: one before it might hide all that is wrong.
    fn hold(
        &self,
        cut: &Cut,
        Placed { bounds, landmarks }: &Placed,
        drawn: Option<Picture>,
        label: Label,
        random: &mut Random,
    ) -> Option<(Picture, Label)> {
        let wrong = label == Label::IncorrectMask;
        let possible = !wrong || !self.cutouts.is_empty();
        let held = possible && self.hands > 0.0 && random.chance(self.hands);
        let face = drawn.as_ref().unwrap_or(&cut.picture);
        let hand = held.then(|| {
            // Without photographs the random numbers are those of before there were any.
            if self.cutouts.is_empty() || !random.chance(CUT_OUT) {
                let drawn = || synthesise::add(face, bounds, landmarks, Extra::Hand, random);
                return (!wrong).then(drawn).flatten();
            }
            let hand = self.cutouts.get(random.below(self.cutouts.len()))?;
            let at = if random.chance(BESIDE) { Held::Beside } else { Held::Before };
            let hold = || hand.hold(face, (bounds, landmarks), at, random);
            (!wrong || at == Held::Beside).then(hold).flatten()
        });
        hand.flatten().or(drawn).map(|drawn| (drawn, label))
    }

    fn wardrobe(&self) -> Wardrobe {
        let mut wardrobe = Wardrobe::default();
        if self.never_wrong {
            wardrobe.wears.retain(|(wear, _)| wear.label() != Label::IncorrectMask);
        }
        wardrobe
    }

    /// How many of `crops` it may draw on.
    pub fn usable(&self, crops: &[Cut]) -> usize {
        crops.iter().filter(|cut| cut.placed.is_some() && self.draws_on(cut.label)).count()
    }

    /// A mask worn wrongly may lie where a scarf, glasses or a hand before the mouth would.
    fn draws_on(&self, label: Label) -> bool {
        let beside_masks = self.scarves > 0.0 || self.glasses > 0.0 || self.hands > 0.0;
        match label {
            Label::WithoutMask => self.masks > 0.0 || self.beards > 0.0 || beside_masks,
            Label::WithMask => beside_masks,
            Label::IncorrectMask => self.hands > 0.0 && !self.cutouts.is_empty(),
        }
    }
}

/// The mask of somebody.
fn taken_off(wearers: &[&Cut], random: &mut Random) -> Option<Swatch> {
    (0..TRIES).filter(|_| !wearers.is_empty()).find_map(|_| {
        let cut = wearers.get(random.below(wearers.len()))?;
        let placed = cut.placed.as_ref()?;
        Swatch::of(&cut.picture, &placed.bounds, &placed.landmarks)
    })
}
