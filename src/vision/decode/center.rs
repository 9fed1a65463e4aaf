use super::side;
use crate::picture::{Face, Point, Rect};
use crate::vision::model::Output;

/// Cells between the centres of neighbouring predictions, in pixels, one output each.
pub const STRIDES: [usize; 3] = [8, 16, 32];
/// Score, centre x and y, width, height, five landmarks.
pub const CHANNELS: usize = 15;

/// Reads `[1, 15, h, w]` for each stride. For the cell in column c, row r: score = sigmoid(v0);
/// centre = ((c + 0.5 + v1) * s, (r + 0.5 + v2) * s); size = (e^v3 * s, e^v4 * s);
/// landmark i = ((c + 0.5 + v(5+2i)) * s, (r + 0.5 + v(6+2i)) * s).
pub fn decode(outputs: &[Output], size: (u32, u32), threshold: f32) -> Result<Vec<Face>, String> {
    if outputs.len() != STRIDES.len() {
        return Err(format!("{} outputs, not one for each of {STRIDES:?}", outputs.len()));
    }
    // Compared before the sigmoid: most cells are background and need nothing more.
    let threshold = threshold.clamp(1e-6, 1.0 - 1e-6);
    let lowest = (threshold / (1.0 - threshold)).ln();
    let mut faces = Vec::new();
    for (output, stride) in outputs.iter().zip(STRIDES) {
        let (width, height) = (size.0 as usize / stride, size.1 as usize / stride);
        if output.shape != [1, CHANNELS, height, width] {
            return Err(format!(
                "stride {stride} gives {:?}, not {:?}",
                output.shape,
                [1, CHANNELS, height, width]
            ));
        }
        let cells = width * height;
        let (scores, rest) = output.values.split_at(cells);
        for (cell, &logit) in scores.iter().enumerate().filter(|(_, logit)| **logit >= lowest) {
            let value = |channel: usize| rest[(channel - 1) * cells + cell];
            let s = stride as f32;
            let (column, row) = ((cell % width) as f32 + 0.5, (cell / width) as f32 + 0.5);
            let (x, y) = ((column + value(1)) * s, (row + value(2)) * s);
            let (w, h) = (side(value(3)) * s, side(value(4)) * s);
            let landmarks = std::array::from_fn(|i| Point {
                x: (column + value(5 + 2 * i)) * s,
                y: (row + value(6 + 2 * i)) * s,
            });
            let bounds =
                Rect { x1: x - w / 2.0, y1: y - h / 2.0, x2: x + w / 2.0, y2: y + h / 2.0 };
            faces.push(Face { bounds, score: 1.0 / (1.0 + (-logit).exp()), landmarks });
        }
    }
    Ok(faces)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three outputs for a 64 × 32 input in which every cell is background.
    fn background() -> Vec<Output> {
        STRIDES
            .iter()
            .map(|s| {
                let (h, w) = (32 / s, 64 / s);
                let mut values = vec![0.0; CHANNELS * h * w];
                values[..h * w].fill(-9.0);
                Output { shape: vec![1, CHANNELS, h, w], values }
            })
            .collect()
    }

    fn set(output: &mut Output, cell: usize, channels: &[(usize, f32)]) {
        let cells = output.shape[2] * output.shape[3];
        for &(channel, value) in channels {
            output.values[channel * cells + cell] = value;
        }
    }

    #[test]
    fn a_cell_becomes_the_face_its_numbers_describe() {
        let mut outputs = background();
        // Stride 16, row 1, column 2: centre (40, 24), moved by (0.25, -0.5) cells.
        let numbers =
            [(0, 0.0), (1, 0.25), (2, -0.5), (3, 2.0_f32.ln()), (4, 3.0_f32.ln()), (9, 1.0)];
        set(&mut outputs[1], 4 + 2, &numbers);
        let faces = decode(&outputs, (64, 32), 0.4).expect("the shapes are right");
        assert_eq!(faces.len(), 1);
        let face = faces[0];
        assert_eq!(face.score, 0.5);
        let expected = [44.0 - 16.0, 16.0 - 24.0, 44.0 + 16.0, 16.0 + 24.0];
        let found: [f32; 4] = face.bounds.into();
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?}");
        assert_eq!(face.landmarks[0], Point { x: 40.0, y: 24.0 });
        assert_eq!(face.landmarks[2], Point { x: 56.0, y: 24.0 });
    }

    #[test]
    fn a_score_below_the_threshold_gives_no_face() {
        let mut outputs = background();
        set(&mut outputs[0], 3, &[(0, 1.0)]);
        assert_eq!(decode(&outputs, (64, 32), 0.74).map(|f| f.len()), Ok(0));
        assert_eq!(decode(&outputs, (64, 32), 0.73).map(|f| f.len()), Ok(1));
    }

    #[test]
    fn outputs_of_another_shape_are_refused_with_both_shapes() {
        let error = decode(&background(), (64, 64), 0.5).expect_err("the height is wrong");
        assert_eq!(error, "stride 8 gives [1, 15, 4, 8], not [1, 15, 8, 8]");
        assert!(decode(&background()[..2], (64, 32), 0.5).is_err());
    }

    #[test]
    fn wild_outputs_stay_finite() {
        let mut outputs = background();
        set(&mut outputs[2], 0, &[(0, 90.0), (3, 1e9), (4, 1e9)]);
        let faces = decode(&outputs, (64, 32), 0.5).expect("the shapes are right");
        assert!(faces[0].bounds.width().is_finite() && faces[0].score <= 1.0);
    }
}
