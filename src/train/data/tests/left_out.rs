//! What of the data is not used is named.

use std::path::PathBuf;

use super::{save, scene, toy_folder};
use crate::picture::Label;
use crate::train::data::{Cutting, DataError, Origin, Sides, cut, read};

#[test]
fn boxes_and_folders_are_read_and_what_is_left_out_is_named() {
    let root = toy_folder(2);
    let pictures = root.path().join("boxes");
    std::fs::create_dir(&pictures).unwrap();
    save(&scene(1, 100, 100), &pictures.join("Some_One_1.png"));
    let csv = root.path().join("boxes.csv");
    let rows = "image,xmin,ymin,xmax,ymax\nSome_One_1.png,10,10,60,60\nSome_One_1.png,0,0,9,9\n";
    std::fs::write(&csv, rows).unwrap();

    let folder: Origin = root.path().to_str().unwrap().parse().unwrap();
    let boxes: Origin = format!("{}=without_mask", csv.display()).parse().unwrap();
    let (samples, left_out) = read(&[folder, boxes], None).unwrap();
    assert_eq!(samples.len(), 7);
    assert_eq!(samples[0].label, Label::WithMask);
    assert!(samples[0].bounds.is_none());
    assert_eq!((samples[6].label, samples[6].origin), (Label::WithoutMask, 1));
    assert!(samples[6].person.as_ref().unwrap().ends_with("Some_One"));
    assert_eq!((left_out.count, left_out.lines.len()), (1, 1));
    assert!(left_out.lines[0].ends_with("1 boxes narrower than 18 px"), "{left_out:?}");

    let unlabelled: Origin = csv.to_str().unwrap().parse().unwrap();
    assert!(matches!(read(&[unlabelled], None), Err(DataError::NoLabel { .. })));
}

#[test]
fn what_lies_beside_class_folders_and_links_that_lead_nowhere_are_named() {
    let root = toy_folder(2);
    std::fs::create_dir(root.path().join("With_Mask")).unwrap();
    std::fs::write(root.path().join("notes.txt"), "read me").unwrap();
    std::os::unix::fs::symlink("gone.png", root.path().join("with_mask/7.png")).unwrap();
    let origin: Origin = root.path().to_str().unwrap().parse().unwrap();
    let (samples, left_out) = read(&[origin], None).unwrap();
    assert_eq!((samples.len(), left_out.count), (6, 1));
    assert!(left_out.lines[0].ends_with("7.png: no file, or a link that leads nowhere"));
    assert_eq!(left_out.notes.len(), 1);
    assert!(left_out.notes[0].contains("2 names beside the class folders"), "{left_out:?}");
    assert!(left_out.notes[0].ends_with("are passed over: With_Mask, notes.txt"), "{left_out:?}");
}

#[test]
fn a_face_that_is_named_twice_counts_once_and_copies_with_another_label_are_told() {
    let root = toy_folder(3);
    std::fs::copy(root.path().join("with_mask/0.png"), root.path().join("without_mask/copy.png"))
        .unwrap();
    let origin: Origin = root.path().to_str().unwrap().parse().unwrap();
    let (samples, _) = read(&[origin.clone(), origin], None).unwrap();
    assert_eq!(samples.len(), 20);
    let cutting =
        Cutting { seed: 1, input: 32, sides: Sides::JudgeAll, detector: None, as_found: false };
    let crops = cut(samples, &cutting, &|| ()).unwrap();
    assert_eq!((crops.validation.len(), crops.left_out.count), (10, 10));
    assert!(crops.left_out.lines[0].contains("a face is named twice, as "), "{crops:?}");
    let notes = crops.left_out.notes;
    assert!(notes.len() == 1 && notes[0].starts_with("1 faces look the same"), "{notes:?}");
    assert!(notes[0].contains("0.png (with_mask) and ") && notes[0].contains("copy.png (without"));
}

#[test]
fn broken_pictures_are_named_and_the_others_are_cut() {
    let root = toy_folder(3);
    std::fs::write(root.path().join("with_mask/9.jpg"), "no picture").unwrap();
    let origin = root.path().to_str().unwrap().parse().unwrap();
    let (samples, _) = read(&[origin], None).unwrap();
    let cutting =
        Cutting { seed: 1, input: 32, sides: Sides::Train, detector: None, as_found: false };
    let crops = cut(samples, &cutting, &|| ()).unwrap();
    assert_eq!(crops.train.len() + crops.validation.len(), 9);
    assert_eq!(crops.left_out.count, 1);
    assert!(crops.left_out.lines[0].contains("with_mask/9.jpg"));
    assert!(crops.train.iter().all(|cut| cut.picture.width() == 48));
    assert!(crops.validation.iter().all(|cut| cut.picture.width() == 32));
}

#[test]
fn what_is_in_folders_within_and_pictures_without_a_face_are_told() {
    let root = toy_folder(3);
    let within = root.path().join("with_mask/alice");
    std::fs::create_dir(&within).unwrap();
    let origin: Origin = root.path().to_str().unwrap().parse().unwrap();
    let (samples, left_out) = read(std::slice::from_ref(&origin), None).unwrap();
    assert_eq!((samples.len(), left_out.count), (9, 1));
    assert!(left_out.lines[0].ends_with("with_mask/alice: a folder within a class folder"));

    let detector = concat!(env!("CARGO_MANIFEST_DIR"), "/models/detector.onnx");
    let told = |detector: Option<&str>| {
        let detector = detector.map(PathBuf::from);
        let cutting =
            Cutting { seed: 1, input: 32, sides: Sides::JudgeAll, detector, as_found: false };
        let crops = cut(samples.clone(), &cutting, &|| {}).unwrap();
        assert_eq!((crops.validation.len(), crops.left_out.count), (9, 0));
        crops.left_out.notes
    };
    let notes = told(Some(detector));
    assert!(notes.len() == 1 && notes[0].starts_with("in 9 pictures without a box"), "{notes:?}");
    assert!(notes[0].ends_with("mask/0.png"), "{notes:?}");
    assert_eq!(told(None), [""; 0], "without a detector the middle is what was asked for");
}
