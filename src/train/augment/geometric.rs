//! Where the face lies in the view: margin, shift, turn, zoom, shear, mirror, as one affine map.

use crate::picture::{Picture, Point};
use crate::train::random::Random;

/// Maps a position in the view to one in the source, both in pixels:
/// `x' = a*x + b*y + c`, `y' = d*x + e*y + f`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    pub a: f32,
    pub b: f32,
    pub c: f32,
    pub d: f32,
    pub e: f32,
    pub f: f32,
}

/// How far the random views go. All parts are of the face's box side, angles in radians.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Geometry {
    /// Smallest and largest margin around the box, each side.
    pub margin: [f32; 2],
    /// Largest shift in x and y.
    pub shift: f32,
    /// Largest turn either way.
    pub turn: f32,
    /// Largest stretch of one axis against the other.
    pub stretch: f32,
    /// Largest shear.
    pub shear: f32,
}

impl Default for Geometry {
    fn default() -> Self {
        Self { margin: [0.02, 0.35], shift: 0.08, turn: 0.35, stretch: 0.1, shear: 0.1 }
    }
}

impl Geometry {
    /// A random map from a view of `view` pixels a side to a square source of `source` pixels a
    /// side, in whose middle the box lies with `source_margin` around it.
    pub fn draw(&self, source: u32, source_margin: f32, view: u32, random: &mut Random) -> Affine {
        let margin = random.range(self.margin[0], self.margin[1]);
        // Most people stand upright: small turns are commoner than large ones.
        let turn = self.turn * random.range(-1.0, 1.0) * random.unit();
        let stretch = 1.0 + random.range(-self.stretch, self.stretch);
        let shear = random.range(-self.shear, self.shear);
        let mirror = if random.chance(0.5) { -1.0 } else { 1.0 };
        let box_side = source as f32 / (1.0 + 2.0 * source_margin);
        let scale = box_side * (1.0 + 2.0 * margin) / view as f32;
        let (sin, cos) = turn.sin_cos();
        let a = mirror * scale * stretch * cos;
        let b = scale * (shear * cos - sin / stretch);
        let d = mirror * scale * stretch * sin;
        let e = scale * (shear * sin + cos / stretch);
        let middle = view as f32 / 2.0;
        let x = source as f32 / 2.0 + box_side * random.range(-self.shift, self.shift);
        let y = source as f32 / 2.0 + box_side * random.range(-self.shift, self.shift);
        Affine { a, b, c: x - a * middle - b * middle, d, e, f: y - d * middle - e * middle }
    }
}

/// A turn about the middle of a square sample.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    sin: f32,
    cos: f32,
    middle: f32,
}

impl Turn {
    /// By `angle` radians, clockwise, about (`middle`, `middle`).
    pub fn new(angle: f32, middle: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        Self { sin, cos, middle }
    }

    /// Where a point comes to lie.
    pub fn apply(&self, p: Point) -> Point {
        let (x, y) = (p.x - self.middle, p.y - self.middle);
        Point {
            x: self.cos * x - self.sin * y + self.middle,
            y: self.sin * x + self.cos * y + self.middle,
        }
    }

    /// Width and height of the box around a turned ellipse of this width and height, which a face
    /// is more like than a rectangle.
    pub fn extent(&self, width: f32, height: f32) -> (f32, f32) {
        let along = |a: f32, b: f32| (a * self.cos).hypot(b * self.sin);
        (along(width, height), along(height, width))
    }

    /// From the turned sample into an upright one of `wide` pixels a side with the same middle.
    pub fn map(&self, wide: usize) -> Affine {
        let (sin, cos, middle) = (self.sin, self.cos, self.middle);
        let there = wide as f32 / 2.0;
        Affine {
            a: cos,
            b: sin,
            c: there - (cos + sin) * middle,
            d: -sin,
            e: cos,
            f: there - (cos - sin) * middle,
        }
    }
}

/// The view of `size` × `size` pixels that `map` finds in `source`; bilinear, the edge's pixels
/// repeated outside. Black for an empty source.
pub fn warp(source: &Picture, map: &Affine, size: u32) -> Picture {
    let mut view = Picture::new(size, size);
    let (width, height) = (source.width() as usize, source.height() as usize);
    if width == 0 || height == 0 || size == 0 {
        return view;
    }
    let pixels = source.pixels();
    let (last_x, last_y) = (width as f32 - 1.0, height as f32 - 1.0);
    for (row, line) in view.pixels_mut().chunks_exact_mut(size as usize * 3).enumerate() {
        let v = row as f32 + 0.5;
        for (column, target) in line.chunks_exact_mut(3).enumerate() {
            let u = column as f32 + 0.5;
            let x = (map.a * u + map.b * v + map.c - 0.5).clamp(0.0, last_x);
            let y = (map.d * u + map.e * v + map.f - 0.5).clamp(0.0, last_y);
            let (x0, y0) = (x as usize, y as usize);
            let (fx, fy) = (x - x0 as f32, y - y0 as f32);
            let right = if x0 + 1 < width { 3 } else { 0 };
            let below = if y0 + 1 < height { width * 3 } else { 0 };
            let at = (y0 * width + x0) * 3;
            for (channel, byte) in target.iter_mut().enumerate() {
                let p = at + channel;
                let top = f32::from(pixels[p]) * (1.0 - fx) + f32::from(pixels[p + right]) * fx;
                let low = f32::from(pixels[p + below]) * (1.0 - fx)
                    + f32::from(pixels[p + below + right]) * fx;
                *byte = (top * (1.0 - fy) + low * fy + 0.5) as u8;
            }
        }
    }
    view
}
