//! What each key may hold. One table: loading, messages and tests all read it.

use std::str::FromStr;

use config::{Value, ValueKind};

use super::Region;
use super::lines::{BEAT_MS, InputLine, OutputLine, Pattern};

/// A key of the configuration and the values it may have.
pub struct Key {
    /// Section and key: `camera.width`.
    pub name: &'static str,
    pub allowed: Allowed,
}

/// Every key there is, in the order of the shipped file.
pub const KEYS: &[Key] = &[
    Key { name: "camera.source", allowed: Allowed::Source },
    Key { name: "camera.width", allowed: Allowed::Whole(16, 7680) },
    Key { name: "camera.height", allowed: Allowed::Whole(16, 4320) },
    Key { name: "camera.fps", allowed: Allowed::Whole(1, 240) },
    Key {
        name: "camera.format",
        allowed: Allowed::OneOf(&[
            "auto", "yuyv", "uyvy", "nv12", "yu12", "mjpg", "grey", "rgb3", "bgr3",
        ]),
    },
    Key { name: "camera.stuck_s", allowed: Allowed::Real(0.5, 60.0) },
    Key { name: "camera.crop", allowed: Allowed::Region },
    Key { name: "camera.rotate", allowed: Allowed::Among(&[0, 90, 180, 270]) },
    Key { name: "camera.mirror", allowed: Allowed::YesNo },
    Key { name: "camera.exposure_ms", allowed: Allowed::AutoOr(0.1, 1000.0) },
    Key { name: "camera.gain", allowed: Allowed::AutoOr(0.0, 65535.0) },
    Key { name: "camera.white_balance_k", allowed: Allowed::AutoOr(1000.0, 15000.0) },
    Key { name: "camera.power_line", allowed: Allowed::OneOf(&["auto", "50hz", "60hz", "off"]) },
    Key { name: "detector.model", allowed: Allowed::Path },
    Key { name: "detector.sha256", allowed: Allowed::Sha256 },
    Key { name: "detector.width", allowed: Allowed::Whole(96, 1920) },
    Key { name: "detector.height", allowed: Allowed::Whole(96, 1920) },
    Key { name: "detector.threshold", allowed: Allowed::Real(0.0, 1.0) },
    Key { name: "detector.nms_iou", allowed: Allowed::Real(0.0, 1.0) },
    Key { name: "classifier.model", allowed: Allowed::Path },
    Key { name: "classifier.sha256", allowed: Allowed::Sha256 },
    Key { name: "tracking.confirm_looks", allowed: Allowed::Whole(1, 30) },
    Key { name: "tracking.new_score", allowed: Allowed::Real(0.0, 1.0) },
    Key { name: "tracking.occlusion_s", allowed: Allowed::Real(0.1, 10.0) },
    Key { name: "tracking.min_face", allowed: Allowed::Real(8.0, 1000.0) },
    Key { name: "tracking.min_sharpness", allowed: Allowed::Real(0.0, 1.0) },
    Key { name: "tracking.max_yaw", allowed: Allowed::Real(5.0, 90.0) },
    Key { name: "tracking.min_looks", allowed: Allowed::Whole(1, 100) },
    Key { name: "tracking.min_span_s", allowed: Allowed::Real(0.0, 10.0) },
    Key { name: "tracking.confidence", allowed: Allowed::Real(0.55, 0.99) },
    Key { name: "tracking.half_life_s", allowed: Allowed::Real(0.05, 10.0) },
    Key { name: "alarm.mode", allowed: Allowed::OneOf(&["soft", "hard"]) },
    Key { name: "alarm.hold_s", allowed: Allowed::Real(0.0, 60.0) },
    Key { name: "alarm.cool_down_s", allowed: Allowed::Real(0.0, 3600.0) },
    Key { name: "alarm.incorrect_alarms", allowed: Allowed::YesNo },
    Key { name: "alarm.red_pattern", allowed: Allowed::Pattern(&["steady", "blink", "sos"]) },
    Key {
        name: "alarm.buzzer_pattern",
        allowed: Allowed::Pattern(&["chirp", "steady", "blink", "sos"]),
    },
    Key { name: "alarm.ask_after_s", allowed: Allowed::Real(0.0, 60.0) },
    Key { name: "alarm.min_open_s", allowed: Allowed::Real(0.0, 60.0) },
    Key { name: "gpio.backend", allowed: Allowed::OneOf(&["auto", "rppal", "cdev", "simulated"]) },
    Key { name: "gpio.red", allowed: Allowed::Output },
    Key { name: "gpio.green", allowed: Allowed::Output },
    Key { name: "gpio.amber", allowed: Allowed::Output },
    Key { name: "gpio.buzzer", allowed: Allowed::Output },
    Key { name: "gpio.door", allowed: Allowed::Output },
    Key { name: "gpio.motion", allowed: Allowed::Input },
    Key { name: "gpio.acknowledge", allowed: Allowed::Input },
    Key { name: "gpio.mode_switch", allowed: Allowed::Input },
    Key { name: "gpio.debounce_ms", allowed: Allowed::Whole(1, 1000) },
    Key { name: "gpio.sleep_after_s", allowed: Allowed::Real(5.0, 3600.0) },
];

/// The values a key may have. Ranges include both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Allowed {
    /// A path to a file, or nothing.
    Path,
    /// 64 hexadecimal digits, or nothing.
    Sha256,
    /// `demo`, `file:PATH`, `v4l2:DEVICE` or `pipe:COMMAND`.
    Source,
    /// `WIDTHxHEIGHT+LEFT+TOP`, or nothing.
    Region,
    YesNo,
    Whole(i64, i64),
    Real(f64, f64),
    /// `"auto"`, or a number.
    AutoOr(f64, f64),
    /// One of a few whole numbers.
    Among(&'static [i64]),
    OneOf(&'static [&'static str]),
    /// A line and how it is driven, or nothing; a number alone needs no quotes.
    Output,
    /// A line and how it is held, or nothing; a number alone needs no quotes.
    Input,
    /// One of these patterns, with the length of a beat where wanted.
    Pattern(&'static [&'static str]),
}

impl Allowed {
    /// What may stand there, for messages: `a whole number from 96 to 1920`.
    pub fn describe(&self) -> String {
        match self {
            Allowed::Path => "a path in quotes, or \"\"".into(),
            Allowed::Sha256 => "64 hexadecimal digits in quotes, or \"\"".into(),
            Allowed::Source => {
                "\"demo\", \"file:PATH\", \"v4l2:DEVICE\" or \"pipe:COMMAND\"".into()
            }
            Allowed::Region => {
                "\"WIDTHxHEIGHT+LEFT+TOP\" in pixels, 16x16 or larger, or \"\"".into()
            }
            Allowed::YesNo => "true or false".into(),
            Allowed::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Allowed::Real(low, high) => format!("a number from {low} to {high}"),
            Allowed::AutoOr(low, high) => format!("\"auto\" or a number from {low} to {high}"),
            Allowed::Among(numbers) => {
                let numbers: Vec<_> = numbers.iter().map(i64::to_string).collect();
                format!("one of {}", numbers.join(", "))
            }
            Allowed::OneOf(names) => format!("one of {}", quoted(names)),
            Allowed::Output => "a line (\"17\", \"GPIO17\" or \"gpiochip0:17\"), after it where \
                wanted active-low and open-drain or open-source (\"GPIO17 active-low\"), or \"\""
                .into(),
            Allowed::Input => "a line (\"17\", \"GPIO17\" or \"gpiochip0:17\"), after it where \
                wanted active-low and pull-up or pull-down (\"GPIO5 active-low pull-up\"), or \"\""
                .into(),
            Allowed::Pattern(names) => {
                let (shortest, longest) = BEAT_MS;
                format!(
                    "one of {}; all but \"steady\" also with the milliseconds of one beat, {shortest} \
                     to {longest}: \"blink:250\"",
                    quoted(names)
                )
            }
        }
    }

    /// The value as the key wants it, or `None` where it may not stand there. Text is read as a
    /// number, or as true or false, only where `spoken` says that it came from the environment,
    /// which knows nothing else.
    pub fn take(&self, value: &Value, spoken: bool) -> Option<Value> {
        let origin = value.origin().map(str::to_owned);
        let kind = match self {
            Allowed::YesNo => ValueKind::Boolean(truth(&value.kind, spoken)?),
            Allowed::Whole(low, high) => {
                let number = whole(&value.kind, spoken)?;
                ValueKind::I64((*low..=*high).contains(&number).then_some(number)?)
            }
            Allowed::Real(low, high) => {
                let number = real(&value.kind, spoken)?;
                ValueKind::Float((*low..=*high).contains(&number).then_some(number)?)
            }
            Allowed::AutoOr(low, high) => match real(&value.kind, spoken) {
                Some(number) => {
                    ValueKind::Float((*low..=*high).contains(&number).then_some(number)?)
                }
                None => ValueKind::String((text(&value.kind)? == "auto").then(|| "auto".into())?),
            },
            Allowed::Among(numbers) => {
                let number = whole(&value.kind, spoken)?;
                ValueKind::I64(numbers.contains(&number).then_some(number)?)
            }
            Allowed::Region => {
                let region = text(&value.kind)?;
                let good = region.is_empty() || region.parse::<Region>().is_ok();
                ValueKind::String(good.then(|| region.into())?)
            }
            Allowed::Path => {
                let path = text(&value.kind)?;
                ValueKind::String((!path.contains('\0')).then(|| path.into())?)
            }
            Allowed::Sha256 => {
                let hash = text(&value.kind)?;
                let good = hash.is_empty()
                    || (hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
                ValueKind::String(good.then(|| hash.to_ascii_lowercase())?)
            }
            Allowed::Source => {
                let source = text(&value.kind)?;
                // A blank before a path would be part of it; a shell takes it from a command.
                let path = |rest: &str| !rest.is_empty() && rest == rest.trim_start();
                let good = match source.split_once(':') {
                    Some(("file" | "v4l2", rest)) => path(rest),
                    Some(("pipe", rest)) => !rest.trim().is_empty(),
                    _ => source == "demo",
                };
                ValueKind::String((good && !source.contains('\0')).then(|| source.into())?)
            }
            Allowed::OneOf(names) => {
                let name = text(&value.kind)?;
                ValueKind::String(names.contains(&name).then(|| name.into())?)
            }
            Allowed::Output => ValueKind::String(line::<OutputLine>(&value.kind)?),
            Allowed::Input => ValueKind::String(line::<InputLine>(&value.kind)?),
            Allowed::Pattern(names) => {
                let pattern = text(&value.kind)?;
                let name = pattern.split(':').next().unwrap_or(pattern);
                let good = names.contains(&name) && pattern.parse::<Pattern>().is_ok();
                ValueKind::String(good.then(|| pattern.into())?)
            }
        };
        Some(Value::new(origin.as_ref(), kind))
    }
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    quoted.join(", ")
}

/// The text of a line, if it is one: `17` and `"17"` are the same.
fn line<T: FromStr>(kind: &ValueKind) -> Option<String> {
    let text = match kind {
        ValueKind::I64(number) => number.to_string(),
        other => text(other)?.to_owned(),
    };
    text.parse::<T>().is_ok().then_some(text)
}

fn text(kind: &ValueKind) -> Option<&str> {
    match kind {
        ValueKind::String(text) => Some(text),
        _ => None,
    }
}

fn truth(kind: &ValueKind, spoken: bool) -> Option<bool> {
    match kind {
        ValueKind::Boolean(truth) => Some(*truth),
        ValueKind::String(text) if spoken => match text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn whole(kind: &ValueKind, spoken: bool) -> Option<i64> {
    match kind {
        ValueKind::I64(number) => Some(*number),
        ValueKind::String(text) if spoken => text.trim().parse().ok(),
        _ => None,
    }
}

/// A whole number is a real one too; infinities and NaN are in no range.
fn real(kind: &ValueKind, spoken: bool) -> Option<f64> {
    match kind {
        ValueKind::Float(number) => Some(*number),
        ValueKind::I64(number) => Some(*number as f64),
        ValueKind::String(text) if spoken => text.trim().parse().ok(),
        _ => None,
    }
}
