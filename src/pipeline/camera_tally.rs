use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What capture counts, and what there is to say of the camera; readable from outside.
#[derive(Clone, Debug, Default)]
pub struct CameraTally {
    pub(super) losses: Arc<AtomicU64>,
    pub(super) broken: Arc<AtomicU64>,
    pub(super) passed_over: Arc<AtomicU64>,
    pub(super) words: Arc<Mutex<String>>,
}

impl CameraTally {
    /// How often the source was lost, or was not there at the start.
    pub fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    /// Frames passed over because they were damaged.
    pub fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }

    /// Whole frames that the source gave up for a newer one before they were taken from it.
    pub fn passed_over(&self) -> u64 {
        self.passed_over.load(Ordering::Relaxed)
    }

    /// `v4l2 /dev/video0 (a camera), 640x480 YUYV`, or why there is none.
    pub fn words(&self) -> String {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn say(&self, words: String) {
        *self.words.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }
}
