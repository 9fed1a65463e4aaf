//! The command line: one file per subcommand. Results go to standard output, logs to standard
//! error; a failure becomes an exit code.
//! Never: work that another program could want; that is in the other rooms.

mod bench;
mod check;
mod clip;
mod demo;
mod devices;
mod failure;
mod gallery;
mod image;
mod logging;
mod marks;
mod output;
mod run;
mod safe;
mod video;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use env_logger::TimestampPrecision;

pub use failure::{Failure, chain};

use crate::config::{self, Loaded};

/// Sees at a door whether the mask is worn, and switches a lamp.
#[derive(Debug, Parser)]
#[command(name = "maskgate", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The daemon: watch the camera and switch the lines until SIGINT or SIGTERM
    Run(Common),
    /// The whole box without hardware: the built-in clip in real time, simulated lines
    Demo(demo::Arguments),
    /// Look at pictures: files, or all pictures of a folder
    Image(image::Arguments),
    /// Put every frame of a clip through the daemon's tracking and policy
    Video(video::Arguments),
    /// List the cameras of this computer with their modes, and its GPIO lines with their users
    Devices(devices::Arguments),
    /// Switch every output off, hold the door, and end: for what comes after a crash
    Safe(Common),
    /// Check the configuration and the models, and say what is in force
    Check(check::Arguments),
    /// Time each stage on this computer, on one thread
    Bench(bench::Arguments),
}

/// What every command takes.
#[derive(Debug, Args)]
struct Common {
    /// Configuration file; without it /etc/maskgate/maskgate.toml, or where that is missing the
    /// defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Common {
    fn load(&self) -> Result<Loaded, Failure> {
        let loaded = config::load(self.config.as_deref())?;
        log::info!("{}", loaded.describe());
        Ok(loaded)
    }
}

impl Arguments {
    /// Logs to standard error: what happens where something runs, only warnings where results are
    /// printed; `RUST_LOG` decides otherwise.
    pub fn start_logging(&self) {
        let (level, times) = match self.command {
            Command::Run(_) => ("info", Some(TimestampPrecision::Millis)),
            Command::Demo(_) | Command::Safe(_) => ("info", None),
            _ => ("warn", None),
        };
        logging::start(level, times);
    }

    /// Says why a command failed, where the log goes.
    pub fn complain(words: &str) {
        logging::complain(words);
    }

    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Run(common) => run::run(&common),
            Command::Demo(arguments) => demo::run(&arguments),
            Command::Image(arguments) => image::run(&arguments),
            Command::Video(arguments) => video::run(&arguments),
            Command::Devices(arguments) => devices::run(&arguments),
            Command::Safe(common) => safe::run(&common),
            Command::Check(arguments) => check::run(&arguments),
            Command::Bench(arguments) => bench::run(&arguments),
        }
    }
}
