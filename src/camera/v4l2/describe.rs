//! What a device is and offers, for lists.

use std::panic::catch_unwind;
use std::path::Path;

use v4l::capability::Flags;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;
use v4l::{Device, FourCC};

use super::fault::{device_error, why_no_camera};
use super::negotiate::rates_of;
use super::raw;
use crate::camera::list::{CameraInfo, FormatInfo, SizeInfo};
use crate::camera::pixels::PixelFormat;

/// `None` for a device that captures no pictures. One that cannot be opened, or cannot be read, is
/// told with why.
pub(in crate::camera) fn describe(path: &Path) -> Option<CameraInfo> {
    let info = CameraInfo { device: path.to_path_buf(), ..CameraInfo::default() };
    let opened = match Device::with_path(path) {
        Ok(opened) => opened,
        Err(error) => {
            let problem = Some(device_error(path, "opening", error).to_string());
            return Some(CameraInfo { problem, ..info });
        }
    };
    let raw::Capabilities { card, driver, flags } = raw::capabilities(&opened.handle()).ok()?;
    if !flags.intersects(Flags::VIDEO_CAPTURE | Flags::VIDEO_CAPTURE_MPLANE) {
        return None;
    }
    let info = CameraInfo { card, driver, ..info };
    if let Some(reason) = why_no_camera(flags) {
        return Some(CameraInfo { problem: Some(reason.into()), ..info });
    }
    // The v4l crate panics at answers of a driver that it does not know.
    Some(match catch_unwind(std::panic::AssertUnwindSafe(|| formats(&opened))) {
        Ok(formats) => CameraInfo { formats, ..info },
        Err(_) => {
            CameraInfo { problem: Some("its driver's answers are not understood".into()), ..info }
        }
    })
}

fn formats(device: &Device) -> Vec<FormatInfo> {
    let offered = device.enum_formats().unwrap_or_default();
    let describe = |code: [u8; 4]| FormatInfo {
        format: code.escape_ascii().to_string(),
        read: PixelFormat::from_fourcc(&code).is_some(),
        sizes: sizes(device, FourCC::new(&code)),
    };
    offered.iter().map(|format| describe(format.fourcc.repr)).collect()
}

fn sizes(device: &Device, fourcc: FourCC) -> Vec<SizeInfo> {
    let sizes = device.enum_framesizes(fourcc).unwrap_or_default();
    let describe = |size: FrameSizeEnum| {
        let (width, height, most) = match size {
            FrameSizeEnum::Discrete(size) => (size.width, size.height, None),
            FrameSizeEnum::Stepwise(size) => {
                (size.min_width, size.min_height, Some([size.max_width, size.max_height]))
            }
        };
        // The largest tells the rates that can be had at every size.
        let [wide, high] = most.unwrap_or([width, height]);
        SizeInfo { width, height, most, rates: rates_of(device, fourcc, (wide, high)) }
    };
    sizes.into_iter().map(|size| describe(size.size)).collect()
}
