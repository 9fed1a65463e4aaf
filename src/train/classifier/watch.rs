//! Judges after every epoch, keeps the history, and writes the model as far as it is.

use burn::tensor::Device;

use super::{Args, ClassifierError, ship};
use crate::picture::{Label, Probabilities};
use crate::train::dashboard::Dashboard;
use crate::train::data::Cut;
use crate::train::fit::{self, Step, Watch};
use crate::train::history::History;
use crate::train::network::Network;
use crate::train::progress::Meter;
use crate::train::report::Report;

pub struct Watcher<'a> {
    pub options: &'a Args,
    pub meter: Meter,
    /// In place of the meter.
    pub dashboard: Option<Dashboard>,
    pub history: History,
    pub validation: &'a [Cut],
    pub sources: &'a [String],
    pub classes: &'a [Label],
    pub device: &'a Device,
    /// The network judged last, as it would be written, and its answers.
    pub last: Option<(Network, Vec<Probabilities>)>,
}

impl Watcher<'_> {
    fn judge(
        &mut self,
        epoch: usize,
        loss: f32,
        network: &Network,
    ) -> Result<Option<f64>, ClassifierError> {
        let network = ship::as_written(network)?;
        let answers = fit::judge(&network, self.validation, self.classes, self.device);
        let report = Report::of(self.validation, &answers, self.sources);
        let told = report.loss.map_or(String::new(), |loss| format!(", on validation {loss:.4}"));
        let text = format!("epoch {epoch}, mean loss {loss:.4}{told}\n{}", report.table());
        let figures = figures(&report, loss);
        match &mut self.dashboard {
            Some(dashboard) => dashboard.judged(&text, &figures),
            None => note!("{text}"),
        }
        // Curves are worth less than the choice of the epoch.
        if let Err(error) = self.history.push(epoch, &figures) {
            log::warn!("{error:#}");
        }
        self.last = Some((network, answers));
        Ok(report.loss)
    }
}

impl Watch for Watcher<'_> {
    fn step(&mut self, step: Step) {
        match &mut self.dashboard {
            Some(dashboard) => dashboard.step(step.epoch, step.loss),
            None => self.meter.step(&format!("epoch {} loss {:.3}", step.epoch, step.loss)),
        }
    }

    fn epoch(&mut self, epoch: usize, loss: f32, network: &Network) -> Option<f64> {
        self.last = None;
        self.judge(epoch, loss, network).unwrap_or_else(|error| {
            log::warn!("epoch {epoch} was not judged: {error}");
            None
        })
    }

    // A model after every epoch: a long training is useful before it ends.
    fn keep(&mut self, epoch: usize) {
        let Some((network, answers)) = &self.last else { return };
        // How sure it is is put right at the end only.
        let (crops, options) = (self.validation, self.options);
        let written = ship::write(network, self.classes, crops, answers, 1.0, options);
        match (written, &mut self.dashboard) {
            (Ok(told), Some(dashboard)) => dashboard.say(&told),
            (Ok(told), None) => note!("{told}"),
            (Err(error), _) => log::warn!("no model after epoch {epoch}: {error}"),
        }
    }
}

/// What is drawn as curves.
fn figures(report: &Report, loss: f32) -> Vec<(&'static str, f64)> {
    let mut figures = vec![("training loss", f64::from(loss))];
    figures.extend(report.loss.map(|loss| ("validation loss", loss)));
    figures.extend(report.accuracy.map(|value| ("accuracy", value)));
    figures.extend(report.balanced_accuracy.map(|value| ("accuracy, mask and bare", value)));
    figures
}
