use std::path::PathBuf;
use std::time::Instant;

use super::clip::ClipWriter;
use super::output::{Output, progress};
use super::{Common, Failure, marks};
use crate::camera::{self, DEFAULT_RATE, Frame};
use crate::picture;
use crate::pipeline::Engine;
use crate::report::{FrameLine, Summary};
use crate::vision::Vision;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A video, an animated GIF, motion JPEG or a folder of pictures
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// One JSON object a line: frames, events, and a summary at the end
    #[arg(long)]
    json: bool,
    /// Write the clip with its faces drawn to this file: .mjpg, or through ffmpeg .mp4 and others
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = arguments.common.load()?.config;
    let vision = Vision::load(&config.detector, &config.classifier).map_err(Failure::model)?;
    let mut source = camera::open_file(&arguments.path)?;
    let rate = source.rate().unwrap_or(DEFAULT_RATE);
    let clip = match &arguments.out {
        Some(out) => Some(ClipWriter::create(out, &arguments.path, rate)?),
        None => None,
    };
    let mut show = Show {
        json: arguments.json,
        engine: Engine::new(vision, &config),
        output: Output::beside(arguments.out.is_some()),
        clip,
    };
    let bar = progress(source.frames());
    let started = Instant::now();
    let mut frames = 0;
    let ended: Result<(), Failure> = loop {
        match source.next() {
            Ok(Some(frame)) => bar.suspend(|| show.frame(frame))?,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.into()),
        }
        frames += 1;
        bar.inc(1);
    };
    let fps = frames as f64 / started.elapsed().as_secs_f64().max(1e-9);
    bar.finish_and_clear();
    if source.broken() > 0 {
        log::warn!("{} frames could not be decoded and were passed over", source.broken());
    }
    // What the clip itself suffered from is the cause of what happened to the annotated one.
    let finished = show.finish(frames, fps);
    ended.and(finished)
}

struct Show {
    json: bool,
    engine: Engine,
    output: Output,
    clip: Option<ClipWriter>,
}

impl Show {
    fn frame(&mut self, mut frame: Frame) -> Result<(), Failure> {
        let step = self.engine.step(&frame).map_err(anyhow::Error::from)?;
        if self.json {
            let (number, at) = (frame.number, frame.captured_at);
            self.output.json(&FrameLine::new(number, at, &step.looks, &step.update))?;
        }
        for event in &step.events {
            if self.json {
                self.output.json(event)?;
            } else {
                self.output.line(event)?;
            }
        }
        if let Some(clip) = &mut self.clip {
            picture::draw(&mut frame.picture, &marks::of_step(&step));
            clip.write(&frame.picture, frame.captured_at)?;
        }
        Ok(())
    }

    fn finish(mut self, frames: u64, fps: f64) -> Result<(), Failure> {
        let counts = self.engine.counts();
        if self.json {
            self.output.json(&Summary::new(frames, counts, fps))?;
        } else {
            self.output.line(format_args!(
                "summary: {frames} frames, {fps:.1} a second; people: {}, with mask {}, without \
                 {}, worn wrongly {}",
                counts.people, counts.with_mask, counts.without_mask, counts.incorrect_mask,
            ))?;
        }
        self.output.finish()?;
        match self.clip {
            Some(clip) => Ok(clip.finish()?),
            None => Ok(()),
        }
    }
}
