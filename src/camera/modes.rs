//! Which of a camera's modes comes nearest to what is wanted.

use std::fmt;

/// Pixel formats that are read. The order is that of preference at equal size and rate: YUYV needs
/// no decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PixelFormat {
    Yuyv,
    Mjpg,
}

impl PixelFormat {
    pub(super) const ALL: [PixelFormat; 2] = [PixelFormat::Yuyv, PixelFormat::Mjpg];

    /// As V4L2 names it.
    pub(super) fn fourcc(self) -> &'static [u8; 4] {
        match self {
            PixelFormat::Yuyv => b"YUYV",
            PixelFormat::Mjpg => b"MJPG",
        }
    }

    pub(super) fn from_fourcc(code: &[u8; 4]) -> Option<PixelFormat> {
        PixelFormat::ALL.into_iter().find(|format| format.fourcc() == code)
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fourcc().escape_ascii())
    }
}

/// A size and the highest rate there, as the camera offers or as is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mode {
    pub format: PixelFormat,
    pub width: u32,
    pub height: u32,
    /// Frames a second; `None` where the camera does not say.
    pub rate: Option<f32>,
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

/// The mode to use for `width` × `height` at `rate`: the nearest size, there the format that
/// reaches the rate, YUYV before MJPG; where none does, the fastest.
pub(super) fn choose(modes: &[Mode], width: u32, height: u32, rate: f32) -> Option<Mode> {
    let distance = |mode: &Mode| {
        u64::from(mode.width.abs_diff(width)) + u64::from(mode.height.abs_diff(height))
    };
    // What a camera leaves unsaid is taken to suffice. A little under counts: 29.97 is 30.
    let reached = |mode: &Mode| mode.rate.map_or(rate, |offered| (offered * 1.01).min(rate));
    modes.iter().copied().min_by(|a, b| {
        distance(a)
            .cmp(&distance(b))
            .then(reached(b).total_cmp(&reached(a)))
            .then(a.format.cmp(&b.format))
    })
}

#[cfg(test)]
mod tests {
    use super::PixelFormat::{Mjpg, Yuyv};
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
