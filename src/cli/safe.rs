use super::{Common, Failure};
use crate::gpio;

/// Opens the lines, which makes outputs inactive, and gives them back. For systemd's ExecStopPost:
/// after a SIGKILL the kernel may leave lines as they were, and nothing else runs before the next
/// start.
pub(super) fn run(common: &Common) -> Result<(), Failure> {
    let config = common.load()?.config;
    let board = gpio::open(&config.gpio)?;
    log::info!("safe: {}", board.describe());
    Ok(())
}
