//! Where frames come from: the demo clip, files, V4L2 devices, what other programs write.
//! Owns `Source`, pixel formats to RGB, and the words for what a camera lacks.
//! Never: what is in a picture.

mod demo;
mod error;
mod ffmpeg;
mod folder;
mod gif;
mod jpeg;
mod lines;
mod list;
mod mjpeg;
mod modes;
mod paced;
mod pipe;
mod pixels;
mod program;
mod rgb;
mod still;
#[cfg(test)]
mod testing;
mod turned;
mod v4l2;
mod webp;
mod y4m;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub use demo::Demo;
pub use error::CameraError;
pub use folder::pictures_in;
pub use list::{CameraInfo, FormatInfo, SizeInfo, cameras, render};
pub use paced::Paced;
pub use still::{MAX_DECODE_BYTES, decode_bytes, decode_image};

use crate::config;
use crate::picture::Picture;

/// Frames a second of what says nothing about its rate: folders of pictures, bare motion JPEG.
pub const DEFAULT_RATE: f32 = 10.0;

/// One picture of a source, with the moment it was taken.
#[derive(Clone, Debug)]
pub struct Frame {
    pub picture: Picture,
    /// Counts from 0 within the source; a frame that could not be decoded takes a number too.
    pub number: u64,
    /// Clip time for files (frame / rate); time since the source was opened for live cameras.
    pub captured_at: Duration,
}

/// Something that gives frames, one after another.
pub trait Source: Send {
    /// The next frame; `Ok(None)` when the source has ended (cameras never end). After an error
    /// from a camera drop the source and `open` it again.
    fn next(&mut self) -> Result<Option<Frame>, CameraError>;

    /// For logs: `v4l2 /dev/video0, 640x480 MJPG at 30 fps`.
    fn describe(&self) -> String;

    /// Frames a second as the source says, where it says.
    fn rate(&self) -> Option<f32>;

    /// How many frames the source will give, broken ones included, where that is known.
    fn frames(&self) -> Option<u64> {
        None
    }

    /// How many frames were passed over so far because they could not be decoded.
    fn broken(&self) -> u64 {
        0
    }

    /// Once `stop` is true, a waiting `next` gives `Ok(None)` within 100 ms. Sources that never
    /// wait ignore it.
    fn stop_on(&mut self, stop: Arc<AtomicBool>) {
        let _ = stop;
    }
}

/// Opens what `[camera]` names, as the daemon wants it: live, cropped and turned. The demo clip
/// begins again at its end and is neither cropped nor turned, a file ends once; both are played at
/// their own speed.
pub fn open(camera: &config::Camera) -> Result<Box<dyn Source>, CameraError> {
    let unknown =
        || CameraError::UnknownSource { source_text: config::without_arguments(&camera.source) };
    let source: Box<dyn Source> = match camera.source.split_once(':') {
        None if camera.source == "demo" => {
            return Ok(Box::new(Paced::new(Box::new(Demo::looping()?))));
        }
        Some(("file", path)) if !path.is_empty() => {
            Box::new(Paced::new(open_file(Path::new(path))?))
        }
        Some(("v4l2", device)) if !device.is_empty() => {
            Box::new(v4l2::Camera::open(Path::new(device), camera)?)
        }
        Some(("pipe", command)) if !command.trim().is_empty() => {
            Box::new(pipe::Pipe::open(command.trim(), camera)?)
        }
        _ => return Err(unknown()),
    };
    Ok(turned::turned(source, camera))
}

/// Opens what `[camera]` names, takes one frame, and says what was found: the mode, and where the
/// camera has not the size that is configured, the nearest it has.
pub fn probe(camera: &config::Camera) -> Result<String, CameraError> {
    let mut source = open(camera)?;
    match source.next()? {
        Some(Frame { picture, .. }) => {
            let (width, height) = (picture.width(), picture.height());
            Ok(format!("{}: a frame of {width}x{height}", source.describe()))
        }
        None => Err(CameraError::Empty { name: source.describe() }),
    }
}

/// Opens a picture, a folder of pictures, an animated GIF, motion JPEG, or, through `ffmpeg`, any
/// other video; its frames come as fast as they are asked for. What a file is, its first bytes
/// say, save that motion JPEG is known from a picture by its name (.mjpg, .mjpeg).
pub fn open_file(path: &Path) -> Result<Box<dyn Source>, CameraError> {
    let read = |source| CameraError::Read { path: path.to_path_buf(), source };
    let found = std::fs::metadata(path).map_err(read)?;
    if found.is_dir() {
        return Ok(Box::new(folder::Folder::open(path)?));
    }
    // Opening a named pipe may wait for ever.
    if !found.is_file() {
        return Err(CameraError::NotAFile { path: path.to_path_buf() });
    }
    Ok(match still::sniff(path)? {
        still::Kind::Gif => Box::new(gif::Gif::open(path)?),
        still::Kind::Jpeg if still::has_extension(path, &["mjpg", "mjpeg"]) => {
            Box::new(mjpeg::open(path)?)
        }
        still::Kind::Jpeg | still::Kind::Picture => Box::new(folder::Folder::single(path)),
        still::Kind::Other => Box::new(ffmpeg::Video::open(path)?),
    })
}

/// A rate for people: two decimals at most.
fn shown(rate: f32) -> f32 {
    (rate * 100.0).round() / 100.0
}

/// Says that a frame was passed over: each of the first few, then ever more seldom.
fn log_broken(count: u64, reason: &str) {
    if count.is_power_of_two() {
        log::warn!("{reason}; passed over ({count} so far)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn camera(source: &str) -> config::Camera {
        config::Camera { source: source.into(), ..config::Camera::default() }
    }

    #[test]
    fn a_source_that_is_not_understood_is_shown_with_what_may_stand_there() {
        for source in ["", "demo:", "webcam", "file:", "v4l2:", "pipe: ", "rtsp://door", "Demo"] {
            let said = open(&camera(source)).err().unwrap().to_string();
            let source = source.trim_end();
            assert!(said.starts_with(&format!("[camera] source = \"{source}\" is not")), "{said}");
            assert!(said.contains("demo, file:PATH"), "{said}");
        }
    }

    #[test]
    fn the_demo_runs_like_a_camera_and_a_file_ends() {
        let mut demo = open(&camera("demo")).unwrap();
        assert!(demo.next().unwrap().is_some());
        assert!(demo.describe().contains("over and over, in real time"));
        let file = tempfile::Builder::new().suffix(".png").tempfile().unwrap();
        fs::write(file.path(), testing::jpeg(12, 10, 0)).unwrap();
        let mut file = open(&camera(&format!("file:{}", file.path().display()))).unwrap();
        assert_eq!(file.next().unwrap().unwrap().picture.width(), 12);
        assert!(file.next().unwrap().is_none());
    }

    #[test]
    fn a_probe_says_what_it_found_and_why_it_found_nothing() {
        let said = probe(&camera("demo")).unwrap();
        assert!(
            said.starts_with("the demo clip") && said.ends_with("a frame of 640x480"),
            "{said}"
        );
        let said = probe(&camera("pipe:printf hello; exit 1")).unwrap_err().to_string();
        assert!(said.contains("begins with \"hello\""), "{said}");
    }

    #[test]
    fn what_the_configuration_turns_is_turned_save_the_demo() {
        let turned = config::Camera { rotate: 90, ..camera("demo") };
        assert_eq!(open(&turned).unwrap().next().unwrap().unwrap().picture.width(), 640);
        let file = tempfile::Builder::new().suffix(".png").tempfile().unwrap();
        fs::write(file.path(), testing::jpeg(32, 20, 0)).unwrap();
        let source = format!("file:{}", file.path().display());
        let mut turned = open(&config::Camera { source, ..turned }).unwrap();
        assert_eq!(turned.next().unwrap().unwrap().picture.width(), 20);
    }

    #[test]
    fn files_are_known_by_their_bytes_and_motion_jpeg_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let describe = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            open_file(&path).map(|source| source.describe()).map_err(|error| error.to_string())
        };
        let two = [testing::jpeg(12, 10, 0), testing::jpeg(12, 10, 1)].concat();
        assert!(describe("a.mjpg", &two).unwrap().ends_with("motion JPEG at 10 fps"));
        // Phones put a second picture behind the first: that makes no clip of it.
        assert!(describe("a.jpg", &two).unwrap().ends_with("a picture"));
        assert!(describe("b.jpg", b"some text").unwrap_err().contains("is not a picture"));
        assert!(describe("c.mp4", b"").unwrap_err().ends_with("c.mp4 is empty"));
        assert!(open_file(&folder.path().join("none")).is_err());
        // Without a writer, opening it would wait for ever.
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let said = open_file(&pipe).err().unwrap().to_string();
        assert!(said.contains("neither a file nor a folder") && said.contains("pipe:"), "{said}");
        assert!(open_file(folder.path()).unwrap().describe().contains("folder"));
    }
}
