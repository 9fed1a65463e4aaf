//! Lines through the registers of a Raspberry Pi up to the 4 (`/dev/gpiomem`, or `/dev/mem` for
//! root).
//!
//! Registers know no owner, so each pin is also claimed from the kernel, as it is and without a
//! change: a second program is refused and told our name, and we are told its. That needs
//! `/dev/gpiochip*` too.
//!
//! - Start: the inactive level is latched before the pin becomes an output, so nothing flickers.
//! - Exit, also by a panic: [`super::Board`] has made the pins safe. `reset_on_drop` is off for
//!   outputs, so that rppal does not undo this; then the claim ends, and the kernel does with the
//!   pin as it does for cdev.
//! - SIGKILL: rppal itself does nothing, a register keeps its value. The claim ends with the
//!   process, though, and with it a mainline kernel makes the pin an input that follows its pull;
//!   the Raspberry Pi kernel leaves it at its last level until the next start, unless config.txt
//!   has `dtparam=strict_gpiod`. See docs/gpio.md.

use std::io;

use ::rppal::gpio::{Bias, Error, Gpio, IoPin, Level, Mode, OutputPin};
use gpiocdev::Request;

use crate::config::Pull;

use super::GpioError;
use super::cdev::take;
use super::wired::{Driver, Opened, Output, Sensor};
use super::wiring::{Site, Use, is_early_pi};

/// The registers, mapped.
pub struct Rppal(Gpio);

impl Rppal {
    pub fn new() -> Result<Self, GpioError> {
        Gpio::new().map(Self).map_err(|error| match error {
            // Root's way, tried where there is no /dev/gpiomem: no group opens it.
            Error::PermissionDenied(path) if path == "/dev/mem" => {
                GpioError::Registers { reason: "there is no /dev/gpiomem".into() }
            }
            Error::PermissionDenied(path) => GpioError::Denied { path: path.into() },
            other => GpioError::Registers { reason: other.to_string() },
        })
    }
}

impl Driver for Rppal {
    fn open(&mut self, site: &Site, wanted: &Use) -> Result<Opened, GpioError> {
        let not_a_pin = || GpioError::NotAPin { key: wanted.key(), line: site.to_string() };
        // On these chips, and no others, line N is pin N.
        let number = u8::try_from(site.offset).map_err(|_| not_a_pin())?;
        if !is_early_pi(&site.label) {
            return Err(not_a_pin());
        }
        let claim = take(Request::builder().as_is(), site, wanted)?;
        let pin = self.0.get(number).map_err(|error| GpioError::Request {
            key: wanted.key(),
            line: site.to_string(),
            reason: error.to_string(),
        })?;
        Ok(match wanted {
            Use::Output(_, output) => {
                let mut pin =
                    if output.active_low { pin.into_output_high() } else { pin.into_output_low() };
                pin.set_reset_on_drop(false);
                Opened::Output(Box::new(Driven {
                    pin,
                    active_low: output.active_low,
                    _claim: claim,
                }))
            }
            Use::Input(_, input) => {
                // Not `into_input`: that takes away the pull that is there.
                let mut pin = pin.into_io(Mode::Input);
                match input.pull {
                    Pull::None => {}
                    Pull::Up => pin.set_bias(Bias::PullUp),
                    Pull::Down => pin.set_bias(Bias::PullDown),
                }
                Opened::Input(Box::new(Read { pin, active_low: input.active_low, _claim: claim }))
            }
        })
    }
}

/// The claim is dropped last.
struct Driven {
    pin: OutputPin,
    active_low: bool,
    _claim: Request,
}

impl Output for Driven {
    fn write(&mut self, on: bool) -> io::Result<()> {
        self.pin.write(Level::from(on != self.active_low));
        Ok(())
    }
}

struct Read {
    pin: IoPin,
    active_low: bool,
    _claim: Request,
}

impl Sensor for Read {
    fn read(&mut self) -> io::Result<bool> {
        Ok(self.pin.is_high() != self.active_low)
    }
}
