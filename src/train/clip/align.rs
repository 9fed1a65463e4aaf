//! Bringing faces onto each other by their five landmarks.

use crate::picture::Point;

/// Where the landmarks of an upright face seen from the front lie, in distances between the eyes
/// from the middle between them: the median of 320 near-frontal YouTube Faces people, made
/// symmetric.
pub const FRONTAL: [Point; 5] = [
    Point { x: -0.5, y: 0.0 },
    Point { x: 0.5, y: 0.0 },
    Point { x: 0.0, y: 0.576 },
    Point { x: -0.4, y: 1.069 },
    Point { x: 0.4, y: 1.069 },
];

/// Centre, half width and half height of the outline that pins a warp down around the face, in
/// the units of [`FRONTAL`].
const OUTLINE: (Point, f32, f32) = (Point { x: 0.0, y: 0.38 }, 1.9, 2.2);
const OUTLINE_POINTS: usize = 12;

/// Turn, scale and shift: the best fit of one set of points to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    /// Scale times cosine and sine of the turn.
    a: f32,
    b: f32,
    x: f32,
    y: f32,
}

impl Similarity {
    /// Shift to `origin`, scale and turn (radians, clockwise on the screen) about it.
    pub fn new(origin: Point, scale: f32, turn: f32) -> Self {
        Self { a: scale * turn.cos(), b: scale * turn.sin(), x: origin.x, y: origin.y }
    }

    /// Least squares (Umeyama 1991, in two dimensions); `None` when `from` is all one point or a
    /// number is not finite.
    pub fn fit(from: &[Point], to: &[Point]) -> Option<Self> {
        let count = from.len().min(to.len()) as f32;
        let mean = |points: &[Point]| Point {
            x: points.iter().map(|p| p.x).sum::<f32>() / count,
            y: points.iter().map(|p| p.y).sum::<f32>() / count,
        };
        let (f, t) = (mean(from), mean(to));
        let (mut dot, mut cross, mut spread) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            let (px, py, qx, qy) = (p.x - f.x, p.y - f.y, q.x - t.x, q.y - t.y);
            dot += px * qx + py * qy;
            cross += px * qy - py * qx;
            spread += px * px + py * py;
        }
        let (a, b) = (dot / spread, cross / spread);
        let fit = Self { a, b, x: t.x - a * f.x + b * f.y, y: t.y - b * f.x - a * f.y };
        (fit.a.is_finite() && fit.b.is_finite() && fit.scale() > 0.0).then_some(fit)
    }

    pub fn apply(&self, p: Point) -> Point {
        Point { x: self.a * p.x - self.b * p.y + self.x, y: self.b * p.x + self.a * p.y + self.y }
    }

    /// The point that [`Self::apply`] takes to `p`.
    pub fn undo(&self, p: Point) -> Point {
        let (x, y) = (p.x - self.x, p.y - self.y);
        let square = self.a * self.a + self.b * self.b;
        Point { x: (self.a * x + self.b * y) / square, y: (self.a * y - self.b * x) / square }
    }

    pub fn scale(&self) -> f32 {
        self.a.hypot(self.b)
    }
}

/// A thin-plate spline (Bookstein 1989) that takes five landmarks exactly to five others and,
/// towards an outline around the face, becomes the similarity that fits them best.
#[derive(Clone, Debug)]
pub struct Warp {
    /// Brings points to the units of [`FRONTAL`], where the spline is solved.
    unit: Similarity,
    knots: Vec<[f64; 2]>,
    /// For x and y: a weight for each knot, then constant, x and y terms.
    weights: Vec<[f64; 2]>,
}

impl Warp {
    /// `None` when landmarks of `from` coincide, or all of `to`.
    pub fn between(from: &[Point; 5], to: &[Point; 5]) -> Option<Self> {
        let unit = Similarity::fit(from, &FRONTAL)?;
        let fit = Similarity::fit(from, to)?;
        let (centre, rx, ry) = OUTLINE;
        let outline = (0..OUTLINE_POINTS).map(|i| {
            let angle = std::f32::consts::TAU * i as f32 / OUTLINE_POINTS as f32;
            unit.undo(Point { x: centre.x + rx * angle.cos(), y: centre.y + ry * angle.sin() })
        });
        let mut pairs: Vec<(Point, Point)> = from.iter().copied().zip(to.iter().copied()).collect();
        pairs.extend(outline.map(|p| (p, fit.apply(p))));

        let knots: Vec<[f64; 2]> = pairs.iter().map(|&(p, _)| wide(unit.apply(p))).collect();
        let size = knots.len() + 3;
        let mut rows = vec![vec![0.0_f64; size + 2]; size];
        for (i, &knot) in knots.iter().enumerate() {
            for (j, &other) in knots.iter().enumerate() {
                rows[i][j] = radial(knot, other);
            }
            for (k, term) in [1.0, knot[0], knot[1]].into_iter().enumerate() {
                rows[i][knots.len() + k] = term;
                rows[knots.len() + k][i] = term;
            }
            let target = wide(pairs[i].1);
            rows[i][size] = target[0];
            rows[i][size + 1] = target[1];
        }
        let weights = solve(rows)?;
        Some(Self { unit, knots, weights })
    }

    pub fn apply(&self, p: Point) -> Point {
        let at = wide(self.unit.apply(p));
        let terms = self
            .knots
            .iter()
            .map(|&knot| radial(at, knot))
            .chain([1.0, at[0], at[1]])
            .zip(&self.weights);
        let (x, y) = terms.fold((0.0, 0.0), |(x, y), (term, w)| (x + term * w[0], y + term * w[1]));
        Point { x: x as f32, y: y as f32 }
    }
}

fn wide(p: Point) -> [f64; 2] {
    [f64::from(p.x), f64::from(p.y)]
}

/// r² log r², 0 at 0.
fn radial(a: [f64; 2], b: [f64; 2]) -> f64 {
    let square = (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
    if square > 0.0 { square * square.ln() } else { 0.0 }
}

/// Gaussian elimination with row pivots; the last two columns are the right-hand sides.
fn solve(mut rows: Vec<Vec<f64>>) -> Option<Vec<[f64; 2]>> {
    let size = rows.len();
    for column in 0..size {
        let pivot = (column..size)
            .max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))?;
        rows.swap(column, pivot);
        let (done, rest) = rows.split_at_mut(column + 1);
        let lead = &done[column];
        if lead[column].abs().partial_cmp(&1e-9) != Some(std::cmp::Ordering::Greater) {
            return None;
        }
        for row in rest {
            let factor = row[column] / lead[column];
            for (value, above) in row.iter_mut().zip(lead).skip(column) {
                *value -= factor * above;
            }
        }
    }
    let mut solution = vec![[0.0; 2]; size];
    for row in (0..size).rev() {
        for side in 0..2 {
            let known: f64 = (row + 1..size).map(|c| rows[row][c] * solution[c][side]).sum();
            solution[row][side] = (rows[row][size + side] - known) / rows[row][row];
        }
    }
    Some(solution)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(a: Point, b: Point, tolerance: f32) -> bool {
        (a.x - b.x).hypot(a.y - b.y) <= tolerance
    }

    /// A face turned, scaled, shifted, and with every landmark somewhat off.
    fn any_face() -> impl Strategy<Value = [Point; 5]> {
        let off = prop::array::uniform5((-0.08_f32..0.08, -0.08_f32..0.08));
        (off, -0.6_f32..0.6, 8.0_f32..120.0, 0.0_f32..600.0, 0.0_f32..400.0).prop_map(
            |(off, turn, scale, x, y)| {
                let place = Similarity::new(Point { x, y }, scale, turn);
                std::array::from_fn(|i| {
                    place.apply(Point { x: FRONTAL[i].x + off[i].0, y: FRONTAL[i].y + off[i].1 })
                })
            },
        )
    }

    proptest! {
        #[test]
        fn a_warp_takes_the_five_landmarks_exactly_where_they_belong(
            from in any_face(), to in any_face(),
        ) {
            let warp = Warp::between(&from, &to).unwrap();
            for (p, q) in from.into_iter().zip(to) {
                prop_assert!(near(warp.apply(p), q, 0.02), "{:?} for {q:?}", warp.apply(p));
            }
        }

        #[test]
        fn a_similarity_undone_gives_the_point_back(face in any_face()) {
            let fit = Similarity::fit(&FRONTAL, &face).unwrap();
            for p in FRONTAL {
                prop_assert!(near(fit.undo(fit.apply(p)), p, 1e-3));
            }
        }
    }

    #[test]
    fn far_from_the_face_a_warp_is_the_similarity() {
        let mut to =
            FRONTAL.map(|p| Similarity::new(Point { x: 50.0, y: 60.0 }, 30.0, 0.2).apply(p));
        to[2].x += 4.0;
        let fit = Similarity::fit(&FRONTAL, &to).unwrap();
        let warp = Warp::between(&FRONTAL, &to).unwrap();
        let ear = Point { x: 1.9, y: 0.38 };
        assert!(near(warp.apply(ear), fit.apply(ear), 0.02));
        assert!(near(warp.apply(FRONTAL[2]), to[2], 0.02));
    }

    #[test]
    fn landmarks_that_coincide_give_no_warp() {
        let spot = [Point { x: 5.0, y: 5.0 }; 5];
        assert!(Warp::between(&spot, &FRONTAL).is_none());
        assert!(Similarity::fit(&spot, &FRONTAL).is_none());
    }
}
