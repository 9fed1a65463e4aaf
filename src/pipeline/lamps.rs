use std::time::Duration;

use crate::alarm::Outputs;
use crate::gpio::{Board, GpioError, Role};

/// Switches the lines as the policy wants them. A line that fails is told once, tried again each
/// time, and told once more when it works.
pub struct Lamps {
    board: Board,
    failing: Vec<Role>,
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
            self.told(role, &result);
        }
    }

    /// Everything off, the door held.
    pub fn safe(&mut self, now: Duration) {
        if let Err(error) = self.board.safe(now) {
            log::error!("{error}");
        }
    }

    fn told(&mut self, role: Role, result: &Result<(), GpioError>) {
        let known = self.failing.contains(&role);
        match result {
            Err(error) if !known => {
                log::error!("{error}; it is tried again");
                self.failing.push(role);
            }
            Ok(()) if known => {
                log::info!("gpio line {role} works again");
                self.failing.retain(|other| *other != role);
            }
            _ => {}
        }
    }
}
