//! The built-in models on the built-in clip, against the truth its maker wrote down.

use std::fs;
use std::path::Path;

use maskgate::camera::{Demo, Source};
use maskgate::config;
use maskgate::picture::{Label, Look, Point, Rect};
use maskgate::vision::Vision;
use serde::Deserialize;

#[derive(Deserialize)]
struct Truth {
    frames: Vec<Vec<TrueFace>>,
}

#[derive(Deserialize)]
struct TrueFace {
    #[serde(rename = "box")]
    bounds: Rect,
    landmarks: [Point; 5],
    label: Option<Label>,
    whole: bool,
}

/// What vision sees in each frame, beside the truth.
fn frames() -> Vec<(Vec<Look>, Vec<TrueFace>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets/demo_truth.json");
    let text = fs::read_to_string(path).expect("the truth is part of the project");
    let truth: Truth = serde_json::from_str(&text).expect("the truth can be read");
    let mut vision = Vision::load(&config::Detector::default(), &config::Classifier::default())
        .expect("the built-in models load");
    let mut clip = Demo::once().expect("the clip opens");
    let mut see = |faces| {
        let frame = clip.next().expect("the clip is whole").expect("as long as the truth");
        (vision.look(&frame.picture).expect("vision answers"), faces)
    };
    truth.frames.into_iter().map(&mut see).collect()
}

#[test]
fn the_faces_of_the_demo_clip_are_found_and_judged_and_nothing_else_is() {
    let (mut faces, mut missed, mut judged, mut wrong, mut elsewhere) = (0, 0, 0, 0, 0);
    let (mut distance, mut points) = (0.0, 0);
    for (number, (looks, truth)) in frames().iter().enumerate() {
        for face in truth.iter().filter(|face| face.whole && face.bounds.width() >= 20.0) {
            faces += 1;
            let width = face.bounds.width();
            let found = looks.iter().find(|look| look.face.bounds.iou(&face.bounds) >= 0.4);
            let Some(look) = found else {
                eprintln!("frame {number}: a face of {width:.0} px is missed");
                missed += 1;
                continue;
            };
            let Some(label) = face.label.filter(|_| width >= 40.0) else { continue };
            judged += 1;
            let (said, _) = look.probabilities.best();
            if said != label {
                eprintln!("frame {number}: {label} is called {said}");
                wrong += 1;
            }
            if label == Label::WithoutMask {
                for (a, b) in look.face.landmarks.iter().zip(face.landmarks) {
                    distance += (a.x - b.x).hypot(a.y - b.y) / width;
                    points += 1;
                }
            }
        }
        let stray =
            |look: &&Look| truth.iter().all(|face| look.face.bounds.iou(&face.bounds) < 0.2);
        elsewhere += looks.iter().filter(stray).count();
    }
    let off = distance / points as f32;
    eprintln!(
        "{faces} faces, {missed} missed, {elsewhere} boxes elsewhere; {judged} judged, {wrong} \
         wrongly; landmarks of bare faces off by {:.1} % of the width",
        off * 100.0
    );
    assert!(faces > 250 && judged > 200, "the truth holds {faces} faces, {judged} to judge");
    assert_eq!((missed, elsewhere), (0, 0));
    assert!(wrong * 20 <= judged, "{wrong} of {judged} looks are wrong");
    assert!(off < 0.1, "landmarks are off by {off} of the width");
}
