use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::config::{self, Config, without_passwords};
use crate::gpio::Board;
use crate::report::Event;
use crate::tracking::Counts;
use crate::vision::Vision;
use crate::vision::model::Origin;
use crate::{camera, gpio};

use super::camera_tally::CameraTally;
use super::capture::Capture;
use super::control::{Control, Tally};
use super::hearts::{BEAT, Heart, Hearts};
use super::rest::Asleep;
use super::slot::Slot;
use super::stage::{Clock, Faults, Input, Seen};
use super::{Lamps, PipelineError, Shutdown};

/// Frames looked at that control has not yet taken: it is quick, so more would only be older.
const SEEN: usize = 2;
/// Events on their way to where they are told.
const EVENTS: usize = 256;
/// How long stages have to end; the lines are safe before that.
const GRACE: Duration = Duration::from_millis(1500);
/// How often whoever watches the run is called.
const WATCH: Duration = Duration::from_millis(500);
/// A stage that has not beaten for so long is stalled: a frame may take seconds on a slow box.
const STALL: Duration = Duration::from_secs(20);
/// So many frames in a row that cannot be looked at mean that vision does not work at all.
const BLIND: u32 = 30;

/// Everything opened and ready to run.
pub struct Daemon {
    config: Config,
    vision: Vision,
    /// None: it is not there yet, and `said` is the topic of what was told of that.
    source: Option<Box<dyn camera::Source>>,
    said: String,
    board: Board,
}

/// How a run is going.
#[derive(Clone, Debug)]
pub struct Health {
    /// How long it has run.
    pub time: Duration,
    /// The camera, or why there is none.
    pub camera: String,
    /// Frames looked at so far.
    pub frames: u64,
    /// A stage that does not go round any more, and for how long.
    pub stalled: Option<(&'static str, Duration)>,
    /// The run is ending; this is the last call.
    pub ending: bool,
}

/// What came by in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// How long it ran.
    pub time: Duration,
    /// Frames looked at.
    pub frames: u64,
    /// Frames replaced by a newer one before they were looked at, in the source or behind it.
    pub dropped: u64,
    pub people: Counts,
    /// Events that were not told because too many came at once.
    pub untold: u64,
    /// Stages that had to be started again.
    pub breakdowns: u64,
    /// How often the camera was lost.
    pub losses: u64,
    /// Frames that came damaged.
    pub broken: u64,
    /// Whether a stage hung at the end and was left behind, maybe in what it writes to.
    pub left_behind: bool,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { people, with_mask, without_mask, incorrect_mask } = self.people;
        write!(
            f,
            "{:.1} s, {} frames ({} dropped); people: {people}, with mask {with_mask}, without \
             {without_mask}, worn wrongly {incorrect_mask}",
            self.time.as_secs_f64(),
            self.frames,
            self.dropped,
        )?;
        if self.untold > 0 {
            write!(f, "; {} events untold", self.untold)?;
        }
        if self.breakdowns > 0 {
            write!(f, "; {} breakdowns", self.breakdowns)?;
        }
        if self.losses > 0 {
            write!(f, "; camera lost {} times", self.losses)?;
        }
        if self.broken > 0 {
            write!(f, "; {} broken frames", self.broken)?;
        }
        Ok(())
    }
}

impl Daemon {
    /// Loads the models and opens the lines and the source, in this order: what is wrong with the
    /// configuration shows before a device is touched. A camera that is not there now, or cannot
    /// be had, is waited for, as one that is lost later: the box may start before it. What only
    /// the configuration can mend is an error.
    pub fn open(config: &Config) -> Result<Self, PipelineError> {
        Self::with_vision(config, Vision::load(&config.detector, &config.classifier)?)
    }

    /// Detector, then classifier: where each came from and its SHA-256.
    pub fn models(&self) -> [Origin; 2] {
        self.vision.models().map(Clone::clone)
    }

    /// As `open`, with the models of `config` already loaded.
    pub fn with_vision(config: &Config, vision: Vision) -> Result<Self, PipelineError> {
        for model in vision.models() {
            log::info!("{}, sha256 {}", model.name, model.sha256);
        }
        let board = gpio::open(&config.gpio)?;
        log::info!("lines: {}", board.describe());
        let (source, said) = match camera::open(&config.camera) {
            Ok(source) => {
                log::info!("source: {}", source.describe());
                (Some(source), String::new())
            }
            Err(error) if error.may_pass() => {
                let topic = error.topic();
                let error = without_passwords(&error.to_string());
                log::error!("{error}; it is waited for, and the lines are safe");
                (None, topic)
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { config: config.clone(), vision, source, said, board })
    }

    /// Runs until `process` is to end, the source has ended, or `watch` breaks off; `watch` is
    /// called twice a second. Each event is given to `tell`, whose error ends the run. However it
    /// ends, the lines are safe, and `process` is as it was.
    pub fn run(
        self,
        process: &Shutdown,
        tell: impl FnMut(&Event) -> io::Result<()> + Send + 'static,
        mut watch: impl FnMut(&Health) -> ControlFlow<()>,
    ) -> Result<Totals, PipelineError> {
        let shutdown = &process.child();
        let faults = Faults::new(shutdown.clone());
        let (slot, tally) = (Slot::default(), Tally::default());
        let (seen_in, seen) = crossbeam_channel::bounded(SEEN);
        let (events_in, events) = crossbeam_channel::bounded(EVENTS);
        let clock = Clock::start();
        let hearts = Hearts::new(clock);
        let asleep = Asleep::default();
        let camera = self.config.camera.clone();
        let camera_tally = CameraTally::default();
        let patience = capture_patience(&camera);
        let mut capture = Capture {
            open: Box::new(move || camera::open(&camera)),
            source: self.source,
            slot: slot.clone(),
            clock,
            shutdown: shutdown.clone(),
            faults: faults.clone(),
            next_number: 0,
            gave: None,
            lost: false,
            said: self.said,
            tally: camera_tally.clone(),
            heart: hearts.heart("capture", patience),
        };
        let mut sight = Sight {
            vision: self.vision,
            slot: slot.clone(),
            seen: seen_in,
            shutdown: shutdown.clone(),
            faults: faults.clone(),
            heart: hearts.heart("vision", STALL),
            asleep: asleep.clone(),
            began: false,
        };
        let mut control = Control {
            config: self.config,
            lamps: Lamps::new(self.board),
            seen,
            events: events_in,
            clock,
            shutdown: shutdown.clone(),
            tally: tally.clone(),
            heart: hearts.heart("control", STALL),
            asleep,
            faults: faults.clone(),
        };

        let stages = Stages::new(&faults);
        let started = stages
            .start("reports", {
                let (faults, mut tell) = (faults.clone(), tell);
                let heart = hearts.heart("reports", STALL);
                move || report(&events, &mut tell, &faults, &heart)
            })
            .and_then(|()| {
                // The end of control is the end of all.
                let shutdown = shutdown.clone();
                stages.start_then("control", move || control.run(), move || shutdown.trigger())
            })
            .and_then(|()| stages.start("vision", move || sight.run()))
            .and_then(|()| stages.start("capture", move || capture.run()));
        if let Err(error) = started {
            faults.fail(PipelineError::Thread(error));
        }

        let health = |ending| Health {
            time: clock.now(),
            camera: camera_tally.words(),
            frames: tally.frames(),
            stalled: hearts.silent(clock.now()),
            ending,
        };
        // Whatever happens there, the lines are made safe first.
        let watched = catch_unwind(AssertUnwindSafe(|| {
            while !shutdown.is_triggered() && watch(&health(false)).is_continue() {
                shutdown.wait(WATCH);
            }
            shutdown.trigger();
            // Its wish is no more asked for.
            let _ = watch(&health(true));
        }));
        shutdown.trigger();
        let left_behind = stages.wait(GRACE);
        if let Err(panic) = watched {
            resume_unwind(panic);
        }
        let totals = Totals {
            time: clock.now(),
            frames: tally.frames(),
            dropped: slot.dropped() + camera_tally.passed_over(),
            people: tally.people(),
            untold: tally.untold(),
            breakdowns: faults.total(),
            losses: camera_tally.losses(),
            broken: camera_tally.broken(),
            left_behind,
        };
        match faults.reason() {
            Some(error) => {
                // What was counted is told however it ends.
                log::info!("failed after {totals}");
                Err(error)
            }
            None => Ok(totals),
        }
    }
}

/// How long capture may be silent. A pipe may take three times as long as others for its first frame;
/// between two pictures of a file any time may lie.
fn capture_patience(camera: &config::Camera) -> Duration {
    match camera.source.starts_with("file:") {
        true => Duration::MAX,
        false => STALL + 3 * Duration::from_secs_f32(camera.stuck_s),
    }
}

/// The threads of one run.
struct Stages<'a> {
    faults: &'a Faults,
    /// Each thread holds a sender for as long as it lives.
    alive: Sender<()>,
    all_ended: Receiver<()>,
}

impl<'a> Stages<'a> {
    fn new(faults: &'a Faults) -> Self {
        let (alive, all_ended) = crossbeam_channel::bounded(0);
        Self { faults, alive, all_ended }
    }

    fn start(&self, name: &'static str, body: impl FnMut() + Send + 'static) -> io::Result<()> {
        self.start_then(name, body, || {})
    }

    /// `finally` runs when the stage has ended and what it owned is dropped.
    fn start_then(
        &self,
        name: &'static str,
        body: impl FnMut() + Send + 'static,
        finally: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let (faults, alive) = (self.faults.clone(), self.alive.clone());
        thread::Builder::new().name(name.into()).spawn(move || {
            faults.guard(name, body);
            finally();
            drop(alive);
        })?;
        Ok(())
    }

    /// Waits for all to end; one that hangs in a device is left behind, and the process ends
    /// without it. True where one is.
    fn wait(self, time: Duration) -> bool {
        drop(self.alive);
        let left_behind = self.all_ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
        if left_behind {
            log::warn!("a stage did not end within {} ms and is left behind", time.as_millis());
        }
        left_behind
    }
}

/// The vision stage: newest frame in, looks out.
struct Sight {
    vision: Vision,
    slot: Slot,
    seen: Sender<Seen>,
    shutdown: Shutdown,
    faults: Faults,
    heart: Heart,
    asleep: Asleep,
    began: bool,
}

impl Sight {
    /// Returns at the end of the source or of the pipeline. Called again after a panic, it tells so
    /// first: what was seen before may hold no more.
    fn run(&mut self) {
        let mut failed = 0;
        if std::mem::replace(&mut self.began, true) && !self.tell(Seen::Blind) {
            return;
        }
        while let Some(input) = self.slot.take(&self.shutdown, &self.heart) {
            let seen = match input {
                // Seen by nobody: nothing moves. The camera goes on, so that waking takes no time.
                Input::Frame(_) if self.asleep.get() => continue,
                Input::Frame(frame) => match self.vision.look(&frame.picture) {
                    Ok(looks) => {
                        failed = 0;
                        Seen::Looks { number: frame.number, at: frame.captured_at, looks }
                    }
                    Err(cause) => {
                        failed += 1;
                        if failed == 1 {
                            log::error!("frame {}: {cause}", frame.number);
                        }
                        if failed == BLIND {
                            self.faults.fail(PipelineError::Blind { count: failed, cause });
                        }
                        continue;
                    }
                },
                Input::Lost(at) => Seen::Lost(at),
                Input::Back(at) => Seen::Back(at),
                Input::End => Seen::End,
            };
            if !self.tell(seen) {
                return;
            }
        }
    }

    /// False at the end of the pipeline.
    fn tell(&self, seen: Seen) -> bool {
        crossbeam_channel::select! {
            send(self.seen, seen) -> sent => sent.is_ok(),
            recv(self.shutdown.closed()) -> _ => false,
        }
    }
}

/// The report stage: tells events until control has ended.
fn report(
    events: &Receiver<Event>,
    tell: &mut impl FnMut(&Event) -> io::Result<()>,
    faults: &Faults,
    heart: &Heart,
) {
    loop {
        heart.beat();
        let event = match events.recv_timeout(BEAT) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if let Err(error) = tell(&event) {
            faults.fail(PipelineError::Report(error));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Frame;
    use crate::picture::Picture;

    fn sight(slot: &Slot, shutdown: &Shutdown, asleep: &Asleep) -> (Sight, Receiver<Seen>) {
        let config = Config::default();
        let (seen_in, seen) = crossbeam_channel::bounded(SEEN);
        let sight = Sight {
            vision: Vision::load(&config.detector, &config.classifier).unwrap(),
            slot: slot.clone(),
            seen: seen_in,
            shutdown: shutdown.clone(),
            faults: Faults::new(shutdown.clone()),
            heart: Hearts::new(Clock::start()).heart("vision", STALL),
            asleep: asleep.clone(),
            began: false,
        };
        (sight, seen)
    }

    #[test]
    fn a_clip_may_rest_as_long_as_it_likes_and_a_camera_may_not() {
        let patience = |source: &str| {
            let source = source.into();
            capture_patience(&config::Camera { source, stuck_s: 2.0, ..config::Camera::default() })
        };
        assert_eq!(patience("file:slides.gif"), Duration::MAX);
        assert_eq!(patience("v4l2:/dev/video0"), Duration::from_secs(26));
    }

    #[test]
    fn all_stages_end_before_a_panic_of_whoever_watches_goes_on() {
        let mut config = Config::default();
        config.camera.source = "demo".into();
        config.gpio.backend = crate::config::Backend::Simulated;
        let shutdown = Shutdown::default();
        let daemon = Daemon::open(&config).unwrap();
        let lines = std::sync::Arc::new(());
        let held = std::sync::Arc::clone(&lines);
        // The stage that tells events ends with the others, and drops what it holds.
        let tell = move |_: &Event| {
            let _ = &held;
            Ok(())
        };
        let ended = catch_unwind(AssertUnwindSafe(|| {
            daemon.run(&shutdown, tell, |_: &Health| panic!("in a test")).map(|_| ())
        }));
        assert!(ended.is_err());
        assert_eq!(std::sync::Arc::strong_count(&lines), 1, "a stage still runs");
    }

    #[test]
    fn vision_that_broke_down_tells_so_before_it_goes_on() {
        let (slot, shutdown) = (Slot::default(), Shutdown::default());
        let (mut sight, seen) = sight(&slot, &shutdown, &Asleep::default());
        slot.put(Input::End);
        let running = thread::spawn(move || {
            // As its guard does after a panic.
            sight.began = true;
            sight.run();
        });
        assert!(matches!(seen.recv(), Ok(Seen::Blind)));
        assert!(matches!(seen.recv(), Ok(Seen::End)));
        shutdown.trigger();
        running.join().unwrap();
    }

    #[test]
    fn a_frame_is_not_looked_at_while_vision_sleeps_and_the_next_one_is_when_it_is_awake() {
        let (slot, shutdown, asleep) = (Slot::default(), Shutdown::default(), Asleep::default());
        let (mut sight, seen) = sight(&slot, &shutdown, &asleep);
        let frame = |number| {
            let picture = Picture::new(160, 120);
            Input::Frame(Frame { picture, number, captured_at: Duration::ZERO })
        };
        asleep.set(true);
        let running = thread::spawn(move || sight.run());
        slot.put(frame(1));
        slot.put(Input::Lost(Duration::ZERO));
        assert!(matches!(seen.recv(), Ok(Seen::Lost(_))), "frame 1 is passed over");
        asleep.set(false);
        slot.put(frame(2));
        assert!(matches!(seen.recv(), Ok(Seen::Looks { number: 2, .. })));
        shutdown.trigger();
        running.join().unwrap();
    }
}
