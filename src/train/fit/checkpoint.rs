//! A training set down on disk after each epoch, to be taken up again.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FitError;

const PROGRESS: &str = "progress.json";

/// What was decided before the training and how far it came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// Everything that shapes the result; a training is only taken up with the same.
    pub settings: Value,
    /// Epochs done.
    pub epochs: usize,
    /// The best epoch so far, where that is watched.
    #[serde(default)]
    pub best: Option<Mark>,
}

/// How well an epoch did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Counted from 1.
    pub epoch: usize,
    /// Loss on the validation side.
    pub loss: f64,
}

/// A folder that holds the last finished epoch.
pub struct Checkpoint {
    folder: PathBuf,
    /// Locked while the training goes on.
    _lock: Option<File>,
}

/// What stands behind the folder's name while one takes the place of another.
const FRESH: &str = "unfinished";
const OLD: &str = "replaced";

/// What a checkpoint gives back.
pub struct Saved<M> {
    pub network: M,
    pub average: M,
    pub optimiser: ModuleOptimizer,
    pub epochs: usize,
    /// The best epoch so far.
    pub best: Option<Mark>,
    /// Its averaged network, where that is what will be kept.
    pub best_network: Option<M>,
}

impl<M: Clone> Saved<M> {
    /// A training of `network` at its beginning.
    pub fn fresh(network: M, optimiser: ModuleOptimizer) -> Self {
        let average = network.clone();
        Self { network, average, optimiser, epochs: 0, best: None, best_network: None }
    }
}

/// What lies beside a file or folder under its whole name: `w-0.35` has `w-0.35.lock`.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

impl Checkpoint {
    /// The checkpoint in `folder`, whether it is there yet or not.
    ///
    /// # Errors
    /// The folder has no name of its own (`.`), is a file, or holds something else, which the checkpoint
    /// would take the place of; or what it leaves beside the folder for a moment would.
    pub fn new(folder: &Path) -> Result<Self, FitError> {
        let it = Self { folder: folder.to_owned(), _lock: None };
        if folder.file_name().is_none() {
            return Err(it.failed("name a folder of its own".into()));
        }
        if folder.is_file() {
            return Err(it.failed("it is a file; name a folder".into()));
        }
        let names = |folder: &Path| -> Vec<String> {
            let files = fs::read_dir(folder).into_iter().flatten().flatten();
            files.map(|file| file.file_name().to_string_lossy().into_owned()).collect()
        };
        // One that was being written may lack any of them.
        let foreign = |names: Vec<String>| {
            names.into_iter().find(|name| name != PROGRESS && !name.contains(".bpk"))
        };
        let inside = names(folder);
        let whole = inside.is_empty() || folder.join(PROGRESS).exists();
        let other = foreign(inside).or((!whole).then(|| "no whole checkpoint".into()));
        if let Some(other) = other {
            let reason = format!("the folder holds something else, {other}; name a new one");
            return Err(it.failed(reason));
        }
        for path in [FRESH, OLD].map(|ending| beside(folder, ending)) {
            if path.is_file() || foreign(names(&path)).is_some() {
                let path = path.display();
                return Err(it.failed(format!("{path} beside it is none of its own; move it away")));
            }
        }
        Ok(it)
    }

    /// The checkpoint in `folder` for a training that will write it, alone. What cannot work is told
    /// before the training.
    ///
    /// # Errors
    /// As with [`Checkpoint::new`]; or another training writes there, or the folder cannot be made or
    /// given another name.
    pub fn claim(folder: &Path) -> Result<Self, FitError> {
        let mut it = Self::new(folder)?;
        let io = |error: std::io::Error| it.failed(error.to_string());
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(io)?;
        // What may be in a file of that name stays.
        let lock = OpenOptions::new().create(true).append(true).open(beside(folder, "lock"));
        let lock = lock.map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(it.failed("another training writes there; name another folder".into()));
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        if let Ok(there) = fs::metadata(folder)
            && there.dev() != fs::metadata(parent).map_err(io)?.dev()
        {
            let reason = "something is mounted there; name a folder within";
            return Err(it.failed(reason.into()));
        }
        it._lock = Some(lock);
        Ok(it)
    }

    /// Whether there is one to take up.
    ///
    /// # Errors
    /// One that a power cut left under its other name cannot be given its own.
    pub fn exists(&self) -> Result<bool, FitError> {
        self.recover()?;
        Ok(self.folder.join(PROGRESS).exists())
    }

    /// Writes beside the old one and then takes its place, so that a power cut or a full disk
    /// costs an epoch at most. `best` is the averaged network of `progress.best`.
    ///
    /// # Errors
    /// What could not be written; the checkpoint before it is whole then.
    pub fn save<M: Module>(
        &self,
        network: &M,
        average: M,
        optimiser: &ModuleOptimizer,
        progress: &Progress,
        best: Option<M>,
    ) -> Result<(), FitError> {
        self.recover()?;
        let fresh = beside(&self.folder, FRESH);
        let written = self.write(&fresh, network, average, optimiser, progress, best);
        if written.is_err() {
            // Half a checkpoint is of no use, and its room may be what is lacking. What went wrong
            // is told already.
            let _ = fs::remove_dir_all(&fresh);
        }
        written.and_then(|()| self.replace(&fresh))
    }

    fn write<M: Module>(
        &self,
        fresh: &Path,
        network: &M,
        average: M,
        optimiser: &ModuleOptimizer,
        progress: &Progress,
        best: Option<M>,
    ) -> Result<(), FitError> {
        let io = |error: std::io::Error| self.failed(error.to_string());
        if fresh.exists() {
            fs::remove_dir_all(fresh).map_err(io)?;
        }
        fs::create_dir_all(fresh).map_err(io)?;
        let record = |error: burn::store::RecordError| self.failed(error.to_string());
        // The snapshot's running statistics include the last batch.
        network.valid().into_record().save(fresh.join("network.bpk")).map_err(record)?;
        average.into_record().save(fresh.join("average.bpk")).map_err(record)?;
        if let Some(best) = best {
            best.into_record().save(fresh.join("best.bpk")).map_err(record)?;
        }
        optimiser.save(fresh.join("optimiser.bpk")).map_err(record)?;
        let text =
            serde_json::to_string_pretty(progress).map_err(|e| self.failed(e.to_string()))?;
        fs::write(fresh.join(PROGRESS), text).map_err(io)?;
        // On disk before it replaces anything: a full disk may be noticed only here.
        for file in fs::read_dir(fresh).map_err(io)? {
            fs::File::open(file.map_err(io)?.path()).and_then(|f| f.sync_all()).map_err(io)?;
        }
        fs::File::open(fresh).and_then(|folder| folder.sync_all()).map_err(io)
    }

    fn replace(&self, fresh: &Path) -> Result<(), FitError> {
        let old = beside(&self.folder, OLD);
        let io = |error: std::io::Error| self.failed(error.to_string());
        if old.exists() {
            fs::remove_dir_all(&old).map_err(io)?;
        }
        if self.folder.exists() {
            fs::rename(&self.folder, &old).map_err(io)?;
        }
        fs::rename(fresh, &self.folder).map_err(io)?;
        if let Some(parent) = self.folder.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::File::open(parent).and_then(|folder| folder.sync_all()).map_err(io)?;
        }
        if old.exists() {
            fs::remove_dir_all(&old).map_err(io)?;
        }
        Ok(())
    }

    /// After a power cut between the two renames the last checkpoint has the name of the old one.
    fn recover(&self) -> Result<(), FitError> {
        let old = beside(&self.folder, OLD);
        if !self.folder.exists() && old.exists() {
            fs::rename(&old, &self.folder).map_err(|error| self.failed(error.to_string()))?;
        }
        Ok(())
    }

    fn failed(&self, reason: String) -> FitError {
        FitError::Checkpoint { path: self.folder.clone(), reason }
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
        let damaged = |name: &str, reason: String| {
            self.failed(format!("{name} is damaged ({reason}); start anew in another folder"))
        };
        self.recover()?;
        let text = fs::read_to_string(self.folder.join(PROGRESS))
            .map_err(|error| self.failed(format!("nothing to take up: {error}")))?;
        let progress: Progress =
            serde_json::from_str(&text).map_err(|error| damaged(PROGRESS, error.to_string()))?;
        // Read back from text as the saved ones were: reading may cost a number its last bit.
        let asked: Value = serde_json::from_str(&settings.to_string())
            .map_err(|error| self.failed(error.to_string()))?;
        let other = differences(&progress.settings, &asked);
        if !other.is_empty() {
            return Err(FitError::OtherSettings { path: self.folder.clone(), other });
        }
        let load = |name: &str, onto: M| {
            let record = ModuleRecord::load(self.folder.join(name));
            record
                .and_then(|record| onto.try_load_record(record))
                .map_err(|error| damaged(name, error.to_string()))
        };
        // Clones share their running statistics, so what is loaded onto one must be parted from the
        // others before these are loaded; `valid` does that.
        let apart = |name: &str| load(name, network.clone()).map(|network| network.valid());
        let kept = self.folder.join("best.bpk").exists();
        let best_network = kept.then(|| apart("best.bpk")).transpose()?;
        let average = apart("average.bpk")?;
        let name = "optimiser.bpk";
        let optimiser = optimiser
            .load(self.folder.join(name))
            .map_err(|error| damaged(name, error.to_string()))?;
        Ok(Saved {
            best: progress.best,
            best_network,
            average,
            network: load("network.bpk", network)?,
            optimiser,
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
