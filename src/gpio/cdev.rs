//! Lines through the kernel's character devices (`/dev/gpiochip*`): any Linux chip.
//!
//! - Start: direction and inactive level are set in one request, so nothing flickers. The kernel
//!   gives a line to one program only and names it to the others.
//! - Exit, also by a panic: [`super::Board`] has made the lines safe, then they are given back.
//! - SIGKILL: the kernel gives the lines back at their last level; what they do then is up to the
//!   chip's driver. Lines become inputs and follow their pull on the Pi with a mainline kernel and
//!   on JetPack 6; they keep their last level, until the next start, with the Raspberry Pi kernel
//!   (unless config.txt has `dtparam=strict_gpiod`) and on JetPack 5.
//!   See docs/gpio.md.

use std::io;

use gpiocdev::Request;
use gpiocdev::line::{Bias, Drive as LineDrive, Value};

use crate::config::{Drive, Pull};

use super::GpioError;
use super::list::is_denied;
use super::wired::{Driver, Opened, Output, Sensor};
use super::wiring::{Site, Use};

/// Each line is a request of its own: one that fails is told by its key, and one consumer name
/// says what it is for.
pub struct Cdev;

impl Driver for Cdev {
    fn open(&mut self, site: &Site, wanted: &Use) -> Result<Opened, GpioError> {
        let mut request = Request::builder();
        match wanted {
            Use::Output(_, output) => {
                // Active low comes before the value, which counts in active and inactive.
                if output.active_low {
                    request.as_active_low();
                }
                request.as_output(Value::Inactive).with_drive(match output.drive {
                    Drive::PushPull => LineDrive::PushPull,
                    Drive::OpenDrain => LineDrive::OpenDrain,
                    Drive::OpenSource => LineDrive::OpenSource,
                });
            }
            Use::Input(_, input) => {
                if input.active_low {
                    request.as_active_low();
                }
                request.as_input().with_bias(match input.pull {
                    Pull::None => None,
                    Pull::Up => Some(Bias::PullUp),
                    Pull::Down => Some(Bias::PullDown),
                });
            }
        }
        let line = Line(take(&mut request, site, wanted)?);
        Ok(match wanted {
            Use::Output(..) => Opened::Output(Box::new(line)),
            Use::Input(..) => Opened::Input(Box::new(line)),
        })
    }
}

/// Takes the line as `request` has it and keeps others off, or tells who has it.
pub(super) fn take(
    request: &mut gpiocdev::request::Builder,
    site: &Site,
    wanted: &Use,
) -> Result<Request, GpioError> {
    let key = wanted.key();
    request.on_chip(&site.chip).with_line(site.offset).with_consumer(format!("maskgate {key}"));
    request.request().map_err(|error| {
        if is_denied(&site.chip) {
            return GpioError::Denied { path: site.chip.clone() };
        }
        let line = site.to_string();
        match user(site) {
            Some(consumer) => GpioError::Busy { key, line, consumer },
            None => GpioError::Request { key, line, reason: error.to_string() },
        }
    })
}

/// Who has the line, if anybody.
fn user(site: &Site) -> Option<String> {
    let chip = gpiocdev::Chip::from_path(&site.chip).ok()?;
    let info = chip.line_info(site.offset).ok()?;
    match info.consumer.as_str() {
        _ if !info.used => None,
        "" => Some("the kernel or a program that gives no name".into()),
        consumer => Some(format!("{consumer:?}")),
    }
}

struct Line(Request);

impl Output for Line {
    fn write(&mut self, on: bool) -> io::Result<()> {
        let value = if on { Value::Active } else { Value::Inactive };
        self.0.set_lone_value(value).map_err(io::Error::other)
    }
}

impl Sensor for Line {
    fn read(&mut self) -> io::Result<bool> {
        let value = self.0.lone_value().map_err(io::Error::other)?;
        Ok(value == Value::Active)
    }
}
