use std::io;
use std::path::PathBuf;

use super::{Input, Role};

/// Why a line could not be opened, switched or read. `key` is the key of `[gpio]` it belongs to.
#[derive(Debug, thiserror::Error)]
pub enum GpioError {
    #[error(
        "gpio.{role}: {line} cannot be switched {}: {source}; see that its chip is there \
         (`maskgate devices`)", if *.on { "on" } else { "off" }
    )]
    Set { role: Role, line: String, on: bool, source: io::Error },
    #[error(
        "gpio.{input}: {line} cannot be read: {source}; see that its chip is there \
         (`maskgate devices`)"
    )]
    Read { input: Input, line: String, source: io::Error },
    /// The configuration alone tells it.
    #[error(
        "[gpio] names no output line, so nothing would ever be switched; name at least one (red = \
         \"17\"), or set backend = \"simulated\" to try the box without lamps"
    )]
    NothingWired,
    #[error(
        "there is no GPIO chip (/dev/gpiochip*) on this machine ({board}); plug in or enable one, \
         or set gpio.backend = \"simulated\" to try the box without lamps"
    )]
    NoChip { board: String },
    #[error(
        "gpio.backend \"rppal\" is for the Raspberry Pi up to the 4 only, and this is {board}; set \
         it to \"cdev\""
    )]
    NotThisBoard { board: String },
    #[error("gpio.{key}: there is no GPIO chip {chip:?}; there is {known}")]
    UnknownChip { key: &'static str, chip: String, known: String },
    #[error(
        "gpio.{key}: no GPIO line has the name {name:?}{near}; `maskgate devices` lists the lines"
    )]
    UnknownLine { key: &'static str, name: String, near: String },
    #[error("gpio.{key}: {chip} has no line {offset}; its lines are 0 to {last}")]
    NoSuchOffset { key: &'static str, chip: String, offset: u32, last: u32 },
    #[error("gpio.{key}: {line} could be any of {choices}; write one of these")]
    Ambiguous { key: &'static str, line: String, choices: String },
    #[error("gpio.{key}: {line} is the line of gpio.{other} too; a line can do one thing only")]
    SameLine { key: &'static str, other: &'static str, line: String },
    #[error("gpio.{key}: {line} is in use by {consumer}; end that, or choose another line")]
    Busy { key: &'static str, line: String, consumer: String },
    #[error(
        "{path}: permission denied; the user who runs maskgate must be in the group that owns it \
         (usually gpio)", path = .path.display()
    )]
    Denied { path: PathBuf },
    #[error("{path}: cannot be read: {reason}", path = .path.display())]
    Chip { path: PathBuf, reason: String },
    #[error("gpio.{key}: {line} cannot be opened: {reason}")]
    Request { key: &'static str, line: String, reason: String },
    #[error("gpio.{key}: {line} is no pin that rppal can drive; set gpio.backend = \"cdev\"")]
    NotAPin { key: &'static str, line: String },
    #[error("rppal cannot use the GPIO registers: {reason}; gpio.backend = \"cdev\" needs none")]
    Registers { reason: String },
}

impl GpioError {
    /// Whether only another `[gpio]` mends it, whatever is plugged in. A chip by number may be
    /// another one after the next start, so a line that it lacks is none of these.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            GpioError::NothingWired
                | GpioError::NotThisBoard { .. }
                | GpioError::SameLine { .. }
                | GpioError::NotAPin { .. }
        )
    }
}
