//! By how much a network's landmarks show too small a turn of the head.
//!
//! Most heads look ahead. Where the network is not sure how far one is turned, it places the nose
//! between all that it might be, nearer to frontal than it is. Landmarks are best so; the turn that is
//! read from them wants a gain, which goes into the file for `vision::Detector::yaw`.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};

use super::network::{BOX_CHANNELS, Network, POINT_CHANNELS};
use super::pose::Pose;
use super::targets::{self, Cells};
use crate::picture::{Face, Point, Rect, gained, yaw};
use crate::vision;

/// Sizes in pixels, square root of the area, that faces have at a door.
const SIZES: Range<f32> = 24.0..64.0;
/// Gains to choose from are a twentieth apart.
const STEP: f32 = 0.05;
const STEPS: u8 = 20;
/// Fewer turned or frontal heads tell nothing.
const FEWEST: usize = 20;
/// A frontal head that is taken for turned away waits longer for its verdict, or gets none; that
/// counts so many times as much as a turned one whose look is believed.
const LOST: f32 = 3.0;

/// What the nose's distance from the middle line is to be multiplied with, 1 to 2, measured with
/// `network` (without autodiff) on `batches` of side, input and cells. `None` where they show too few
/// heads to tell.
pub fn measure(
    network: &Network,
    batches: impl Iterator<Item = (usize, Vec<f32>, Vec<Cells>)>,
    device: &Device,
) -> Option<f32> {
    best(&seen(network, batches, device))
}

/// True and found turns of all faces that count.
fn seen(
    network: &Network,
    batches: impl Iterator<Item = (usize, Vec<f32>, Vec<Cells>)>,
    device: &Device,
) -> Vec<(f32, f32)> {
    let mut turns = Vec::new();
    for (side, input, cells) in batches {
        if !cells.iter().any(|sample| (0..sample.positive.len()).any(|at| counts(sample, at))) {
            continue;
        }
        let grid = targets::grid(side);
        let data = TensorData::new(input, [cells.len(), 3, side, side]);
        // For each sample what its cells say of their faces.
        let mut said: Vec<Vec<Face>> = vec![vec![]; cells.len()];
        let mut first = 0;
        for output in network.forward(Tensor::from_data(data, device)) {
            let [_, channels, height, width] = output.dims();
            let count = height * width;
            // All are float32, so the conversion cannot fail.
            let values: Vec<f32> = output.into_data().try_into_vec().unwrap_or_default();
            let samples = cells.iter().zip(values.chunks_exact(channels * count)).zip(&mut said);
            for ((sample, values), said) in samples {
                for cell in (0..count).filter(|cell| counts(sample, first + cell)) {
                    let value = |channel: usize| values[channel * count + cell];
                    let (center, stride) = grid[first + cell];
                    let landmarks = std::array::from_fn(|i| Point {
                        x: center.x + stride * value(BOX_CHANNELS + 2 * i),
                        y: center.y + stride * value(BOX_CHANNELS + 2 * i + 1),
                    });
                    let (bounds, score) = (bounds(sample, first + cell), sigmoid(value(0)));
                    said.push(Face { bounds, score, landmarks });
                }
            }
            first += count;
        }
        for (sample, said) in cells.iter().zip(said) {
            turns.extend(found(sample, said));
        }
    }
    turns
}

/// True and found turns of the faces of a sample. A face's landmarks are the mean of what its cells
/// say, as they are where the network is used.
fn found(sample: &Cells, said: Vec<Face>) -> Vec<(f32, f32)> {
    let known: Vec<_> = (0..sample.positive.len()).filter(|at| counts(sample, *at)).collect();
    let turns = vision::suppress(said, 0.99, 0.0).into_iter().filter_map(|face| {
        let at = known.iter().find(|at| bounds(sample, **at) == face.bounds)?;
        Some((yaw(&landmarks(sample, *at)), yaw(&face.landmarks)))
    });
    turns.collect()
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// Whether the cell has a face of a size that counts and with landmarks.
fn counts(sample: &Cells, at: usize) -> bool {
    let size = bounds(sample, at).area().max(0.0).sqrt();
    sample.has_landmarks[at] > 0.0 && SIZES.contains(&size)
}

fn bounds(sample: &Cells, at: usize) -> Rect {
    std::array::from_fn(|edge| sample.bounds[at * 4 + edge]).into()
}

fn landmarks(sample: &Cells, at: usize) -> [Point; 5] {
    let values = &sample.landmarks[at * POINT_CHANNELS..(at + 1) * POINT_CHANNELS];
    std::array::from_fn(|i| Point { x: values[2 * i], y: values[2 * i + 1] })
}

/// The gain with which `turns`, true and found, are told best, the smallest of several.
fn best(turns: &[(f32, f32)]) -> Option<f32> {
    let told = |gain: f32| {
        let mut pose = Pose::default();
        turns.iter().for_each(|&(known, found)| pose.add(known, gained(found, gain)));
        pose.told().filter(|told| told.away >= FEWEST && told.frontal >= FEWEST)
    };
    let gains = (0..=STEPS).map(|step| 1.0 + STEP * f32::from(step));
    let worths =
        gains.filter_map(|gain| told(gain).map(|t| (gain, t.away_seen - LOST * t.frontal_lost)));
    worths.reduce(|best, other| if other.1 > best.1 { other } else { best }).map(|best| best.0)
}

#[cfg(test)]
mod tests {
    use burn::module::Param;

    use super::*;
    use crate::train::detector::network::Channels;
    use crate::train::detector::targets::Target;

    /// Heads turned by up to 60 degrees either way, found turned by a part of it.
    fn turns(part: f32) -> impl Iterator<Item = (f32, f32)> {
        (-600..=600).map(|tenth| tenth as f32 / 10.0).map(move |known| (known, gained(known, part)))
    }

    #[test]
    fn turns_that_are_found_too_small_get_the_gain_that_makes_them_true() {
        let of = |turns: &[(f32, f32)]| best(turns).unwrap();
        assert!((of(&turns(0.7).collect::<Vec<_>>()) - 1.45).abs() < 0.01, "1 / 0.7 is 1.43");
        assert_eq!(of(&turns(1.3).collect::<Vec<_>>()), 1.0, "none for what is found too large");
        // Not where frontal heads would be lost: each tenth one is found turned by 32 degrees.
        let odd = (0..60).map(|number| (0.0, if number % 10 == 0 { 32.0 } else { 0.0 }));
        let unsure: Vec<_> = turns(0.7).filter(|t| t.0.abs() > 40.0).chain(odd).collect();
        let gain = of(&unsure);
        assert!(gain < 1.35 && gained(32.0, gain) <= 40.0, "{gain}");
    }

    #[test]
    fn too_few_heads_tell_nothing() {
        let frontal: Vec<_> = turns(0.7).filter(|t| t.0.abs() < 20.0).collect();
        let turned: Vec<_> = turns(0.7).filter(|t| t.0 > 50.0).collect();
        assert_eq!((best(&[]), best(&frontal), best(&turned)), (None, None, None));
        assert!(best(&[frontal, turned].concat()).is_some());
    }

    /// Landmarks about `center`, `size` large, of a head turned by `yaw` degrees.
    fn head(center: Point, size: f32, yaw: f32) -> [Point; 5] {
        // The nose stands 0.82 halves of the distance of the eyes before them.
        let offset = 0.82 * 0.2 * yaw.to_radians().tan();
        [(-0.2, -0.2), (0.2, -0.2), (offset, 0.0), (-0.16, 0.2), (0.16, 0.2)]
            .map(|(x, y)| Point { x: center.x + x * size, y: center.y + y * size })
    }

    fn cells(size: f32, landmarks: Option<[Point; 5]>) -> Cells {
        let (low, high) = (96.0 - size / 2.0, 96.0 + size / 2.0);
        let bounds = Rect { x1: low, y1: low, x2: high, y2: high };
        targets::assign(&[Target { bounds, landmarks, ignore: false, label: None }], 192)
    }

    #[test]
    fn faces_with_landmarks_count_that_are_as_large_as_at_a_door() {
        let counted = |size: f32, known: bool| {
            let landmarks = head(Point { x: 96.0, y: 96.0 }, size, 10.0);
            let cells = cells(size, known.then_some(landmarks));
            (0..cells.positive.len()).filter(|at| counts(&cells, *at)).count()
        };
        assert!(counted(40.0, true) > 0);
        assert_eq!((counted(40.0, false), counted(20.0, true), counted(90.0, true)), (0, 0, 0));
    }

    #[test]
    fn a_face_is_turned_as_the_mean_of_its_cells_says() {
        let center = Point { x: 96.0, y: 96.0 };
        let sample = cells(40.0, Some(head(center, 40.0, 50.0)));
        let at = (0..sample.positive.len()).find(|at| counts(&sample, *at)).unwrap();
        let cell = |score: f32, yaw: f32| Face {
            bounds: bounds(&sample, at),
            score,
            landmarks: head(center, 40.0, yaw),
        };
        let turns = found(&sample, vec![cell(0.6, 0.0), cell(0.2, 45.0)]);
        assert_eq!(turns.len(), 1, "{turns:?}");
        assert!((turns[0].0 - 50.0).abs() < 0.5);
        // A quarter of tan 45.
        assert!((turns[0].1.to_radians().tan() - 0.25).abs() < 1e-3, "{turns:?}");
    }

    #[test]
    fn the_turns_are_those_that_the_network_finds() {
        let device = Device::flex();
        let mut network = Network::new(&Channels::of(0.25), &device);
        // Whatever it sees, it finds a head turned by 35 degrees.
        let found = head(Point::default(), 2.0, 35.0).map(|p| [p.x, p.y]);
        for layer in network.neck.heads.iter_mut().map(|head| &mut head.points) {
            layer.weight = Param::from_tensor(layer.weight.val().zeros_like());
            layer.bias =
                Some(Param::from_tensor(Tensor::from_floats(found.as_flattened(), &device)));
        }
        let truth = head(Point { x: 96.0, y: 96.0 }, 40.0, 50.0);
        let batch = (192, vec![0.1; 3 * 192 * 192], vec![cells(40.0, Some(truth))]);
        let seen = seen(&network, std::iter::once(batch), &device);
        assert!(seen.len() == 1 && (seen[0].0 - 50.0).abs() < 0.5, "{seen:?}");
        assert!((seen[0].1 - 35.0).abs() < 0.5, "{seen:?}");
    }
}
