use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::picture::{Label, Picture, Probabilities, Rect};
use crate::vision::model::ModelFile;
use crate::vision::{Classifier, VisionError, crop};

/// A trained classifier, usually a larger one, whose answers are learned beside the labels (Hinton
/// et al., "Distilling the knowledge in a neural network", 2015). It is asked of the very view that
/// the network sees (Beyer et al., "A good teacher is patient and consistent", 2022).
pub struct Teacher {
    classifier: Mutex<Classifier>,
    name: String,
}

impl Teacher {
    /// Loads the classifier at `path`.
    pub fn open(path: &Path) -> Result<Self, VisionError> {
        let file = ModelFile::open(path, "", ("no classifier", &[]))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { classifier: Mutex::new(Classifier::from_file(&file)?), name })
    }

    /// Its file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it can say.
    pub fn labels(&self) -> Vec<Label> {
        self.classifier.lock().unwrap_or_else(PoisonError::into_inner).labels().to_vec()
    }

    /// What it says of a view of any size.
    pub fn ask(&self, view: &Picture) -> Result<Probabilities, VisionError> {
        let mut classifier = self.classifier.lock().unwrap_or_else(PoisonError::into_inner);
        let side = classifier.size();
        if (view.width(), view.height()) == (side, side) {
            return classifier.classify_crop(view);
        }
        let whole = Rect { x1: 0.0, y1: 0.0, x2: view.width() as f32, y2: view.height() as f32 };
        let mut scaled = Picture::new(side, side);
        crop::resize(view, &whole, &mut scaled);
        classifier.classify_crop(&scaled)
    }
}

impl std::fmt::Debug for Teacher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Teacher").field(&self.name).finish()
    }
}
