use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::Failure;
use crate::picture::Picture;

/// Standard output, for results only.
pub(super) struct Output {
    to: BufWriter<Stdout>,
    at_once: bool,
}

impl Output {
    /// Lines appear at once on a terminal; elsewhere only if `live`.
    pub fn new(live: bool) -> Self {
        let stdout = io::stdout();
        let at_once = live || stdout.is_terminal();
        Self { to: BufWriter::new(stdout), at_once }
    }

    pub fn line(&mut self, words: impl Display) -> Result<(), Failure> {
        writeln!(self.to, "{words}").and_then(|()| self.due()).map_err(Failure::output)
    }

    /// One JSON object on a line of its own.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.to, value)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(self.to))
            .and_then(|()| self.due())
            .map_err(Failure::output)
    }

    /// Everything written must have gone out; to be called last.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(Failure::output)
    }

    fn due(&mut self) -> io::Result<()> {
        if self.at_once { self.to.flush() } else { Ok(()) }
    }
}

/// A bar on standard error where that is a terminal, nothing elsewhere.
pub(super) fn progress(length: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match length {
        Some(_) => "{bar:40} {pos}/{len} {per_sec} {eta}",
        None => "{spinner} {pos} {per_sec} {elapsed}",
    };
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Annotated pictures and clips as JPEG: quality 90, at which letters stay crisp.
pub(super) fn encode_jpeg(picture: &Picture, to: impl Write) -> image::ImageResult<()> {
    JpegEncoder::new_with_quality(to, 90).encode(
        picture.pixels(),
        picture.width(),
        picture.height(),
        ExtendedColorType::Rgb8,
    )
}
