use std::time::Duration;

use crate::alarm::Outputs;
use crate::gpio::{Board, GpioError, Input, Role};

/// An output that fails for so long is not waited for any more: what is opened anew may work, as
/// where an adapter was unplugged for a moment.
const DEAD: Duration = Duration::from_secs(5);

/// A line that fails again and again is told so seldom: one on a long cable would fill the log.
const TOLD_AGAIN: Duration = Duration::from_secs(60);
/// Unless it goes on for so long.
const LASTS: Duration = Duration::from_secs(1);

/// Switches the lines as the policy wants them and reads the inputs. A line that fails is told
/// once, tried again each time, and told once more when it works; of one that fails and works by
/// turns this is told once a minute.
pub struct Lamps {
    board: Board,
    /// Lines that fail, and since when.
    failing: Vec<(&'static str, Duration)>,
    /// The beginning of the failing that was told last of each.
    told: Vec<(&'static str, Duration)>,
}

impl Lamps {
    pub fn new(board: Board) -> Self {
        Self { board, failing: Vec::new(), told: Vec::new() }
    }

    /// Brings every line to its level at `now`.
    ///
    /// # Errors
    /// An output could not be switched for five seconds.
    pub fn follow(&mut self, outputs: &Outputs, now: Duration) -> Result<(), GpioError> {
        let levels = outputs.levels(now);
        let wanted = [
            (Role::Red, levels.red),
            (Role::Green, levels.green),
            (Role::Amber, levels.amber),
            (Role::Buzzer, levels.buzzer),
            (Role::Door, levels.door),
        ];
        let mut dead = Ok(());
        for (role, on) in wanted {
            let result = self.board.set(role, on, now);
            // A level that is as it was says nothing of whether it can be switched.
            if !matches!(result, Ok(false)) {
                self.told(role.name(), &result, now);
            }
            if result.is_err() && self.failing_for(role.name(), now) >= DEAD {
                dead = dead.and(result.map(|_| ()));
            }
        }
        dead
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
                self.told(input.name(), &result, now);
                turned.extend(result.ok().flatten().map(|active| (input, active)));
            }
        }
        turned
    }

    /// Whether something moves. A sensor that cannot be read keeps the box awake.
    pub fn motion(&self) -> bool {
        self.board.is_active(Input::Motion) || self.fails(Input::Motion.name())
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

    fn fails(&self, line: &str) -> bool {
        self.failing.iter().any(|(failing, _)| *failing == line)
    }

    /// Since when it fails; `None` where it works.
    fn since(&self, line: &str) -> Option<Duration> {
        self.failing.iter().find(|(failing, _)| *failing == line).map(|(_, since)| *since)
    }

    fn failing_for(&self, line: &str, now: Duration) -> Duration {
        self.since(line).map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }

    fn told<T>(&mut self, line: &'static str, result: &Result<T, GpioError>, now: Duration) {
        let said = self.told.iter().find(|(other, _)| *other == line).map(|(_, at)| *at);
        match result {
            Err(error) => {
                if !self.fails(line) {
                    self.failing.push((line, now));
                }
                let lately = said.is_some_and(|at| now.saturating_sub(at) < TOLD_AGAIN);
                let lasts = self.failing_for(line, now) >= LASTS;
                if said != self.since(line) && (!lately || lasts) {
                    log::error!("{error}; it is tried again");
                    self.told.retain(|(other, _)| *other != line);
                    self.told.extend(self.since(line).map(|since| (line, since)));
                }
            }
            Ok(_) if self.fails(line) => {
                if said == self.since(line) {
                    log::info!("gpio.{line} works again");
                }
                self.failing.retain(|(other, _)| *other != line);
            }
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::alarm::{Pattern, Signal};
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
                Input::Motion => {
                    let (line, source) = ("GPIO4".into(), io::Error::other("torn"));
                    Err(GpioError::Read { input, line, source })
                }
                _ => Ok(true),
            }
        }

        fn describe(&self) -> String {
            "lines without their sensor".into()
        }
    }

    /// Lines whose chip is gone.
    struct Gone;

    impl Lines for Gone {
        fn set(&mut self, role: Role, on: bool, _: Duration) -> Result<(), GpioError> {
            let (line, source) = ("GPIO17".into(), io::Error::other("no such device"));
            Err(GpioError::Set { role, line, on, source })
        }

        fn get(&self, _: Role) -> bool {
            false
        }

        fn has(&self, _: Input) -> bool {
            false
        }

        fn read(&mut self, _: Input) -> Result<bool, GpioError> {
            Ok(false)
        }

        fn describe(&self) -> String {
            "lines that are gone".into()
        }
    }

    #[test]
    fn an_output_that_fails_for_seconds_ends_the_run_also_where_it_is_to_be_off() {
        let mut lamps = Lamps::new(Board::new(Box::new(Gone)));
        let red = Signal { pattern: Pattern::Steady, since: Duration::ZERO };
        let (quiet, alarm) = (Outputs::default(), Outputs { red, ..Outputs::default() });
        let at = Duration::from_secs;
        lamps.follow(&quiet, at(0)).unwrap();
        lamps.follow(&alarm, at(1)).unwrap();
        lamps.follow(&quiet, at(3)).unwrap();
        assert!(lamps.fails("red"));
        lamps.follow(&alarm, at(5)).unwrap();
        let error = lamps.follow(&quiet, at(6)).unwrap_err().to_string();
        assert!(error.starts_with("gpio.red: GPIO17 cannot be switched off"), "{error}");
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

    #[test]
    fn a_line_that_fails_now_and_then_is_told_once_a_minute_and_one_that_stays_so_at_once() {
        let mut lamps = Lamps::new(Board::new(Box::new(Gone)));
        let torn = || {
            let source = io::Error::other("torn");
            Err::<(), _>(GpioError::Read { input: Input::Motion, line: "GPIO4".into(), source })
        };
        let at = Duration::from_millis;
        for second in 0..30 {
            lamps.told("motion", &torn(), at(1000 * second));
            lamps.told("motion", &Ok(()), at(1000 * second + 10));
        }
        assert_eq!(lamps.told, [("motion", at(0))]);
        lamps.told("motion", &torn(), at(30_000));
        lamps.told("motion", &torn(), at(30_900));
        assert_eq!(lamps.told, [("motion", at(0))]);
        lamps.told("motion", &torn(), at(31_000));
        assert_eq!(lamps.told, [("motion", at(30_000))]);
        lamps.told("motion", &Ok(()), at(95_000));
        lamps.told("motion", &torn(), at(96_000));
        assert_eq!(lamps.told, [("motion", at(96_000))]);
    }
}
