use std::time::Duration;

use crate::alarm::Outputs;
use crate::gpio::{Board, GpioError, Input, Role};

/// Switches the lines as the policy wants them and reads the inputs. A line that fails is told
/// once, tried again each time, and told once more when it works.
pub struct Lamps {
    board: Board,
    failing: Vec<&'static str>,
}

impl Lamps {
    pub fn new(board: Board) -> Self {
        Self { board, failing: Vec::new() }
    }

    /// Brings every line to its level at `now`.
    pub fn follow(&mut self, outputs: &Outputs, now: Duration) {
        let levels = outputs.levels(now);
        let wanted = [
            (Role::Red, levels.red),
            (Role::Green, levels.green),
            (Role::Amber, levels.amber),
            (Role::Buzzer, levels.buzzer),
            (Role::Door, levels.door),
        ];
        for (role, on) in wanted {
            let result = self.board.set(role, on, now);
            self.told(role.name(), &result);
        }
    }

    /// Whether this input is wired.
    pub fn has(&self, input: Input) -> bool {
        self.board.has(input)
    }

    /// Reads the wired inputs: those that have just changed, with their new level.
    pub fn turned(&mut self, now: Duration) -> Vec<(Input, bool)> {
        let mut turned = Vec::new();
        for input in Input::ALL {
            if self.board.has(input) {
                let result = self.board.turned(input, now);
                self.told(input.name(), &result);
                turned.extend(result.ok().flatten().map(|active| (input, active)));
            }
        }
        turned
    }

    /// Whether something moves. A sensor that cannot be read keeps the box awake.
    pub fn motion(&self) -> bool {
        self.board.is_active(Input::Motion) || self.failing.contains(&Input::Motion.name())
    }

    /// Inputs that are active are told once more by the next [`Lamps::turned`].
    pub fn forget_inputs(&mut self) {
        self.board.forget_inputs();
    }

    /// Everything off, the door held.
    pub fn safe(&mut self, now: Duration) {
        if let Err(error) = self.board.safe(now) {
            log::error!("{error}");
        }
    }

    fn told<T>(&mut self, line: &'static str, result: &Result<T, GpioError>) {
        let known = self.failing.contains(&line);
        match result {
            Err(error) if !known => {
                log::error!("{error}; it is tried again");
                self.failing.push(line);
            }
            Ok(_) if known => {
                log::info!("gpio line {line} works again");
                self.failing.retain(|other| *other != line);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::gpio::{Lines, Simulated};

    /// Lines whose motion sensor is torn off.
    struct TornOff(Simulated);

    impl Lines for TornOff {
        fn set(&mut self, role: Role, on: bool, at: Duration) -> Result<(), GpioError> {
            self.0.set(role, on, at)
        }

        fn get(&self, role: Role) -> bool {
            self.0.get(role)
        }

        fn has(&self, _: Input) -> bool {
            true
        }

        fn read(&mut self, input: Input) -> Result<bool, GpioError> {
            match input {
                Input::Motion => Err(GpioError::Read { input, source: io::Error::other("torn") }),
                _ => Ok(true),
            }
        }

        fn describe(&self) -> String {
            "lines without their sensor".into()
        }
    }

    #[test]
    fn a_sensor_that_cannot_be_read_keeps_the_box_awake_and_the_others_working() {
        let mut lamps = Lamps::new(Board::new(Box::new(TornOff(Simulated::new()))));
        assert_eq!(lamps.turned(Duration::ZERO), []);
        assert!(lamps.motion());
        let turned = lamps.turned(Duration::from_secs(1));
        assert_eq!(turned, [(Input::Acknowledge, true), (Input::ModeSwitch, true)]);
        lamps.forget_inputs();
        assert_eq!(lamps.turned(Duration::from_secs(2)), []);
        assert_eq!(lamps.turned(Duration::from_secs(3)).len(), 2, "told once more");
    }
}
