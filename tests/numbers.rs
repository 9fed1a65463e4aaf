//! The numbers of both models on known pictures, the same on every processor: they were taken on
//! x86-64, and `cross/test` runs this for aarch64. New weights need new numbers: with
//! `assets/numbers.txt` emptied the test fails and prints them.

use std::fmt::Write;
use std::path::Path;

use maskgate::camera::decode_image;
use maskgate::config::Config;
use maskgate::picture::{Label, Picture};
use maskgate::vision::Vision;

/// `PICTURE: box, score, landmarks, probabilities` of each face, places as parts of the picture.
const NUMBERS: &str = include_str!("assets/numbers.txt");
const PICTURES: [&str; 4] =
    ["bare_face.jpg", "masked_face.jpg", "two_people.jpg", "under_nose.jpg"];

fn picture(name: &str) -> Picture {
    decode_image(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets").join(name)).unwrap()
}

/// What the models say of `name`, one line a face.
fn numbers(vision: &mut Vision, name: &str) -> String {
    let picture = picture(name);
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let mut lines = String::new();
    for look in vision.look(&picture).unwrap() {
        let (b, p) = (look.face.bounds, look.probabilities);
        let mut values = vec![b.x1 / width, b.y1 / height, b.x2 / width, b.y2 / height];
        values.push(look.face.score);
        values.extend(look.face.landmarks.iter().flat_map(|at| [at.x / width, at.y / height]));
        values.extend([p.with_mask, p.without_mask, p.incorrect_mask]);
        write!(lines, "{name}:").unwrap();
        values.iter().for_each(|value| write!(lines, " {value:.6}").unwrap());
        lines.push('\n');
    }
    lines
}

fn parse(line: &str) -> (&str, Vec<f32>) {
    let (name, values) = line.split_once(": ").unwrap();
    (name, values.split(' ').map(|value| value.parse().unwrap()).collect())
}

#[test]
fn both_models_give_the_same_numbers_on_every_processor() {
    let config = Config::default();
    let mut vision = Vision::load(&config.detector, &config.classifier).unwrap();
    let found: String = PICTURES.iter().map(|name| numbers(&mut vision, name)).collect();
    assert_eq!(found.lines().count(), NUMBERS.lines().count(), "faces found:\n{found}");
    for (found, known) in found.lines().zip(NUMBERS.lines()) {
        let ((name, found), (known_name, known)) = (parse(found), parse(known));
        assert_eq!(name, known_name);
        for (found, known) in found.iter().zip(&known) {
            assert!((found - known).abs() <= 1e-4, "{name}: {found}, known is {known}");
        }
    }
}

#[test]
fn the_other_classifiers_call_every_face_as_the_built_in_one_does() {
    let mut config = Config::default();
    let mut labels = |model: &str| -> Vec<Label> {
        config.classifier.model = model.into();
        let mut vision = Vision::load(&config.detector, &config.classifier).unwrap();
        let looks = PICTURES.map(|name| vision.look(&picture(name)).unwrap());
        looks.iter().flatten().map(|look| look.probabilities.best().0).collect()
    };
    let built_in = labels("");
    assert!(built_in.contains(&Label::IncorrectMask));
    for other in [
        concat!(env!("CARGO_MANIFEST_DIR"), "/models/classifier-96.onnx"),
        concat!(env!("CARGO_MANIFEST_DIR"), "/models/classifier-large.onnx"),
    ] {
        assert_eq!(labels(other), built_in, "{other}");
    }
}
