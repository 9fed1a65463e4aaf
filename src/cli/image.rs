use std::path::{Path, PathBuf};

use super::gallery::Gallery;
use super::output::{Output, progress};
use super::{Common, Failure, chain, marks};
use crate::camera;
use crate::picture::{self, Look};
use crate::report::ImageLine;
use crate::vision::Vision;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Pictures (JPEG, PNG, GIF, WebP, BMP) or folders of pictures
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// One JSON object a line for each picture, in order
    #[arg(long)]
    json: bool,
    /// Write each picture with its faces drawn into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// A picture to look at, or the reason why a path gave none.
type Job = Result<PathBuf, (PathBuf, String)>;

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = arguments.common.load()?.config;
    let jobs = jobs(&arguments.paths);
    let gallery = match &arguments.out {
        Some(folder) => {
            let originals = jobs.iter().flatten().map(PathBuf::as_path);
            Some(Gallery::open(folder, originals)?)
        }
        None => None,
    };
    let vision = Vision::load(&config.detector, &config.classifier).map_err(Failure::model)?;
    let output = Output::beside(gallery.is_some());
    let mut batch = Batch { json: arguments.json, vision, gallery, output, failed: false };
    let bar = progress(Some(jobs.len() as u64));
    for job in jobs {
        let (path, looked) = match job {
            Ok(path) => {
                let looked = batch.look(&path).map_err(|error| chain(&error));
                (path, looked)
            }
            Err((path, error)) => (path, Err(error)),
        };
        bar.suspend(|| batch.tell(&path, looked))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    batch.output.finish()?;
    if batch.failed { Err(Failure::Said) } else { Ok(()) }
}

/// All pictures in the order of the arguments, those of a folder by name.
fn jobs(paths: &[PathBuf]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for path in paths {
        if !path.is_dir() {
            jobs.push(Ok(path.clone()));
            continue;
        }
        match camera::pictures_in(path) {
            Ok(pictures) => jobs.extend(pictures.into_iter().map(Ok)),
            Err(error) => jobs.push(Err((path.clone(), error.to_string()))),
        }
    }
    jobs
}

/// What is told of one picture.
struct Looked {
    width: u32,
    height: u32,
    looks: Vec<Look>,
}

struct Batch {
    json: bool,
    vision: Vision,
    gallery: Option<Gallery>,
    output: Output,
    failed: bool,
}

impl Batch {
    /// One picture at a time is in memory.
    fn look(&mut self, path: &Path) -> anyhow::Result<Looked> {
        let mut picture = camera::decode_image(path)?;
        let looks = self.vision.look(&picture)?;
        if let Some(gallery) = &mut self.gallery {
            picture::draw(&mut picture, &marks::of_looks(&looks));
            gallery.write(&picture, path)?;
        }
        Ok(Looked { width: picture.width(), height: picture.height(), looks })
    }

    fn tell(&mut self, path: &Path, looked: Result<Looked, String>) -> Result<(), Failure> {
        let image = path.display().to_string();
        self.failed |= looked.is_err();
        if self.json {
            return self.output.json(&match looked {
                Ok(Looked { width, height, looks }) => {
                    ImageLine::read(image, width, height, &looks)
                }
                Err(error) => ImageLine::failed(image, error),
            });
        }
        let Looked { width, height, looks } = match looked {
            Ok(looked) => looked,
            Err(error) => {
                log::error!("{error}");
                return Ok(());
            }
        };
        let found = match looks.len() {
            0 => "no face".to_owned(),
            1 => "1 face".to_owned(),
            many => format!("{many} faces"),
        };
        self.output.line(format_args!("{image}: {width}x{height}, {found}"))?;
        looks.iter().try_for_each(|look| {
            let (label, probability) = look.probabilities.best();
            let bounds = look.face.bounds;
            self.output.line(format_args!(
                "  {} {:.0} %, {:.0} pixels wide at {:.0},{:.0}",
                marks::words(label),
                probability * 100.0,
                bounds.width(),
                bounds.x1,
                bounds.y1
            ))
        })
    }
}
