//! The numerals of a clock as strokes.

use crate::picture::Point;

/// Digits as one stroke each, its corners in tenths of width and height.
const DIGITS: [&[(u8, u8)]; 10] = [
    &[(0, 2), (3, 0), (7, 0), (10, 2), (10, 8), (7, 10), (3, 10), (0, 8), (0, 2)],
    &[(2, 3), (6, 0), (6, 10)],
    &[(0, 3), (3, 0), (8, 1), (10, 3), (0, 10), (10, 10)],
    &[(0, 1), (5, 0), (10, 3), (5, 5), (10, 7), (5, 10), (0, 9)],
    &[(8, 10), (8, 0), (0, 7), (10, 7)],
    &[(9, 0), (2, 0), (1, 5), (6, 4), (10, 7), (7, 10), (0, 9)],
    &[(9, 0), (4, 1), (0, 6), (3, 10), (8, 10), (10, 7), (6, 5), (1, 7)],
    &[(0, 0), (10, 0), (4, 10)],
    &[(5, 5), (1, 3), (5, 0), (9, 3), (5, 5), (0, 8), (5, 10), (10, 8), (5, 5)],
    &[(1, 10), (6, 9), (10, 4), (7, 0), (2, 0), (0, 3), (4, 5), (9, 3)],
];
/// Hours as clocks have them: four is IIII.
const ROMAN: [&str; 12] =
    ["XII", "I", "II", "III", "IIII", "V", "VI", "VII", "VIII", "IX", "X", "XI"];
/// Widths of a digit, and of an X or V; the gap between signs.
const DIGIT: f32 = 0.55;
const WIDE: f32 = 0.6;
const GAP: f32 = 0.14;

/// The strokes of an hour (0 to 11, 0 for twelve) about its middle, y down; all lengths are in
/// heights of the numeral.
pub fn strokes(hour: usize, roman: bool) -> Vec<Vec<Point>> {
    let signs: Vec<(f32, Vec<Vec<Point>>)> = if roman {
        ROMAN[hour % 12].chars().map(letter).collect()
    } else {
        let number = if hour == 0 { 12 } else { hour };
        let tens = (number >= 10).then_some(1);
        tens.into_iter().chain([number % 10]).map(|d| (DIGIT, vec![digit(d)])).collect()
    };
    let whole: f32 = signs.iter().map(|(width, _)| width + GAP).sum::<f32>() - GAP;
    let mut left = -whole / 2.0;
    let mut strokes = Vec::new();
    for (width, lines) in signs {
        for line in lines {
            strokes.push(line.iter().map(|p| Point { x: left + p.x, y: p.y - 0.5 }).collect());
        }
        left += width + GAP;
    }
    strokes
}

fn digit(digit: usize) -> Vec<Point> {
    let tenth = |v: u8| f32::from(v) / 10.0;
    DIGITS[digit].iter().map(|&(x, y)| Point { x: DIGIT * tenth(x), y: tenth(y) }).collect()
}

fn letter(letter: char) -> (f32, Vec<Vec<Point>>) {
    let line = |points: &[(f32, f32)]| points.iter().map(|&(x, y)| Point { x, y }).collect();
    match letter {
        'X' => (WIDE, vec![line(&[(0.0, 0.0), (WIDE, 1.0)]), line(&[(WIDE, 0.0), (0.0, 1.0)])]),
        'V' => (WIDE, vec![line(&[(0.0, 0.0), (WIDE / 2.0, 1.0), (WIDE, 0.0)])]),
        _ => (0.0, vec![line(&[(0.0, 0.0), (0.0, 1.0)])]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hour_is_as_high_as_it_should_be_and_about_its_middle() {
        for (hour, roman) in (0..12).flat_map(|hour| [(hour, false), (hour, true)]) {
            let points: Vec<Point> = strokes(hour, roman).concat();
            let ends = |of: fn(&Point) -> f32| {
                let values = points.iter().map(of);
                (values.clone().fold(f32::MAX, f32::min), values.fold(f32::MIN, f32::max))
            };
            assert_eq!(ends(|p| p.y), (-0.5, 0.5), "{hour} {roman}");
            let (left, right) = ends(|p| p.x);
            assert!((left + right).abs() < 0.25 && right - left < 2.2, "{hour} {roman}");
        }
    }

    #[test]
    fn numerals_have_their_strokes() {
        let count = |hour, roman| strokes(hour, roman).len();
        assert_eq!([0, 4, 8, 9].map(|hour| count(hour, true)), [4, 4, 4, 3]);
        assert_eq!([0, 1, 9, 10].map(|hour| count(hour, false)), [2, 1, 1, 2]);
    }
}
