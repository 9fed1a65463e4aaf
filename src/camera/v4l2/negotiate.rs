//! From what a device offers to a running stream in the mode that comes nearest to what is wanted.

use std::path::Path;
use std::time::{Duration, Instant};

use v4l::buffer::Type;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::io::mmap::Stream as MmapStream;
use v4l::io::traits::{CaptureStream, Stream as _};
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Device, FourCC};

use super::colors::color_of;
use super::fault::{device_error, present_devices, why_no_camera};
use super::{Camera, Newest, controls, raw};
use crate::camera::CameraError;
use crate::camera::modes::{Mode, Steps, choose};
use crate::camera::pixels::{Layout, PixelFormat};
use crate::config;

pub(super) const BUFFERS: u32 = 4;

/// Opens, chooses, sets and starts.
pub(super) fn start(device: &Path, wanted: &config::Camera) -> Result<Camera, CameraError> {
    let at = |step| move |error| device_error(device, step, error);
    let opened = Device::with_path(device).map_err(at("opening"))?;
    let handle = opened.handle();
    let capabilities = raw::capabilities(&handle).map_err(|_| CameraError::NotACamera {
        device: device.to_path_buf(),
        reason: "it does not answer as a video device does".into(),
    })?;
    if let Some(reason) = why_no_camera(capabilities.flags) {
        let reason = format!("{reason}; {}", present_devices());
        return Err(CameraError::NotACamera { device: device.to_path_buf(), reason });
    }
    let offered = opened.enum_formats().map_err(at("asking for its formats"))?;
    let offered: Vec<[u8; 4]> = offered.iter().map(|format| format.fourcc.repr).collect();
    let asked = PixelFormat::wanted(wanted.format);
    let modes: Vec<Mode> = offered
        .iter()
        .filter_map(|code| Some((code, PixelFormat::from_fourcc(code)?)))
        .filter(|(_, format)| asked.is_none_or(|asked| asked == *format))
        .map(|(code, format)| nearest_mode(&opened, FourCC::new(code), format, wanted))
        .collect();
    let mode = choose(&modes, wanted.width, wanted.height, wanted.fps as f32)
        .ok_or_else(|| no_format(device, &offered, asked))?;
    let code = code_of(mode.format, &offered);
    let got = raw::set_format(&handle, (mode.width, mode.height), code)
        .map_err(at("setting its format"))?;
    let format = PixelFormat::from_fourcc(&got.fourcc)
        .ok_or_else(|| no_format(device, &[got.fourcc], asked))?;
    // Many drivers keep to one rate; what they then say, or nothing, is what there is.
    let interval = match opened.set_params(&Parameters::with_fps(wanted.fps)) {
        Ok(parameters) => Some(parameters.interval),
        Err(_) => opened.params().ok().map(|parameters| parameters.interval),
    };
    controls::apply(&handle, &device.display().to_string(), wanted);
    let mut stream = MmapStream::with_buffers(&opened, Type::VideoCapture, BUFFERS)
        .map_err(at("taking buffers"))?;
    stream.set_timeout(Duration::from_secs(1));
    // The first buffer is the one that `next` queues itself; how many there are the crate keeps
    // to itself, so they are queued until there is none.
    CaptureStream::queue(&mut stream, 1).map_err(at("queueing buffers"))?;
    let _ = (2..32).try_for_each(|index| CaptureStream::queue(&mut stream, index));
    stream.start().map_err(at("starting"))?;
    let color = color_of(&got);
    let layout = Layout { format, width: got.width, height: got.height, stride: got.stride, color };
    let camera = Camera {
        device: device.to_path_buf(),
        card: capabilities.card,
        layout,
        wanted: (wanted.width, wanted.height),
        rate: interval.and_then(|interval| rate_of(interval.numerator, interval.denominator)),
        handle,
        stream: Some(stream),
        newest: Newest::default(),
        patience: Duration::from_secs_f32(wanted.stuck_s),
        opened: Instant::now(),
        stop: std::sync::Arc::default(),
    };
    log::info!("{}", chosen(&camera.mode(), &modes, wanted));
    log::debug!("{}: {layout:?}, driver {}", device.display(), capabilities.driver);
    Ok(camera)
}

/// The code to ask for. Some formats have two, and a device may offer both: then the usual one, for
/// under JPEG the camera module of a Pi offers what it makes stills with.
fn code_of(format: PixelFormat, offered: &[[u8; 4]]) -> [u8; 4] {
    let usual = *format.fourcc();
    let first = offered.iter().find(|code| PixelFormat::from_fourcc(code) == Some(format));
    match first {
        Some(first) if !offered.contains(&usual) => *first,
        _ => usual,
    }
}

/// For the log: the mode, and what it was chosen from.
fn chosen(mode: &Mode, modes: &[Mode], wanted: &config::Camera) -> String {
    let (width, height, fps) = (wanted.width, wanted.height, wanted.fps);
    let offered: Vec<_> = modes.iter().map(Mode::to_string).collect();
    format!(
        "camera: {mode} chosen for {width}x{height} at {fps} fps; nearest of each format: {}",
        offered.join(", ")
    )
}

fn no_format(device: &Path, offered: &[[u8; 4]], asked: Option<PixelFormat>) -> CameraError {
    let device = device.to_path_buf();
    let names: Vec<String> = offered.iter().map(|code| code.escape_ascii().to_string()).collect();
    let offered = if names.is_empty() { "none at all".into() } else { names.join(", ") };
    match asked {
        Some(asked) => CameraError::NoSuchFormat { device, asked: asked.to_string(), offered },
        None => {
            let read: Vec<_> = PixelFormat::ALL.iter().map(PixelFormat::to_string).collect();
            CameraError::NoFormat { device, read: read.join(", "), offered }
        }
    }
}

/// The nearest size that `format` comes in, and its highest rate. What a driver does not list is
/// taken as wanted: it answers with what it can when the format is set.
fn nearest_mode(
    device: &Device,
    fourcc: FourCC,
    format: PixelFormat,
    wanted: &config::Camera,
) -> Mode {
    let sizes = device.enum_framesizes(fourcc).unwrap_or_default();
    let sizes: Vec<Mode> = sizes
        .into_iter()
        .map(|size| match size.size {
            FrameSizeEnum::Discrete(size) => (size.width, size.height),
            FrameSizeEnum::Stepwise(size) => (
                Steps { least: size.min_width, most: size.max_width, step: size.step_width }
                    .nearest(wanted.width),
                Steps { least: size.min_height, most: size.max_height, step: size.step_height }
                    .nearest(wanted.height),
            ),
        })
        .map(|(width, height)| Mode { format, width, height, rate: None })
        .collect();
    let (width, height) = (wanted.width, wanted.height);
    let mode =
        choose(&sizes, width, height, 0.0).unwrap_or(Mode { format, width, height, rate: None });
    let rates = rates_of(device, fourcc, (mode.width, mode.height));
    Mode { rate: rates.into_iter().max_by(f32::total_cmp), ..mode }
}

/// Frames a second that a format comes in at a size; of a span, its ends.
pub(super) fn rates_of(device: &Device, fourcc: FourCC, (width, height): (u32, u32)) -> Vec<f32> {
    let intervals = device.enum_frameintervals(fourcc, width, height).unwrap_or_default();
    let rates = intervals.iter().flat_map(|interval| match &interval.interval {
        FrameIntervalEnum::Discrete(interval) => {
            [rate_of(interval.numerator, interval.denominator), None]
        }
        FrameIntervalEnum::Stepwise(steps) => [
            rate_of(steps.min.numerator, steps.min.denominator),
            rate_of(steps.max.numerator, steps.max.denominator),
        ],
    });
    rates.flatten().collect()
}

/// Frames a second of an interval in seconds.
fn rate_of(numerator: u32, denominator: u32) -> Option<f32> {
    (numerator > 0 && denominator > 0).then(|| denominator as f32 / numerator as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_of_nothing_is_no_rate() {
        assert_eq!(rate_of(1, 30), Some(30.0));
        assert_eq!(rate_of(0, 30), None);
        assert_eq!(rate_of(1, 0), None);
    }

    #[test]
    fn a_camera_without_the_format_is_told_with_what_it_has() {
        let device = Path::new("/dev/video0");
        let offered = [*b"H264", *b"MJPG"];
        let said = no_format(device, &offered, Some(PixelFormat::Nv12)).to_string();
        assert_eq!(
            said,
            "camera /dev/video0 does not offer [camera] format NV12, but: H264, MJPG; take one of \
             these or \"auto\""
        );
        let said = no_format(device, &[], None).to_string();
        assert!(said.contains("(RGB3, BGR3, YUYV"), "{said}");
        assert!(said.contains("but: none at all; a camera module"), "{said}");
    }

    #[test]
    fn the_choice_is_told_with_what_it_was_made_from() {
        let mode = |format, rate| Mode { format, width: 640, height: 480, rate: Some(rate) };
        let modes = [mode(PixelFormat::Yuyv, 30.0), mode(PixelFormat::Mjpg, 60.0)];
        assert_eq!(
            chosen(&modes[0], &modes, &config::Camera::default()),
            "camera: 640x480 YUYV at 30 fps chosen for 640x480 at 15 fps; nearest of each format: \
             640x480 YUYV at 30 fps, 640x480 MJPG at 60 fps"
        );
    }
}
