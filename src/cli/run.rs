use anyhow::Context;

use super::{Common, Failure};
use crate::pipeline::{Daemon, Shutdown};

pub(super) fn run(common: &Common) -> Result<(), Failure> {
    let shutdown = Shutdown::default();
    shutdown.on_signals().context("signals cannot be watched")?;
    let config = common.load()?.config;
    let daemon = Daemon::open(&config)?;
    let totals = daemon.run(&shutdown, None, |event| {
        log::info!("{event}");
        Ok(())
    })?;
    log::info!("ended after {totals}");
    Ok(())
}
