//! The nose of a bare face, to be laid over the mask of another: wrong wear of real masks, which
//! there are few pictures of.

use crate::picture::{Picture, Point, Rect};
use crate::train::clip::canvas::ramp;
use crate::train::random::Random;

use super::belongs;
use super::head::{self, Head};
use super::light::Light;
use super::mesh::Surface;
use super::swatch::between;

/// Columns and rows kept.
const COLUMNS: usize = 40;
const ROWS: usize = 28;
/// What is taken of the face: as far beside the middle, and from the height below the eyes to that of
/// the upper lip, in eye distances.
const HALF_WIDTH: f32 = 0.86;
const HEIGHTS: (f32, f32) = (0.08, 1.02);
/// A head turned further, in radians, shows too little of one side of its nose.
const FURTHEST: f32 = 0.4;
/// Skin that is lighter or darker than the wearer's by more than this, in powers of e, and of which one
/// colour is so by so much more than another, is no use.
const UNLIKE: f32 = 0.7;
const TINGED: f32 = 0.16;
/// Part of a nose and the cheeks beside it that may be of other colours than the skin.
const STRANGE: f32 = 0.12;
/// Where skin is bare on both: brow, root of the nose, inner cheeks.
const BARE: [(f32, f32); 9] = [
    (0.0, -0.3),
    (-0.2, -0.32),
    (0.2, -0.32),
    (0.0, -0.12),
    (0.0, 0.05),
    (-0.09, 0.12),
    (0.09, 0.12),
    (-0.4, 0.24),
    (0.4, 0.24),
];
/// Half width of a nose at heights along it.
const WING: [(f32, f32); 5] = [(0.1, 0.15), (0.3, 0.17), (0.5, 0.27), (0.62, 0.34), (0.8, 0.3)];
const OUTLINE: [(f32, f32); 4] = [(0.0, 0.08), (0.84, 0.1), (0.85, 0.9), (0.0, 1.0)];

/// The skin between eyes and mouth laid out flat, as it shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Nose {
    colours: Vec<[f32; 3]>,
    /// The skin above it.
    skin: [f32; 3],
}

impl Nose {
    /// Of the bare face in `bounds`. `None` where the landmarks are no face, the head is turned too far,
    /// or not all of it is in the picture.
    pub fn of(picture: &Picture, bounds: &Rect, landmarks: &[Point; 5]) -> Option<Self> {
        let fits = |head: &Head| belongs(head, landmarks, bounds) && head.turn() <= FURTHEST;
        let head = Head::fit(landmarks).filter(fits)?;
        let skin = tone(picture, &head)?;
        let places = (0..ROWS * COLUMNS).map(|i| {
            let across = (i % COLUMNS) as f32 / (COLUMNS - 1) as f32;
            let down = (i / COLUMNS) as f32 / (ROWS - 1) as f32;
            let x = (2.0 * across - 1.0) * HALF_WIDTH;
            Point { x, y: HEIGHTS.0 + down * (HEIGHTS.1 - HEIGHTS.0) }
        });
        let colour = |at: Point| {
            let (p, _) = head.place(head::skin(at.x, at.y));
            between(p.x - 0.5, p.y - 0.5, |x, y| picture.get(x, y).map(|rgb| rgb.map(f32::from)))
        };
        let colours: Vec<[f32; 3]> = places.map(colour).collect::<Option<_>>()?;
        let strange = colours.iter().filter(|rgb| !is_like(**rgb, skin)).count();
        (strange as f32 <= STRANGE * colours.len() as f32).then_some(Self { colours, skin })
    }

    fn at(&self, at: Point) -> [f32; 3] {
        let x = (at.x / HALF_WIDTH + 1.0) / 2.0;
        let y = (at.y - HEIGHTS.0) / (HEIGHTS.1 - HEIGHTS.0);
        let colour = |x: i64, y: i64| {
            let (x, y) = (x.min(COLUMNS as i64 - 1), y.min(ROWS as i64 - 1));
            self.colours.get(y as usize * COLUMNS + x as usize).copied()
        };
        let place = |part: f32, last: usize| part.clamp(0.0, 1.0) * (last - 1) as f32;
        between(place(x, COLUMNS), place(y, ROWS), colour).unwrap_or_default()
    }
}

/// Whether a colour may be that of such skin, lit or in shade.
fn is_like(rgb: [f32; 3], skin: [f32; 3]) -> bool {
    let [r, g, b] = std::array::from_fn(|c| ((rgb[c] + 8.0) / (skin[c] + 8.0)).ln());
    (-0.75..0.35).contains(&g) && r.max(g).max(b) - r.min(g).min(b) < 0.3
}

/// The middle of the colours that the skin above a mask has.
fn tone(picture: &Picture, head: &Head) -> Option<[f32; 3]> {
    let mut seen = Vec::with_capacity(BARE.len());
    for (x, y) in BARE {
        let (p, _) = head.place(head::skin(x, y));
        let colour = |x, y| picture.get(x, y).map(|rgb| rgb.map(f32::from));
        seen.push(between(p.x - 0.5, p.y - 0.5, colour)?);
    }
    // By lightness, so that hair and the rims of glasses are left out as a whole.
    seen.sort_by(|a, b| a[1].total_cmp(&b[1]));
    let middle = &seen[3..8];
    Some(std::array::from_fn(|c| {
        middle.iter().map(|rgb| rgb[c]).sum::<f32>() / middle.len() as f32
    }))
}

/// A nose that comes out over the mask of somebody with skin of another colour.
pub struct Bared<'a> {
    nose: &'a Nose,
    light: &'a Light,
    /// From the colours of its own face to those of the wearer.
    tone: [f32; 3],
    /// Height of the cloth's edge in the middle, and how much higher it is for each distance outward.
    edge: f32,
    rise: f32,
    /// Whether only the nose is out, with cloth on both sides of it.
    narrow: bool,
    /// Where the wearer's own skin goes over into this.
    top: f32,
    lean: f32,
}

impl<'a> Bared<'a> {
    /// On the face of `head` in `picture`, in such `light`; `None` where the skin is too unlike.
    pub fn draw(
        nose: &'a Nose,
        light: &'a Light,
        picture: &Picture,
        head: &Head,
        random: &mut Random,
    ) -> Option<Self> {
        let own = tone(picture, head)?;
        let tone: [f32; 3] = std::array::from_fn(|c| own[c].max(4.0) / nose.skin[c].max(4.0));
        let [r, g, b] = tone.map(f32::ln);
        let most = r.max(g).max(b);
        if most - r.min(g).min(b) > TINGED || g.abs() > UNLIKE {
            return None;
        }
        let narrow = random.chance(0.6);
        let edge = if narrow { random.range(0.7, 0.84) } else { random.range(0.68, 0.98) };
        Some(Self {
            nose,
            light,
            tone,
            edge,
            rise: random.range(0.15, 0.5),
            narrow,
            top: random.range(0.1, 0.2),
            lean: random.range(-0.08, 0.08),
        })
    }

    /// Where a point of it is on the head.
    pub fn in_space(p: Point) -> [f32; 3] {
        let [x, y, z] = head::skin(p.x, p.y);
        [x, y, z + 0.08]
    }

    fn cover(&self, at: Point) -> f32 {
        let across = at.x.abs();
        let edge = self.edge - self.rise * across + self.lean * at.x;
        let above = ramp(0.015, -0.015, at.y - edge);
        let begun = ramp(self.top - 0.06, self.top + 0.1, at.y);
        let side = if self.narrow { head::along(&WING, at.y) + 0.03 } else { 0.74 };
        let soft = if self.narrow { 0.025 } else { 0.08 };
        above * begun * ramp(side + soft, side - soft, across)
    }
}

impl Surface for Bared<'_> {
    fn half(&self) -> &[(f32, f32)] {
        &OUTLINE
    }

    /// Its colours have their light already.
    fn look(&self, at: Point, _: f32) -> ([f32; 3], f32, f32) {
        let rgb = self.nose.at(at);
        let shown = std::array::from_fn(|c| (rgb[c] * self.tone[c]).min(250.0));
        (self.light.unshow(shown, at), 1.0, self.cover(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::synthesise::{bare, head::posed};

    const MIDDLE: Point = Point { x: 120.0, y: 90.0 };
    const BOUNDS: Rect = Rect { x1: 60.0, y1: 40.0, x2: 180.0, y2: 180.0 };
    const CLOTH: [u8; 3] = [60, 110, 190];

    /// A head of such skin, 48 px between the eyes, masked from the eyes down or bare; its landmarks.
    fn head(skin: [u8; 3], masked: bool, yaw: f32) -> (Picture, [Point; 5]) {
        let mut picture = Picture::new(240, 240);
        for (i, rgb) in picture.pixels_mut().chunks_exact_mut(3).enumerate() {
            rgb.copy_from_slice(if masked && i / 240 > 103 { &CLOTH } else { &skin });
        }
        (picture, posed(MIDDLE, 48.0, yaw, 0.0))
    }

    fn of(skin: [u8; 3], masked: bool, yaw: f32) -> Option<Nose> {
        let (picture, landmarks) = head(skin, masked, yaw);
        Nose::of(&picture, &BOUNDS, &landmarks)
    }

    #[test]
    fn the_nose_comes_out_in_the_colour_of_who_wears_the_mask() {
        let nose = of([210, 160, 136], false, 0.0).unwrap();
        let skin = [150, 108, 86];
        let (picture, landmarks) = head(skin, true, 0.0);
        for seed in 0..20 {
            let out = bare(&picture, &BOUNDS, &landmarks, &nose, &mut Random::new(seed)).unwrap();
            let tip = out.get(120, 90 + (0.56 * 48.0) as i64).unwrap();
            assert!(tip.iter().zip(skin).all(|(a, b)| a.abs_diff(b) < 14), "{tip:?}, seed {seed}");
            let mouth = out.get(120, 90 + (1.15 * 48.0) as i64).unwrap();
            assert!(mouth.iter().zip(CLOTH).all(|(a, b)| a.abs_diff(b) < 14), "{mouth:?}");
        }
    }

    #[test]
    fn what_is_no_bare_nose_seen_from_the_front_is_not_taken() {
        let skin = [210, 160, 136];
        assert!(of(skin, false, 0.2).is_some());
        assert!(of(skin, true, 0.0).is_none(), "a mask");
        assert!(of(skin, false, 0.6).is_none(), "turned away");
    }

    #[test]
    fn skin_of_another_tinge_is_not_laid_on_anybody() {
        let nose = of([210, 160, 136], false, 0.0).unwrap();
        let (picture, landmarks) = head([130, 160, 170], true, 0.0);
        assert!(bare(&picture, &BOUNDS, &landmarks, &nose, &mut Random::new(1)).is_none());
    }
}
