//! Which lines the running daemon has, for `maskgate safe` after a crash: by then the configuration
//! may be another, or wrong.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::config::Gpio;

/// Under systemd's `RuntimeDirectory=`, which lies in memory and goes when the service has ended.
const FILE: &str = "lines.json";

/// The file that tells it; none where no service manager gives a folder for it.
#[derive(Clone, Debug, Default)]
pub struct LinesInUse(Option<PathBuf>);

impl LinesInUse {
    /// As the environment says ($RUNTIME_DIRECTORY).
    pub fn from_environment() -> Self {
        let folder = env::var_os("RUNTIME_DIRECTORY").filter(|folder| !folder.is_empty());
        Self::under(folder.as_ref().map(Path::new))
    }

    fn under(folder: Option<&Path>) -> Self {
        Self(folder.map(|folder| folder.join(FILE)))
    }

    /// Sets down the lines that were opened. Where that fails the daemon runs all the same.
    pub fn set(&self, settings: &Gpio) {
        let Some(path) = &self.0 else { return };
        let fresh = path.with_extension("new");
        let written = serde_json::to_vec(settings)
            .map_err(io::Error::other)
            .and_then(|text| fs::write(&fresh, text))
            .and_then(|()| fs::rename(&fresh, path));
        if let Err(error) = written {
            // Lines of before would be worse than none.
            let _ = fs::remove_file(path);
            log::warn!(
                "{}: {error}; `maskgate safe` will go by the configuration alone",
                path.display()
            );
        }
    }

    /// The lines of the daemon that ran last; none where nobody set them down.
    pub fn get(&self) -> Option<Gpio> {
        let path = self.0.as_ref()?;
        let read = |text: Vec<u8>| serde_json::from_slice(&text).map_err(io::Error::other);
        match fs::read(path).and_then(read) {
            Ok(settings) => Some(settings),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                log::warn!("{}: {error}; going by the configuration", path.display());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_down_is_read_again_and_damage_counts_as_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let lines = LinesInUse::under(Some(folder.path()));
        assert_eq!(lines.get(), None);
        let door = "gpiochip0:22 active-low".parse().unwrap();
        let settings = Gpio { door, motion: "4 pull-up".parse().unwrap(), ..Gpio::default() };
        lines.set(&settings);
        assert_eq!(lines.get(), Some(settings));
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert_eq!(lines.get(), None);
        LinesInUse::default().set(&Gpio::default());
        assert_eq!(LinesInUse::default().get(), None);
    }
}
