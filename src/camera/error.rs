use std::io;
use std::path::PathBuf;

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    #[error(
        "[camera] source = \"{source_text}\" is not understood: write demo, file:PATH (a picture, \
         a folder or a video) or v4l2:DEVICE (such as v4l2:/dev/video0)"
    )]
    UnknownSource { source_text: String },

    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },

    #[error("{name} is empty")]
    Empty { name: String },

    #[error(
        "{name} is not a picture (it begins with {start}): JPEG, PNG, GIF, WebP and BMP are read"
    )]
    NotAPicture { name: String, start: String },

    #[error("{name} is damaged: {reason}")]
    Damaged { name: String, reason: String },

    #[error(
        "{name} is too large: {width}x{height} pixels take {megabytes} MB to decode, and the \
         limit is {limit} MB; scale it down"
    )]
    TooLarge { name: String, width: u32, height: u32, megabytes: u64, limit: u64 },

    #[error("{path} is a folder without pictures: files named .jpg, .png, .gif, .webp or .bmp")]
    NoPictures { path: PathBuf },

    #[error("{path} cannot be played: not one of its {count} frames can be decoded, {reason}")]
    NoFrames { path: PathBuf, count: u64, reason: String },

    #[error(
        "{path} needs the program {program} to be played, and it is not installed: install \
         ffmpeg (Debian, Raspberry Pi OS: apt install ffmpeg)"
    )]
    FfmpegMissing { path: PathBuf, program: String },

    #[error("{program} cannot play {path}: {reason}")]
    Ffmpeg { path: PathBuf, program: String, reason: String },

    #[error("camera {device} does not exist: plug it in or set [camera] source; {present}")]
    DeviceMissing { device: PathBuf, present: String },

    #[error(
        "camera {device} is a {kind}, not a device; to play a file write source = \"file:{device}\""
    )]
    NotADevice { device: PathBuf, kind: &'static str },

    #[error("{device} is not a camera: {reason}")]
    NotACamera { device: PathBuf, reason: String },

    #[error(
        "camera {device} may not be opened by this user: add the user to the group video \
         (usermod -aG video NAME) and log in again"
    )]
    Permission { device: PathBuf },

    #[error("camera {device} is busy: another program uses it (find it with fuser {device})")]
    Busy { device: PathBuf },

    #[error(
        "camera {device} offers none of the formats that are read (YUYV, MJPG), but: {offered}"
    )]
    NoFormat { device: PathBuf, offered: String },

    #[error("camera {device} gave no whole picture for {seconds} s ({broken} broken): {advice}")]
    Stuck { device: PathBuf, seconds: u64, broken: u64, advice: &'static str },

    #[error("camera {device} failed at {step}: {source}")]
    Device { device: PathBuf, step: &'static str, source: io::Error },
}
