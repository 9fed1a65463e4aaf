//! Which of a camera's modes comes nearest to what is wanted.

use std::fmt;

use super::pixels::PixelFormat;
use super::shown;

/// A size and the highest rate there, as the camera offers or as is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mode {
    pub format: PixelFormat,
    pub width: u32,
    pub height: u32,
    /// Frames a second; `None` where the camera does not say.
    pub rate: Option<f32>,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{} {}", self.width, self.height, self.format)?;
        match self.rate {
            Some(rate) => write!(f, " at {} fps", shown(rate)),
            None => Ok(()),
        }
    }
}

/// Sizes from `least` to `most` in steps of `step`, all in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub least: u32,
    pub most: u32,
    pub step: u32,
}

impl Steps {
    /// The step nearest to `wanted`.
    pub(super) fn nearest(&self, wanted: u32) -> u32 {
        let (most, step) = (self.most.max(self.least), self.step.max(1));
        let above = wanted.clamp(self.least, most) - self.least;
        let steps = above.saturating_add(step / 2) / step;
        self.least.saturating_add(steps.saturating_mul(step)).min(most)
    }
}

/// The mode to use for `width` × `height` at `rate`: the nearest size; there a format with colour;
/// of these the one that reaches the rate, or comes nearest to it; of these the cheapest.
pub(super) fn choose(modes: &[Mode], width: u32, height: u32, rate: f32) -> Option<Mode> {
    let distance = |mode: &Mode| {
        u64::from(mode.width.abs_diff(width)) + u64::from(mode.height.abs_diff(height))
    };
    let is_grey = |mode: &Mode| mode.format == PixelFormat::Grey;
    // What a camera leaves unsaid is taken to suffice. A little under counts: 29.97 is 30.
    let reached = |mode: &Mode| mode.rate.map_or(rate, |offered| (offered * 1.01).min(rate));
    modes.iter().copied().min_by(|a, b| {
        distance(a)
            .cmp(&distance(b))
            .then(is_grey(a).cmp(&is_grey(b)))
            .then(reached(b).total_cmp(&reached(a)))
            .then(a.format.cmp(&b.format))
    })
}

#[cfg(test)]
mod tests {
    use super::PixelFormat::{Bgr3, Grey, Mjpg, Nv12, Rgb3, Uyvy, Yu12, Yuyv};
    use super::*;
    use proptest::prelude::*;

    fn mode(format: PixelFormat, width: u32, height: u32, rate: f32) -> Mode {
        Mode { format, width, height, rate: Some(rate) }
    }

    /// What a common UVC webcam offers.
    fn webcam() -> Vec<Mode> {
        vec![
            mode(Yuyv, 640, 480, 30.0),
            mode(Yuyv, 1280, 720, 10.0),
            mode(Mjpg, 640, 480, 29.97),
            mode(Mjpg, 1280, 720, 30.0),
            mode(Mjpg, 1920, 1080, 30.0),
        ]
    }

    #[test]
    fn yuyv_is_taken_where_it_is_fast_enough() {
        assert_eq!(choose(&webcam(), 640, 480, 15.0), Some(mode(Yuyv, 640, 480, 30.0)));
        assert_eq!(choose(&webcam(), 1280, 720, 10.0), Some(mode(Yuyv, 1280, 720, 10.0)));
    }

    #[test]
    fn mjpg_is_taken_where_yuyv_is_too_slow_or_missing() {
        assert_eq!(choose(&webcam(), 1280, 720, 15.0), Some(mode(Mjpg, 1280, 720, 30.0)));
        assert_eq!(choose(&webcam(), 1900, 1000, 15.0), Some(mode(Mjpg, 1920, 1080, 30.0)));
    }

    #[test]
    fn a_rate_that_nobody_reaches_gets_the_fastest() {
        let modes = [mode(Yuyv, 640, 480, 10.0), mode(Mjpg, 640, 480, 25.0)];
        assert_eq!(choose(&modes, 640, 480, 60.0), Some(modes[1]));
    }

    #[test]
    fn at_one_size_and_rate_the_cheapest_is_taken_and_grey_only_for_want_of_colour() {
        let mut modes: Vec<_> = [Grey, Mjpg, Yu12, Nv12, Uyvy, Yuyv, Bgr3, Rgb3]
            .map(|format| mode(format, 640, 480, 30.0))
            .into();
        for wanted in [Rgb3, Bgr3, Yuyv, Uyvy, Nv12, Yu12, Mjpg, Grey] {
            assert_eq!(choose(&modes, 640, 480, 30.0).unwrap().format, wanted);
            modes.retain(|mode| mode.format != wanted);
        }
        let fast_grey = [mode(Grey, 640, 480, 60.0), mode(Yuyv, 640, 480, 15.0)];
        assert_eq!(choose(&fast_grey, 640, 480, 60.0), Some(fast_grey[1]));
    }

    #[test]
    fn a_mode_is_shown_with_its_rate_where_it_has_one() {
        assert_eq!(mode(Mjpg, 640, 480, 29.97).to_string(), "640x480 MJPG at 29.97 fps");
        let silent = Mode { rate: None, ..mode(Yuyv, 320, 240, 1.0) };
        assert_eq!(silent.to_string(), "320x240 YUYV");
    }

    #[test]
    fn a_camera_that_offers_nothing_gives_nothing() {
        assert_eq!(choose(&[], 640, 480, 15.0), None);
    }

    proptest! {
        #[test]
        fn the_nearest_step_is_a_step_within_the_bounds(
            least in 1_u32..4000, span in 0_u32..4000, step in 0_u32..64, wanted in any::<u32>()
        ) {
            let steps = Steps { least, most: least + span, step };
            let nearest = steps.nearest(wanted);
            prop_assert!((least..=least + span).contains(&nearest));
            prop_assert!((nearest - least).is_multiple_of(step.max(1)) || nearest == least + span);
        }
    }
}
