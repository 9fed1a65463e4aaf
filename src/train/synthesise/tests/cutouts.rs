//! Hands out of photographs.

use super::super::cutout::{Cutout, Held, cutouts, leave_judged};
use super::*;

const HAND: [u8; 3] = [150, 96, 70];

/// A photograph of a hand, if that is what a dark square on green is, and the square's outline.
fn photograph(root: &Path) -> &'static str {
    let mut picture = Picture::new(100, 80);
    picture.pixels_mut().chunks_exact_mut(3).for_each(|rgb| rgb.copy_from_slice(&[20, 220, 30]));
    for (x, y) in (20..50).flat_map(|y| (30..60).map(move |x| (x, y))) {
        picture.put(x, y, HAND);
    }
    std::fs::create_dir_all(root.join("pictures/in")).unwrap();
    let path = root.join("pictures/in/one.png");
    image::save_buffer(path, picture.pixels(), 100, 80, image::ColorType::Rgb8).unwrap();
    "31 21 59 21 59 49 31 49"
}

fn written(root: &Path, rows: &str) -> String {
    let csv = root.join("pictures.csv");
    std::fs::write(&csv, rows).unwrap();
    csv.display().to_string()
}

/// A plain face with its landmarks, for which no detector is needed.
fn marked(root: &Path) -> PathBuf {
    std::fs::create_dir(root.join("faces")).unwrap();
    let picture = plain(SKIN);
    let path = root.join("faces/face.png");
    image::save_buffer(path, picture.pixels(), SIDE, SIDE, image::ColorType::Rgb8).unwrap();
    let (points, Rect { x1, y1, x2, y2 }) = head(0.0, 0.0);
    let [columns, row] =
        [boxes::LANDMARK_COLUMNS.join(","), points.map(|p| format!("{},{}", p.x, p.y)).join(",")];
    let csv = root.join("faces.csv");
    let text = format!("image,xmin,ymin,xmax,ymax,{columns}\nface.png,{x1},{y1},{x2},{y2},{row}\n");
    std::fs::write(&csv, text).unwrap();
    csv
}

#[test]
fn a_hand_is_held_before_the_mouth_without_what_was_around_it() {
    let root = tempfile::tempdir().unwrap();
    let outline = photograph(root.path());
    let csv = written(root.path(), &format!("image,outline\nin/one.png,{outline}\n"));
    let (hands, skipped) = cutouts(&csv).unwrap();
    assert!(hands.len() == 1 && skipped.is_empty(), "{skipped:?}");
    // The same with the folder named.
    let elsewhere = format!("{}={csv}", root.path().join("pictures").display());
    assert_eq!(cutouts(&elsewhere).unwrap().0, hands);

    let (mut mouths, mut eyes, mut own) = (0, 0, 0);
    for seed in 0..40 {
        let (yaw, roll) = POSES[seed as usize % POSES.len()];
        let (landmarks, bounds) = head(yaw, roll);
        let bare = plain(SKIN);
        let random = &mut Random::new(seed);
        let painted = hands[0].painted(&bare, (&bounds, &landmarks), Held::Before, random).unwrap();
        let [right, left, _, right_mouth, left_mouth] = landmarks;
        let mouth = middle(right_mouth, left_mouth);
        let [red, green, blue, cover] = painted.paint(mouth);
        mouths += usize::from(cover > 0.9);
        eyes += [right, left].iter().filter(|eye| painted.cover(**eye) > 0.1).count();
        let hand: f32 = painted.layer.pixels().iter().map(|p| p[3]).sum();
        assert!((1.0..3.4).contains(&(hand / SCALE / SCALE)), "{seed}: {hand} pixels");
        // As bright as the skin of the face, and mostly of its colour.
        if cover > 0.9 {
            let sum = SKIN.iter().map(|value| f32::from(*value)).sum::<f32>();
            let level = (red + green + blue) / sum;
            assert!((0.8..1.25).contains(&level), "{seed}: {level}");
            let tint = f32::from(SKIN[0]) / f32::from(SKIN[2]);
            own += usize::from((red / blue - tint).abs() < 0.05);
        }
        // Some are laid on the picture too.
        if seed % 4 > 0 {
            continue;
        }
        let held = hands[0]
            .hold(&bare, (&bounds, &landmarks), Held::Before, &mut Random::new(seed))
            .unwrap();
        assert!(held != bare);
        let grass = |rgb: &[u8]| u16::from(rgb[1]) > u16::from(rgb[0]) + 10;
        assert!(!held.pixels().chunks_exact(3).any(grass), "{seed}");
    }
    assert!(mouths >= 36, "{mouths} of 40 mouths are hidden");
    assert!(eyes <= 8, "{eyes} of 80 eyes are hidden");
    assert!((mouths / 2..mouths).contains(&own), "{own} of {mouths} are of the face's colour");
}

#[test]
fn a_hand_beside_the_mouth_leaves_nose_mouth_and_chin_to_be_seen() {
    let root = tempfile::tempdir().unwrap();
    let outline = photograph(root.path());
    let csv = written(root.path(), &format!("image,outline\nin/one.png,{outline}\n"));
    let hand = cutouts(&csv).unwrap().0.remove(0);
    let (mut middles, mut cheeks) = (0, 0);
    for seed in 0..40 {
        let (yaw, roll) = POSES[seed as usize % POSES.len()];
        let (landmarks, bounds) = head(yaw, roll);
        let random = &mut Random::new(seed);
        let face = (&bounds, &landmarks);
        let painted = hand.painted(&plain(SKIN), face, Held::Beside, random).unwrap();
        let [_, _, nose, right_mouth, left_mouth] = landmarks;
        let mouth = middle(right_mouth, left_mouth);
        let hidden = |p: Point| painted.cover(p) > 0.1;
        middles += [nose, mouth].into_iter().filter(|p| hidden(*p)).count();
        let cheek = |corner: Point, far: f32| Point {
            x: mouth.x + far * (corner.x - mouth.x),
            y: mouth.y + far * (corner.y - mouth.y),
        };
        let all = [right_mouth, left_mouth].into_iter();
        cheeks += usize::from(all.flat_map(|at| [cheek(at, 2.0), cheek(at, 2.8)]).any(hidden));
    }
    assert!(middles <= 4, "{middles} of 40 noses and 40 mouths are hidden");
    assert!(cheeks >= 36, "{cheeks} of 40 hands are on a cheek");
}

#[test]
fn a_row_that_cannot_be_used_is_named_and_the_others_are() {
    let root = tempfile::tempdir().unwrap();
    let outline = photograph(root.path());
    let rows = [
        format!("in/one.png,{outline}"),
        format!("in/none.png,{outline}"),
        "in/one.png,1 2 x 4 5 6".into(),
        "in/one.png,1 2 3 4 5".into(),
        "in/one.png,1 2 3 4".into(),
        "in/one.png,".into(),
        "in/one.png,31 21 59 21 159 49".into(),
        "in/one.png,31 21 59 NaN 59 49".into(),
        "in/one.png,31 21 41 21 41 31 31 31".into(),
        "in/one.png".into(),
    ];
    let csv = written(root.path(), &format!("image,outline\n{}\n", rows.join("\n")));
    let (hands, skipped) = cutouts(&csv).unwrap();
    assert_eq!(hands.len(), 1);
    let told = [
        "pictures.csv:3: ",
        "outline: \"x\" is no number",
        "outline: 5 numbers",
        "outline: 4 numbers",
        "outline: 0 numbers",
        "159 49 is outside the picture",
        "59 NaN is outside the picture",
        "it encloses 9",
        "outline: 0 numbers",
    ];
    assert_eq!(skipped.len(), told.len(), "{skipped:#?}");
    for (line, told) in skipped.iter().zip(told) {
        assert!(line.contains(told), "{line} lacks {told}");
    }

    let refused = |rows: &str| format!("{:#}", cutouts(&written(root.path(), rows)).unwrap_err());
    assert!(refused("image,shape\n").contains("no column 'outline'"));
    assert!(refused("image,outline\n").contains("no hand in it can be used; it has no rows"));
    let none = refused("image,outline\nin/one.png,1 2\n");
    assert!(none.contains("pictures.csv:2: outline: 2 numbers"), "{none}");
    let missing = cutouts(&root.path().join("away.csv").display().to_string()).unwrap_err();
    assert!(format!("{missing:#}").contains("away.csv"), "{missing:#}");
}

#[test]
fn hands_of_photographs_take_the_place_of_drawn_ones() {
    let root = tempfile::tempdir().unwrap();
    let outline = photograph(root.path());
    let csv = written(root.path(), &format!("image,outline\nin/one.png,{outline}\n"));
    let bare = marked(root.path());
    let made = |folder: &str, more: &[&str]| {
        let folder = root.path().join(folder);
        std::fs::create_dir(&folder).unwrap();
        let options = [&["--hands", "1"], more].concat();
        let summary = synthesise(&args(&folder, &[&bare], &options)).unwrap();
        assert_eq!(summary.drawn, [(Label::WithoutMask, 1)].into());
        let csv = std::fs::read_to_string(folder.join("out.csv")).unwrap();
        assert_eq!(csv.matches(",hand,").count(), 1, "{csv}");
        image::open(folder.join("out/face_00.jpg")).unwrap().into_rgb8().into_raw()
    };
    assert_ne!(made("cut", &["--hand-outlines", &csv]), made("drawn", &[]));
    let away = ["--hands", "1", "--hand-outlines", "away.csv"];
    let error = synthesise(&args(root.path(), &[&bare], &away)).unwrap_err();
    assert!(format!("{error:#}").contains("--hand-outlines: away.csv"), "{error:#}");
}

#[test]
fn a_hand_away_from_faces_lies_where_it_should_without_what_was_around_it() {
    let root = tempfile::tempdir().unwrap();
    let outline = photograph(root.path());
    let csv = written(root.path(), &format!("image,outline\nin/one.png,{outline}\n"));
    let hand = &cutouts(&csv).unwrap().0[0];
    let wall = || {
        let mut wall = Picture::new(120, 120);
        wall.pixels_mut().fill(250);
        wall
    };
    for seed in 0..40 {
        let mut picture = wall();
        let side = [12.0, 24.0, 36.0][seed as usize % 3];
        hand.lay(&mut picture, Point { x: 50.0, y: 70.0 }, side, &mut Random::new(seed));
        let (mut area, mut at) = (0.0, [0.0; 2]);
        for (x, y) in (0..120).flat_map(|y| (0..120).map(move |x| (x, y))) {
            let rgb = picture.get(x, y).unwrap();
            // Hardly anything of the green around it, and that at the soft edge.
            assert!(
                rgb[1] <= rgb[0].max(rgb[2]).saturating_add(40),
                "seed {seed}: {rgb:?} at {x}, {y}"
            );
            if rgb[2] < 180 {
                area += 1.0;
                at[0] += x as f32 + 0.5;
                at[1] += y as f32 + 0.5;
            }
        }
        let wanted = side * side;
        assert!((0.75..1.25).contains(&(area / wanted)), "seed {seed}: {area} of {wanted}");
        assert!((at[0] / area - 50.0).abs() < 1.5 && (at[1] / area - 70.0).abs() < 1.5);
    }
    let mut picture = wall();
    hand.lay(&mut picture, Point { x: 119.0, y: -2.0 }, 30.0, &mut Random::new(1));
    assert!(picture != wall());
}

#[test]
fn no_hand_is_learned_from_a_picture_to_be_judged_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["judged.png", "learned.png"] {
        image::RgbImage::from_pixel(80, 80, image::Rgb([200, 150, 120])).save(path(name)).unwrap();
    }
    let outline = "10 10 70 10 70 70 10 70";
    let rows = format!("image,outline\njudged.png,{outline}\nlearned.png,{outline}\n");
    std::fs::write(path("hands.csv"), rows).unwrap();
    let named = format!("{}={}", folder.path().display(), path("hands.csv").display());
    let (mut hands, skipped) = cutouts(&named).unwrap();
    assert_eq!((hands.len(), skipped.len()), (2, 0), "{skipped:?}");
    // The same file by another way.
    let judged = folder.path().join(".").join("judged.png");
    leave_judged(&mut hands, std::iter::once(judged.as_path()));
    let left: Vec<&Path> = hands.iter().map(Cutout::photograph).collect();
    assert_eq!(left, [path("learned.png")]);
}
