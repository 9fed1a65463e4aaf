//! Square samples cut from scenes: small ones, since a fully convolutional net learns the same
//! from them as from whole frames at a third of the cost.

use super::clock;
use super::scene::Scenes;
use super::targets::{self, Cells, Target};
use super::view::{self, View};
use crate::picture::{Face, Picture, Point, Rect};
use crate::train::augment::{self, Turn};
use crate::train::random::Random;
use crate::train::synthesise::{self, Cutout, NARROWEST, Wardrobe};
use crate::vision::crop;

/// How samples of a batch look.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Side in pixels, a multiple of 64.
    pub side: usize,
    pub batch: usize,
    /// Sizes in pixels that the chosen face is scaled to, evenly in their logarithm.
    pub faces: (f32, f32),
    /// Whether four pictures of half the side stand in each sample: four times the faces at the
    /// same cost, which landmarks need.
    pub mosaic: bool,
}

/// One batch in four is crowded, which landmarks need; more of them cost small faces their scores.
/// Near faces, which take the most pixels, come in batches of their own.
pub const SHAPES: [Shape; 4] = [
    Shape { side: 192, batch: 12, faces: (9.0, 130.0), mosaic: false },
    Shape { side: 256, batch: 7, faces: (18.0, 120.0), mosaic: true },
    Shape { side: 192, batch: 12, faces: (9.0, 60.0), mosaic: false },
    Shape { side: 320, batch: 4, faces: (60.0, 300.0), mosaic: false },
];

/// What landmarks learn from where scores and boxes stay: faces that are near enough to show them.
pub const NEAR: [Shape; 3] = [
    Shape { side: 256, batch: 7, faces: (24.0, 120.0), mosaic: true },
    Shape { side: 320, batch: 5, faces: (60.0, 300.0), mosaic: false },
    Shape { side: 320, batch: 4, faces: (28.0, 150.0), mosaic: true },
];

/// What is drawn or laid into samples.
#[derive(Clone, Debug, Default)]
pub struct Additions {
    /// Share of the bare faces that get a drawn mask.
    pub masks: f32,
    /// Hands that lie in some samples, away from the faces.
    pub hands: Vec<Cutout>,
}

/// Faces under this size in the sample are neither right nor wrong.
const SMALLEST: f32 = 7.0;
/// So are faces of which less than this part is in the sample.
const VISIBLE: f32 = 0.55;
/// Part of the samples that is cut from pictures without faces.
const EMPTY: f32 = 0.25;
/// Part of the samples without faces in which clocks hang, and how many at most.
const CLOCKED: f32 = 0.4;
const CLOCKS: usize = 3;
/// Part of the samples in which hands lie, and how many at most; how large, in parts of the size of a
/// face.
const HANDED: f32 = 0.3;
const HANDS: usize = 3;
const HAND: [f32; 2] = [0.5, 1.2];

/// A batch: input values and cells of each sample.
pub fn batch(
    sources: &[Scenes],
    empty: &[Scenes],
    shape: Shape,
    additions: &Additions,
    random: &mut Random,
) -> (Vec<f32>, Vec<Cells>) {
    let area = 3 * shape.side * shape.side;
    let mut input = vec![0.0; shape.batch * area];
    let mut cells = Vec::with_capacity(shape.batch);
    for planes in input.chunks_exact_mut(area) {
        let (picture, faces) = sample(sources, empty, shape, additions, random);
        crop::to_input(&picture, planes);
        cells.push(targets::assign(&faces, shape.side));
    }
    (input, cells)
}

/// One sample and its faces.
fn sample(
    sources: &[Scenes],
    empty: &[Scenes],
    shape: Shape,
    additions: &Additions,
    random: &mut Random,
) -> (Picture, Vec<Target>) {
    if !shape.mosaic {
        return piece(sources, empty, shape, additions, random);
    }
    let half = shape.side / 2;
    let mut whole = Picture::new(shape.side as u32, shape.side as u32);
    let mut targets = Vec::new();
    for (across, down) in [(0, 0), (half, 0), (0, half), (half, half)] {
        let part = Shape { side: half, ..shape };
        let (picture, faces) = piece(sources, empty, part, additions, random);
        let rows = picture.pixels().chunks_exact(half * 3);
        let places = whole.pixels_mut().chunks_exact_mut(shape.side * 3).skip(down);
        for (place, row) in places.zip(rows) {
            place[across * 3..(across + half) * 3].copy_from_slice(row);
        }
        targets.extend(faces.into_iter().map(|face| moved(face, across as f32, down as f32)));
    }
    (whole, targets)
}

fn moved(face: Target, across: f32, down: f32) -> Target {
    let b = face.bounds;
    Target {
        bounds: Rect { x1: b.x1 + across, y1: b.y1 + down, x2: b.x2 + across, y2: b.y2 + down },
        landmarks: face
            .landmarks
            .map(|points| points.map(|p| Point { x: p.x + across, y: p.y + down })),
        ignore: face.ignore,
        label: face.label,
    }
}

/// A square cut from one picture, and its faces.
fn piece(
    sources: &[Scenes],
    empty: &[Scenes],
    shape: Shape,
    additions: &Additions,
    random: &mut Random,
) -> (Picture, Vec<Target>) {
    let from_empty = !empty.is_empty() && random.chance(EMPTY);
    let (low, high) = shape.faces;
    let wanted = random.range(low.ln(), high.ln()).exp();
    let view = if from_empty {
        View::of_empty(empty, shape.side, random)
    } else {
        View::of_face(sources, wanted, shape.side, !empty.is_empty(), random)
    };
    let mut picture = view.cut(shape.side, empty, random);
    let View { scene, region, turn } = view;
    let side = shape.side as f32;
    let scale = side / region.width();
    let mut faces: Vec<Target> =
        scene.faces.iter().filter_map(|face| place(face, &region, turn, scale, side)).collect();
    mask(&mut picture, &faces, additions.masks, random);
    if from_empty && random.chance(CLOCKED) {
        for _ in 0..=random.below(CLOCKS) {
            let radius = random.range(low.ln(), high.ln()).exp().min(side) / 2.0;
            let center = Point { x: random.range(0.0, side), y: random.range(0.0, side) };
            clock::hang(&mut picture, center, radius, random);
        }
    }
    lay_hands(&mut picture, &faces, &additions.hands, wanted, random);
    if random.chance(0.5) {
        picture = picture.mirrored();
        faces.iter_mut().for_each(|face| mirror(face, side));
    }
    if random.chance(0.6) {
        let found = faces.iter().filter(|face| !face.ignore).map(|face| face.bounds.area().sqrt());
        augment::photometric(&mut picture, found.fold(side, f32::min), random);
    }
    (picture, faces)
}

/// Draws masks on this share of the bare faces that are large enough for one. Takes nothing from
/// `random` where none are wanted.
fn mask(picture: &mut Picture, faces: &[Target], drawn: f32, random: &mut Random) {
    if drawn <= 0.0 {
        return;
    }
    let wardrobe = Wardrobe::default();
    for face in faces.iter().filter(|face| face.is_bare() && !face.ignore) {
        let Some(landmarks) = face.landmarks else { continue };
        if face.bounds.width() >= NARROWEST && random.chance(drawn) {
            let style = wardrobe.draw(random);
            // A face turned too far away stays as it is.
            synthesise::draw_on(picture, &face.bounds, &landmarks, &style, random);
        }
    }
}

/// Lays some of these hands, up to somewhat larger than a face of `face` pixels, where no face is. Takes
/// nothing from `random` where there are none.
fn lay_hands(
    picture: &mut Picture,
    faces: &[Target],
    hands: &[Cutout],
    face: f32,
    random: &mut Random,
) {
    if hands.is_empty() || !random.chance(HANDED) {
        return;
    }
    for _ in 0..=random.below(HANDS) {
        let hand = &hands[random.below(hands.len())];
        let side = face * random.range(HAND[0], HAND[1]);
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        let center = Point { x: random.range(0.0, width), y: random.range(0.0, height) };
        // An outline is longer than the root of its area.
        let room = view::square(center.x - side, center.y - side, 2.0 * side);
        if faces.iter().all(|face| room.intersect(&face.bounds).area() == 0.0) {
            hand.lay(picture, center, side, random);
        }
    }
}

/// The face in the sample's pixels, `None` where nothing of it is left.
fn place(face: &Target, region: &Rect, turn: f32, scale: f32, side: f32) -> Option<Target> {
    let turn = Turn::new(turn, side / 2.0);
    let moved_point =
        |p: Point| Point { x: (p.x - region.x1) * scale, y: (p.y - region.y1) * scale };
    let center = turn.apply(moved_point(face.bounds.center()));
    let (wide, high) = turn.extent(face.bounds.width() * scale, face.bounds.height() * scale);
    let moved = Rect {
        x1: center.x - wide / 2.0,
        y1: center.y - high / 2.0,
        x2: center.x + wide / 2.0,
        y2: center.y + high / 2.0,
    };
    let bounds = moved.clamped(side, side);
    if bounds.area() <= 0.0 {
        return None;
    }
    let inside = center.x > 0.0 && center.y > 0.0 && center.x < side && center.y < side;
    let clear = inside && bounds.area() >= VISIBLE * moved.area();
    let landmarks = face.landmarks.map(|points| points.map(|p| turn.apply(moved_point(p))));
    Some(Target {
        bounds,
        landmarks,
        ignore: face.ignore || !clear || moved.area().sqrt() < SMALLEST,
        label: face.label,
    })
}

fn mirror(target: &mut Target, side: f32) {
    let landmarks = target.landmarks.unwrap_or_default();
    let face = Face { bounds: target.bounds, score: 1.0, landmarks }.mirrored(side);
    target.bounds = face.bounds;
    target.landmarks = target.landmarks.map(|_| face.landmarks);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Label;
    use crate::train::clip::align::{FRONTAL, Similarity};
    use crate::train::detector::scene::{Hard, Scene};
    use crate::train::detector::view::square;

    #[test]
    fn the_chosen_face_is_where_the_sample_says_it_is() {
        // A white square on black stands for the face.
        let mut picture = Picture::new(300, 200);
        for y in 80..120 {
            for x in 140..180 {
                picture.put(x, y, [255; 3]);
            }
        }
        let bounds = Rect { x1: 140.0, y1: 80.0, x2: 180.0, y2: 120.0 };
        let face =
            Target { bounds, landmarks: Some([bounds.center(); 5]), ignore: false, label: None };
        let scenes = vec![Scene { picture, faces: vec![face] }];
        let sources = [Scenes::new("drawn", scenes)];
        let mut random = Random::new(5);
        for _ in 0..50 {
            let mosaic = random.chance(0.5);
            let shape = Shape { side: 192, batch: 1, faces: (20.0, 60.0), mosaic };
            let (picture, faces) = sample(&sources, &[], shape, &Additions::default(), &mut random);
            for face in faces.iter().filter(|face| !face.ignore) {
                let p = face.bounds.center();
                let middle = picture.get(p.x as i64, p.y as i64).unwrap_or_default();
                assert!(middle.iter().any(|&c| c > 60), "nothing at {p:?}");
                let landmark = face.landmarks.unwrap_or_default()[2];
                let visible = face.bounds.area().sqrt();
                assert!((landmark.x - p.x).abs() < visible && (landmark.y - p.y).abs() < visible);
            }
        }
    }

    #[test]
    fn a_small_face_of_a_tight_picture_stands_in_another_picture_where_its_box_says() {
        let of = |light: u8, width, height| {
            let mut picture = Picture::new(width, height);
            picture.pixels_mut().fill(light);
            picture
        };
        let bounds = Rect { x1: 10.0, y1: 10.0, x2: 90.0, y2: 110.0 };
        let face = Target { bounds, landmarks: None, ignore: false, label: None };
        let tight = Scene { picture: of(255, 100, 120), faces: vec![face] };
        let room = Scene { picture: of(0, 640, 480), faces: Vec::new() };
        let scenes = |scene| [Scenes::new("drawn", vec![scene])];
        let (sources, empty) = (scenes(tight), scenes(room));
        let region = square(-500.0, -300.0, 960.0);
        let view = View { scene: &sources[0].scenes[0], region, turn: 0.0 };
        let sample = view.cut(192, &empty, &mut Random::new(3));
        let face = place(&sources[0].scenes[0].faces[0], &region, 0.0, 0.2, 192.0).unwrap();
        assert_eq!(face.bounds, Rect { x1: 102.0, y1: 62.0, x2: 118.0, y2: 82.0 });
        for (x, y, light) in
            [(100, 60, 255), (119, 83, 255), (99, 60, 0), (120, 83, 0), (100, 84, 0), (0, 0, 0)]
        {
            assert_eq!(sample.get(x, y), Some([light; 3]), "at {x}, {y}");
        }
        let mut random = Random::new(11);
        for empty in [&empty[..], &[]] {
            for shape in SHAPES {
                for _ in 0..20 {
                    let (picture, faces) =
                        super::sample(&sources, empty, shape, &Additions::default(), &mut random);
                    for face in faces.iter().filter(|face| !face.ignore) {
                        let at = face.bounds.center();
                        let light = picture.get(at.x as i64, at.y as i64).unwrap_or_default();
                        assert!(light.iter().any(|&c| c > 40), "nothing at {at:?}, {shape:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_place_that_is_taken_for_a_face_is_shown_more_often() {
        let mut picture = Picture::new(600, 400);
        for y in 40..60 {
            for x in 500..520 {
                picture.put(x, y, [255; 3]);
            }
        }
        let bounds = Rect { x1: 500.0, y1: 40.0, x2: 520.0, y2: 60.0 };
        let scenes = vec![Scene { picture, faces: Vec::new() }];
        let mut empty = [Scenes::new("drawn", scenes)];
        let shown = |empty: &[Scenes]| {
            let mut random = Random::new(7);
            let holds = |_: &usize| {
                let picture = View::of_empty(empty, 64, &mut random).cut(64, &[], &mut random);
                picture.pixels().iter().any(|&c| c > 100)
            };
            (0..200).filter(holds).count()
        };
        let before = shown(&empty);
        empty[0].lures = vec![Hard { scene: 0, bounds, size: 20.0 }];
        let after = shown(&empty);
        // Three in four show it for sure, and the others as often as before.
        assert!(before < 120 && after > 150, "{before} and {after} of 200");
    }

    #[test]
    fn a_face_that_is_missed_is_shown_more_often() {
        let square = |x: f32| Rect { x1: x, y1: 40.0, x2: x + 30.0, y2: 70.0 };
        let face = |x| Target { bounds: square(x), landmarks: None, ignore: false, label: None };
        let scene = |x| Scene { picture: Picture::new(300, 200), faces: vec![face(x)] };
        let scenes = || (0..40).map(|at| scene(at as f32 * 5.0)).collect();
        let missed = vec![Hard { scene: 7, bounds: square(35.0), size: 12.0 }];
        let shape = Shape { side: 64, batch: 1, faces: (30.0, 31.0), mosaic: false };
        let small = |sources: &[Scenes]| {
            let mut random = Random::new(9);
            let sizes = (0..400).filter_map(|_| {
                let (_, faces) = piece(sources, &[], shape, &Additions::default(), &mut random);
                faces.iter().find(|face| !face.ignore).map(|face| face.bounds.area().sqrt())
            });
            sizes.filter(|size| *size < 20.0).count()
        };
        assert_eq!(small(&[Scenes::new("drawn", scenes())]), 0);
        let shown = small(&[Scenes { missed, ..Scenes::new("drawn", scenes()) }]);
        assert!((15..100).contains(&shown), "{shown} of 400");
    }

    /// A frontal face without features, 40 px between the eyes.
    fn plain_face(bare: bool) -> (Picture, Target) {
        let mut picture = Picture::new(160, 160);
        picture.pixels_mut().chunks_exact_mut(3).for_each(|p| p.copy_from_slice(&[190, 150, 130]));
        let place = Similarity::new(Point { x: 80.0, y: 60.0 }, 40.0, 0.0);
        let landmarks = Some(FRONTAL.map(|p| place.apply(p)));
        let bounds = Rect { x1: 35.0, y1: 20.0, x2: 125.0, y2: 130.0 };
        let label = (!bare).then_some(Label::WithMask);
        (picture, Target { bounds, landmarks, ignore: false, label })
    }

    #[test]
    fn masks_are_drawn_on_the_wanted_share_of_bare_faces_and_on_no_masked_one() {
        let changed = |bare: bool, drawn: f32| {
            let (before, face) = plain_face(bare);
            let differs = |seed: u64| {
                let mut after = before.clone();
                mask(&mut after, std::slice::from_ref(&face), drawn, &mut Random::new(seed));
                after != before
            };
            (0..20).filter(|seed| differs(*seed)).count()
        };
        assert_eq!((changed(true, 1.0), changed(false, 1.0), changed(true, 0.0)), (20, 0, 0));
        assert!((4..17).contains(&changed(true, 0.5)), "{}", changed(true, 0.5));
    }

    #[test]
    fn without_drawn_masks_the_random_stream_goes_on_as_before() {
        let (mut picture, face) = plain_face(true);
        let mut random = Random::new(8);
        mask(&mut picture, &[face], 0.0, &mut random);
        assert_eq!(random.bits(), Random::new(8).bits());
    }

    #[test]
    fn hands_lie_in_some_samples_and_on_no_face() {
        let folder = tempfile::tempdir().unwrap();
        let photograph = image::RgbImage::from_pixel(80, 80, image::Rgb([220, 20, 20]));
        photograph.save(folder.path().join("hand.png")).unwrap();
        let csv = folder.path().join("hands.csv");
        std::fs::write(&csv, "image,outline\nhand.png,5 5 75 5 75 75 5 75\n").unwrap();
        let named = format!("{}={}", folder.path().display(), csv.display());
        let (hands, _) = synthesise::cutouts(&named).unwrap();
        let bounds = Rect { x1: 60.0, y1: 60.0, x2: 120.0, y2: 130.0 };
        let face = Target { bounds, landmarks: None, ignore: true, label: Some(Label::WithMask) };
        let mut random = Random::new(4);
        let mut shown = 0;
        for _ in 0..200 {
            let mut picture = Picture::new(192, 192);
            lay_hands(&mut picture, std::slice::from_ref(&face), &hands, 40.0, &mut random);
            let mut red = false;
            for (x, y) in (0..192).flat_map(|y| (0..192).map(move |x| (x, y))) {
                let lit = picture.get(x, y) != Some([0; 3]);
                let on_face = (60..120).contains(&x) && (60..130).contains(&y);
                assert!(!(lit && on_face), "at {x}, {y}");
                red |= lit;
            }
            shown += usize::from(red);
        }
        assert!((25..80).contains(&shown), "{shown} of 200");
    }

    #[test]
    fn without_hands_the_random_stream_goes_on_as_before() {
        let mut random = Random::new(8);
        lay_hands(&mut Picture::new(64, 64), &[], &[], 20.0, &mut random);
        assert_eq!(random.bits(), Random::new(8).bits());
    }
}
