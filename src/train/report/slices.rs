//! Sets of faces that are told apart in a report: by size, focus, light, source and group.

use crate::config;
use crate::picture::Rect;
use crate::train::data::Cut;
use crate::vision::{crop, sharpness};

/// Bounds of the widths told apart, pixels of box width.
const WIDTHS: [(f32, f32, &str); 3] =
    [(0.0, 32.0, "under 32 px"), (32.0, 64.0, "32 to 64 px"), (64.0, f32::INFINITY, "over 64 px")];
/// Mean luma of the crop, 0 to 255, under which it is dark and from which on it is bright.
const DARK: f32 = 60.0;
const BRIGHT: f32 = 180.0;

/// What a source may be called, too.
const NAMES: [&str; 20] = [
    "under 32 px",
    "32 to 64 px",
    "over 64 px",
    "blurred",
    "soft",
    "sharp",
    "dark",
    "lit",
    "bright",
    "child, to 12",
    "13 to 30",
    "31 to 60",
    "over 60",
    "male",
    "female",
    "White",
    "Black",
    "Asian",
    "Indian",
    "of other race",
];

/// Names of the slices a face belongs to.
pub(super) fn of(cut: &Cut, source: Option<&str>) -> Vec<String> {
    let mut names = Vec::new();
    let width = WIDTHS.iter().find(|(low, high, _)| cut.width >= *low && cut.width < *high);
    names.extend(width.map(|(_, _, name)| (*name).to_owned()));
    names.push(focus(cut).to_owned());
    names.push(light(cut).to_owned());
    // Not counted into what is told by another measure.
    names.extend(source.map(|source| match NAMES.contains(&source) {
        true => format!("source {source}"),
        false => source.to_owned(),
    }));
    let stem = cut.path.file_stem().and_then(|stem| stem.to_str());
    names.extend(stem.and_then(group).into_iter().flatten());
    names
}

/// By the daemon's own measure and threshold.
fn focus(cut: &Cut) -> &'static str {
    let side = cut.picture.width() as f32;
    // The crop holds the box and a margin around it.
    let margin = side * crop::MARGIN / (1.0 + 2.0 * crop::MARGIN);
    let face = Rect { x1: margin, y1: margin, x2: side - margin, y2: side - margin };
    let least = config::Tracking::default().min_sharpness;
    match sharpness::of(&cut.picture, &face) {
        sharp if sharp < least => "blurred",
        sharp if sharp < 2.0 * least => "soft",
        _ => "sharp",
    }
}

fn light(cut: &Cut) -> &'static str {
    let luma = cut
        .picture
        .pixels()
        .chunks_exact(3)
        .map(|p| 0.299 * f64::from(p[0]) + 0.587 * f64::from(p[1]) + 0.114 * f64::from(p[2]));
    let pixels = (cut.picture.pixels().len() / 3).max(1);
    match (luma.sum::<f64>() / pixels as f64) as f32 {
        mean if mean < DARK => "dark",
        mean if mean < BRIGHT => "lit",
        _ => "bright",
    }
}

/// Age, sex and race of a file named `age_sex_race_date`, as UTKFace names its pictures. Three
/// numbers without a date count something else: chandrika has a `0_1_3.jpg`.
fn group(stem: &str) -> Option<[String; 3]> {
    let mut parts = stem.split('_');
    let mut number = || parts.next()?.parse::<usize>().ok();
    let (age, sex, race) = (number()?, number()?, number()?);
    let date = parts.next()?.split('.').next()?;
    if date.len() < 8 || !date.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let age = match age {
        0..=12 => "child, to 12",
        13..=30 => "13 to 30",
        31..=60 => "31 to 60",
        61..=120 => "over 60",
        _ => return None,
    };
    let sex = ["male", "female"].get(sex)?;
    let race = ["White", "Black", "Asian", "Indian", "of other race"].get(race)?;
    Some([age, sex, race].map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Label, Picture};

    fn cut(path: &str, width: f32, grey: u8) -> Cut {
        let mut picture = Picture::new(64, 64);
        picture.pixels_mut().fill(grey);
        Cut {
            picture,
            label: Label::WithMask,
            origin: 0,
            bounds: None,
            width,
            path: path.into(),
            placed: None,
            found: None,
        }
    }

    #[test]
    fn a_face_belongs_to_one_slice_of_each_kind() {
        let names = of(&cut("faces/34_1_2_20170116.jpg", 40.0, 20), Some("utkface"));
        let expected = ["32 to 64 px", "blurred", "dark", "utkface", "31 to 60", "female", "Asian"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_source_called_like_another_slice_is_told_apart() {
        let names = of(&cut("dark/1.jpg", 40.0, 20), Some("dark"));
        assert_eq!(names, ["32 to 64 px", "blurred", "dark", "source dark"]);
    }

    #[test]
    fn names_that_say_nothing_about_people_give_no_group() {
        for name in [
            "IMG_1_2_20170116.jpg",
            "12_7_0_20170116.jpg",
            "34_1.jpg",
            "999_0_0_20170116.jpg",
            "0_1_3.jpg",
            "0_1_3_copy.jpg",
        ] {
            assert_eq!(
                of(&cut(name, 10.0, 120), None),
                ["under 32 px", "blurred", "lit"],
                "{name}"
            );
        }
    }
}
