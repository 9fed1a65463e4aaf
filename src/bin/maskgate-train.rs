//! The companion: trains the models off the device.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use maskgate::cli::chain;
use maskgate::train::{
    WrongUse, classifier, clip, detector, evaluate, label, quantise, synthesise,
};

/// A network's tensors come and go by the gigabyte; glibc gives each back to the kernel at once,
/// which nearly doubles the time of a step.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains, labels and judges maskgate's models
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train the face detector
    Detector(detector::Args),
    /// Mark faces in pictures with published detectors as teachers
    Label(label::Args),
    /// Train the mask classifier and write it as ONNX
    Classifier(classifier::Args),
    /// Judge a classifier or a detector on what training left out
    Evaluate(evaluate::Args),
    /// Make a classifier's full-integer version as a second file and hold it against the first
    Quantise(quantise::Args),
    /// Make the demo clip from composed faces
    Clip(clip::Args),
    /// Draw masks on bare faces, to train on
    Synthesise(synthesise::Args),
}

fn main() -> ExitCode {
    let quiet = "info,tract=warn,cubecl=warn,naga=warn,wgpu=warn";
    env_logger::init_from_env(env_logger::Env::default().default_filter_or(quiet));
    let done = match Cli::parse().command {
        Command::Detector(args) => detector::run(&args),
        Command::Label(args) => label::run(&args),
        Command::Classifier(args) => classifier::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Quantise(args) => quantise::run(&args),
        Command::Clip(args) => clip::run(&args),
        Command::Synthesise(args) => synthesise::run(&args),
    };
    let Err(error) = done else { return ExitCode::SUCCESS };
    // Nobody may read it any more; the exit code says it, too.
    let _ = writeln!(io::stderr(), "Error: {}", chain(&error));
    let of_options = |error: &classifier::ClassifierError| error.is_wrong_use();
    let of_quantise = |error: &quantise::QuantiseError| error.is_wrong_use();
    let wrong = error.is::<WrongUse>()
        || error.downcast_ref().is_some_and(of_options)
        || error.downcast_ref().is_some_and(of_quantise);
    // As with wrong options that clap finds.
    ExitCode::from(if wrong { 2 } else { 1 })
}
