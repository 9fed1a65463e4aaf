//! Hard examples, by the network at the start: places without a face that it takes for one, in pictures
//! without faces and beside the faces of the others (hands, ears, the backs of heads), and faces that it
//! misses. They are found once, before the first step, so that every batch still depends on the seed
//! and its number alone and a training can be taken up.

use anyhow::Result;
use rayon::prelude::*;

use super::network::Network;
use super::scene::{Hard, Scenes};
use super::targets::Target;
use super::{export, judge};
use crate::picture::{Face, Picture, Rect};
use crate::vision::model::ModelFile;

/// Boxes count from this score on; the daemon asks for more.
const SCORE: f32 = 0.25;
/// A box of which more than this part lies on a face, even on one to be ignored, is no lure.
const OVERLAP: f32 = 0.1;
/// A face is missed where no box of this score lies on it with this IoU.
const SURE: f32 = 0.4;
const HIT: f32 = 0.5;
/// Smaller ones, in pixels as they are looked at, are missed by right.
const SMALLEST: f32 = 12.0;
/// Longer side in pixels that pictures are looked at with: the default.
const SIDE: u32 = 320;
/// Pictures without faces are few, and looked at for far ones too.
const FAR: u32 = 640;

/// Looks for hard examples in `sources` at [`SIDE`], and in `empty` at [`FAR`] too; gives how many lures and
/// how many missed faces there are.
pub fn mine(
    network: &Network,
    sources: &mut [Scenes],
    empty: &mut [Scenes],
) -> Result<(usize, usize)> {
    let bytes = export::export(network, 1.0)?;
    for source in sources.iter_mut().chain(&mut *empty) {
        (source.lures, source.missed) = look(&bytes, SIDE, source)?;
    }
    for source in &mut *empty {
        source.lures.extend(look(&bytes, FAR, source)?.0);
    }
    let all = || sources.iter().chain(&*empty);
    Ok((
        all().map(|source| source.lures.len()).sum(),
        all().map(|source| source.missed.len()).sum(),
    ))
}

/// Each thread has a detector of its own; the order is that of the pictures.
fn look(network: &[u8], side: u32, source: &Scenes) -> Result<(Vec<Hard>, Vec<Hard>)> {
    let open = || {
        let file = ModelFile::parse("the network at the start".to_owned(), network, "")?;
        judge::opened(file, side)
    };
    let found: Result<Vec<(Vec<Hard>, Vec<Hard>)>> = source
        .scenes
        .par_iter()
        .enumerate()
        .map_init(open, |detector, (number, scene)| match detector {
            Ok(detector) => {
                let found = detector.detect(&scene.picture)?;
                let seen = scale(&scene.picture, side);
                let hard = |bounds: Rect| Hard {
                    scene: number,
                    bounds,
                    size: bounds.area().sqrt() * seen,
                };
                let lures = lures(&found, &scene.faces).map(hard).collect();
                let missed = missed(&found, &scene.faces).map(hard);
                Ok((lures, missed.filter(|face| face.size >= SMALLEST).collect()))
            }
            Err(error) => anyhow::bail!("{error:#}"),
        })
        .collect();
    let (lures, missed): (Vec<_>, Vec<_>) = found?.into_iter().unzip();
    Ok((lures.concat(), missed.concat()))
}

/// By how much the detector's input shows the picture smaller: four by three, stood on end for one that
/// stands.
fn scale(picture: &Picture, side: u32) -> f32 {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let (long, short) = (width.max(height), width.min(height));
    (side as f32 / long).min(side as f32 * 0.75 / short)
}

fn lures(found: &[Face], faces: &[Target]) -> impl Iterator<Item = Rect> {
    let free = |face: &&Face| face.score >= SCORE && !on_a_face(&face.bounds, faces);
    found.iter().filter(free).map(|face| face.bounds)
}

fn missed(found: &[Face], faces: &[Target]) -> impl Iterator<Item = Rect> {
    let hit = |bounds: &Rect| {
        found.iter().any(|face| face.score >= SURE && face.bounds.iou(bounds) >= HIT)
    };
    faces.iter().filter(move |face| !face.ignore && !hit(&face.bounds)).map(|face| face.bounds)
}

fn on_a_face(bounds: &Rect, faces: &[Target]) -> bool {
    faces.iter().any(|face| bounds.intersect(&face.bounds).area() > OVERLAP * bounds.area())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Label;

    #[test]
    fn a_box_on_a_face_is_no_lure_even_where_nobody_knows_whether_it_is_one() {
        let square = |x: f32| Rect { x1: x, y1: 0.0, x2: x + 20.0, y2: 20.0 };
        for ignore in [false, true] {
            let face = Target {
                bounds: square(0.0),
                landmarks: None,
                ignore,
                label: Some(Label::WithMask),
            };
            assert!(on_a_face(&square(5.0), std::slice::from_ref(&face)));
            assert!(!on_a_face(&square(19.0), &[face]));
        }
    }

    #[test]
    fn a_face_is_missed_where_no_sure_box_fits_it() {
        let square = |x: f32| Rect { x1: x, y1: 0.0, x2: x + 20.0, y2: 20.0 };
        let target = |x, ignore| Target {
            bounds: square(x),
            landmarks: None,
            ignore,
            label: Some(Label::WithMask),
        };
        let faces = [target(0.0, false), target(100.0, false), target(200.0, true)];
        let found =
            |x: f32, score| Face { bounds: square(x), score, landmarks: Default::default() };
        let missed = |found: &[Face]| missed(found, &faces).map(|b| b.x1).collect::<Vec<_>>();
        assert_eq!(missed(&[]), [0.0, 100.0]);
        assert_eq!(missed(&[found(2.0, 0.5), found(100.0, 0.39)]), [100.0]);
        assert_eq!(missed(&[found(12.0, 0.9), found(100.0, 0.4)]), [0.0]);
    }
}
