use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow};
use image::{ImageError, ImageResult};

use super::Failure;
use super::output::{encode_jpeg, same_file};
use crate::camera;
use crate::picture::Picture;

/// An annotated clip on its way to a file: motion JPEG written here, everything else by ffmpeg.
pub(super) struct ClipWriter {
    path: PathBuf,
    to: To,
    rate: f32,
    /// Pictures in the file, and the last of them.
    written: u64,
    last: Option<Picture>,
    /// Pictures that came faster than the rate.
    left_out: u64,
}

enum To {
    /// With the rate until the first picture has it.
    MotionJpeg(BufWriter<File>, Option<f32>),
    Ffmpeg(Child),
}

impl ClipWriter {
    /// Opens `path` for frames at `rate` a second. `original` must not be the same file.
    pub fn create(path: &Path, original: &Path, rate: f32) -> Result<Self, Failure> {
        let wrong = |what| Failure::Configuration(anyhow!("--out {}: {what}", path.display()));
        if same_file(path, original) {
            return Err(wrong("that is the clip itself; name another file"));
        }
        if original.is_dir() {
            let pictures = camera::pictures_in(original)?;
            if pictures.iter().any(|picture| same_file(path, picture)) {
                return Err(wrong("that is one of the pictures; name another file"));
            }
        }
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let to = match ending.to_ascii_lowercase().as_str() {
            "" => return Err(wrong("its name must end in .mjpg, .mp4 or as another video does")),
            "mjpg" | "mjpeg" => {
                let file = File::create(path)
                    .with_context(|| format!("--out {} cannot be written", path.display()))?;
                To::MotionJpeg(BufWriter::new(file), Some(rate))
            }
            _ => To::Ffmpeg(ffmpeg(path, rate)?),
        };
        Ok(Self { path: path.to_path_buf(), to, rate, written: 0, last: None, left_out: 0 })
    }

    /// Shows `picture` from the second `at` of the clip on: the one before it stands until then, and
    /// what comes too soon for the clip's rate is left out.
    pub fn write(&mut self, picture: &Picture, at: Duration) -> anyhow::Result<()> {
        let place = (at.as_secs_f64() * f64::from(self.rate)).round() as u64;
        if self.written > place {
            self.left_out += 1;
            return Ok(());
        }
        if let Some(last) = self.last.take() {
            while self.written < place {
                self.append(&last)?;
            }
        }
        self.append(picture)?;
        self.last = Some(picture.clone());
        Ok(())
    }

    fn append(&mut self, picture: &Picture) -> anyhow::Result<()> {
        self.written += 1;
        let written = match &mut self.to {
            To::MotionJpeg(file, rate) => match rate.take() {
                Some(rate) => encode_first(picture, rate, file),
                None => encode_jpeg(picture, file),
            }
            .map_err(anyhow::Error::from),
            To::Ffmpeg(child) => match &mut child.stdin {
                // The encoder writes byte by byte. Where ffmpeg has ended, how says more than the broken pipe.
                Some(stdin) => {
                    let mut jpeg = Vec::new();
                    encode_jpeg(picture, &mut jpeg)
                        .map_err(anyhow::Error::from)
                        .and_then(|()| stdin.write_all(&jpeg).map_err(Into::into))
                        .or_else(|error| end(child).and(Err(error)))
                }
                None => Ok(()),
            },
        };
        written.with_context(|| format!("--out {} cannot be written", self.path.display()))
    }

    /// The file is whole after this.
    pub fn finish(self) -> anyhow::Result<()> {
        if self.left_out > 0 {
            let (path, count) = (self.path.display(), self.left_out);
            log::warn!(
                "{path} has {} pictures a second; {count} that came faster are not in it",
                self.rate
            );
        }
        let failed = || format!("--out {} cannot be written", self.path.display());
        match self.to {
            To::MotionJpeg(mut file, _) => file.flush().with_context(failed),
            To::Ffmpeg(mut child) => end(&mut child).with_context(failed),
        }
    }
}

/// Waits for ffmpeg, to which no more is said.
fn end(child: &mut Child) -> anyhow::Result<()> {
    drop(child.stdin.take());
    let status = child.wait()?;
    anyhow::ensure!(status.success(), "ffmpeg: {status}; its own words are above");
    Ok(())
}

/// The first picture of motion JPEG, with the comment that names the rate.
fn encode_first(picture: &Picture, rate: f32, file: &mut impl Write) -> ImageResult<()> {
    let mut jpeg = Vec::new();
    encode_jpeg(picture, &mut jpeg)?;
    let comment = format!("maskgate fps={rate}");
    // A few letters, and two bytes for the length itself.
    let length = comment.len() as u16 + 2;
    let (start, rest) = jpeg.split_at(2);
    let parts = [start, &[0xff, 0xfe], &length.to_be_bytes(), comment.as_bytes(), rest];
    parts.into_iter().try_for_each(|part| file.write_all(part)).map_err(ImageError::IoError)
}

/// Pictures in through a pipe as motion JPEG, the file's ending says what comes out. Sides become
/// even, which most codecs want.
fn ffmpeg(path: &Path, rate: f32) -> anyhow::Result<Child> {
    // A name that begins with a dash would be an option, one with a colon a protocol.
    let mut target = std::ffi::OsString::from("file:");
    target.push(path);
    Command::new("ffmpeg")
        // Without -xerror it ends well though the disk was full.
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-xerror"])
        .args(["-f", "mjpeg", "-framerate", &rate.to_string(), "-i", "pipe:0"])
        .args(["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"])
        .arg(target)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow!(
                "--out {}: this needs the program ffmpeg, which is not installed: install it \
                 (Debian, Raspberry Pi OS: apt install ffmpeg) or name the file .mjpg",
                path.display()
            ),
            _ => anyhow::Error::new(error).context("ffmpeg cannot be started"),
        })
}
