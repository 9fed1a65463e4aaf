//! Bare faces that get a beard or a mask drawn on now and then while a network learns.

use crate::picture::{Label, Picture, Point, Rect};
use crate::train::random::Random;
use crate::train::synthesise::{self, Wardrobe};

/// How often a bare face gets something drawn on, 0 to 1 each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drawing {
    pub masks: f32,
    pub beards: f32,
}

/// A bare face in a crop, in the crop's pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Bare {
    pub bounds: Rect,
    pub landmarks: [Point; 5],
    pub drawing: Drawing,
}

impl Bare {
    /// The face in the crop of `side` pixels that `region` of a picture was scaled to.
    pub fn in_crop(
        bounds: &Rect,
        landmarks: &[Point; 5],
        region: &Rect,
        side: u32,
        drawing: Drawing,
    ) -> Self {
        let scale = side as f32 / region.width().max(1e-3);
        let moved = |p: Point| Point { x: (p.x - region.x1) * scale, y: (p.y - region.y1) * scale };
        let low = moved(Point { x: bounds.x1, y: bounds.y1 });
        let high = moved(Point { x: bounds.x2, y: bounds.y2 });
        let bounds = Rect { x1: low.x, y1: low.y, x2: high.x, y2: high.y };
        Self { bounds, landmarks: landmarks.map(moved), drawing }
    }

    /// The crop with a beard, a mask, or a mask over a beard, this time: others each time, or `None`.
    pub fn dress(&self, crop: &Picture, random: &mut Random) -> Option<(Picture, Label)> {
        let Self { bounds, landmarks, drawing } = self;
        // Without beards the random numbers are those of before there were any.
        let grows = drawing.beards > 0.0 && random.chance(drawing.beards);
        let grown = grows.then(|| synthesise::grow(crop, bounds, landmarks, random)).flatten();
        let face = grown.as_ref().unwrap_or(crop);
        let masked = random.chance(drawing.masks).then(|| {
            let style = Wardrobe::default().draw(random);
            synthesise::draw(face, bounds, landmarks, &style, random)
        });
        masked.flatten().or(grown.map(|grown| (grown, Label::WithoutMask)))
    }
}
