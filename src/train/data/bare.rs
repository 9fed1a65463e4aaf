//! Bare faces that get a mask drawn on now and then while a network learns.

use crate::picture::{Label, Picture, Point, Rect};
use crate::train::random::Random;
use crate::train::synthesise::{self, Wardrobe};

/// A bare face in a crop, in the crop's pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Bare {
    pub bounds: Rect,
    pub landmarks: [Point; 5],
    /// How often a mask is drawn on it, 0 to 1.
    pub share: f32,
}

impl Bare {
    /// The face in the crop of `side` pixels that `region` of a picture was scaled to.
    pub fn in_crop(
        bounds: &Rect,
        landmarks: &[Point; 5],
        region: &Rect,
        side: u32,
        share: f32,
    ) -> Self {
        let scale = side as f32 / region.width().max(1e-3);
        let moved = |p: Point| Point { x: (p.x - region.x1) * scale, y: (p.y - region.y1) * scale };
        let low = moved(Point { x: bounds.x1, y: bounds.y1 });
        let high = moved(Point { x: bounds.x2, y: bounds.y2 });
        let bounds = Rect { x1: low.x, y1: low.y, x2: high.x, y2: high.y };
        Self { bounds, landmarks: landmarks.map(moved), share }
    }

    /// The crop with a mask, this time: another one each time, or `None`.
    pub fn dress(&self, crop: &Picture, random: &mut Random) -> Option<(Picture, Label)> {
        if !random.chance(self.share) {
            return None;
        }
        let style = Wardrobe::default().draw(random);
        synthesise::draw(crop, &self.bounds, &self.landmarks, &style, random)
    }
}
