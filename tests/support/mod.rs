//! The real binary, and small files to give it.
#![allow(dead_code)]

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use image::{ImageFormat, Rgb, RgbImage};

/// The binary with a clean environment: the one that was built with the tests, or another one that
/// `MASKGATE_BINARY` names, as it is shipped.
pub fn maskgate(arguments: &[&str]) -> Command {
    let built = env!("CARGO_BIN_EXE_maskgate");
    let mut command = Command::new(std::env::var("MASKGATE_BINARY").as_deref().unwrap_or(built));
    for (name, _) in std::env::vars() {
        if name.starts_with("MASKGATE__") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What one call gave.
pub struct Result {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Result {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Result {
    /// Standard output as JSON, one value a line.
    pub fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Refused with this exit code, nothing on standard output, and each of `words` said.
    #[track_caller]
    pub fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert_eq!(self.stdout, "");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {}", self.stderr);
        }
    }
}

pub fn run(arguments: &[&str]) -> Result {
    maskgate(arguments).output().unwrap().into()
}

/// Ends a running command as systemd would.
pub fn terminate(child: &Child) {
    let status = Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status();
    assert!(status.unwrap().success());
}

/// Waits for the end; kills and fails after a time that is long even for a loaded machine.
pub fn finish(mut child: Child) -> Result {
    let limit = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > limit {
            child.kill().unwrap();
            panic!("it did not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap().into()
}

pub fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A picture without a face: a slope of colours that differs with `seed`.
pub fn picture(width: u32, height: u32, seed: u32, format: ImageFormat) -> Vec<u8> {
    let image = RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x + seed) as u8, (y * 2) as u8, ((x + y) / 2 + seed) as u8])
    });
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub fn jpeg(width: u32, height: u32) -> Vec<u8> {
    picture(width, height, 7, ImageFormat::Jpeg)
}

/// A clip without faces.
pub fn clip(frames: u32) -> Vec<u8> {
    (0..frames).flat_map(|frame| picture(160, 120, frame * 9, ImageFormat::Jpeg)).collect()
}
