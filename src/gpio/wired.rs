use std::io;
use std::time::Duration;

use super::wiring::{Site, Use};
use super::{GpioError, Input, Lines, Role};

/// An output that is open. Dropping it gives the line back.
pub trait Output: Send {
    /// Makes it active or inactive.
    fn write(&mut self, on: bool) -> io::Result<()>;
}

/// An input that is open.
pub trait Sensor: Send {
    /// Whether it is active.
    fn read(&mut self) -> io::Result<bool>;
}

/// A line that is open.
pub enum Opened {
    Output(Box<dyn Output>),
    Input(Box<dyn Sensor>),
}

/// What opens lines.
pub trait Driver {
    /// Takes the line for this use. An output is inactive from the first moment on.
    fn open(&mut self, site: &Site, wanted: &Use) -> Result<Opened, GpioError>;
}

/// Lines of real chips. Roles and inputs without a line are not wired: switching them does
/// nothing, and they are never active.
pub struct Wired {
    name: &'static str,
    outputs: [Option<Box<dyn Output>>; Role::ALL.len()],
    inputs: [Option<Box<dyn Sensor>>; Input::ALL.len()],
    levels: [bool; Role::ALL.len()],
    /// Key and place of each wired line.
    sites: Vec<(&'static str, String)>,
}

impl Wired {
    /// Opens every line; the first that fails gives the others back, which are safe by then.
    pub fn open(
        name: &'static str,
        plan: &[(Use, Site)],
        driver: &mut dyn Driver,
    ) -> Result<Self, GpioError> {
        let mut wired = Self {
            name,
            outputs: Default::default(),
            inputs: Default::default(),
            levels: Default::default(),
            sites: Vec::new(),
        };
        for (wanted, site) in plan {
            match (driver.open(site, wanted)?, wanted) {
                (Opened::Output(output), Use::Output(role, _)) => {
                    wired.outputs[*role as usize] = Some(output);
                }
                (Opened::Input(input), Use::Input(which, _)) => {
                    wired.inputs[*which as usize] = Some(input);
                }
                _ => {
                    return Err(GpioError::Request {
                        key: wanted.key(),
                        line: site.to_string(),
                        reason: "it was opened the wrong way round".into(),
                    });
                }
            }
            wired.sites.push((wanted.key(), site.to_string()));
        }
        Ok(wired)
    }

    fn site(&self, key: &str) -> String {
        let site = self.sites.iter().find(|(wired, _)| *wired == key);
        site.map(|(_, site)| site.clone()).unwrap_or_default()
    }
}

impl Lines for Wired {
    fn set(&mut self, role: Role, on: bool, _: Duration) -> Result<(), GpioError> {
        if let Some(output) = &mut self.outputs[role as usize] {
            // Written even where nothing changes: the safe state is asserted, not assumed.
            if let Err(source) = output.write(on) {
                return Err(GpioError::Set { role, line: self.site(role.name()), on, source });
            }
        }
        self.levels[role as usize] = on;
        Ok(())
    }

    fn get(&self, role: Role) -> bool {
        self.levels[role as usize]
    }

    fn has(&self, input: Input) -> bool {
        self.inputs[input as usize].is_some()
    }

    fn read(&mut self, input: Input) -> Result<bool, GpioError> {
        match &mut self.inputs[input as usize] {
            Some(sensor) => sensor.read().map_err(|source| GpioError::Read {
                input,
                line: self.site(input.name()),
                source,
            }),
            None => Ok(false),
        }
    }

    fn describe(&self) -> String {
        let sites: Vec<_> = self.sites.iter().map(|(key, site)| format!("{key} {site}")).collect();
        format!("{}: {}", self.name, sites.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::config::Gpio;
    use crate::gpio::testing::pi4;
    use crate::gpio::{Board, wiring};

    /// A driver on paper: writes down what is done to which offset.
    #[derive(Default)]
    struct Paper {
        notes: Arc<Mutex<Vec<String>>>,
        /// Fails to open this offset.
        busy: Option<u32>,
    }

    struct PaperLine {
        offset: u32,
        notes: Arc<Mutex<Vec<String>>>,
    }

    impl PaperLine {
        fn note(&self, what: &str) {
            self.notes.lock().unwrap().push(format!("{} {what}", self.offset));
        }
    }

    impl Output for PaperLine {
        fn write(&mut self, on: bool) -> io::Result<()> {
            self.note(if on { "on" } else { "off" });
            Ok(())
        }
    }

    impl Sensor for PaperLine {
        fn read(&mut self) -> io::Result<bool> {
            Ok(true)
        }
    }

    impl Drop for PaperLine {
        fn drop(&mut self) {
            self.note("given back");
        }
    }

    impl Driver for Paper {
        fn open(&mut self, site: &Site, wanted: &Use) -> Result<Opened, GpioError> {
            if self.busy == Some(site.offset) {
                return Err(GpioError::Busy {
                    key: wanted.key(),
                    line: site.to_string(),
                    consumer: "\"spi0\"".into(),
                });
            }
            let line = PaperLine { offset: site.offset, notes: Arc::clone(&self.notes) };
            line.note("opened inactive");
            Ok(match wanted {
                Use::Output(..) => Opened::Output(Box::new(line)),
                Use::Input(..) => Opened::Input(Box::new(line)),
            })
        }
    }

    fn open(settings: &Gpio, driver: &mut Paper) -> Result<Wired, GpioError> {
        let plan: Result<Vec<_>, _> =
            wiring::find_all(wiring::uses(settings), &[pi4()]).into_iter().collect();
        Wired::open("paper", &plan?, driver)
    }

    fn settings() -> Gpio {
        Gpio {
            red: "17".parse().unwrap(),
            door: "22".parse().unwrap(),
            motion: "4".parse().unwrap(),
            ..Gpio::default()
        }
    }

    #[test]
    fn a_board_that_ends_is_safe_before_its_lines_are_given_back() {
        let mut paper = Paper::default();
        let wired = open(&settings(), &mut paper).unwrap();
        let described = wired.describe();
        assert_eq!(
            described,
            "paper: red GPIO17 (gpiochip0:17), door GPIO22 (gpiochip0:22), motion GPIO4 \
             (gpiochip0:4)"
        );
        let mut board = Board::new(Box::new(wired));
        board.set(Role::Door, true, Duration::ZERO).unwrap();
        drop(board);
        let notes = paper.notes.lock().unwrap().clone();
        assert_eq!(
            notes,
            [
                "17 opened inactive",
                "22 opened inactive",
                "4 opened inactive",
                "22 on",
                "22 off",
                "17 off",
                "17 given back",
                "22 given back",
                "4 given back",
            ]
        );
    }

    #[test]
    fn made_safe_the_door_comes_first_and_a_line_in_use_keeps_no_other_from_it() {
        let settings = Gpio { amber: "GPIO99".parse().unwrap(), ..settings() };
        let mut paper = Paper { busy: Some(17), ..Paper::default() };
        let told = crate::gpio::make_each_safe(&settings, &[pi4()], &mut paper, "paper");
        let told: Vec<_> =
            told.into_iter().map(|line| line.map_err(|error| error.to_string())).collect();
        assert_eq!(told[0], Ok("door GPIO22 (gpiochip0:22) (paper)".into()));
        assert!(told[1].as_ref().unwrap_err().starts_with("gpio.amber"), "{told:?}");
        assert!(told[2].as_ref().unwrap_err().starts_with("gpio.red"), "{told:?}");
        assert_eq!(told.len(), 3, "inputs are left alone");
        assert_eq!(*paper.notes.lock().unwrap(), ["22 opened inactive", "22 given back"]);
    }

    #[test]
    fn roles_without_a_line_are_switched_without_effect() {
        let mut paper = Paper::default();
        let mut wired = open(&settings(), &mut paper).unwrap();
        wired.set(Role::Buzzer, true, Duration::ZERO).unwrap();
        assert!(wired.get(Role::Buzzer));
        assert_eq!(paper.notes.lock().unwrap().len(), 3, "nothing was written");
        assert!(wired.has(Input::Motion) && !wired.has(Input::Acknowledge));
        assert!(!wired.read(Input::Acknowledge).unwrap());
        assert!(wired.read(Input::Motion).unwrap());
    }

    #[test]
    fn a_busy_line_names_its_user_and_gives_the_others_back() {
        let mut paper = Paper { busy: Some(22), ..Paper::default() };
        let error = open(&settings(), &mut paper).map(|_| ()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "gpio.door: GPIO22 (gpiochip0:22) is in use by \"spi0\"; end that, or choose another \
             line"
        );
        assert_eq!(*paper.notes.lock().unwrap(), ["17 opened inactive", "17 given back"]);
    }
}
