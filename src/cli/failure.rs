use std::io;

use crate::camera::CameraError;
use crate::config::{ConfigError, without_passwords};
use crate::gpio::GpioError;
use crate::pipeline::PipelineError;
use crate::vision::VisionError;

/// Why a command did not do what it was asked; decides the exit code.
#[derive(Debug)]
pub enum Failure {
    /// Wrong use or a wrong configuration: exit code 2.
    Configuration(anyhow::Error),
    /// Something failed at work: exit code 1.
    Work(anyhow::Error),
    /// Failed at work, and each cause was told where it came up: exit code 1.
    Said,
    /// Whoever read standard output has gone (`| head`): nothing is wrong, exit code 0.
    Closed,
}

/// The error with its causes; one that names its cause already does not say it twice.
pub fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| {
        match (text.is_empty(), text.ends_with(&cause)) {
            (true, _) => cause,
            (false, true) => text,
            (false, false) => format!("{text}: {cause}"),
        }
    })
}

impl Failure {
    /// What to say at the end: the chain of causes, if there is something to say.
    pub fn words(&self) -> Option<String> {
        match self {
            Failure::Configuration(error) | Failure::Work(error) => {
                Some(without_passwords(&chain(error)))
            }
            Failure::Said | Failure::Closed => None,
        }
    }

    /// What went wrong on standard output.
    pub(super) fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::Work(anyhow::Error::new(error).context("standard output")),
        }
    }

    /// A model that cannot be loaded is named by the configuration, or is none.
    pub(super) fn model(error: VisionError) -> Self {
        Failure::Configuration(error.into())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Work(error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Failure::Configuration(error.into())
    }
}

impl From<CameraError> for Failure {
    fn from(error: CameraError) -> Self {
        match error {
            CameraError::UnknownSource { .. } => Failure::Configuration(error.into()),
            _ => Failure::Work(error.into()),
        }
    }
}

impl From<GpioError> for Failure {
    fn from(error: GpioError) -> Self {
        match error.is_configuration() {
            true => Failure::Configuration(error.into()),
            false => Failure::Work(error.into()),
        }
    }
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        match error {
            // What the configuration names.
            PipelineError::Camera(error) if error.is_configuration() => {
                Failure::Configuration(error.into())
            }
            PipelineError::Camera(error) => error.into(),
            PipelineError::Vision(error) => Failure::model(error),
            PipelineError::Gpio(error) => error.into(),
            PipelineError::Report(error) => Failure::output(error),
            _ => Failure::Work(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let named = CameraError::Read { path: "a.png".into(), source: missing() };
        let wanted = named.to_string();
        assert_eq!(chain(&named.into()), wanted);
        let told = anyhow::Error::new(missing()).context("a.toml").context("the camera");
        assert_eq!(chain(&told), format!("the camera: a.toml: {}", missing()));
    }
}
