//! Faces that get a mask, a beard or a scarf drawn on now and then while a network learns, or whose nose
//! comes out over their mask.

use std::sync::Arc;

use crate::picture::{Label, Picture, Point, Rect};
use crate::train::random::Random;
use crate::train::synthesise::{self, Nose, Swatch, Wardrobe};

use super::crops::Cut;

/// Narrower faces, in pixels of the stored picture, have masks too coarse to be worn by others.
const COARSEST: f32 = 40.0;
/// Narrower faces have noses too coarse to be laid on others.
const COARSEST_NOSE: f32 = 48.0;
/// Faces tried for one whose mask can be taken off, or whose nose suits.
const TRIES: usize = 4;
const NOSE_TRIES: usize = 8;

/// How often a face gets something drawn on, 0 to 1 each; masks and beards only where it is bare.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drawing {
    pub masks: f32,
    /// Whether these are only such as make no incorrect_mask, where the network knows no such label.
    pub never_wrong: bool,
    /// Of these masks, how many are of the cloth of a mask that somebody else wears.
    pub worn: f32,
    pub beards: f32,
    /// Masked faces that get the nose of a bare face over their mask, which is then worn wrongly.
    pub noses: f32,
    /// Scarves, collars and high necks, under masked faces too.
    pub scarves: f32,
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

/// Faces that lend something to others; none where nobody asks.
#[derive(Clone, Debug, Default)]
pub struct Lenders<'a> {
    pub masks: Vec<&'a Cut>,
    pub noses: Vec<&'a Cut>,
}

impl<'a> Lenders<'a> {
    pub fn among(crops: &'a [Cut], drawing: &Drawing) -> Self {
        let of = |share: f32, label: Label, least: f32| {
            let usable =
                |cut: &&Cut| cut.label == label && cut.placed.is_some() && cut.width >= least;
            crops.iter().filter(|_| share > 0.0).filter(usable).collect()
        };
        Self {
            masks: of(drawing.worn, Label::WithMask, COARSEST),
            noses: of(drawing.noses, Label::WithoutMask, COARSEST_NOSE),
        }
    }
}

impl Drawing {
    /// The face with what is drawn on it this time, others each time: a scarf, and if it is bare a beard,
    /// a mask, or a mask over a beard, if it is masked a nose. `None` for a face that stays as it is.
    pub fn dress(
        &self,
        cut: &Cut,
        lenders: &Lenders<'_>,
        random: &mut Random,
    ) -> Option<(Picture, Label)> {
        let Placed { bounds, landmarks } =
            cut.placed.as_ref().filter(|_| self.draws_on(cut.label))?;
        // Without beards, scarves, noses and masks of others the random numbers are those of before there were
        // any.
        let wrapped = self.scarves > 0.0 && random.chance(self.scarves);
        let mut drawn =
            wrapped.then(|| synthesise::wrap(&cut.picture, bounds, landmarks, random)).flatten();
        if cut.label == Label::WithMask && self.draws_noses() && random.chance(self.noses) {
            let face = drawn.as_ref().unwrap_or(&cut.picture);
            let bared = (0..NOSE_TRIES).find_map(|_| {
                let nose = lent(&lenders.noses, random, Nose::of)?;
                synthesise::bare(face, bounds, landmarks, &nose, random)
            });
            if let Some(bared) = bared {
                return Some((bared, Label::IncorrectMask));
            }
        }
        if cut.label != Label::WithoutMask {
            return drawn.map(|drawn| (drawn, cut.label));
        }
        if self.beards > 0.0 && random.chance(self.beards) {
            let face = drawn.as_ref().unwrap_or(&cut.picture);
            drawn = synthesise::grow(face, bounds, landmarks, random).or(drawn);
        }
        let masked = random.chance(self.masks).then(|| {
            let style = self.wardrobe().draw(random);
            let worn = self.worn > 0.0 && random.chance(self.worn);
            let style = match worn.then(|| taken_off(&lenders.masks, random)).flatten() {
                Some(swatch) => style.made_of(Arc::new(swatch)),
                None => style,
            };
            let face = drawn.as_ref().unwrap_or(&cut.picture);
            synthesise::draw(face, bounds, landmarks, &style, random)
        });
        masked.flatten().or(drawn.map(|drawn| (drawn, Label::WithoutMask)))
    }

    fn draws_noses(&self) -> bool {
        self.noses > 0.0 && !self.never_wrong
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

    /// A mask worn wrongly may lie where a scarf would.
    fn draws_on(&self, label: Label) -> bool {
        match label {
            Label::WithoutMask => self.masks > 0.0 || self.beards > 0.0 || self.scarves > 0.0,
            Label::WithMask => self.scarves > 0.0 || self.draws_noses(),
            Label::IncorrectMask => false,
        }
    }
}

/// The mask of somebody.
fn taken_off(wearers: &[&Cut], random: &mut Random) -> Option<Swatch> {
    (0..TRIES).find_map(|_| lent(wearers, random, Swatch::of))
}

/// What one of `lenders` has; `None` too where it has none of use.
fn lent<T>(
    lenders: &[&Cut],
    random: &mut Random,
    of: impl Fn(&Picture, &Rect, &[Point; 5]) -> Option<T>,
) -> Option<T> {
    if lenders.is_empty() {
        return None;
    }
    let cut = lenders.get(random.below(lenders.len()))?;
    let placed = cut.placed.as_ref()?;
    of(&cut.picture, &placed.bounds, &placed.landmarks)
}
