use super::{Affine, Geometry, Turn, cover_below, photometric, warp};
use crate::picture::{Picture, Point};
use crate::train::random::Random;

fn noise(seed: u64, side: u32) -> Picture {
    let mut random = Random::new(seed);
    let mut picture = Picture::new(side, side);
    picture.pixels_mut().fill_with(|| random.below(256) as u8);
    picture
}

#[test]
fn the_same_stream_makes_the_same_view() {
    let view = |seed| {
        let mut random = Random::new(seed);
        let map = Geometry::default().draw(96, 0.5, 64, &mut random);
        let mut view = warp(&noise(1, 96), &map, 64);
        cover_below(&mut view, &mut random);
        photometric(&mut view, 64.0, &mut random);
        view
    };
    for seed in 0..20 {
        assert!(view(seed) == view(seed));
    }
    assert!(view(0) != view(1));
}

#[test]
fn a_map_that_moves_nothing_gives_the_picture_back() {
    let picture = noise(2, 24);
    let still = Affine { a: 1.0, b: 0.0, c: 0.0, d: 0.0, e: 1.0, f: 0.0 };
    assert!(warp(&picture, &still, 24) == picture);
}

#[test]
fn outside_the_source_its_edge_is_repeated() {
    let mut picture = Picture::new(4, 4);
    picture.pixels_mut().fill(200);
    let far = Affine { a: 10.0, b: 0.0, c: -40.0, d: 0.0, e: 10.0, f: -40.0 };
    assert!(warp(&picture, &far, 8).pixels().iter().all(|byte| *byte == 200));
}

#[test]
fn without_randomness_the_view_is_the_box_with_its_margin() {
    let still = Geometry { margin: [0.15, 0.15], shift: 0.0, turn: 0.0, stretch: 0.0, shear: 0.0 };
    let map = still.draw(200, 0.5, 128, &mut Random::new(1));
    // The box takes 100 of 200 pixels; with 0.15 around it the view spans 35 to 165.
    let left = map.a.mul_add(0.0, map.b.mul_add(0.0, map.c));
    let right = map.a * 128.0 + map.c;
    assert!((left.min(right) - 35.0).abs() < 1e-3 && (left.max(right) - 165.0).abs() < 1e-3);
    assert!((map.f - 35.0).abs() < 1e-3 && (map.e * 128.0 + map.f - 165.0).abs() < 1e-3);
}

#[test]
fn a_stretch_keeps_the_area_and_right_angles_whatever_the_turn() {
    let geometry = Geometry { margin: [0.0, 0.0], stretch: 0.3, shear: 0.0, ..Geometry::default() };
    for seed in 0..100 {
        let map = geometry.draw(128, 0.0, 128, &mut Random::new(seed));
        assert!((map.a * map.b + map.d * map.e).abs() < 1e-5, "seed {seed}: {map:?}");
        assert!(((map.a * map.e - map.b * map.d).abs() - 1.0).abs() < 1e-5, "seed {seed}: {map:?}");
    }
}

#[test]
fn photometric_changes_keep_the_size_and_leave_something_to_see() {
    let mut picture = Picture::new(40, 30);
    for (at, byte) in picture.pixels_mut().iter_mut().enumerate() {
        *byte = if at % 120 < 60 { 40 } else { 200 };
    }
    for seed in 0..200 {
        let mut seen = picture.clone();
        photometric(&mut seen, 40.0, &mut Random::new(seed));
        assert_eq!((seen.width(), seen.height()), (40, 30));
        let left: u32 = (0..30).map(|y| u32::from(seen.get(4, y).unwrap()[1])).sum();
        let right: u32 = (0..30).map(|y| u32::from(seen.get(35, y).unwrap()[1])).sum();
        assert!(right > left + 30 * 20, "seed {seed}: {left} against {right}");
    }
}

#[test]
fn a_face_far_away_is_not_wiped_out_by_changes_that_a_near_one_bears() {
    // A square of 10 pixels stands for it, whose lower half wears something light.
    let mut picture = Picture::new(192, 192);
    picture.pixels_mut().fill(60);
    for (x, y) in (90..100).flat_map(|x| (90..100).map(move |y| (x, y))) {
        picture.put(x, y, if y < 95 { [90; 3] } else { [210; 3] });
    }
    let wiped = |smallest| {
        let gone = |seed: &u64| {
            let mut seen = picture.clone();
            photometric(&mut seen, smallest, &mut Random::new(*seed));
            let mean = |y: i64| {
                let around = (92..98).flat_map(|x| (y..y + 2).map(move |y| (x, y)));
                around.map(|(x, y)| f32::from(seen.get(x, y).unwrap()[1])).sum::<f32>() / 12.0
            };
            mean(96) < mean(92) + 40.0
        };
        (0..200).filter(gone).count()
    };
    let [as_near, as_far] = [wiped(192.0), wiped(10.0)];
    assert!(as_near > 5 && as_far == 0, "{as_near} and {as_far} of 200");
}

#[test]
fn tiny_pictures_are_no_trouble() {
    for seed in 0..100 {
        for (width, height) in [(1, 1), (1, 7), (3, 1)] {
            photometric(&mut Picture::new(width, height), 1.0, &mut Random::new(seed));
        }
        cover_below(&mut Picture::new(1, 1), &mut Random::new(seed));
    }
    let still = Affine { a: 1.0, b: 0.0, c: 0.0, d: 0.0, e: 1.0, f: 0.0 };
    assert_eq!(warp(&Picture::new(0, 0), &still, 2).pixels(), [0; 12]);
}

#[test]
fn what_is_turned_lies_where_the_turn_says() {
    let mut upright = Picture::new(140, 140);
    for (x, y) in [(90, 60), (91, 60), (90, 61), (91, 61)] {
        upright.put(x, y, [255; 3]);
    }
    for angle in [-0.6, -0.2, 0.3, 0.6_f32] {
        let turn = Turn::new(angle, 50.0);
        let sample = warp(&upright, &turn.map(140), 100);
        // The sample's middle is the upright one's, 20 px further in.
        let there = turn.apply(Point { x: 91.0 - 20.0, y: 61.0 - 20.0 });
        let light = sample.get(there.x as i64, there.y as i64).unwrap_or_default();
        assert!(light[0] > 100, "{angle}: {light:?} at {there:?}");
    }
}

#[test]
fn the_box_around_a_turned_face_is_that_of_its_ellipse() {
    let extent = |angle: f32| Turn::new(angle, 0.0).extent(30.0, 40.0);
    assert_eq!(extent(0.0), (30.0, 40.0));
    let (wide, high) = extent(std::f32::consts::FRAC_PI_2);
    assert!((wide - 40.0).abs() < 1e-3 && (high - 30.0).abs() < 1e-3);
    let (wide, high) = extent(std::f32::consts::FRAC_PI_4);
    assert!((wide - high).abs() < 1e-3 && (wide - 35.355).abs() < 1e-2, "{wide}");
}
