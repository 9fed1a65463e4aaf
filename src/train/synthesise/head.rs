//! How the head stands behind five landmarks, and where its surface is seen.
//! Owns the generic head; never what is drawn on it. Lengths are in distances of the eyes, x to
//! the picture's right, y down, z towards the camera, from the middle between the eyes.

use crate::picture::Point;
use crate::train::clip::align::{FRONTAL, Warp};

/// How far the tip of the nose stands before the plane of eyes and mouth corners; the same
/// proportion as in `picture::pose`.
const NOSE_DEPTH: f32 = 0.41;
/// Half width and depth of the head at the cheekbones.
const HALF_WIDTH: f32 = 1.08;
const DEPTH: f32 = 1.35;
/// Where the ears are, right and left of the middle.
pub const EAR: [f32; 3] = [1.14, 0.12, -1.1];
/// A head turned further than this, in radians, shows too little of the face to wear a mask on.
const FURTHEST: f32 = 1.13;
/// Up to this turn the landmarks pull the surface exactly onto them; beyond, they lie so close
/// together that their own errors would tear it.
const PULLED: f32 = 0.75;
/// Eyes nearer than this many pixels, as seen from the front, are too coarse to draw on.
pub const LEAST_EYES: f32 = 4.0;

/// Half width of the head at heights along the face.
const WIDTHS: [(f32, f32); 6] =
    [(0.7, HALF_WIDTH), (1.1, 1.02), (1.42, 0.9), (1.68, 0.78), (1.85, 0.7), (2.2, 0.66)];
/// Depth of the middle line of the skin.
const SKIN: [(f32, f32); 12] = [
    (-0.6, 0.1),
    (0.0, 0.06),
    (0.3, 0.18),
    (0.56, 0.41),
    (0.7, 0.26),
    (0.83, 0.2),
    (1.07, 0.24),
    (1.33, 0.14),
    (1.52, 0.18),
    (1.7, 0.04),
    (1.86, -0.3),
    (2.2, -0.5),
];
/// Depth of the middle line of a cloth that hangs from the nose to the chin.
const TENT: [(f32, f32); 8] = [
    (0.15, 0.12),
    (0.35, 0.25),
    (0.56, 0.44),
    (0.85, 0.44),
    (1.2, 0.36),
    (1.5, 0.26),
    (1.7, 0.1),
    (1.9, -0.28),
];

/// A head as the camera sees it (scaled orthographic projection).
#[derive(Clone, Debug)]
pub struct Head {
    /// Pixels for a distance of the eyes.
    pub scale: f32,
    rows: [[f32; 3]; 3],
    origin: Point,
    pull: Option<Warp>,
}

impl Head {
    /// The pose that explains the landmarks best (least squares, then the nearest rotation).
    /// `None` where they coincide, are no face, are too small, or turned too far away.
    pub fn fit(landmarks: &[Point; 5]) -> Option<Self> {
        let model = model();
        let mean = |values: [f32; 5]| values.iter().sum::<f32>() / 5.0;
        let (my, mz) = (mean(model.map(|p| p[1])), mean(model.map(|p| p[2])));
        let (px, py) = (mean(landmarks.map(|p| p.x)), mean(landmarks.map(|p| p.y)));
        // x is uncorrelated with y and z in the model, which is symmetric.
        let (mut xx, mut yy, mut yz, mut zz) = (0.0, 0.0, 0.0, 0.0);
        let mut seen = [[0.0_f32; 3]; 2];
        for (m, p) in model.iter().zip(landmarks) {
            let m = [m[0], m[1] - my, m[2] - mz];
            (xx, yy) = (xx + m[0] * m[0], yy + m[1] * m[1]);
            (yz, zz) = (yz + m[1] * m[2], zz + m[2] * m[2]);
            for (sums, value) in seen.iter_mut().zip([p.x - px, p.y - py]) {
                for (sum, m) in sums.iter_mut().zip(m) {
                    *sum += m * value;
                }
            }
        }
        let determinant = yy * zz - yz * yz;
        let affine = seen.map(|[x, y, z]| {
            [x / xx, (y * zz - z * yz) / determinant, (z * yy - y * yz) / determinant]
        });
        let (scale, [right, down]) = nearest_rotation(affine)?;
        let towards = cross(right, down);
        let origin = Point {
            x: px - scale * (right[1] * my + right[2] * mz),
            y: py - scale * (down[1] * my + down[2] * mz),
        };
        let mut head = Self { scale, rows: [right, down, towards], origin, pull: None };
        let usable = scale.is_finite()
            && (LEAST_EYES..1e4).contains(&scale)
            && head.origin.x.is_finite()
            && head.origin.y.is_finite()
            && head.rows[2][2] > FURTHEST.cos();
        if !usable {
            return None;
        }
        if head.turn() < PULLED {
            head.pull = Warp::between(&model.map(|m| head.see(m).0), landmarks);
        }
        Some(head)
    }

    /// How far the head looks away from the camera, radians.
    pub fn turn(&self) -> f32 {
        self.rows[2][2].clamp(-1.0, 1.0).acos()
    }

    /// Where a point of the head is in the picture, in pixels, and how near, in eye distances.
    pub fn place(&self, p: [f32; 3]) -> (Point, f32) {
        let (at, near) = self.see(p);
        (self.pull.as_ref().map_or(at, |pull| pull.apply(at)), near)
    }

    fn see(&self, p: [f32; 3]) -> (Point, f32) {
        let [x, y, near] = self.turned(p);
        let at = Point { x: self.origin.x + self.scale * x, y: self.origin.y + self.scale * y };
        (at, near)
    }

    /// A direction of the head as the camera sees it.
    pub fn turned(&self, p: [f32; 3]) -> [f32; 3] {
        self.rows.map(|row| dot(row, p))
    }

    /// Whether the side of the head with x of this sign can be seen, from 0 (not) to 1.
    pub fn side_seen(&self, side: f32) -> f32 {
        let out = self.turned([side, 0.0, 0.0])[2];
        ((out + 0.3) / 0.15).clamp(0.0, 1.0)
    }
}

/// The five landmarks on the generic head.
fn model() -> [[f32; 3]; 5] {
    let depths = [0.0, 0.0, NOSE_DEPTH, 0.0, 0.0];
    std::array::from_fn(|i| [FRONTAL[i].x, FRONTAL[i].y, depths[i]])
}

/// The skin where a face seen from the front has its point (`x`, `y`).
pub fn skin(x: f32, y: f32) -> [f32; 3] {
    surface(x, y, along(&SKIN, y), 0.32)
}

/// A cloth worn over nose and chin, there; `stiff` adds to how far it stands off, as a cup does.
pub fn tent(x: f32, y: f32, stiff: f32) -> [f32; 3] {
    let dome = 1.0 - (x / 0.85).powi(2) - ((y - 1.05) / 0.8).powi(2);
    surface(x, y, along(&TENT, y) + stiff * dome.max(0.0), 0.5)
}

/// The side of the head bends back from the middle line, on which `ridge`, of the given width,
/// stands.
fn surface(x: f32, y: f32, ridge: f32, width: f32) -> [f32; 3] {
    let across = (x / along(&WIDTHS, y)).abs().min(1.0);
    let back = DEPTH * (1.0 - (1.0 - across * across).sqrt());
    [x, y, ridge * (-(x / width).powi(2)).exp() - back]
}

/// Linear between the points of a table by its first column; the ends go on level.
pub fn along(table: &[(f32, f32)], at: f32) -> f32 {
    let Some(&(first, last)) = table.first().zip(table.last()).as_ref() else { return 0.0 };
    if at <= first.0 {
        return first.1;
    }
    table.windows(2).find(|pair| at <= pair[1].0).map_or(last.1, |pair| {
        pair[0].1 + (at - pair[0].0) / (pair[1].0 - pair[0].0) * (pair[1].1 - pair[0].1)
    })
}

/// Scale and first two rows of the rotation nearest to a 2 × 3 matrix: its polar decomposition,
/// the root of a symmetric 2 × 2 matrix being known in closed form.
fn nearest_rotation(m: [[f32; 3]; 2]) -> Option<(f32, [[f32; 3]; 2])> {
    let (a, b, d) = (dot(m[0], m[0]), dot(m[0], m[1]), dot(m[1], m[1]));
    let root = (a * d - b * b).max(0.0).sqrt();
    let trace = (a + d + 2.0 * root).sqrt();
    let (sa, sb, sd) = ((a + root) / trace, b / trace, (d + root) / trace);
    let determinant = sa * sd - sb * sb;
    if determinant.is_nan() || determinant <= 1e-6 {
        return None;
    }
    let row = |p: f32, q: f32| std::array::from_fn(|i| (p * m[0][i] + q * m[1][i]) / determinant);
    Some(((sa + sd) / 2.0, [row(sd, -sb), row(-sb, sa)]))
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub fn cross(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// Landmarks of the generic head, turned (radians, to the picture's right) and rolled, at 'scale'.
#[cfg(test)]
pub(super) fn posed(middle: Point, scale: f32, yaw: f32, roll: f32) -> [Point; 5] {
    model().map(|[x, y, z]| {
        let x = x * yaw.cos() + z * yaw.sin();
        let (x, y) = (x * roll.cos() - y * roll.sin(), x * roll.sin() + y * roll.cos());
        Point { x: middle.x + scale * x, y: middle.y + scale * y }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIDDLE: Point = Point { x: 90.0, y: 70.0 };

    proptest! {
        #[test]
        fn a_head_is_found_again_from_its_landmarks(
            yaw in -1.0_f32..1.0, roll in -0.7_f32..0.7, scale in 6.0_f32..200.0,
        ) {
            let landmarks = posed(MIDDLE, scale, yaw, roll);
            let head = Head::fit(&landmarks).unwrap();
            prop_assert!((head.scale / scale - 1.0).abs() < 0.01, "{}", head.scale);
            prop_assert!((head.turn() - yaw.abs()).abs() < 0.02, "{} for {yaw}", head.turn());
            for (m, p) in model().iter().zip(landmarks) {
                let (at, _) = head.place(*m);
                prop_assert!((at.x - p.x).hypot(at.y - p.y) < 0.02 * scale, "{at:?} for {p:?}");
            }
        }
    }

    #[test]
    fn only_the_near_side_of_a_turned_head_is_seen() {
        let head = Head::fit(&posed(MIDDLE, 40.0, 0.6, 0.0)).unwrap();
        assert_eq!((head.side_seen(1.0), head.side_seen(-1.0)), (0.0, 1.0));
        let frontal = Head::fit(&posed(MIDDLE, 40.0, 0.0, 0.3)).unwrap();
        assert!(frontal.side_seen(1.0) > 0.9 && frontal.side_seen(-1.0) > 0.9);
    }

    #[test]
    fn landmarks_that_are_no_face_are_refused() {
        let spot = [MIDDLE; 5];
        assert!(Head::fit(&spot).is_none());
        assert!(Head::fit(&posed(MIDDLE, 2.0, 0.0, 0.0)).is_none(), "too small");
        assert!(Head::fit(&posed(MIDDLE, 40.0, 1.3, 0.0)).is_none(), "turned away");
        let mut broken = posed(MIDDLE, 40.0, 0.0, 0.0);
        broken[2].x = f32::NAN;
        assert!(Head::fit(&broken).is_none());
    }
}
