//! Any video that the program `ffmpeg` can play, as whole RGB pictures through a pipe.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use super::program::Program;
use super::{CameraError, Frame, Source, shown, still};
use crate::picture::Picture;

/// What is kept of what the program says, in bytes.
const TAIL: usize = 2000;
/// How long the program may take to end after its last picture.
const ENDING: Duration = Duration::from_secs(10);

/// Frames a second; what claims more without a mean rate has a unit of time for a rate.
const FASTEST: f32 = 240.0;

/// The two programs, by name or path.
pub(super) struct Programs<'a> {
    pub ffmpeg: &'a str,
    pub ffprobe: &'a str,
}

/// A video being played. The program ends with it.
pub(super) struct Video {
    path: PathBuf,
    program: String,
    rate: Rate,
    frames: Option<u64>,
    number: u64,
    ended: bool,
    pictures: BufReader<ChildStdout>,
    running: Program,
}

impl Video {
    pub(super) fn open(path: &Path) -> Result<Self, CameraError> {
        Self::open_with(path, &Programs { ffmpeg: "ffmpeg", ffprobe: "ffprobe" })
    }

    pub(super) fn open_with(path: &Path, programs: &Programs) -> Result<Self, CameraError> {
        let stream = probe(path, programs.ffprobe)?;
        let rate = stream.rate();
        let mut command = Command::new(programs.ffmpeg);
        command
            .args(["-nostdin", "-hide_banner", "-loglevel", "error"])
            .args(["-protocol_whitelist", "file", "-i"])
            .arg(file_url(path))
            .args(["-map", "0:v:0", "-an", "-sn", "-dn"])
            // Videos of uneven rate are evened out by repeating frames, so that a frame's number
            // tells its time.
            .args(["-vf", &format!("fps={}/{}", rate.frames, rate.seconds)])
            // PPM says the size of each picture, after any turning that the file asks for.
            .args(["-f", "image2pipe", "-c:v", "ppm"])
            // Of video with more than 8 bits a channel it would have 16.
            .args(["-pix_fmt", "rgb24", "pipe:1"])
            .stdin(Stdio::null());
        let (running, pictures) = Program::start(command, |said| tail_of(said))
            .map_err(|error| start_error(path, programs.ffmpeg, &error))?;
        Ok(Self {
            path: path.to_path_buf(),
            program: programs.ffmpeg.into(),
            rate,
            frames: stream.nb_frames.and_then(|text| text.parse().ok()),
            number: 0,
            ended: false,
            pictures: BufReader::new(pictures),
            running,
        })
    }

    fn read_picture(&mut self) -> io::Result<Option<Result<Picture, CameraError>>> {
        if self.pictures.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let (width, height) = read_ppm_header(&mut self.pictures)?;
        let bytes = u64::from(width) * u64::from(height) * 3;
        let name = self.path.display().to_string();
        if let Err(error) = still::check_cost(&name, (width, height), bytes) {
            return Ok(Some(Err(error)));
        }
        let mut picture = Picture::new(width, height);
        self.pictures.read_exact(picture.pixels_mut())?;
        Ok(Some(Ok(picture)))
    }

    /// How the program ended, once it gives no more pictures.
    fn finish(&mut self) -> Result<(), CameraError> {
        self.ended = true;
        let status = self.running.ended(ENDING);
        let said = in_one_line(&self.running.last_words());
        match status {
            Ok(status) if status.success() && self.number > 0 => {
                if !said.is_empty() {
                    log::warn!("{} on {}: {said}", self.program, self.path.display());
                }
                Ok(())
            }
            Ok(_) if !said.is_empty() => Err(self.failed(said)),
            Ok(status) => Err(self.failed(match self.number {
                0 => format!("it gave no picture and ended with {status}"),
                number => format!("it ended with {status} after {number} pictures"),
            })),
            Err(error) => Err(self.failed(error.to_string())),
        }
    }

    fn failed(&self, reason: String) -> CameraError {
        CameraError::Ffmpeg { path: self.path.clone(), program: self.program.clone(), reason }
    }
}

impl Source for Video {
    fn next(&mut self) -> Result<Option<Frame>, CameraError> {
        if self.ended {
            return Ok(None);
        }
        match self.read_picture() {
            Ok(Some(picture)) => {
                let number = self.number;
                self.number += 1;
                Ok(Some(Frame {
                    picture: picture?,
                    number,
                    captured_at: self.rate.time_of(number),
                }))
            }
            Ok(None) => self.finish().map(|()| None),
            Err(error) => {
                let _ = self.running.end();
                // Where it broke off in a picture its own words say why; else they are of no use, as
                // we have just ended it.
                if error.kind() == io::ErrorKind::UnexpectedEof {
                    self.finish()?;
                }
                self.ended = true;
                Err(self.failed(format!("its pictures break off: {error}")))
            }
        }
    }

    fn describe(&self) -> String {
        format!(
            "file {}, through {} at {} fps",
            self.path.display(),
            self.program,
            shown(self.rate.as_f32())
        )
    }

    fn rate(&self) -> Option<f32> {
        Some(self.rate.as_f32())
    }

    fn frames(&self) -> Option<u64> {
        self.frames
    }
}

/// `frames` in `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    frames: u32,
    seconds: u32,
}

impl Rate {
    /// `30000/1001`; `None` for `0/0` and anything that is no rate.
    fn parse(text: &str) -> Option<Rate> {
        let (frames, seconds) = text.split_once('/')?;
        let rate = Rate { frames: frames.parse().ok()?, seconds: seconds.parse().ok()? };
        (rate.frames > 0 && rate.seconds > 0).then_some(rate)
    }

    fn as_f32(self) -> f32 {
        self.frames as f32 / self.seconds as f32
    }

    fn time_of(self, number: u64) -> Duration {
        let nanoseconds =
            u128::from(number) * u128::from(self.seconds) * 1_000_000_000 / u128::from(self.frames);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

#[derive(Debug, Default, Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<Stream>,
}

/// What `ffprobe` says about the first video stream.
#[derive(Clone, Debug, Default, Deserialize)]
struct Stream {
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    nb_frames: Option<String>,
}

impl Stream {
    const USUAL: Rate = Rate { frames: 25, seconds: 1 };

    /// The nominal rate, at which no frame of an uneven video is lost; the mean one where the
    /// nominal is a mere unit of time, such as 90000 a second; 25 where there is none of use.
    fn rate(&self) -> Rate {
        let parsed = |text: &Option<String>| text.as_deref().and_then(Rate::parse);
        match (parsed(&self.r_frame_rate), parsed(&self.avg_frame_rate)) {
            (Some(nominal), Some(mean)) if nominal.as_f32() > 4.0 * mean.as_f32() => mean,
            (Some(nominal), None) if nominal.as_f32() > FASTEST => Self::USUAL,
            (Some(nominal), _) => nominal,
            (None, Some(mean)) => mean,
            (None, None) => Self::USUAL,
        }
    }
}

fn probe(path: &Path, program: &str) -> Result<Stream, CameraError> {
    let failed = |reason: String| CameraError::Ffmpeg {
        path: path.to_path_buf(),
        program: program.into(),
        reason,
    };
    let output = Command::new(program)
        .args(["-v", "error", "-protocol_whitelist", "file", "-select_streams", "v:0"])
        .args(["-show_entries", "stream=avg_frame_rate,r_frame_rate,nb_frames", "-of", "json"])
        .arg(file_url(path))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| start_error(path, program, &error))?;
    if !output.status.success() {
        return Err(failed(in_one_line(&tail_of(output.stderr.as_slice()))));
    }
    let probed: Probed = serde_json::from_slice(&output.stdout)
        .map_err(|error| failed(format!("its answer is not understood: {error}")))?;
    probed.streams.into_iter().next().ok_or_else(|| failed("there is no picture in it".into()))
}

/// Keeps names such as `-i` or `http:x` from being anything but names of files.
fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(AsRef::<OsStr>::as_ref(path));
    url
}

fn start_error(path: &Path, program: &str, error: &io::Error) -> CameraError {
    let (path, program) = (path.to_path_buf(), program.to_string());
    match error.kind() {
        io::ErrorKind::NotFound => CameraError::FfmpegMissing { path, program },
        _ => CameraError::Ffmpeg { path, program, reason: error.to_string() },
    }
}

/// Lines such as `[mov @ 0x55cc] moov atom not found`, without what stands in brackets.
fn in_one_line(said: &str) -> String {
    let lines = said.lines().map(|line| line.rsplit("] ").next().unwrap_or(line).trim());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Reads to the end, keeping the last `TAIL` bytes.
fn tail_of(mut pipe: impl Read) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(count) = pipe.read(&mut buffer) {
        if count == 0 {
            break;
        }
        kept.extend(buffer.iter().take(count));
        kept.drain(..kept.len().saturating_sub(TAIL));
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// `P6`, width, height and 255, each ended by white space (netpbm's ppm(5)); no comments.
fn read_ppm_header(reader: &mut impl BufRead) -> io::Result<(u32, u32)> {
    let mut word = || -> io::Result<String> {
        let mut text = String::new();
        for byte in reader.by_ref().take(12).bytes() {
            match byte? {
                byte if byte.is_ascii_whitespace() => return Ok(text),
                byte => text.push(char::from(byte)),
            }
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "not a PPM header"))
    };
    let words = [word()?, word()?, word()?, word()?];
    let [magic, width, height, depth] = &words;
    match (magic.as_str(), width.parse(), height.parse(), depth.as_str()) {
        ("P6", Ok(width), Ok(height), "255") => Ok((width, height)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "not a PPM header")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// Two programs, as shell scripts: they say what the real ones would say.
    struct Pretended {
        folder: tempfile::TempDir,
        ffmpeg: String,
        ffprobe: String,
    }

    impl Pretended {
        fn new(ffprobe: &str, ffmpeg: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let script = |name: &str, text: &str| {
                let path = folder.path().join(name);
                fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
                path.display().to_string()
            };
            let (ffmpeg, ffprobe) = (script("ffmpeg", ffmpeg), script("ffprobe", ffprobe));
            Self { folder, ffmpeg, ffprobe }
        }

        fn open(&self) -> Result<Video, CameraError> {
            let programs = Programs { ffmpeg: &self.ffmpeg, ffprobe: &self.ffprobe };
            // A script that was just written may be busy for a moment, while another test forks.
            loop {
                match Video::open_with(&self.folder.path().join("a.mp4"), &programs) {
                    Err(CameraError::Ffmpeg { reason, .. }) if reason.contains("busy") => {}
                    opened => return opened,
                }
            }
        }
    }

    const PROBED: &str = r#"echo '{"streams":[{"r_frame_rate":"30000/1001","avg_frame_rate":"30000/1001","nb_frames":"2"}]}'"#;

    #[test]
    fn pictures_come_out_of_the_pipe_with_exact_times() {
        let programs = Pretended::new(
            PROBED,
            r"printf 'P6\n2 1\n255\nabcdef'; printf 'P6\n1 1\n255\nxyz'; echo 'a bit odd' >&2",
        );
        let mut video = programs.open().unwrap();
        assert_eq!((video.frames(), video.rate()), (Some(2), Some(30000.0 / 1001.0)));
        let first = video.next().unwrap().unwrap();
        assert_eq!((first.picture.width(), first.picture.pixels()), (2, &b"abcdef"[..]));
        let second = video.next().unwrap().unwrap();
        assert_eq!((second.number, second.captured_at), (1, Duration::from_nanos(33_366_666)));
        assert_eq!(second.picture.pixels(), b"xyz");
        assert!(video.next().unwrap().is_none());
        assert!(video.next().unwrap().is_none());
    }

    #[test]
    fn a_program_that_is_not_there_is_named_with_what_to_install() {
        let programs = Programs { ffmpeg: "/none/ffmpeg", ffprobe: "/none/ffprobe" };
        let said = Video::open_with(Path::new("a.mp4"), &programs).err().unwrap().to_string();
        assert!(said.contains("a.mp4 needs the program /none/ffprobe"), "{said}");
        assert!(said.contains("apt install ffmpeg"), "{said}");
    }

    #[test]
    fn what_the_program_complains_about_is_in_the_error() {
        let programs = Pretended::new(
            "echo '[mov @ 0x5] moov atom not found' >&2; echo 'a.mp4: bad' >&2; exit 1",
            "",
        );
        let said = programs.open().err().unwrap().to_string();
        assert!(said.ends_with(": moov atom not found; a.mp4: bad"), "{said}");
        let programs = Pretended::new(PROBED, "echo 'no decoder' >&2; exit 3");
        let said = programs.open().unwrap().next().unwrap_err().to_string();
        assert!(said.ends_with("a.mp4: no decoder"), "{said}");
    }

    #[test]
    fn a_sound_file_has_no_picture_in_it() {
        let programs = Pretended::new(r#"echo '{"streams":[]}'"#, "");
        assert!(programs.open().err().unwrap().to_string().contains("no picture in it"));
    }

    #[test]
    fn pictures_that_break_off_are_an_error_and_not_an_end() {
        let programs = Pretended::new(PROBED, r"printf 'P6\n2 2\n255\nabc'");
        let said = programs.open().unwrap().next().unwrap_err().to_string();
        assert!(said.contains("gave no picture") || said.contains("break off"), "{said}");
        let programs = Pretended::new(PROBED, r"printf 'hello, this is no picture\n'");
        assert!(programs.open().unwrap().next().is_err());
    }

    #[test]
    fn a_picture_of_absurd_size_is_refused_before_memory_is_taken() {
        let programs = Pretended::new(PROBED, r"printf 'P6\n99999 99999\n255\n'");
        let said = programs.open().unwrap().next().unwrap_err().to_string();
        assert!(said.contains("is too large: 99999x99999"), "{said}");
    }

    #[test]
    fn a_video_left_before_its_end_leaves_no_process_behind() {
        let programs = Pretended::new(
            PROBED,
            r"echo $$ > $(dirname $0)/pid; while :; do printf 'P6\n1 1\n255\nxyz'; done",
        );
        let mut video = programs.open().unwrap();
        assert!(video.next().unwrap().is_some());
        let pid = fs::read_to_string(programs.folder.path().join("pid")).unwrap();
        drop(video);
        assert!(!Path::new("/proc").join(pid.trim()).exists());
    }

    #[test]
    fn a_video_runs_at_its_nominal_rate_unless_that_is_a_mere_unit_of_time() {
        let rate = |nominal: &str, mean: &str| {
            let (r_frame_rate, avg_frame_rate) = (Some(nominal.into()), Some(mean.into()));
            Stream { r_frame_rate, avg_frame_rate, nb_frames: None }.rate()
        };
        assert_eq!(rate("30/1", "2997/100"), Rate { frames: 30, seconds: 1 });
        assert_eq!(rate("30/1", "15/1"), Rate { frames: 30, seconds: 1 });
        assert_eq!(rate("90000/1", "15/1"), Rate { frames: 15, seconds: 1 });
        assert_eq!(rate("90000/1", "0/0"), Rate { frames: 25, seconds: 1 });
        assert_eq!(rate("0/0", "0/0"), Rate { frames: 25, seconds: 1 });
        assert_eq!(rate("24/1", "0/0"), Rate { frames: 24, seconds: 1 });
    }
}
