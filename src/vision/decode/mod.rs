//! From a detector's raw outputs to faces. One file per family of models.

mod center;
mod ultraface;
mod yunet;

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
        if file.metadata("maskgate.decoder") == Some("center") {
            return Ok(Family::Center);
        }
        if let Some(order) = yunet::Outputs::of(&outputs) {
            return Ok(Family::YuNet(order));
        }
        if outputs == ["scores", "boxes"]
            && let [_, Some(3), Some(height), Some(width)] = file.input()[..]
            && let (Ok(width), Ok(height)) = (u32::try_from(width), u32::try_from(height))
        {
            return Ok(Family::UltraFace { size: (width, height) });
        }
        Err(VisionError::WrongShape {
            model: file.origin().name.clone(),
            wanted: "face detector",
            reason: format!(
                "its outputs are {outputs:?}; a maskgate detector, a YuNet or an UltraFace file is \
                 needed"
            ),
        })
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

    /// Candidates above `threshold`, in pixels of the input tensor of `size`, not yet suppressed.
    /// The error says how the outputs differ from what the family has.
    pub fn decode(
        &self,
        outputs: &[Output],
        size: (u32, u32),
        threshold: f32,
    ) -> Result<Vec<Face>, String> {
        match self {
            Family::Center => center::decode(outputs, size, threshold),
            Family::YuNet(order) => yunet::decode(outputs, order, size, threshold),
            Family::UltraFace { size } => ultraface::decode(outputs, *size, threshold),
        }
    }
}
