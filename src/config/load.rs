//! Reads the layers (defaults, file, environment) and gathers everything wrong with them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat, Source, Value, ValueKind};

use super::keys::{KEYS, Key};
use super::{Config, without_arguments, without_passwords};

/// Read when no file is named on the command line and it exists.
pub const DEFAULT_PATH: &str = "/etc/maskgate/maskgate.toml";

const PREFIX: &str = "MASKGATE";

/// Why a configuration is not taken. Nothing was opened.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "{path}: the configuration cannot be read: {cause}{}", hint(.cause),
        path = .path.display()
    )]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("{path}: not valid TOML: {cause}", path = .path.display())]
    Syntax { path: PathBuf, cause: String },
    #[error("the environment: {0}")]
    Environment(String),
    #[error("{}", Lines(.0))]
    Problems(Vec<Problem>),
    /// The table of keys and the types disagree: a mistake in the program, held off by a test.
    #[error("the configuration does not fit together: {0}")]
    Types(#[from] config::ConfigError),
}

/// The package gives the file to the service's group: it may hold a camera's password.
fn hint(cause: &std::io::Error) -> &'static str {
    match cause.kind() {
        ErrorKind::PermissionDenied => {
            "; run this as root, join the group that owns it (maskgate), or name another file with \
             --config"
        }
        _ => "",
    }
}

/// One thing wrong: where, which key, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A file's path or the name of an environment variable.
    pub origin: String,
    pub key: String,
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.origin, self.key, self.what)
    }
}

struct Lines<'a>(&'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [one] => write!(f, "{one}"),
            all => {
                write!(f, "{} problems in the configuration", all.len())?;
                all.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

/// A configuration and the file it was read from, if any.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    pub file: Option<PathBuf>,
}

impl Loaded {
    /// For the log: where the values came from.
    pub fn describe(&self) -> String {
        match &self.file {
            Some(path) => format!("configuration: {}", path.display()),
            None => format!("configuration: built-in defaults ({DEFAULT_PATH} does not exist)"),
        }
    }
}

/// Defaults, then the file, then `MASKGATE__SECTION__KEY` from the environment.
///
/// `path` must exist; without one, [`DEFAULT_PATH`] is read where it exists.
pub fn load(path: Option<&Path>) -> Result<Loaded, ConfigError> {
    let file = path.unwrap_or(Path::new(DEFAULT_PATH)).to_path_buf();
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => Some(text),
        // Only what is not there is passed over, not what may not be read.
        Err(cause) if path.is_none() && cause.kind() == ErrorKind::NotFound => None,
        Err(cause) => return Err(ConfigError::Read { path: file, cause }),
    };
    if let Some(name) = std::env::vars_os().find_map(not_text) {
        return Err(ConfigError::Environment(format!(
            "{name}: the value is not UTF-8; write it into the file instead"
        )));
    }
    let layer = text.as_deref().map(|text| (file.as_path(), text));
    let config = from_layers(layer, Environment::with_prefix(PREFIX).separator("__"))?;
    let file = Some(file).filter(|_| text.is_some());
    Ok(Loaded { config, file })
}

/// The name of a variable that is ours and holds no text. The library would show its value, which may
/// hold a password.
fn not_text((name, value): (OsString, OsString)) -> Option<String> {
    let name = name.to_string_lossy().into_owned();
    let ours = name.to_uppercase().starts_with(&format!("{PREFIX}__"));
    (ours && value.to_str().is_none()).then_some(name)
}

/// Defaults and the given text only; the environment is not looked at. `path` is for messages.
pub fn from_text(path: &Path, text: &str) -> Result<Config, ConfigError> {
    from_layers(Some((path, text)), Environment::default().source(Some(Default::default())))
}

fn from_layers(
    text: Option<(&Path, &str)>,
    environment: Environment,
) -> Result<Config, ConfigError> {
    let defaults = config::Config::try_from(&Config::default())?;
    let mut layers =
        Layers { builder: config::Config::builder().add_source(defaults), ..Layers::default() };
    if let Some((path, text)) = text {
        let found = File::from_str(text, FileFormat::Toml).collect().map_err(|error| {
            ConfigError::Syntax { path: path.to_path_buf(), cause: syntax(error) }
        })?;
        let origin = path.display().to_string();
        for (key, value) in found {
            layers.put(&key, &value, false, &|_| origin.clone())?;
        }
    }
    let found =
        environment.collect().map_err(|error| ConfigError::Environment(error.to_string()))?;
    for (key, value) in found {
        layers.put(&key, &value, true, &variable)?;
    }
    layers.finish()
}

/// The parser's own words, with line and column, without the crate's preface. They show the line only
/// where it is a section or a key that we know: another may be the middle of a source with its
/// password.
fn syntax(error: config::ConfigError) -> String {
    let words = match error {
        config::ConfigError::FileParse { cause, .. } => cause.to_string(),
        other => other.to_string(),
    };
    let lines = words.trim_end().lines().map(|line| match line.split_once(" | ") {
        Some((number, shown)) if number.trim().parse::<u32>().is_ok() && !is_harmless(shown) => {
            format!("{number} | …")
        }
        _ => line.to_owned(),
    });
    without_passwords(&lines.collect::<Vec<_>>().join("\n"))
}

fn is_harmless(line: &str) -> bool {
    let line = line.trim();
    let of_section = |c: char| c.is_ascii_lowercase() || "[]._ ".contains(c);
    let name = line.split('=').next().unwrap_or(line).trim();
    let known = KEYS.iter().any(|key| key.name.rsplit('.').next() == Some(name));
    let signs = ["pipe:", "://", "@", " -"];
    (line.starts_with('[') && line.chars().all(of_section))
        || (known && name != "source" && !signs.iter().any(|sign| line.contains(sign)))
}

/// The environment variable that sets `key`.
fn variable(key: &str) -> String {
    format!("{PREFIX}__{}", key.replace('.', "__").to_uppercase())
}

#[derive(Default)]
struct Layers {
    builder: config::ConfigBuilder<config::builder::DefaultState>,
    problems: Vec<Problem>,
    /// Where each key was set last.
    origins: BTreeMap<String, String>,
}

impl Layers {
    /// Lays one value over what is there; `spoken` where all values are text.
    fn put(
        &mut self,
        name: &str,
        value: &Value,
        spoken: bool,
        origin: &dyn Fn(&str) -> String,
    ) -> Result<(), ConfigError> {
        if let Some(key) = KEYS.iter().find(|key| key.name == name) {
            match key.allowed.take(value, spoken) {
                Some(taken) => {
                    let builder = std::mem::take(&mut self.builder);
                    self.builder = builder.set_override(name, taken)?;
                    self.origins.insert(name.into(), origin(name));
                }
                None => self.refuse(origin(name), name, not_allowed(key, value)),
            }
            return Ok(());
        }
        let section = KEYS.iter().any(|key| within(key.name, name));
        match &value.kind {
            ValueKind::Table(table) if section => {
                for (key, value) in table {
                    self.put(&format!("{name}.{key}"), value, spoken, origin)?;
                }
            }
            _ if section => {
                let what = format!("is a section with keys of its own, not {}", shown(value));
                self.refuse(origin(name), name, what);
            }
            _ => self.refuse(origin(name), name, unknown(name)),
        }
        Ok(())
    }

    fn refuse(&mut self, origin: String, key: &str, what: String) {
        self.problems.push(Problem { origin, key: key.into(), what });
    }

    fn finish(mut self) -> Result<Config, ConfigError> {
        // Without the keys that are refused, which are as if they were not there.
        let config: Config = std::mem::take(&mut self.builder).build()?.try_deserialize()?;
        for (key, what) in config.gpio.problems() {
            let origin = self.origins.get(&key).cloned().unwrap_or_default();
            self.refuse(origin, &key, what);
        }
        if self.problems.is_empty() {
            return Ok(config);
        }
        self.problems.sort_by(|a, b| (&a.origin, &a.key).cmp(&(&b.origin, &b.key)));
        Err(ConfigError::Problems(self.problems))
    }
}

fn not_allowed(key: &Key, value: &Value) -> String {
    let shown = match &value.kind {
        ValueKind::String(text) if key.name == "camera.source" => {
            format!("{:?}", without_arguments(text))
        }
        _ => shown(value),
    };
    format!("{shown} is not allowed; allowed is {}", key.allowed.describe())
}

/// The value as it would be written in TOML.
fn shown(value: &Value) -> String {
    match &value.kind {
        // A source that stands in another's place.
        ValueKind::String(text) if text.trim_start().starts_with("pipe:") => {
            format!("{:?}", without_arguments(text.trim_start()))
        }
        ValueKind::String(text) => format!("{:?}", without_passwords(text)),
        ValueKind::Table(_) => "a section".into(),
        ValueKind::Array(_) => "a list".into(),
        other => other.to_string(),
    }
}

fn unknown(name: &str) -> String {
    let section = name.split('.').next().unwrap_or(name);
    let keys: Vec<_> = KEYS
        .iter()
        .filter(|key| within(key.name, section))
        .map(|key| &key.name[section.len() + 1..])
        .collect();
    if keys.is_empty() {
        let mut sections: Vec<_> =
            KEYS.iter().filter_map(|key| key.name.split('.').next()).collect();
        sections.dedup();
        format!("there is no such section; there are {}", sections.join(", "))
    } else {
        format!("there is no such key; [{section}] has {}", keys.join(", "))
    }
}

/// `gpio.lamp.line` is within `gpio.lamp` and within `gpio`.
fn within(key: &str, section: &str) -> bool {
    key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests;
