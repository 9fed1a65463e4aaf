//! What the detector is punished for.

use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor, TensorData};

use super::network::{CHANNELS, STRIDES};
use super::targets::{self, Cells};

/// Boxes count twice because a face found in the wrong place is no use to the crop.
const BOX: f32 = 2.0;
/// Pixel distances are compared in parts of the face's size; beyond this part the loss is linear.
/// With a wide knee the error of the mean face on a turned head hardly counts: a nose that is 0.1
/// beside its place is a head turned by half.
const LANDMARK_KNEE: f32 = 0.05;
/// Power of the score's distance from its target that scales its loss. The published 2 hardly
/// punishes a score of 0.3 on a hand, which is where most false boxes are; with 1.5 they are fewer
/// (models/runs/detector-25.md).
const FOCUS: f32 = 1.5;

/// The targets of a batch as tensors.
pub struct Batch {
    pub input: Tensor<4>,
    positive: Tensor<2>,
    weight: Tensor<2>,
    bounds: Tensor<3>,
    landmarks: Tensor<3>,
    has_landmarks: Tensor<2>,
    side: usize,
}

impl Batch {
    /// `input` holds `cells.len() * 3 * side * side` values.
    pub fn new(input: Vec<f32>, cells: &[Cells], side: usize, device: &Device) -> Self {
        let n = cells.len();
        let per = targets::grid(side).len();
        let gather = |part: fn(&Cells) -> &Vec<f32>| -> Vec<f32> {
            cells.iter().flat_map(|c| part(c).iter().copied()).collect()
        };
        let flat = |part| Tensor::<2>::from_data(TensorData::new(gather(part), [n, per]), device);
        let deep = |part, width| {
            Tensor::<3>::from_data(TensorData::new(gather(part), [n, per, width]), device)
        };
        Self {
            input: Tensor::from_data(TensorData::new(input, [n, 3, side, side]), device),
            positive: flat(|c| &c.positive),
            weight: flat(|c| &c.weight),
            bounds: deep(|c| &c.bounds, 4).swap_dims(1, 2),
            landmarks: deep(|c| &c.landmarks, 10).swap_dims(1, 2),
            has_landmarks: flat(|c| &c.has_landmarks),
            side,
        }
    }
}

/// The terms of the loss, each already weighted.
pub struct Terms {
    pub total: Tensor<1>,
    pub score: Tensor<1>,
    pub boxes: Tensor<1>,
    pub landmarks: Tensor<1>,
}

/// Quality focal loss on scores (Li et al., "Generalized Focal Loss", 2020: the score learns the
/// IoU of its box), GIoU on boxes (Rezatofighi et al. 2019), smooth L1 on landmarks times
/// `landmark_weight`.
pub fn of(outputs: [Tensor<4>; 3], batch: &Batch, landmark_weight: f32) -> Terms {
    let device = batch.positive.device();
    let flat: Vec<Tensor<3>> = outputs
        .into_iter()
        .map(|output| {
            let [n, c, h, w] = output.dims();
            output.reshape([n, c, h * w])
        })
        .collect();
    let raw = Tensor::cat(flat, 2);
    let [n, _, per] = raw.dims();
    let (x, y, stride) = centers(batch.side, &device);
    let channel =
        |index: usize| raw.clone().slice([0..n, index..index + 1, 0..per]).reshape([n, per]);

    // A batch with hardly a face must not count many times as much as the others.
    let count = batch.positive.clone().sum().clamp_min(n as f32);
    let (cx, cy) =
        (x.clone() + channel(1) * stride.clone(), y.clone() + channel(2) * stride.clone());
    let width = channel(3).clamp(-3.0, 5.0).exp() * stride.clone();
    let height = channel(4).clamp(-3.0, 5.0).exp() * stride.clone();
    let predicted = [
        cx.clone() - width.clone() * 0.5,
        cy.clone() - height.clone() * 0.5,
        cx + width * 0.5,
        cy + height * 0.5,
    ];
    let wanted: [Tensor<2>; 4] = std::array::from_fn(|edge| {
        batch.bounds.clone().slice([0..n, edge..edge + 1, 0..per]).reshape([n, per])
    });
    let (iou, giou) = overlap(predicted, wanted.clone());
    let boxes = ((giou.neg() + 1.0) * batch.positive.clone()).sum() / count.clone() * BOX;

    let logit = channel(0);
    let quality = iou.detach().clamp(0.0, 1.0) * batch.positive.clone();
    let score = sigmoid(logit.clone());
    let entropy = relu(logit.clone()) - logit.clone() * quality.clone()
        + (logit.abs().neg().exp() + 1.0).log();
    let focus = (score - quality).abs().powf_scalar(FOCUS);
    let score = (entropy * focus * batch.weight.clone()).sum() / count;

    let points = raw.slice([0..n, 5..CHANNELS, 0..per]);
    let pairs = |t: Tensor<2>| t.reshape([1, 1, per]);
    let origin = Tensor::cat(vec![pairs(x), pairs(y)], 1).repeat_dim(1, 5);
    let points = origin + points * pairs(stride);
    let [x1, y1, x2, y2] = wanted;
    let size = ((x2 - x1) * (y2 - y1)).sqrt().reshape([n, 1, per]);
    let distance = ((points - batch.landmarks.clone()) / size).abs();
    let near = distance.clone().clamp_max(LANDMARK_KNEE);
    let smooth = near.clone().powi_scalar(2) * (0.5 / LANDMARK_KNEE) + (distance - near);
    let known = batch.has_landmarks.clone();
    let landmarks = (smooth.sum_dim(1).reshape([n, per]) * known.clone()).sum()
        / known.sum().clamp_min(1.0)
        * landmark_weight;

    Terms { total: score.clone() + boxes.clone() + landmarks.clone(), score, boxes, landmarks }
}

/// x, y and stride of each cell, `[1, cells]`.
fn centers(side: usize, device: &Device) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    let grid = targets::grid(side);
    let row = |part: fn(&(crate::picture::Point, f32)) -> f32| {
        let values: Vec<f32> = grid.iter().map(part).collect();
        Tensor::<2>::from_data(TensorData::new(values, [1, grid.len()]), device)
    };
    debug_assert!(STRIDES.iter().all(|s| side.is_multiple_of(*s)));
    (row(|c| c.0.x), row(|c| c.0.y), row(|c| c.1))
}

/// IoU and generalised IoU of boxes given by their four edges.
fn overlap(a: [Tensor<2>; 4], b: [Tensor<2>; 4]) -> (Tensor<2>, Tensor<2>) {
    let [ax1, ay1, ax2, ay2] = a;
    let [bx1, by1, bx2, by2] = b;
    let area = |x1: &Tensor<2>, y1: &Tensor<2>, x2: &Tensor<2>, y2: &Tensor<2>| {
        (x2.clone() - x1.clone()) * (y2.clone() - y1.clone())
    };
    let both = area(&ax1, &ay1, &ax2, &ay2) + area(&bx1, &by1, &bx2, &by2);
    let width = relu(ax2.clone().min_pair(bx2.clone()) - ax1.clone().max_pair(bx1.clone()));
    let height = relu(ay2.clone().min_pair(by2.clone()) - ay1.clone().max_pair(by1.clone()));
    let common = width * height;
    let union = both - common.clone() + 1e-6;
    let hull =
        (ax2.max_pair(bx2) - ax1.min_pair(bx1)) * (ay2.max_pair(by2) - ay1.min_pair(by1)) + 1e-6;
    let iou = common / union.clone();
    let giou = iou.clone() - (hull.clone() - union) / hull;
    (iou, giou)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Label, Point, Rect};
    use crate::train::detector::targets::{Target, assign};
    use crate::vision::Family;
    use crate::vision::model::Output;

    /// A sample with one face, 24 by 32 pixels, which only cells of stride 8 answer for; outputs that are
    /// sure of it and draw its box `off` pixels beside; and in how many cells.
    fn drawn(off: f32) -> (Batch, Rect, Vec<Output>, usize) {
        let bounds = Rect { x1: 20.0, y1: 16.0, x2: 44.0, y2: 48.0 };
        let cells = assign(
            &[Target { bounds, landmarks: None, ignore: false, label: Some(Label::WithMask) }],
            64,
        );
        let middle = bounds.center();
        let mut first = 0;
        let outputs = STRIDES.map(|stride| {
            let (side, s) = (64 / stride, stride as f32);
            let mut values = vec![0.0; CHANNELS * side * side];
            for cell in 0..side * side {
                let (x, y) = ((cell % side) as f32 + 0.5, (cell / side) as f32 + 0.5);
                let sure = cells.positive[first + cell] == 1.0;
                let numbers = [
                    if sure { 12.0 } else { -12.0 },
                    (middle.x + off) / s - x,
                    middle.y / s - y,
                    (24.0 / s).ln(),
                    (32.0 / s).ln(),
                ];
                for (channel, number) in numbers.into_iter().enumerate() {
                    values[channel * side * side + cell] = number;
                }
            }
            first += side * side;
            Output { shape: vec![1, CHANNELS, side, side], values }
        });
        let answering = cells.positive.iter().filter(|positive| **positive == 1.0).count();
        let batch = Batch::new(vec![0.0; 3 * 64 * 64], &[cells], 64, &Device::flex());
        (batch, bounds, outputs.into(), answering)
    }

    fn told(batch: &Batch, outputs: &[Output]) -> [f32; 2] {
        let tensors: Vec<Tensor<4>> = outputs
            .iter()
            .map(|output| {
                let shape: [usize; 4] = output.shape[..].try_into().unwrap();
                let data = TensorData::new(output.values.clone(), shape);
                Tensor::from_data(data, &Device::flex())
            })
            .collect();
        let terms = of(tensors.try_into().unwrap(), batch, 1.0);
        [terms.score, terms.boxes].map(|term| term.into_scalar::<f32>())
    }

    #[test]
    fn what_the_decoder_reads_as_the_face_costs_nothing() {
        let (batch, bounds, outputs, answering) = drawn(0.0);
        let found = Family::Center.decode(&outputs, (64, 64), 0.5).unwrap();
        assert!(answering >= 4);
        assert_eq!(found.len(), answering);
        for face in found {
            let (found, wanted): ([f32; 4], [f32; 4]) = (face.bounds.into(), bounds.into());
            assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-3), "{found:?}");
        }
        let [score, boxes] = told(&batch, &outputs);
        assert!(score.abs() < 1e-3 && boxes.abs() < 1e-3, "{score} {boxes}");
    }

    #[test]
    fn a_box_beside_the_face_costs_what_giou_says_and_its_score_what_it_is_too_high() {
        // Half a stride off: 20 of 24 columns are shared, nothing else lies in the hull.
        let (batch, _, outputs, _) = drawn(4.0);
        let [score, boxes] = told(&batch, &outputs);
        let iou = 20.0 / 28.0;
        assert!((boxes - 2.0 * (1.0 - iou)).abs() < 1e-3, "{boxes}");
        let wanted = 12.0 * (1.0 - iou) * (1.0_f32 - iou).powf(FOCUS);
        assert!((score - wanted).abs() < 0.01, "{score} {wanted}");
        // Two faces' widths away: GIoU goes on falling where the boxes no longer meet.
        let (batch, _, outputs, _) = drawn(48.0);
        let [_, boxes] = told(&batch, &outputs);
        assert!((boxes - 2.0 * (1.0 + 24.0 / 72.0)).abs() < 1e-3, "{boxes}");
    }

    #[test]
    fn landmarks_count_as_much_as_they_are_weighed() {
        let device = Device::flex();
        let bounds = Rect { x1: 20.0, y1: 16.0, x2: 44.0, y2: 48.0 };
        let landmarks = Some([Point { x: 30.0, y: 30.0 }; 5]);
        let cells = assign(
            &[Target { bounds, landmarks, ignore: false, label: Some(Label::WithMask) }],
            64,
        );
        let batch = Batch::new(vec![0.0; 3 * 64 * 64], &[cells], 64, &device);
        let outputs = || {
            STRIDES.map(|stride| Tensor::zeros([1, CHANNELS, 64 / stride, 64 / stride], &device))
        };
        let told = |weight| {
            let terms = of(outputs(), &batch, weight);
            [terms.total, terms.score, terms.boxes, terms.landmarks].map(|t| t.into_scalar::<f32>())
        };
        let [once, thrice] = [told(1.0), told(3.0)];
        assert!(once[3] > 0.1 && once[1..3] == thrice[1..3]);
        assert!((thrice[3] - 3.0 * once[3]).abs() < 1e-4);
        assert!((thrice[0] - once[0] - 2.0 * once[3]).abs() < 1e-4);
    }
}
