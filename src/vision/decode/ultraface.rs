use crate::picture::{Face, Point, Rect};
use crate::vision::model::Output;

/// `scores` [1, n, 2] (background, face) or [1, n, 3] (background, face, masked face) and `boxes` [1, n, 4] (corners as parts of the picture).
/// The files have no landmarks: they are placed where an upright, frontal face has them, roughly
/// (eyes at 0.31 and 0.69 of the width, 0.40 of the height; mouth corners at 0.78).
pub fn decode(outputs: &[Output], size: (u32, u32), threshold: f32) -> Result<Vec<Face>, String> {
    let [scores, boxes] = outputs else {
        return Err(format!("{} outputs, not scores and boxes", outputs.len()));
    };
    let classes = scores.shape.last().copied().unwrap_or(0);
    let fits = (2..=3).contains(&classes) && boxes.shape.last() == Some(&4);
    if !fits || scores.values.len() / classes != boxes.values.len() / 4 {
        return Err(format!("{:?} scores for {:?} boxes", scores.shape, boxes.shape));
    }
    // By construction of a whole file no corner is before the other; offsets lie on either side of zero.
    if boxes.values.chunks_exact(4).any(|b| b[2] < b[0] || b[3] < b[1]) {
        return Err(
            "its boxes are offsets from priors, not corners; take a file with postprocessing, \
                    such as version-RFB-320.onnx"
                .to_owned(),
        );
    }
    let (width, height) = (size.0 as f32, size.1 as f32);
    let pairs = scores.values.chunks_exact(classes).zip(boxes.values.chunks_exact(4));
    Ok(pairs
        .filter(|(score, _)| 1.0 - score[0] >= threshold)
        .map(|(score, b)| {
            let bounds = Rect { x1: b[0], y1: b[1], x2: b[2], y2: b[3] }.scaled(width, height);
            let at = |x: f32, y: f32| Point {
                x: bounds.x1 + x * bounds.width(),
                y: bounds.y1 + y * bounds.height(),
            };
            let landmarks =
                [at(0.31, 0.40), at(0.69, 0.40), at(0.5, 0.58), at(0.35, 0.78), at(0.65, 0.78)];
            Face { bounds, score: 1.0 - score[0], landmarks }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(classes: usize) -> [Output; 2] {
        let mut scores = vec![0.0; 2 * classes];
        // The first prior sees background, the second a face; masked, where there is a class.
        scores[0] = 1.0;
        scores[classes] = 0.1;
        scores[2 * classes - 1] = 0.9;
        [
            Output { shape: vec![1, 2, classes], values: scores },
            Output { shape: vec![1, 2, 4], values: vec![0.0, 0.0, 1.0, 1.0, 0.25, 0.5, 0.5, 0.75] },
        ]
    }

    #[test]
    fn boxes_are_parts_of_the_picture_and_any_class_but_background_is_a_face() {
        for classes in [2, 3] {
            let faces = decode(&outputs(classes), (320, 240), 0.6).expect("the shapes are right");
            assert_eq!(faces.len(), 1);
            let expected = Rect { x1: 80.0, y1: 120.0, x2: 160.0, y2: 180.0 };
            assert_eq!(faces[0].bounds, expected);
            assert!((faces[0].score - 0.9).abs() < 1e-6);
        }
    }

    #[test]
    fn offsets_from_priors_are_not_taken_for_corners() {
        let [scores, mut boxes] = outputs(2);
        boxes.values[2] = -0.3;
        let error = decode(&[scores, boxes], (320, 240), 0.6).unwrap_err();
        assert!(error.contains("postprocessing"), "{error}");
    }

    #[test]
    fn scores_that_do_not_fit_the_boxes_are_refused() {
        let [scores, mut boxes] = outputs(2);
        boxes.values.truncate(4);
        assert!(decode(&[scores, boxes], (320, 240), 0.6).is_err());
    }
}
