use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{GpioError, Input, Lines, Role};

/// One line switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineChange {
    pub at: Duration,
    pub role: Role,
    pub on: bool,
}

/// How many changes are remembered; older ones are forgotten, so that a box that runs for months
/// does not fill its memory.
const REMEMBERED: usize = 4096;

/// The changes of simulated lines, oldest first; a clone reads the same record.
#[derive(Clone, Debug, Default)]
pub struct Record(Arc<Mutex<VecDeque<LineChange>>>);

impl Record {
    /// The last 4096 changes.
    pub fn changes(&self) -> Vec<LineChange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    fn push(&self, change: LineChange) {
        let mut changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if changes.len() == REMEMBERED {
            changes.pop_front();
        }
        changes.push_back(change);
    }
}

/// The inputs of simulated lines: a hand on the button. A clone is the same hand.
#[derive(Clone, Debug, Default)]
pub struct Switches(Arc<Mutex<[Option<bool>; Input::ALL.len()]>>);

impl Switches {
    /// Wires the input, if it is not, and makes it active or inactive.
    pub fn set(&self, input: Input, active: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[input as usize] = Some(active);
    }

    fn get(&self, input: Input) -> Option<bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[input as usize]
    }
}

/// Lines without hardware, for trying the box out and for a desk without lamps: every change is
/// logged (`gpio red on at 1.20 s`) and recorded with its time. All outputs are there whatever the
/// configuration names; inputs are there only where a test wires them.
#[derive(Debug, Default)]
pub struct Simulated {
    levels: [bool; Role::ALL.len()],
    record: Record,
    switches: Switches,
}

impl Simulated {
    /// All lines off.
    pub fn new() -> Self {
        Self::default()
    }

    /// The record of this and every later change; stays readable after the lines are closed.
    pub fn record(&self) -> Record {
        self.record.clone()
    }

    /// The hand on its inputs.
    pub fn switches(&self) -> Switches {
        self.switches.clone()
    }
}

impl Lines for Simulated {
    fn set(&mut self, role: Role, on: bool, at: Duration) -> Result<(), GpioError> {
        let level = &mut self.levels[role as usize];
        if *level != on {
            *level = on;
            let word = if on { "on" } else { "off" };
            log::info!("gpio {role} {word} at {:.2} s", at.as_secs_f64());
            self.record.push(LineChange { at, role, on });
        }
        Ok(())
    }

    fn get(&self, role: Role) -> bool {
        self.levels[role as usize]
    }

    fn has(&self, input: Input) -> bool {
        self.switches.get(input).is_some()
    }

    fn read(&mut self, input: Input) -> Result<bool, GpioError> {
        Ok(self.switches.get(input).unwrap_or(false))
    }

    fn describe(&self) -> String {
        "simulated lines".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_tells_what_was_switched_when_and_forgets_the_oldest() {
        let mut lines = Simulated::new();
        let record = lines.record();
        let at = |step: usize| Duration::from_millis(step as u64);
        for step in 0..REMEMBERED + 10 {
            lines.set(Role::Buzzer, step % 2 == 0, at(step)).expect("simulated lines do not fail");
        }
        let changes = record.changes();
        assert_eq!(changes.len(), REMEMBERED);
        assert_eq!(changes[0], LineChange { at: at(10), role: Role::Buzzer, on: true });
    }
}
