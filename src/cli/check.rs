use anyhow::anyhow;

use super::output::Output;
use super::{Common, Failure};
use crate::config::{AlarmMode, Backend, Config};
use crate::vision::{Classifier, Detector};
use crate::{camera, gpio};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Also open the lines and the camera, and take one frame
    #[arg(long)]
    probe: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let loaded = arguments.common.load()?;
    let config = &loaded.config;
    let models = models(config)?;
    let mut output = Output::new(true);
    output.line(loaded.describe())?;
    models.iter().try_for_each(|model| output.line(model))?;
    output.line(format_args!(
        "source: {}, wanted {}x{} at {} frames a second",
        config.camera.source, config.camera.width, config.camera.height, config.camera.fps
    ))?;
    output.line(match config.alarm.mode {
        AlarmMode::Soft => "alarm: soft, lamps and buzzer",
        AlarmMode::Hard => "alarm: hard, lamps, buzzer and door",
    })?;
    output.line(match config.gpio.backend {
        Backend::Simulated => "lines: simulated",
    })?;
    if arguments.probe {
        probe(config, &mut output)?;
    }
    output.finish()
}

/// Loads each model by itself, so that one that is wrong does not hide the other. A line for
/// each.
fn models(config: &Config) -> Result<Vec<String>, Failure> {
    let detector = Detector::load(&config.detector).map(|model| model.origin().clone());
    let classifier = Classifier::load(&config.classifier).map(|model| model.origin().clone());
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    for (section, loaded) in [("detector", detector), ("classifier", classifier)] {
        match loaded {
            Ok(model) => lines.push(format!("{section}: {}, sha256 {}", model.name, model.sha256)),
            Err(error) => problems.push(format!("[{section}] {error}")),
        }
    }
    if problems.is_empty() {
        Ok(lines)
    } else {
        Err(Failure::Configuration(anyhow!(problems.join("\nmaskgate: "))))
    }
}

/// Opens what the daemon would open, and tells all that fails.
fn probe(config: &Config, output: &mut Output) -> Result<(), Failure> {
    let mut problems = Vec::new();
    match gpio::open(&config.gpio) {
        Ok(board) => output.line(format_args!("opened {}", board.describe()))?,
        Err(error) => problems.push(error.to_string()),
    }
    match camera::probe(&config.camera) {
        Ok(found) => output.line(format_args!("opened {found}"))?,
        Err(error) => problems.push(error.to_string()),
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Failure::Work(anyhow!(problems.join("\nmaskgate: "))))
    }
}
