use std::path::PathBuf;

/// Why a model cannot be used, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum VisionError {
    #[error("{path}: the model cannot be read: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error(
        "{model}: SHA-256 is {found}, the configuration pins {pinned}: the file is damaged or \
         another one; put the right file there or change sha256"
    )]
    WrongHash { model: String, found: String, pinned: String },
    #[error(
        "{model}: the file is damaged: its content does not match the digest written in it; copy it again"
    )]
    Damaged { model: String },
    #[error("{model}: not an ONNX model that can be run: {reason}")]
    NotAModel { model: String, reason: String },
    #[error("{model}: not a {wanted}: {reason}")]
    WrongShape { model: String, wanted: &'static str, reason: String },
    #[error("{model}: inference failed: {reason}")]
    Inference { model: String, reason: String },
}
