use std::io;
use std::path::PathBuf;

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    #[error(
        "[camera] source = \"{source_text}\" is not understood: write demo, file:PATH (a picture, \
         a folder or a video), v4l2:DEVICE (such as v4l2:/dev/video0) or pipe:COMMAND (see \
         docs/cameras.md)"
    )]
    UnknownSource { source_text: String },

    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },

    #[error(
        "{path} is neither a file nor a folder; what a program or a named pipe writes is read with \
         source = \"pipe:COMMAND\", such as pipe:cat {path}"
    )]
    NotAFile { path: PathBuf },

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

    #[error(
        "{name} is too large: {width}x{height} pixels, and a side may have {limit}; cut or scale it"
    )]
    TooLong { name: String, width: u32, height: u32, limit: u32 },

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
        "{device} is a device, but none for video: set [camera] source (maskgate devices lists \
         cameras)"
    )]
    NotAVideoDevice { device: PathBuf },

    #[error("camera {device} was unplugged: plug it in again")]
    Unplugged { device: PathBuf },

    #[error(
        "camera {device} offers none of the formats that are read ({read}), but: {offered}; a \
         camera module on a ribbon cable (CSI) is read through a pipe, see docs/cameras.md"
    )]
    NoFormat { device: PathBuf, read: String, offered: String },

    #[error(
        "camera {device} does not offer [camera] format {asked}, but: {offered}; take one of these \
         or \"auto\""
    )]
    NoSuchFormat { device: PathBuf, asked: String, offered: String },

    /// `name` is that of a camera or of a pipe command.
    #[error("{name} gave no whole picture for {seconds} s ({broken} broken): {advice}")]
    Stuck { name: String, seconds: f32, broken: u64, advice: &'static str },

    #[error(
        "camera {device} was refused room on the USB bus: set [camera] format = \"mjpg\", or a \
         smaller width, height or fps, or plug it in elsewhere, not beside another camera"
    )]
    NoRoom { device: PathBuf },

    #[error(
        "camera {device} failed at {step}: {source}; if it does not come back, unplug it and plug \
         it in again"
    )]
    Device { device: PathBuf, step: &'static str, source: io::Error },

    #[error("{name} cannot be started: {source}")]
    PipeStart { name: String, source: io::Error },

    #[error("{name} ended by itself ({status}) after {frames} frames; {said}")]
    PipeEnded { name: String, status: String, frames: u64, said: String },

    #[error("{name} writes what is not read: {reason}")]
    PipeOutput { name: String, reason: String },

    #[error(
        "[camera] crop = \"{crop}\" does not lie within the picture of {width}x{height}: the last \
         two numbers are its left and top edge"
    )]
    CropOutside { crop: String, width: u32, height: u32 },
}

impl CameraError {
    /// Whether what `[camera]` says can be no source at all, whatever happens outside.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            CameraError::UnknownSource { .. }
                | CameraError::NotAFile { .. }
                | CameraError::NoPictures { .. }
                | CameraError::NotADevice { .. }
                | CameraError::NotAVideoDevice { .. }
                | CameraError::CropOutside { .. }
        )
    }

    /// Whether it is about what a file holds: playing that again comes to the same end.
    pub fn is_of_a_file(&self) -> bool {
        matches!(
            self,
            CameraError::Read { .. }
                | CameraError::Damaged { .. }
                | CameraError::TooLarge { .. }
                | CameraError::TooLong { .. }
                | CameraError::NoFrames { .. }
                | CameraError::FfmpegMissing { .. }
                | CameraError::Ffmpeg { .. }
        )
    }

    /// What it is about: of errors with the same topic in a row the first tells all. A camera that
    /// was unplugged is also one that is not there; counts do not make another topic.
    pub fn topic(&self) -> String {
        match self {
            CameraError::DeviceMissing { device, .. } | CameraError::Unplugged { device } => {
                format!("{} is away", device.display())
            }
            CameraError::Stuck { name, .. } => format!("{name} is stuck"),
            CameraError::PipeEnded { name, status, .. } => format!("{name} ended, {status}"),
            other => other.to_string(),
        }
    }

    /// Whether the cause may go away by itself or by somebody's hand at the camera, so that trying
    /// again makes sense. What only a change to the configuration or to a file can mend may not.
    pub fn may_pass(&self) -> bool {
        match self {
            CameraError::UnknownSource { .. }
            | CameraError::Read { .. }
            | CameraError::Empty { .. }
            | CameraError::NotAPicture { .. }
            | CameraError::NotAFile { .. }
            | CameraError::Damaged { .. }
            | CameraError::TooLarge { .. }
            | CameraError::TooLong { .. }
            | CameraError::NoPictures { .. }
            | CameraError::NoFrames { .. }
            | CameraError::FfmpegMissing { .. }
            | CameraError::Ffmpeg { .. }
            | CameraError::NotADevice { .. }
            | CameraError::NotAVideoDevice { .. }
            | CameraError::CropOutside { .. } => false,
            CameraError::DeviceMissing { .. }
            | CameraError::NotACamera { .. }
            | CameraError::Permission { .. }
            | CameraError::Busy { .. }
            | CameraError::Unplugged { .. }
            | CameraError::NoFormat { .. }
            | CameraError::NoSuchFormat { .. }
            | CameraError::Stuck { .. }
            | CameraError::NoRoom { .. }
            | CameraError::Device { .. }
            | CameraError::PipeStart { .. }
            | CameraError::PipeEnded { .. }
            | CameraError::PipeOutput { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unplugged_camera_and_one_that_is_missing_are_one_topic_and_so_is_each_end_of_a_pipe() {
        let device = PathBuf::from("/dev/video0");
        let unplugged = CameraError::Unplugged { device: device.clone() };
        let missing = CameraError::DeviceMissing { device: device.clone(), present: "".into() };
        assert_eq!(unplugged.topic(), missing.topic());
        assert_ne!(unplugged.topic(), CameraError::Busy { device }.topic());
        let ended = |frames, status: &str| {
            let (name, said) = ("the pipe".into(), "it said nothing".into());
            CameraError::PipeEnded { name, status: status.into(), frames, said }.topic()
        };
        assert_eq!(ended(3, "exit status: 1"), ended(9, "exit status: 1"));
        assert_ne!(ended(3, "exit status: 1"), ended(3, "exit status: 127"));
    }
}
