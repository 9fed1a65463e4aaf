//! Beards, scarves, glasses and hands: what is drawn and is no mask.

use super::*;

/// A face with `extra`, in one of the poses, and its landmarks.
fn with(extra: Extra, seed: u64) -> (Painted, [Point; 5]) {
    let (yaw, roll) = POSES[seed as usize % POSES.len()];
    let (landmarks, bounds) = head(yaw, roll);
    let random = &mut Random::new(seed);
    (Painted::extra(&plain(SKIN), &bounds, &landmarks, extra, random).unwrap(), landmarks)
}

#[test]
fn a_beard_leaves_eyes_and_nose_bare_and_the_lips_at_least_half() {
    let mut chins = 0.0;
    for seed in 0..60 {
        let (painted, landmarks) = with(Extra::Beard, seed);
        let [right, left, nose, right_mouth, left_mouth] = landmarks;
        let (eyes, mouth) = (middle(right, left), middle(right_mouth, left_mouth));
        for bare in [right, left, nose, eyes] {
            assert!(painted.cover(bare) < 0.02, "{seed}: {} at {bare:?}", painted.cover(bare));
        }
        assert!(painted.cover(mouth) < 0.5, "{seed}: {}", painted.cover(mouth));
        let hair: f32 = painted.layer.pixels().iter().map(|p| p[3]).sum();
        assert!(hair > 0.02 * SCALE * SCALE, "{seed}: {hair} pixels");
        let chin =
            Point { x: eyes.x + (mouth.x - eyes.x) * 1.42, y: eyes.y + (mouth.y - eyes.y) * 1.42 };
        chins += painted.cover(chin) / 60.0;
    }
    assert!((0.3..0.9).contains(&chins), "chins are covered by {chins} on average");
}

#[test]
fn a_scarf_leaves_the_face_bare_and_is_there() {
    for seed in 0..60 {
        let (painted, landmarks) = with(Extra::Scarf, seed);
        for p in landmarks {
            assert!(painted.cover(p) < 0.02, "{seed}: {} at {p:?}", painted.cover(p));
        }
        let cloth: f32 = painted.layer.pixels().iter().map(|p| p[3]).sum();
        assert!(cloth > 0.2 * SCALE * SCALE, "{seed}: {cloth} pixels");
    }
}

#[test]
fn glasses_hide_eyes_and_no_mouth() {
    let mut hidden = 0;
    for seed in 0..60 {
        let (painted, landmarks) = with(Extra::Glasses, seed);
        for p in &landmarks[3..] {
            assert!(painted.cover(*p) < 0.02, "{seed}: {} at {p:?}", painted.cover(*p));
        }
        let glass: f32 = painted.layer.pixels().iter().map(|p| p[3]).sum();
        assert!(glass > 0.02 * SCALE * SCALE, "{seed}: {glass} pixels");
        hidden += usize::from(landmarks[..2].iter().all(|eye| painted.cover(*eye) > 0.4));
    }
    assert!((25..58).contains(&hidden), "{hidden} of 60 are dark");
}

#[test]
fn a_hand_or_a_cup_hides_the_mouth_and_hardly_an_eye() {
    let (mut mouths, mut eyes) = (0, 0);
    for seed in 0..30 {
        let (painted, landmarks) = with(Extra::Hand, seed);
        let [right, left, _, right_mouth, left_mouth] = landmarks;
        let mouth = middle(right_mouth, left_mouth);
        mouths += usize::from(painted.cover(mouth) > 0.9);
        eyes += [right, left].iter().filter(|eye| painted.cover(**eye) > 0.1).count();
        let hand: f32 = painted.layer.pixels().iter().map(|p| p[3]).sum();
        assert!(hand > 0.5 * SCALE * SCALE, "{seed}: {hand} pixels");
    }
    assert!(mouths >= 20, "{mouths} of 30 mouths are hidden");
    assert!(eyes <= 6, "{eyes} of 60 eyes are hidden");
}

#[test]
fn most_hands_are_of_the_skin_that_is_seen_above_a_mask() {
    let mut alike = 0;
    for seed in 0..12 {
        let mut picture = plain(SKIN);
        // From below the eyes on.
        picture.pixels_mut()[3 * 240 * 104..]
            .chunks_exact_mut(3)
            .for_each(|rgb| rgb.copy_from_slice(&[40, 90, 160]));
        let (landmarks, bounds) = head(0.0, 0.0);
        let random = &mut Random::new(seed);
        let hand = Painted::extra(&picture, &bounds, &landmarks, Extra::Hand, random).unwrap();
        let [red, _, blue, cover] = hand.paint(middle(landmarks[3], landmarks[4]));
        alike += usize::from(cover > 0.9 && red > 1.1 * blue);
    }
    assert!(alike >= 6, "{alike} of 12");
}

#[test]
fn what_is_drawn_and_is_no_mask_is_written_as_bare() {
    let root = tempfile::tempdir().unwrap();
    let bare = pictures(root.path());
    let summary = synthesise(&args(root.path(), &[&bare], &["--beards", "1"])).unwrap();
    assert_eq!(summary.drawn, [(Label::WithoutMask, 2)].into());
    let bearded = root.path().join("out.csv");
    let csv = std::fs::read_to_string(&bearded).unwrap();
    assert_eq!(csv.matches(",without_mask,").count(), 2, "{csv}");
    assert_eq!(csv.matches(",beard,").count(), 2, "{csv}");
    let others = [("--scarves", ",scarf,"), ("--glasses", ",glasses,"), ("--hands", ",hand,")];
    // On what has been drawn on before.
    for (option, kind) in others {
        let again = root.path().join(option);
        std::fs::create_dir(&again).unwrap();
        let summary = synthesise(&args(&again, &[&bearded], &[option, "1"])).unwrap();
        assert_eq!(summary.drawn, [(Label::WithoutMask, 2)].into());
        let csv = std::fs::read_to_string(again.join("out.csv")).unwrap();
        assert_eq!(csv.matches(kind).count(), 2, "{csv}");
    }
    let bytes = |path: PathBuf| image::open(path).unwrap().into_rgb8().into_raw();
    assert!(bytes(root.path().join("out/7_00.jpg")) != bytes(asset("bare_face.jpg")));
}
