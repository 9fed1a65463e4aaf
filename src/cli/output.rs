use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

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
    /// Whether the command goes on for its files when nobody reads standard output any more.
    optional: bool,
    closed: bool,
}

impl Output {
    /// Lines appear at once on a terminal; elsewhere only if `live`.
    pub fn new(live: bool) -> Self {
        let stdout = io::stdout();
        let at_once = live || stdout.is_terminal();
        Self { to: BufWriter::new(stdout), at_once, optional: false, closed: false }
    }

    /// The same, but where `files` are written besides, they become whole though whoever read
    /// standard output has gone.
    pub fn beside(files: bool) -> Self {
        Self { optional: files, ..Self::new(false) }
    }

    pub fn line(&mut self, words: impl Display) -> Result<(), Failure> {
        self.write(|to| writeln!(to, "{words}"))
    }

    /// One JSON object on a line of its own.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.write(|to| {
            serde_json::to_writer(&mut *to, value).map_err(io::Error::from)?;
            writeln!(to)
        })
    }

    /// Everything written must have gone out; to be called last.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.at_once = true;
        self.write(|_| Ok(()))
    }

    fn write(
        &mut self,
        words: impl FnOnce(&mut BufWriter<Stdout>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if self.closed {
            return Ok(());
        }
        let written = words(&mut self.to);
        match written.and_then(|()| if self.at_once { self.to.flush() } else { Ok(()) }) {
            Err(error) if self.optional && error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            done => done.map_err(Failure::output),
        }
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

/// Whether both are there and one, under whatever names: links and bind mounts included.
pub(super) fn same_file(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| path.metadata().ok().map(|data| (data.dev(), data.ino()));
    id(one).is_some_and(|one| id(other) == Some(one))
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
