//! The built-in clip and what is written about it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn truth() -> Value {
    let text = fs::read_to_string(root("tests/assets/demo_truth.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The JPEGs of the clip; in their scans a 0xff is never followed by 0xd8.
fn pictures(clip: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> =
        clip.windows(3).enumerate().filter(|(_, w)| w == b"\xff\xd8\xff").map(|(i, _)| i).collect();
    let ends = starts.iter().skip(1).copied().chain([clip.len()]);
    starts.iter().zip(ends).map(|(&start, end)| &clip[start..end]).collect()
}

#[test]
fn the_clip_fits_into_three_megabytes_and_lasts_twenty_seconds() {
    let clip = fs::read(root("models/demo.mjpg")).unwrap();
    assert!(clip.len() <= 3_000_000, "{} bytes", clip.len());
    let count = pictures(&clip).len();
    assert!(count >= 200, "{count} frames at 10 a second");
    assert!(clip.windows(15).take(64).any(|w| w == b"maskgate fps=10"), "no rate in the comment");
}

#[test]
fn every_frame_of_the_clip_decodes_and_has_its_truth() {
    let clip = fs::read(root("models/demo.mjpg")).unwrap();
    let pictures = pictures(&clip);
    let truth = truth();
    assert_eq!(truth["frames"].as_array().unwrap().len(), pictures.len());
    for bytes in pictures.iter().step_by(20) {
        let picture = image::load_from_memory(bytes).unwrap();
        assert_eq!(truth["width"], picture.width());
        assert_eq!(truth["height"], picture.height());
    }
}

#[test]
fn the_story_has_every_label_two_people_at_once_and_an_empty_door_at_both_ends() {
    let truth = truth();
    let frames: Vec<&Vec<Value>> =
        truth["frames"].as_array().unwrap().iter().map(|f| f.as_array().unwrap()).collect();
    assert!(frames[..18].iter().chain(&frames[frames.len() - 20..]).all(|faces| faces.is_empty()));
    assert!(frames.iter().any(|faces| faces.len() == 2));
    for label in ["with_mask", "without_mask", "incorrect_mask"] {
        let seen = |faces: &&&Vec<Value>| {
            faces.iter().any(|face| {
                face["label"] == label
                    && face["whole"] == true
                    && face["box"][2].as_f64().unwrap() - face["box"][0].as_f64().unwrap() > 60.0
            })
        };
        let count = frames.iter().filter(seen).count();
        assert!(count >= 20, "{label} near for {count} frames");
    }
}
