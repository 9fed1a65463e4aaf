use std::io::Write;
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Context;

use super::output::Output;
use super::{Common, Failure};
use crate::config::Backend;
use crate::pipeline::{Daemon, Health, Shutdown};
use crate::report::Event;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// End after so many seconds; without it SIGINT (Ctrl-C) ends it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: Option<u32>,
    /// No live page (there is none yet: taken so that scripts need not change)
    #[arg(long)]
    no_web: bool,
}

/// The daemon itself on the built-in clip; events on standard output, whatever the configuration
/// names as source and lines.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let shutdown = Shutdown::default();
    shutdown.on_signals(true).context("signals cannot be watched")?;
    let mut config = arguments.common.load()?.config;
    config.camera.source = "demo".into();
    config.gpio.backend = Backend::Simulated;
    let daemon = Daemon::open(&config)?;
    let limit = arguments.seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let tell = |event: &Event| {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{event}").and_then(|()| stdout.flush())
    };
    let totals = daemon.run(&shutdown, tell, |health: &Health| {
        match limit.is_some_and(|limit| health.time >= limit) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    if totals.left_behind {
        // It may hold standard output, for which the summary would wait for ever.
        return Err(Failure::Said);
    }
    let mut output = Output::new(true);
    output.line(format_args!("summary: {totals}"))?;
    output.finish()
}
