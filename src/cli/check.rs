use anyhow::anyhow;

use super::output::Output;
use super::{Common, Failure};
use crate::config::{AlarmMode, Backend, Config, without_arguments};
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
    let (models, mut problems) = models(config);
    problems.extend(gpio::check(&config.gpio).err().map(|error| error.to_string()));
    if !problems.is_empty() {
        return Err(Failure::Configuration(anyhow!(problems.join("\nmaskgate: "))));
    }
    let mut output = Output::new(true);
    output.line(loaded.describe())?;
    models.iter().try_for_each(|model| output.line(model))?;
    output.line(source(config))?;
    // Simulated lines have no switch.
    let switched =
        config.gpio.mode_switch.line.is_some() && config.gpio.backend != Backend::Simulated;
    output.line(match config.alarm.mode {
        _ if switched => {
            "alarm: hard while the switch gpio.mode_switch is on, soft while it is off, whatever \
             [alarm] mode says"
        }
        AlarmMode::Soft => "alarm: soft, lamps and buzzer",
        AlarmMode::Hard => "alarm: hard, lamps, buzzer and door",
    })?;
    lines(config).iter().try_for_each(|line| output.line(line))?;
    if arguments.probe {
        probe(config, &mut output)?;
    }
    output.finish()
}

/// Where frames come from; only a camera can be asked for a size and a rate.
fn source(config: &Config) -> String {
    let camera = &config.camera;
    let source = format!("source: {}", without_arguments(&camera.source));
    match camera.source.starts_with("v4l2:") {
        true => format!(
            "{source}, wanted {}x{} at {} frames a second",
            camera.width, camera.height, camera.fps
        ),
        false => source,
    }
}

/// Loads each model by itself, so that one that is wrong does not hide the other. A line for
/// each, or what is wrong with it.
fn models(config: &Config) -> (Vec<String>, Vec<String>) {
    let detector = Detector::load(&config.detector).map(|model| model.origin().clone());
    let classifier = Classifier::load(&config.classifier).map(|model| model.origin().clone());
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    for (section, loaded) in [("detector", detector), ("classifier", classifier)] {
        match loaded {
            Ok(model) => lines.push(format!("{section}: {}, sha256 {}", model.name, model.sha256)),
            Err(error) => problems.push(format!("[{section}] {error}")),
        }
    }
    (lines, problems)
}

/// What the lines are configured to be: `lines: auto`, then one a key.
fn lines(config: &Config) -> Vec<String> {
    let settings = &config.gpio;
    let mut lines = vec![format!("lines: {}", settings.backend.name())];
    if settings.backend != Backend::Simulated {
        let outputs = settings.outputs().map(|(key, line)| (key, line.to_string()));
        let inputs = settings.inputs().map(|(key, line)| (key, line.to_string()));
        let wired = outputs.into_iter().chain(inputs).filter(|(_, line)| !line.is_empty());
        lines.extend(wired.map(|(key, line)| format!("  {key}: {line}")));
        let hard = config.alarm.mode == AlarmMode::Hard || settings.mode_switch.line.is_some();
        match (hard, settings.door.line.is_some()) {
            (true, false) => {
                lines.push("  door: no line is named, so hard mode holds no door".into())
            }
            (false, true) => lines.push(
                "  door: held for ever in soft mode; [alarm] mode = \"hard\" releases it".into(),
            ),
            _ => {}
        }
    }
    lines
}

/// Opens what the daemon would open, and tells all that fails.
fn probe(config: &Config, output: &mut Output) -> Result<(), Failure> {
    let (mut problems, mut configured) = (Vec::new(), false);
    for line in gpio::probe(&config.gpio).unwrap_or_else(|error| vec![Err(error)]) {
        match line {
            Ok(words) => output.line(words)?,
            Err(error) => {
                configured |= error.is_configuration();
                problems.push(error.to_string());
            }
        }
    }
    match camera::probe(&config.camera) {
        Ok(found) => output.line(format_args!("opened {found}"))?,
        Err(error) => {
            configured |= error.is_configuration();
            problems.push(error.to_string());
        }
    }
    let told = anyhow!(problems.join("\nmaskgate: "));
    match (problems.is_empty(), configured) {
        (true, _) => Ok(()),
        (false, true) => Err(Failure::Configuration(told)),
        (false, false) => Err(Failure::Work(told)),
    }
}
