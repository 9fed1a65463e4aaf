//! Which cell answers for which face.

use super::network::STRIDES;
use crate::picture::{Label, Point, Rect};

/// Sizes in pixels (square root of the area) that each stride answers for. They overlap, so that a
/// face between two strides is learnt by both.
const SIZES: [(f32, f32); 3] = [(0.0, 44.0), (30.0, 100.0), (72.0, f32::INFINITY)];
/// Cells within this many strides of the face's centre answer (centre sampling, as in FCOS, Tian
/// et al. 2019).
const RADIUS: f32 = 1.5;

/// How much the score of a face without a mask, or with one worn wrongly, counts beside that of a masked
/// one: these are missed more often.
const UNMASKED: f32 = 2.0;

/// A face in a sample, in its pixels.
#[derive(Clone, Debug)]
pub struct Target {
    pub bounds: Rect,
    pub landmarks: Option<[Point; 5]>,
    /// Neither found nor missed: no loss under it.
    pub ignore: bool,
    /// What it wears; `None` where nobody said.
    pub label: Option<Label>,
}

impl Target {
    /// Nobody said that it wears a mask, so one may be drawn on it.
    pub fn is_bare(&self) -> bool {
        self.label.is_none_or(|label| label == Label::WithoutMask)
    }

    /// How much its score counts.
    fn weight(&self) -> f32 {
        if self.label == Some(Label::WithMask) { 1.0 } else { UNMASKED }
    }
}

/// What the loss needs for one sample, cell by cell, strides one after another, rows from the top.
#[derive(Clone, Debug, Default)]
pub struct Cells {
    /// 1 where the cell answers for a face.
    pub positive: Vec<f32>,
    /// How much the score counts: 0 where neither answer does.
    pub weight: Vec<f32>,
    /// Corners of the face's box, 4 a cell.
    pub bounds: Vec<f32>,
    /// The five points, 10 a cell.
    pub landmarks: Vec<f32>,
    /// 1 where they are known.
    pub has_landmarks: Vec<f32>,
}

/// Centres of all cells of a sample of `side` pixels and the stride of each.
pub fn grid(side: usize) -> Vec<(Point, f32)> {
    let mut cells = Vec::new();
    for stride in STRIDES {
        let s = stride as f32;
        for row in 0..side / stride {
            for column in 0..side / stride {
                cells.push((Point { x: (column as f32 + 0.5) * s, y: (row as f32 + 0.5) * s }, s));
            }
        }
    }
    cells
}

/// Assigns `targets` to the cells of a square sample of `side` pixels. Where several faces claim a
/// cell, the smallest gets it.
pub fn assign(targets: &[Target], side: usize) -> Cells {
    let grid = grid(side);
    let mut cells = Cells::default();
    let mut order: Vec<&Target> = targets.iter().filter(|target| !target.ignore).collect();
    order.sort_by(|a, b| a.bounds.area().total_cmp(&b.bounds.area()));
    for (center, stride) in grid {
        let owner = order.iter().find(|target| answers(target, center, stride));
        // One too small to have a cell within it has the one that would answer.
        let ignored = targets
            .iter()
            .filter(|target| target.ignore)
            .any(|t| inside(&t.bounds, center) || answers(t, center, stride));
        cells.positive.push(if owner.is_some() { 1.0 } else { 0.0 });
        let background = if ignored { 0.0 } else { 1.0 };
        cells.weight.push(owner.map_or(background, |target| target.weight()));
        // A cell without a face gets a box of its own, so that the loss has no empty boxes.
        let own = Rect {
            x1: center.x - stride,
            y1: center.y - stride,
            x2: center.x + stride,
            y2: center.y + stride,
        };
        let bounds: [f32; 4] = owner.map_or(own, |target| target.bounds).into();
        cells.bounds.extend(bounds);
        let landmarks = owner.and_then(|target| target.landmarks);
        cells.has_landmarks.push(if landmarks.is_some() { 1.0 } else { 0.0 });
        for point in landmarks.unwrap_or([center; 5]) {
            cells.landmarks.extend([point.x, point.y]);
        }
    }
    cells
}

fn answers(target: &Target, cell: Point, stride: f32) -> bool {
    let size = target.bounds.area().sqrt();
    let level = STRIDES.iter().position(|&s| s as f32 == stride).unwrap_or(0);
    let (low, high) = SIZES[level];
    if size < low || size >= high {
        return false;
    }
    let center = target.bounds.center();
    let (dx, dy) = ((cell.x - center.x).abs(), (cell.y - center.y).abs());
    // The nearest cell always answers; others only from within the face.
    let nearest = dx <= stride / 2.0 && dy <= stride / 2.0;
    nearest || (dx < RADIUS * stride && dy < RADIUS * stride && inside(&target.bounds, cell))
}

fn inside(bounds: &Rect, p: Point) -> bool {
    p.x >= bounds.x1 && p.x <= bounds.x2 && p.y >= bounds.y1 && p.y <= bounds.y2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(x: f32, y: f32, width: f32, height: f32) -> Target {
        let bounds = Rect { x1: x, y1: y, x2: x + width, y2: y + height };
        Target { bounds, landmarks: None, ignore: false, label: Some(Label::WithMask) }
    }

    proptest! {
        #[test]
        fn every_face_whose_centre_is_in_the_sample_is_answered_for(
            x in 1.0..150.0_f32, y in 1.0..150.0_f32, side in 4.0..150.0_f32,
        ) {
            let face = target(x - side / 2.0, y - side / 2.0, side, side);
            let cells = assign(&[face], 160);
            prop_assert!(cells.positive.contains(&1.0));
        }
    }

    #[test]
    fn where_two_faces_overlap_the_smaller_one_keeps_its_cells() {
        let near = target(40.0, 40.0, 43.0, 43.0);
        let far = target(56.0, 56.0, 10.0, 10.0);
        let cells = assign(&[near, far.clone()], 160);
        let at = grid(160).iter().position(|(p, s)| *s == 8.0 && p.x == 60.0 && p.y == 60.0);
        let at = at.expect("the cell exists");
        assert_eq!(cells.bounds[at * 4..at * 4 + 4], <[f32; 4]>::from(far.bounds));
    }

    #[test]
    fn faces_without_a_mask_count_twice_and_may_have_one_drawn_on_unless_one_is_worn_wrongly() {
        let known = |label| {
            let face = Target { label, ..target(40.0, 40.0, 40.0, 40.0) };
            let Cells { positive, weight, .. } = assign(std::slice::from_ref(&face), 160);
            let pairs = positive.iter().zip(&weight);
            assert!(pairs.clone().all(|(positive, weight)| *positive == 1.0 || *weight == 1.0));
            let most = pairs.filter(|(positive, _)| **positive == 1.0).map(|(_, weight)| *weight);
            (most.fold(0.0, f32::max), face.is_bare())
        };
        assert_eq!(known(Some(Label::WithMask)), (1.0, false));
        assert_eq!(known(Some(Label::IncorrectMask)), (2.0, false));
        assert_eq!(known(Some(Label::WithoutMask)), (2.0, true));
        assert_eq!(known(None), (2.0, true));
    }

    #[test]
    fn an_ignored_face_is_neither_right_nor_wrong() {
        let ignored = Target { ignore: true, ..target(40.0, 40.0, 40.0, 40.0) };
        let cells = assign(&[ignored], 160);
        assert!(!cells.positive.contains(&1.0));
        assert!(cells.weight.contains(&0.0) && cells.weight.contains(&1.0));
        // Between the centres of all cells.
        let tiny = Target { ignore: true, ..target(29.0, 29.0, 4.0, 4.0) };
        let weightless = assign(&[tiny], 160).weight.into_iter().filter(|weight| *weight == 0.0);
        assert_eq!(weightless.count(), 1);
    }
}
