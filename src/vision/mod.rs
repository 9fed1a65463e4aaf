//! From a picture to faces and what they wear: models, detector, crop, classifier.
//! The only place that knows tract, model files and preprocessing; the trainer uses it too.
//! Never: where the picture came from, what is done about it.

mod classifier;
pub mod crop;
mod decode;
mod detector;
mod error;
pub mod model;
mod nms;
pub mod sharpness;

pub use classifier::Classifier;
pub use decode::Family;
#[cfg(feature = "train")]
pub(crate) use detector::YAW_GAIN;
pub use detector::{Detector, open as open_detector};
pub use error::VisionError;
pub use nms::suppress;

use crate::config;
use crate::picture::{Face, Look, Picture};

/// Both models, ready to look at pictures. One of these belongs to one thread.
pub struct Vision {
    detector: Detector,
    classifier: Classifier,
}

impl Vision {
    /// Loads what the configuration names, or the built-in models.
    ///
    /// # Errors
    /// A file that cannot be read, is not the pinned one, is damaged, or is no detector or
    /// classifier; each names the file and what to do.
    pub fn load(
        detector: &config::Detector,
        classifier: &config::Classifier,
    ) -> Result<Self, VisionError> {
        Ok(Self { detector: Detector::load(detector)?, classifier: Classifier::load(classifier)? })
    }

    /// Finds the faces and says what each wears.
    pub fn look(&mut self, picture: &Picture) -> Result<Vec<Look>, VisionError> {
        let faces = self.detect(picture)?;
        faces.iter().map(|face| self.classify(picture, face)).collect()
    }

    /// Faces by falling score, in pixels of `picture`.
    pub fn detect(&mut self, picture: &Picture) -> Result<Vec<Face>, VisionError> {
        self.detector.detect(picture)
    }

    /// What one face of `picture` wears.
    pub fn classify(&mut self, picture: &Picture, face: &Face) -> Result<Look, VisionError> {
        let probabilities = self.classifier.classify(picture, &face.bounds)?;
        let sharpness = sharpness::of(picture, &face.bounds);
        Ok(Look { face: *face, probabilities, sharpness, yaw: self.detector.yaw(face) })
    }

    /// Detector, then classifier: where each came from and its SHA-256.
    pub fn models(&self) -> [&model::Origin; 2] {
        [self.detector.origin(), self.classifier.origin()]
    }
}
