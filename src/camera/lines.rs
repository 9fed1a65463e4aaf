//! What a program says on its standard error, line by line and no more than a log can bear.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::config::without_passwords;

/// Longer lines are cut, in bytes.
const LONGEST: usize = 300;
/// So many lines may come at once, and then one each `PACE`; the others are counted.
const BURST: u32 = 10;
const PACE: Duration = Duration::from_secs(10);

/// Gives each line of `pipe` to `say` until its end; the last is returned.
pub(super) fn forward(pipe: &mut dyn Read, mut say: impl FnMut(&str)) -> String {
    let mut lines = Lines::new(Instant::now());
    let mut buffer = [0; 4096];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                for byte in buffer.iter().take(count) {
                    lines.take(*byte, Instant::now, &mut say);
                }
            }
        }
    }
    lines.take(b'\n', Instant::now, &mut say);
    lines.last
}

struct Lines {
    line: Vec<u8>,
    /// How many more may be said now.
    left: u32,
    /// When `left` grew last.
    grown: Instant,
    left_out: u64,
    last: String,
}

impl Lines {
    fn new(now: Instant) -> Self {
        Self { line: Vec::new(), left: BURST, grown: now, left_out: 0, last: String::new() }
    }

    /// A carriage return ends a line too: that is how progress is shown.
    fn take(&mut self, byte: u8, now: impl Fn() -> Instant, say: &mut impl FnMut(&str)) {
        if byte != b'\n' && byte != b'\r' {
            if self.line.len() < LONGEST {
                self.line.push(byte);
            }
            return;
        }
        let line = readable(&self.line, self.line.len() >= LONGEST);
        self.line.clear();
        if line.is_empty() {
            return;
        }
        if self.may_say(now()) {
            match std::mem::take(&mut self.left_out) {
                0 => say(&line),
                count => say(&format!("{line} ({count} lines before this are left out)")),
            }
        } else {
            self.left_out += 1;
        }
        self.last = line;
    }

    fn may_say(&mut self, now: Instant) -> bool {
        let more = now.duration_since(self.grown).as_millis() / PACE.as_millis();
        if more > 0 {
            self.left = self.left.saturating_add(u32::try_from(more).unwrap_or(BURST)).min(BURST);
            self.grown = now;
        }
        let may = self.left > 0;
        self.left -= u32::from(may);
        may
    }
}

/// Without what could steer a terminal, and without passwords.
fn readable(line: &[u8], cut: bool) -> String {
    let text = String::from_utf8_lossy(line);
    let mut shown: String = text.chars().filter(|c| !c.is_control() || *c == '\t').collect();
    if !cut {
        return without_passwords(shown.trim());
    }
    // What ends an address's password may have been cut off.
    shown.push('@');
    let masked = without_passwords(shown.trim());
    format!("{}…", masked.strip_suffix('@').unwrap_or(&masked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &[u8]) -> (Vec<String>, String) {
        let mut lines = Vec::new();
        let last = forward(&mut &text[..], |line| lines.push(line.to_owned()));
        (lines, last)
    }

    #[test]
    fn lines_are_passed_on_without_what_steers_a_terminal() {
        let (lines, last) = said(b"one\r\n\n frame=1\rframe=2\r\x1b[31mred\xff\nlast");
        assert_eq!(lines, ["one", "frame=1", "frame=2", "[31mred\u{fffd}", "last"]);
        assert_eq!(last, "last");
    }

    #[test]
    fn of_a_flood_a_few_lines_are_said_and_the_last_is_kept() {
        let mut flood: Vec<u8> =
            (0..10_000).flat_map(|at| format!("noise {at}\n").into_bytes()).collect();
        flood.extend(vec![b'x'; 1 << 20]);
        let (lines, last) = said(&flood);
        assert!((10..100).contains(&lines.len()), "{}", lines.len());
        assert_eq!(last, "x".repeat(LONGEST) + "…");
    }

    #[test]
    fn a_password_whose_end_is_cut_off_is_not_told() {
        let (lines, _) = said(
            format!("{} rtsp://door:{}@cam/\n", "a".repeat(270), "s3cret".repeat(9)).as_bytes(),
        );
        assert_eq!(lines, ["a".repeat(270) + " rtsp://***…"]);
    }

    #[test]
    fn after_a_flood_the_next_line_tells_how_many_were_left_out() {
        let start = Instant::now();
        let mut lines = Lines::new(start);
        let mut heard = Vec::new();
        for at in 0..15 {
            for byte in format!("{at}\n").bytes() {
                lines.take(byte, || start, &mut |line: &str| heard.push(line.to_owned()));
            }
        }
        assert_eq!(heard.len(), 10);
        for byte in b"later\n" {
            lines.take(*byte, || start + PACE, &mut |line: &str| heard.push(line.to_owned()));
        }
        assert_eq!(heard.last().unwrap(), "later (5 lines before this are left out)");
    }
}
