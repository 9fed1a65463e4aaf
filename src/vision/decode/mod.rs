//! From a detector's raw outputs to faces. One file per family of models.

mod center;
mod ultraface;
mod yunet;

use std::ops::RangeInclusive;

use super::VisionError;
use super::model::{ModelFile, Output};
use crate::picture::Face;

/// Whose outputs these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Family {
    /// Ours: anchor-free, one output of 15 channels per stride.
    Center,
    /// YuNet, as OpenCV's model zoo publishes it.
    YuNet(yunet::Outputs),
    /// UltraFace, with its priors inside and so of one input size (width, height).
    UltraFace { size: (u32, u32) },
}

/// Sides in pixels of the input of a file that takes only one size: those that can be configured.
const FIXED: RangeInclusive<u32> = 32..=1920;

/// How bytes become the network's input: `byte * scale + offset`.
#[derive(Clone, Copy, Debug)]
pub struct Normalisation {
    pub scale: f32,
    pub offset: f32,
    pub bgr: bool,
}

impl Family {
    /// Tells the families apart by metadata and names of the outputs.
    pub fn of(file: &ModelFile) -> Result<Self, VisionError> {
        let outputs = file.outputs();
        let wrong = |reason| VisionError::WrongShape {
            model: file.origin().name.clone(),
            wanted: "face detector",
            reason,
        };
        if file.metadata("maskgate.decoder") == Some("center") {
            return Ok(Family::Center);
        }
        if let Some(order) = yunet::Outputs::of(&outputs) {
            return Ok(Family::YuNet(order));
        }
        if outputs == ["scores", "boxes"]
            && let [_, Some(3), Some(height), Some(width)] = file.input()[..]
        {
            let side = |side| u32::try_from(side).ok().filter(|side| FIXED.contains(side));
            return match (side(width), side(height)) {
                (Some(width), Some(height)) => Ok(Family::UltraFace { size: (width, height) }),
                _ => Err(wrong(format!(
                    "its input is {width} by {height} pixels; {} to {} each way are taken",
                    FIXED.start(),
                    FIXED.end()
                ))),
            };
        }
        Err(wrong(format!(
            "its outputs are {outputs:?}; a maskgate detector, a YuNet or an UltraFace file is needed"
        )))
    }

    /// The only input size the file takes, where it takes only one.
    pub fn fixed_size(&self) -> Option<(u32, u32)> {
        match self {
            Family::UltraFace { size } => Some(*size),
            Family::Center | Family::YuNet(_) => None,
        }
    }

    /// Whether its landmarks are found in the picture, not merely placed in the box.
    pub fn finds_landmarks(&self) -> bool {
        !matches!(self, Family::UltraFace { .. })
    }

    /// What the network wants to see.
    pub fn normalisation(&self) -> Normalisation {
        match self {
            Family::Center => Normalisation { scale: 1.0 / 127.5, offset: -1.0, bgr: false },
            Family::YuNet(_) => Normalisation { scale: 1.0, offset: 0.0, bgr: true },
            Family::UltraFace { .. } => {
                Normalisation { scale: 1.0 / 128.0, offset: -127.0 / 128.0, bgr: false }
            }
        }
    }

    /// Candidates above `threshold`, in pixels of the input tensor of `size`, not yet suppressed. One
    /// with a number that is none costs itself.
    /// The error says how the outputs differ from what the family has.
    pub fn decode(
        &self,
        outputs: &[Output],
        size: (u32, u32),
        threshold: f32,
    ) -> Result<Vec<Face>, String> {
        let mut faces = match self {
            Family::Center => center::decode(outputs, size, threshold),
            Family::YuNet(order) => yunet::decode(outputs, order, size, threshold),
            Family::UltraFace { size } => ultraface::decode(outputs, *size, threshold),
        }?;
        faces.retain(|face| {
            let bounds: [f32; 4] = face.bounds.into();
            let points = face.landmarks.iter().flat_map(|p| [p.x, p.y]);
            bounds.into_iter().chain(points).chain([face.score]).all(f32::is_finite)
        });
        Ok(faces)
    }
}

/// Side in cells of a box of this logarithm. Beyond e^6 cells no box fits a picture, and a wild output must
/// not become infinite; NaN stays so.
fn side(logarithm: f32) -> f32 {
    logarithm.clamp(f32::MIN, 6.0).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_with_a_number_that_is_none_costs_itself() {
        let outputs = |channel: usize, value: f32| -> Vec<Output> {
            let of = |stride: usize| {
                let cells = 64 / stride * (32 / stride);
                let mut values = vec![0.0; center::CHANNELS * cells];
                values[..cells].fill(-9.0);
                if stride == 8 {
                    // Two faces, one of them with this value.
                    values[..2].fill(9.0);
                    values[channel * cells] = value;
                }
                Output { shape: vec![1, center::CHANNELS, 32 / stride, 64 / stride], values }
            };
            center::STRIDES.map(of).into()
        };
        let count = |channel, value| {
            Family::Center.decode(&outputs(channel, value), (64, 32), 0.5).unwrap().len()
        };
        assert_eq!(count(1, 0.0), 2);
        for channel in 0..center::CHANNELS {
            assert_eq!(count(channel, f32::NAN), 1, "channel {channel}");
        }
        assert_eq!((count(3, f32::INFINITY), count(4, f32::NEG_INFINITY)), (2, 2));
    }
}
