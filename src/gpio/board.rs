use std::time::Duration;

use super::{Debounce, GpioError, Input, Lines, Role};

/// Owns the lines and leaves them safe: when it is dropped, also by a panic, all are off and the
/// door is held.
pub struct Board {
    lines: Box<dyn Lines>,
    inputs: [Debounce; Input::ALL.len()],
    settle: Duration,
    last: Duration,
    /// Lines whose last switching failed: nobody knows what level they are at.
    unsure: [bool; Role::ALL.len()],
}

/// As the configuration has it by default.
const SETTLE: Duration = Duration::from_millis(30);

impl Board {
    /// With the usual debouncing.
    pub fn new(lines: Box<dyn Lines>) -> Self {
        Self::with_debounce(lines, SETTLE)
    }

    /// An input counts when it has held its level for `settle`.
    pub fn with_debounce(lines: Box<dyn Lines>, settle: Duration) -> Self {
        let inputs = Input::ALL.map(|_| Debounce::new(settle));
        let unsure = [false; Role::ALL.len()];
        Self { lines, inputs, settle, last: Duration::ZERO, unsure }
    }

    /// Whether this input is wired.
    pub fn has(&self, input: Input) -> bool {
        self.lines.has(input)
    }

    /// Reads an input at `at`: its debounced level where it has just changed.
    pub fn turned(&mut self, input: Input, at: Duration) -> Result<Option<bool>, GpioError> {
        let level = self.lines.read(input)?;
        let debounce = &mut self.inputs[input as usize];
        Ok(debounce.sample(at, level).then(|| debounce.is_active()))
    }

    /// The debounced level of an input as it was read last.
    pub fn is_active(&self, input: Input) -> bool {
        self.inputs[input as usize].is_active()
    }

    /// Forgets what the inputs said: those that are active are told once more.
    pub fn forget_inputs(&mut self) {
        self.inputs = Input::ALL.map(|_| Debounce::new(self.settle));
    }

    /// Switches a line where it differs, and tells whether it did. One that failed is written with
    /// the next call whatever is wanted: what was told to have failed may have happened.
    pub fn set(&mut self, role: Role, on: bool, at: Duration) -> Result<bool, GpioError> {
        self.last = at;
        if self.lines.get(role) == on && !self.unsure[role as usize] {
            return Ok(false);
        }
        self.write(role, on, at).map(|()| true)
    }

    /// How the line was set last.
    pub fn get(&self, role: Role) -> bool {
        self.lines.get(role)
    }

    /// Switches everything off and holds the door. A line that fails does not keep the others
    /// from being switched; the first error is returned.
    pub fn safe(&mut self, at: Duration) -> Result<(), GpioError> {
        self.last = at;
        let mut result = Ok(());
        // The door first: it is what must not be left open.
        for role in Role::ALL.into_iter().rev() {
            result = result.and(self.write(role, false, at));
        }
        result
    }

    fn write(&mut self, role: Role, on: bool, at: Duration) -> Result<(), GpioError> {
        let result = self.lines.set(role, on, at);
        self.unsure[role as usize] = result.is_err();
        result
    }

    /// For logs.
    pub fn describe(&self) -> String {
        self.lines.describe()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if let Err(error) = self.safe(self.last) {
            log::error!("{error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::gpio::{LineChange, Simulated};

    const AT: Duration = Duration::from_millis(1200);

    #[test]
    fn a_dropped_board_leaves_everything_off_and_the_door_held() {
        let lines = Simulated::new();
        let record = lines.record();
        let mut board = Board::new(Box::new(lines));
        for role in [Role::Red, Role::Buzzer, Role::Door] {
            board.set(role, true, AT).expect("simulated lines do not fail");
        }
        drop(board);
        let off: Vec<_> =
            record.changes().into_iter().filter(|change| !change.on).map(|c| c.role).collect();
        assert_eq!(off, [Role::Door, Role::Buzzer, Role::Red], "the door first");
    }

    #[test]
    fn a_panic_leaves_the_door_held_too() {
        let lines = Simulated::new();
        let record = lines.record();
        let thread = std::thread::spawn(move || {
            let mut board = Board::new(Box::new(lines));
            board.set(Role::Door, true, AT).expect("simulated lines do not fail");
            panic!("something else broke");
        });
        assert!(thread.join().is_err());
        let last = record.changes().pop();
        assert_eq!(last, Some(LineChange { at: AT, role: Role::Door, on: false }));
    }

    #[test]
    fn a_line_is_switched_only_where_it_differs() {
        let lines = Simulated::new();
        let record = lines.record();
        let mut board = Board::new(Box::new(lines));
        for on in [false, true, true, false] {
            board.set(Role::Green, on, AT).expect("simulated lines do not fail");
        }
        let changes: Vec<_> = record.changes().iter().map(|change| change.on).collect();
        assert_eq!(changes, [true, false]);
    }

    /// Lines that write down what they are switched to; the first time is told to have failed.
    struct FailsOnce(Vec<bool>);

    impl Lines for FailsOnce {
        fn set(&mut self, role: Role, on: bool, _: Duration) -> Result<(), GpioError> {
            self.0.push(on);
            let source = io::ErrorKind::TimedOut.into();
            let failure = GpioError::Set { role, line: "GPIO22".into(), on, source };
            if self.0.len() == 1 { Err(failure) } else { Ok(()) }
        }

        fn get(&self, _: Role) -> bool {
            self.0.get(1..).and_then(|worked| worked.last()).is_some_and(|on| *on)
        }

        fn has(&self, _: Input) -> bool {
            false
        }

        fn read(&mut self, _: Input) -> Result<bool, GpioError> {
            Ok(false)
        }

        fn describe(&self) -> String {
            "lines that time out once".into()
        }
    }

    #[test]
    fn after_a_failure_to_switch_on_the_off_is_written_although_nothing_seems_on() {
        let mut board = Board::new(Box::new(FailsOnce(Vec::new())));
        board.set(Role::Door, true, AT).expect_err("it times out");
        assert!(!board.get(Role::Door));
        assert!(board.set(Role::Door, false, AT).expect("it works again"), "written");
        assert!(!board.set(Role::Door, false, AT).expect("it works"), "sure again");
    }

    /// Lines of which red is broken off.
    struct RedBroken(Simulated);

    impl Lines for RedBroken {
        fn set(&mut self, role: Role, on: bool, at: Duration) -> Result<(), GpioError> {
            if role == Role::Red {
                let source = io::Error::other("no such line");
                return Err(GpioError::Set { role, line: "GPIO17".into(), on, source });
            }
            self.0.set(role, on, at)
        }

        fn get(&self, role: Role) -> bool {
            self.0.get(role)
        }

        fn has(&self, _: Input) -> bool {
            false
        }

        fn read(&mut self, _: Input) -> Result<bool, GpioError> {
            Ok(false)
        }

        fn describe(&self) -> String {
            "lines with a broken red".into()
        }
    }

    #[test]
    fn a_broken_line_is_named_and_does_not_keep_the_others_from_being_safe() {
        let mut board = Board::new(Box::new(RedBroken(Simulated::new())));
        board.set(Role::Green, true, AT).expect("green works");
        board.set(Role::Door, true, AT).expect("the door works");
        let error = board.safe(AT).expect_err("red is broken");
        let told = error.to_string();
        assert!(
            told.starts_with("gpio.red: GPIO17 cannot be switched off: no such line"),
            "{told}"
        );
        assert!(Role::ALL.into_iter().all(|role| !board.get(role)));
    }
}
