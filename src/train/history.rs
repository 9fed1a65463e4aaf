//! How a training went: figures at each judgement, and their curves.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::fit;
use super::plot::{Chart, Line};

/// One row for each judgement, kept beside the checkpoint, so that a training that was taken up
/// again has the whole of it.
pub struct History {
    path: PathBuf,
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    /// Epochs or steps done.
    at: usize,
    figures: BTreeMap<String, f64>,
}

impl History {
    /// The history beside `checkpoint`, as far as the training is `done`; what a killed training
    /// wrote after its last checkpoint is dropped.
    pub fn open(checkpoint: &Path, done: usize) -> Self {
        let path = fit::beside(checkpoint, "history.jsonl");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let rows = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        Self { path, rows: rows.filter(|row: &Row| row.at <= done).collect() }
    }

    /// Takes out what was measured after `at` epochs or steps; empty where nothing was.
    pub fn forget(&mut self, at: usize) -> BTreeMap<String, f64> {
        let row = self.rows.iter().position(|row| row.at == at).map(|row| self.rows.remove(row));
        row.map(|row| row.figures).unwrap_or_default()
    }

    /// Adds what was measured after `at` epochs or steps.
    pub fn push(&mut self, at: usize, figures: &[(&str, f64)]) -> Result<()> {
        let figures = figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        self.rows.push(Row { at, figures });
        let mut text = String::new();
        for row in &self.rows {
            text += &serde_json::to_string(row)?;
            text.push('\n');
        }
        // The first checkpoint, which would make the folder, comes after the first row.
        let folder = self.path.parent().map_or(Ok(()), fs::create_dir_all);
        // Whole or not at all.
        let fresh = fit::beside(&self.path, "new");
        folder
            .and_then(|()| fs::write(&fresh, text))
            .and_then(|()| fs::rename(&fresh, &self.path))
            .with_context(|| format!("{}: cannot be written", self.path.display()))
    }

    /// The curves of the figures `names`, over `x_label`.
    pub fn chart(&self, title: &str, x_label: &str, names: &[&str]) -> Chart {
        let lines: Vec<Line> = names
            .iter()
            .map(|name| {
                let value = |row: &Row| Some((row.at as f64, *row.figures.get(*name)?));
                let points = self.rows.iter().filter_map(value).collect();
                Line { name: (*name).to_owned(), points, dashed: false }
            })
            .collect();
        let values = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(f64::NEG_INFINITY, f64::max);
        let room = ((high - low) * 0.05).max(1e-3);
        let last = self.rows.last().map_or(1, |row| row.at);
        Chart {
            title: title.to_owned(),
            x_label: x_label.to_owned(),
            y_label: String::new(),
            x: 0.0..last as f64,
            y: if low <= high { low - room..high + room } else { 0.0..1.0 },
            lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_training_taken_up_again_goes_on_where_its_checkpoint_was() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = folder.path().join("new").join("run");
        let mut history = History::open(&checkpoint, 0);
        for (at, loss) in [(1, 0.9), (2, 0.5), (3, 0.4)] {
            history.push(at, &[("loss", loss), ("accuracy", 1.0 - loss)]).unwrap();
        }
        let mut again = History::open(&checkpoint, 2);
        again.push(3, &[("loss", 0.3)]).unwrap();
        let chart = again.chart("Loss", "epoch", &["loss", "accuracy"]);
        assert_eq!(chart.lines[0].points, [(1.0, 0.9), (2.0, 0.5), (3.0, 0.3)]);
        assert_eq!(chart.lines[1].points.len(), 2, "a figure that was not measured is left out");
        assert!(chart.y.start < 0.1 && chart.y.end > 0.9 && chart.x.end == 3.0);
    }

    #[test]
    fn what_was_measured_at_a_step_can_be_measured_again() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = folder.path().join("run");
        let mut history = History::open(&checkpoint, 0);
        history.push(4, &[("loss", 0.9)]).unwrap();
        let mut again = History::open(&checkpoint, 4);
        assert_eq!(again.forget(4), [("loss".to_owned(), 0.9)].into());
        assert!(again.forget(4).is_empty());
        again.push(4, &[("accuracy", 0.8)]).unwrap();
        let chart = History::open(&checkpoint, 4).chart("", "", &["loss", "accuracy"]);
        assert_eq!(chart.lines[0].points, []);
        assert_eq!(chart.lines[1].points, [(4.0, 0.8)]);
    }

    #[test]
    fn no_training_has_an_empty_chart() {
        let folder = tempfile::tempdir().unwrap();
        let chart = History::open(&folder.path().join("none"), 9).chart("Loss", "epoch", &["loss"]);
        assert!(chart.lines[0].points.is_empty());
        assert_eq!(chart.y, 0.0..1.0);
    }
}
