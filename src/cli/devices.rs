use serde::Serialize;

use super::Failure;
use super::output::Output;
use crate::gpio::list::{self, Chip};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One JSON object: `{"gpio":[…]}`
    #[arg(long)]
    json: bool,
}

/// What this machine has; nothing is switched, and no line is taken.
#[derive(Serialize)]
struct Devices {
    gpio: Vec<Chip>,
}

/// Nothing there is a good answer too: exit code 0.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let devices = Devices { gpio: list::chips() };
    let mut output = Output::new(true);
    if arguments.json {
        output.json(&devices)?;
    } else {
        output.line(list::text(&devices.gpio).trim_end())?;
    }
    output.finish()
}
