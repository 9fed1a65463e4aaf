//! Batches of random views, made ahead on a thread of their own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::crops::{CACHE_MARGIN, Cut};
use super::dress::{self, Drawing};
use super::teacher::Teacher;
use crate::picture::{Label, Picture, Probabilities};
use crate::train::augment::{Geometry, cover_below, photometric, warp};
use crate::train::random::Random;
use crate::vision::crop;

/// Batches waiting: enough that the network never waits, few enough to cost no memory.
const AHEAD: usize = 4;

/// How often a face that a detector finds too is seen as it finds it, and not as its box says.
const AS_FOUND: f32 = 0.5;

/// What the network sees in one step.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[views, 3, side, side]`, row-major, in [-1, 1].
    pub inputs: Vec<f32>,
    pub labels: Vec<Label>,
    /// What the teacher says of each view; nothing without one, nor of what was drawn, whose label is
    /// certain.
    pub answers: Vec<Option<Probabilities>>,
}

/// How views are drawn.
#[derive(Clone, Debug)]
pub struct Views {
    /// Side of the network's input, pixels.
    pub side: u32,
    pub geometry: Geometry,
    /// Probability of a block over the lower part.
    pub cover: f32,
    /// What is drawn on faces before.
    pub drawing: Drawing,
}

impl Views {
    /// One random view of a cached crop.
    pub fn draw(&self, source: &Picture, random: &mut Random) -> Picture {
        let map = self.geometry.draw(source.width(), CACHE_MARGIN, self.side, random);
        let mut view = warp(source, &map, self.side);
        if random.chance(self.cover) {
            cover_below(&mut view, random);
        }
        // The face fills it.
        photometric(&mut view, self.side as f32, random);
        view
    }
}

/// The batches of one epoch, each crop once in random order; what is left of the last batch is
/// dropped, for batch normalisation wants full ones.
pub struct Loader {
    batches: Receiver<Batch>,
}

impl Loader {
    /// Starts the epoch. The same seed and epoch give the same batches.
    pub fn start(
        crops: Arc<Vec<Cut>>,
        views: Views,
        teacher: Option<Arc<Teacher>>,
        batch: usize,
        seed: u64,
        epoch: usize,
    ) -> Self {
        let (sender, batches) = sync_channel(AHEAD);
        thread::spawn(move || {
            let random = Random::new(seed).stream(epoch as u64);
            let mut order: Vec<usize> = (0..crops.len()).collect();
            random.stream(u64::MAX).shuffle(&mut order);
            let wearers = dress::wearers(&crops, &views.drawing);
            for indices in order.chunks_exact(batch.max(1)) {
                let plane = (views.side * views.side * 3) as usize;
                let mut made =
                    Batch { inputs: vec![0.0; plane * batch], labels: vec![], answers: vec![] };
                for (index, planes) in indices.iter().zip(made.inputs.chunks_exact_mut(plane)) {
                    let mut stream = random.stream(*index as u64);
                    let cut = &crops[*index];
                    let cut = match &cut.found {
                        Some(found) if stream.chance(AS_FOUND) => found,
                        _ => cut,
                    };
                    let drawn = views.drawing.dress(cut, &wearers, &mut stream);
                    let (picture, label) =
                        drawn.as_ref().map_or((&cut.picture, cut.label), |(p, label)| (p, *label));
                    let view = views.draw(picture, &mut stream);
                    crop::to_input(&view, planes);
                    made.labels.push(label);
                    let asked = teacher.as_ref().filter(|_| drawn.is_none());
                    match asked.map(|teacher| teacher.ask(&view)).transpose() {
                        Ok(answer) => made.answers.push(answer),
                        // Batches end too early, which fails the training.
                        Err(error) => return log::error!("the teacher: {error}"),
                    }
                }
                // The other side is gone when the training was stopped.
                if sender.send(made).is_err() {
                    return;
                }
            }
        });
        Self { batches }
    }
}

impl Iterator for Loader {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        self.batches.recv().ok()
    }
}
