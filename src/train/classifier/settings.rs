//! What shapes the result of a training, for its checkpoint and its card.

use std::path::PathBuf;

use serde_json::json;

use super::args::Args;
use super::{ClassifierError, faces};
use crate::train::data::Crops;
use crate::train::digest::Digest;
use crate::train::fit::{Fit, Keep};
use crate::train::network::NetworkConfig;

impl Args {
    /// Everything that shapes the result, for the checkpoint and the card.
    ///
    /// # Errors
    /// A file named in the options cannot be read any more.
    pub fn settings(
        &self,
        fit: &Fit,
        config: &NetworkConfig,
        crops: &Crops,
    ) -> Result<serde_json::Value, ClassifierError> {
        let data: Vec<String> = self
            .data
            .data
            .iter()
            .zip(faces::sources(&self.data))
            .map(|(origin, name)| match origin.label {
                Some(label) => format!("{name}={label}"),
                None => name,
            })
            .collect();
        let file = |path: &PathBuf| path.file_name().map(|n| n.to_string_lossy().into_owned());
        let name = |path: &Option<PathBuf>| path.as_ref().and_then(file);
        let weights: Vec<String> = self.weights.iter().filter_map(file).collect();
        let geometry = fit.views.geometry;
        let mut settings = json!({
            "network": format!("{} {}", config.kind.name(), config.width),
            "weights": (!weights.is_empty()).then(|| weights.join(", ")),
            "layout": config.layout.name(),
            "head": config.head.name(),
            "input": self.input,
            "labels": fit.classes.iter().map(|label| label.name()).collect::<Vec<_>>(),
            "data": data,
            "detector": name(&self.data.detector),
            "faces": [crops.train.len(), crops.validation.len()],
            "seed": fit.seed,
            "epochs": fit.epochs,
            "free_epochs": fit.free_epochs,
            "batch": fit.batch,
            "optimiser": fit.optimiser.name(),
            "rate": fit.rate,
            "weight_decay": decimal(fit.weight_decay),
            "schedule": fit.schedule.name(),
            "warm_up": fit.warm_up,
            "freeze": fit.freeze.to_string(),
            "head_epochs": fit.head_epochs,
            "fine_rate": (fit.head_epochs > 0).then_some(fit.fine_rate),
            "keep": match fit.keep { Keep::Best => "best", Keep::Last => "last" },
            "early_stop": fit.early_stop,
            "average": decimal(fit.average),
            "smoothing": decimal(fit.loss.smoothing),
            "class_weights": fit.loss.weights.map(decimal),
            "margin": geometry.margin.map(decimal),
            "shift": decimal(geometry.shift),
            "turn": decimal(geometry.turn),
            "stretch": decimal(geometry.stretch),
            "shear": decimal(geometry.shear),
            "cover": decimal(fit.views.cover),
        });
        // These are named only where they are used, so that trainings begun without can be taken up.
        if self.data.corrections.is_some() {
            settings["corrections"] = name(&self.data.corrections).into();
        }
        let found = crops.train.iter().filter(|cut| cut.found.is_some()).count();
        if found > 0 {
            settings["found"] = found.into();
        }
        if self.data.as_found {
            settings["as_found"] = true.into();
        }
        if self.drawn > 0.0 {
            settings["drawn"] = decimal(self.drawn).into();
        }
        if self.worn > 0.0 {
            settings["worn"] = decimal(self.worn).into();
        }
        if self.beards > 0.0 {
            settings["beards"] = decimal(self.beards).into();
        }
        if self.scarves > 0.0 {
            settings["scarves"] = decimal(self.scarves).into();
        }
        if self.glasses > 0.0 {
            settings["glasses"] = decimal(self.glasses).into();
        }
        if self.hands > 0.0 {
            settings["hands"] = decimal(self.hands).into();
        }
        if let Some(csv) = self.hand_outlines() {
            settings["hand_outlines"] = file(&csv).into();
        }
        if self.incorrect_offset != 0.0 {
            settings["incorrect_offset"] = self.incorrect_offset.into();
        }
        if let Some(teacher) = &fit.teacher {
            settings["teacher"] = teacher.name().into();
            settings["teacher_share"] = decimal(self.teacher_share).into();
        }
        settings["digest"] = self.digest(fit, crops)?.into();
        Ok(settings)
    }

    /// Of the faces with their labels and sides, and of the files that shape the result.
    fn digest(&self, fit: &Fit, crops: &Crops) -> Result<String, ClassifierError> {
        let mut digest = Digest::default();
        for (side, cuts) in [&crops.train, &crops.validation].into_iter().enumerate() {
            for cut in cuts {
                digest.face(&cut.path, cut.bounds, &[side as u8, cut.label as u8]);
                digest.pixels(&cut.picture);
                // Where it was found the detector's file says.
                for placed in cut.placed.iter().chain(cut.found.iter().flat_map(|f| &f.placed)) {
                    digest.landmarks(&placed.landmarks);
                }
            }
        }
        fit.views.drawing.cutouts.iter().for_each(|hand| hand.add_to(&mut digest));
        let others = [&self.teacher, &self.data.detector].into_iter().flatten();
        let outlines = self.hand_outlines();
        for path in self.weights.iter().chain(others).chain(&outlines) {
            digest
                .file(path)
                .map_err(|source| ClassifierError::Unreadable { path: path.clone(), source })?;
        }
        Ok(digest.text())
    }
}

/// The number as people write it: 0.35, not 0.3499999940395355.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}
