//! The GPIO chips of this machine, their lines, and who uses them. Opens chips for reading only;
//! no line is requested.

use std::fmt::Write;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use gpiocdev::line::Direction;
use serde::Serialize;

/// A chip. As JSON: `{"path":"/dev/gpiochip0","name":"gpiochip0","label":"pinctrl-bcm2711",
/// "lines":[…]}`, with `"error"` where it cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Chip {
    pub path: PathBuf,
    /// `gpiochip0`; may change from boot to boot where there are several.
    pub name: String,
    /// Links in /dev that lead to it: a udev rule's `SYMLINK`, or `gpiochip4`, which is what earlier
    /// kernels called the Raspberry Pi 5's `gpiochip0`.
    #[serde(skip)]
    pub links: Vec<String>,
    /// Kind of the chip: `pinctrl-bcm2711`.
    pub label: String,
    pub lines: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Unreadable>,
}

/// Why a chip cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Unreadable {
    pub denied: bool,
    pub reason: String,
}

impl From<Unreadable> for String {
    fn from(why: Unreadable) -> String {
        why.reason
    }
}

/// A line of a chip. As JSON: `{"offset":17,"name":"GPIO17","direction":"output","used":true,
/// "consumer":"maskgate red"}`; what is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Line {
    pub offset: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `input` or `output`.
    pub direction: &'static str,
    /// Taken by a driver or a program.
    pub used: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub consumer: String,
}

/// Every chip of this machine, in the order of their numbers; none is no error.
pub fn chips() -> Vec<Chip> {
    // The only error is that /dev cannot be read, and then there is nothing to use either.
    let paths = gpiocdev::chip::chips().unwrap_or_default();
    let links = links(Path::new("/dev"));
    paths.iter().map(|path| Chip { links: leading_to(path, &links), ..read(path) }).collect()
}

/// The links in `folder`, and what each leads to; none if it cannot be read.
fn links(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let link = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    link.filter_map(|entry| {
        Some((entry.file_name().into_string().ok()?, entry.path().canonicalize().ok()?))
    })
    .collect()
}

fn leading_to(path: &Path, links: &[(String, PathBuf)]) -> Vec<String> {
    links.iter().filter(|(_, target)| target == path).map(|(name, _)| name.clone()).collect()
}

fn read(path: &Path) -> Chip {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut found = Chip { path: path.to_path_buf(), name, ..Chip::default() };
    if let Err(error) = fill(&mut found) {
        let denied = is_denied(&found.path);
        let reason = if denied { "permission denied".into() } else { error.to_string() };
        found.error = Some(Unreadable { denied, reason });
    }
    found
}

/// Whether this user may not open the device.
pub(super) fn is_denied(path: &Path) -> bool {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    opened.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

fn fill(found: &mut Chip) -> gpiocdev::Result<()> {
    let chip = gpiocdev::Chip::from_path(&found.path)?;
    let info = chip.info()?;
    found.name = info.name;
    found.label = info.label;
    for line in chip.line_info_iter()? {
        let line = line?;
        found.lines.push(Line {
            offset: line.offset,
            name: line.name,
            direction: match line.direction {
                Direction::Input => "input",
                Direction::Output => "output",
            },
            used: line.used,
            consumer: line.consumer,
        });
    }
    Ok(())
}

/// For people: a chip, then its lines.
pub fn text(chips: &[Chip]) -> String {
    if chips.is_empty() {
        return "gpio: no chip (/dev/gpiochip*)\n".into();
    }
    let mut out = String::new();
    for chip in chips {
        let path = chip.path.display();
        let _ = match &chip.error {
            Some(why) => writeln!(out, "gpio: {path}: {}", why.reason),
            None => writeln!(out, "gpio: {path} ({}), {} lines", chip.label, chip.lines.len()),
        };
        for line in &chip.lines {
            let user = match (line.used, line.consumer.as_str()) {
                (false, _) => String::new(),
                (true, "") => "  in use".into(),
                (true, consumer) => format!("  in use by {consumer:?}"),
            };
            let name = if line.name.is_empty() { "-" } else { &line.name };
            let row = format!("  {:>3}  {name:<16} {:<6}{user}", line.offset, line.direction);
            let _ = writeln!(out, "{}", row.trim_end());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::gpio::testing::pi4;

    #[test]
    fn a_chip_knows_the_links_that_lead_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let chip = folder.path().canonicalize().unwrap().join("gpiochip0");
        std::fs::write(&chip, "").unwrap();
        for (link, target) in [("gpiochip4", "gpiochip0"), ("gone", "gpiochip7"), ("log", ".")] {
            symlink(target, folder.path().join(link)).unwrap();
        }
        let links = links(folder.path());
        assert_eq!(leading_to(&chip, &links), ["gpiochip4"]);
        assert_eq!(leading_to(Path::new("gpiochip7"), &links), [""; 0]);
    }

    #[test]
    fn chips_and_lines_as_json_leave_out_what_is_not_known() {
        let mut chip = pi4();
        chip.lines.truncate(2);
        chip.lines[1].used = true;
        chip.lines[1].consumer = "maskgate red".into();
        chip.lines[1].direction = "output";
        chip.lines[0].name.clear();
        assert_eq!(
            serde_json::to_string(&chip).unwrap(),
            r#"{"path":"/dev/gpiochip0","name":"gpiochip0","label":"pinctrl-bcm2711","lines":[{"offset":0,"direction":"input","used":false},{"offset":1,"name":"GPIO1","direction":"output","used":true,"consumer":"maskgate red"}]}"#
        );
        let error = Some(Unreadable { denied: true, reason: "permission denied".into() });
        let closed = Chip { path: "/dev/gpiochip1".into(), error, ..Chip::default() };
        assert_eq!(
            serde_json::to_string(&closed).unwrap(),
            r#"{"path":"/dev/gpiochip1","name":"","label":"","lines":[],"error":"permission denied"}"#
        );
    }

    #[test]
    fn the_list_for_people_names_who_uses_a_line() {
        let mut chip = pi4();
        chip.lines.truncate(2);
        chip.lines[1].used = true;
        chip.lines[1].consumer = "spi0 CS0".into();
        assert_eq!(
            text(&[chip]),
            "gpio: /dev/gpiochip0 (pinctrl-bcm2711), 2 lines\n    0  GPIO0            input\n    \
             1  GPIO1            input   in use by \"spi0 CS0\"\n"
        );
        assert_eq!(text(&[]), "gpio: no chip (/dev/gpiochip*)\n");
    }
}
