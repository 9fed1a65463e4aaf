use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat};

use super::Failure;
use super::output::{encode_jpeg, same_file};
use crate::picture::Picture;

/// The folder that annotated pictures are written to.
pub(super) struct Gallery {
    folder: PathBuf,
    written: HashSet<PathBuf>,
}

impl Gallery {
    /// Makes the folder. It must not be one that `originals` come from: one of them could be
    /// written over.
    pub fn open<'a>(
        folder: &Path,
        originals: impl Iterator<Item = &'a Path>,
    ) -> Result<Self, Failure> {
        fs::create_dir_all(folder)
            .with_context(|| format!("--out {}: the folder cannot be made", folder.display()))?;
        let mut checked: Option<&Path> = None;
        for original in originals {
            let parent = match original.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            // What a link points to may lie there as well.
            let links = original.is_symlink()
                && original
                    .canonicalize()
                    .is_ok_and(|real| real.parent().is_some_and(|at| same_file(at, folder)));
            if checked == Some(parent) && !links {
                continue;
            }
            if links || same_file(parent, folder) {
                return Err(Failure::Configuration(anyhow!(
                    "--out {}: {} comes from there and would be written over; name another folder",
                    folder.display(),
                    original.display()
                )));
            }
            checked = Some(parent);
        }
        Ok(Self { folder: folder.to_path_buf(), written: HashSet::new() })
    }

    /// Writes the picture under the name of its original: JPEG as JPEG, all others as PNG. It
    /// appears under its name only when it is whole, and what an earlier run left there is
    /// replaced, not written into: it could be a link.
    pub fn write(&mut self, picture: &Picture, original: &Path) -> anyhow::Result<()> {
        let jpeg = ImageFormat::from_path(original).is_ok_and(|f| f == ImageFormat::Jpeg);
        let target = self.free_name(original, if jpeg { "jpg" } else { "png" });
        // Short, for the name of the target may be as long as names can be.
        let unfinished = self.folder.join(format!(".{}.unfinished", std::process::id()));
        let written = encode(picture, &unfinished, jpeg)
            .and_then(|()| Ok(fs::rename(&unfinished, &target)?))
            .with_context(|| format!("{} cannot be written", target.display()));
        if written.is_err() {
            // Nothing half-written is left; the first error is the one that counts.
            let _ = fs::remove_file(&unfinished);
        }
        self.written.insert(target);
        written
    }

    /// `a.jpg`, or `a-2.jpg` if this run has written an `a.jpg` from another folder.
    fn free_name(&self, original: &Path, ending: &str) -> PathBuf {
        let stem = original.file_stem().unwrap_or_default();
        let numbered = |number: u32| {
            let mut name = stem.to_os_string();
            if number > 1 {
                name.push(format!("-{number}"));
            }
            name.push(".");
            name.push(ending);
            self.folder.join(name)
        };
        let mut names = (1..).map(numbered);
        names.find(|name| !self.written.contains(name)).unwrap_or_default()
    }
}

fn encode(picture: &Picture, path: &Path, jpeg: bool) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    if jpeg {
        encode_jpeg(picture, &mut file)?;
    } else {
        let (width, height) = (picture.width(), picture.height());
        PngEncoder::new(&mut file).write_image(
            picture.pixels(),
            width,
            height,
            ExtendedColorType::Rgb8,
        )?;
    }
    Ok(file.flush()?)
}
