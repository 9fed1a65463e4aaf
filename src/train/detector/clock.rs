//! Drawn clocks. They hang in entrances, have two dark things side by side at ten to two, and no
//! picture of a room that we have shows one near; a box on one would be an alarm that never ends.

use std::f32::consts::TAU;

use super::numerals;
use crate::picture::{Picture, Point};
use crate::train::clip::canvas::{Layer, mix, paint, shade, stroke};
use crate::train::random::Random;

/// Points of a round outline.
const ROUND: usize = 40;

/// Where the clock hangs: from parts of its radius, y downward, to pixels.
struct Place {
    center: Point,
    across: (f32, f32),
    down: (f32, f32),
}

impl Place {
    fn at(&self, x: f32, y: f32) -> Point {
        Point {
            x: self.center.x + x * self.across.0 + y * self.down.0,
            y: self.center.y + x * self.across.1 + y * self.down.1,
        }
    }

    /// A superellipse of `radius`: round with the exponent 2, nearly square with 8.
    fn outline(&self, radius: f32, exponent: f32) -> Vec<Point> {
        let bend = |v: f32| v.signum() * v.abs().powf(2.0 / exponent) * radius;
        (0..ROUND)
            .map(|step| (step as f32 / ROUND as f32 * TAU).sin_cos())
            .map(|(sin, cos)| self.at(bend(cos), bend(sin)))
            .collect()
    }

    /// A stroke away from the middle, at `turn` of a full circle from the top.
    fn ray(&self, turn: f32, from: f32, to: f32, width: f32, pixels: f32) -> Vec<Point> {
        let (sin, cos) = (turn * TAU).sin_cos();
        stroke(&[self.at(sin * from, -cos * from), self.at(sin * to, -cos * to)], width * pixels)
    }

    /// The strokes of an hour's numeral of `height`, `reach` from the middle: digits upright, Roman
    /// ones with their feet towards the middle.
    fn numeral(&self, hour: usize, roman: bool, reach: f32, height: f32) -> Vec<Vec<Point>> {
        let (sin, cos) = (hour as f32 / 12.0 * TAU).sin_cos();
        let (right, down) =
            if roman { ((cos, sin), (-sin, cos)) } else { ((1.0, 0.0), (0.0, 1.0)) };
        let place = |p: &Point| {
            let (x, y) = (p.x * height, p.y * height);
            self.at(sin * reach + x * right.0 + y * down.0, -cos * reach + x * right.1 + y * down.1)
        };
        numerals::strokes(hour, roman).iter().map(|line| line.iter().map(place).collect()).collect()
    }
}

/// Hangs a clock of `radius` pixels at `center`, seen a little from the side.
pub fn hang(picture: &mut Picture, center: Point, radius: f32, random: &mut Random) {
    let (sin, cos) = random.range(-0.12, 0.12).sin_cos();
    let narrow = random.range(0.7, 1.0) * radius;
    let place =
        Place { center, across: (cos * narrow, sin * narrow), down: (-sin * radius, cos * radius) };
    let square = if random.chance(0.15) { random.range(4.0, 9.0) } else { 2.0 };
    let grey = |random: &mut Random, low: f32, high: f32| [random.range(low, high); 3];
    let any = |random: &mut Random| [(); 3].map(|()| random.range(20.0, 235.0));
    // Most dials are white or cream with dark hands; some are the other way round, or of wood.
    let light = random.chance(0.75);
    let dial = match (light, random.chance(0.4)) {
        (true, false) => grey(random, 190.0, 255.0),
        (true, true) => {
            [random.range(200.0, 245.0), random.range(165.0, 225.0), random.range(120.0, 190.0)]
        }
        (false, false) => grey(random, 5.0, 70.0),
        (false, true) => any(random),
    };
    let ink = if light { grey(random, 0.0, 70.0) } else { grey(random, 180.0, 255.0) };
    let rim = if random.chance(0.5) { any(random) } else { grey(random, 10.0, 220.0) };
    let edge = random.range(0.02, 0.2);
    // Light falls from one side.
    let (angle, fall) = (random.range(0.0, TAU), random.range(0.0, 0.35));
    let lit = |rgb: [f32; 3]| {
        move |p: Point| {
            let (x, y) = ((p.x - center.x) / radius, (p.y - center.y) / radius);
            paint(shade(rgb, 1.0 + fall * (x * angle.cos() + y * angle.sin())), 1.0)
        }
    };

    let mut layer = Layer::of(picture);
    let softness = random.range(0.0, 0.6);
    layer.fill(&place.outline(1.0, square), softness, lit(rim));
    layer.fill(&place.outline(1.0 - edge, square), softness, lit(dial));
    if random.chance(0.3) {
        // A ring, or the window of a date.
        let ring = random.range(0.3, 0.75);
        layer.fill(&place.outline(ring, square), softness, lit(mix(dial, ink, 0.3)));
        layer.fill(&place.outline(ring - 0.05, square), softness, lit(dial));
    }
    let reach = 0.95 - edge;
    let marks = [0, 4, 12, 12, 12, 60][random.below(6)];
    let (length, width) = (random.range(0.05, 0.2), random.range(0.02, 0.09));
    for mark in 0..marks {
        let turn = mark as f32 / marks as f32;
        let width = if marks == 60 && mark % 5 != 0 { 0.015 } else { width };
        layer.fill(&place.ray(turn, reach - length, reach, width, radius), softness, lit(ink));
    }
    if random.chance(0.55) {
        let (roman, height) = (random.chance(0.4), random.range(0.13, 0.28));
        let inwards = if marks > 0 { length } else { 0.0 };
        let reach = reach - inwards - 0.6 * height;
        let every = if random.chance(0.8) { 1 } else { 3 };
        let bold = random.range(0.015, 0.05) * radius;
        for hour in (0..12).step_by(every) {
            for line in place.numeral(hour, roman, reach, height) {
                layer.fill(&stroke(&line, bold), softness, lit(ink));
            }
        }
    }
    let minute = random.unit();
    let hour = (random.below(12) as f32 + minute) / 12.0;
    let thick = random.range(0.03, 0.1);
    for (turn, length, width) in [(hour, 0.55, thick), (minute, 0.85, thick * 0.8)] {
        layer.fill(&place.ray(turn, -0.1, length * reach, width, radius), softness, lit(ink));
    }
    if random.chance(0.5) {
        let red = if random.chance(0.5) { [200.0, 30.0, 30.0] } else { ink };
        let second = place.ray(random.unit(), -0.2, 0.9 * reach, 0.02, radius);
        layer.fill(&second, softness, lit(red));
    }
    layer.fill(&place.outline(thick, 2.0), softness, lit(ink));
    *picture = layer.picture();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::vision::Detector;

    /// Most of 96 clocks that may get a box of at least this score, the default thresholds of runs 14
    /// and 13 and what starts a person; the detector of run 7 took 12.
    const MOST: [(f32, usize); 3] = [(0.35, 7), (0.42, 5), (0.5, 2)];

    #[test]
    fn the_shipped_detector_takes_hardly_a_clock_for_a_face() {
        let mut detector = Detector::load(&config::Detector::default()).expect("it is built in");
        let mut random = Random::new(77);
        let mut scores = Vec::new();
        for wall in 0..8 {
            let mut picture = Picture::new(640, 480);
            picture.pixels_mut().fill(60 + 20 * wall);
            for at in 0..12_u8 {
                let (x, y) = (f32::from(at % 4), f32::from(at / 4));
                let center = Point { x: 80.0 + 160.0 * x, y: 80.0 + 160.0 * y };
                hang(&mut picture, center, random.range(12.0, 75.0), &mut random);
            }
            let found = detector.detect(&picture).expect("it runs");
            scores.extend(found.iter().map(|face| face.score));
        }
        for (least, most) in MOST {
            let taken = scores.iter().filter(|score| **score >= least).count();
            println!("{taken} of 96 drawn clocks get a box of {least} or more");
            assert!(taken <= most, "{taken} of {least} or more");
        }
        // No lower score may hide behind the least of these.
        assert!(config::Detector::default().threshold >= MOST[0].0);
        assert!(config::Tracking::default().new_score >= MOST[2].0);
    }

    #[test]
    fn a_clock_hangs_where_it_should_and_every_one_is_another() {
        let wall = || {
            let mut wall = Picture::new(96, 96);
            wall.pixels_mut().fill(120);
            wall
        };
        let clock = |seed| {
            let mut picture = wall();
            hang(&mut picture, Point { x: 40.0, y: 50.0 }, 20.0, &mut Random::new(seed));
            picture
        };
        for seed in 0..20 {
            let picture = clock(seed);
            let mut changed = 0;
            for (at, pixel) in picture.pixels().chunks_exact(3).enumerate() {
                let (x, y) = ((at % 96) as f32 - 40.0, (at / 96) as f32 - 50.0);
                let away = x.hypot(y) > 20.0 * 1.42 + 3.0;
                assert!(!away || pixel == [120; 3], "seed {seed} at {x}, {y}");
                changed += usize::from(pixel != [120; 3]);
            }
            assert!(changed > 700, "seed {seed}: {changed} pixels");
            assert_ne!(picture, clock(seed + 1));
        }
    }

    #[test]
    fn one_beyond_the_edge_is_cut() {
        let mut picture = Picture::new(32, 32);
        hang(&mut picture, Point { x: 31.0, y: -4.0 }, 12.0, &mut Random::new(2));
        assert!(picture.pixels().iter().any(|value| *value > 0));
    }
}
