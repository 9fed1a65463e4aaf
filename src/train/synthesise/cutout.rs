//! Hands cut out of photographs along an outline, held before the mouth as drawn ones are, or beside it, or
//! away from any face: real fingers in real light. A CSV names the photographs.

use std::collections::HashSet;
use std::f32::consts::FRAC_PI_2;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::hand::{self, Hand};
use super::light::Light;
use super::mesh::Region;
use super::{Painted, SHADOW, read};
use crate::picture::{Picture, Point, Rect};
use crate::train::boxes;
use crate::train::clip::align::Similarity;
use crate::train::clip::canvas::{Layer, paint};
use crate::train::digest::Digest;
use crate::train::pictures;
use crate::train::random::Random;

/// Pixels that an outline must enclose: fewer show no fingers.
const LEAST: f32 = 400.0;
/// Blur of the edge, in pixels of the photograph, and room for it.
const SOFT: f32 = 0.6;
const ROOM: f32 = 2.0;
/// Side of a square as large as the hand, in distances of the eyes: a fist, or flat and near.
const SIDE: [f32; 2] = [1.1, 1.75];
/// How far it may be turned from how it was held, radians.
const TURN: f32 = 0.9;
/// How far before the mouth it may be off to a side, and between what it is beside it, from the middle of
/// the face; in distances of the eyes.
const BEFORE: f32 = 0.35;
const BESIDE: [f32; 2] = [1.2, 1.7];
/// One away from any face is not shown larger than this many times, and its light is any of these.
const ENLARGED: f32 = 1.5;
const LEVEL: [f32; 2] = [0.5, 1.4];
/// How many are of the skin of the face; the others keep their colour, as in the face's light.
const OWN: f32 = 0.7;

/// Where a hand is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Held {
    /// Over the mouth, and what is above and below it now and then.
    Before,
    /// On a cheek: nose, mouth and chin stay mostly free.
    Beside,
}

/// A hand, with what it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Cutout {
    /// The part of the photograph that it is in.
    picture: Picture,
    /// In the pixels of `picture`.
    outline: Vec<Point>,
    /// Its middle.
    middle: Point,
    /// Square root of its area in pixels.
    side: f32,
    /// Its mean colour.
    colour: [f32; 3],
    /// What it was cut out of.
    photograph: PathBuf,
}

impl Cutout {
    /// `outline` is in the pixels of `photograph`.
    ///
    /// # Errors
    /// What is wrong with the outline.
    fn new(photograph: &Picture, outline: &[Point]) -> Result<Self, String> {
        let (width, height) = (photograph.width() as f32, photograph.height() as f32);
        let within = |p: &Point| (0.0..=width).contains(&p.x) && (0.0..=height).contains(&p.y);
        if let Some(p) = outline.iter().find(|p| !within(p)) {
            return Err(format!("{} {} is outside the picture", p.x, p.y));
        }
        let region = Region::around(outline, ROOM, photograph).ok_or("it has no outline")?;
        let (left, top) = (region.left as f32, region.top as f32);
        let outline: Vec<Point> =
            outline.iter().map(|p| Point { x: p.x - left, y: p.y - top }).collect();
        let mut picture = Picture::new(region.width as u32, region.height as u32);
        for (x, y) in
            (0..region.height as i64).flat_map(|y| (0..region.width as i64).map(move |x| (x, y)))
        {
            let rgb = photograph.get(x + region.left as i64, y + region.top as i64);
            picture.put(x, y, rgb.unwrap_or_default());
        }
        let mut cutout = Self {
            picture,
            outline,
            middle: Point { x: 0.0, y: 0.0 },
            side: 0.0,
            colour: [0.0; 3],
            photograph: PathBuf::new(),
        };
        let layer = cutout.layer([1.0; 3], false);
        let (mut sum, mut at) = ([0.0_f32; 4], Point { x: 0.0, y: 0.0 });
        for (i, pixel) in layer.pixels().iter().enumerate() {
            sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
            at.x += pixel[3] * ((i % layer.width) as f32 + 0.5);
            at.y += pixel[3] * ((i / layer.width) as f32 + 0.5);
        }
        let area = sum[3];
        if area < LEAST {
            return Err(format!("it encloses {area:.0} pixels, {LEAST} are needed"));
        }
        cutout.middle = Point { x: at.x / area, y: at.y / area };
        cutout.side = area.sqrt();
        cutout.colour = [sum[0] / area, sum[1] / area, sum[2] / area];
        Ok(cutout)
    }

    /// The file that it was cut out of.
    pub fn photograph(&self) -> &Path {
        &self.photograph
    }

    /// Adds its pixels and its outline to what a training learns from.
    pub fn add_to(&self, digest: &mut Digest) {
        digest.pixels(&self.picture);
        digest.points(&self.outline);
    }

    /// The hand alone, each colour times `gain`, the other way round if `mirrored`.
    fn layer(&self, gain: [f32; 3], mirrored: bool) -> Layer {
        let (width, height) = (self.picture.width(), self.picture.height());
        let flipped =
            |p: &Point| Point { x: if mirrored { width as f32 - p.x } else { p.x }, y: p.y };
        let outline: Vec<Point> = self.outline.iter().map(flipped).collect();
        let mut layer = Layer::clear(width as usize, height as usize);
        layer.fill(&outline, SOFT, |p| {
            let p = flipped(&p);
            let rgb = self.picture.get(p.x.floor() as i64, p.y.floor() as i64).unwrap_or_default();
            paint(std::array::from_fn(|c| (f32::from(rgb[c]) * gain[c]).min(255.0)), 1.0)
        });
        layer
    }

    /// The picture with this hand before or beside the mouth of the face in `bounds`, somewhat turned,
    /// either way round; `None` as with [`super::draw`].
    pub fn hold(
        &self,
        picture: &Picture,
        (bounds, landmarks): (&Rect, &[Point; 5]),
        held: Held,
        random: &mut Random,
    ) -> Option<Picture> {
        let painted = self.painted(picture, (bounds, landmarks), held, random)?;
        let mut changed = picture.clone();
        painted.merge(&mut changed, random);
        Some(changed)
    }

    pub(super) fn painted(
        &self,
        picture: &Picture,
        (bounds, landmarks): (&Rect, &[Point; 5]),
        held: Held,
        random: &mut Random,
    ) -> Option<Painted> {
        let (head, _, focus) = read(picture, bounds, landmarks)?;
        let light = Light::above_mask(picture, &head);
        let mirrored = random.chance(0.5);
        let hand = self.layer(self.gain(&light, random), mirrored);

        let Point { x, y } = hand::MOUTH;
        let aside = match held {
            Held::Before => random.range(-BEFORE, BEFORE),
            Held::Beside => {
                let side = if random.chance(0.5) { 1.0 } else { -1.0 };
                side * random.range(BESIDE[0], BESIDE[1])
            }
        };
        let aim = Point { x: x + aside, y: y + random.range(-0.35, 0.45) };
        let (to, _) = head.place(Hand::in_space(aim));
        let scale = head.scale * random.range(SIDE[0], SIDE[1]) / self.side;
        let [right, left, ..] = landmarks;
        let roll = (left.y - right.y).atan2(left.x - right.x);
        let turn = roll + random.range(-TURN, TURN);
        let origin = self.origin(to, scale, turn, mirrored);

        let (width, height) = (hand.width as f32, hand.height as f32);
        let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)];
        let place = Similarity::new(origin, scale, turn);
        let corners = corners.map(|(x, y)| place.apply(Point { x, y }));
        let region = Region::around(&corners, 3.0 * focus.blur + 2.0, picture)?;
        let inside = Point { x: origin.x - region.left as f32, y: origin.y - region.top as f32 };
        let mut layer = Layer::clear(region.width, region.height);
        hand.lay_over(&mut layer, &Similarity::new(inside, scale, turn), 1.0);
        Some(Painted { layer, region, head, focus, shadow: SHADOW })
    }

    /// Lays it into `picture` away from any face: its middle at `center`, `side` pixels large (the square root
    /// of its area), turned by up to a quarter of a circle, either way round, in any light.
    pub fn lay(&self, picture: &mut Picture, center: Point, side: f32, random: &mut Random) {
        let mirrored = random.chance(0.5);
        let turn = random.range(-FRAC_PI_2, FRAC_PI_2);
        let level = random.range(LEVEL[0], LEVEL[1]);
        let gain = std::array::from_fn(|_| level * random.range(0.9, 1.1));
        let scale = (side / self.side).min(ENLARGED);
        let place = Similarity::new(self.origin(center, scale, turn, mirrored), scale, turn);
        let mut layer = Layer::of(picture);
        self.layer(gain, mirrored).lay_over(&mut layer, &place, 1.0);
        *picture = layer.picture();
    }

    /// Where the corner of its layer comes to lie for its middle to be at `to`.
    fn origin(&self, to: Point, scale: f32, turn: f32, mirrored: bool) -> Point {
        let x = if mirrored { self.picture.width() as f32 - self.middle.x } else { self.middle.x };
        let place = Similarity::new(Point { x: 0.0, y: 0.0 }, scale, turn);
        let from = place.apply(Point { x, y: self.middle.y });
        Point { x: to.x - from.x, y: to.y - from.y }
    }

    /// What its colours are multiplied with to stand in the light of a face.
    fn gain(&self, light: &Light, random: &mut Random) -> [f32; 3] {
        let bright = |rgb: [f32; 3]| rgb.iter().sum::<f32>().max(6.0);
        let level = bright(light.skin) / bright(self.colour) * random.range(0.85, 1.2);
        let own = random.chance(OWN);
        let of = |c: usize| light.skin[c].max(2.0) / self.colour[c].max(2.0);
        let tint = bright(self.colour) / bright(light.skin);
        std::array::from_fn(|c| {
            let tint = if own { of(c) * tint } else { 1.0 };
            (level * tint).clamp(0.25, 4.0)
        })
    }
}

/// The hands that `name` of the command line names: a CSV of the columns `image` and `outline`
/// (`x y x y …`, pixels of the picture), named as `boxes::read_named` takes it. With one line for each row left out.
///
/// # Errors
/// A CSV that cannot be read or lacks a column, and when no row can be used.
pub fn cutouts(name: &str) -> Result<(Vec<Cutout>, Vec<String>)> {
    let (folder, csv) = boxes::named(name);
    let unreadable = || format!("{}: cannot be read", csv.display());
    let mut reader = boxes::rows(&csv).with_context(unreadable)?;
    let header = reader.headers().with_context(unreadable)?.clone();
    let column = |name: &str| {
        let at = header.iter().position(|field| field == name);
        at.with_context(|| {
            format!(
                "{}: no column '{name}'; the first line must name image and outline",
                csv.display()
            )
        })
    };
    let (image, outline) = (column("image")?, column("outline")?);
    let (mut cutouts, mut skipped) = (Vec::new(), Vec::new());
    for record in reader.byte_records() {
        let record = record.with_context(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        let text = |at: usize| String::from_utf8_lossy(record.get(at).unwrap_or_default());
        match cutout(&folder.join(&*text(image)), &text(outline)) {
            Ok(cutout) => cutouts.push(cutout),
            Err(reason) => skipped.push(format!("{}:{line}: {reason}", csv.display())),
        }
    }
    let first = skipped.first().map_or("it has no rows", String::as_str);
    ensure!(!cutouts.is_empty(), "{}: no hand in it can be used; {first}", csv.display());
    Ok((cutouts, skipped))
}

fn cutout(path: &Path, outline: &str) -> Result<Cutout, String> {
    let numbers: Vec<f32> = outline
        .split_whitespace()
        .map(|number| number.parse().map_err(|_| format!("outline: {number:?} is no number")))
        .collect::<Result<_, _>>()?;
    if numbers.len() < 6 || !numbers.len().is_multiple_of(2) {
        return Err(format!(
            "outline: {} numbers, an even number from 6 on is needed",
            numbers.len()
        ));
    }
    let points: Vec<Point> =
        numbers.chunks_exact(2).map(|pair| Point { x: pair[0], y: pair[1] }).collect();
    let photograph = pictures::open(path).map_err(|error| error.to_string())?;
    let cut = Cutout::new(&photograph, &points).map_err(|reason| format!("outline: {reason}"))?;
    Ok(Cutout { photograph: path.to_owned(), ..cut })
}

/// The hands of [`cutouts`]; how many there are is said, and the log names what cannot be used.
///
/// # Errors
/// As [`cutouts`].
pub fn hands(name: &str) -> Result<Vec<Cutout>> {
    let (hands, skipped) = cutouts(name)?;
    skipped.iter().for_each(|line| log::warn!("skipped {line}"));
    note!("{} hands out of photographs, {} skipped", hands.len(), skipped.len());
    Ok(hands)
}

/// Takes the hands out that are cut out of pictures to be judged on: nothing of those is learned.
pub fn leave_judged<'a>(hands: &mut Vec<Cutout>, judged: impl Iterator<Item = &'a Path>) {
    // The two lists may name a folder differently.
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let judged: HashSet<PathBuf> = judged.map(real).collect();
    let before = hands.len();
    hands.retain(|hand| !judged.contains(&real(hand.photograph())));
    if hands.len() < before {
        note!("{} hands are of pictures to be judged on, and left out", before - hands.len());
    }
}
