//! `[camera]`: where frames come from and what is done to them before anybody looks.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where frames come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Camera {
    /// `demo`, `file:PATH`, `v4l2:DEVICE` or `pipe:COMMAND`.
    pub source: String,
    /// Wanted width in pixels; a camera gives the nearest it can. Files keep their own size; raw
    /// frames of a pipe have exactly this one.
    pub width: u32,
    /// Wanted height in pixels.
    pub height: u32,
    /// Frames a second that a V4L2 camera is asked for.
    pub fps: u32,
    /// The pixel format to take from a camera, or that of raw frames from a pipe.
    pub format: FrameFormat,
    /// Seconds without a whole frame after which a camera counts as lost, 0.5 to 60.
    pub stuck_s: f32,
    /// `WIDTHxHEIGHT+LEFT+TOP`, the part of the camera's picture that is used; empty: all.
    pub crop: String,
    /// Degrees to turn the cropped picture clockwise: 0, 90, 180 or 270.
    pub rotate: u32,
    /// Whether left and right change places, after turning.
    pub mirror: bool,
    /// Exposure in milliseconds, 0.1 to 1000.
    pub exposure_ms: Setting,
    /// Gain in the camera's own steps, 0 to 65535.
    pub gain: Setting,
    /// White balance in kelvin, 1000 to 15000.
    pub white_balance_k: Setting,
    /// Mains frequency whose flicker is avoided.
    pub power_line: PowerLine,
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            source: "v4l2:/dev/video0".into(),
            width: 640,
            height: 480,
            fps: 15,
            format: FrameFormat::Auto,
            stuck_s: 5.0,
            crop: String::new(),
            rotate: 0,
            mirror: false,
            exposure_ms: Setting::AUTO,
            gain: Setting::AUTO,
            white_balance_k: Setting::AUTO,
            power_line: PowerLine::Auto,
        }
    }
}

/// How pixels are stored, by the names of V4L2's four-letter codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameFormat {
    /// Whatever comes, or is cheapest.
    #[default]
    Auto,
    Yuyv,
    Uyvy,
    Nv12,
    Yu12,
    Mjpg,
    Grey,
    Rgb3,
    Bgr3,
}

/// `"auto"`: the camera decides; or a number to fix it at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    Fixed(f32),
    Auto(Auto),
}

/// The word `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auto {
    Auto,
}

impl Setting {
    pub const AUTO: Setting = Setting::Auto(Auto::Auto);

    /// The number, if it is to be fixed.
    pub fn fixed(self) -> Option<f32> {
        match self {
            Setting::Fixed(number) => Some(number),
            Setting::Auto(_) => None,
        }
    }
}

/// Mains frequency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PowerLine {
    /// The camera finds it, or keeps what it has.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    #[serde(rename = "50hz")]
    Hz50,
    #[serde(rename = "60hz")]
    Hz60,
    #[serde(rename = "off")]
    Off,
}

/// A part of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
}

/// Smallest width and height of a region.
const LEAST: u32 = 16;

impl FromStr for Region {
    type Err = ();

    /// `WIDTHxHEIGHT+LEFT+TOP`, as X11 and ffmpeg write it.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (size, place) = text.split_once('+').ok_or(())?;
        let (width, height) = size.split_once('x').ok_or(())?;
        let (left, top) = place.split_once('+').ok_or(())?;
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<u16>().map(u32::from).map_err(|_| ()),
            false => Err(()),
        };
        let region = Region {
            left: number(left)?,
            top: number(top)?,
            width: number(width)?,
            height: number(height)?,
        };
        (region.width >= LEAST && region.height >= LEAST).then_some(region).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_written_as_size_and_place() {
        let region = Region { left: 100, top: 0, width: 320, height: 240 };
        assert_eq!("320x240+100+0".parse(), Ok(region));
        for wrong in
            ["", "320x240", "320x240+1", "320x240+1+-1", "15x20+0+0", "ax240+0+0", "320x240++1+1"]
        {
            assert!(wrong.parse::<Region>().is_err(), "{wrong}");
        }
    }
}
