//! A mask or a beard as a surface in space, seen by the camera: what of it shows, where, and in
//! which light.

use crate::picture::{Picture, Point};
use crate::train::clip::canvas::{Layer, smooth, symmetric};

use super::cloth::Mask;
use super::head::cross;
use super::light::Light;

/// Columns and rows of the mesh.
const COLUMNS: usize = 36;
const ROWS: usize = 24;
/// Samples of the surface that are worth the time; more than this, and each pixel gets fewer.
const SAMPLES: f32 = 400_000.0;

/// A part of the picture, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

impl Region {
    /// Around `points` with `room` on each side, cut to the picture; `None` when nothing is left.
    pub fn around(points: &[Point], room: f32, picture: &Picture) -> Option<Self> {
        let span = |value: fn(&Point) -> f32, end: u32| {
            let low = points.iter().map(value).fold(f32::MAX, f32::min) - room;
            let high = points.iter().map(value).fold(f32::MIN, f32::max) + room;
            let low = low.floor().clamp(0.0, end as f32) as usize;
            let high = high.ceil().clamp(0.0, end as f32) as usize;
            (high > low).then_some((low, high - low))
        };
        let (left, width) = span(|p| p.x, picture.width())?;
        let (top, height) = span(|p| p.y, picture.height())?;
        Some(Self { left, top, width, height })
    }
}

/// Colour, the light that it catches, and how much of what lies below it hides, 0 to 1.
pub type Look = ([f32; 3], f32, f32);

/// What can be laid on a head.
pub trait Surface {
    /// The right half of the outline, from the upper to the lower end of the middle line.
    fn half(&self) -> &[(f32, f32)];

    /// How it looks at a place where its shape catches the light `form`.
    fn look(&self, at: Point, form: f32) -> Look;
}

impl Surface for Mask {
    fn half(&self) -> &[(f32, f32)] {
        self.half()
    }

    fn look(&self, at: Point, form: f32) -> Look {
        let (rgb, lit) = self.look(at, form);
        (rgb, lit, 1.0)
    }
}

/// A corner of the mesh.
#[derive(Clone, Copy, Debug)]
struct Vertex {
    /// On the surface laid out, in the units of the frontal face.
    on_face: Point,
    at: Point,
    /// Greater is nearer, in eye distances.
    near: f32,
    /// How light its slant makes it, about 1.
    form: f32,
}

/// A surface laid on a head.
pub struct Mesh<'a, S> {
    surface: &'a S,
    vertices: Vec<Vertex>,
}

impl<'a, S: Surface> Mesh<'a, S> {
    /// `place` tells for a point of the surface where it is in the picture and how near; `scale` is
    /// pixels for a distance of the eyes.
    pub fn new(
        surface: &'a S,
        scale: f32,
        light: &Light,
        place: impl Fn(Point) -> (Point, f32),
    ) -> Self {
        let edge = smooth(&symmetric(surface.half()));
        let reach = edge.iter().map(|p| p.x).fold(0.0, f32::max);
        let mut vertices = Vec::with_capacity((COLUMNS + 1) * (ROWS + 1));
        for row in 0..=ROWS {
            for column in 0..=COLUMNS {
                let u = column as f32 / COLUMNS as f32 * 2.0 - 1.0;
                let x = 0.999 * reach * (u * std::f32::consts::FRAC_PI_2).sin();
                let (top, bottom) = heights(&edge, x);
                let on_face = Point { x, y: top + (bottom - top) * row as f32 / ROWS as f32 };
                let (at, near) = place(on_face);
                vertices.push(Vertex { on_face, at, near, form: 1.0 });
            }
        }
        let forms: Vec<f32> = (0..vertices.len())
            .map(|i| {
                let (row, column) = (i / (COLUMNS + 1), i % (COLUMNS + 1));
                // The rim is slanted as what lies beside it: its own quads are slivers.
                let (row, column) = (row.clamp(1, ROWS - 1), column.clamp(2, COLUMNS - 2));
                let space = |row: usize, column: usize| {
                    let v = vertices[row * (COLUMNS + 1) + column];
                    [v.at.x / scale, v.at.y / scale, v.near]
                };
                let between = |a: [f32; 3], b: [f32; 3]| std::array::from_fn(|k| b[k] - a[k]);
                let across = between(space(row, column - 1), space(row, column + 1));
                let down = between(space(row - 1, column), space(row + 1, column));
                form(cross(across, down), light.direction())
            })
            .collect();
        vertices.iter_mut().zip(forms).for_each(|(v, form)| v.form = form);
        Self { surface, vertices }
    }

    /// Where the corners are, in pixels.
    pub fn points(&self) -> Vec<Point> {
        self.vertices.iter().map(|v| v.at).collect()
    }

    /// Paints what can be seen onto a layer that covers `region`. The surface hides its own far
    /// side; with `both`, its back shows too.
    pub fn paint(&self, layer: &mut Layer, region: &Region, light: &Light, both: bool) {
        let area = (region.width * region.height) as f32;
        let fine = (SAMPLES / area).sqrt().floor().clamp(2.0, 3.0) as usize;
        let (width, height) = (region.width * fine, region.height * fine);
        let mut seen: Vec<Option<(f32, Point, f32)>> = vec![None; width * height];
        let corner = |i: usize| {
            let mut v = self.vertices[i];
            v.at.x = (v.at.x - region.left as f32) * fine as f32;
            v.at.y = (v.at.y - region.top as f32) * fine as f32;
            v
        };
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                let at = row * (COLUMNS + 1) + column;
                let [a, b, c, d] = [at, at + 1, at + COLUMNS + 1, at + COLUMNS + 2].map(corner);
                triangle(&mut seen, width, height, [a, b, c], both);
                triangle(&mut seen, width, height, [b, d, c], both);
            }
        }
        let mut sums = vec![[0.0_f32; 4]; region.width * region.height];
        for (i, (_, on_face, form)) in seen.iter().enumerate().filter_map(|(i, s)| Some((i, (*s)?)))
        {
            let (rgb, lit, cover) = self.surface.look(on_face, form);
            let [r, g, b] = light.show(rgb, on_face, lit.max(0.0)).map(|value| value * cover);
            let sum = &mut sums[i / width / fine * region.width + i % width / fine];
            sum.iter_mut().zip([r, g, b, cover]).for_each(|(s, v)| *s += v);
        }
        let every = (fine * fine) as f32;
        layer.wash(|p| {
            let [r, g, b, cover] = sums[p.y as usize * region.width + p.x as usize];
            let share = cover.max(1e-6);
            [r / share, g / share, b / share, cover / every]
        });
    }
}

/// Upper and lower crossing of a closed curve with the vertical at `x`.
fn heights(curve: &[Point], x: f32) -> (f32, f32) {
    let next = curve.iter().cycle().skip(1);
    let crossings = curve.iter().zip(next).filter(|(a, b)| (a.x <= x) != (b.x <= x));
    let (top, bottom) = crossings
        .map(|(a, b)| a.y + (x - a.x) / (b.x - a.x) * (b.y - a.y))
        .fold((f32::MAX, f32::MIN), |(top, bottom), y| (top.min(y), bottom.max(y)));
    if top <= bottom { (top, bottom) } else { (0.0, 0.0) }
}

/// How light a surface with this normal looks: mostly light from all sides, some from one.
fn form(normal: [f32; 3], light: [f32; 3]) -> f32 {
    let length = normal.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-6);
    // Of a surface that is seen from behind, the back is lit.
    let length = if normal[2] < 0.0 { -length } else { length };
    let facing: f32 = normal.iter().zip(light).map(|(n, l)| n / length * l).sum();
    0.56 + 0.5 * facing.max(0.0)
}

/// Writes the samples inside a triangle that are nearer than what is there.
fn triangle(
    seen: &mut [Option<(f32, Point, f32)>],
    width: usize,
    height: usize,
    corners: [Vertex; 3],
    both: bool,
) {
    let [a, b, c] = corners.map(|v| v.at);
    let area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
    if !area.is_finite() || area.abs() < 1e-6 || (area < 0.0 && !both) {
        return;
    }
    let span = |values: [f32; 3], end: usize| {
        let low = values.iter().copied().fold(f32::MAX, f32::min).max(0.0) as usize;
        let high = values.iter().copied().fold(f32::MIN, f32::max).ceil();
        low..(high.clamp(0.0, end as f32) as usize)
    };
    for y in span([a.y, b.y, c.y], height) {
        for x in span([a.x, b.x, c.x], width) {
            let p = Point { x: x as f32 + 0.5, y: y as f32 + 0.5 };
            let part =
                |q: Point, r: Point| ((q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x)) / area;
            let parts = [part(b, c), part(c, a), part(a, b)];
            // A hair's breadth more, so that no sample falls between two triangles.
            if parts.iter().any(|part| *part < -1e-4) {
                continue;
            }
            let mix = |value: fn(&Vertex) -> f32| -> f32 {
                corners.iter().zip(parts).map(|(v, part)| value(v) * part).sum()
            };
            let near = mix(|v| v.near);
            let place = &mut seen[y * width + x];
            if place.is_none_or(|(there, ..)| near > there) {
                let on_face = Point { x: mix(|v| v.on_face.x), y: mix(|v| v.on_face.y) };
                *place = Some((near, on_face, mix(|v| v.form)));
            }
        }
    }
}
