//! Why a device is no camera, or does not work as one, in words that say what to do.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use v4l::capability::Flags;

use crate::camera::CameraError;

/// Major number of video devices (Linux's Documentation/admin-guide/devices.txt).
const VIDEO_MAJOR: u64 = 81;
/// Of errno(3): the device was there and is gone.
const ENODEV: i32 = 19;
const ENXIO: i32 = 6;
/// What usbcore says where the bus has no bandwidth left for what a camera asks for.
const ENOSPC: i32 = 28;

/// What can be said before opening: opening a plain file would even succeed, and opening some other
/// device may do harm.
pub(super) fn check_path(device: &Path) -> Result<(), CameraError> {
    let metadata = match fs::metadata(device) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CameraError::DeviceMissing {
                device: device.to_path_buf(),
                present: present_devices(),
            });
        }
        Err(error) => return Err(device_error(device, "looking it up", error)),
    };
    let kind = match metadata.file_type() {
        kind if kind.is_char_device() => {
            return match major(metadata.rdev()) {
                VIDEO_MAJOR => Ok(()),
                _ => Err(CameraError::NotAVideoDevice { device: device.to_path_buf() }),
            };
        }
        kind if kind.is_file() => "plain file",
        kind if kind.is_dir() => "folder",
        _ => "pipe or disk",
    };
    Err(CameraError::NotADevice { device: device.to_path_buf(), kind })
}

/// The upper part of a device number, as in gnu_dev_major(3).
fn major(number: u64) -> u64 {
    ((number >> 8) & 0xfff) | ((number >> 32) & !0xfff)
}

/// For messages: which devices there are, and to ask for their names that last.
pub(super) fn present_devices() -> String {
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
        false => format!("there are {} (maskgate devices tells more)", names.join(", ")),
    }
}

pub(super) fn why_no_camera(flags: Flags) -> Option<&'static str> {
    if flags.contains(Flags::VIDEO_CAPTURE_MPLANE) && !flags.contains(Flags::VIDEO_CAPTURE) {
        Some(
            "it captures into several planes, as camera bridges of single-board computers do, \
             which is not read; let a program read it and write [camera] source = \
             \"pipe:COMMAND\" (rpicam-vid, gst-launch-1.0 or ffmpeg, see docs/cameras.md)",
        )
    } else if !flags.contains(Flags::VIDEO_CAPTURE) {
        Some("it does not capture pictures (many cameras have a second device for other data)")
    } else if !flags.contains(Flags::STREAMING) {
        Some("it cannot stream")
    } else {
        None
    }
}

pub(super) fn device_error(device: &Path, step: &'static str, source: io::Error) -> CameraError {
    let device = device.to_path_buf();
    match (source.kind(), source.raw_os_error()) {
        (io::ErrorKind::PermissionDenied, _) => CameraError::Permission { device },
        (io::ErrorKind::ResourceBusy, _) => CameraError::Busy { device },
        (_, Some(ENODEV | ENXIO)) => CameraError::Unplugged { device },
        (_, Some(ENOSPC)) => CameraError::NoRoom { device },
        _ => CameraError::Device { device, step, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(device: &Path) -> String {
        check_path(device).unwrap_err().to_string()
    }

    #[test]
    fn a_camera_that_is_not_there_is_named_with_those_that_are() {
        let said = refused(Path::new("/dev/video-none"));
        assert!(said.starts_with("camera /dev/video-none does not exist"), "{said}");
        assert!(said.contains("there are /dev/video") || said.contains("no /dev/video*"), "{said}");
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
    fn a_device_of_another_kind_is_no_camera_even_under_a_name_that_promises_one() {
        let said = refused(Path::new("/dev/null"));
        assert!(said.starts_with("/dev/null is a device, but none for video"), "{said}");
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("usb-Maker_Camera-video-index0");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert!(refused(&link).contains("none for video"));
    }

    #[test]
    fn device_numbers_are_taken_apart_as_the_kernel_puts_them_together() {
        assert_eq!(major(0x5102), 81);
        assert_eq!(major(0x0103), 1);
    }

    #[test]
    fn each_capability_that_lacks_is_told_in_its_own_words() {
        assert_eq!(why_no_camera(Flags::VIDEO_CAPTURE | Flags::STREAMING), None);
        let planes = why_no_camera(Flags::VIDEO_CAPTURE_MPLANE | Flags::STREAMING).unwrap();
        assert!(planes.contains("planes") && planes.contains("pipe:COMMAND"));
        assert!(why_no_camera(Flags::META_CAPTURE).unwrap().contains("does not capture"));
        assert!(why_no_camera(Flags::VIDEO_CAPTURE).unwrap().contains("cannot stream"));
    }

    #[test]
    fn the_causes_that_a_user_can_mend_are_told_with_the_remedy() {
        let said = |code| {
            let error = io::Error::from_raw_os_error(code);
            device_error(Path::new("/dev/video0"), "reading", error).to_string()
        };
        let (no_access, busy, input_output) = (13, 16, 5);
        assert!(said(no_access).contains("group video"));
        assert!(said(busy).contains("is busy"));
        assert!(said(ENODEV).contains("was unplugged"));
        assert!(said(ENOSPC).contains("format = \"mjpg\""));
        assert!(said(input_output).starts_with("camera /dev/video0 failed at reading: "));
    }
}
