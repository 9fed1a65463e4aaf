//! A person: a composed head on a drawn body, walking, with or without a mask.

use crate::picture::{Picture, Point, Rect};

use super::align::{FRONTAL, Similarity};
use super::canvas::{Layer, mix, noise, paint, ramp, shade, smooth, symmetric};
use super::head::{self, Hair};
use super::mask;

/// How a person is drawn. Colours are red, green, blue, 0 to 255.
#[derive(Clone, Copy, Debug)]
pub struct Looks {
    /// Which composed face.
    pub group: usize,
    /// Mean colour of the cheeks; the composed face is brought to it.
    pub skin: [f32; 3],
    /// Width of the head over its usual width.
    pub width: f32,
    pub hair: Hair,
    pub hair_colour: [f32; 3],
    pub coat: Coat,
    pub coat_colour: [f32; 3],
    /// Shirt, scarf or lining.
    pub under_colour: [f32; 3],
    pub trousers: [f32; 3],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coat {
    /// Open at the neck, lapels over a shirt.
    Jacket,
    /// Closed to a round neck.
    Jumper,
    /// Zipped, with a stand-up collar.
    Parka,
}

/// Where somebody stands in the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// The middle between the eyes, in pixels.
    pub eyes: Point,
    /// Distance between the eyes, in pixels.
    pub scale: f32,
    /// Of the head, radians, clockwise on the screen.
    pub roll: f32,
    /// Of the walk, radians: one turn is two steps.
    pub stride: f32,
    /// 0 standing to 1 walking.
    pub walking: f32,
    /// 1 is the light of the room.
    pub light: f32,
}

/// Somebody ready to be drawn in any pose.
pub struct Person {
    looks: Looks,
    head: Layer,
}

/// Eye distances from the eyes down to the neck, about which the head leans.
const NECK: f32 = 2.1;
/// Eye distances from the eyes down to the floor.
pub const HEIGHT: f32 = 20.6;

impl Person {
    /// `face`: an aligned composed face, already of the right skin colour.
    pub fn new(face: &Picture, looks: Looks) -> Self {
        let head = head::draw(face, looks.hair, looks.hair_colour);
        Self { looks, head: head.stretched(head::place().apply(Point::default()).x, looks.width) }
    }

    /// The five landmarks in pixels of the frame.
    pub fn landmarks(&self, pose: &Pose) -> [Point; 5] {
        FRONTAL.map(|p| self.on_head(pose, p))
    }

    /// Hairline to chin and cheek to cheek, in pixels of the frame.
    pub fn bounds(&self, pose: &Pose) -> Rect {
        let corners = [(-1.0, 0.0), (1.0, 0.0), (0.0, -0.98), (0.0, 1.64)]
            .map(|(x, y)| self.on_head(pose, Point { x, y }));
        let fold = |pick: fn(&Point) -> f32, better: fn(f32, f32) -> f32| {
            corners.iter().map(pick).reduce(better).unwrap_or_default()
        };
        Rect {
            x1: fold(|p| p.x, f32::min),
            y1: fold(|p| p.y, f32::min),
            x2: fold(|p| p.x, f32::max),
            y2: fold(|p| p.y, f32::max),
        }
    }

    pub fn draw(&self, frame: &mut Layer, pose: &Pose, mask: Option<&mask::Style>) {
        let body =
            Body { looks: &self.looks, pose, place: Similarity::new(pose.eyes, pose.scale, 0.0) };
        body.legs(frame);
        self.head.lay_over(frame, &self.head_place(pose), pose.light);
        body.coat(frame);
        body.arms(frame);
        if let Some(style) = mask {
            let style = mask::Style { light: style.light * pose.light, ..*style };
            mask::draw(frame, &self.landmarks(pose), &style);
        }
    }

    /// From eye distances on the frontal face to pixels of the frame.
    fn on_head(&self, pose: &Pose, p: Point) -> Point {
        let p = Point { x: p.x * self.looks.width, y: p.y };
        self.head_place(pose).apply(head::place().apply(p))
    }

    /// From pixels of the head layer to pixels of the frame.
    fn head_place(&self, pose: &Pose) -> Similarity {
        let scale = pose.scale / head::place().scale();
        let neck = head::place().apply(Point { x: 0.0, y: NECK });
        let leaning = Similarity::new(Point::default(), scale, pose.roll).apply(neck);
        let origin =
            Point { x: pose.eyes.x - leaning.x, y: pose.eyes.y + NECK * pose.scale - leaning.y };
        Similarity::new(origin, scale, pose.roll)
    }
}

/// Brings an aligned face to another skin colour.
pub fn tint(face: &Picture, from: [f32; 3], to: [f32; 3]) -> Picture {
    let gains: [f32; 3] = std::array::from_fn(|c| to[c] / from[c].max(1.0));
    let mut tinted = face.clone();
    for pixel in tinted.pixels_mut().chunks_exact_mut(3) {
        for (byte, gain) in pixel.iter_mut().zip(gains) {
            *byte = (f32::from(*byte) * gain).clamp(0.0, 255.0) as u8;
        }
    }
    tinted
}

struct Body<'a> {
    looks: &'a Looks,
    pose: &'a Pose,
    /// From eye distances below and beside the eyes to pixels.
    place: Similarity,
}

impl Body<'_> {
    fn outline(&self, points: &[Point]) -> Vec<Point> {
        let placed: Vec<Point> = points.iter().map(|&p| self.place.apply(p)).collect();
        smooth(&placed)
    }

    /// Fills with cloth: rounded to the sides of `middle` ± `half`, slightly creased.
    fn cloth(&self, frame: &mut Layer, points: &[Point], rgb: [f32; 3], middle: f32, half: f32) {
        let outline = self.outline(points);
        frame.fill(&outline, 0.0, |p| {
            let v = self.place.undo(p);
            let round = 1.0 - 0.34 * ((v.x - middle) / half).powi(2).min(1.2);
            let crease = 0.05 * noise(v.x * 1.1, v.y * 0.7, 41)
                + 0.03 * noise(v.x * 3.0 + v.y, v.y * 1.2, 42);
            paint(shade(rgb, (round + crease) * self.pose.light), 1.0)
        });
    }

    /// -1 to 1, how far forward the leg or arm on this side is.
    fn swing(&self, side: f32) -> f32 {
        side * self.pose.stride.sin() * self.pose.walking
    }

    fn legs(&self, frame: &mut Layer) {
        for side in [-1.0, 1.0] {
            let forward = self.swing(side);
            // A foot in front is nearer to the camera: lower in the picture.
            let ground = HEIGHT - 0.75 + 0.5 * forward;
            let at = |x: f32, y: f32| Point { x: side * x, y };
            let leg = [
                at(0.0, 9.8),
                at(2.35, 9.8),
                at(2.25, 12.0),
                at(1.9, 15.5),
                at(1.65, ground),
                at(0.6, ground),
                at(0.45, 15.5),
                at(0.1, 12.0),
            ];
            let rgb = shade(self.looks.trousers, 0.92 + 0.08 * forward);
            let shoe = [
                at(0.5, ground - 0.1),
                at(1.1, ground - 0.35),
                at(1.75, ground - 0.1),
                at(1.85, ground + 0.55),
                at(1.2, ground + 0.8),
                at(0.55, ground + 0.55),
            ];
            self.cloth(frame, &shoe, [44.0, 38.0, 34.0], side * 1.1, 1.0);
            self.cloth(frame, &leg, rgb, side * 1.2, 1.4);
        }
    }

    fn arms(&self, frame: &mut Layer) {
        for side in [-1.0, 1.0] {
            let reach = 0.45 * self.swing(-side);
            let at = |x: f32, y: f32| Point { x: side * x, y };
            let hand = [
                at(2.75, 10.0 + reach),
                at(3.3, 9.9 + reach),
                at(3.35, 10.9 + reach),
                at(3.0, 11.4 + reach),
                at(2.7, 10.9 + reach),
            ];
            self.cloth(frame, &hand, shade(self.looks.skin, 0.9), side * 3.0, 0.8);
            let arm = [
                at(2.36, 2.86),
                at(2.7, 2.98),
                at(2.98, 3.5),
                at(3.24, 4.9),
                at(3.5, 7.4),
                at(3.4, 10.1 + reach),
                at(2.65, 10.1 + reach),
                at(2.5, 7.6),
                at(2.32, 5.4),
                at(2.2, 4.0),
            ];
            self.cloth(frame, &arm, shade(self.looks.coat_colour, 0.92), side * 2.85, 1.0);
        }
    }

    fn coat(&self, frame: &mut Layer) {
        let (deep, rim) = match self.looks.coat {
            Coat::Jacket => (2.55, 1.95),
            Coat::Jumper => (2.5, 2.2),
            Coat::Parka => (2.3, 1.75),
        };
        let chest = self.looks.coat_colour;
        let torso = |deep: f32, rim: f32, grow: f32| {
            symmetric(&[
                (0.0, deep),
                (0.36, deep - 0.1),
                (0.7, rim + 0.12),
                (0.84, rim),
                (1.2 + grow, 2.34),
                (1.9 + grow, 2.56),
                (2.5 + grow, 2.86),
                (2.72 + grow, 3.6),
                (2.5 + grow, 5.6),
                (2.3 + grow, 8.0),
                (2.45 + grow, 10.6),
                (0.0, 10.7),
            ])
        };
        let under = self.looks.under_colour;
        match self.looks.coat {
            Coat::Jacket => {
                self.cloth(frame, &torso(deep, rim, -0.1), under, 0.0, 2.9);
                for side in [-1.0, 1.0] {
                    let at = |x: f32, y: f32| Point { x: side * x, y };
                    let front = [
                        at(0.72, 1.98),
                        at(1.2, 2.34),
                        at(1.9, 2.56),
                        at(2.5, 2.86),
                        at(2.74, 3.6),
                        at(2.52, 5.6),
                        at(2.32, 8.0),
                        at(2.5, 10.6),
                        at(0.0, 10.7),
                        at(0.02, 7.0),
                        at(0.1, 5.3),
                        at(0.5, 3.4),
                    ];
                    self.cloth(frame, &front, chest, 0.0, 3.0);
                    let lapel = [
                        at(0.74, 2.0),
                        at(1.2, 2.75),
                        at(1.28, 3.4),
                        at(0.98, 3.5),
                        at(0.8, 4.4),
                        at(0.14, 5.3),
                        at(0.42, 3.7),
                    ];
                    self.cloth(frame, &lapel, shade(chest, 1.13), side * 0.4, 3.0);
                }
            }
            Coat::Jumper => {
                self.cloth(frame, &torso(deep, rim, 0.0), chest, 0.0, 3.0);
                self.band(frame, deep, rim, mix(chest, under, 0.5));
            }
            Coat::Parka => {
                self.cloth(frame, &torso(deep, rim, 0.12), chest, 0.0, 3.1);
                self.band(frame, deep, rim, under);
                let zip = [(-0.05, deep + 0.1), (0.05, deep + 0.1), (0.05, 10.5), (-0.05, 10.5)]
                    .map(|(x, y)| self.place.apply(Point { x, y }));
                let light = self.pose.light;
                frame.fill(&zip, 0.0, |_| paint(shade(chest, 0.6 * light), 0.9));
            }
        }
    }

    /// The rim of a round neck.
    fn band(&self, frame: &mut Layer, deep: f32, rim: f32, rgb: [f32; 3]) {
        let half = [(0.0, deep), (0.36, deep - 0.1), (0.7, rim + 0.12), (0.84, rim)];
        let wide = [(1.02, rim + 0.2), (0.9, rim + 0.5), (0.48, deep + 0.2), (0.0, deep + 0.32)];
        let half: Vec<(f32, f32)> = half.into_iter().chain(wide).collect();
        let outline = self.outline(&symmetric(&half));
        frame.fill(&outline, 0.0, |p| {
            let v = self.place.undo(p);
            let rib = 0.06 * (v.x * 26.0).sin();
            let round = 1.0 - 0.2 * ramp(0.3, 1.1, v.x.abs());
            paint(shade(rgb, (round + rib) * self.pose.light), 1.0)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn landmarks_lie_inside_the_bounds_however_the_head_leans() {
        let face = Picture::new(head_size().0, head_size().1);
        let looks = Looks {
            group: 0,
            skin: [180.0, 140.0, 120.0],
            width: 1.0,
            hair: Hair::Short,
            hair_colour: [40.0; 3],
            coat: Coat::Jumper,
            coat_colour: [60.0; 3],
            under_colour: [90.0; 3],
            trousers: [50.0; 3],
        };
        let person = Person::new(&face, looks);
        for roll in [-0.1, 0.0, 0.1] {
            let eyes = Point { x: 200.0, y: 150.0 };
            let pose = Pose { eyes, scale: 40.0, roll, stride: 0.0, walking: 0.0, light: 1.0 };
            let bounds = person.bounds(&pose);
            for p in person.landmarks(&pose) {
                assert!(p.x > bounds.x1 && p.x < bounds.x2, "{p:?} {bounds:?}");
                assert!(p.y > bounds.y1 && p.y < bounds.y2, "{p:?} {bounds:?}");
            }
            assert!((bounds.width() - 80.0).abs() < 2.0, "{bounds:?}");
        }
    }

    fn head_size() -> (u32, u32) {
        super::super::faces::SIZE
    }
}
