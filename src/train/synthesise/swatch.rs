//! The cloth of a mask that somebody wears in a picture, taken off to be worn by somebody else.
//! Real folds, prints and wear in the ways that masks are drawn; what that gives beside drawn cloth is too
//! little to be measured so far (models/runs/classifier-10.md).

use crate::picture::{Picture, Point, Rect};

use super::belongs;
use super::cloth::{Cloth, Mask, Wear};
use super::head::{self, Head};
use super::light::Light;

/// Columns and rows kept: about what a face of 100 px shows of its mask.
const COLUMNS: usize = 56;
const ROWS: usize = 40;
/// Part of the mask's half width, and of its height from the upper to the lower edge, that is taken.
/// Landmarks under a mask are guessed; further out there may be skin, hair or background.
const ACROSS: f32 = 0.86;
const DOWN: [f32; 2] = [0.14, 0.86];
/// A head turned further, in radians, hides too much of one half of its mask.
const FURTHEST: f32 = 0.5;

/// The colours of a mask laid out flat, as in white light.
#[derive(Clone, Debug, PartialEq)]
pub struct Swatch {
    /// `ROWS` rows of `COLUMNS` colours, 0 to 255.
    colours: Vec<[f32; 3]>,
}

impl Swatch {
    /// What the face in `bounds` wears over nose and mouth. `None` where the landmarks are no face, the
    /// head is turned too far, or the mask is not wholly in the picture.
    pub fn of(picture: &Picture, bounds: &Rect, landmarks: &[Point; 5]) -> Option<Self> {
        let fits = |head: &Head| belongs(head, landmarks, bounds) && head.turn() <= FURTHEST;
        let head = Head::fit(landmarks).filter(fits)?;
        let light = Light::above_mask(picture, &head);
        let mask = Mask::new(Cloth::Surgical([0.0; 3]), Wear::Right);
        let places = (0..ROWS * COLUMNS).map(|i| {
            let across = (i % COLUMNS) as f32 / (COLUMNS - 1) as f32 * 2.0 - 1.0;
            let down = (i / COLUMNS) as f32 / (ROWS - 1) as f32;
            let x = across * ACROSS * mask.reach();
            let (top, bottom) = mask.edges(x);
            let part = DOWN[0] + down * (DOWN[1] - DOWN[0]);
            Point { x, y: top + part * (bottom - top) }
        });
        let colour = |at: Point| taken(picture, &head, &light, at);
        Some(Self { colours: places.map(colour).collect::<Option<_>>()? })
    }

    /// The colour at a place of the cloth: `across` from -1 to 1, `down` from 0 to 1.
    pub fn at(&self, across: f32, down: f32) -> [f32; 3] {
        let x = (across.clamp(-1.0, 1.0) + 1.0) / 2.0 * (COLUMNS - 1) as f32;
        let y = down.clamp(0.0, 1.0) * (ROWS - 1) as f32;
        // Beside the last column and row there is nothing, and nothing of it is wanted.
        let colour = |x: i64, y: i64| {
            let (x, y) = (x.min(COLUMNS as i64 - 1), y.min(ROWS as i64 - 1));
            self.colours.get(y as usize * COLUMNS + x as usize).copied()
        };
        between(x, y, colour).unwrap_or_default()
    }

    /// Its mean colour.
    pub fn mean(&self) -> [f32; 3] {
        let count = self.colours.len().max(1) as f32;
        std::array::from_fn(|c| self.colours.iter().map(|rgb| rgb[c]).sum::<f32>() / count)
    }
}

/// The colour that a place of the face would have in white light.
fn taken(picture: &Picture, head: &Head, light: &Light, at: Point) -> Option<[f32; 3]> {
    let (p, _) = head.place(head::tent(at.x, at.y, 0.0));
    let colour = |x, y| picture.get(x, y).map(|rgb| rgb.map(f32::from));
    Some(light.unshow(between(p.x - 0.5, p.y - 0.5, colour)?, at))
}

/// The bilinear mean of the four colours around a place; `None` where one of them is missing.
fn between(x: f32, y: f32, colour: impl Fn(i64, i64) -> Option<[f32; 3]>) -> Option<[f32; 3]> {
    let (left, top) = (x.floor(), y.floor());
    let (right, below) = (x - left, y - top);
    let row = |y: i64| -> Option<[f32; 3]> {
        let (a, b) = (colour(left as i64, y)?, colour(left as i64 + 1, y)?);
        Some(std::array::from_fn(|c| a[c] + (b[c] - a[c]) * right))
    };
    let (a, b) = (row(top as i64)?, row(top as i64 + 1)?);
    Some(std::array::from_fn(|c| a[c] + (b[c] - a[c]) * below))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::picture::Label;
    use crate::train::random::Random;
    use crate::train::synthesise::head::posed;
    use crate::train::synthesise::{Kind, Style, draw};

    const SKIN: [u8; 3] = [196, 150, 128];
    const MIDDLE: Point = Point { x: 120.0, y: 90.0 };
    const BOUNDS: Rect = Rect { x1: 60.0, y1: 40.0, x2: 180.0, y2: 180.0 };

    /// A head whose lower face is `below(x)`, turned by `yaw`; its landmarks.
    fn wearing(below: impl Fn(usize) -> [u8; 3], yaw: f32) -> (Picture, [Point; 5]) {
        let mut picture = Picture::new(240, 240);
        for (i, rgb) in picture.pixels_mut().chunks_exact_mut(3).enumerate() {
            let (x, y) = (i % 240, i / 240);
            rgb.copy_from_slice(&if y < 100 { SKIN } else { below(x) });
        }
        (picture, posed(MIDDLE, 48.0, yaw, 0.0))
    }

    fn of(below: impl Fn(usize) -> [u8; 3], yaw: f32) -> Option<Swatch> {
        let (picture, landmarks) = wearing(below, yaw);
        Swatch::of(&picture, &BOUNDS, &landmarks)
    }

    #[test]
    fn left_stays_left_and_only_the_mask_is_taken() {
        let two = of(|x| if x < 120 { [40, 60, 160] } else { [60, 150, 70] }, 0.0).unwrap();
        for down in [0.0, 0.5, 1.0] {
            let (left, right) = (two.at(-0.8, down), two.at(0.8, down));
            assert!(left[2] > 2.0 * left[1], "{left:?}, {down} down");
            assert!(right[1] > 1.7 * right[2], "{right:?}, {down} down");
        }
    }

    #[test]
    fn a_head_turned_away_and_a_mask_cut_by_the_edge_are_refused() {
        let blue = |_| [40, 60, 160];
        assert!(of(blue, 0.3).is_some());
        assert!(of(blue, 0.7).is_none());
        let (picture, landmarks) = wearing(blue, 0.0);
        let down = landmarks.map(|p| Point { x: p.x, y: p.y + 90.0 });
        let bounds = Rect { y1: BOUNDS.y1 + 90.0, y2: BOUNDS.y2 + 90.0, ..BOUNDS };
        assert!(Swatch::of(&picture, &bounds, &down).is_none());
    }

    /// The colour in the picture at the middle of the mouth, after a mask of the cloth was put on it.
    fn worn(swatch: Swatch, wear: Wear) -> ([u8; 3], Label) {
        let (bare, landmarks) = wearing(|_| SKIN, 0.0);
        let mut random = Random::new(4);
        let style = Style::draw(Kind::N95, wear, &mut random).made_of(Arc::new(swatch));
        let (picture, label) = draw(&bare, &BOUNDS, &landmarks, &style, &mut random).unwrap();
        (picture.get(120, 145).unwrap(), label)
    }

    #[test]
    fn who_wears_it_wears_its_colours_and_the_label_says_how() {
        let red = of(|_| [170, 40, 40], 0.0).unwrap();
        let (middle, label) = worn(red.clone(), Wear::Right);
        assert_eq!(label, Label::WithMask);
        assert!(middle[0] > 120 && middle[1] < 80 && middle[2] < 80, "{middle:?}");
        let (middle, label) = worn(red, Wear::Chin);
        assert_eq!(label, Label::IncorrectMask);
        assert!(middle.iter().zip(SKIN).all(|(a, b)| a.abs_diff(b) < 30), "{middle:?}");
    }

    #[test]
    fn a_composed_face_gives_the_blue_of_its_mask() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets/masked_face.jpg");
        let picture = crate::train::pictures::open(&path).unwrap();
        let config = crate::config::Detector::default();
        let mut detector = crate::vision::Detector::load(&config).unwrap();
        let face = detector.detect(&picture).unwrap()[0];
        let [r, g, b] = Swatch::of(&picture, &face.bounds, &face.landmarks).unwrap().mean();
        assert!(b > r + 20.0 && b > g && g > r, "{r} {g} {b}");
    }
}
