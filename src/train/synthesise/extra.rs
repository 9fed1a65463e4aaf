//! What people wear or have on their faces that is no mask, laid on a face as masks are.
//! Never: what each looks like; that is in its own file.

use super::beard::Beard;
use super::glasses::Glasses;
use super::hand::{Hand, MOUTH};
use super::light::Light;
use super::scarf::Scarf;
use super::{Painted, SHADOW, read};
use crate::picture::{Picture, Point, Rect};
use crate::train::random::Random;

/// How much of the light is lost below a beard and below glasses.
const HAIR_SHADOW: f32 = 0.1;
const GLASSES_SHADOW: f32 = 0.2;

/// What leaves a face as bare, or as masked, as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    Beard,
    /// Or a collar, or a high neck.
    Scarf,
    /// Mostly dark ones.
    Glasses,
    /// A hand before the mouth, now and then with a cup.
    Hand,
}

impl Extra {
    /// As `synthesise` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Extra::Beard => "beard",
            Extra::Scarf => "scarf",
            Extra::Glasses => "glasses",
            Extra::Hand => "hand",
        }
    }
}

/// The picture with a random `extra` on the face in `bounds`; `None` as with [`super::draw`].
pub fn add(
    picture: &Picture,
    bounds: &Rect,
    landmarks: &[Point; 5],
    extra: Extra,
    random: &mut Random,
) -> Option<Picture> {
    let painted = Painted::extra(picture, bounds, landmarks, extra, random)?;
    let mut changed = picture.clone();
    painted.merge(&mut changed, random);
    Some(changed)
}

impl Painted {
    pub(super) fn extra(
        picture: &Picture,
        bounds: &Rect,
        landmarks: &[Point; 5],
        extra: Extra,
        random: &mut Random,
    ) -> Option<Self> {
        let read = read(picture, bounds, landmarks)?;
        match extra {
            Extra::Beard => {
                let beard = Beard::draw(random);
                Self::laid(picture, read, &beard, |p| beard.in_space(p), HAIR_SHADOW)
            }
            Extra::Scarf => {
                let scarf = Scarf::draw(random);
                Self::laid(picture, read, &scarf, |p| scarf.in_space(p), SHADOW)
            }
            Extra::Glasses => {
                let glasses = Glasses::draw(random);
                Self::laid(picture, read, &glasses, |p| glasses.in_space(p), GLASSES_SHADOW)
            }
            Extra::Hand => {
                // There may be a mask already, which tells nothing of the skin.
                let (head, _, focus) = read;
                let light = Light::above_mask(picture, &head);
                let hand = Hand::draw(light.unshow(light.skin, MOUTH), random);
                Self::laid(picture, (head, light, focus), &hand, Hand::in_space, SHADOW)
            }
        }
    }
}
