//! What a camera, a distance and a hand do to a picture: random views for training.
//! Two halves: geometric (one affine warp) and photometric (light, lens, sensor, compression).
//! Deterministic for its random stream; never changes what is worn.

mod geometric;
mod photometric;
#[cfg(test)]
mod tests;

pub use geometric::{Affine, Geometry, Turn, warp};
pub use photometric::{cover_below, photometric};
