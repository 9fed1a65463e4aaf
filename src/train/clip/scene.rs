//! The entrance: a wall with a sliding door of frosted glass, the street behind it, the floor.

use crate::picture::{Picture, Point};

use super::canvas::{Layer, Paint, mix, noise, paint, ramp, shade, smooth};

pub const WIDTH: usize = 640;
pub const HEIGHT: usize = 480;

/// Left, top, right and bottom of the doorway, in pixels.
pub const DOORWAY: (f32, f32, f32, f32) = (196.0, 96.0, 444.0, 430.0);
/// The row of the picture on which everything at the height of the camera lies.
pub const HORIZON: f32 = 166.0;
/// How far eyes are below the camera, in eye distances.
pub const EYES_BELOW: f32 = 0.4;
/// Somebody whose eyes are this many pixels apart stands in the doorway.
pub const DOOR_SCALE: f32 = 12.5;

/// The parts that do not change, painted once.
pub struct Scene {
    street: Layer,
    /// Clear in the doorway.
    wall: Layer,
    leaf: Layer,
}

impl Scene {
    pub fn new() -> Self {
        Self { street: street(), wall: wall(), leaf: leaf() }
    }

    /// The street, before anybody is in it.
    pub fn start(&self) -> Layer {
        self.street.clone()
    }

    /// The door, `open` from 0 to 1, and the wall, over whoever is still outside.
    pub fn close_in(&self, frame: &mut Layer, open: f32) {
        let (left, top, right, _) = DOORWAY;
        let half = (right - left) / 2.0;
        let travel = open * (half - 6.0);
        for (x, flip) in [(left - travel, false), (left + half + travel, true)] {
            self.leaf.copy_to(frame, x, top, flip);
        }
        self.wall.copy_to(frame, 0.0, 0.0, false);
    }
}

/// Columns of the picture between which one sees through the door.
pub fn opening(open: f32) -> (f32, f32) {
    let (left, _, right, _) = DOORWAY;
    let middle = (left + right) / 2.0;
    let gap = open * ((right - left) / 2.0 - 6.0);
    (middle - gap, middle + gap)
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

fn rect(left: f32, top: f32, right: f32, bottom: f32) -> [Point; 4] {
    [(left, top), (right, top), (right, bottom), (left, bottom)].map(|(x, y)| Point { x, y })
}

fn flat(rgb: [f32; 3]) -> impl Fn(Point) -> Paint {
    move |_| paint(rgb, 1.0)
}

/// Out of focus: sky, houses, a hedge, the pavement.
fn street() -> Layer {
    let mut street = Layer::clear(WIDTH, HEIGHT);
    street.wash(|p| {
        let sky = mix([222.0, 230.0, 238.0], [206.0, 214.0, 222.0], p.y / 200.0);
        let house = shade([182.0, 172.0, 162.0], 1.0 + 0.08 * noise(p.x / 40.0, p.y / 50.0, 51));
        let hedge = shade([128.0, 146.0, 118.0], 1.0 + 0.1 * noise(p.x / 18.0, p.y / 14.0, 52));
        let pavement = shade([180.0, 178.0, 174.0], 1.0 + 0.03 * noise(p.x / 60.0, p.y / 8.0, 53));
        let roof = 128.0 + 8.0 * noise(p.x / 70.0, 0.0, 54);
        let bush = 222.0 + 10.0 * noise(p.x / 34.0, 0.0, 55);
        let rgb = mix(sky, house, ramp(roof - 6.0, roof + 6.0, p.y));
        let rgb = mix(rgb, hedge, ramp(bush - 8.0, bush + 8.0, p.y));
        paint(mix(rgb, pavement, ramp(276.0, 286.0, p.y)), 1.0)
    });
    street
}

/// One half of the door: frosted glass in a metal frame, a handle at its right edge.
fn leaf() -> Layer {
    let (left, top, right, bottom) = DOORWAY;
    let (width, height) = ((right - left) / 2.0, bottom - top);
    let mut leaf = Layer::clear(width as usize, height as usize);
    leaf.wash(|p| {
        let sheen = 0.05 * ramp(40.0, 0.0, (p.x + p.y * 0.45 - 130.0).abs())
            + 0.03 * ramp(16.0, 0.0, (p.x + p.y * 0.45 - 190.0).abs());
        let light = 1.02 - 0.12 * p.y / height + sheen;
        paint(shade([194.0, 206.0, 210.0], light), 1.0)
    });
    let metal = [122.0, 126.0, 130.0];
    for bar in [
        rect(0.0, 0.0, 7.0, height),
        rect(width - 7.0, 0.0, width, height),
        rect(0.0, 0.0, width, 8.0),
        rect(0.0, height - 16.0, width, height),
    ] {
        leaf.fill(&bar, 0.0, |p| {
            paint(shade(metal, 1.0 + 0.04 * noise(p.x / 7.0, p.y / 40.0, 62)), 1.0)
        });
    }
    leaf.fill(&rect(width - 8.0, 0.0, width - 7.0, height), 0.0, flat([88.0, 92.0, 96.0]));
    leaf.fill(&rect(width - 19.0, 128.0, width - 14.0, 236.0), 1.0, |_| [0.0, 0.0, 0.0, 0.25]);
    leaf.fill(&rect(width - 21.0, 124.0, width - 16.5, 232.0), 0.0, flat([70.0, 73.0, 76.0]));
    leaf
}

fn wall() -> Layer {
    let (left, top, right, bottom) = DOORWAY;
    let (w, h) = (WIDTH as f32, HEIGHT as f32);
    let mut wall = Layer::clear(WIDTH, HEIGHT);
    let plaster = |p: Point| {
        let lamp = 1.06 - 0.2 * ((p.x - 300.0) / 360.0).powi(2) - 0.08 * (p.y / h);
        let grain = 0.008 * noise(p.x / 40.0, p.y / 60.0, 71);
        let rgb = if p.y < 316.0 { [204.0, 198.0, 186.0] } else { [134.0, 148.0, 152.0] };
        paint(shade(rgb, lamp + grain), 1.0)
    };
    for side in
        [rect(0.0, 0.0, left, bottom), rect(right, 0.0, w, bottom), rect(left, 0.0, right, top)]
    {
        wall.fill(&side, 0.0, plaster);
    }
    for (from, to) in [(0.0, left), (right, w)] {
        wall.fill(&rect(from, 313.0, to, 318.0), 0.0, flat([176.0, 172.0, 164.0]));
        wall.fill(&rect(from, 318.0, to, 320.0), 0.5, |_| [0.0, 0.0, 0.0, 0.18]);
        wall.fill(&rect(from, 417.0, to, bottom), 0.0, flat([96.0, 98.0, 100.0]));
    }
    floor(&mut wall);
    frame(&mut wall);
    notice(&mut wall);
    plant(&mut wall);
    sanitiser(&mut wall);
    wall
}

/// Tiles that run to the vanishing point, a mat, and the light of the door on them.
fn floor(wall: &mut Layer) {
    let (left, _, right, bottom) = DOORWAY;
    wall.fill(&rect(0.0, bottom, WIDTH as f32, HEIGHT as f32), 0.0, |p| {
        let scale = (p.y - HORIZON) / (super::person::HEIGHT + EYES_BELOW);
        let across = (p.x - WIDTH as f32 / 2.0) / scale;
        let deep = 900.0 / scale;
        let joint = |v: f32, size: f32| {
            let off = (v / size - (v / size).round()).abs() * size;
            ramp(0.14, 0.02, off)
        };
        let line = joint(across, 8.0).max(joint(deep, 9.0));
        let glow = 0.16 * ramp(190.0, 40.0, (p.x - 320.0).abs()) * ramp(480.0, 430.0, p.y);
        let grain = 0.03 * noise(p.x / 14.0, p.y / 6.0, 81);
        paint(shade([150.0, 143.0, 134.0], 0.94 + glow + grain - 0.13 * line), 1.0)
    });
    let mat =
        [(left + 14.0, 440.0), (right - 14.0, 440.0), (right + 8.0, 466.0), (left - 8.0, 466.0)]
            .map(|(x, y)| Point { x, y });
    wall.fill(&mat, 0.6, |p| {
        paint(shade([84.0, 82.0, 80.0], 1.0 + 0.06 * noise(p.x / 9.0, p.y / 5.0, 82)), 1.0)
    });
}

fn frame(wall: &mut Layer) {
    let (left, top, right, bottom) = DOORWAY;
    let metal = |p: Point| {
        paint(shade([104.0, 108.0, 112.0], 1.0 + 0.04 * noise(p.x / 8.0, p.y / 40.0, 91)), 1.0)
    };
    wall.fill(&rect(left - 14.0, top - 16.0, right + 14.0, top - 10.0), 4.0, |_| {
        [0.0, 0.0, 0.0, 0.2]
    });
    for bar in [
        rect(left - 10.0, top - 22.0, right + 10.0, top),
        rect(left - 10.0, top, left, bottom),
        rect(right, top, right + 10.0, bottom),
    ] {
        wall.fill(&bar, 0.0, metal);
    }
    wall.fill(&rect(left - 10.0, top - 2.0, right + 10.0, top), 0.0, flat([78.0, 81.0, 84.0]));
    wall.fill(&rect(306.0, top - 16.0, 334.0, top - 8.0), 0.8, flat([40.0, 42.0, 44.0]));
}

/// A board with two sheets of writing.
fn notice(wall: &mut Layer) {
    wall.fill(&rect(54.0, 158.0, 146.0, 250.0), 3.0, |_| [0.0, 0.0, 0.0, 0.25]);
    wall.fill(&rect(50.0, 152.0, 142.0, 244.0), 0.0, flat([142.0, 108.0, 74.0]));
    wall.fill(&rect(54.0, 156.0, 138.0, 240.0), 0.0, |p| {
        paint(shade([184.0, 152.0, 112.0], 1.0 + 0.05 * noise(p.x / 6.0, p.y / 6.0, 101)), 1.0)
    });
    for (x, y) in [(61.0, 164.0), (100.0, 172.0)] {
        wall.fill(&rect(x, y, x + 32.0, y + 46.0), 0.0, flat([234.0, 232.0, 226.0]));
        wall.fill(&rect(x, y, x + 32.0, y + 7.0), 0.0, flat([96.0, 128.0, 156.0]));
        for (line, end) in [26.0, 23.0, 15.0].into_iter().enumerate() {
            let at = y + 15.0 + 9.0 * line as f32;
            wall.fill(&rect(x + 4.0, at, x + end, at + 2.0), 0.0, flat([150.0, 152.0, 154.0]));
        }
    }
}

fn plant(wall: &mut Layer) {
    let (x, y) = (558.0, 440.0);
    for leaf in 0..9 {
        let turn = (leaf as f32 - 4.0) * 0.29;
        let length =
            118.0 - 3.5 * (leaf as f32 - 4.0).abs() + 14.0 * noise(leaf as f32 * 1.7, 0.0, 111);
        let at = |along: f32, beside: f32| {
            let bend = turn * (0.55 + 0.75 * along);
            Point {
                x: x + length * along * bend.sin() + beside * bend.cos(),
                y: y - 40.0 - length * along * bend.cos() + beside * bend.sin(),
            }
        };
        let blade = [
            at(0.0, -2.0),
            at(0.4, -6.5),
            at(0.75, -5.0),
            at(1.0, 0.0),
            at(0.75, 5.0),
            at(0.4, 6.5),
            at(0.0, 2.0),
        ];
        let tone = 0.86 + 0.14 * noise(leaf as f32 * 2.3, 4.0, 112);
        wall.fill(&smooth(&blade), 0.7, |p| {
            let rib = 0.06 * noise(p.x / 8.0, p.y / 16.0, 113);
            paint(shade([84.0, 116.0, 82.0], tone + rib), 1.0)
        });
    }
    let pot =
        [(x - 27.0, y - 46.0), (x + 27.0, y - 46.0), (x + 20.0, y + 8.0), (x - 20.0, y + 8.0)]
            .map(|(x, y)| Point { x, y });
    wall.fill(&rect(x - 26.0, y + 2.0, x + 30.0, y + 12.0), 4.0, |_| [0.0, 0.0, 0.0, 0.35]);
    wall.fill(&pot, 0.0, |p| {
        paint(shade([152.0, 104.0, 84.0], 1.08 - 0.3 * ((p.x - x + 6.0) / 26.0).powi(2)), 1.0)
    });
}

/// A stand with a bottle to clean the hands.
fn sanitiser(wall: &mut Layer) {
    wall.fill(&rect(150.0, 440.0, 184.0, 448.0), 2.5, |_| [0.0, 0.0, 0.0, 0.35]);
    wall.fill(&rect(152.0, 438.0, 180.0, 444.0), 0.0, flat([92.0, 95.0, 98.0]));
    wall.fill(&rect(164.0, 330.0, 168.0, 440.0), 0.0, flat([128.0, 131.0, 134.0]));
    wall.fill(&rect(154.0, 294.0, 178.0, 338.0), 0.6, |p| {
        paint(shade([226.0, 228.0, 228.0], 1.04 - 0.2 * ((p.x - 162.0) / 14.0).powi(2)), 1.0)
    });
    wall.fill(&rect(158.0, 306.0, 174.0, 324.0), 0.5, flat([122.0, 166.0, 186.0]));
}

/// What the sensor adds: grain, and the lens's darker corners.
pub fn expose(
    frame: &Layer,
    light: f32,
    grain: f32,
    random: &mut crate::train::random::Random,
) -> Picture {
    let mut picture = frame.picture();
    for (i, pixel) in picture.pixels_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) =
            ((i % WIDTH) as f32 / WIDTH as f32 - 0.5, (i / WIDTH) as f32 / HEIGHT as f32 - 0.5);
        let gain = light * (1.0 - 0.16 * (x * x + y * y));
        let common = random.normal() * grain;
        for byte in pixel {
            let own = (random.unit() - 0.5) * grain;
            *byte = (f32::from(*byte) * gain + common + own + 0.5).clamp(0.0, 255.0) as u8;
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_door_shows_the_street_and_a_closed_one_hides_it() {
        let scene = Scene::new();
        let at_door = |open: f32| {
            let mut frame = scene.start();
            scene.close_in(&mut frame, open);
            frame.picture().get(320, 250).unwrap()
        };
        let street = scene.start().picture().get(320, 250).unwrap();
        assert_eq!(at_door(1.0), street);
        assert_ne!(at_door(0.0), street);
    }
}
