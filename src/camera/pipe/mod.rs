//! What a shell command writes, as a camera: motion JPEG, YUV4MPEG2 or raw frames. The command is
//! started here and ended here; whoever lost it opens the source again.

mod frames;
mod mailbox;

use std::process::ChildStdout;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use self::frames::{Frames, Next};
use self::mailbox::{Letter, Mailbox, Over};
use super::program::Program;
use super::{CameraError, Frame, Source, lines, log_broken};
use crate::config;

/// Longest wait without a look at the stop sign.
const WAIT: Duration = Duration::from_millis(50);
/// How long a command that closed its output may take to end.
const ENDING: Duration = Duration::from_millis(500);
/// How many times longer the first frame may take: sensors start, networks are dialled.
const START: u32 = 3;

/// A command that runs.
pub(super) struct Pipe {
    name: String,
    program: Program,
    mailbox: Arc<Mailbox>,
    patience: Duration,
    opened: Instant,
    /// Frames that could not be decoded.
    undecoded: u64,
    given: u64,
    stop: Arc<AtomicBool>,
}

impl Pipe {
    pub(super) fn open(command: &str, camera: &config::Camera) -> Result<Self, CameraError> {
        let name = name_of(command);
        let failed = |source| CameraError::PipeStart { name: name.clone(), source };
        let label = name.clone();
        let (program, output) = Program::guarded(command, move |said| {
            lines::forward(said, |line| log::info!("{label}: {line}"))
        })
        .map_err(failed)?;
        let mailbox = Arc::new(Mailbox::default());
        let (to, camera) = (Arc::clone(&mailbox), camera.clone());
        let patience = Duration::from_secs_f32(camera.stuck_s);
        // Reads all the time, so that frames do not grow old in the pipe while one is looked at.
        thread::Builder::new()
            .name("pipe".into())
            .spawn(move || {
                let over = read(output, &camera, &to);
                to.end(over);
            })
            .map_err(failed)?;
        let (opened, stop) = (Instant::now(), Arc::default());
        Ok(Self { name, program, mailbox, patience, opened, undecoded: 0, given: 0, stop })
    }

    fn ended(&mut self, over: Over) -> CameraError {
        let name = self.name.clone();
        match over {
            Over::Unread(reason) => CameraError::PipeOutput { name, reason },
            Over::End => {
                let status = match self.program.ended(ENDING) {
                    Ok(status) => status.to_string(),
                    Err(error) => error.to_string(),
                };
                let said = match self.program.last_words() {
                    words if words.is_empty() => "it said nothing".into(),
                    words => format!("it said last: {words}"),
                };
                let frames = self.mailbox.seen();
                CameraError::PipeEnded { name, status, frames, said }
            }
        }
    }

    fn stuck(&self, seconds: f32) -> CameraError {
        let broken = self.broken();
        let advice = match (self.given, broken) {
            (0, 0) => {
                "see by hand whether the command writes motion JPEG, YUV4MPEG2 or the raw frames \
                 that [camera] format, width and height say, to its standard output"
            }
            (_, 0) => "what it reads from may be gone",
            _ => "what it writes is damaged, or not what [camera] format says",
        };
        CameraError::Stuck { name: self.name.clone(), seconds, broken, advice }
    }
}

impl Source for Pipe {
    fn next(&mut self) -> Result<Option<Frame>, CameraError> {
        let asked = Instant::now();
        let patience = if self.given == 0 { self.patience * START } else { self.patience };
        while !self.stop.load(Ordering::Relaxed) {
            match self.mailbox.take(WAIT) {
                Some(Letter::Frame(number, frame)) => match frame.decode("the frame") {
                    Ok(picture) => {
                        self.given += 1;
                        let captured_at = self.opened.elapsed();
                        return Ok(Some(Frame { picture, number, captured_at }));
                    }
                    Err(reason) => {
                        self.undecoded += 1;
                        log_broken(self.undecoded, &format!("{}: {reason}", self.name));
                    }
                },
                Some(Letter::Over(over)) => return Err(self.ended(over)),
                None => {}
            }
            if asked.elapsed() > patience {
                return Err(self.stuck(patience.as_secs_f32()));
            }
        }
        Ok(None)
    }

    fn describe(&self) -> String {
        match self.mailbox.kind() {
            Some(kind) => format!("{}, {kind}", self.name),
            None => self.name.clone(),
        }
    }

    fn rate(&self) -> Option<f32> {
        None
    }

    fn broken(&self) -> u64 {
        self.undecoded + self.mailbox.broken()
    }

    fn stop_on(&mut self, stop: Arc<AtomicBool>) {
        self.stop = stop;
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

/// Reads frames until the stream ends or nobody wants them any more.
fn read(output: ChildStdout, camera: &config::Camera, to: &Mailbox) -> Over {
    let mut frames = match Frames::begin(output, camera) {
        Ok(Some(Ok(frames))) => frames,
        Ok(Some(Err(reason))) => return Over::Unread(reason),
        Ok(None) | Err(_) => return Over::End,
    };
    to.begin(frames.describe());
    while !to.is_closed() {
        match frames.next() {
            Ok(Next::Frame(frame)) => to.put(frame),
            Ok(Next::Broken(reason)) => {
                log_broken(to.count_broken(), &format!("a frame of the pipe is damaged: {reason}"));
            }
            Ok(Next::Unread(reason)) => return Over::Unread(reason),
            Ok(Next::End) | Err(_) => break,
        }
    }
    Over::End
}

/// For logs: the program, without its arguments, which may hold passwords.
fn name_of(command: &str) -> String {
    // VARIABLE=VALUE may stand before it, whose end only a shell finds where it is quoted.
    let mut words = command.split_whitespace();
    let plain = |word: &&str| !word.contains(['\'', '"', '\\', '`', '$']);
    let program = words.find(|word| !(word.contains('=') && plain(word))).filter(plain);
    format!("the pipe command ({})", program.unwrap_or("sh"))
}

#[cfg(test)]
mod tests;
