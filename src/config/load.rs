//! Reads the layers (defaults, file, environment) and gathers everything wrong with them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat, Source, Value, ValueKind};

use super::Config;
use super::keys::{KEYS, Key};

/// Read when no file is named on the command line and it exists.
pub const DEFAULT_PATH: &str = "/etc/maskgate/maskgate.toml";

const PREFIX: &str = "MASKGATE";

/// Why a configuration is not taken. Nothing was opened.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path}: the configuration cannot be read: {cause}", path = .path.display())]
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
    let file = match path {
        Some(path) => Some(path.to_path_buf()),
        None => Some(PathBuf::from(DEFAULT_PATH)).filter(|path| path.exists()),
    };
    let text = match &file {
        Some(path) => Some(
            std::fs::read_to_string(path)
                .map_err(|cause| ConfigError::Read { path: path.clone(), cause })?,
        ),
        None => None,
    };
    let text = file.as_deref().zip(text.as_deref());
    let config = from_layers(text, Environment::with_prefix(PREFIX).separator("__"))?;
    Ok(Loaded { config, file })
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

/// The parser's own words, with line and column, without the crate's preface.
fn syntax(error: config::ConfigError) -> String {
    match error {
        config::ConfigError::FileParse { cause, .. } => cause.to_string().trim_end().to_owned(),
        other => other.to_string(),
    }
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
        if self.problems.is_empty() {
            let config: Config = std::mem::take(&mut self.builder).build()?.try_deserialize()?;
            let between = config.gpio.problems();
            if between.is_empty() {
                return Ok(config);
            }
            for (key, what) in between {
                let origin = self.origins.get(&key).cloned().unwrap_or_default();
                self.refuse(origin, &key, what);
            }
        }
        self.problems.sort_by(|a, b| (&a.origin, &a.key).cmp(&(&b.origin, &b.key)));
        Err(ConfigError::Problems(self.problems))
    }
}

fn not_allowed(key: &Key, value: &Value) -> String {
    format!("{} is not allowed; allowed is {}", shown(value), key.allowed.describe())
}

/// The value as it would be written in TOML.
fn shown(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => format!("{text:?}"),
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
mod tests {
    use std::collections::HashMap;

    use super::*;

    const SHIPPED: &str = include_str!("../../config/maskgate.toml");

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let variables: HashMap<String, String> =
            environment.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let environment = Environment::with_prefix(PREFIX).separator("__").source(Some(variables));
        from_layers(Some((Path::new("box.toml"), text)), environment)
            .map_err(|error| error.to_string())
    }

    /// Every key of a table, sections in front: `camera.width`.
    fn names(table: &config::Value, before: &str, into: &mut Vec<String>) {
        match &table.kind {
            ValueKind::Table(keys) => {
                for (key, value) in keys {
                    names(value, &format!("{before}{key}."), into);
                }
            }
            _ => into.push(before.trim_end_matches('.').to_owned()),
        }
    }

    fn keys_of(source: &dyn Source) -> Vec<String> {
        let mut found = Vec::new();
        for (key, value) in source.collect().unwrap() {
            names(&value, &format!("{key}."), &mut found);
        }
        found.sort();
        found
    }

    #[test]
    fn the_shipped_file_holds_every_key_with_its_default() {
        assert_eq!(read(SHIPPED, &[]), Ok(Config::default()));
        let defaults = config::Config::try_from(&Config::default()).unwrap();
        assert_eq!(keys_of(&File::from_str(SHIPPED, FileFormat::Toml)), keys_of(&defaults));
    }

    #[test]
    fn every_key_of_the_types_says_what_it_may_hold() {
        let defaults = config::Config::try_from(&Config::default()).unwrap();
        let mut table: Vec<_> = KEYS.iter().map(|key| key.name.to_owned()).collect();
        table.sort();
        assert_eq!(table, keys_of(&defaults));
    }

    #[test]
    fn the_shipped_file_tells_the_range_of_every_number() {
        for key in KEYS {
            let ends = match key.allowed {
                crate::config::keys::Allowed::Whole(low, high) => format!("{low} to {high}"),
                crate::config::keys::Allowed::Real(low, high)
                | crate::config::keys::Allowed::AutoOr(low, high) => format!("{low} to {high}"),
                _ => continue,
            };
            // The comment stands above the key, or above its neighbour; 0 may have a word beside.
            let (section, name) = key.name.split_once('.').unwrap();
            let section = &SHIPPED[SHIPPED.find(&format!("[{section}]")).unwrap()..];
            let comment = &section[..section.find(&format!("\n{name} = ")).unwrap()];
            let told = comment.replace(" (any)", "");
            let nearest = told.rfind(" to ").map(|at| &told[at.saturating_sub(6)..]);
            assert!(
                told[told.len().saturating_sub(260)..].contains(&ends),
                "{}: {ends} is not told, but {nearest:?}",
                key.name
            );
        }
    }

    #[test]
    fn the_demo_configuration_is_good() {
        let demo = read(include_str!("../../config/demo.toml"), &[]).unwrap();
        assert_eq!(demo.camera.source, "demo");
    }

    #[test]
    fn every_recipe_for_a_camera_is_a_good_configuration() {
        let recipes: Vec<_> =
            include_str!("../../docs/cameras.md").split("```toml").skip(1).collect();
        for recipe in &recipes {
            let (text, _) = recipe.split_once("```").unwrap();
            let config = read(text, &[]).unwrap();
            assert_ne!(config, Config::default(), "{text}");
        }
        assert_eq!(recipes.len(), 4);
    }

    #[test]
    fn the_environment_wins_over_the_file_and_speaks_numbers_and_truth() {
        let config = read(
            "[camera]\nwidth = 320\nheight = 240\n[alarm]\nhold_s = 1",
            &[
                ("MASKGATE__CAMERA__WIDTH", "1280"),
                ("MASKGATE__DETECTOR__THRESHOLD", "0.7"),
                ("MASKGATE__ALARM__INCORRECT_ALARMS", "false"),
                ("MASKGATE__ALARM__MODE", "hard"),
                ("MASKGATE_CACHE", "not ours: one underscore"),
            ],
        )
        .unwrap();
        assert_eq!((config.camera.width, config.camera.height), (1280, 240));
        assert_eq!(config.detector.threshold, 0.7);
        assert!(!config.alarm.incorrect_alarms);
        assert_eq!(config.alarm.mode, crate::config::AlarmMode::Hard);
        assert_eq!(config.alarm.hold_s, 1.0);
        let gain = |value| read("", &[("MASKGATE__CAMERA__GAIN", value)]).unwrap().camera.gain;
        assert_eq!(gain("40").fixed(), Some(40.0));
        assert_eq!(gain("auto").fixed(), None);
    }

    #[test]
    fn a_typo_names_file_and_key_and_the_keys_there_are() {
        assert_eq!(
            read("[camera]\nwidht = 640", &[]).unwrap_err(),
            "box.toml: camera.widht: there is no such key; [camera] has source, width, height, fps, \
             format, stuck_s, crop, rotate, mirror, exposure_ms, gain, white_balance_k, power_line"
        );
        assert_eq!(
            read("[camra]\nwidth = 640", &[]).unwrap_err(),
            "box.toml: camra: there is no such section; there are camera, detector, classifier, \
             tracking, alarm, gpio"
        );
    }

    #[test]
    fn a_wrong_type_is_refused_even_if_it_could_be_read_somehow() {
        for (text, shown) in [
            ("[camera]\nwidth = \"640\"", "\"640\""),
            ("[camera]\nwidth = 640.5", "640.5"),
            ("[camera]\nwidth = true", "true"),
            ("[camera]\nwidth = [640]", "a list"),
            ("[camera.width]\npixels = 640", "a section"),
        ] {
            assert_eq!(
                read(text, &[]).unwrap_err(),
                format!(
                    "box.toml: camera.width: {shown} is not allowed; allowed is a whole number \
                     from 16 to 7680"
                )
            );
        }
        assert_eq!(
            read("[alarm]\nincorrect_alarms = 1", &[]).unwrap_err(),
            "box.toml: alarm.incorrect_alarms: 1 is not allowed; allowed is true or false"
        );
        assert_eq!(
            read("camera = 3", &[]).unwrap_err(),
            "box.toml: camera: is a section with keys of its own, not 3"
        );
    }

    #[test]
    fn a_value_out_of_range_is_told_with_its_range() {
        for (text, words) in [
            ("[detector]\nwidth = 95", "detector.width: 95 is not allowed; allowed is a whole"),
            ("[detector]\nthreshold = 1.5", "1.5 is not allowed; allowed is a number from 0 to 1"),
            ("[detector]\nthreshold = nan", "allowed is a number from 0 to 1"),
            ("[tracking]\nhalf_life_s = inf", "allowed is a number from 0.05 to 10"),
            (
                "[alarm]\nmode = \"loud\"",
                "\"loud\" is not allowed; allowed is one of \"soft\", \"hard\"",
            ),
            (
                "[camera]\nsource = \"usb\"",
                "allowed is \"demo\", \"file:PATH\", \"v4l2:DEVICE\" or \"pipe:COMMAND\"",
            ),
            ("[camera]\nsource = \"pipe: \"", "\"pipe: \" is not allowed"),
            ("[camera]\nrotate = 45", "45 is not allowed; allowed is one of 0, 90, 180, 270"),
            ("[camera]\ncrop = \"320x240\"", "allowed is \"WIDTHxHEIGHT+LEFT+TOP\" in pixels"),
            ("[camera]\ncrop = \"8x240+0+0\"", "16x16 or larger"),
            ("[camera]\ngain = \"high\"", "allowed is \"auto\" or a number from 0 to 65535"),
            ("[camera]\nexposure_ms = 0", "allowed is \"auto\" or a number from 0.1 to 1000"),
            ("[camera]\nsource = \"file:\"", "\"file:\" is not allowed"),
            ("[detector]\nsha256 = \"abc\"", "allowed is 64 hexadecimal digits in quotes"),
        ] {
            let error = read(text, &[]).unwrap_err();
            assert!(error.starts_with("box.toml: ") && error.contains(words), "{error}");
        }
    }

    #[test]
    fn lines_and_patterns_are_short_to_write() {
        let config = read(
            "[alarm]\nred_pattern = \"blink:250\"\n[gpio]\nred = 17\ngreen = \"GPIO27\"\n\
             door = \"gpiochip0:22 active-low open-drain\"",
            &[("MASKGATE__GPIO__BUZZER", "18")],
        )
        .unwrap();
        assert_eq!(config.gpio.red, "17".parse().unwrap());
        assert_eq!(config.gpio.buzzer, "18".parse().unwrap());
        assert_eq!(config.gpio.door, "gpiochip0:22 open-drain active-low".parse().unwrap());
        assert_eq!(config.gpio.amber.line, None);
        assert_eq!(config.alarm.red_pattern.beat_ms, 250);
    }

    #[test]
    fn wrong_lines_and_patterns_are_told_with_what_is_right() {
        for (text, words) in [
            ("[gpio]\nred = \"17 lwo\"", "gpio.red: \"17 lwo\" is not allowed; allowed is a line"),
            ("[gpio]\nred = -1", "gpio.red: -1 is not allowed"),
            ("[gpio]\nmotion = \"4 open-drain\"", "after it where wanted active-low and pull-up"),
            ("[alarm]\nred_pattern = \"blink:0\"", "one beat, 20 to 5000: \"blink:250\""),
            ("[alarm]\nred_pattern = \"chirp\"", "one of \"steady\", \"blink\", \"sos\""),
            ("[gpio]\nbackend = \"pi\"", "\"auto\", \"rppal\", \"cdev\", \"simulated\""),
        ] {
            let error = read(text, &[]).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_line_used_twice_names_both_keys_and_where_the_second_was_set() {
        assert_eq!(
            read("[gpio]\nred = 17\nmotion = 17", &[]).unwrap_err(),
            "box.toml: gpio.motion: line 17 is taken by gpio.red; a line can do one thing only"
        );
        let error = read(
            "[gpio]\nred = \"/dev/gpiochip0:17\"",
            &[("MASKGATE__GPIO__DOOR", "gpiochip0:17 active-low")],
        )
        .unwrap_err();
        assert!(error.starts_with("MASKGATE__GPIO__DOOR: gpio.door: line gpiochip0:17"), "{error}");
    }

    #[test]
    fn a_drive_the_backend_cannot_do_is_refused() {
        let error = read("[gpio]\nbackend = \"rppal\"\ndoor = \"22 open-drain\"", &[]).unwrap_err();
        assert!(error.contains("gpio.door") && error.contains("\"cdev\""), "{error}");
        assert!(read("[gpio]\nbackend = \"cdev\"\ndoor = \"22 open-drain\"", &[]).is_ok());
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let error = read(
            "[camera]\nwidth = 0\nspeed = 3\n[detector]\nthreshold = \"high\"",
            &[("MASKGATE__GPIO__BACKEND", "magic"), ("MASKGATE__NOTHING", "1")],
        )
        .unwrap_err();
        let lines: Vec<_> = error.lines().collect();
        assert_eq!(lines.first(), Some(&"5 problems in the configuration"));
        for words in [
            "  MASKGATE__GPIO__BACKEND: gpio.backend: \"magic\"",
            "  MASKGATE__NOTHING: nothing: there is no such section",
            "  box.toml: camera.speed: there is no such key",
            "  box.toml: camera.width: 0 is not allowed",
            "  box.toml: detector.threshold: \"high\" is not allowed",
        ] {
            assert!(lines.iter().any(|line| line.starts_with(words)), "{words} in {error}");
        }
    }

    #[test]
    fn what_is_not_toml_is_told_with_its_line() {
        let error = read("[camera]\nwidth = 640 480\n", &[]).unwrap_err();
        assert!(error.starts_with("box.toml: not valid TOML: "), "{error}");
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn a_named_file_must_exist() {
        let error = load(Some(Path::new("/nonexistent/box.toml"))).unwrap_err().to_string();
        assert!(error.starts_with("/nonexistent/box.toml: the configuration cannot be read"));
    }
}
