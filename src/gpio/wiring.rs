//! Which line of which chip each key means. Pure: the chips are given.

use std::fmt;
use std::path::PathBuf;

use crate::config::{Gpio, InputLine, LineRef, OutputLine};

use super::list::Chip;
use super::{GpioError, Input, Role};

/// A line found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The chip's device: `/dev/gpiochip0`.
    pub chip: PathBuf,
    /// Kind of the chip: `pinctrl-bcm2711`.
    pub label: String,
    pub offset: u32,
    /// The line's name; may be empty.
    pub name: String,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chip = self.chip.file_name().unwrap_or_default().to_string_lossy();
        match self.name.as_str() {
            "" => write!(f, "{chip}:{}", self.offset),
            name => write!(f, "{name} ({chip}:{})", self.offset),
        }
    }
}

/// What a wired key is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    Output(Role, OutputLine),
    Input(Input, InputLine),
}

impl Use {
    /// Key of `[gpio]`.
    pub fn key(&self) -> &'static str {
        match self {
            Use::Output(role, _) => role.name(),
            Use::Input(input, _) => input.name(),
        }
    }

    fn line(&self) -> Option<&LineRef> {
        match self {
            Use::Output(_, output) => output.line.as_ref(),
            Use::Input(_, input) => input.line.as_ref(),
        }
    }

    /// How it is wired, for people: `output, active low, open drain`.
    pub fn describe(&self) -> String {
        use crate::config::{Drive, Pull};
        let level = |low| if low { "active low" } else { "active high" };
        match self {
            Use::Output(_, output) => {
                let drive = match output.drive {
                    Drive::PushPull => "push-pull",
                    Drive::OpenDrain => "open drain",
                    Drive::OpenSource => "open source",
                };
                format!("output, {}, {drive}", level(output.active_low))
            }
            Use::Input(_, input) => {
                let pull = match input.pull {
                    Pull::None => "",
                    Pull::Up => ", pulled up",
                    Pull::Down => ", pulled down",
                };
                format!("input, {}{pull}", level(input.active_low))
            }
        }
    }
}

/// The wired keys, outputs first.
pub fn uses(settings: &Gpio) -> Vec<Use> {
    let outputs = Role::ALL
        .into_iter()
        .zip(settings.outputs())
        .map(|(role, (_, output))| Use::Output(role, output.clone()));
    let inputs = Input::ALL
        .into_iter()
        .zip(settings.inputs())
        .map(|(input, (_, line))| Use::Input(input, line.clone()));
    outputs.chain(inputs).filter(|wanted| wanted.line().is_some()).collect()
}

/// Finds the line of each; two that are the same line in different words are refused.
pub fn find_all(wanted: Vec<Use>, chips: &[Chip]) -> Vec<Result<(Use, Site), GpioError>> {
    let mut found: Vec<(&'static str, Site)> = Vec::new();
    let mut results = Vec::new();
    for wanted in wanted {
        let result = find(&wanted, chips).and_then(|site| {
            let same = found
                .iter()
                .find(|(_, other)| other.chip == site.chip && other.offset == site.offset);
            match same {
                Some((other, _)) => {
                    Err(GpioError::SameLine { key: wanted.key(), other, line: site.to_string() })
                }
                None => {
                    found.push((wanted.key(), site.clone()));
                    Ok((wanted, site))
                }
            }
        });
        results.push(result);
    }
    results
}

/// The board's own chips: those whose numbers are printed on the board or in its pin-out.
const OWN: [&str; 6] = [
    "pinctrl-bcm2835",
    "pinctrl-bcm2711",
    "pinctrl-rp1",
    "tegra-gpio",
    "tegra194-gpio",
    "tegra234-gpio",
];

/// Chips whose line N is GPIO N, whatever the kernel calls it.
pub fn is_early_pi(label: &str) -> bool {
    matches!(label, "pinctrl-bcm2835" | "pinctrl-bcm2711")
}

fn find(wanted: &Use, chips: &[Chip]) -> Result<Site, GpioError> {
    let key = wanted.key();
    let readable: Vec<&Chip> = chips.iter().filter(|chip| chip.error.is_none()).collect();
    let all = readable.len() == chips.len();
    let found = match wanted.line() {
        Some(LineRef::Number(number)) => {
            own_chip(key, *number, &readable, all).and_then(|chip| at(key, chip, *number))
        }
        Some(LineRef::On { chip, offset }) => {
            named_chip(key, chip, *offset, &readable).and_then(|chip| at(key, chip, *offset))
        }
        Some(LineRef::Name(name)) => named_line(key, name, &readable),
        None => Err(GpioError::NothingWired),
    };
    // A chip that may not be opened may be the one that is missed.
    let closed = chips.iter().find_map(|chip| chip.error.as_ref().zip(Some(chip)));
    found.map_err(|error| match (&error, closed) {
        (GpioError::UnknownChip { .. } | GpioError::UnknownLine { .. }, Some((why, chip))) => {
            let path = chip.path.clone();
            match why.denied {
                true => GpioError::Denied { path },
                false => GpioError::Chip { path, reason: why.reason.clone() },
            }
        }
        _ => error,
    })
}

/// `all`: no chip is missing from `chips`. A lone chip is the board's own only then.
fn own_chip<'a>(
    key: &'static str,
    number: u32,
    chips: &[&'a Chip],
    all: bool,
) -> Result<&'a Chip, GpioError> {
    let own: Vec<_> =
        chips.iter().filter(|chip| OWN.contains(&chip.label.as_str())).copied().collect();
    match (&own[..], chips) {
        ([one], _) => Ok(one),
        ([], [one]) if all => Ok(one),
        ([], many) if many.is_empty() || !all => Err(unknown_chip(key, "gpiochip0", chips)),
        _ => Err(GpioError::Ambiguous {
            key,
            line: number.to_string(),
            choices: list(chips.iter().map(|chip| format!("{}:{number}", chip.name))),
        }),
    }
}

fn named_chip<'a>(
    key: &'static str,
    wanted: &str,
    offset: u32,
    chips: &[&'a Chip],
) -> Result<&'a Chip, GpioError> {
    let is_link = |chip: &&&Chip| chip.links.iter().any(|link| link == wanted);
    let named = chips.iter().find(|chip| chip.name == wanted);
    if let Some(chip) = named.or_else(|| chips.iter().find(is_link)) {
        return Ok(chip);
    }
    let labelled: Vec<_> = chips.iter().filter(|chip| chip.label == wanted).copied().collect();
    match labelled[..] {
        [one] => Ok(one),
        [] => Err(unknown_chip(key, wanted, chips)),
        _ => Err(GpioError::Ambiguous {
            key,
            line: format!("{wanted}:{offset}"),
            choices: list(labelled.iter().map(|chip| format!("{}:{offset}", chip.name))),
        }),
    }
}

fn named_line(key: &'static str, wanted: &str, chips: &[&Chip]) -> Result<Site, GpioError> {
    let lines = || chips.iter().flat_map(|chip| chip.lines.iter().map(move |line| (*chip, line)));
    let named: Vec<_> = lines().filter(|(_, line)| line.name == wanted).collect();
    match named[..] {
        [(chip, line)] => at(key, chip, line.offset),
        [] => {
            // Some device trees of the Pi name a line by its other function: GPIO14 is TXD1. That of
            // the mainline kernel for the Pi 5 names none.
            let number = wanted.strip_prefix("GPIO").and_then(|number| number.parse().ok());
            let is_pi = |label: &str| is_early_pi(label) || label == "pinctrl-rp1";
            let pi = chips.iter().find(|chip| is_pi(&chip.label));
            if let (Some(number), Some(pi)) = (number, pi) {
                return at(key, pi, number);
            }
            let near = lines().find(|(_, line)| line.name.eq_ignore_ascii_case(wanted));
            let near = near.map(|(_, line)| format!("; there is {:?}", line.name));
            Err(GpioError::UnknownLine { key, name: wanted.into(), near: near.unwrap_or_default() })
        }
        _ => Err(GpioError::Ambiguous {
            key,
            line: wanted.into(),
            choices: list(
                named.iter().map(|(chip, line)| format!("{}:{}", chip.name, line.offset)),
            ),
        }),
    }
}

fn at(key: &'static str, chip: &Chip, offset: u32) -> Result<Site, GpioError> {
    match chip.lines.iter().find(|line| line.offset == offset) {
        Some(line) => Ok(Site {
            chip: chip.path.clone(),
            label: chip.label.clone(),
            offset,
            name: line.name.clone(),
        }),
        None => Err(GpioError::NoSuchOffset {
            key,
            chip: format!("{} ({})", chip.name, chip.label),
            offset,
            last: chip.lines.last().map_or(0, |line| line.offset),
        }),
    }
}

fn unknown_chip(key: &'static str, wanted: &str, chips: &[&Chip]) -> GpioError {
    let known = match chips {
        [] => "none".into(),
        all => list(all.iter().map(|chip| format!("{} ({})", chip.name, chip.label))),
    };
    GpioError::UnknownChip { key, chip: wanted.into(), known }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpio::list::Unreadable;
    use crate::gpio::testing::{chip, pi4};

    fn red(line: &str, chips: &[Chip]) -> Result<String, String> {
        let settings = Gpio { red: line.parse().unwrap(), ..Gpio::default() };
        let found = find_all(uses(&settings), chips).remove(0);
        found.map(|(_, site)| site.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_line_is_found_by_number_by_name_and_by_chip_and_offset() {
        let chips = [pi4(), chip("gpiochip1", "raspberrypi-exp-gpio", 8, "EXP")];
        for line in [
            "17",
            "GPIO17",
            "gpiochip0:17",
            "/dev/gpiochip0:17",
            "pinctrl-bcm2711:17",
            "17 active-low",
        ] {
            assert_eq!(red(line, &chips), Ok("GPIO17 (gpiochip0:17)".into()), "{line}");
        }
        assert_eq!(red("EXP3", &chips), Ok("EXP3 (gpiochip1:3)".into()));
    }

    #[test]
    fn a_chip_is_found_by_a_link_unless_another_has_that_name() {
        let mut chips = vec![Chip { links: vec!["gpiochip4".into()], ..pi4() }];
        for line in ["gpiochip4:3", "/dev/gpiochip4:3"] {
            assert_eq!(red(line, &chips), Ok("GPIO3 (gpiochip0:3)".into()));
        }
        chips.push(chip("gpiochip4", "mcp23017", 16, "EXP"));
        assert_eq!(red("gpiochip4:3", &chips), Ok("EXP3 (gpiochip4:3)".into()));
    }

    #[test]
    fn a_pin_of_the_pi_is_found_though_the_kernel_calls_it_by_its_other_function() {
        let mut pi = pi4();
        pi.lines[14].name = "TXD1".into();
        assert_eq!(red("GPIO14", &[pi]), Ok("TXD1 (gpiochip0:14)".into()));
        let mut pi5 = chip("gpiochip0", "pinctrl-rp1", 54, "");
        pi5.lines.iter_mut().for_each(|line| line.name.clear());
        assert_eq!(red("GPIO17", &[pi5]), Ok("gpiochip0:17".into()));
    }

    #[test]
    fn a_line_or_chip_that_is_not_there_is_told_with_what_there_is() {
        let chips = [pi4()];
        assert_eq!(
            red("gpiochip7:3", &chips).unwrap_err(),
            "gpio.red: there is no GPIO chip \"gpiochip7\"; there is gpiochip0 (pinctrl-bcm2711)"
        );
        assert_eq!(
            red("99", &chips).unwrap_err(),
            "gpio.red: gpiochip0 (pinctrl-bcm2711) has no line 99; its lines are 0 to 57"
        );
        assert_eq!(
            red("gpio17", &chips).unwrap_err(),
            "gpio.red: no GPIO line has the name \"gpio17\"; there is \"GPIO17\"; `maskgate devices` \
             lists the lines"
        );
    }

    #[test]
    fn what_could_be_several_lines_is_refused_with_the_choices() {
        let chips = [chip("gpiochip0", "a", 8, "P"), chip("gpiochip1", "a", 8, "P")];
        let told = |line| red(line, &chips).unwrap_err();
        assert!(told("3").contains("could be any of gpiochip0:3, gpiochip1:3"), "{}", told("3"));
        assert!(told("P3").contains("could be any of gpiochip0:3, gpiochip1:3"));
        assert!(told("a:3").contains("could be any of gpiochip0:3, gpiochip1:3"));
    }

    #[test]
    fn one_line_in_two_words_is_refused_with_both_keys() {
        let settings = Gpio {
            red: "17".parse().unwrap(),
            acknowledge: "GPIO17".parse().unwrap(),
            ..Gpio::default()
        };
        let found = find_all(uses(&settings), &[pi4()]);
        assert!(found[0].is_ok());
        let error = found[1].as_ref().unwrap_err().to_string();
        assert!(
            error.starts_with("gpio.acknowledge: GPIO17 (gpiochip0:17) is the line of gpio.red"),
            "{error}"
        );
    }

    #[test]
    fn a_chip_that_may_not_be_opened_is_told_before_its_line_is_missed() {
        let error = Some(Unreadable { denied: true, reason: "permission denied".into() });
        let closed = Chip { error, lines: vec![], ..pi4() };
        let told = red("GPIO17", &[closed]).unwrap_err();
        assert!(told.starts_with("/dev/gpiochip0: permission denied"), "{told}");
        assert!(told.contains("group"), "{told}");
    }

    #[test]
    fn a_number_is_not_looked_for_on_another_chip_while_the_boards_own_is_closed() {
        let error = Some(Unreadable { denied: true, reason: "permission denied".into() });
        // Neither its lines nor its label are known.
        let closed = Chip { error, ..chip("gpiochip0", "", 0, "") };
        let expander = |name| chip(name, "mcp23017", 32, "X");
        let one = [closed.clone(), expander("gpiochip1")];
        let two = [closed, expander("gpiochip1"), expander("gpiochip2")];
        for chips in [&one[..], &two] {
            let told = red("17", chips).unwrap_err();
            assert!(told.starts_with("/dev/gpiochip0: permission denied"), "{told}");
        }
        assert_eq!(red("17", &[expander("gpiochip1")]), Ok("X17 (gpiochip1:17)".into()));
    }

    #[test]
    fn a_chip_that_may_not_be_opened_does_not_hide_a_mistake_on_another() {
        let error = Some(Unreadable { denied: true, reason: "permission denied".into() });
        let closed = Chip { error, ..chip("gpiochip1", "other", 0, "") };
        let told = red("gpiochip0:99", &[pi4(), closed]).unwrap_err();
        assert!(told.starts_with("gpio.red: gpiochip0") && told.contains("no line 99"), "{told}");
    }
}
