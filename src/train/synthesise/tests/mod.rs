mod cutouts;
mod extras;

use std::path::{Path, PathBuf};

use super::command::{Summary, synthesise};
use super::head::posed;
use super::*;
use crate::config;
use crate::train::WrongUse;
use crate::train::data;
use crate::train::detector::scene;
use crate::train::{boxes, clip::compose::luma};
use crate::vision::Detector;

const SIDE: u32 = 240;

/// A face without features, 60 px between the eyes, in even light.
fn plain(skin: [u8; 3]) -> Picture {
    let mut picture = Picture::new(SIDE, SIDE);
    picture.pixels_mut().chunks_exact_mut(3).for_each(|rgb| rgb.copy_from_slice(&skin));
    picture
}

const SKIN: [u8; 3] = [196, 150, 128];
const SCALE: f32 = 48.0;

/// Landmarks and box of a head in the middle of [`plain`].
fn head(yaw: f32, roll: f32) -> ([Point; 5], Rect) {
    let landmarks = posed(Point { x: 120.0, y: 90.0 }, SCALE, yaw, roll);
    (landmarks, Rect { x1: 60.0, y1: 40.0, x2: 180.0, y2: 180.0 })
}

fn painted(style: &Style, yaw: f32, roll: f32) -> Painted {
    let (landmarks, bounds) = head(yaw, roll);
    Painted::new(&plain(SKIN), &bounds, &landmarks, style, &mut Random::new(9)).unwrap()
}

fn middle(a: Point, b: Point) -> Point {
    Point { x: (a.x + b.x) / 2.0, y: (a.y + b.y) / 2.0 }
}

impl Painted {
    /// Opacity of the mask at a point of the picture.
    fn cover(&self, p: Point) -> f32 {
        self.paint(p)[3]
    }

    /// Red, green, blue and opacity at a point of the picture.
    fn paint(&self, p: Point) -> [f32; 4] {
        let (x, y) = (p.x as usize, p.y as usize);
        let Region { left, top, width, height } = self.region;
        let inside = (left..left + width).contains(&x) && (top..top + height).contains(&y);
        if inside { self.layer.pixels()[(y - top) * width + x - left] } else { [0.0; 4] }
    }

    /// Right eye, left eye, nose, middle of the mouth, middle of the chin: covered or bare; a
    /// place half covered is neither.
    fn parts(&self, landmarks: &[Point; 5]) -> [bool; 5] {
        let [right, left, nose, right_mouth, left_mouth] = *landmarks;
        let (eyes, mouth) = (middle(right, left), middle(right_mouth, left_mouth));
        let chin =
            Point { x: eyes.x + (mouth.x - eyes.x) * 1.42, y: eyes.y + (mouth.y - eyes.y) * 1.42 };
        [right, left, nose, mouth, chin].map(|p| {
            let cover = self.cover(p);
            assert!(!(0.1..0.9).contains(&cover), "{cover} at {p:?}");
            cover > 0.5
        })
    }
}

/// Some styles of every kind.
fn styles(wear: Wear) -> Vec<Style> {
    let mut random = Random::new(3);
    let several = |kind| (0..4).map(|_| Style::draw(kind, wear, &mut random)).collect::<Vec<_>>();
    Kind::ALL.into_iter().flat_map(several).collect()
}

const POSES: [(f32, f32); 5] = [(0.0, 0.0), (0.5, 0.0), (-0.5, 0.1), (0.1, 0.45), (0.25, -0.4)];

/// Every style worn so, on heads turned and leaning.
fn all_cover(wear: Wear, expected: [bool; 5]) {
    for style in styles(wear) {
        for (yaw, roll) in POSES {
            let found = painted(&style, yaw, roll).parts(&head(yaw, roll).0);
            assert_eq!(found, expected, "{style:?} at {yaw}, {roll}");
        }
    }
}

#[test]
fn every_kind_worn_right_covers_nose_mouth_and_chin_and_no_eye() {
    all_cover(Wear::Right, [false, false, true, true, true]);
}

#[test]
fn under_the_nose_the_nose_stays_bare() {
    all_cover(Wear::UnderNose, [false, false, false, true, true]);
}

#[test]
fn a_raised_edge_lies_on_the_cheeks_and_the_nose_hangs_out_over_it() {
    let cover = |raised, x: f32| {
        let style = Style::draw(Kind::Cloth, Wear::UnderNose, &mut Random::new(2));
        let style = Style { shift: [0.0; 2], size: 1.0, tilt: 0.0, raised, ..style };
        painted(&style, 0.0, 0.0).cover(Point { x: 120.0 + x * SCALE, y: 90.0 + 0.64 * SCALE })
    };
    assert!([-0.6, 0.6].iter().all(|x| cover(1.0, *x) > 0.9 && cover(0.0, *x) < 0.1));
    assert!(cover(1.0, 0.0) < 0.1);
}

#[test]
fn on_the_chin_nose_and_mouth_stay_bare() {
    all_cover(Wear::Chin, [false, false, false, false, true]);
}

#[test]
fn under_the_chin_all_of_the_face_is_bare_and_the_mask_is_there() {
    all_cover(Wear::UnderChin, [false; 5]);
    for style in styles(Wear::UnderChin) {
        let painted = painted(&style, 0.2, 0.1);
        let area: f32 = painted.layer.pixels().iter().map(|p| p[3]).sum();
        assert!(area > 0.25 * SCALE * SCALE, "{area} pixels");
    }
}

#[test]
fn only_the_trap_covers_the_eyes() {
    all_cover(Wear::Eyes, [true, true, false, false, false]);
}

#[test]
fn a_mask_that_hangs_from_an_ear_covers_nothing_of_the_face_and_is_there() {
    for style in styles(Wear::Ear) {
        for (yaw, roll) in POSES {
            let painted = painted(&style, yaw, roll);
            assert_eq!(painted.parts(&head(yaw, roll).0), [false; 5], "{style:?}");
            let area: f32 = painted.layer.pixels().iter().map(|p| p[3]).sum();
            assert!(area > 0.25 * SCALE * SCALE, "{area} pixels");
        }
    }
}

#[test]
fn labels_follow_the_definition_of_the_data() {
    let labels = Wear::ALL.map(Wear::label);
    use Label::{IncorrectMask, WithMask, WithoutMask};
    let [right, under_nose, chin, under_chin, ear, eyes] = labels;
    assert_eq!([right, ear], [WithMask, WithoutMask]);
    assert_eq!([under_nose, chin, under_chin, eyes], [IncorrectMask; 4]);
}

#[test]
fn on_a_turned_face_the_far_half_of_the_mask_is_foreshortened() {
    let style = &styles(Wear::Right)[0];
    for yaw in [-0.6_f32, 0.6] {
        let (landmarks, _) = head(yaw, 0.0);
        let painted = painted(style, yaw, 0.0);
        // Along the height of the mouth, to either side of the nose.
        let y = landmarks[3].y;
        let reach = |side: f32| {
            let from = landmarks[2].x;
            (0..SIDE)
                .find(|d| painted.cover(Point { x: from + side * *d as f32, y }) < 0.5)
                .unwrap()
        };
        let (far, near) = (reach(yaw.signum()), reach(-yaw.signum()));
        assert!(near > 2 * far, "{near} to the near side, {far} to the far side");
    }
}

/// Mean colour of the mask on a picture of the composed face, changed by `change`.
fn mask_on(change: impl Fn([f32; 3], f32) -> [f32; 3], part: [f32; 2]) -> [f32; 3] {
    let (mut picture, face) = composed();
    let width = picture.width() as usize;
    for (at, rgb) in picture.pixels_mut().chunks_exact_mut(3).enumerate() {
        let changed = change([0, 1, 2].map(|c| f32::from(rgb[c])), (at % width) as f32);
        rgb.iter_mut().zip(changed).for_each(|(byte, value)| *byte = value as u8);
    }
    let style = Style::draw(Kind::Surgical, Wear::Right, &mut Random::new(1));
    let mut random = Random::new(1);
    let (drawn, _) = draw(&picture, &face.bounds, &face.landmarks, &style, &mut random).unwrap();
    let [right, left] = [face.landmarks[3], face.landmarks[4]];
    let mut sum = [0.0; 3];
    for step in 0..10 {
        let t = part[0] + (part[1] - part[0]) * step as f32 / 10.0;
        let (x, y) = (right.x + (left.x - right.x) * t, right.y + (left.y - right.y) * t - 3.0);
        let rgb = drawn.get(x as i64, y as i64).unwrap();
        sum.iter_mut().zip(rgb).for_each(|(sum, value)| *sum += f32::from(value) / 10.0);
    }
    sum
}

#[test]
fn a_mask_in_a_dark_picture_is_dark() {
    let bright = luma(mask_on(|rgb, _| rgb, [0.0, 1.0]));
    let dark = luma(mask_on(|rgb, _| rgb.map(|v| v * 0.4), [0.0, 1.0]));
    let ratio = dark / bright;
    assert!((0.3..0.55).contains(&ratio), "{dark} of {bright}");
}

#[test]
fn a_face_lit_from_one_side_wears_a_mask_lit_from_that_side() {
    let (_, face) = composed();
    let middle = face.landmarks[2].x;
    let size = face.bounds.width();
    let lit = move |rgb: [f32; 3], x: f32| {
        let light = (1.0 + 0.8 * (x - middle) / size).clamp(0.4, 1.3);
        rgb.map(|v| (v * 0.7 * light).min(255.0))
    };
    let right = luma(mask_on(lit, [-0.3, 0.2]));
    let left = luma(mask_on(lit, [0.8, 1.3]));
    assert!(left > 1.15 * right, "{left} on the lit side, {right} on the other");
}

#[test]
fn warm_light_makes_a_warm_mask_and_a_picture_without_colours_a_grey_one() {
    let neutral = mask_on(|rgb, _| rgb, [0.0, 1.0]);
    let warm = mask_on(|[r, g, b], _| [(r * 1.15).min(255.0), g, b * 0.7], [0.0, 1.0]);
    assert!(warm[2] / warm[0] < 0.92 * neutral[2] / neutral[0], "{warm:?}, {neutral:?}");
    let grey = mask_on(|rgb, _| [luma(rgb); 3], [0.0, 1.0]);
    assert!((grey[0] - grey[2]).abs() < 3.0, "{grey:?}");
}

#[test]
fn landmarks_that_are_no_face_or_belong_to_another_box_get_no_mask() {
    let style = &styles(Wear::Right)[0];
    let (landmarks, bounds) = head(0.0, 0.0);
    let mut random = Random::new(1);
    let mut refused = |bounds: &Rect, landmarks: &[Point; 5]| {
        draw(&plain(SKIN), bounds, landmarks, style, &mut random).is_none()
    };
    assert!(!refused(&bounds, &landmarks));
    assert!(refused(&bounds, &[landmarks[0]; 5]));
    let elsewhere = Rect { x1: 0.0, y1: 0.0, x2: 50.0, y2: 50.0 };
    assert!(refused(&elsewhere, &landmarks));
    let huge = Rect { x1: -900.0, y1: -900.0, x2: 900.0, y2: 900.0 };
    assert!(refused(&huge, &landmarks));
}

#[test]
fn a_face_at_the_edge_of_the_picture_is_drawn_on_as_far_as_it_is_there() {
    let style = &styles(Wear::Right)[0];
    let mut random = Random::new(1);
    let mut at = |y: f32| {
        let landmarks = posed(Point { x: 4.0, y }, SCALE, 0.0, 0.0);
        let bounds = Rect { x1: -60.0, y1: y - 50.0, x2: 70.0, y2: y + 110.0 };
        draw(&plain(SKIN), &bounds, &landmarks, style, &mut random)
    };
    let (drawn, _) = at(185.0).unwrap();
    assert!(drawn != plain(SKIN));
    assert!(at(228.0).is_none(), "the mask is below the picture");
}

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets").join(name)
}

/// The composed bare face and where the built-in detector finds it.
fn composed() -> (Picture, crate::picture::Face) {
    let decoded = image::open(asset("bare_face.jpg")).unwrap().into_rgb8();
    let (width, height) = decoded.dimensions();
    let picture = Picture::from_pixels(width, height, decoded.into_raw()).unwrap();
    let mut detector = Detector::load(&config::Detector::default()).unwrap();
    let face = detector.detect(&picture).unwrap()[0];
    (picture, face)
}

/// Arguments that write to `out` in `folder`.
fn args(folder: &Path, bare: &[&Path], more: &[&str]) -> Args {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut words = vec!["synthesise".to_owned(), "--bare".into()];
    words.extend(bare.iter().map(|path| text(path)));
    words.extend(["--out".into(), text(&folder.join("out"))]);
    words.extend(more.iter().map(|word| (*word).to_owned()));
    <Line as clap::Parser>::parse_from(words).args
}

/// A folder with the composed face twice, a door without anybody, and something broken.
fn pictures(folder: &Path) -> PathBuf {
    let bare = folder.join("bare");
    std::fs::create_dir(&bare).unwrap();
    std::fs::copy(asset("bare_face.jpg"), bare.join("Some_One_1.jpg")).unwrap();
    std::fs::copy(asset("bare_face.jpg"), bare.join("7.jpg")).unwrap();
    std::fs::copy(asset("empty_door.jpg"), bare.join("door.jpg")).unwrap();
    std::fs::write(bare.join("broken.jpg"), "no picture").unwrap();
    bare
}

#[test]
fn what_is_written_can_be_read_by_both_trainers() {
    let root = tempfile::tempdir().unwrap();
    let bare = pictures(root.path());
    let steps = root.path().join("steps");
    let more = ["--wear", "chin", "--variants", "2", "--steps", steps.to_str().unwrap()];
    let summary = synthesise(&args(root.path(), &[&bare], &more)).unwrap();
    let drawn = [(Label::IncorrectMask, 4)].into();
    let expected =
        Summary { pictures: 4, drawn, unreadable: 1, without_face: 1, ..Summary::default() };
    assert_eq!(summary, expected);

    let csv = root.path().join("out.csv");
    let read = boxes::read(&csv).unwrap();
    assert!(read.skipped.is_empty(), "{:?}", read.skipped);
    assert!(read.images.iter().all(|i| i.faces.len() == 1 && i.faces[0].landmarks.is_some()));
    let (samples, left_out) = data::read(&[csv.to_str().unwrap().parse().unwrap()], None).unwrap();
    assert!(left_out.count == 0 && samples.len() == 4);
    assert!(samples.iter().all(|sample| sample.label == Label::IncorrectMask));
    let people = samples.iter().filter(|s| s.person.as_ref().unwrap().ends_with("Some_One"));
    assert_eq!(people.count(), 2);
    assert_eq!(scene::annotated(csv.to_str().unwrap()).unwrap().len(), 4);
    for step in ["1-bare", "2-face", "3-region", "4-landmarks", "5-mask"] {
        assert!(steps.join(format!("7_00-0-{step}.jpg")).is_file(), "{step}");
    }
}

#[test]
fn masks_of_others_are_worn_where_some_are_given() {
    let root = tempfile::tempdir().unwrap();
    let bare = pictures(root.path());
    let masked = root.path().join("masked");
    std::fs::create_dir(&masked).unwrap();
    std::fs::copy(asset("masked_face.jpg"), masked.join("a.jpg")).unwrap();
    std::fs::write(masked.join("broken.jpg"), "no picture").unwrap();
    let more = ["--wear", "under-nose", "--masked", masked.to_str().unwrap()];
    let summary = synthesise(&args(root.path(), &[&bare], &more)).unwrap();
    assert_eq!(summary.drawn, [(Label::IncorrectMask, 2)].into());
    let csv = std::fs::read_to_string(root.path().join("out.csv")).unwrap();
    assert_eq!(csv.matches(",real,under-nose").count(), 2, "{csv}");

    std::fs::remove_file(masked.join("a.jpg")).unwrap();
    std::fs::remove_dir_all(root.path().join("out")).unwrap();
    let error = synthesise(&args(root.path(), &[&bare], &more)).unwrap_err().to_string();
    assert!(error.contains("--masked") && error.contains("no masked face"), "{error}");
}

#[test]
fn the_light_taken_off_a_colour_is_what_was_put_on() {
    let (landmarks, bounds) = head(0.2, 0.1);
    let mut picture = plain(SKIN);
    for (i, rgb) in picture.pixels_mut().chunks_exact_mut(3).enumerate() {
        let light = 0.5 + 0.4 * (i % SIDE as usize) as f32 / SIDE as f32;
        rgb.iter_mut().for_each(|value| *value = (f32::from(*value) * light) as u8);
    }
    let (_, light, _) = read(&picture, &bounds, &landmarks).unwrap();
    assert!(light.slope[0] > 0.1, "{light:?}");
    for at in [Point { x: -0.7, y: 1.0 }, Point { x: 0.7, y: 1.4 }] {
        let colour = [120.0, 80.0, 160.0];
        let back = light.unshow(light.show(colour, at, 1.0), at);
        assert!(back.iter().zip(colour).all(|(a, b)| (a - b).abs() < 0.5), "{back:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let root = tempfile::tempdir().unwrap();
    let bare = pictures(root.path());
    let made = |name: &str, seed: &str| {
        let folder = root.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        synthesise(&args(&folder, &[&bare], &["--seed", seed])).unwrap();
        let csv = std::fs::read_to_string(folder.join("out.csv")).unwrap();
        (csv, std::fs::read(folder.join("out/7_00.jpg")).unwrap())
    };
    let first = made("a", "5");
    assert!(first == made("b", "5"));
    assert!(first.1 != made("c", "6").1);
}

#[test]
fn a_csv_of_landmarks_needs_no_detector_and_masked_faces_are_left_as_they_are() {
    let root = tempfile::tempdir().unwrap();
    let (_, face) = composed();
    let two = root.path().join("marked");
    std::fs::create_dir(&two).unwrap();
    for name in ["a.jpg", "b.jpg", "c.jpg"] {
        std::fs::copy(asset("bare_face.jpg"), two.join(name)).unwrap();
    }
    let mut csv = boxes::header(&[]).unwrap();
    let bare = boxes::Annotation {
        bounds: face.bounds,
        label: None,
        ignore: false,
        landmarks: Some(face.landmarks),
    };
    csv.push_str(&boxes::row("a.jpg", &bare, &[]).unwrap());
    let masked = boxes::Annotation { label: Some(Label::WithMask), ..bare.clone() };
    csv.push_str(&boxes::row("b.jpg", &masked, &[]).unwrap());
    csv.push_str(
        &boxes::row("c.jpg", &boxes::Annotation { landmarks: None, ..bare }, &[]).unwrap(),
    );
    let path = root.path().join("marked.csv");
    std::fs::write(&path, csv).unwrap();
    let more = ["--detector", "nowhere.onnx"];
    let summary = synthesise(&args(root.path(), &[&path], &more)).unwrap();
    assert_eq!((summary.pictures, summary.unusable), (1, 2));
}

#[test]
fn an_output_folder_with_something_in_it_and_pictures_without_a_face_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let bare = pictures(root.path());
    std::fs::remove_file(bare.join("7.jpg")).unwrap();
    std::fs::remove_file(bare.join("Some_One_1.jpg")).unwrap();
    let error = synthesise(&args(root.path(), &[&bare], &[])).unwrap_err().to_string();
    assert!(error.contains("1 unreadable, 1 without a face"), "{error}");
    std::fs::write(root.path().join("out/old.jpg"), "").unwrap();
    let error = synthesise(&args(root.path(), &[&bare], &[])).unwrap_err().to_string();
    assert!(error.contains("--out") && error.contains("an empty or a new one"), "{error}");
    let sheet = args(root.path(), &[&bare], &["--sheet", "sheet"]);
    let error = synthesise(&sheet).unwrap_err();
    assert!(error.is::<WrongUse>() && error.to_string().contains("--sheet sheet"), "{error}");
    // Somebody's boxes.
    std::fs::remove_dir_all(root.path().join("out")).unwrap();
    std::fs::write(root.path().join("out.csv"), "image\n").unwrap();
    let error = synthesise(&args(root.path(), &[&bare], &[])).unwrap_err().to_string();
    assert!(error.contains("out.csv is there already"), "{error}");
    assert_eq!(std::fs::read_to_string(root.path().join("out.csv")).unwrap(), "image\n");
}
