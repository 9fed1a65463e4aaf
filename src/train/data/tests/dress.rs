//! What is drawn on faces while a network learns, and the teacher beside it.

use std::path::Path;
use std::sync::Arc;

use crate::picture::{Label, Picture, Point, Probabilities, Rect};
use crate::train::augment::Geometry;
use crate::train::clip::align::{FRONTAL, Similarity};
use crate::train::data::{self, Cut, Drawing, Loader, Placed, Teacher, Views};
use crate::train::random::Random;
use crate::train::synthesise;

/// Crops of a plain bare face, 20 px between the eyes.
fn bare_crops() -> Arc<Vec<Cut>> {
    let mut picture = Picture::new(96, 96);
    picture.pixels_mut().chunks_exact_mut(3).for_each(|p| p.copy_from_slice(&[190, 150, 130]));
    let place = Similarity::new(Point { x: 240.0, y: 235.0 }, 20.0, 0.0);
    let landmarks = FRONTAL.map(|p| place.apply(p));
    let bounds = Rect { x1: 216.0, y1: 218.0, x2: 264.0, y2: 270.0 };
    // The crop shows the part of its picture from 192, 196.
    let region = Rect { x1: 192.0, y1: 196.0, x2: 288.0, y2: 292.0 };
    let placed = Some(Placed::in_crop(&bounds, &landmarks, &region, 96));
    let cut = Cut {
        picture,
        label: Label::WithoutMask,
        origin: 0,
        bounds: None,
        width: 48.0,
        path: "plain.png".into(),
        placed,
        found: None,
    };
    Arc::new(vec![cut; 60])
}

fn views(side: u32, drawing: Drawing) -> Views {
    Views { side, geometry: Geometry::default(), cover: 0.0, drawing }
}

#[test]
fn masks_drawn_while_training_are_other_ones_each_time_and_labels_follow() {
    let labels = |masks, epoch| -> Vec<Label> {
        let views = views(32, Drawing { masks, ..Drawing::default() });
        let batches = Loader::start(bare_crops(), views, None, 20, 7, epoch);
        batches.flat_map(|batch| batch.labels).collect()
    };
    assert!(labels(0.0, 0).iter().all(|label| *label == Label::WithoutMask));
    let drawn = labels(0.8, 0);
    for label in Label::ALL {
        let count = drawn.iter().filter(|other| **other == label).count();
        assert!(count >= 5, "{count} of 60 are {label}");
    }
    assert_eq!(drawn, labels(0.8, 0));
    assert_ne!(drawn, labels(0.8, 1));
}

#[test]
fn no_mask_is_drawn_worn_wrongly_where_the_network_knows_no_such_label() {
    let crops = bare_crops();
    let wrong = |never_wrong| {
        let drawing = Drawing { masks: 1.0, never_wrong, ..Drawing::default() };
        let mut random = Random::new(4);
        let dressed =
            (0..60).filter_map(|at| drawing.dress(&crops[at % crops.len()], &[], &mut random));
        let labels: Vec<Label> = dressed.map(|(_, label)| label).collect();
        assert!(labels.contains(&Label::WithMask));
        labels.contains(&Label::IncorrectMask)
    };
    assert!(wrong(false) && !wrong(true));
    let none = Drawing::default();
    let all = Drawing { beards: 0.1, ..none.clone() };
    assert_eq!((none.usable(&crops), all.usable(&crops)), (0, crops.len()));
}

#[test]
fn masks_of_others_are_worn_and_without_any_they_are_drawn() {
    let bare = bare_crops();
    let mut masked = bare[0].clone();
    masked.label = Label::WithMask;
    // From below the eyes on.
    let below = 3 * 96 * 45;
    masked.picture.pixels_mut()[below..]
        .chunks_exact_mut(3)
        .for_each(|p| p.copy_from_slice(&[190, 20, 200]));
    let narrow = Cut { width: 30.0, ..masked.clone() };
    let purple_ones = |wearer: Cut| {
        let mut crops = bare.to_vec();
        crops.push(wearer);
        let drawing = Drawing { masks: 1.0, worn: 1.0, ..Drawing::default() };
        let wearers = data::dress::wearers(&crops, &drawing);
        let mut random = Random::new(5);
        let dressed = |cut| drawing.dress(cut, &wearers, &mut random);
        let views: Vec<Picture> = bare.iter().filter_map(dressed).map(|(view, _)| view).collect();
        assert!(views.len() > 40);
        let purple = |p: &[u8]| u16::from(p[0].min(p[2])) * 2 > u16::from(p[1]) * 3;
        let shows = |view: &&Picture| view.pixels().chunks_exact(3).any(purple);
        (views.iter().filter(shows).count(), views.len())
    };
    let (shown, all) = purple_ones(masked);
    assert_eq!(shown, all);
    assert_eq!(purple_ones(narrow).0, 0, "too coarse to be worn by others");
}

#[test]
fn beards_leave_the_label_and_masks_go_over_them() {
    let batch = |masks, beards| {
        let views = views(32, Drawing { masks, beards, ..Drawing::default() });
        Loader::start(bare_crops(), views, None, 60, 7, 0).next().unwrap()
    };
    let (bare, bearded) = (batch(0.0, 0.0), batch(0.0, 1.0));
    assert_eq!(bearded.labels, bare.labels);
    let size = 3 * 32 * 32;
    let pairs = bare.inputs.chunks_exact(size).zip(bearded.inputs.chunks_exact(size));
    assert!(pairs.filter(|(a, b)| a != b).count() == 60);
    let both = batch(1.0, 1.0).labels;
    assert!(both.iter().filter(|label| **label != Label::WithoutMask).count() > 30);
}

#[test]
fn scarves_glasses_and_hands_change_no_label_and_are_on_masked_faces_too() {
    let bare = bare_crops();
    let mut random = Random::new(3);
    let scarves = Drawing { scarves: 1.0, ..Drawing::default() };
    let glasses = Drawing { glasses: 1.0, ..Drawing::default() };
    let hands = Drawing { hands: 1.0, ..Drawing::default() };
    for drawing in [scarves, glasses, hands] {
        for label in [Label::WithoutMask, Label::WithMask] {
            let cut = Cut { label, ..bare[0].clone() };
            let (view, same) = drawing.dress(&cut, &[], &mut random).unwrap();
            assert!(same == label && view != cut.picture, "{label}");
        }
        let wrong = Cut { label: Label::IncorrectMask, ..bare[0].clone() };
        assert!(drawing.dress(&wrong, &[], &mut random).is_none());
    }
    // A hand is before a drawn mask too, but for one worn wrongly, of which it might hide what is wrong.
    let masks = Drawing { masks: 1.0, ..Drawing::default() };
    for seed in 0..12 {
        let dress = |drawing: &Drawing| drawing.dress(&bare[0], &[], &mut Random::new(seed));
        let (without, label) = dress(&masks).unwrap();
        let (with, same) = dress(&Drawing { hands: 1.0, ..masks.clone() }).unwrap();
        assert_eq!(same, label);
        assert_eq!(with == without, label == Label::IncorrectMask, "{label}");
    }
}

/// Hands alone, half of them a purple square cut out of a photograph.
fn purple_hands(root: &Path) -> Drawing {
    let purple = [200, 30, 210].repeat(40 * 40);
    std::fs::create_dir(root.join("hands")).unwrap();
    let path = root.join("hands/1.png");
    image::save_buffer(path, &purple, 40, 40, image::ColorType::Rgb8).unwrap();
    let csv = root.join("hands.csv");
    std::fs::write(&csv, "image,outline\n1.png,2 2 38 2 38 38 2 38\n").unwrap();
    let (cutouts, _) = synthesise::cutouts(&csv.display().to_string()).unwrap();
    Drawing { hands: 1.0, cutouts: cutouts.into(), ..Drawing::default() }
}

#[test]
fn half_of_the_hands_are_cut_out_of_photographs_where_there_are_any() {
    let root = tempfile::tempdir().unwrap();
    let drawing = purple_hands(root.path());
    let mut random = Random::new(8);
    let mut shown = 0;
    for cut in bare_crops().iter() {
        let (view, label) = drawing.dress(cut, &[], &mut random).unwrap();
        assert_eq!(label, Label::WithoutMask);
        // Of those that keep their colour.
        let purple = |rgb: &[u8]| u16::from(rgb[0].min(rgb[2])) > u16::from(rgb[1]) + 60;
        shown += usize::from(view.pixels().chunks_exact(3).any(purple));
    }
    assert!((3..20).contains(&shown), "{shown} of 60");
}

#[test]
fn a_mask_worn_wrongly_gets_hands_only_beside_the_mouth() {
    let root = tempfile::tempdir().unwrap();
    let drawing = purple_hands(root.path());
    let wrong = Cut { label: Label::IncorrectMask, ..bare_crops()[0].clone() };
    let [_, _, nose, right_mouth, left_mouth] = wrong.placed.as_ref().unwrap().landmarks;
    let mouth =
        Point { x: (right_mouth.x + left_mouth.x) / 2.0, y: (right_mouth.y + left_mouth.y) / 2.0 };
    let changed = |view: &Picture, p: Point| {
        let at = (p.x as i64, p.y as i64);
        view.get(at.0, at.1) != wrong.picture.get(at.0, at.1)
    };
    let mut random = Random::new(8);
    let dressed = (0..200).filter_map(|_| drawing.dress(&wrong, &[], &mut random));
    let views: Vec<Picture> = dressed
        .map(|(view, label)| {
            assert_eq!(label, Label::IncorrectMask);
            view
        })
        .collect();
    // Half of 200 are cut out, two in five of these are beside.
    assert!((20..60).contains(&views.len()), "{} of 200", views.len());
    let middles = views.iter().filter(|view| changed(view, mouth) || changed(view, nose)).count();
    assert!(middles <= 4, "{middles} of {}", views.len());
    assert_eq!(drawing.usable(&[wrong]), 1);
}

#[test]
fn a_teacher_is_asked_of_the_view_that_the_network_sees_unless_something_is_drawn_on_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/classifier.onnx");
    let teacher = Arc::new(Teacher::open(Path::new(path)).unwrap());
    let ask = |side, masks, teacher: Option<&Arc<Teacher>>| {
        let views = views(side, Drawing { masks, ..Drawing::default() });
        Loader::start(bare_crops(), views, teacher.cloned(), 6, 7, 0).next().unwrap()
    };
    let taught = ask(128, 0.0, Some(&teacher));
    let untaught = ask(128, 0.0, None);
    assert_eq!(untaught.inputs, taught.inputs, "the same views with and without");
    assert_eq!(untaught.answers, [None; 6]);
    for (planes, answer) in taught.inputs.chunks_exact(3 * 128 * 128).zip(&taught.answers) {
        let mut view = Picture::new(128, 128);
        for (at, pixel) in view.pixels_mut().chunks_exact_mut(3).enumerate() {
            let value = |plane: usize| planes[plane * 128 * 128 + at];
            pixel.copy_from_slice(&[0, 1, 2].map(|p| ((value(p) + 1.0) * 127.5).round() as u8));
        }
        assert_eq!(teacher.ask(&view).unwrap(), answer.unwrap());
    }
    // Of another size than its own it is asked as well.
    let small = ask(96, 0.0, Some(&teacher)).answers;
    let sum = |answer: &Option<Probabilities>| {
        answer.map_or(0.0, |a| Label::ALL.iter().map(|l| a.of(*l)).sum::<f32>())
    };
    assert!(small.len() == 6 && small.iter().all(|answer| (sum(answer) - 1.0).abs() < 0.01));
    // What is drawn has a label that is certain.
    assert_eq!(ask(128, 1.0, Some(&teacher)).answers, [None; 6]);
}
