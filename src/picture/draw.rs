//! What is known about a face, drawn onto the picture: told by colour, by a sign and in words.

use font8x8::legacy::BASIC_LEGACY;

use super::{Label, Picture, Rect};

/// One face to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// In pixels of the picture; may reach beyond it.
    pub bounds: Rect,
    /// `None`: a face about which nothing is said yet.
    pub label: Option<Label>,
    /// Short and ASCII; other letters become `?`.
    pub text: String,
}

/// Draws boxes first and their plates above all boxes. Lines and letters grow with the picture.
pub fn draw(picture: &mut Picture, marks: &[Mark]) {
    let unit = unit(picture);
    for mark in marks {
        frame(picture, &mark.bounds, colour(mark.label), unit);
    }
    for mark in marks {
        plate(picture, mark, unit);
    }
}

/// Draws a box without a plate.
pub fn outline(picture: &mut Picture, bounds: &Rect) {
    frame(picture, bounds, colour(None), unit(picture));
}

const BLACK: [u8; 3] = [0, 0, 0];

/// From Okabe and Ito's palette (jfly.uni-koeln.de/color), told apart in all common kinds of
/// colour blindness; black letters are readable on each.
fn colour(label: Option<Label>) -> [u8; 3] {
    match label {
        Some(Label::WithMask) => [0, 158, 115],
        Some(Label::WithoutMask) => [213, 94, 0],
        Some(Label::IncorrectMask) => [240, 228, 66],
        None => [190, 190, 190],
    }
}

/// 8x8 signs, the leftmost pixel in the lowest bit, as in the font: tick, cross, exclamation
/// mark, question mark.
fn sign(label: Option<Label>) -> [u8; 8] {
    match label {
        Some(Label::WithMask) => [0xc0, 0xe0, 0x70, 0x3b, 0x1f, 0x0e, 0x04, 0x00],
        Some(Label::WithoutMask) => [0xc3, 0xe7, 0x7e, 0x3c, 0x3c, 0x7e, 0xe7, 0xc3],
        Some(Label::IncorrectMask) => glyph(b'!'),
        None => glyph(b'?'),
    }
}

fn glyph(letter: u8) -> [u8; 8] {
    let shown = if letter.is_ascii_graphic() || letter == b' ' { letter } else { b'?' };
    BASIC_LEGACY.get(usize::from(shown)).copied().unwrap_or_default()
}

/// How many pixels a pixel of the font takes: 1 up to 359 pixels of picture, 2 up to 719, ….
fn unit(picture: &Picture) -> i64 {
    (i64::from(picture.width().min(picture.height())) / 360 + 1).min(8)
}

/// A coloured line between two black ones, so that it shows on any background.
fn frame(picture: &mut Picture, bounds: &Rect, rgb: [u8; 3], unit: i64) {
    let [x1, y1, x2, y2] = corners(picture, bounds);
    for (grown, line) in [(unit, BLACK), (0, rgb), (-unit, BLACK)] {
        let (x1, y1, x2, y2) = (x1 - grown, y1 - grown, x2 + grown, y2 + grown);
        if x2 - x1 < 2 * unit || y2 - y1 < 2 * unit {
            continue;
        }
        fill(picture, x1, y1, x2, y1 + unit, line);
        fill(picture, x1, y2 - unit, x2, y2, line);
        fill(picture, x1, y1, x1 + unit, y2, line);
        fill(picture, x2 - unit, y1, x2, y2, line);
    }
}

/// Sign and words on a plate of the face's colour: above the box, or below, or inside where the
/// picture ends.
fn plate(picture: &mut Picture, mark: &Mark, unit: i64) {
    let (cell, gap) = (8 * unit, 2 * unit);
    let letters = mark.text.chars().count() as i64;
    let width = cell + letters * cell + if letters > 0 { 2 * gap } else { 0 } + 2 * gap;
    let height = cell + 2 * gap;
    let [x1, y1, _, y2] = corners(picture, &mark.bounds);
    let (right, bottom) = (i64::from(picture.width()), i64::from(picture.height()));
    let x = (x1 - unit).min(right - width).max(0);
    let y = if y1 - unit - height >= 0 {
        y1 - unit - height
    } else if y2 + unit + height <= bottom {
        y2 + unit
    } else {
        y1.max(0)
    };
    let rgb = colour(mark.label);
    fill(picture, x, y, x + width, y + height, BLACK);
    fill(picture, x + unit, y + unit, x + width - unit, y + height - unit, rgb);
    stamp(picture, x + gap, y + gap, sign(mark.label), unit);
    for (at, letter) in (0..).zip(mark.text.chars()) {
        let letter = u8::try_from(letter).unwrap_or(b'?');
        stamp(picture, x + gap + cell + 2 * gap + at * cell, y + gap, glyph(letter), unit);
    }
}

/// Edges in whole pixels, cut a little outside of the picture, so that a box drawn far beyond it
/// costs nothing. NaN becomes 0.
fn corners(picture: &Picture, bounds: &Rect) -> [i64; 4] {
    let (w, h) = (picture.width() as f32, picture.height() as f32);
    let cut = |value: f32, end: f32| value.round().clamp(-64.0, end + 64.0) as i64;
    [cut(bounds.x1, w), cut(bounds.y1, h), cut(bounds.x2, w), cut(bounds.y2, h)]
}

fn fill(picture: &mut Picture, x1: i64, y1: i64, x2: i64, y2: i64, rgb: [u8; 3]) {
    for y in y1.max(0)..y2.min(i64::from(picture.height())) {
        for x in x1.max(0)..x2.min(i64::from(picture.width())) {
            picture.put(x, y, rgb);
        }
    }
}

fn stamp(picture: &mut Picture, x: i64, y: i64, rows: [u8; 8], unit: i64) {
    for (down, row) in (0..).zip(rows) {
        for right in 0..8 {
            if row >> right & 1 == 1 {
                let (x, y) = (x + right * unit, y + down * unit);
                fill(picture, x, y, x + unit, y + unit, BLACK);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grey(width: u32, height: u32) -> Picture {
        let mut picture = Picture::new(width, height);
        picture.pixels_mut().fill(128);
        picture
    }

    fn mark(bounds: [f32; 4], label: Option<Label>) -> Mark {
        Mark { bounds: bounds.into(), label, text: "bare 98%".into() }
    }

    #[test]
    fn labels_differ_in_sign_and_not_only_in_colour() {
        let mut signs: Vec<_> = Label::ALL.iter().map(|label| sign(Some(*label))).collect();
        signs.push(sign(None));
        signs.sort();
        signs.dedup();
        assert_eq!(signs.len(), 4);
    }

    #[test]
    fn the_inside_of_a_face_stays_as_it_was() {
        let mut picture = grey(200, 200);
        draw(&mut picture, &[mark([50.0, 60.0, 150.0, 160.0], Some(Label::WithoutMask))]);
        assert_eq!(picture.get(100, 110), Some([128; 3]));
        assert_eq!(picture.get(50, 110), Some(colour(Some(Label::WithoutMask))));
        assert_eq!(picture.get(49, 110), Some(BLACK));
    }

    #[test]
    fn words_are_drawn_inside_the_picture_even_for_a_face_in_the_corner() {
        for bounds in [[0.0, 0.0, 30.0, 30.0], [170.0, 170.0, 200.0, 200.0]] {
            let (mut with, mut without) = (grey(200, 200), grey(200, 200));
            let mut silent = mark(bounds, Some(Label::WithMask));
            draw(&mut with, std::slice::from_ref(&silent));
            silent.text.clear();
            draw(&mut without, &[silent]);
            let letters = with.pixels().iter().zip(without.pixels()).filter(|(a, b)| a != b);
            assert!(letters.count() > 100, "no words for the face at {bounds:?}");
        }
    }

    proptest! {
        #[test]
        fn any_box_and_any_text_can_be_drawn(
            bounds in proptest::array::uniform4(proptest::num::f32::ANY),
            (width, height) in (1u32..50, 1u32..50),
            text in ".{0,20}",
        ) {
            let mut picture = grey(width, height);
            draw(&mut picture, &[Mark { bounds: bounds.into(), label: None, text }]);
        }
    }
}
