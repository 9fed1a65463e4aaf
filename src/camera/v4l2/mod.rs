//! Cameras of the kernel's video subsystem (V4L2), through memory-mapped buffers.

mod colors;
mod controls;
mod describe;
mod fault;
mod negotiate;
mod newest;
mod raw;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use v4l::buffer::Flags as BufferFlags;
use v4l::device::Handle;
use v4l::io::mmap::Stream as MmapStream;
use v4l::io::traits::CaptureStream;

pub(super) use describe::describe;

use self::fault::{check_path, device_error};
use self::newest::Newest;
use super::modes::Mode;
use super::pixels::Layout;
use super::{CameraError, Frame, Source, log_broken};
use crate::config;
use crate::picture::Picture;

/// Longest wait without a look at the stop sign, in milliseconds.
const WAIT: i32 = 100;
/// As in poll(2).
const POLLIN: i16 = 1;

/// A camera that streams.
pub(super) struct Camera {
    device: PathBuf,
    card: String,
    layout: Layout,
    /// The size in pixels that the configuration asks for.
    wanted: (u32, u32),
    rate: Option<f32>,
    handle: Arc<Handle>,
    /// Always there until dropped.
    stream: Option<MmapStream<'static>>,
    newest: Newest,
    /// A camera that gives nothing whole for this long counts as lost.
    patience: Duration,
    opened: Instant,
    stop: Arc<AtomicBool>,
}

impl Camera {
    /// Opens `device` in the mode nearest to what `wanted` asks for, and starts it.
    pub(super) fn open(device: &Path, wanted: &config::Camera) -> Result<Self, CameraError> {
        check_path(device)?;
        // The v4l crate panics at answers of a driver that it does not know.
        catch_unwind(AssertUnwindSafe(|| negotiate::start(device, wanted))).unwrap_or_else(|_| {
            let reason = "its driver's answers are not understood".into();
            Err(CameraError::NotACamera { device: device.to_path_buf(), reason })
        })
    }

    fn mode(&self) -> Mode {
        let Layout { format, width, height, .. } = self.layout;
        Mode { format, width, height, rate: self.rate }
    }

    /// Takes the frames that wait; the newest whole one, or `None` after `WAIT` or where none is
    /// whole.
    fn read(&mut self) -> io::Result<Option<Picture>> {
        let Some(stream) = self.stream.as_mut() else { return Ok(None) };
        match self.handle.poll(POLLIN, WAIT) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(None),
            Err(error) => return Err(error),
        }
        // No more than there are buffers: a camera that fills them faster than they are copied out
        // would keep us here.
        for _ in 0..negotiate::BUFFERS {
            let (bytes, meta) = CaptureStream::next(stream)?;
            let used = bytes.get(..meta.bytesused as usize).unwrap_or(bytes);
            self.newest.offer(used, meta.flags.contains(BufferFlags::ERROR), &self.layout);
            if !self.handle.poll(POLLIN, 0).is_ok_and(|ready| ready > 0) {
                break;
            }
        }
        Ok(self.newest.take(&self.layout))
    }
}

impl Source for Camera {
    fn next(&mut self) -> Result<Option<Frame>, CameraError> {
        let asked = Instant::now();
        let broken_before = self.newest.broken;
        while !self.stop.load(Ordering::Relaxed) {
            let broken = self.newest.broken;
            let read = self.read().map_err(|error| device_error(&self.device, "reading", error))?;
            if self.newest.broken > broken {
                let device = self.device.display();
                log_broken(self.newest.broken, &format!("camera {device} gave a broken frame"));
            }
            if let Some(picture) = read {
                let (number, captured_at) = (self.newest.seen - 1, self.opened.elapsed());
                return Ok(Some(Frame { picture, number, captured_at }));
            }
            if asked.elapsed() > self.patience {
                let broken = self.newest.broken - broken_before;
                let advice = match broken {
                    0 => "plug it in again, or see whether what feeds it still runs",
                    _ => "look to its cable, or set a smaller [camera] width, height or fps",
                };
                let name = format!("camera {}", self.device.display());
                let seconds = self.patience.as_secs_f32();
                return Err(CameraError::Stuck { name, seconds, broken, advice });
            }
        }
        Ok(None)
    }

    fn describe(&self) -> String {
        told(&self.device, &self.card, &self.mode(), self.wanted)
    }

    fn rate(&self) -> Option<f32> {
        self.rate
    }

    fn broken(&self) -> u64 {
        self.newest.broken
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

/// For logs and probes. Where the size that is configured cannot be had, the nearest is offered.
fn told(device: &Path, card: &str, mode: &Mode, (width, height): (u32, u32)) -> String {
    let mut text = format!("v4l2 {} ({card}), {mode}", device.display());
    if (width, height) != (mode.width, mode.height) {
        text += &format!(", the nearest it has to the {width}x{height} that is configured");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::pixels::PixelFormat;

    #[test]
    fn where_a_camera_has_not_the_size_that_is_configured_the_nearest_is_offered() {
        let format = PixelFormat::Yuyv;
        let mode = Mode { format, width: 640, height: 480, rate: Some(30.0) };
        let said = |wanted| told(Path::new("/dev/video0"), "Maker Cam", &mode, wanted);
        let found = "v4l2 /dev/video0 (Maker Cam), 640x480 YUYV at 30 fps";
        assert_eq!(said((640, 480)), found);
        assert_eq!(
            said((641, 500)),
            format!("{found}, the nearest it has to the 641x500 that is configured")
        );
    }
}
