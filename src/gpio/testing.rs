//! Chips that only tests have.

use super::list::{Chip, Line};

/// A chip with `lines` lines called `prefix` and their number.
pub fn chip(name: &str, label: &str, lines: u32, prefix: &str) -> Chip {
    let line = |offset| Line {
        offset,
        name: format!("{prefix}{offset}"),
        direction: "input",
        ..Line::default()
    };
    Chip {
        path: format!("/dev/{name}").into(),
        name: name.into(),
        label: label.into(),
        lines: (0..lines).map(line).collect(),
        ..Chip::default()
    }
}

/// The chip of a Raspberry Pi 4.
pub fn pi4() -> Chip {
    chip("gpiochip0", "pinctrl-bcm2711", 58, "GPIO")
}
