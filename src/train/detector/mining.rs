//! Hard negatives: places in pictures without a face that the network at the start takes for one.
//! They are found once, before the first step, so that every batch still depends on the seed and
//! its number alone and a training can be taken up.

use anyhow::Result;

use super::network::Network;
use super::scene::{Lure, Scenes};
use super::{export, judge};
use crate::vision::Detector;
use crate::vision::model::ModelFile;

/// Boxes count from this score on; the daemon asks for 0.45.
const SCORE: f32 = 0.15;
/// Longer sides in pixels that the pictures are looked at with: the default, and far faces.
const SIDES: [u32; 2] = [320, 640];

/// Looks for lures in `empty`; gives how many there are.
pub fn mine(network: &Network, empty: &mut [Scenes]) -> Result<usize> {
    let bytes = export::export(network)?;
    for side in SIDES {
        let file = ModelFile::parse("the network at the start".to_owned(), &bytes, "")?;
        let mut detector = judge::opened(file, side)?;
        for source in &mut *empty {
            look(&mut detector, side, source)?;
        }
    }
    Ok(empty.iter().map(|source| source.lures.len()).sum())
}

fn look(detector: &mut Detector, side: u32, source: &mut Scenes) -> Result<()> {
    for (number, scene) in source.scenes.iter().enumerate() {
        let (width, height) = (scene.picture.width() as f32, scene.picture.height() as f32);
        // The detector's input is four by three.
        let seen = (side as f32 / width).min(side as f32 * 0.75 / height);
        let found = detector.detect(&scene.picture)?;
        source.lures.extend(found.iter().filter(|face| face.score >= SCORE).map(|face| Lure {
            scene: number,
            bounds: face.bounds,
            size: face.bounds.area().sqrt() * seen,
        }));
    }
    Ok(())
}
