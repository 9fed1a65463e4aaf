//! The daemon and its commands: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use maskgate::cli::{Arguments, Failure};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    arguments.start_logging();
    match arguments.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(words) = failure.words() {
                Arguments::complain(&words);
            }
            match failure {
                Failure::Closed => ExitCode::SUCCESS,
                Failure::Work(_) | Failure::Said => ExitCode::from(1),
                Failure::Configuration(_) => ExitCode::from(2),
            }
        }
    }
}
