use serde::Serialize;

use super::Failure;
use super::output::Output;
use crate::camera::{self, CameraInfo};
use crate::gpio::list::{self as chips, Chip};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One JSON object: `{"cameras":[…],"gpio":[…]}`
    #[arg(long)]
    json: bool,
}

/// What this machine has; nothing is switched, and no line is taken.
#[derive(Serialize)]
struct Devices {
    cameras: Vec<CameraInfo>,
    gpio: Vec<Chip>,
}

/// Nothing there is a good answer too: exit code 0.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let devices = Devices { cameras: camera::cameras(), gpio: chips::chips() };
    let mut output = Output::new(true);
    if arguments.json {
        output.json(&devices)?;
    } else {
        output.line(camera::render(&devices.cameras).trim_end())?;
        output.line(chips::text(&devices.gpio).trim_end())?;
    }
    output.finish()
}
