//! Hard negatives: places without a face that the network at the start takes for one, in pictures
//! without faces and beside the faces of the others: hands, ears, the backs of heads. They are found
//! once, before the first step, so that every batch still depends on the seed and its number alone
//! and a training can be taken up.

use anyhow::Result;
use rayon::prelude::*;

use super::network::Network;
use super::scene::{Lure, Scene, Scenes};
use super::targets::Target;
use super::{export, judge};
use crate::picture::Rect;
use crate::vision::Detector;
use crate::vision::model::ModelFile;

/// Boxes count from this score on; the daemon asks for more.
const SCORE: f32 = 0.25;
/// A box of which more than this part lies on a face, even on one to be ignored, is no lure.
const OVERLAP: f32 = 0.1;
/// Longer side in pixels that pictures are looked at with: the default.
const SIDE: u32 = 320;
/// Pictures without faces are few, and looked at for far ones too.
const FAR: u32 = 640;

/// Looks for lures in `sources` at [`SIDE`], and in `empty` at [`FAR`] too; gives how many there are.
pub fn mine(network: &Network, sources: &mut [Scenes], empty: &mut [Scenes]) -> Result<usize> {
    let bytes = export::export(network, 1.0)?;
    for source in sources.iter_mut().chain(&mut *empty) {
        source.lures = look(&bytes, SIDE, source)?;
    }
    for source in &mut *empty {
        source.lures.extend(look(&bytes, FAR, source)?);
    }
    Ok(sources.iter().chain(&*empty).map(|source| source.lures.len()).sum())
}

/// Each thread has a detector of its own; the order is that of the pictures.
fn look(network: &[u8], side: u32, source: &Scenes) -> Result<Vec<Lure>> {
    let open = || {
        let file = ModelFile::parse("the network at the start".to_owned(), network, "")?;
        judge::opened(file, side)
    };
    let found: Result<Vec<Vec<Lure>>> = source
        .scenes
        .par_iter()
        .enumerate()
        .map_init(open, |detector, (number, scene)| match detector {
            Ok(detector) => lures(detector, side, number, scene),
            Err(error) => anyhow::bail!("{error:#}"),
        })
        .collect();
    Ok(found?.concat())
}

fn lures(detector: &mut Detector, side: u32, number: usize, scene: &Scene) -> Result<Vec<Lure>> {
    let (width, height) = (scene.picture.width() as f32, scene.picture.height() as f32);
    // The detector's input is four by three, stood on end for a picture that stands.
    let (long, short) = (width.max(height), width.min(height));
    let seen = (side as f32 / long).min(side as f32 * 0.75 / short);
    let found = detector.detect(&scene.picture)?;
    let free = |bounds: &Rect| !on_a_face(bounds, &scene.faces);
    Ok(found
        .iter()
        .filter(|face| face.score >= SCORE && free(&face.bounds))
        .map(|face| Lure {
            scene: number,
            bounds: face.bounds,
            size: face.bounds.area().sqrt() * seen,
        })
        .collect())
}

fn on_a_face(bounds: &Rect, faces: &[Target]) -> bool {
    faces.iter().any(|face| bounds.intersect(&face.bounds).area() > OVERLAP * bounds.area())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_on_a_face_is_no_lure_even_where_nobody_knows_whether_it_is_one() {
        let square = |x: f32| Rect { x1: x, y1: 0.0, x2: x + 20.0, y2: 20.0 };
        for ignore in [false, true] {
            let face = Target { bounds: square(0.0), landmarks: None, ignore, bare: false };
            assert!(on_a_face(&square(5.0), std::slice::from_ref(&face)));
            assert!(!on_a_face(&square(19.0), &[face]));
        }
    }
}
