//! Hands and cups before the mouth: they cover what a mask covers, and are none.
//! Owns what they look like before the frontal face, in units of the eyes' distance. Never: where they are
//! in a picture, or how they are lit.

use crate::picture::Point;
use crate::train::clip::canvas::{mix, noise, ramp};
use crate::train::random::Random;

use super::mesh::{Look, Surface};

/// The middle of the mouth.
pub const MOUTH: Point = Point { x: 0.0, y: 1.07 };
/// How far before the eyes everything is held: before the tip of the nose.
const NEAR: f32 = 0.62;
/// All that can be covered, half of it.
const OUTLINE: [(f32, f32); 4] = [(0.0, -0.5), (1.9, -0.5), (1.9, 2.9), (0.0, 2.9)];
/// Nitrile, latex, leather, and what is worn to wash up.
const GLOVES: [[f32; 3]; 5] = [
    [70.0, 110.0, 190.0],
    [226.0, 220.0, 206.0],
    [34.0, 34.0, 38.0],
    [110.0, 74.0, 50.0],
    [232.0, 200.0, 60.0],
];
const SLEEVES: [[f32; 3]; 7] = [
    [34.0, 34.0, 38.0],
    [42.0, 50.0, 78.0],
    [96.0, 98.0, 104.0],
    [232.0, 230.0, 226.0],
    [120.0, 88.0, 66.0],
    [152.0, 44.0, 48.0],
    [84.0, 116.0, 92.0],
];
/// Paper, cardboard and glazes.
const CUPS: [[f32; 3]; 9] = [
    [240.0, 238.0, 234.0],
    [240.0, 238.0, 234.0],
    [186.0, 148.0, 104.0],
    [30.0, 30.0, 34.0],
    [170.0, 36.0, 40.0],
    [46.0, 84.0, 150.0],
    [40.0, 104.0, 74.0],
    [226.0, 180.0, 70.0],
    [206.0, 226.0, 228.0],
];
/// Of index, middle, ring and little finger: how far from the middle of the hand each starts, and its
/// length.
const FINGERS: [(f32, f32); 4] = [(-0.42, 1.08), (-0.14, 1.22), (0.14, 1.14), (0.4, 0.88)];
/// The fingers start that far from the middle of the hand, whose half length and half width follow.
const KNUCKLES: f32 = 0.5;
const PALM: (f32, f32) = (0.72, 0.6);

/// Width of an edge, half of it.
const SOFT: f32 = 0.02;

/// A bar with round ends; the places are in the hand's own directions.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bar {
    from: Point,
    to: Point,
    /// Half its thickness where it starts and where it ends.
    thick: [f32; 2],
}

/// From the wrist on.
const ARM: Bar =
    Bar { from: Point { x: -0.4, y: 0.0 }, to: Point { x: -4.0, y: 0.0 }, thick: [0.44, 0.62] };

impl Bar {
    /// Distance from its edge, inside negative; how far along, 0 to 1; how far off its middle, 0 to 1.
    fn off(&self, p: Point) -> (f32, f32, f32) {
        let (dx, dy) = (self.to.x - self.from.x, self.to.y - self.from.y);
        let (px, py) = (p.x - self.from.x, p.y - self.from.y);
        let along = ((px * dx + py * dy) / (dx * dx + dy * dy).max(1e-6)).clamp(0.0, 1.0);
        let thick = self.thick[0] + (self.thick[1] - self.thick[0]) * along;
        let far = (px - along * dx).hypot(py - along * dy);
        (far - thick, along, (far / thick).min(1.0))
    }
}

/// A cup; the hand's fingers are before it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cup {
    /// Upper edge, and height.
    rim: f32,
    tall: f32,
    /// Half its width above and below.
    wide: [f32; 2],
    /// Sine of its tilt.
    tilt: f32,
    rgb: [f32; 3],
    /// A sleeve about it, and a lid.
    band: Option<[f32; 3]>,
    lid: Option<[f32; 3]>,
}

impl Cup {
    fn draw(random: &mut Random) -> Self {
        let wide = random.range(0.52, 0.74);
        let any = |random: &mut Random| CUPS[random.below(CUPS.len())];
        Self {
            // Just being lifted, or at the lips.
            rim: random.range(0.5, 1.1),
            tall: random.range(1.2, 1.9),
            wide: [wide, wide * random.range(0.68, 1.0)],
            tilt: random.range(-0.3, 0.3),
            rgb: any(random),
            band: random.chance(0.3).then(|| any(random)),
            lid: random.chance(0.3).then(|| any(random)),
        }
    }

    fn look(&self, at: Point) -> Look {
        let down = (at.y - self.rim) / self.tall;
        let x = at.x - self.tilt * (at.y - MOUTH.y);
        let wide = self.wide[0] + (self.wide[1] - self.wide[0]) * down.clamp(0.0, 1.0);
        let round = (x / wide).clamp(-1.0, 1.0);
        // Seen a little from above: rim and foot are bent.
        let bend = 0.1 * (1.0 - round * round).sqrt();
        let inside = ramp(0.015, -0.015, x.abs() - wide)
            * ramp(-0.015, 0.015, at.y - self.rim + bend)
            * ramp(0.015, -0.015, at.y - self.rim - self.tall - bend);
        let middle = ramp(0.3, 0.32, down) * ramp(0.74, 0.72, down);
        let top = ramp(0.13, 0.11, down);
        let rgb = mix(self.rgb, self.band.unwrap_or(self.rgb), middle);
        let rgb = mix(rgb, self.lid.unwrap_or(rgb), top);
        (rgb, 0.62 + 0.46 * (1.0 - round * round).sqrt(), inside)
    }
}

/// How much of each finger is stretched out: of a flat hand, a fist, a finger or two.
fn stretched(about_a_cup: bool, random: &mut Random) -> [f32; 4] {
    match random.below(10) {
        _ if about_a_cup => [random.range(0.6, 0.9); 4],
        0..=4 => std::array::from_fn(|_| random.range(0.85, 1.0)),
        5..=7 => std::array::from_fn(|_| random.range(0.26, 0.4)),
        _ => {
            let out = 1 + random.below(2);
            std::array::from_fn(|i| if i < out { 0.95 } else { 0.33 })
        }
    }
}

fn fingers(stretched: [f32; 4], spread: f32) -> Vec<Bar> {
    let finger = |(&(across, length), out): (&(f32, f32), f32)| {
        let (lean, reach) = (across * spread, length * out);
        Bar {
            from: Point { x: KNUCKLES, y: across },
            to: Point { x: KNUCKLES + reach * lean.cos(), y: across + reach * lean.sin() },
            thick: [0.165, 0.13],
        }
    };
    FINGERS.iter().zip(stretched).map(finger).collect()
}

/// A hand before the mouth, with a cup or without.
#[derive(Clone, Debug, PartialEq)]
pub struct Hand {
    /// Its middle, and cosine and sine of where the fingers point, times its size.
    middle: Point,
    along: [f32; 2],
    /// Which way round it is, 1 or -1.
    side: f32,
    /// And the thumb, but for one behind a cup.
    fingers: Vec<Bar>,
    cup: Option<Cup>,
    skin: [f32; 3],
    /// Whether it is the back of a bare hand that shows.
    nails: bool,
    sleeve: [f32; 3],
    /// Where the sleeve begins, behind the middle of the hand.
    cuff: f32,
    seed: u32,
}

impl Hand {
    /// A flat hand, a fist, a finger or two, or, three times in ten, a cup; `skin` is the face's own
    /// colour in white light.
    pub fn draw(skin: [f32; 3], random: &mut Random) -> Self {
        let cup = random.chance(0.3).then(|| Cup::draw(random));
        let stretched = stretched(cup.is_some(), random);
        let mut fingers = fingers(stretched, random.range(0.0, 0.22));
        let side = if random.chance(0.5) { 1.0 } else { -1.0 };
        // From straight across to straight up.
        let angle = match cup {
            Some(_) => random.range(-0.2, 0.3),
            None => random.range(-0.2, 1.5),
        };
        let size = random.range(0.85, 1.12);
        let along = [side * angle.cos() * size, -angle.sin() * size];
        // This far along the hand is before the mouth, or before the middle of the cup.
        let before = match cup {
            Some(_) => random.range(0.5, 0.9),
            None => random.range(0.1, 0.55) + 0.55 * (stretched[1] - 0.3),
        };
        let aim = match cup {
            Some(cup) => Point {
                x: 0.0,
                y: (cup.rim + cup.tall * random.range(0.4, 0.7)).max(MOUTH.y + 0.3),
            },
            None => Point { x: random.range(-0.25, 0.25), y: MOUTH.y + random.range(-0.3, 0.4) },
        };
        let gloved = random.chance(0.1);
        let tone = random.range(0.88, 1.2);
        let own = [skin[0] * tone * random.range(1.0, 1.06), skin[1] * tone, skin[2] * tone];
        let thumb = Bar {
            from: Point { x: -0.3, y: -0.45 },
            to: Point { x: random.range(0.3, 0.6), y: -random.range(0.72, 1.0) },
            thick: [0.22, 0.15],
        };
        fingers.extend(cup.is_none().then_some(thumb));
        Self {
            middle: Point { x: aim.x - before * along[0], y: aim.y - before * along[1] },
            along,
            side,
            fingers,
            cup,
            skin: if gloved { GLOVES[random.below(GLOVES.len())] } else { own },
            nails: !gloved && random.chance(0.8),
            sleeve: SLEEVES[random.below(SLEEVES.len())],
            cuff: random.range(0.9, 2.4),
            seed: random.below(1 << 20) as u32,
        }
    }

    /// Where a point of it is on the head.
    pub fn in_space(p: Point) -> [f32; 3] {
        [p.x, p.y, NEAR]
    }

    /// A place before the face in the hand's own directions: along the fingers, and across them.
    fn own(&self, at: Point) -> Point {
        let [c, s] = self.along;
        let squared = c * c + s * s;
        let (x, y) = (at.x - self.middle.x, at.y - self.middle.y);
        Point { x: (x * c + y * s) / squared, y: self.side * (y * c - x * s) / squared }
    }

    /// A finger or the thumb there; `None` beside it.
    fn finger(&self, bar: &Bar, p: Point) -> Option<Look> {
        let (off, along, across) = bar.off(p);
        if off >= SOFT {
            return None;
        }
        let left = (1.0 - along) * (bar.to.x - bar.from.x).hypot(bar.to.y - bar.from.y);
        let (nail, crease) = if self.nails {
            // Skin is creased over the joints.
            let joint = ramp(0.05, 0.0, (along - 0.55).abs());
            (ramp(0.14, 0.11, left) * ramp(0.68, 0.55, across), 0.08 * joint)
        } else {
            (0.0, 0.0)
        };
        let pale = self.skin.map(|value| (value * 1.16 + 10.0).min(245.0));
        let lit = (0.6 + 0.4 * (1.0 - across * across).sqrt()) * (1.0 - crease);
        Some((mix(self.skin, pale, nail), lit, ramp(SOFT, -SOFT, off)))
    }

    /// The back of the hand and the arm behind it; `None` beside them.
    fn arm(&self, p: Point) -> Option<Look> {
        let (u, v) = (p.x / PALM.0, p.y / PALM.1);
        let palm = ((u.powi(4) + v.powi(4)).powf(0.25) - 1.0) * PALM.1;
        let (off, _, across) = ARM.off(p);
        let sleeved = ramp(self.cuff, self.cuff + 0.04, -p.x);
        let off = (off - 0.12 * sleeved).min(palm);
        if off >= SOFT {
            return None;
        }
        let rgb = mix(self.skin, self.sleeve, sleeved);
        let round = if palm < 0.0 { (v.abs() - 0.3).max(0.0) } else { across };
        let fold = 0.06 * noise(p.x * 5.0, p.y * 5.0, self.seed);
        let lit = 0.64 + 0.36 * (1.0 - round.min(1.0).powi(2)).sqrt() + fold;
        Some((rgb, lit, ramp(SOFT, -SOFT, off)))
    }
}

impl Surface for Hand {
    fn half(&self) -> &[(f32, f32)] {
        &OUTLINE
    }

    fn look(&self, at: Point, form: f32) -> Look {
        let p = self.own(at);
        // A cup is between the hand's fingers and its palm.
        let parts = [self.arm(p), self.cup.map(|cup| cup.look(at))];
        let fingers = self.fingers.iter().map(|bar| self.finger(bar, p));
        let over = |below: Look, (rgb, lit, cover): Look| {
            let share = if below.2 > 0.0 { cover } else { 1.0 };
            (mix(below.0, rgb, share), below.1 + (lit - below.1) * share, below.2.max(cover))
        };
        let nothing = (self.skin, 0.0, 0.0);
        let (rgb, lit, cover) = parts.into_iter().chain(fingers).flatten().fold(nothing, over);
        if cover <= 0.0 {
            return nothing;
        }
        let fine = 0.03 * noise(at.x * 40.0, at.y * 40.0, self.seed + 1);
        (rgb, form * (lit + fine), cover)
    }
}
