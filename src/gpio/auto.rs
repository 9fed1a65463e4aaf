//! Which backend fits this board, and why. Pure but for [`Facts::read`].

use std::fs;
use std::path::Path;

use crate::config::{Backend, Drive, Gpio};

use super::GpioError;
use super::list::Chip;
use super::wiring::{self, is_early_pi};

/// What the choice depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What the board calls itself: `Raspberry Pi 4 Model B Rev 1.4`.
    pub model: String,
    /// Its families, most special first: `raspberrypi,4-model-b`, `brcm,bcm2711`.
    pub compatible: Vec<String>,
    /// Whether this user may open /dev/gpiomem.
    pub registers: bool,
}

impl Facts {
    /// Reads the device tree where there is one, else what the firmware of a PC says.
    pub fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let clean = |text: String| text.trim_end_matches(['\0', '\n']).trim().to_owned();
        let mut model = clean(text("/proc/device-tree/model"));
        if model.is_empty() {
            model = clean(text("/sys/class/dmi/id/product_name"));
        }
        let compatible = text("/proc/device-tree/compatible");
        let registers = Path::new("/dev/gpiomem");
        let open = fs::OpenOptions::new().read(true).write(true).open(registers);
        Self {
            model,
            compatible: compatible
                .split('\0')
                .filter(|family| !family.is_empty())
                .map(Into::into)
                .collect(),
            registers: open.is_ok(),
        }
    }

    /// The board, for messages.
    pub fn board(&self) -> &str {
        if self.model.is_empty() { "an unknown board" } else { &self.model }
    }

    fn is(&self, families: &[&str]) -> bool {
        self.compatible.iter().any(|family| families.contains(&family.as_str()))
    }

    fn is_early_pi(&self) -> bool {
        self.is(&["brcm,bcm2835", "brcm,bcm2836", "brcm,bcm2837", "brcm,bcm2711"])
    }
}

/// A backend and the reason for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// `Rppal` or `Cdev`.
    pub backend: Backend,
    pub why: &'static str,
}

/// What to drive the lines with. Never simulated: a box that only pretends must be told to.
///
/// `auto` takes rppal for a Pi up to the 4 where it can: one write to a register for each change.
/// It falls back to cdev, which can do whatever the chip can, and which needs no register to be
/// known.
pub fn choose(settings: &Gpio, facts: &Facts, chips: &[Chip]) -> Result<Choice, GpioError> {
    if chips.is_empty() {
        return Err(GpioError::NoChip { board: facts.board().into() });
    }
    // A line that is not found is told when it is opened.
    let found = wiring::find_all(wiring::uses(settings), chips);
    let pi_chip = chips.iter().any(|chip| is_early_pi(&chip.label))
        && found.iter().flatten().all(|(_, site)| is_early_pi(&site.label));
    let choice = |backend, why| Ok(Choice { backend, why });
    match settings.backend {
        Backend::Rppal if facts.is_early_pi() => choice(Backend::Rppal, "configured"),
        Backend::Rppal => Err(GpioError::NotThisBoard { board: facts.board().into() }),
        Backend::Cdev => choice(Backend::Cdev, "configured"),
        Backend::Auto | Backend::Simulated => {
            let special = settings.outputs().iter().any(|(_, line)| line.drive != Drive::PushPull);
            if facts.is_early_pi() {
                let why = match (pi_chip, special, facts.registers) {
                    (false, _, _) => "a line is on a chip that rppal does not know",
                    (_, true, _) => "an output is not push-pull, which rppal cannot drive",
                    (_, _, false) => "/dev/gpiomem, which rppal needs, cannot be opened",
                    _ => return choice(Backend::Rppal, "its registers are known and open to us"),
                };
                return choice(Backend::Cdev, why);
            }
            choice(
                Backend::Cdev,
                if facts.is(&["brcm,bcm2712"]) {
                    "the pins of a Pi 5 are on the RP1 chip, which is best left to the kernel"
                } else if facts.compatible.iter().any(|family| family.starts_with("nvidia,")) {
                    "a Jetson's lines are reached through the kernel only"
                } else {
                    "it works with any Linux GPIO chip"
                },
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpio::testing::{chip, pi4};

    fn board(model: &str, compatible: &[&str], registers: bool) -> Facts {
        let compatible = compatible.iter().map(|family| (*family).into()).collect();
        Facts { model: model.into(), compatible, registers }
    }

    fn a_pi4(registers: bool) -> Facts {
        board("Raspberry Pi 4 Model B", &["raspberrypi,4-model-b", "brcm,bcm2711"], registers)
    }

    fn wants(backend: Backend) -> Gpio {
        Gpio { backend, red: "17".parse().unwrap(), ..Gpio::default() }
    }

    #[test]
    fn a_pi_up_to_the_4_gets_rppal_where_its_registers_are_open_to_us() {
        let auto = wants(Backend::Auto);
        let got = choose(&auto, &a_pi4(true), &[pi4()]).unwrap();
        assert_eq!(got.backend, Backend::Rppal);
        let got = choose(&auto, &a_pi4(false), &[pi4()]).unwrap();
        assert_eq!(got.backend, Backend::Cdev);
        assert!(got.why.contains("/dev/gpiomem"));
        let zero = board("Raspberry Pi Zero 2 W", &["brcm,bcm2837"], true);
        let chips = [chip("gpiochip0", "pinctrl-bcm2835", 54, "GPIO")];
        assert_eq!(choose(&auto, &zero, &chips).unwrap().backend, Backend::Rppal);
    }

    #[test]
    fn a_pi_with_a_line_on_another_chip_gets_cdev() {
        let expander = chip("gpiochip2", "mcp23017", 16, "X");
        let two = Gpio { amber: "gpiochip2:3".parse().unwrap(), ..wants(Backend::Auto) };
        let got = choose(&two, &a_pi4(true), &[pi4(), expander]).unwrap();
        assert_eq!(got.backend, Backend::Cdev);
        assert!(got.why.contains("does not know"), "{}", got.why);
    }

    #[test]
    fn an_open_drain_line_is_driven_by_what_can() {
        let door = Gpio { door: "22 open-drain".parse().unwrap(), ..wants(Backend::Auto) };
        let got = choose(&door, &a_pi4(true), &[pi4()]).unwrap();
        assert_eq!(got.backend, Backend::Cdev);
        assert!(got.why.contains("push-pull"));
    }

    #[test]
    fn pi_5_jetson_and_all_others_get_cdev_each_with_its_reason() {
        let chips = [chip("gpiochip0", "something", 8, "P")];
        for (facts, word) in [
            (board("Raspberry Pi 5", &["raspberrypi,5-model-b", "brcm,bcm2712"], true), "RP1"),
            (board("Orin Nano", &["nvidia,p3768-0000", "nvidia,tegra234"], false), "Jetson"),
            (board("ThinkPad", &[], false), "any Linux"),
        ] {
            let got = choose(&wants(Backend::Auto), &facts, &chips).unwrap();
            assert_eq!(got.backend, Backend::Cdev);
            assert!(got.why.contains(word), "{}", got.why);
        }
    }

    #[test]
    fn without_a_chip_nothing_is_simulated_in_silence() {
        for backend in [Backend::Auto, Backend::Cdev, Backend::Rppal] {
            let error = choose(&wants(backend), &Facts::default(), &[]).unwrap_err().to_string();
            assert!(error.contains("no GPIO chip") && error.contains("simulated"), "{error}");
        }
    }

    #[test]
    fn rppal_elsewhere_than_on_a_pi_is_refused_with_the_board_named() {
        let jetson = board("Orin Nano", &["nvidia,tegra234"], false);
        let error = choose(&wants(Backend::Rppal), &jetson, &[pi4()]).unwrap_err().to_string();
        assert!(error.contains("Orin Nano") && error.contains("\"cdev\""), "{error}");
    }
}
