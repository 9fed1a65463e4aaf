//! What Y, Cb and Cr mean in red, green and blue (ITU-R BT.601-7 and BT.709-6).

/// How luma and colour differences are made of red, green and blue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::camera) enum Matrix {
    /// Standard definition, webcams and JPEG.
    #[default]
    Bt601,
    /// High definition.
    Bt709,
}

impl Matrix {
    /// The share of red and of blue in luma.
    pub(super) fn shares(self) -> (f64, f64) {
        match self {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        }
    }
}

/// Which values stand for black and white.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::camera) enum Range {
    /// Luma, and RGB, from 0 to 255.
    Full,
    /// Luma, and RGB, from 16 to 235, colour differences from 16 to 240.
    #[default]
    Limited,
}

/// Matrix and range of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::camera) struct Color {
    pub matrix: Matrix,
    pub range: Range,
}

/// Factors in 1/65536.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mixer {
    luma: i32,
    black: i32,
    red_v: i32,
    green_u: i32,
    green_v: i32,
    blue_u: i32,
}

impl Mixer {
    pub(super) fn new(color: Color) -> Self {
        let (red, blue) = color.matrix.shares();
        let green = 1.0 - red - blue;
        let (black, luma, chroma) = match color.range {
            Range::Full => (0, 1.0, 1.0),
            Range::Limited => (16, 255.0 / 219.0, 255.0 / 224.0),
        };
        let scaled = |factor: f64| (factor * 65536.0).round() as i32;
        Self {
            luma: scaled(luma),
            black,
            red_v: scaled(2.0 * (1.0 - red) * chroma),
            green_u: scaled(-2.0 * (1.0 - blue) * blue / green * chroma),
            green_v: scaled(-2.0 * (1.0 - red) * red / green * chroma),
            blue_u: scaled(2.0 * (1.0 - blue) * chroma),
        }
    }

    /// What the colour differences add to each of red, green and blue, in 1/65536.
    #[inline]
    pub(super) fn chroma(&self, u: u8, v: u8) -> [i32; 3] {
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        [self.red_v * v, self.green_u * u + self.green_v * v, self.blue_u * u]
    }

    #[inline]
    pub(super) fn rgb(&self, y: u8, chroma: [i32; 3]) -> [u8; 3] {
        // And a half for rounding.
        let luma = (i32::from(y) - self.black) * self.luma + 32_768;
        chroma.map(|chroma| ((luma + chroma) >> 16).clamp(0, 255) as u8)
    }
}

/// For each value of one channel what it is in full range.
pub(super) fn levels(range: Range) -> [u8; 256] {
    std::array::from_fn(|value| match range {
        Range::Full => value as u8,
        Range::Limited => {
            let value = (value as i32 - 16).clamp(0, 219);
            ((value * 255 + 109) / 219) as u8
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::reference;
    use super::*;

    #[test]
    fn every_colour_is_within_one_level_of_the_formula() {
        for matrix in [Matrix::Bt601, Matrix::Bt709] {
            for range in [Range::Full, Range::Limited] {
                let color = Color { matrix, range };
                let mixer = Mixer::new(color);
                for y in 0..=255 {
                    for u in (0..=255).step_by(5) {
                        for v in (0..=255).step_by(5) {
                            let got = mixer.rgb(y, mixer.chroma(u, v));
                            let wanted = reference::rgb([y, u, v], color);
                            for (got, wanted) in got.iter().zip(wanted) {
                                let off = (f64::from(*got) - wanted).abs();
                                assert!(off <= 1.0, "{color:?} {y} {u} {v}: {got} for {wanted}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn white_black_and_the_red_of_each_standard_come_out_as_such() {
        let rgb = |matrix, range, [y, u, v]: [u8; 3]| {
            let mixer = Mixer::new(Color { matrix, range });
            mixer.rgb(y, mixer.chroma(u, v))
        };
        assert_eq!(rgb(Matrix::Bt601, Range::Limited, [235, 128, 128]), [255; 3]);
        assert_eq!(rgb(Matrix::Bt709, Range::Limited, [16, 128, 128]), [0; 3]);
        assert_eq!(rgb(Matrix::Bt601, Range::Full, [255, 128, 128]), [255; 3]);
        assert_eq!(rgb(Matrix::Bt601, Range::Limited, [81, 90, 240]), [254, 0, 0]);
        assert_eq!(rgb(Matrix::Bt709, Range::Limited, [63, 102, 240]), [255, 1, 0]);
        assert_eq!(rgb(Matrix::Bt601, Range::Full, [76, 85, 255]), [254, 0, 0]);
    }

    #[test]
    fn limited_grey_is_spread_over_all_levels() {
        let levels = levels(Range::Limited);
        assert_eq!(
            [levels[0], levels[16], levels[126], levels[235], levels[255]],
            [0, 0, 128, 255, 255]
        );
    }
}
