//! What of which picture a sample shows, and what stands around it where the picture ends.

use super::scene::{Hard, Scene, Scenes};
use super::targets::Target;
use crate::picture::{Picture, Rect};
use crate::train::augment::{self, Turn};
use crate::train::random::Random;
use crate::vision::crop;

/// A picture is not scaled up more than this: no camera gives such mush.
const LARGEST_SCALE: f32 = 2.0;
/// A sample of which less than this part is picture is filled up with one without faces. Small
/// faces of tight pictures come to be so; their edge pixels repeated far out are no surroundings.
const FILLED: f32 = 0.75;
/// So often another picture is taken instead: one that has what surrounds a small face is better.
const TRIES: usize = 2;
/// Without pictures to fill up with, a sample reaches so many times beyond the longer side.
const FURTHEST: f32 = 2.0;
/// Half of the samples of no face and no lure reach up to so many times beyond the longer side of
/// their picture, another behind it: so a picture of one thing shows it as small as a face, too.
const BEYOND: f32 = 2.5;
/// Part of the samples without faces, where there are lures, that shows one.
const LURED: f32 = 0.75;
/// The same for samples of pictures with faces.
const LURED_BESIDE_FACES: f32 = 0.16;
/// Part of the samples of pictures with faces that shows one of those that are missed, where there are any.
const MISSED: f32 = 0.15;
/// Part of the samples that is turned, and how far either way at most, in radians: heads that are bowed
/// or tilted are rare in pictures and found least.
const TURNED: f32 = 0.4;
const FURTHEST_TURN: f32 = 0.6;

/// A square of one picture.
pub struct View<'a> {
    pub scene: &'a Scene,
    pub region: Rect,
    /// By how much the sample is turned about its middle, in radians, clockwise.
    pub turn: f32,
}

impl<'a> View<'a> {
    /// For a sample of `side` pixels: a face `wanted` pixels large, or what is hard: a lure, or a face that is
    /// missed. With `fillable` there are
    /// pictures to fill up with where it reaches beyond its own.
    pub fn of_face(
        sources: &'a [Scenes],
        wanted: f32,
        side: usize,
        fillable: bool,
        random: &mut Random,
    ) -> Self {
        let furthest = if fillable { f32::INFINITY } else { FURTHEST };
        let mut view = Self::choose(sources, LURED_BESIDE_FACES, wanted, side, furthest, random);
        for _ in 0..TRIES {
            if view.held() {
                break;
            }
            view = Self::choose(sources, LURED_BESIDE_FACES, wanted, side, furthest, random);
        }
        view
    }

    /// A lure, or anything, of a picture without faces.
    pub fn of_empty(empty: &'a [Scenes], side: usize, random: &mut Random) -> Self {
        Self::choose(empty, LURED, 0.0, side, f32::INFINITY, random)
    }

    fn choose(
        from: &'a [Scenes],
        lured: f32,
        wanted: f32,
        side: usize,
        furthest: f32,
        random: &mut Random,
    ) -> Self {
        let source = pick(from, random);
        let one_of = |places: &[Hard], part, random: &mut Random| {
            (!places.is_empty() && random.chance(part)).then(|| places[random.below(places.len())])
        };
        let hard =
            one_of(&source.lures, lured, random).or_else(|| one_of(&source.missed, MISSED, random));
        let number = hard.map_or_else(|| random.below(source.scenes.len()), |hard| hard.scene);
        let scene = &source.scenes[number];
        let side = side as f32;

        let faces: Vec<&Target> = scene.faces.iter().filter(|face| !face.ignore).collect();
        // What the sample is to show, and how large.
        let shown = match (hard, faces.get(random.below(faces.len()))) {
            (Some(hard), _) => Some((hard.bounds, hard.size * random.range(0.7, 1.4))),
            (None, Some(face)) => Some((face.bounds, wanted)),
            (None, None) => None,
        };
        let region = if let Some((bounds, wanted)) = shown {
            let scale = (wanted / bounds.area().sqrt()).min(LARGEST_SCALE);
            let longest = scene.picture.width().max(scene.picture.height()) as f32;
            let reach = (side / scale).min(furthest * longest);
            // It lies anywhere in the sample.
            let (u, v) = (random.range(0.05, 0.95), random.range(0.05, 0.95));
            let center = bounds.center();
            square(center.x - u * reach, center.y - v * reach, reach)
        } else {
            let further = furthest.is_infinite() && random.chance(0.5);
            let furthest = if further { BEYOND } else { 1.0 };
            anywhere(&scene.picture, side, furthest, random)
        };
        // Small turns are commoner than large ones.
        let turn = if random.chance(TURNED) {
            FURTHEST_TURN * random.range(-1.0, 1.0) * random.unit()
        } else {
            0.0
        };
        Self { scene, region, turn }
    }

    /// Whether most of it lies in the picture.
    fn held(&self) -> bool {
        let (width, height) = (self.scene.picture.width(), self.scene.picture.height());
        let whole = Rect { x1: 0.0, y1: 0.0, x2: width as f32, y2: height as f32 };
        self.region.intersect(&whole).area() >= FILLED * self.region.area()
    }

    /// Cuts it at `side` pixels. Where much of it lies beyond the picture, and there are `empty`
    /// ones, one of them is behind it.
    pub fn cut(&self, side: usize, empty: &[Scenes], random: &mut Random) -> Picture {
        if self.turn == 0.0 {
            return self.cut_upright(side, empty, random);
        }
        // All that turns into the sample.
        let (sin, cos) = self.turn.sin_cos();
        let wide = (side as f32 * (sin.abs() + cos.abs())).ceil() as usize;
        let (middle, reach) =
            (self.region.center(), self.region.width() * wide as f32 / side as f32);
        let region = square(middle.x - reach / 2.0, middle.y - reach / 2.0, reach);
        let whole = Self { region, turn: 0.0, ..*self }.cut_upright(wide, empty, random);
        augment::warp(&whole, &Turn::new(self.turn, side as f32 / 2.0).map(wide), side as u32)
    }

    fn cut_upright(&self, side: usize, empty: &[Scenes], random: &mut Random) -> Picture {
        let Self { scene: Scene { picture, .. }, region, .. } = self;
        if self.held() || empty.is_empty() {
            return crop::cut(picture, region, side as u32);
        }
        let source = pick(empty, random);
        let behind = &source.scenes[random.below(source.scenes.len())].picture;
        let mut sample =
            crop::cut(behind, &anywhere(behind, side as f32, 1.0, random), side as u32);

        // Whole pixels of the sample that lie within the picture, and what of the picture they show.
        let scale = side as f32 / region.width();
        let span = |from: f32, end: f32| {
            let first = ((0.0 - from) * scale).ceil().clamp(0.0, side as f32);
            let last = ((end - from) * scale).floor().clamp(first, side as f32);
            (first, last)
        };
        let (left, right) = span(region.x1, picture.width() as f32);
        let (top, bottom) = span(region.y1, picture.height() as f32);
        let mut shown = Picture::new((right - left) as u32, (bottom - top) as u32);
        if shown.pixels().is_empty() {
            return sample;
        }
        let part = Rect {
            x1: region.x1 + left / scale,
            y1: region.y1 + top / scale,
            x2: region.x1 + right / scale,
            y2: region.y1 + bottom / scale,
        };
        crop::resize(picture, &part, &mut shown);
        let (left, wide) = (left as usize * 3, shown.width() as usize * 3);
        let rows = sample.pixels_mut().chunks_exact_mut(side * 3).skip(top as usize);
        for (row, part) in rows.zip(shown.pixels().chunks_exact(wide)) {
            row[left..left + wide].copy_from_slice(part);
        }
        sample
    }
}

/// A square of this picture for a sample of `side` pixels, up to `furthest` times as large as the
/// picture's longer side.
fn anywhere(picture: &Picture, side: f32, furthest: f32, random: &mut Random) -> Rect {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let reach = width.max(height) * random.range(0.25, furthest);
    let reach = reach.max(side / LARGEST_SCALE);
    let mut from = |end: f32| random.range((end - reach).min(0.0), (end - reach).max(0.0));
    let x = from(width);
    square(x, from(height), reach)
}

/// Sources by the square root of their size: many small sources teach more than one large one, and
/// crowds more than portraits.
fn pick<'a>(sources: &'a [Scenes], random: &mut Random) -> &'a Scenes {
    let weight = |s: &Scenes| (s.size as f32).sqrt();
    let mut at = random.unit() * sources.iter().map(weight).sum::<f32>();
    for source in sources {
        at -= weight(source);
        if at < 0.0 && !source.scenes.is_empty() {
            return source;
        }
    }
    &sources[0]
}

/// The square with this upper left corner.
pub fn square(x: f32, y: f32, side: f32) -> Rect {
    Rect { x1: x, y1: y, x2: x + side, y2: y + side }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_lies_in_the_picture_or_holds_it() {
        let picture = Picture::new(300, 200);
        let mut random = Random::new(4);
        let (mut inside, mut around) = (0, 0);
        for _ in 0..200 {
            let region = anywhere(&picture, 64.0, BEYOND, &mut random);
            for (low, high, end) in [(region.x1, region.x2, 300.0), (region.y1, region.y2, 200.0)] {
                let within = low > -0.1 && high < end + 0.1;
                assert!(within || (low < 0.1 && high > end - 0.1), "{region:?}");
            }
            inside += usize::from(region.width() <= 200.0);
            around += usize::from(region.width() >= 300.0);
        }
        assert!(inside > 20 && around > 80, "{inside} inside, {around} around");
    }
}
