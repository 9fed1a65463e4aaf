mod dress;
mod left_out;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    CACHE_MARGIN, Corrections, Cut, Cutting, DataError, Drawing, Fingerprint, Loader, Origin,
    Sample, Side, Sides, Split, Views, cut, read, split,
};
use crate::picture::{Label, Picture, Rect};
use crate::train::augment::{Geometry, warp};
use crate::train::random::Random;
use crate::vision::crop;

/// Smooth light and dark spots, different for each seed: what pictures look like from afar.
fn scene(seed: u64, width: u32, height: u32) -> Picture {
    let mut random = Random::new(seed);
    let mut spots = Picture::new(6, 6);
    spots.pixels_mut().fill_with(|| random.below(256) as u8);
    let map = crate::train::augment::Affine {
        a: 6.0 / 240.0,
        b: 0.0,
        c: 0.0,
        d: 0.0,
        e: 6.0 / 240.0,
        f: 0.0,
    };
    let large = warp(&spots, &map, 240);
    let mut picture = Picture::new(width, height);
    let whole = crate::picture::Rect { x1: 0.0, y1: 0.0, x2: 240.0, y2: 240.0 };
    crate::vision::crop::resize(&large, &whole, &mut picture);
    picture
}

fn save(picture: &Picture, path: &Path) {
    let size = (picture.width(), picture.height());
    image::save_buffer(path, picture.pixels(), size.0, size.1, image::ColorType::Rgb8).unwrap();
}

/// A folder of class folders with `each` pictures a class.
pub(crate) fn toy_folder(each: u64) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (class, label) in Label::ALL.into_iter().enumerate() {
        let folder = root.path().join(label.name());
        std::fs::create_dir(&folder).unwrap();
        for number in 0..each {
            let picture = scene(1000 * class as u64 + number, 80, 96);
            save(&picture, &folder.join(format!("{number}.png")));
        }
    }
    root
}

#[test]
fn a_copy_scaled_and_darkened_is_near_and_another_picture_is_not() {
    let original = Fingerprint::of(&scene(1, 200, 150));
    let mut copy = scene(1, 128, 128);
    copy.pixels_mut().iter_mut().for_each(|byte| *byte = (f32::from(*byte) * 0.8) as u8);
    assert!(original.distance(&Fingerprint::of(&copy)) <= Fingerprint::NEAR);
    for other in 2..30 {
        let distance = original.distance(&Fingerprint::of(&scene(other, 200, 150)));
        assert!(distance > Fingerprint::NEAR, "scene {other}: {distance}");
    }
}

/// 200 pictures of one face each; every third is a copy of the one before, in another folder.
fn samples_with_copies() -> (Vec<Sample>, HashMap<PathBuf, [Fingerprint; 2]>) {
    let mut samples = Vec::new();
    let mut prints = HashMap::new();
    for number in 0..200u64 {
        let origin = usize::from(number % 3 == 2);
        let path = PathBuf::from(format!("{origin}/{number}.jpg"));
        let original = if number % 3 == 2 { number - 1 } else { number };
        prints.insert(path.clone(), Fingerprint::both(&scene(original, 64, 64)));
        let label = if original % 4 == 0 { Label::WithoutMask } else { Label::WithMask };
        samples.push(Sample { path, bounds: None, landmarks: None, label, origin, person: None });
    }
    (samples, prints)
}

#[test]
fn copies_of_one_picture_stay_on_one_side() {
    let (samples, prints) = samples_with_copies();
    let split = split(&samples, &prints, &[], 5);
    for at in (2..200).step_by(3) {
        assert_eq!(split.sides[at], split.sides[at - 1], "picture {at}");
    }
    assert!(split.groups < 140, "{}", split.groups);
}

#[test]
fn about_a_fifth_of_every_label_of_every_source_is_kept_to_judge_on() {
    let (samples, prints) = samples_with_copies();
    let sides = split(&samples, &prints, &[], 5).sides;
    for origin in 0..2 {
        for label in [Label::WithMask, Label::WithoutMask] {
            let of = |s: &&(&Sample, &Side)| s.0.origin == origin && s.0.label == label;
            let all: Vec<_> = samples.iter().zip(&sides).collect();
            let kept = all.iter().filter(of).filter(|s| *s.1 == Side::Validation).count() as f64;
            let part = kept / all.iter().filter(of).count() as f64;
            assert!((0.1..=0.3).contains(&part), "{origin} {label}: {part}");
        }
    }
}

#[test]
fn what_is_learned_from_mirrored_is_not_judged_on() {
    let mirrored = |number: u64| {
        let mut picture = scene(number, 64, 64);
        let pixels: &mut [u8] = picture.pixels_mut();
        for row in pixels.chunks_exact_mut(3 * 64) {
            let turned: Vec<u8> = row.chunks_exact(3).rev().flatten().copied().collect();
            row.copy_from_slice(&turned);
        }
        picture
    };
    let [print, other] = [scene(3, 64, 64), mirrored(3)].map(|picture| Fingerprint::both(&picture));
    assert!(print[0].distance(&other[0]) > Fingerprint::NEAR);
    assert_eq!((print[0], print[1]), (other[1], other[0]));

    let (mut samples, mut prints) = samples_with_copies();
    let before = split(&samples, &prints, &[], 5);
    // Half of the pictures get a mirrored copy, which is drawn for by its own name.
    for number in 0..100 {
        let copy =
            Sample { path: format!("0/m{number}.jpg").into(), ..samples[2 * number].clone() };
        let original = if number * 2 % 3 == 2 { number * 2 - 1 } else { number * 2 };
        prints.insert(copy.path.clone(), Fingerprint::both(&mirrored(original as u64)));
        samples.push(copy);
    }
    let after = split(&samples, &prints, &[], 5);
    for number in 0..100 {
        assert_eq!(after.sides[200 + number], after.sides[2 * number], "picture {}", 2 * number);
    }
    let kept = |split: &Split| split.sides.iter().filter(|s| **s == Side::Validation).count();
    assert!(kept(&after) > 0 && kept(&before) > 30, "{} {}", kept(&after), kept(&before));
}

#[test]
fn the_split_depends_on_the_seed_and_on_nothing_else() {
    let (samples, prints) = samples_with_copies();
    assert_eq!(split(&samples, &prints, &[], 5), split(&samples, &prints, &[], 5));
    assert_ne!(split(&samples, &prints, &[], 5), split(&samples, &prints, &[], 6));
}

#[test]
fn a_picture_that_leaves_or_a_folder_that_moves_changes_hardly_a_side() {
    let (samples, prints) = samples_with_copies();
    let before = split(&samples, &prints, &[], 5).sides;
    for gone in [0, 77, 199] {
        let mut rest = samples.clone();
        rest.remove(gone);
        let mut sides = split(&rest, &prints, &[], 5).sides;
        sides.insert(gone, before[gone]);
        let changed = sides.iter().zip(&before).filter(|(now, before)| now != before).count();
        // One group at most makes the fifth full again, and one of another source with it.
        assert!(changed <= 4, "{changed} sides changed without picture {gone}");
    }
    let moved = |path: &PathBuf| Path::new("/elsewhere").join(path);
    let samples: Vec<Sample> =
        samples.into_iter().map(|s| Sample { path: moved(&s.path), ..s }).collect();
    let prints = prints.into_iter().map(|(path, print)| (moved(&path), print)).collect();
    assert_eq!(split(&samples, &prints, &[], 5).sides, before);
}

/// What a camera that does not move sees: one scene, with another face in each of `count` pictures.
fn one_view(count: u64) -> (Vec<Sample>, HashMap<PathBuf, [Fingerprint; 2]>, Vec<Fingerprint>) {
    let mut samples = Vec::new();
    for number in 0..count {
        let label = if number % 2 == 0 { Label::WithMask } else { Label::WithoutMask };
        let path = PathBuf::from(format!("hall/{number}.jpg"));
        samples.push(Sample {
            path,
            bounds: None,
            landmarks: None,
            label,
            origin: 0,
            person: None,
        });
    }
    let hall = Fingerprint::both(&scene(1, 64, 64));
    let prints = samples.iter().map(|sample| (sample.path.clone(), hall)).collect();
    // Each face twice, as in two frames that follow one another.
    let face = |number: u64| Fingerprint::of(&scene(500 + number / 2, 64, 64));
    (samples, prints, (0..count).map(face).collect())
}

#[test]
fn what_a_camera_that_does_not_move_sees_is_split_by_its_faces() {
    let (samples, prints, faces) = one_view(60);
    let whole = split(&samples, &prints, &[], 5);
    assert!(whole.groups == 1 && whole.sides.iter().all(|side| *side == Side::Train));
    let by_faces = split(&samples, &prints, &faces, 5);
    assert_eq!(by_faces.groups, 30);
    let kept = by_faces.sides.iter().filter(|side| **side == Side::Validation).count();
    assert!((8..=12).contains(&kept), "{kept} of 60");
    for pair in by_faces.sides.chunks_exact(2) {
        assert_eq!(pair[0], pair[1], "the same face in two frames");
    }
    // A few copies among many pictures stay together whatever is on them.
    let (samples, prints) = samples_with_copies();
    let other: Vec<Fingerprint> =
        (0..200).map(|number| Fingerprint::of(&scene(900 + number, 64, 64))).collect();
    assert_eq!(split(&samples, &prints, &other, 5), split(&samples, &prints, &[], 5));
}

#[test]
fn pictures_of_one_person_stay_on_one_side() {
    let mut samples = Vec::new();
    let mut prints = HashMap::new();
    for number in 0..60u64 {
        let path = PathBuf::from(format!("{number}.jpg"));
        prints.insert(path.clone(), Fingerprint::both(&scene(number, 64, 64)));
        let person = Some(format!("person {}", number / 3));
        let label = Label::WithoutMask;
        samples.push(Sample { path, bounds: None, landmarks: None, label, origin: 0, person });
    }
    let sides = split(&samples, &prints, &[], 1).sides;
    assert!(sides.chunks(3).all(|person| person[0] == person[1] && person[1] == person[2]));
    assert!(sides.contains(&Side::Validation));
}

#[test]
fn a_person_of_many_pictures_is_no_likelier_to_be_judged_on() {
    // Ten people of ten pictures, a hundred of one.
    let sample = |number: usize| Sample {
        path: PathBuf::from(format!("{number}.jpg")),
        bounds: None,
        landmarks: None,
        label: Label::WithoutMask,
        origin: 0,
        person: Some(format!("person {}", if number < 100 { number / 10 } else { number })),
    };
    let samples: Vec<Sample> = (0..200).map(sample).collect();
    let of_many = |seed| {
        let sides = split(&samples, &HashMap::new(), &[], seed).sides;
        sides[..100].iter().filter(|side| **side == Side::Validation).count()
    };
    // 20 of the 100 in each split, were it by picture; by whole groups a little fewer.
    let share = (0..60).map(of_many).sum::<usize>() as f64 / 6000.0;
    assert!((0.13..0.24).contains(&share), "{share}");
}

#[test]
fn file_names_tell_people_and_not_cameras() {
    let root = tempfile::tempdir().unwrap();
    let put = |label: Label, name: &str| {
        let folder = root.path().join(label.name());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), "").unwrap();
    };
    for name in ["0_0_ada_1.jpg", "0_0_ada_2.jpg", "IMG_0001.jpg", "door_frame_3.png"] {
        put(Label::WithoutMask, name);
    }
    put(Label::WithMask, "0_0_ada_3.jpg");
    (0..5).for_each(|number| put(Label::WithMask, &format!("lobby_{number}.jpg")));
    (0..6).for_each(|number| put(Label::WithMask, &format!("{number}.jpg")));
    for name in ["20240101_120001.jpg", "IMG_20240101_120002.jpg", "PXL_20240101_120003.jpg"] {
        put(Label::WithMask, name);
    }
    let origin = Origin { path: root.path().into(), pictures: None, label: None };
    let (samples, left_out) = read(&[origin], None).unwrap();
    let people: Vec<_> = samples.iter().filter_map(|sample| sample.person.as_deref()).collect();
    assert_eq!(people.len(), 3, "{people:?}");
    assert!(people.iter().all(|person| *person == people[0] && person.ends_with("0_0_ada")));
    // More than a fifth of the pictures could never be judged on together.
    let notes = &left_out.notes;
    assert!(notes.iter().any(|note| note.contains("5 pictures are named lobby_")), "{notes:?}");
    assert_eq!(left_out.count, 0);
}

#[test]
fn a_source_names_its_pictures_and_its_label() {
    let origin = |text: &str| text.parse::<Origin>().unwrap();
    let parts = |text| {
        let Origin { path, pictures, label } = origin(text);
        (path.display().to_string(), pictures.map(|p| p.display().to_string()), label)
    };
    let folder = Some("shots".to_owned());
    let bare = Some(Label::WithoutMask);
    assert_eq!(parts("faces"), ("faces".into(), None, None));
    assert_eq!(parts("faces.csv=without_mask"), ("faces.csv".into(), None, bare));
    assert_eq!(parts("shots=faces.csv"), ("faces.csv".into(), folder.clone(), None));
    assert_eq!(parts("shots=faces.csv=without_mask"), ("faces.csv".into(), folder, bare));
}

#[test]
fn rows_without_a_label_are_counted_where_others_have_one() {
    let folder = tempfile::tempdir().unwrap();
    save(&scene(1, 200, 150), &folder.path().join("a.png"));
    let csv = folder.path().join("labels.csv");
    let rows = "image,xmin,ymin,xmax,ymax,label\na.png,0,0,40,40,with_mask\na.png,60,0,99,40,\n";
    std::fs::write(&csv, rows).unwrap();
    let origin = format!("{}={}", folder.path().display(), csv.display());
    let origin: Origin = origin.parse().unwrap();
    let (samples, left_out) = read(std::slice::from_ref(&origin), None).unwrap();
    assert_eq!(samples.len(), 1);
    assert!(left_out.lines[0].ends_with("1 boxes without a label"), "{left_out:?}");

    let seen = folder.path().join("seen.csv");
    let rows = "image,xmin,ymin,xmax,ymax,label\na.png,60,0,99,40,incorrect_mask\n";
    std::fs::write(&seen, rows).unwrap();
    let mut seen = Corrections::read(&seen).unwrap();
    let (samples, left_out) = read(&[origin], Some(&mut seen)).unwrap();
    assert_eq!(samples[1].label, Label::IncorrectMask);
    assert_eq!(left_out.count, 0, "{left_out:?}");
}

#[test]
fn an_ignored_face_is_learned_from_when_a_correction_names_its_box() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    save(&scene(1, 100, 60), &path("1.png"));
    std::fs::write(
        path("door.csv"),
        "image,xmin,ymin,xmax,ymax,label,ignore\n\
         1.png,0,0,30,30,with_mask,0\n\
         1.png,40,0,70,30,,1\n\
         1.png,40,30,70,60,,1\n",
    )
    .unwrap();
    let labels = |rows: &str| {
        let rows = format!("image,xmin,ymin,xmax,ymax,label\n{rows}");
        std::fs::write(path("corrections.csv"), rows).unwrap();
        let mut corrections = Corrections::read(&path("corrections.csv")).unwrap();
        let mut origin: Origin = path("door.csv").to_str().unwrap().parse().unwrap();
        origin.pictures = Some(folder.path().to_owned());
        let (samples, _) = read(&[origin], Some(&mut corrections)).unwrap();
        samples.into_iter().map(|sample| sample.label).collect::<Vec<_>>()
    };
    let (with, without) = (Label::WithMask, Label::WithoutMask);
    assert_eq!(labels("1.png,40.4,0,70,30,without_mask\n"), [with, without]);
    assert_eq!(labels("1.png,40,0,70,30,leave_out\n"), [with]);
    assert_eq!(labels("1.png,,,,,without_mask\n"), [without], "the picture's row names no box");
}

#[test]
fn what_is_no_source_is_refused_by_name() {
    let empty = tempfile::tempdir().unwrap();
    let origin = |path: &Path| path.to_str().unwrap().parse::<Origin>().unwrap();
    assert!(matches!(read(&[origin(empty.path())], None), Err(DataError::NoClasses { .. })));
    let text = empty.path().join("notes.txt");
    assert!(matches!(read(&[origin(&text)], None), Err(DataError::NotASource { .. })));
    let labelled: Origin = format!("{}=with_mask", empty.path().display()).parse().unwrap();
    assert!(matches!(read(&[labelled], None), Err(DataError::LabelOfFolders { .. })));
    // A class that is no folder would be a class that the model does not know.
    let faces = toy_folder(4);
    let class = faces.path().join("incorrect_mask");
    std::fs::rename(&class, faces.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("nowhere", &class).unwrap();
    let error = read(&[origin(faces.path())], None).unwrap_err();
    assert!(matches!(error, DataError::Unreadable { ref path, .. } if *path == class), "{error}");
    let message = "a.csv=masked".parse::<Origin>().unwrap_err().to_string();
    assert!(message.contains("\"masked\" is no label"), "{message}");
}

#[test]
fn to_measure_both_sides_are_cut_as_the_daemon_cuts() {
    let root = toy_folder(6);
    let cut_for = |sides| {
        let (samples, _) = read(&[root.path().to_str().unwrap().parse().unwrap()], None).unwrap();
        cut(
            samples,
            &Cutting { seed: 1, input: 32, sides, detector: None, as_found: false },
            &|| (),
        )
        .unwrap()
    };
    let (measured, trained) = (cut_for(Sides::Measure), cut_for(Sides::Train));
    let paths = |cuts: &[Cut]| cuts.iter().map(|cut| cut.path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&measured.train), paths(&trained.train), "the same sides");
    assert!(measured.train.len() > 6);
    assert!(measured.train.iter().all(|cut| cut.picture.width() == 32));
    let pixels =
        |cuts: &[Cut]| cuts.iter().map(|c| c.picture.pixels().to_vec()).collect::<Vec<_>>();
    assert_eq!(pixels(&measured.validation), pixels(&trained.validation));
}

#[test]
fn an_epoch_has_the_same_batches_every_time_it_is_made() {
    let root = toy_folder(4);
    let (samples, _) = read(&[root.path().to_str().unwrap().parse().unwrap()], None).unwrap();
    let cutting =
        Cutting { seed: 1, input: 32, sides: Sides::Train, detector: None, as_found: false };
    let crops = Arc::new(cut(samples, &cutting, &|| ()).unwrap().train);
    let views =
        Views { side: 32, geometry: Geometry::default(), cover: 0.5, drawing: Drawing::default() };
    let epoch = |number| -> Vec<Vec<f32>> {
        let batches = Loader::start(Arc::clone(&crops), views.clone(), None, 2, 7, number);
        batches.map(|batch| batch.inputs).collect()
    };
    let first = epoch(0);
    assert_eq!(first.len(), crops.len() / 2);
    assert_eq!(first, epoch(0));
    assert_ne!(first, epoch(1));
}

/// A picture with two faces: where the daemon finds them, and boxes for it as people might draw them,
/// lower, with one where there is no face.
fn two_people() -> (Picture, [Rect; 2], Vec<Sample>) {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/assets/two_people.jpg"));
    let picture = crate::train::pictures::open(&path).unwrap();
    let mut detector = crate::vision::Detector::load(&Default::default()).unwrap();
    let faces = detector.detect(&picture).unwrap();
    let [first, second] = &faces[..] else { panic!("{} faces", faces.len()) };
    let lower = |face: &Rect| {
        let by = face.height() * 0.15;
        Rect { y1: face.y1 + by, y2: face.y2 + by, ..*face }
    };
    let nobody = Rect { x1: 2.0, y1: 2.0, x2: 40.0, y2: 40.0 };
    let sample = |bounds| Sample {
        path: path.clone(),
        label: Label::WithMask,
        origin: 0,
        bounds: Some(bounds),
        landmarks: None,
        person: None,
    };
    let boxes = [nobody, lower(&second.bounds), lower(&first.bounds)];
    (picture, [second.bounds, first.bounds], boxes.map(sample).to_vec())
}

#[test]
fn faces_with_a_box_are_also_learned_as_the_daemon_finds_them() {
    let (picture, [one, other], samples) = two_people();
    let detector =
        Some(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/models/detector.onnx")));
    let cutting = Cutting { seed: 1, input: 32, sides: Sides::Train, detector, as_found: false };
    // Pictures on one side only: which one hangs on the seed.
    let learned = (1..100)
        .map(|seed| cut(samples.clone(), &Cutting { seed, ..cutting.clone() }, &|| ()).unwrap())
        .find(|crops| !crops.train.is_empty())
        .unwrap();
    let found: Vec<_> =
        learned.train.iter().map(|c| c.found.as_ref().map(|found| &found.picture)).collect();
    let wide = |bounds| crop::cut(&picture, &crop::region(bounds, CACHE_MARGIN), 48);
    assert_eq!(found, [None, Some(&wide(&one)), Some(&wide(&other))]);
    assert!(learned.train.iter().all(|cut| cut.picture.width() == 48));

    let judged = |as_found| {
        let cutting = Cutting { sides: Sides::JudgeAll, as_found, ..cutting.clone() };
        let crops = cut(samples.clone(), &cutting, &|| ()).unwrap();
        crops.validation.into_iter().map(|cut| cut.picture).collect::<Vec<_>>()
    };
    let exact = |bounds| crop::cut(&picture, &crop::region(bounds, crop::MARGIN), 32);
    let boxes: Vec<Rect> = samples.iter().filter_map(|sample| sample.bounds).collect();
    assert_eq!(judged(false), [exact(&boxes[0]), exact(&boxes[1]), exact(&boxes[2])]);
    assert_eq!(judged(true), [exact(&boxes[0]), exact(&one), exact(&other)]);
}
