use crate::picture::{Face, Point};

/// Candidates whose boxes overlap by at least this IoU are taken for one face's when its landmarks are
/// placed.
const SAME: f32 = 0.6;

/// Greedy non-maximum suppression: by falling score, a candidate of `threshold` and over is kept
/// unless its IoU with one already kept is above `iou`. The order of the input does not matter: equal
/// scores are ordered by their boxes.
///
/// Each of a face's candidates places its landmarks a little otherwise; what is kept gets the mean of
/// theirs, weighed by score, those under the threshold included (Bazarevsky et al., "BlazeFace", 2019,
/// who do so with boxes, too). Boxes stay: the mean of two faces cheek to cheek would lie between them.
pub fn suppress(mut candidates: Vec<Face>, iou: f32, threshold: f32) -> Vec<Face> {
    candidates.sort_by(|a, b| {
        let (ra, rb): ([f32; 4], [f32; 4]) = (a.bounds.into(), b.bounds.into());
        let by_box = ra.iter().zip(&rb).map(|(x, y)| x.total_cmp(y)).find(|order| order.is_ne());
        b.score.total_cmp(&a.score).then(by_box.unwrap_or(std::cmp::Ordering::Equal))
    });
    let mut kept: Vec<Face> = Vec::new();
    for face in candidates.iter().take_while(|face| face.score >= threshold) {
        if kept.iter().all(|other| other.bounds.iou(&face.bounds) <= iou) {
            kept.push(*face);
        }
    }
    for face in &mut kept {
        face.landmarks = mean_landmarks(face, &candidates);
    }
    kept
}

/// Of `face` and all other candidates for it.
fn mean_landmarks(face: &Face, candidates: &[Face]) -> [Point; 5] {
    let mut sums = [Point::default(); 5];
    let mut weights = 0.0;
    for other in candidates.iter().filter(|other| other.bounds.iou(&face.bounds) >= SAME) {
        weights += other.score;
        for (sum, point) in sums.iter_mut().zip(other.landmarks) {
            sum.x += other.score * point.x;
            sum.y += other.score * point.y;
        }
    }
    if weights > 0.0 {
        sums.map(|sum| Point { x: sum.x / weights, y: sum.y / weights })
    } else {
        face.landmarks
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::picture::Rect;

    fn face(x: f32, y: f32, side: f32, score: f32) -> Face {
        let bounds = Rect { x1: x, y1: y, x2: x + side, y2: y + side };
        Face { bounds, score, landmarks: [Point { x, y }; 5] }
    }

    fn faces() -> impl Strategy<Value = Vec<Face>> {
        let one = (0.0..100.0_f32, 0.0..100.0_f32, 1.0..60.0_f32, 0..20_u8);
        // Few distinct scores, so that ties occur.
        prop::collection::vec(
            one.prop_map(|(x, y, s, p)| face(x, y, s, f32::from(p) / 20.0)),
            0..30,
        )
    }

    #[test]
    fn landmarks_are_the_mean_of_what_a_face_s_candidates_say() {
        let marked = |x: f32, side: f32, score: f32, nose: f32| {
            let mut face = face(x, 10.0, side, score);
            face.landmarks[2] = Point { x: nose, y: nose / 2.0 };
            face
        };
        let candidates = vec![
            marked(10.0, 40.0, 0.8, 30.0),
            marked(12.0, 40.0, 0.2, 40.0),
            // It overlaps enough to be suppressed, but not to be the same face for certain.
            marked(22.0, 40.0, 0.7, 90.0),
            marked(100.0, 40.0, 0.6, 120.0),
        ];
        let kept = suppress(candidates.clone(), 0.4, 0.5);
        assert_eq!(
            kept.iter().map(|face| face.bounds).collect::<Vec<_>>(),
            [candidates[0].bounds, candidates[3].bounds]
        );
        for (face, nose) in kept.iter().zip([32.0, 120.0]) {
            let Point { x, y } = face.landmarks[2];
            assert!((x - nose).abs() < 1e-3 && (y - nose / 2.0).abs() < 1e-3, "{x} {y}");
        }
    }

    proptest! {
        #[test]
        fn the_order_of_candidates_does_not_matter(list in faces(), iou in 0.0..1.0_f32) {
            let mut reversed = list.clone();
            reversed.reverse();
            prop_assert_eq!(suppress(list, iou, 0.3), suppress(reversed, iou, 0.3));
        }

        #[test]
        fn what_is_kept_is_sorted_and_does_not_overlap(list in faces(), iou in 0.0..1.0_f32) {
            let kept = suppress(list.clone(), iou, 0.0);
            prop_assert!(kept.windows(2).all(|pair| pair[0].score >= pair[1].score));
            for (i, a) in kept.iter().enumerate() {
                prop_assert!(kept[..i].iter().all(|b| a.bounds.iou(&b.bounds) <= iou));
            }
            for candidate in &list {
                let covered = |k: &Face| k.bounds.iou(&candidate.bounds) > iou;
                prop_assert!(kept.iter().any(covered), "a face far from all others was lost");
            }
        }
    }
}
