use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use serde::Serialize;

use super::output::{Output, encode_jpeg, progress};
use super::{Common, Failure};
use crate::camera::{self, Demo, Source};
use crate::config::Config;
use crate::picture::{Look, Picture};
use crate::pipeline::Judge;
use crate::vision::{Classifier, Detector, VisionError, crop, sharpness};

/// What is timed: frames of this size with so many faces.
const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
const FACES: usize = 2;
/// Different frames, and how often each is taken.
const FRAMES: usize = 8;
const ROUNDS: usize = 25;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The figures as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    common: Common,
}

/// What one stage took, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Figures {
    median_ms: f64,
    p95_ms: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    width: u32,
    height: u32,
    faces: usize,
    frames: usize,
    stages: BTreeMap<&'static str, Figures>,
    /// Frames a second of the whole chain, from its median.
    fps: f64,
    /// Most memory this process ever held, in MB (VmHWM of /proc/self/status); absent where the
    /// system does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory_mb: Option<f64>,
}

/// In the order of the chain. `crop` is a part of `classify`, `whole` is everything.
const STAGES: [&str; 6] = ["decode", "detect", "crop", "classify", "track", "whole"];

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = arguments.common.load()?.config;
    let mut chain = Chain::load(&config).map_err(Failure::model)?;
    let frames = chain.frames()?;
    let bar = progress(Some((ROUNDS * frames.len()) as u64));
    let mut times: BTreeMap<&'static str, Vec<Duration>> = BTreeMap::new();
    for round in 0..=ROUNDS {
        for jpeg in &frames {
            let taken = chain.time(jpeg)?;
            // The first round fills caches and makes plans.
            if round > 0 {
                STAGES
                    .iter()
                    .zip(taken)
                    .for_each(|(s, time)| times.entry(s).or_default().push(time));
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    let stages: BTreeMap<_, _> =
        times.into_iter().map(|(stage, times)| (stage, figures(times))).collect();
    let whole = stages.get("whole").context("nothing was timed")?.median_ms;
    let report = Report {
        width: WIDTH,
        height: HEIGHT,
        faces: FACES,
        frames: ROUNDS * frames.len(),
        stages,
        fps: rounded(1000.0 / whole),
        peak_memory_mb: peak_memory().map(rounded),
    };
    tell(&report, arguments.json)
}

fn tell(report: &Report, json: bool) -> Result<(), Failure> {
    let mut output = Output::new(false);
    if json {
        output.json(report)?;
        return output.finish();
    }
    output.line(format_args!(
        "{}x{} JPEG frames with {} faces, {} frames, one thread",
        report.width, report.height, report.faces, report.frames
    ))?;
    output.line(format_args!("{:<10}{:>12}{:>12}", "stage", "median ms", "p95 ms"))?;
    for stage in STAGES {
        if let Some(Figures { median_ms, p95_ms }) = report.stages.get(stage) {
            output.line(format_args!("{stage:<10}{median_ms:>12.2}{p95_ms:>12.2}"))?;
        }
    }
    output.line(format_args!("{:.1} frames a second", report.fps))?;
    if let Some(memory) = report.peak_memory_mb {
        output.line(format_args!("{memory:.1} MB of memory at most"))?;
    }
    output.finish()
}

/// The stages taken apart, so that each can be timed.
struct Chain {
    detector: Detector,
    classifier: Classifier,
    judge: Judge,
    count: u64,
}

impl Chain {
    fn load(config: &Config) -> Result<Self, VisionError> {
        Ok(Self {
            detector: Detector::load(&config.detector)?,
            classifier: Classifier::load(&config.classifier)?,
            judge: Judge::new(config),
            count: 0,
        })
    }

    /// Frames of the demo clip in which two faces are found, as JPEG of the size that is timed.
    fn frames(&mut self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut clip = Demo::once()?;
        let mut frames = Vec::new();
        while frames.len() < FRAMES
            && let Some(frame) = clip.next()?
        {
            // Neighbours are too alike.
            if frame.number % 4 != 0 {
                continue;
            }
            let picture = canvas(&frame.picture);
            let faces = self.detector.detect(&picture).map_err(anyhow::Error::from)?;
            if faces.len() == FACES {
                let mut jpeg = Vec::new();
                encode_jpeg(&picture, &mut jpeg).context("a frame cannot be encoded")?;
                frames.push(jpeg);
            }
        }
        if frames.is_empty() {
            return Err(Failure::Work(anyhow!(
                "the detector finds no frame with {FACES} faces in the demo clip; nothing is timed"
            )));
        }
        Ok(frames)
    }

    /// One frame through all stages, in the order of `STAGES`.
    fn time(&mut self, jpeg: &[u8]) -> anyhow::Result<[Duration; 6]> {
        let start = Instant::now();
        let picture = camera::decode_bytes("frame", jpeg)?;
        let decoded = Instant::now();
        let faces = self.detector.detect(&picture)?;
        let detected = Instant::now();
        let mut looks = Vec::with_capacity(faces.len());
        for face in &faces {
            looks.push(Look {
                face: *face,
                probabilities: self.classifier.classify(&picture, &face.bounds)?,
                sharpness: sharpness::of(&picture, &face.bounds),
                yaw: self.detector.yaw(face),
            });
        }
        let classified = Instant::now();
        self.count += 1;
        self.judge.see(self.count, Duration::from_millis(33 * self.count), &looks);
        let tracked = Instant::now();
        let size = self.classifier.size();
        let mut planes = vec![0.0; 3 * size as usize * size as usize];
        let began = Instant::now();
        for face in &faces {
            let region = crop::region(&face.bounds, self.classifier.margin());
            crop::to_input(&crop::cut(&picture, &region, size), &mut planes);
        }
        let cropped = began.elapsed();
        Ok([
            decoded - start,
            detected - decoded,
            cropped,
            classified - detected,
            tracked - classified,
            tracked - start,
        ])
    }
}

/// The picture cut or, with black, filled up to the size that is timed.
fn canvas(picture: &Picture) -> Picture {
    let mut canvas = Picture::new(WIDTH, HEIGHT);
    for y in 0..i64::from(HEIGHT.min(picture.height())) {
        for x in 0..i64::from(WIDTH.min(picture.width())) {
            if let Some(rgb) = picture.get(x, y) {
                canvas.put(x, y, rgb);
            }
        }
    }
    canvas
}

fn figures(mut times: Vec<Duration>) -> Figures {
    times.sort();
    let at = |part: f64| {
        let index = ((times.len() as f64 - 1.0) * part).round() as usize;
        rounded(times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1000.0))
    };
    Figures { median_ms: at(0.5), p95_ms: at(0.95) }
}

/// To three decimals.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// In MB of a million bytes.
fn peak_memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
