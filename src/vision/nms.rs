use crate::picture::Face;

/// Greedy non-maximum suppression: by falling score, a face is kept unless its IoU with one
/// already kept is above `iou`. The order of the input does not matter: equal scores are ordered
/// by their boxes.
pub fn suppress(mut faces: Vec<Face>, iou: f32) -> Vec<Face> {
    faces.sort_by(|a, b| {
        let (ra, rb): ([f32; 4], [f32; 4]) = (a.bounds.into(), b.bounds.into());
        let by_box = ra.iter().zip(&rb).map(|(x, y)| x.total_cmp(y)).find(|order| order.is_ne());
        b.score.total_cmp(&a.score).then(by_box.unwrap_or(std::cmp::Ordering::Equal))
    });
    let mut kept: Vec<Face> = Vec::new();
    for face in faces {
        if kept.iter().all(|other| other.bounds.iou(&face.bounds) <= iou) {
            kept.push(face);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::picture::{Point, Rect};

    fn face(x: f32, y: f32, side: f32, score: f32) -> Face {
        let bounds = Rect { x1: x, y1: y, x2: x + side, y2: y + side };
        Face { bounds, score, landmarks: [Point::default(); 5] }
    }

    fn faces() -> impl Strategy<Value = Vec<Face>> {
        let one = (0.0..100.0_f32, 0.0..100.0_f32, 1.0..60.0_f32, 0..20_u8);
        // Few distinct scores, so that ties occur.
        prop::collection::vec(
            one.prop_map(|(x, y, s, p)| face(x, y, s, f32::from(p) / 20.0)),
            0..30,
        )
    }

    proptest! {
        #[test]
        fn the_order_of_candidates_does_not_matter(list in faces(), iou in 0.0..1.0_f32) {
            let mut reversed = list.clone();
            reversed.reverse();
            prop_assert_eq!(suppress(list, iou), suppress(reversed, iou));
        }

        #[test]
        fn what_is_kept_is_sorted_and_does_not_overlap(list in faces(), iou in 0.0..1.0_f32) {
            let kept = suppress(list.clone(), iou);
            prop_assert!(kept.windows(2).all(|pair| pair[0].score >= pair[1].score));
            for (i, a) in kept.iter().enumerate() {
                prop_assert!(kept[..i].iter().all(|b| a.bounds.iou(&b.bounds) <= iou));
            }
            for candidate in &list {
                let covered = |k: &Face| k == candidate || k.bounds.iou(&candidate.bounds) > iou;
                prop_assert!(kept.iter().any(covered), "a face far from all others was lost");
            }
        }
    }
}
