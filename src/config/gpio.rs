//! The `[gpio]` section and what must hold between its keys.

use serde::{Deserialize, Serialize};

use super::lines::{Drive, InputLine, LineRef, OutputLine};

/// What switches the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// `rppal` or `cdev`, by the board; never `simulated`.
    #[default]
    Auto,
    /// The registers of a Raspberry Pi up to the Pi 4.
    Rppal,
    /// The kernel's character devices: any Linux GPIO chip.
    Cdev,
    /// No hardware: changes are logged and recorded.
    Simulated,
}

impl Backend {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Auto => "auto",
            Backend::Rppal => "rppal",
            Backend::Cdev => "cdev",
            Backend::Simulated => "simulated",
        }
    }
}

/// The lines. A line that is empty is not wired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gpio {
    /// `auto`, `rppal`, `cdev` or `simulated`.
    pub backend: Backend,
    pub red: OutputLine,
    pub green: OutputLine,
    pub amber: OutputLine,
    pub buzzer: OutputLine,
    /// Active: released.
    pub door: OutputLine,
    /// A motion sensor; with one, vision sleeps while nothing moves.
    pub motion: InputLine,
    /// A button that silences the buzzer.
    pub acknowledge: InputLine,
    /// A switch; active: hard, else soft. Takes the place of `alarm.mode`.
    pub mode_switch: InputLine,
    /// Milliseconds an input must hold its level before it counts, 1 to 1000.
    pub debounce_ms: u32,
    /// Seconds without motion and without a face before vision sleeps, 5 to 3600.
    pub sleep_after_s: f32,
}

impl Default for Gpio {
    fn default() -> Self {
        let (output, input) = (OutputLine::default, InputLine::default);
        Self {
            backend: Backend::Auto,
            red: output(),
            green: output(),
            amber: output(),
            buzzer: output(),
            door: output(),
            motion: input(),
            acknowledge: input(),
            mode_switch: input(),
            debounce_ms: 30,
            sleep_after_s: 60.0,
        }
    }
}

impl Gpio {
    /// The outputs by key.
    pub fn outputs(&self) -> [(&'static str, &OutputLine); 5] {
        [
            ("red", &self.red),
            ("green", &self.green),
            ("amber", &self.amber),
            ("buzzer", &self.buzzer),
            ("door", &self.door),
        ]
    }

    /// The inputs by key.
    pub fn inputs(&self) -> [(&'static str, &InputLine); 3] {
        [
            ("motion", &self.motion),
            ("acknowledge", &self.acknowledge),
            ("mode_switch", &self.mode_switch),
        ]
    }

    /// What is wrong between keys that are right by themselves: key and reason.
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut seen: Vec<(&str, &LineRef)> = Vec::new();
        let outputs = self.outputs().map(|(key, output)| (key, output.line.as_ref()));
        let inputs = self.inputs().map(|(key, input)| (key, input.line.as_ref()));
        for (key, line) in outputs.into_iter().chain(inputs) {
            let Some(line) = line else { continue };
            match seen.iter().find(|(_, other)| *other == line) {
                Some((other, _)) => problems.push((
                    format!("gpio.{key}"),
                    format!("line {line} is taken by gpio.{other}; a line can do one thing only"),
                )),
                None => seen.push((key, line)),
            }
        }
        if self.backend == Backend::Rppal {
            for (key, output) in self.outputs() {
                if output.drive != Drive::PushPull {
                    problems.push((
                        format!("gpio.{key}"),
                        format!(
                            "\"{output}\": rppal drives push-pull only; for this line set \
                             gpio.backend = \"cdev\""
                        ),
                    ));
                }
            }
        }
        problems
    }
}
