//! Mask synthesis: a drawn mask on a bare face, or a beard, glasses, a scarf or a hand, which are none.
//!
//! Five landmarks tell how a generic head stands; the mask, laid out on the frontal face, is put
//! on it as a surface in space, so that it turns, leans and foreshortens with the head and its far
//! side disappears. Light, softness and noise are read from the face. Everything random follows
//! from the stream given. Never: a mask on a face whose landmarks do not fit its box.

mod beard;
pub mod cloth;
mod command;
mod cutout;
mod extra;
mod find;
mod focus;
mod glasses;
mod hand;
mod head;
mod light;
mod mesh;
mod scarf;
mod steps;
mod straps;
mod style;
mod swatch;
#[cfg(test)]
mod tests;

pub use cloth::Wear;
pub use command::{Args, run};
pub use cutout::{Cutout, Held, cutouts, hands, leave_judged};
pub use extra::{Extra, add};
pub use style::{Kind, Style, Wardrobe};
pub use swatch::Swatch;

use crate::picture::{Label, Picture, Point, Rect};
use crate::train::clip::canvas::Layer;
use crate::train::clip::compose::gaussian;
use crate::train::random::Random;

use cloth::{Cloth, Mask};
use focus::Focus;
use head::{EAR, Head};
use light::Light;
use mesh::{Mesh, Region, Surface};

/// Narrower faces, in pixels, are better left bare: the mask would be a smear.
pub const NARROWEST: f32 = 18.0;
/// How far a cup stands off before the cloth of other masks, in eye distances.
const CUP: f32 = 0.13;
/// What hangs down from the chin hangs as far forward as the chin is at this height.
const CHIN: f32 = 1.62;
/// How much of the light is lost where a mask or a scarf touches the face.
const SHADOW: f32 = 0.34;
/// Least area of a mask that must lie within the picture, in squared eye distances: half of what
/// the smallest shows.
const SHOWN: f32 = 0.25;
/// Blur that sampling itself gives to an edge, pixels.
const SAMPLED: f32 = 0.3;

/// A share of 0 to 1 from the command line.
pub fn share(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("not a share of 0 to 1".into()),
    }
}

/// The picture with a mask of `style` on the face in `bounds`, and what that is called. `None`
/// where the landmarks (as in `picture::Face`) are no face, do not lie in the box, are too near
/// to each other or turned too far away, and where the mask would lie outside the picture.
pub fn draw(
    picture: &Picture,
    bounds: &Rect,
    landmarks: &[Point; 5],
    style: &Style,
    random: &mut Random,
) -> Option<(Picture, Label)> {
    let mut drawn = picture.clone();
    let label = draw_on(&mut drawn, bounds, landmarks, style, random)?;
    Some((drawn, label))
}

/// As [`draw`], in place; nothing outside the neighbourhood of the face is touched.
pub fn draw_on(
    picture: &mut Picture,
    bounds: &Rect,
    landmarks: &[Point; 5],
    style: &Style,
    random: &mut Random,
) -> Option<Label> {
    let painted = Painted::new(picture, bounds, landmarks, style, random)?;
    painted.merge(picture, random);
    Some(style.wear.label())
}

/// A mask, a beard or another extra in sharp focus, on its own, with what is needed to lay it on the
/// picture.
struct Painted {
    layer: Layer,
    region: Region,
    head: Head,
    focus: Focus,
    /// How much of the light is lost below it.
    shadow: f32,
}

impl Painted {
    fn laid(
        picture: &Picture,
        (head, light, focus): (Head, Light, Focus),
        surface: &impl Surface,
        in_space: impl Fn(Point) -> [f32; 3],
        shadow: f32,
    ) -> Option<Self> {
        let mesh = Mesh::new(surface, head.scale, &light, |p| head.place(in_space(p)));
        let region = Region::around(&mesh.points(), 3.0 * focus.blur + 2.0, picture)?;
        let mut layer = Layer::clear(region.width, region.height);
        mesh.paint(&mut layer, &region, &light, false);
        Some(Self { layer, region, head, focus, shadow })
    }

    fn new(
        picture: &Picture,
        bounds: &Rect,
        landmarks: &[Point; 5],
        style: &Style,
        random: &mut Random,
    ) -> Option<Self> {
        let (head, light, focus) = read(picture, bounds, landmarks)?;
        let mask =
            Mask::new(style.cloth, style.wear).raised(style.raised).made_of(style.swatch.clone());
        let (mesh, straps) = if style.wear == Wear::Ear {
            hung(&mask, &head, &light, style, random)
        } else {
            let place = |p: Point| in_space(&mask, style, p);
            let mesh = Mesh::new(&mask, head.scale, &light, |p| head.place(place(p)));
            (mesh, straps::worn(&mask, &head, place))
        };
        let mut points = mesh.points();
        points.extend(straps.iter().flat_map(|strap| strap.line.iter().copied()));
        let room = 0.2 * head.scale + 3.0 * focus.blur + 2.0;
        let region = Region::around(&points, room, picture)?;
        let mut layer = Layer::clear(region.width, region.height);
        straps::draw(&straps, style, &mut layer, &region, &light, picture);
        mesh.paint(&mut layer, &region, &light, style.wear == Wear::Ear);
        let shown: f32 = layer.pixels().iter().map(|p| p[3]).sum();
        (shown >= SHOWN * head.scale * head.scale).then_some(Self {
            layer,
            region,
            head,
            focus,
            shadow: SHADOW,
        })
    }

    /// Lays the mask over the picture: its shadow, then itself, as soft and as noisy as the
    /// picture is.
    fn merge(&self, picture: &mut Picture, random: &mut Random) {
        let Self { layer, region, head, focus, .. } = self;
        let (width, height) = (region.width, region.height);
        let plane = |c: usize| -> Vec<f32> { layer.pixels().iter().map(|p| p[c]).collect() };
        let blur = (focus.blur * focus.blur - SAMPLED * SAMPLED).max(0.0).sqrt();
        let soft = |values: Vec<f32>| {
            if blur > 0.1 { gaussian(&values, width, height, blur) } else { values }
        };
        let shadow = gaussian(&plane(3), width, height, (0.06 * head.scale).max(0.5));
        let fallen = (0.04 * head.scale).round() as usize;
        let planes = [0, 1, 2, 3].map(|c| soft(plane(c)));
        for y in 0..height {
            for x in 0..width {
                let at = y * width + x;
                let (px, py) = ((region.left + x) as i64, (region.top + y) as i64);
                let alpha = planes[3][at].min(1.0);
                let shade = y.checked_sub(fallen).map_or(0.0, |y| shadow[y * width + x]);
                if alpha < 0.002 && shade < 0.01 {
                    continue;
                }
                let Some(rgb) = picture.get(px, py) else { continue };
                let grain = alpha * focus.noise * random.normal();
                let shown = std::array::from_fn(|c| {
                    let below = f32::from(rgb[c]) * (1.0 - self.shadow * shade.min(1.0));
                    (below * (1.0 - alpha) + planes[c][at] + grain + 0.5).clamp(0.0, 255.0) as u8
                });
                picture.put(px, py, shown);
            }
        }
    }
}

/// What a picture tells of the face in it before anything is drawn on it.
fn read(picture: &Picture, bounds: &Rect, landmarks: &[Point; 5]) -> Option<(Head, Light, Focus)> {
    let head = Head::fit(landmarks).filter(|head| belongs(head, landmarks, bounds))?;
    let (light, focus) = (Light::on(picture, &head), Focus::of(picture, &head));
    Some((head, light, focus))
}

/// Whether landmarks and box tell of the same face.
fn belongs(head: &Head, landmarks: &[Point; 5], bounds: &Rect) -> bool {
    let nose = landmarks[2];
    let within =
        nose.x >= bounds.x1 && nose.x <= bounds.x2 && nose.y >= bounds.y1 && nose.y <= bounds.y2;
    let part = head.scale / bounds.area().sqrt();
    within && (0.15..1.2).contains(&part)
}

/// Where a point of the mask is on the head.
fn in_space(mask: &Mask, style: &Style, p: Point) -> [f32; 3] {
    let (top, bottom) = mask.edges(0.0);
    let middle = (top + bottom) / 2.0;
    let (sin, cos) = style.tilt.sin_cos();
    // Lower down the face is narrower, and cloth lies closer to it.
    let narrow = if style.wear.low() { 0.94 } else { 1.0 };
    let (x, y) = (p.x * style.size * narrow, (p.y - middle) * style.size);
    let x_on = x * cos - y * sin + style.shift[0];
    let y_on = x * sin + y * cos + middle + style.shift[1];
    let stiff = if matches!(style.cloth, Cloth::Cup(..)) { CUP } else { 0.0 };
    match style.wear {
        Wear::Right | Wear::Ear => head::tent(x_on, y_on, stiff),
        Wear::UnderChin => {
            // Bunched before the neck.
            let [x, _, z] = head::skin(x_on, y_on.min(CHIN));
            [x, y_on, z + 0.1 + 0.5 * stiff]
        }
        Wear::UnderNose | Wear::Chin | Wear::Eyes => {
            let [x, y, z] = head::skin(x_on, y_on);
            [x, y, z + 0.05 + 0.5 * stiff]
        }
    }
}

/// A mask that hangs beside the face from an ear: lengthwise down, more or less edge on.
fn hung<'a>(
    mask: &'a Mask,
    head: &Head,
    light: &Light,
    style: &Style,
    random: &mut Random,
) -> (Mesh<'a, Mask>, Vec<straps::Strap>) {
    // The ear that is seen and, of two, the lower one, so that the mask hangs clear of the face.
    let rank = |side: f32| {
        let [_, down, out] = head.turned([side, 0.0, 0.0]);
        2.0 * down + out + 4.0 * head.side_seen(side)
    };
    let side = if (rank(1.0) - rank(-1.0)).abs() < 0.1 {
        if random.chance(0.5) { 1.0 } else { -1.0 }
    } else {
        (rank(1.0) - rank(-1.0)).signum()
    };
    let (anchor, near) = head.place([side * EAR[0], EAR[1], EAR[2]]);
    let (top, bottom) = mask.edges(0.0);
    let (middle, reach) = ((top + bottom) / 2.0, mask.reach());
    let broad = random.range(0.3, 0.65);
    // Straight down whatever the head does, but for a swing.
    let swing = -side * random.range(0.0, 0.15);
    let (sin, cos) = swing.sin_cos();
    let below = random.range(0.45, 0.75);
    let place = |p: Point| {
        let down = below + (p.x + reach) * style.size;
        let across = (p.y - middle) * broad * style.size + 0.2 * side;
        // Its middle bulges towards the camera.
        let bulge = 0.2 * (1.0 - (p.x / reach).powi(2));
        let at = Point {
            x: anchor.x + head.scale * (across * cos - down * sin),
            y: anchor.y + head.scale * (across * sin + down * cos),
        };
        (at, near + bulge - 0.3 * (across / 0.8).powi(2))
    };
    let (upper, lower) = straps::corners(mask);
    let ends = [upper, lower].map(|(x, y)| place(Point { x: -0.97 * x, y }).0);
    let mesh = Mesh::new(mask, head.scale, light, place);
    let straps = straps::hanging(mask, head, anchor, ends);
    (mesh, straps)
}
