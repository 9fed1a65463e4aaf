use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use signal_hook::consts::SIGHUP;

use super::{Common, Failure};
use crate::config::{Config, without_passwords};
use crate::gpio;
use crate::pipeline::{Daemon, Health, PipelineError, Shutdown};
use crate::report::Event;
use crate::service::{LinesInUse, Service};
use crate::vision::Vision;
use crate::vision::model::Origin;

pub(super) fn run(common: &Common) -> Result<(), Failure> {
    let shutdown = Shutdown::default();
    // The log may go through a pipe (`| tee log`), and the terminal still be what is closed.
    let (input, output, errors) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let in_terminal = input.is_terminal() || output.is_terminal() || errors.is_terminal();
    shutdown.on_signals(in_terminal).context("signals cannot be watched")?;
    let hang_up = Arc::new(AtomicBool::new(false));
    if !in_terminal {
        signal_hook::flag::register(SIGHUP, Arc::clone(&hang_up))
            .context("signals cannot be watched")?;
    }
    let mut service = Service::from_environment();
    let lines = LinesInUse::from_environment();
    let mut config = common.load()?.config;
    let mut daemon = Daemon::open(&config)?;
    // The configuration before a reload, until the new one has shown a frame.
    let mut before: Option<Config> = None;
    loop {
        lines.set(&config.gpio);
        let models = daemon.models();
        let mut renewed = None;
        let mut frames = 0;
        let ended = daemon.run(&shutdown, log_event, |health: &Health| {
            frames = health.frames;
            if health.ending {
                // It may go on with another configuration, or with the one before, unless it was told
                // to end.
                let last = before.is_none() || frames > 0 || shutdown.is_triggered();
                if renewed.is_none() && last {
                    service.tell(health);
                }
                return ControlFlow::Break(());
            }
            if hang_up.swap(false, Ordering::Relaxed) {
                log::info!("SIGHUP: reading the configuration again");
                service.reloading();
                renewed = renew(common, &config, &models);
                if renewed.is_some() {
                    return ControlFlow::Break(());
                }
            }
            service.tell(health);
            ControlFlow::Continue(())
        });
        let totals = match (ended, before.take()) {
            (Ok(totals), _) => totals,
            // What a camera gives shows only with its first frame.
            (Err(PipelineError::Camera(error)), Some(old)) if frames == 0 => {
                let error = without_passwords(&error.to_string());
                log::error!("{error}; the old configuration is in force again");
                service.reloading();
                config = old;
                daemon = opened_again(&config)?;
                continue;
            }
            (Err(error), _) => return Err(error.into()),
        };
        let Some((new, vision)) = renewed.filter(|_| !shutdown.is_triggered()) else {
            log::info!("ended after {totals}");
            return Ok(());
        };
        log::info!("starting again with the new configuration, after {totals}");
        daemon = match Daemon::with_vision(&new, vision) {
            Ok(daemon) => {
                before = Some(std::mem::replace(&mut config, new));
                daemon
            }
            Err(error) => {
                let error = without_passwords(&error.to_string());
                log::error!("{error}; the old configuration stays in force");
                opened_again(&config)?
            }
        };
    }
}

/// With the configuration that was in force before. What it names was there once: where it is not, the box is
/// not to stay down for good, as with a configuration that is wrong, but to be started again.
fn opened_again(config: &Config) -> Result<Daemon, Failure> {
    Daemon::open(config).map_err(|error| Failure::Work(error.into()))
}

/// The configuration as it is now, with its models; none where neither it nor the `models` in its files
/// changed, or it is refused.
fn renew(common: &Common, old: &Config, models: &[Origin; 2]) -> Option<(Config, Vision)> {
    let refused = |words: &dyn std::fmt::Display| {
        log::error!("{words}");
        log::error!("the new configuration is refused; the old one stays in force");
    };
    let new = common.load().map_err(|failure| refused(&failure.words().unwrap_or_default()));
    let new = new.ok()?.config;
    gpio::check(&new.gpio).map_err(|error| refused(&error)).ok()?;
    let vision = Vision::load(&new.detector, &new.classifier).map_err(|error| refused(&error));
    let vision = vision.ok()?;
    if new == *old && vision.models() == models.each_ref() {
        log::info!("the configuration and its models did not change");
        return None;
    }
    Some((new, vision))
}

fn log_event(event: &Event) -> std::io::Result<()> {
    log::info!("{event}");
    Ok(())
}
