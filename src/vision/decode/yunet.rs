use super::side;
use crate::picture::{Face, Point, Rect};
use crate::vision::model::Output;

const STRIDES: [usize; 3] = [8, 16, 32];

/// Where in the list of outputs each kind stands, by stride.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    class: [usize; 3],
    object: [usize; 3],
    bounds: [usize; 3],
    landmarks: [usize; 3],
}

impl Outputs {
    /// Finds `cls_8` … `kps_32` among `names`; `None` when one lacks.
    pub fn of(names: &[&str]) -> Option<Self> {
        let find = |kind: &str| -> Option<[usize; 3]> {
            let at = |s: usize| names.iter().position(|name| *name == format!("{kind}_{s}"));
            Some([at(STRIDES[0])?, at(STRIDES[1])?, at(STRIDES[2])?])
        };
        Some(Self {
            class: find("cls")?,
            object: find("obj")?,
            bounds: find("bbox")?,
            landmarks: find("kps")?,
        })
    }
}

/// As OpenCV's `FaceDetectorYN` reads them: score = sqrt(cls * obj); for the cell in column c,
/// row r at stride s, centre = ((c + b0) * s, (r + b1) * s), size = (e^b2 * s, e^b3 * s),
/// landmark = ((c + kx) * s, (r + ky) * s).
pub fn decode(
    outputs: &[Output],
    order: &Outputs,
    size: (u32, u32),
    threshold: f32,
) -> Result<Vec<Face>, String> {
    let mut faces = Vec::new();
    for (level, stride) in STRIDES.into_iter().enumerate() {
        let (width, height) = (size.0 as usize / stride, size.1 as usize / stride);
        let values = |at: usize, channels: usize| -> Result<&[f32], String> {
            let values = outputs.get(at).map_or(&[][..], |output| &output.values);
            if values.len() == width * height * channels {
                return Ok(values);
            }
            Err(format!(
                "stride {stride} gives {} values, not {}",
                values.len(),
                width * height * channels
            ))
        };
        let class = values(order.class[level], 1)?;
        let object = values(order.object[level], 1)?;
        let bounds = values(order.bounds[level], 4)?.chunks_exact(4);
        let landmarks = values(order.landmarks[level], 10)?.chunks_exact(10);
        let scores =
            class.iter().zip(object).map(|(c, o)| (c.clamp(0.0, 1.0) * o.clamp(0.0, 1.0)).sqrt());
        for (cell, ((score, b), k)) in scores.zip(bounds).zip(landmarks).enumerate() {
            // One that is no number would end the list of faces where it is sorted.
            if score.is_nan() || score < threshold {
                continue;
            }
            let s = stride as f32;
            let (column, row) = ((cell % width) as f32, (cell / width) as f32);
            let (x, y) = ((column + b[0]) * s, (row + b[1]) * s);
            let (w, h) = (side(b[2]) * s, side(b[3]) * s);
            let landmarks = std::array::from_fn(|i| Point {
                x: (column + k[2 * i]) * s,
                y: (row + k[2 * i + 1]) * s,
            });
            let bounds =
                Rect { x1: x - w / 2.0, y1: y - h / 2.0, x2: x + w / 2.0, y2: y + h / 2.0 };
            faces.push(Face { bounds, score, landmarks });
        }
    }
    Ok(faces)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 12] = [
        "cls_8", "cls_16", "cls_32", "obj_8", "obj_16", "obj_32", "bbox_8", "bbox_16", "bbox_32",
        "kps_8", "kps_16", "kps_32",
    ];

    fn outputs() -> Vec<Output> {
        let channels = [1, 1, 1, 1, 1, 1, 4, 4, 4, 10, 10, 10];
        let per_level = [8 * 4, 4 * 2, 2];
        let make = |at: usize| {
            let cells = per_level[at % 3];
            Output { shape: vec![1, cells, channels[at]], values: vec![0.0; cells * channels[at]] }
        };
        (0..12).map(make).collect()
    }

    #[test]
    fn scores_boxes_and_landmarks_are_read_as_opencv_reads_them() {
        let order = Outputs::of(&NAMES).expect("all outputs are there");
        let mut outputs = outputs();
        // Stride 8, row 2, column 3.
        let cell = 2 * 8 + 3;
        outputs[0].values[cell] = 0.81;
        outputs[3].values[cell] = 1.0;
        outputs[6].values[cell * 4..cell * 4 + 4].copy_from_slice(&[0.5, 0.25, 0.0, 2.0_f32.ln()]);
        outputs[9].values[cell * 10..cell * 10 + 2].copy_from_slice(&[1.0, -1.0]);
        let faces = decode(&outputs, &order, (64, 32), 0.6).expect("the shapes are right");
        assert_eq!(faces.len(), 1);
        assert!((faces[0].score - 0.9).abs() < 1e-6);
        let found: [f32; 4] = faces[0].bounds.into();
        let expected = [28.0 - 4.0, 18.0 - 8.0, 28.0 + 4.0, 18.0 + 8.0];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?}");
        assert_eq!(faces[0].landmarks[0], Point { x: 32.0, y: 8.0 });
    }

    #[test]
    fn a_score_that_is_no_number_costs_its_cell() {
        let order = Outputs::of(&NAMES).expect("all outputs are there");
        let mut outputs = outputs();
        (outputs[0].values[0], outputs[3].values[0]) = (f32::NAN, 1.0);
        (outputs[0].values[9], outputs[3].values[9]) = (1.0, 1.0);
        let faces = decode(&outputs, &order, (64, 32), 0.6).expect("the shapes are right");
        assert_eq!(faces.iter().map(|face| face.score).collect::<Vec<_>>(), [1.0]);
    }

    #[test]
    fn the_order_of_the_outputs_does_not_matter_but_all_must_be_there() {
        let mut names = NAMES;
        names.reverse();
        assert!(Outputs::of(&names).is_some());
        assert_eq!(Outputs::of(&NAMES[1..]), None);
        let order = Outputs::of(&NAMES).expect("all outputs are there");
        assert!(decode(&outputs(), &order, (96, 32), 0.6).is_err());
    }
}
