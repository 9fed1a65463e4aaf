//! Lines that switch lamps, a buzzer and a door.
//! Owns the backends and the safe state: everything off, the door held.
//! Never: when a line is switched.

mod board;
mod simulated;

use std::fmt;
use std::time::Duration;

pub use board::Board;
pub use simulated::{LineChange, Record, Simulated};

use crate::config;

/// What a line switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Red,
    Green,
    Amber,
    Buzzer,
    /// On: released. Off: held, also when the box has no power.
    Door,
}

impl Role {
    pub const ALL: [Role; 5] = [Role::Red, Role::Green, Role::Amber, Role::Buzzer, Role::Door];

    pub fn name(self) -> &'static str {
        match self {
            Role::Red => "red",
            Role::Green => "green",
            Role::Amber => "amber",
            Role::Buzzer => "buzzer",
            Role::Door => "door",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Output lines by role. On is the active level, whatever voltage that is.
pub trait Lines: Send {
    /// Switches a line; setting it as it is already does nothing. `at` is the time of the
    /// decision, for logs and records.
    fn set(&mut self, role: Role, on: bool, at: Duration) -> Result<(), GpioError>;

    /// How the line was set last.
    fn get(&self, role: Role) -> bool;

    /// For logs: `simulated lines`.
    fn describe(&self) -> String;
}

/// Why a line could not be switched.
#[derive(Debug, thiserror::Error)]
pub enum GpioError {
    #[error("gpio line {role}: cannot switch it {}: {source}", if *.on { "on" } else { "off" })]
    Set { role: Role, on: bool, source: std::io::Error },
}

/// Opens the lines the configuration names.
pub fn open(settings: &config::Gpio) -> Result<Board, GpioError> {
    match settings.backend {
        config::Backend::Simulated => Ok(Board::new(Box::new(Simulated::new()))),
    }
}
