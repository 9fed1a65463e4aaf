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
