//! The landmarks' last layer, fitted once more in closed form.
//!
//! Stochastic steps leave the rare, turned heads short of their true turn, because most heads are
//! frontal. The last layer is linear, so the best weights for the features that were learned can
//! be computed: weighted ridge regression over many faces, each stride by itself. What features
//! cannot tell pulls every regression towards the mean, here a frontal head; so the nose is then
//! moved out again, towards where found turns are as large as the true ones that caused them.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};

use super::network::{Head, Network, POINT_CHANNELS, STRIDES};
use super::targets::{self, Cells};
use crate::picture::{Point, yaw};

/// Keeps features that hardly vary from getting wild weights, as a part of their mean square.
const RIDGE: f64 = 1e-3;
/// A head turned by so many degrees counts twice, by twice as many five times.
const TURN: f32 = 25.0;
/// Cells a stride needs, or its layer stays as it is.
const LEAST: usize = 500;
/// Found turns are made larger so many times at most, stride by stride: noise grows with them. On
/// run 6's validation pictures 1.2 at stride 8 doubled the frontal heads that were lost, 1.6 at
/// stride 32 found hardly more turned ones; stride 16 has the faces at a door.
const LARGEST_GAIN: [f64; 3] = [1.0, 1.45, 1.0];
/// The nose beside the middle of the eyes, as a sum of the ten coordinates: the turn.
const OFFSET: [f64; POINT_CHANNELS] = [-0.5, 0.0, -0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
const NOSE_X: usize = 4;

/// The sums that a regression needs, for one stride.
struct Sums {
    /// Features against features; the last feature is 1.
    square: Vec<f64>,
    /// Features against the ten coordinates.
    cross: Vec<f64>,
    /// The true turn against itself.
    turn: f64,
    cells: usize,
}

/// Fits the landmarks of `network` (without autodiff) to `batches` of side, input and cells.
pub fn landmarks(
    mut network: Network,
    batches: impl Iterator<Item = (usize, Vec<f32>, Vec<Cells>)>,
    device: &Device,
) -> Network {
    let features = network.neck.heads.first().map_or(0, |head| head.points.weight.dims()[1]);
    let inputs = features + 1;
    let mut sums = STRIDES.map(|_| Sums {
        square: vec![0.0; inputs * inputs],
        cross: vec![0.0; inputs * POINT_CHANNELS],
        turn: 0.0,
        cells: 0,
    });
    for (side, input, cells) in batches {
        let data = TensorData::new(input, [cells.len(), 3, side, side]);
        let levels = network.point_features(Tensor::from_data(data, device));
        let grid = targets::grid(side);
        let mut first = 0;
        for ((level, sums), stride) in levels.into_iter().zip(&mut sums).zip(STRIDES) {
            let count = (side / stride).pow(2);
            // All are float32, so the conversion cannot fail.
            let values: Vec<f32> = level.into_data().try_into_vec().unwrap_or_default();
            for (sample, values) in cells.iter().zip(values.chunks_exact(features * count)) {
                for cell in 0..count {
                    let at = first + cell;
                    if sample.has_landmarks[at] > 0.0 {
                        let row: Vec<f64> = (0..features)
                            .map(|channel| f64::from(values[channel * count + cell]))
                            .chain([1.0])
                            .collect();
                        sums.add(&row, sample, at, grid[at]);
                    }
                }
            }
            first += count;
        }
    }
    for ((head, sums), largest) in network.neck.heads.iter_mut().zip(sums).zip(LARGEST_GAIN) {
        let cross = sums.cross.clone();
        if sums.cells >= LEAST
            && let Some(mut solution) = solve(sums.square, sums.cross)
        {
            expand(&mut solution, &cross, sums.turn, largest);
            put(head, &solution, device);
        }
    }
    network
}

impl Sums {
    fn add(&mut self, row: &[f64], sample: &Cells, at: usize, (center, stride): (Point, f32)) {
        let wanted = &sample.landmarks[at * POINT_CHANNELS..(at + 1) * POINT_CHANNELS];
        let points: [Point; 5] =
            std::array::from_fn(|i| Point { x: wanted[2 * i], y: wanted[2 * i + 1] });
        let edges = &sample.bounds[at * 4..at * 4 + 4];
        let size = ((edges[2] - edges[0]) * (edges[3] - edges[1])).max(1.0).sqrt();
        let turn = yaw(&points).abs().min(90.0) / TURN;
        // Distances count in parts of the face, as in the loss.
        let weight = f64::from((stride / size).powi(2) * (1.0 + turn * turn));
        let wanted: Vec<f64> = points
            .iter()
            .flat_map(|p| [p.x - center.x, p.y - center.y])
            .map(|distance| f64::from(distance / stride))
            .collect();
        for (index, &a) in row.iter().enumerate() {
            for (other, &b) in row.iter().enumerate() {
                self.square[index * row.len() + other] += weight * a * b;
            }
            for (channel, point) in wanted.iter().enumerate() {
                self.cross[index * POINT_CHANNELS + channel] += weight * a * point;
            }
        }
        self.turn += weight * offset(&wanted).powi(2);
        self.cells += 1;
    }
}

/// Solves `square * solution = cross` by Cholesky's decomposition, after adding the ridge; `None`
/// where the features say nothing.
fn solve(mut square: Vec<f64>, mut cross: Vec<f64>) -> Option<Vec<f64>> {
    let inputs = cross.len() / POINT_CHANNELS;
    let features = inputs - 1;
    let mean = (0..features).map(|i| square[i * inputs + i]).sum::<f64>() / features as f64;
    for i in 0..features {
        square[i * inputs + i] += RIDGE * mean;
    }
    for i in 0..inputs {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| square[i * inputs + k] * square[j * inputs + k]).sum();
            let rest = square[i * inputs + j] - known;
            square[i * inputs + j] = if i == j {
                (rest > 0.0).then(|| rest.sqrt())?
            } else {
                rest / square[j * inputs + j]
            };
        }
    }
    for channel in 0..POINT_CHANNELS {
        let at = |row: usize| row * POINT_CHANNELS + channel;
        for i in 0..inputs {
            let known: f64 = (0..i).map(|k| square[i * inputs + k] * cross[at(k)]).sum();
            cross[at(i)] = (cross[at(i)] - known) / square[i * inputs + i];
        }
        for i in (0..inputs).rev() {
            let known: f64 = (i + 1..inputs).map(|k| square[k * inputs + i] * cross[at(k)]).sum();
            cross[at(i)] = (cross[at(i)] - known) / square[i * inputs + i];
        }
    }
    Some(cross)
}

/// How far the nose lies beside the middle of the eyes.
fn offset(coordinates: &[f64]) -> f64 {
    coordinates.iter().zip(OFFSET).map(|(value, part)| value * part).sum()
}

/// Moves the nose of `solution` out until the slope of found against true turn is 1, or by the
/// `largest` gain. `turn` is the true turn against itself.
fn expand(solution: &mut [f64], cross: &[f64], turn: f64, largest: f64) {
    let found: Vec<f64> = solution.chunks_exact(POINT_CHANNELS).map(offset).collect();
    let wanted = cross.chunks_exact(POINT_CHANNELS).map(offset);
    let slope = found.iter().zip(wanted).map(|(f, w)| f * w).sum::<f64>() / turn;
    if slope > 0.0 {
        let gain = (1.0 / slope).clamp(1.0, largest);
        for (row, found) in solution.chunks_exact_mut(POINT_CHANNELS).zip(found) {
            row[NOSE_X] += (gain - 1.0) * found;
        }
    }
}

fn put(head: &mut Head, solution: &[f64], device: &Device) {
    let features = solution.len() / POINT_CHANNELS - 1;
    let value = |input: usize, channel: usize| solution[input * POINT_CHANNELS + channel] as f32;
    let weight: Vec<f32> = (0..POINT_CHANNELS)
        .flat_map(|channel| (0..features).map(move |input| (input, channel)))
        .map(|(input, channel)| value(input, channel))
        .collect();
    let bias: Vec<f32> = (0..POINT_CHANNELS).map(|channel| value(features, channel)).collect();
    let data = TensorData::new(weight, [POINT_CHANNELS, features, 1, 1]);
    head.points.weight = Param::from_tensor(Tensor::from_data(data, device));
    head.points.bias = Some(Param::from_tensor(Tensor::from_floats(bias.as_slice(), device)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::random::Random;

    const POINTS: usize = 48;
    const INPUTS: usize = POINTS + 1;

    #[test]
    fn a_linear_truth_is_found_again() {
        let mut random = Random::new(8);
        let truth: Vec<f64> =
            (0..INPUTS * POINT_CHANNELS).map(|_| f64::from(random.range(-1.0, 1.0))).collect();
        let (mut square, mut cross) =
            (vec![0.0; INPUTS * INPUTS], vec![0.0; INPUTS * POINT_CHANNELS]);
        for _ in 0..2000 {
            let row: Vec<f64> =
                (0..POINTS).map(|_| f64::from(random.range(-1.0, 1.0))).chain([1.0]).collect();
            for (i, a) in row.iter().enumerate() {
                for (j, b) in row.iter().enumerate() {
                    square[i * INPUTS + j] += a * b;
                }
                for channel in 0..POINT_CHANNELS {
                    let value = |k: usize| row[k] * truth[k * POINT_CHANNELS + channel];
                    cross[i * POINT_CHANNELS + channel] += a * (0..INPUTS).map(value).sum::<f64>();
                }
            }
        }
        let found = solve(square, cross).expect("the features vary");
        let worst = found.iter().zip(&truth).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 0.01, "{worst}");
    }

    #[test]
    fn turns_that_are_found_too_small_are_expanded() {
        // One feature that is the true turn, of which 0.8 is found.
        let mut solution = vec![0.0; 2 * POINT_CHANNELS];
        solution[NOSE_X] = 0.8;
        let mut cross = vec![0.0; 2 * POINT_CHANNELS];
        let mut turn = 0.0;
        for feature in [-3.0, -1.0, 1.0, 3.0] {
            cross[NOSE_X] += feature * feature;
            turn += feature * feature;
        }
        expand(&mut solution, &cross, turn, 1.5);
        assert!((solution[NOSE_X] - 1.0).abs() < 1e-9, "{}", solution[NOSE_X]);
        // Not beyond measure, and none that is found too large.
        solution[NOSE_X] = 0.1;
        expand(&mut solution, &cross, turn, 1.5);
        assert!((solution[NOSE_X] - 0.15).abs() < 1e-9);
        solution[NOSE_X] = 2.0;
        expand(&mut solution, &cross, turn, 1.5);
        assert_eq!(solution[NOSE_X], 2.0);
    }

    #[test]
    fn features_that_are_nothing_change_nothing() {
        let (square, cross) = (vec![0.0; INPUTS * INPUTS], vec![0.0; INPUTS * POINT_CHANNELS]);
        assert!(solve(square, cross).is_none());
    }
}
