//! Painting: smooth outlines filled with colour, soft where wanted, laid over each other.

use crate::picture::{Picture, Point};

use super::align::Similarity;

/// Red, green, blue 0 to 255 and opacity 0 to 1; not premultiplied.
pub type Paint = [f32; 4];

/// Rows sampled within each row of pixels when an outline is filled.
const SUBROWS: usize = 4;

/// `rgb` made lighter (`light` above 1) or darker.
pub fn shade(rgb: [f32; 3], light: f32) -> [f32; 3] {
    rgb.map(|channel| (channel * light).clamp(0.0, 255.0))
}

pub fn mix(a: [f32; 3], b: [f32; 3], share_of_b: f32) -> [f32; 3] {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share_of_b)
}

pub fn paint(rgb: [f32; 3], opacity: f32) -> Paint {
    [rgb[0], rgb[1], rgb[2], opacity]
}

/// 0 below `from`, 1 above `to`, smooth between.
pub fn ramp(from: f32, to: f32, value: f32) -> f32 {
    let t = ((value - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Smooth noise, -1 to 1, with features about 1 unit wide; the same for the same seed.
pub fn noise(x: f32, y: f32, seed: u32) -> f32 {
    let (left, top) = (x.floor(), y.floor());
    let (fx, fy) = (ramp(0.0, 1.0, x - left), ramp(0.0, 1.0, y - top));
    let at = |dx: i32, dy: i32| {
        let mut h = (left as i32).wrapping_add(dx).cast_unsigned().wrapping_mul(0x9e37_79b1)
            ^ (top as i32).wrapping_add(dy).cast_unsigned().wrapping_mul(0x85eb_ca77)
            ^ seed.wrapping_mul(0xc2b2_ae3d);
        h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
        h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
        (h ^ (h >> 15)) as f32 / u32::MAX as f32 * 2.0 - 1.0
    };
    let top_row = at(0, 0) + (at(1, 0) - at(0, 0)) * fx;
    let low_row = at(0, 1) + (at(1, 1) - at(0, 1)) * fx;
    top_row + (low_row - top_row) * fy
}

/// A closed curve through `points` (Catmull-Rom), as a polygon.
pub fn smooth(points: &[Point]) -> Vec<Point> {
    const STEPS: usize = 10;
    let count = points.len();
    if count < 3 {
        return points.to_vec();
    }
    let curve = |i: usize, t: f32| {
        let [a, b, c, d] = std::array::from_fn(|k| points[(i + count - 1 + k) % count]);
        let blend = |a: f32, b: f32, c: f32, d: f32| {
            0.5 * (2.0 * b
                + (c - a) * t
                + (2.0 * a - 5.0 * b + 4.0 * c - d) * t * t
                + (3.0 * b - a - 3.0 * c + d) * t * t * t)
        };
        Point { x: blend(a.x, b.x, c.x, d.x), y: blend(a.y, b.y, c.y, d.y) }
    };
    (0..count).flat_map(|i| (0..STEPS).map(move |s| curve(i, s as f32 / STEPS as f32))).collect()
}

/// An outline given by its right half from top to bottom, x measured from the middle line.
pub fn symmetric(half: &[(f32, f32)]) -> Vec<Point> {
    let right = half.iter().map(|&(x, y)| Point { x, y });
    let left = half.iter().rev().filter(|p| p.0 != 0.0).map(|&(x, y)| Point { x: -x, y });
    right.chain(left).collect()
}

/// A band of `width` along an open line.
pub fn stroke(line: &[Point], width: f32) -> Vec<Point> {
    let side = |sign: f32| {
        line.iter().enumerate().map(move |(i, p)| {
            let before = line[i.saturating_sub(1)];
            let after = line[(i + 1).min(line.len() - 1)];
            let (dx, dy) = (after.x - before.x, after.y - before.y);
            let length = dx.hypot(dy).max(1e-6);
            let reach = sign * width / 2.0 / length;
            Point { x: p.x - dy * reach, y: p.y + dx * reach }
        })
    };
    let mut band: Vec<Point> = side(1.0).collect();
    band.extend(side(-1.0).collect::<Vec<_>>().into_iter().rev());
    band
}

/// How much of each pixel an outline covers, 0 to 1, over the part of a layer it touches.
pub struct Shape {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    cover: Vec<f32>,
}

impl Shape {
    /// Fills `outline` (even-odd) on a layer of `width` × `height`; `softness` blurs its edge by
    /// that many pixels.
    pub fn fill(outline: &[Point], softness: f32, width: usize, height: usize) -> Self {
        let reach = softness * 2.5 + 1.0;
        let span = |values: &mut dyn Iterator<Item = f32>, limit: usize| {
            let (low, high) = values
                .filter(|v| v.is_finite())
                .fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(v), high.max(v)));
            let low = (low - reach).floor().clamp(0.0, limit as f32) as usize;
            let high = (high + reach).ceil().clamp(0.0, limit as f32) as usize;
            (low, high.saturating_sub(low))
        };
        let (left, columns) = span(&mut outline.iter().map(|p| p.x), width);
        let (top, rows) = span(&mut outline.iter().map(|p| p.y), height);
        let mut shape =
            Self { left, top, width: columns, height: rows, cover: vec![0.0; columns * rows] };
        if columns > 0 {
            for (row, line) in shape.cover.chunks_exact_mut(columns).enumerate() {
                for sub in 0..SUBROWS {
                    let y = (top + row) as f32 + (sub as f32 + 0.5) / SUBROWS as f32;
                    cover_row(line, outline, y, left as f32);
                }
            }
            if softness > 0.0 {
                shape.blur(softness);
            }
        }
        shape
    }

    /// Three box blurs, close to a Gaussian of `sigma` pixels.
    fn blur(&mut self, sigma: f32) {
        let radius = ((sigma * sigma * 4.0 + 1.0).sqrt() / 2.0).round().max(1.0) as usize;
        for _ in 0..3 {
            for row in self.cover.chunks_exact_mut(self.width) {
                box_blur(row, radius);
            }
            let mut column = vec![0.0; self.height];
            for x in 0..self.width {
                for (y, value) in column.iter_mut().enumerate() {
                    *value = self.cover[y * self.width + x];
                }
                box_blur(&mut column, radius);
                for (y, value) in column.iter().enumerate() {
                    self.cover[y * self.width + x] = *value;
                }
            }
        }
    }
}

/// Adds one sampled row of the filled outline to the coverage of a row of pixels.
fn cover_row(line: &mut [f32], outline: &[Point], y: f32, left: f32) {
    let mut crossings: Vec<f32> = Vec::new();
    for (i, a) in outline.iter().enumerate() {
        let b = outline[(i + 1) % outline.len()];
        if (a.y <= y) != (b.y <= y) {
            crossings.push(a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x) - left);
        }
    }
    crossings.sort_by(f32::total_cmp);
    let end = line.len() as f32;
    for pair in crossings.chunks_exact(2) {
        let (from, to) = (pair[0].clamp(0.0, end), pair[1].clamp(0.0, end));
        let first = from.floor() as usize;
        for (x, cover) in line.iter_mut().enumerate().take(to.ceil() as usize).skip(first) {
            let share = to.min(x as f32 + 1.0) - from.max(x as f32);
            *cover += share.max(0.0) / SUBROWS as f32;
        }
    }
}

fn box_blur(line: &mut [f32], radius: usize) {
    let source = line.to_vec();
    let window = (2 * radius + 1) as f32;
    let mut sum: f32 = source.iter().take(radius).sum();
    for (i, value) in line.iter_mut().enumerate() {
        sum += source.get(i + radius).copied().unwrap_or(0.0);
        *value = (sum / window).clamp(0.0, 1.0);
        if i >= radius {
            sum -= source[i - radius];
        }
    }
}

/// A picture with opacity, premultiplied: what is painted on and laid over other layers.
#[derive(Clone)]
pub struct Layer {
    pub width: usize,
    pub height: usize,
    pixels: Vec<Paint>,
}

impl Layer {
    /// Nothing on it yet.
    pub fn clear(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![[0.0; 4]; width * height] }
    }

    /// The picture, opaque.
    pub fn of(picture: &Picture) -> Self {
        let opaque = |rgb: &[u8]| [f32::from(rgb[0]), f32::from(rgb[1]), f32::from(rgb[2]), 1.0];
        Self {
            width: picture.width() as usize,
            height: picture.height() as usize,
            pixels: picture.pixels().chunks_exact(3).map(opaque).collect(),
        }
    }

    /// All pixels, rows from the top, colours premultiplied.
    pub fn pixels(&self) -> &[Paint] {
        &self.pixels
    }

    /// What shows over black.
    pub fn picture(&self) -> Picture {
        let mut picture = Picture::new(self.width as u32, self.height as u32);
        for (to, from) in picture.pixels_mut().chunks_exact_mut(3).zip(&self.pixels) {
            for (byte, value) in to.iter_mut().zip(from) {
                *byte = (value + 0.5).clamp(0.0, 255.0) as u8;
            }
        }
        picture
    }

    /// Paints within `shape`; `colour` is asked at the middle of each pixel touched.
    pub fn paint(&mut self, shape: &Shape, colour: impl Fn(Point) -> Paint) {
        for y in 0..shape.height {
            for x in 0..shape.width {
                let cover = shape.cover[y * shape.width + x];
                let (x, y) = (shape.left + x, shape.top + y);
                if cover > 0.0 && x < self.width && y < self.height {
                    let [r, g, b, a] = colour(Point { x: x as f32 + 0.5, y: y as f32 + 0.5 });
                    let a = a * cover;
                    blend(&mut self.pixels[y * self.width + x], [r * a, g * a, b * a, a]);
                }
            }
        }
    }

    /// Fills an outline; see [`Shape::fill`] and [`Self::paint`].
    pub fn fill(&mut self, outline: &[Point], softness: f32, colour: impl Fn(Point) -> Paint) {
        let shape = Shape::fill(outline, softness, self.width, self.height);
        self.paint(&shape, colour);
    }

    /// Paints every pixel.
    pub fn wash(&mut self, colour: impl Fn(Point) -> Paint) {
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            let (x, y) = ((i % self.width) as f32, (i / self.width) as f32);
            let [r, g, b, a] = colour(Point { x: x + 0.5, y: y + 0.5 });
            blend(pixel, [r * a, g * a, b * a, a]);
        }
    }

    /// Colour (premultiplied) and opacity at a point, bilinear, clear outside.
    fn sample(&self, p: Point) -> Paint {
        let (x, y) = (p.x - 0.5, p.y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = (x - left, y - top);
        let mut sum = [0.0; 4];
        for (dx, dy, share) in [
            (0, 0, (1.0 - fx) * (1.0 - fy)),
            (1, 0, fx * (1.0 - fy)),
            (0, 1, (1.0 - fx) * fy),
            (1, 1, fx * fy),
        ] {
            let (px, py) = (left as i64 + dx, top as i64 + dy);
            if px >= 0 && py >= 0 && px < self.width as i64 && py < self.height as i64 {
                let pixel = self.pixels[py as usize * self.width + px as usize];
                for (total, value) in sum.iter_mut().zip(pixel) {
                    *total += value * share;
                }
            }
        }
        sum
    }

    /// Made wider about the column `middle`; what leaves the layer is lost.
    pub fn stretched(&self, middle: f32, factor: f32) -> Layer {
        let mut wide = Layer::clear(self.width, self.height);
        for (i, pixel) in wide.pixels.iter_mut().enumerate() {
            let (x, y) = ((i % self.width) as f32 + 0.5, (i / self.width) as f32 + 0.5);
            *pixel = self.sample(Point { x: middle + (x - middle) / factor, y });
        }
        wide
    }

    /// Half the size, each pixel the mean of four.
    fn half(&self) -> Layer {
        let mut small = Layer::clear(self.width / 2, self.height / 2);
        for y in 0..small.height {
            for x in 0..small.width {
                let at = 2 * y * self.width + 2 * x;
                let four = [at, at + 1, at + self.width, at + self.width + 1];
                small.pixels[y * small.width + x] = std::array::from_fn(|c| {
                    four.iter().map(|&i| self.pixels[i][c]).sum::<f32>() / 4.0
                });
            }
        }
        small
    }

    /// Lays this layer unscaled over `below`, its upper left corner at (`x`, `y`), mirrored if
    /// wanted.
    pub fn copy_to(&self, below: &mut Layer, x: f32, y: f32, mirrored: bool) {
        for (i, pixel) in self.pixels.iter().enumerate().filter(|(_, pixel)| pixel[3] > 0.0) {
            let column = i % self.width;
            let column = if mirrored { self.width - 1 - column } else { column };
            let (px, py) =
                (x.round() as i64 + column as i64, y.round() as i64 + (i / self.width) as i64);
            if px >= 0 && py >= 0 && px < below.width as i64 && py < below.height as i64 {
                blend(&mut below.pixels[py as usize * below.width + px as usize], *pixel);
            }
        }
    }

    /// Lays this layer, moved by `place`, over `below`; `light` brightens or darkens it.
    pub fn lay_over(&self, below: &mut Layer, place: &Similarity, light: f32) {
        let mut source = self.clone();
        let mut shrunk = 1.0;
        while place.scale() * shrunk < 0.7 && source.width > 4 && source.height > 4 {
            source = source.half();
            shrunk *= 2.0;
        }
        let (w, h) = (self.width as f32, self.height as f32);
        let corners =
            [(0.0, 0.0), (w, 0.0), (w, h), (0.0, h)].map(|(x, y)| place.apply(Point { x, y }));
        let touched = Shape::fill(&corners, 0.0, below.width, below.height);
        for row in touched.top..touched.top + touched.height {
            for column in touched.left..touched.left + touched.width {
                let at = place.undo(Point { x: column as f32 + 0.5, y: row as f32 + 0.5 });
                let at = Point { x: at.x / shrunk, y: at.y / shrunk };
                let [r, g, b, a] = source.sample(at);
                if a > 0.0 {
                    let pixel = &mut below.pixels[row * below.width + column];
                    blend(pixel, [r * light, g * light, b * light, a]);
                }
            }
        }
    }
}

/// `over` (premultiplied) over what is there.
fn blend(below: &mut Paint, over: Paint) {
    let rest = 1.0 - over[3];
    for (value, new) in below.iter_mut().zip(over) {
        *value = new + *value * rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(from: f32, to: f32) -> [Point; 4] {
        [(from, from), (to, from), (to, to), (from, to)].map(|(x, y)| Point { x, y })
    }

    #[test]
    fn a_pixel_half_covered_gets_half_the_colour() {
        let mut layer = Layer::of(&Picture::new(8, 8));
        layer.fill(&square(2.0, 4.5), 0.0, |_| [200.0, 100.0, 50.0, 1.0]);
        let picture = layer.picture();
        assert_eq!(picture.get(3, 3), Some([200, 100, 50]));
        assert_eq!(picture.get(4, 3), Some([100, 50, 25]));
        assert_eq!(picture.get(5, 3), Some([0, 0, 0]));
    }

    #[test]
    fn a_soft_edge_falls_off_without_a_step() {
        let mut layer = Layer::of(&Picture::new(64, 64));
        layer.fill(&square(20.0, 44.0), 3.0, |_| [255.0, 255.0, 255.0, 1.0]);
        let picture = layer.picture();
        let row: Vec<u8> = (8..32).filter_map(|x| picture.get(x, 32)).map(|rgb| rgb[0]).collect();
        assert!(row.windows(2).all(|w| w[1] >= w[0] && w[1] - w[0] < 60), "{row:?}");
        assert!(row[0] < 3 && row[23] > 250, "{row:?}");
    }

    #[test]
    fn a_layer_laid_over_at_a_quarter_keeps_its_colour() {
        let mut head = Layer::clear(64, 64);
        head.fill(&square(0.0, 64.0), 0.0, |_| [120.0, 60.0, 30.0, 1.0]);
        let mut frame = Layer::of(&Picture::new(40, 40));
        let place = Similarity::new(Point { x: 10.0, y: 10.0 }, 0.25, 0.0);
        head.lay_over(&mut frame, &place, 1.0);
        assert_eq!(frame.picture().get(18, 18), Some([120, 60, 30]));
        assert_eq!(frame.picture().get(30, 30), Some([0, 0, 0]));
    }
}
