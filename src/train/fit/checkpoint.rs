//! A training set down on disk after each epoch, to be taken up again.

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FitError;

/// What was decided before the training and how far it came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// Everything that shapes the result; a training is only taken up with the same.
    pub settings: Value,
    /// Epochs done.
    pub epochs: usize,
}

/// A folder that holds the last finished epoch.
pub struct Checkpoint {
    folder: PathBuf,
}

/// What a checkpoint gives back.
pub struct Saved<M> {
    pub network: M,
    pub average: M,
    pub optimiser: ModuleOptimizer,
    pub epochs: usize,
}

impl Checkpoint {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Writes beside the old one and then takes its place, so that a power cut costs an epoch at
    /// most.
    pub fn save<M: Module>(
        &self,
        network: &M,
        average: M,
        optimiser: &ModuleOptimizer,
        progress: &Progress,
    ) -> Result<(), FitError> {
        let fresh = self.folder.with_extension("new");
        let old = self.folder.with_extension("old");
        let failed = |reason: String| FitError::Checkpoint { path: self.folder.clone(), reason };
        let io = |error: std::io::Error| failed(error.to_string());
        for left_over in [&fresh, &old] {
            if left_over.exists() {
                fs::remove_dir_all(left_over).map_err(io)?;
            }
        }
        fs::create_dir_all(&fresh).map_err(io)?;
        let record = |error: burn::store::RecordError| failed(error.to_string());
        // The snapshot's running statistics include the last batch.
        network.valid().into_record().save(fresh.join("network.bpk")).map_err(record)?;
        average.into_record().save(fresh.join("average.bpk")).map_err(record)?;
        optimiser.save(fresh.join("optimiser.bpk")).map_err(record)?;
        let text = serde_json::to_string_pretty(progress).map_err(|e| failed(e.to_string()))?;
        fs::write(fresh.join("progress.json"), text).map_err(io)?;
        if self.folder.exists() {
            fs::rename(&self.folder, &old).map_err(io)?;
        }
        fs::rename(&fresh, &self.folder).map_err(io)?;
        if old.exists() {
            fs::remove_dir_all(&old).map_err(io)?;
        }
        Ok(())
    }

    /// Takes up what was saved; `network` and `optimiser` give the shape.
    ///
    /// # Errors
    /// No checkpoint there, one that cannot be read, or one of other settings; those are named.
    pub fn load<M: Module>(
        &self,
        network: M,
        optimiser: ModuleOptimizer,
        settings: &Value,
    ) -> Result<Saved<M>, FitError> {
        let failed = |reason: String| FitError::Checkpoint { path: self.folder.clone(), reason };
        let text = fs::read_to_string(self.folder.join("progress.json"))
            .map_err(|error| failed(format!("nothing to take up: {error}")))?;
        let progress: Progress =
            serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
        // Read back from text as the saved ones were: reading may cost a number its last bit.
        let asked: Value = serde_json::from_str(&settings.to_string())
            .map_err(|error| failed(error.to_string()))?;
        let other = differences(&progress.settings, &asked);
        if !other.is_empty() {
            return Err(FitError::OtherSettings { path: self.folder.clone(), other });
        }
        let record = |error: burn::store::RecordError| failed(error.to_string());
        let load = |name: &str, onto: M| {
            let record = ModuleRecord::load(self.folder.join(name))?;
            onto.try_load_record(record)
        };
        Ok(Saved {
            average: load("average.bpk", network.clone()).map_err(record)?,
            network: load("network.bpk", network).map_err(record)?,
            optimiser: optimiser.load(self.folder.join("optimiser.bpk")).map_err(record)?,
            epochs: progress.epochs,
        })
    }
}

/// One line for each key whose values differ.
fn differences(saved: &Value, asked: &Value) -> String {
    let empty = serde_json::Map::new();
    let (saved, asked) = (saved.as_object().unwrap_or(&empty), asked.as_object().unwrap_or(&empty));
    let keys: std::collections::BTreeSet<&String> = saved.keys().chain(asked.keys()).collect();
    let show = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
    keys.into_iter()
        .filter(|key| saved.get(*key) != asked.get(*key))
        .map(|key| format!("{key} was {}, is {}", show(saved.get(key)), show(asked.get(key))))
        .collect::<Vec<_>>()
        .join("; ")
}
