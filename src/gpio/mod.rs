//! Lines that switch lamps, a buzzer and a door, and lines that tell of motion, a button and a
//! switch.
//! Owns the backends, the choice between them, which line a key means, debouncing, and the safe
//! state: everything off, the door held.
//! Never: when a line is switched, or what an input means.

mod auto;
mod board;
mod cdev;
mod debounce;
mod error;
pub mod list;
mod rppal;
mod simulated;
#[cfg(test)]
mod testing;
mod wired;
mod wiring;

use std::fmt;
use std::time::Duration;

pub use board::Board;
pub use debounce::Debounce;
pub use error::GpioError;
pub use simulated::{LineChange, Record, Simulated, Switches};

use crate::config::{Backend, Gpio};
use wired::{Driver, Wired};

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

/// What an input tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Input {
    /// Active: something moves.
    Motion,
    /// Active: the button is pressed.
    Acknowledge,
    /// Active: hard.
    ModeSwitch,
}

impl Input {
    pub const ALL: [Input; 3] = [Input::Motion, Input::Acknowledge, Input::ModeSwitch];

    pub fn name(self) -> &'static str {
        match self {
            Input::Motion => "motion",
            Input::Acknowledge => "acknowledge",
            Input::ModeSwitch => "mode_switch",
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Output lines by role, and inputs. On is the active level, whatever voltage that is.
pub trait Lines: Send {
    /// Switches a line; setting it as it is already does nothing. `at` is the time of the
    /// decision, for logs and records.
    fn set(&mut self, role: Role, on: bool, at: Duration) -> Result<(), GpioError>;

    /// How the line was set last.
    fn get(&self, role: Role) -> bool;

    /// Whether this input is wired.
    fn has(&self, input: Input) -> bool;

    /// Whether an input is active now; one that is not wired never is.
    fn read(&mut self, input: Input) -> Result<bool, GpioError>;

    /// For logs: `simulated lines`.
    fn describe(&self) -> String;
}

/// What can be said of the configuration without opening anything.
pub fn check(settings: &Gpio) -> Result<(), GpioError> {
    let wired = settings.outputs().iter().any(|(_, output)| output.line.is_some());
    if wired || settings.backend == Backend::Simulated {
        Ok(())
    } else {
        Err(GpioError::NothingWired)
    }
}

/// Opens the lines the configuration names, outputs at their inactive level.
pub fn open(settings: &Gpio) -> Result<Board, GpioError> {
    check(settings)?;
    let settle = Duration::from_millis(settings.debounce_ms.into());
    if settings.backend == Backend::Simulated {
        for (key, _) in settings.inputs().iter().filter(|(_, input)| input.line.is_some()) {
            log::warn!("gpio.{key} is not read: lines are simulated");
        }
        return Ok(Board::with_debounce(Box::new(Simulated::new()), settle));
    }
    let Found { chips, mut driver, name } = find(settings)?;
    let plan = wiring::find_all(wiring::uses(settings), &chips)
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let wired = Wired::open(name, &plan, driver.as_mut())?;
    Ok(Board::with_debounce(Box::new(wired), settle))
}

/// Opens each line by itself and holds it until all were tried: what was found, or why not, for
/// each. The lines are at their inactive level meanwhile.
pub fn probe(settings: &Gpio) -> Result<Vec<Result<String, GpioError>>, GpioError> {
    check(settings)?;
    if settings.backend == Backend::Simulated {
        return Ok(vec![Ok("opened simulated lines".into())]);
    }
    let Found { chips, mut driver, name } = find(settings)?;
    let mut held = Vec::new();
    let found = wiring::find_all(wiring::uses(settings), &chips).into_iter().map(|found| {
        let (wanted, site) = found?;
        let mut line = driver.open(&site, &wanted)?;
        let mut words =
            format!("opened gpio.{}: {site}, {} ({name})", wanted.key(), wanted.describe());
        if let (wired::Opened::Input(sensor), wiring::Use::Input(input, _)) = (&mut line, &wanted) {
            let active = sensor.read().map_err(|source| GpioError::Read {
                input: *input,
                line: site.to_string(),
                source,
            })?;
            words.push_str(if active { ", active now" } else { ", inactive now" });
        }
        held.push(line);
        Ok(words)
    });
    Ok(found.collect())
}

/// Makes every output inactive and gives it back, each by itself and the door first: a line that
/// cannot be had must not keep the others as they are. Says of each what it is, or what is wrong.
pub fn make_safe(settings: &Gpio) -> Result<Vec<Result<String, GpioError>>, GpioError> {
    check(settings)?;
    if settings.backend == Backend::Simulated {
        return Ok(vec![Ok("simulated lines".into())]);
    }
    let Found { chips, mut driver, name } = find(settings)?;
    Ok(make_each_safe(settings, &chips, driver.as_mut(), name))
}

fn make_each_safe(
    settings: &Gpio,
    chips: &[list::Chip],
    driver: &mut dyn Driver,
    name: &str,
) -> Vec<Result<String, GpioError>> {
    let mut outputs = wiring::uses(settings);
    outputs.retain(|wanted| matches!(wanted, wiring::Use::Output(..)));
    outputs.reverse();
    let open = |found: Result<(wiring::Use, wiring::Site), GpioError>| {
        let (wanted, site) = found?;
        driver.open(&site, &wanted)?;
        Ok(format!("{} {site} ({name})", wanted.key()))
    };
    wiring::find_all(outputs, chips).into_iter().map(open).collect()
}

/// What opens the lines of this machine.
struct Found {
    chips: Vec<list::Chip>,
    driver: Box<dyn Driver>,
    name: &'static str,
}

fn find(settings: &Gpio) -> Result<Found, GpioError> {
    let chips = list::chips();
    let facts = auto::Facts::read();
    let choice = auto::choose(settings, &facts, &chips)?;
    let name = choice.backend.name();
    log::info!("gpio: {name} on {}: {}", facts.board(), choice.why);
    if choice.backend == Backend::Rppal {
        match rppal::Rppal::new() {
            Ok(driver) => return Ok(Found { chips, driver: Box::new(driver), name }),
            Err(error) if settings.backend == Backend::Auto => {
                log::warn!("gpio: cdev after all: {error}");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Found { chips, driver: Box::new(cdev::Cdev), name: Backend::Cdev.name() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_without_an_output_is_refused_unless_it_is_simulated() {
        let only_an_input = Gpio { motion: "4".parse().unwrap(), ..Gpio::default() };
        assert!(matches!(check(&only_an_input), Err(GpioError::NothingWired)));
        assert!(matches!(open(&Gpio::default()), Err(GpioError::NothingWired)));
        check(&Gpio { backend: Backend::Simulated, ..Gpio::default() }).unwrap();
        check(&Gpio { amber: "GPIO22".parse().unwrap(), ..Gpio::default() }).unwrap();
    }

    #[test]
    fn keys_of_the_configuration_are_the_names_of_roles_and_inputs() {
        let settings = Gpio::default();
        let outputs = settings.outputs().map(|(key, _)| key);
        assert_eq!(outputs, Role::ALL.map(Role::name));
        let inputs = settings.inputs().map(|(key, _)| key);
        assert_eq!(inputs, Input::ALL.map(Input::name));
    }
}
