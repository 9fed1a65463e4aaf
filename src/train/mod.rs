//! Training: data, networks, fitting, ONNX.
//! Only with the feature `train`; crop and preprocessing are vision's.

/// As `println!`, but a training of hours goes on where nobody reads what it tells any more.
macro_rules! tell {
    ($($words:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}

/// The same for standard error.
macro_rules! note {
    ($($words:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}

pub mod augment;
pub mod boxes;
pub mod classifier;
pub mod clip;
pub mod dashboard;
pub mod data;
pub mod detector;
pub mod device;
pub mod digest;
pub mod evaluate;
pub mod fit;
pub mod history;
pub mod label;
pub mod layers;
pub mod mobilenet;
pub mod network;
pub mod onnx;
pub mod parameters;
pub mod pictures;
pub mod plot;
pub mod progress;
pub mod quantise;
pub mod random;
pub mod report;
pub mod resnet;
pub mod sheet;
pub mod synthesise;
pub mod weights;

/// Asked for in a way that only other options mend.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUse(pub String);
