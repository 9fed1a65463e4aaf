//! Cameras of the kernel's video subsystem (V4L2), through memory-mapped buffers.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use v4l::buffer::{Flags as BufferFlags, Type};
use v4l::capability::Flags;
use v4l::device::Handle;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::io::mmap::Stream as MmapStream;
use v4l::io::traits::{CaptureStream, Stream as _};
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Device, Format, FourCC};

use super::modes::{Mode, PixelFormat, Steps, choose};
use super::{CameraError, Frame, Source, jpeg, log_broken, shown, yuyv};
use crate::config;
use crate::picture::Picture;

/// A camera that gives nothing whole for this long counts as lost. Slow ones take two or three
/// seconds to their first frame.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest wait without a look at the stop sign, in milliseconds.
const WAIT: i32 = 100;
const BUFFERS: u32 = 4;
/// As in poll(2).
const POLLIN: i16 = 1;

/// A camera that streams.
pub(super) struct Camera {
    device: PathBuf,
    card: String,
    format: PixelFormat,
    size: (u32, u32),
    stride: u32,
    rate: Option<f32>,
    handle: Arc<Handle>,
    /// Always there until dropped.
    stream: Option<MmapStream<'static>>,
    opened: Instant,
    number: u64,
    broken: u64,
    stop: Arc<AtomicBool>,
}

impl Camera {
    /// Opens `device` in the mode nearest to what `wanted` asks for, and starts it.
    pub(super) fn open(device: &Path, wanted: &config::Camera) -> Result<Self, CameraError> {
        check_path(device)?;
        // The v4l crate panics at answers of a driver that it does not know.
        catch_unwind(AssertUnwindSafe(|| start(device, wanted))).unwrap_or_else(|_| {
            let reason = "its driver's answers are not understood".into();
            Err(CameraError::NotACamera { device: device.to_path_buf(), reason })
        })
    }

    /// The newest frame there is, undecoded frames before it passed over; `None` after `WAIT`.
    fn newest(&mut self) -> io::Result<Option<Option<Picture>>> {
        let Some(stream) = self.stream.as_mut() else { return Ok(None) };
        match self.handle.poll(POLLIN, WAIT) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(None),
            Err(error) => return Err(error),
        }
        loop {
            let (bytes, meta) = CaptureStream::next(stream)?;
            self.number += 1;
            if self.handle.poll(POLLIN, 0).is_ok_and(|ready| ready > 0) {
                continue;
            }
            if meta.flags.contains(BufferFlags::ERROR) {
                return Ok(Some(None));
            }
            let used = bytes.get(..meta.bytesused as usize).unwrap_or(bytes);
            return Ok(Some(match self.format {
                PixelFormat::Yuyv => yuyv::to_rgb(used, self.size.0, self.size.1, self.stride),
                PixelFormat::Mjpg => jpeg::decode_frame("the frame", used).ok(),
            }));
        }
    }
}

impl Source for Camera {
    fn next(&mut self) -> Result<Option<Frame>, CameraError> {
        let asked = Instant::now();
        let broken_before = self.broken;
        while !self.stop.load(Ordering::Relaxed) {
            match self.newest().map_err(|error| device_error(&self.device, "reading", error))? {
                Some(Some(picture)) => {
                    let (number, captured_at) = (self.number - 1, self.opened.elapsed());
                    return Ok(Some(Frame { picture, number, captured_at }));
                }
                Some(None) => {
                    self.broken += 1;
                    let device = self.device.display();
                    log_broken(self.broken, &format!("camera {device} gave a broken frame"));
                }
                None => {}
            }
            if asked.elapsed() > PATIENCE {
                let broken = self.broken - broken_before;
                let advice = match broken {
                    0 => "plug it in again, or see whether what feeds it still runs",
                    _ => "look to its cable, or set a smaller [camera] width, height or fps",
                };
                let (device, seconds) = (self.device.clone(), PATIENCE.as_secs());
                return Err(CameraError::Stuck { device, seconds, broken, advice });
            }
        }
        Ok(None)
    }

    fn describe(&self) -> String {
        let (width, height) = self.size;
        let rate = self.rate.map(|rate| format!(" at {} fps", shown(rate))).unwrap_or_default();
        let device = self.device.display();
        format!("v4l2 {device} ({}), {width}x{height} {}{rate}", self.card, self.format)
    }

    fn rate(&self) -> Option<f32> {
        self.rate
    }

    fn broken(&self) -> u64 {
        self.broken
    }

    fn stop_on(&mut self, stop: Arc<AtomicBool>) {
        self.stop = stop;
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let stream = self.stream.take();
        // The v4l crate panics where a camera that is failing cannot be stopped either.
        if catch_unwind(AssertUnwindSafe(|| drop(stream))).is_err() {
            log::warn!("camera {} did not stop cleanly", self.device.display());
        }
    }
}

/// What can be said before opening: opening a plain file would even succeed.
fn check_path(device: &Path) -> Result<(), CameraError> {
    let kind = match fs::metadata(device) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CameraError::DeviceMissing {
                device: device.to_path_buf(),
                present: present_devices(),
            });
        }
        Err(error) => return Err(device_error(device, "looking it up", error)),
    };
    let kind = match kind {
        kind if kind.is_char_device() => return Ok(()),
        kind if kind.is_file() => "plain file",
        kind if kind.is_dir() => "folder",
        _ => "pipe or disk",
    };
    Err(CameraError::NotADevice { device: device.to_path_buf(), kind })
}

fn present_devices() -> String {
    let mut names: Vec<String> = fs::read_dir("/dev")
        .map(|entries| {
            entries
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .filter(|name| name.starts_with("video"))
                .map(|name| format!("/dev/{name}"))
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    match names.is_empty() {
        true => "this machine has no /dev/video*".into(),
        false => format!("there are {}", names.join(", ")),
    }
}

fn start(device: &Path, wanted: &config::Camera) -> Result<Camera, CameraError> {
    let at = |step| move |error| device_error(device, step, error);
    let handle = Device::with_path(device).map_err(at("opening"))?;
    let capabilities = handle.query_caps().map_err(|_| CameraError::NotACamera {
        device: device.to_path_buf(),
        reason: "it does not answer as a video device does".into(),
    })?;
    if let Some(reason) = why_no_camera(capabilities.capabilities) {
        let reason = format!("{reason}; {}", present_devices());
        return Err(CameraError::NotACamera { device: device.to_path_buf(), reason });
    }
    let offered = handle.enum_formats().map_err(at("asking for its formats"))?;
    let no_format = || {
        let names: Vec<String> =
            offered.iter().map(|format| format.fourcc.repr.escape_ascii().to_string()).collect();
        let offered = if names.is_empty() { "none at all".into() } else { names.join(", ") };
        CameraError::NoFormat { device: device.to_path_buf(), offered }
    };
    let modes: Vec<Mode> = offered
        .iter()
        .filter_map(|format| PixelFormat::from_fourcc(&format.fourcc.repr))
        .map(|format| nearest_mode(&handle, format, wanted))
        .collect();
    let mode =
        choose(&modes, wanted.width, wanted.height, wanted.fps as f32).ok_or_else(no_format)?;
    let fourcc = FourCC::new(mode.format.fourcc());
    let format = handle
        .set_format(&Format::new(mode.width, mode.height, fourcc))
        .map_err(at("setting its format"))?;
    let got = PixelFormat::from_fourcc(&format.fourcc.repr).ok_or_else(no_format)?;
    // Many drivers keep to one rate; what they then say, or nothing, is what there is.
    let interval = match handle.set_params(&Parameters::with_fps(wanted.fps)) {
        Ok(parameters) => Some(parameters.interval),
        Err(_) => handle.params().ok().map(|parameters| parameters.interval),
    };
    let mut stream = MmapStream::with_buffers(&handle, Type::VideoCapture, BUFFERS)
        .map_err(at("taking buffers"))?;
    stream.set_timeout(Duration::from_secs(1));
    // The first buffer is the one that `next` queues itself; how many there are the crate keeps
    // to itself, so they are queued until there is none.
    CaptureStream::queue(&mut stream, 1).map_err(at("queueing buffers"))?;
    let _ = (2..32).try_for_each(|index| CaptureStream::queue(&mut stream, index));
    stream.start().map_err(at("starting"))?;
    let camera = Camera {
        device: device.to_path_buf(),
        card: capabilities.card,
        format: got,
        size: (format.width, format.height),
        stride: format.stride,
        rate: interval.and_then(|interval| rate_of(interval.numerator, interval.denominator)),
        handle: handle.handle(),
        stream: Some(stream),
        opened: Instant::now(),
        number: 0,
        broken: 0,
        stop: Arc::default(),
    };
    if camera.size != (wanted.width, wanted.height) {
        let (width, height) = (wanted.width, wanted.height);
        log::info!("{width}x{height} was wanted; the nearest is {}", camera.describe());
    }
    Ok(camera)
}

fn why_no_camera(flags: Flags) -> Option<&'static str> {
    if flags.contains(Flags::VIDEO_CAPTURE_MPLANE) && !flags.contains(Flags::VIDEO_CAPTURE) {
        Some("it captures into several planes, which is not read")
    } else if !flags.contains(Flags::VIDEO_CAPTURE) {
        Some("it does not capture pictures (many cameras have a second device for other data)")
    } else if !flags.contains(Flags::STREAMING) {
        Some("it cannot stream")
    } else {
        None
    }
}

/// The nearest size that `format` comes in, and its highest rate. What a driver does not list is
/// taken as wanted: it answers with what it can when the format is set.
fn nearest_mode(device: &Device, format: PixelFormat, wanted: &config::Camera) -> Mode {
    let fourcc = FourCC::new(format.fourcc());
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
    let mode = choose(&sizes, wanted.width, wanted.height, 0.0).unwrap_or(Mode {
        format,
        width: wanted.width,
        height: wanted.height,
        rate: None,
    });
    let intervals = device.enum_frameintervals(fourcc, mode.width, mode.height).unwrap_or_default();
    let rates = intervals.iter().filter_map(|interval| match &interval.interval {
        FrameIntervalEnum::Discrete(interval) => rate_of(interval.numerator, interval.denominator),
        FrameIntervalEnum::Stepwise(steps) => rate_of(steps.min.numerator, steps.min.denominator),
    });
    Mode { rate: rates.max_by(f32::total_cmp), ..mode }
}

/// Frames a second of an interval in seconds.
fn rate_of(numerator: u32, denominator: u32) -> Option<f32> {
    (numerator > 0 && denominator > 0).then(|| denominator as f32 / numerator as f32)
}

fn device_error(device: &Path, step: &'static str, source: io::Error) -> CameraError {
    let device = device.to_path_buf();
    match source.kind() {
        io::ErrorKind::PermissionDenied => CameraError::Permission { device },
        io::ErrorKind::ResourceBusy => CameraError::Busy { device },
        _ => CameraError::Device { device, step, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(device: &Path) -> String {
        Camera::open(device, &config::Camera::default()).err().unwrap().to_string()
    }

    #[test]
    fn a_camera_that_is_not_there_is_named_with_those_that_are() {
        let said = refused(Path::new("/dev/video-none"));
        assert!(said.starts_with("camera /dev/video-none does not exist"), "{said}");
        assert!(said.contains("/dev/video"), "{said}");
    }

    #[test]
    fn a_plain_file_is_no_camera_and_the_way_to_play_it_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display();
        let said = refused(file.path());
        assert!(said.starts_with(&format!("camera {path} is a plain file")), "{said}");
        assert!(said.ends_with(&format!("source = \"file:{path}\"")), "{said}");
    }

    #[test]
    fn a_folder_is_no_camera() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refused(folder.path()).contains("is a folder"));
    }

    #[test]
    fn a_device_of_another_kind_is_no_camera() {
        let said = refused(Path::new("/dev/null"));
        assert_eq!(said, "/dev/null is not a camera: it does not answer as a video device does");
    }

    #[test]
    fn each_capability_that_lacks_is_told_in_its_own_words() {
        assert_eq!(why_no_camera(Flags::VIDEO_CAPTURE | Flags::STREAMING), None);
        let planes = why_no_camera(Flags::VIDEO_CAPTURE_MPLANE | Flags::STREAMING);
        assert!(planes.unwrap().contains("planes"));
        assert!(why_no_camera(Flags::META_CAPTURE).unwrap().contains("does not capture"));
        assert!(why_no_camera(Flags::VIDEO_CAPTURE).unwrap().contains("cannot stream"));
    }

    #[test]
    fn the_causes_that_a_user_can_mend_are_told_with_the_remedy() {
        let said = |code| {
            let error = io::Error::from_raw_os_error(code);
            device_error(Path::new("/dev/video0"), "opening", error).to_string()
        };
        let (no_access, busy, no_device) = (13, 16, 19);
        assert!(said(no_access).contains("group video"));
        assert!(said(busy).contains("is busy"));
        assert!(
            said(no_device).starts_with("camera /dev/video0 failed at opening: No such device")
        );
    }

    #[test]
    fn an_interval_of_nothing_is_no_rate() {
        assert_eq!(rate_of(1, 30), Some(30.0));
        assert_eq!(rate_of(0, 30), None);
        assert_eq!(rate_of(1, 0), None);
    }
}
