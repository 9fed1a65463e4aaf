//! What may be written for a line and for a pattern, and what it means. Opens nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which line: `17`, `GPIO17` or `gpiochip0:17`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineRef {
    /// This number on the board's own chip.
    Number(u32),
    /// The line the kernel knows by this name (`gpioinfo` and `maskgate devices` show it).
    Name(String),
    /// A chip by name (`gpiochip0`) or label (`pinctrl-bcm2711`), and the offset on it.
    On { chip: String, offset: u32 },
}

impl FromStr for LineRef {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Ok(number) = text.parse() {
            return Ok(LineRef::Number(number));
        }
        // A name may hold a colon; only digits behind the last one make it chip and offset.
        if let Some((chip, offset)) = text.rsplit_once(':')
            && let Ok(offset) = offset.parse()
        {
            let chip = chip.strip_prefix("/dev/").unwrap_or(chip).to_owned();
            return if chip.is_empty() { Err(()) } else { Ok(LineRef::On { chip, offset }) };
        }
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if starts_well && printable && !text.ends_with(':') {
            Ok(LineRef::Name(text.into()))
        } else {
            Err(())
        }
    }
}

impl fmt::Display for LineRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineRef::Number(number) => write!(f, "{number}"),
            LineRef::Name(name) => f.write_str(name),
            LineRef::On { chip, offset } => write!(f, "{chip}:{offset}"),
        }
    }
}

/// How an output is driven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drive {
    /// Both levels.
    #[default]
    PushPull,
    /// Low only; something outside pulls it high.
    OpenDrain,
    /// High only; something outside pulls it low.
    OpenSource,
}

/// What holds an input that nothing drives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pull {
    /// As it is.
    #[default]
    None,
    Up,
    Down,
}

/// An output: `""` (not wired) or a line and, after it, `active-low`, `open-drain` or
/// `open-source` where that is so: `GPIO17 active-low`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OutputLine {
    /// `None`: not wired.
    pub line: Option<LineRef>,
    /// On is the low level.
    pub active_low: bool,
    pub drive: Drive,
}

impl FromStr for OutputLine {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = Words::of(text)?;
        let active_low = words.one_of(&["active-high", "active-low"])? == 1;
        let drive = match words.one_of(&["push-pull", "open-drain", "open-source"])? {
            1 => Drive::OpenDrain,
            2 => Drive::OpenSource,
            _ => Drive::PushPull,
        };
        Ok(Self { line: words.finish()?, active_low, drive })
    }
}

impl fmt::Display for OutputLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drive = match self.drive {
            Drive::PushPull => "",
            Drive::OpenDrain => " open-drain",
            Drive::OpenSource => " open-source",
        };
        written(f, self.line.as_ref(), self.active_low, drive)
    }
}

/// An input: `""` (not wired) or a line and, after it, `active-low`, `pull-up` or `pull-down`
/// where that is so: `GPIO5 active-low pull-up`, a button to ground.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InputLine {
    /// `None`: not wired.
    pub line: Option<LineRef>,
    /// Active is the low level.
    pub active_low: bool,
    pub pull: Pull,
}

impl FromStr for InputLine {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = Words::of(text)?;
        let active_low = words.one_of(&["active-high", "active-low"])? == 1;
        let pull = match words.one_of(&["no-pull", "pull-up", "pull-down"])? {
            1 => Pull::Up,
            2 => Pull::Down,
            _ => Pull::None,
        };
        Ok(Self { line: words.finish()?, active_low, pull })
    }
}

impl fmt::Display for InputLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pull = match self.pull {
            Pull::None => "",
            Pull::Up => " pull-up",
            Pull::Down => " pull-down",
        };
        written(f, self.line.as_ref(), self.active_low, pull)
    }
}

fn written(
    f: &mut fmt::Formatter<'_>,
    line: Option<&LineRef>,
    active_low: bool,
    word: &str,
) -> fmt::Result {
    match line {
        None => Ok(()),
        Some(line) => write!(f, "{line}{}{word}", if active_low { " active-low" } else { "" }),
    }
}

/// A line and the words after it; each is taken once.
struct Words<'a> {
    line: Option<LineRef>,
    rest: Vec<&'a str>,
}

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Result<Self, ()> {
        let mut words = text.split_whitespace();
        let line = words.next().map(str::parse).transpose()?;
        Ok(Self { line, rest: words.collect() })
    }

    /// Takes the one of `names` that is there and gives its place; the first where none is.
    fn one_of(&mut self, names: &[&str]) -> Result<usize, ()> {
        let place = |word: &&str| names.iter().position(|name| name == word);
        let found: Vec<_> = self.rest.iter().filter_map(place).collect();
        self.rest.retain(|word| place(word).is_none());
        match found[..] {
            [] => Ok(0),
            [one] => Ok(one),
            _ => Err(()),
        }
    }

    fn finish(self) -> Result<Option<LineRef>, ()> {
        if self.rest.is_empty() { Ok(self.line) } else { Err(()) }
    }
}

/// How a pattern goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Steady,
    Blink,
    Chirp,
    Sos,
}

impl Shape {
    const ALL: [Shape; 4] = [Shape::Steady, Shape::Blink, Shape::Chirp, Shape::Sos];

    fn name(self) -> &'static str {
        match self {
            Shape::Steady => "steady",
            Shape::Blink => "blink",
            Shape::Chirp => "chirp",
            Shape::Sos => "sos",
        }
    }

    /// Milliseconds of one beat where none are given.
    fn usual_beat(self) -> u32 {
        match self {
            Shape::Steady => 0,
            Shape::Blink => 500,
            Shape::Chirp | Shape::Sos => 120,
        }
    }
}

/// Shortest and longest beat in milliseconds: what an eye, an ear and a relay still follow.
pub const BEAT_MS: (u32, u32) = (20, 5000);

/// `steady`, `blink`, `chirp` or `sos`, where wanted with the milliseconds of one beat:
/// `blink:250`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    pub shape: Shape,
    /// Length of one beat in milliseconds; of no meaning where it is steady.
    pub beat_ms: u32,
}

impl Pattern {
    /// With its usual beat.
    pub fn usual(shape: Shape) -> Self {
        Self { shape, beat_ms: shape.usual_beat() }
    }
}

impl FromStr for Pattern {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, beat) = match text.split_once(':') {
            Some((name, beat)) => (name, Some(beat.parse::<u32>().map_err(drop)?)),
            None => (text, None),
        };
        let shape = Shape::ALL.into_iter().find(|shape| shape.name() == name).ok_or(())?;
        match beat {
            None => Ok(Self::usual(shape)),
            Some(_) if shape == Shape::Steady => Err(()),
            Some(beat_ms) if (BEAT_MS.0..=BEAT_MS.1).contains(&beat_ms) => {
                Ok(Self { shape, beat_ms })
            }
            Some(_) => Err(()),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shape.name())?;
        if self.beat_ms != self.shape.usual_beat() {
            write!(f, ":{}", self.beat_ms)?;
        }
        Ok(())
    }
}

/// Between a type and the text that stands for it in the file.
macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse().map_err(|()| format!("{text:?} is not understood"))
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    )*};
}

as_text!(OutputLine, InputLine, Pattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_named_by_number_name_or_chip_and_offset() {
        let line = |text: &str| text.parse::<LineRef>();
        let on = |chip: &str, offset| LineRef::On { chip: chip.into(), offset };
        assert_eq!(line("17"), Ok(LineRef::Number(17)));
        assert_eq!(line("GPIO17"), Ok(LineRef::Name("GPIO17".into())));
        assert_eq!(line("PQ.05"), Ok(LineRef::Name("PQ.05".into())));
        assert_eq!(line("gpiochip0:17"), Ok(on("gpiochip0", 17)));
        assert_eq!(line("/dev/gpiochip0:17"), Ok(on("gpiochip0", 17)));
        assert_eq!(line("pinctrl-bcm2711:4"), Ok(on("pinctrl-bcm2711", 4)));
        for wrong in ["", "-1", ":17", "gpiochip0:", "/dev/gpiochip0", "99999999999:", "GPIO\u{e9}"]
        {
            assert_eq!(line(wrong), Err(()), "{wrong}");
        }
    }

    #[test]
    fn words_after_the_line_say_how_it_is_wired_in_any_order() {
        let door: OutputLine = "GPIO22 open-drain active-low".parse().unwrap();
        assert_eq!(door.line, Some(LineRef::Name("GPIO22".into())));
        assert_eq!((door.active_low, door.drive), (true, Drive::OpenDrain));
        let button: InputLine = "5 active-low pull-up".parse().unwrap();
        assert_eq!((button.active_low, button.pull), (true, Pull::Up));
        let plain: OutputLine = "17 active-high push-pull".parse().unwrap();
        assert_eq!(plain, "17".parse().unwrap());
        assert_eq!("".parse(), Ok(OutputLine::default()));
    }

    #[test]
    fn words_that_contradict_or_belong_elsewhere_are_refused() {
        for wrong in [
            "17 lwo",
            "17 18",
            "17 active-low active-high",
            "17 active-low active-low",
            "17 open-drain push-pull",
            "17 pull-up",
            "active-low 17",
        ] {
            assert_eq!(wrong.parse::<OutputLine>(), Err(()), "{wrong}");
        }
        assert_eq!("5 open-drain".parse::<InputLine>(), Err(()));
    }

    #[test]
    fn a_pattern_has_its_usual_beat_or_the_one_given() {
        let beat = |text: &str| text.parse::<Pattern>().map(|pattern| pattern.beat_ms);
        assert_eq!(beat("blink"), Ok(500));
        assert_eq!(beat("blink:250"), Ok(250));
        assert_eq!(beat("sos:20"), Ok(20));
        for wrong in ["", "blink:", "blink:0", "blink:19", "sos:5001", "steady:100", "wink"] {
            assert_eq!(beat(wrong), Err(()), "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for text in ["", "17", "GPIO17 active-low", "gpiochip0:3 active-low open-source"] {
            assert_eq!(text.parse::<OutputLine>().unwrap().to_string(), text);
        }
        for text in ["", "5 active-low pull-up", "PQ.05 pull-down"] {
            assert_eq!(text.parse::<InputLine>().unwrap().to_string(), text);
        }
        for text in ["steady", "blink", "blink:250", "chirp", "sos:80"] {
            assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
        }
    }
}
