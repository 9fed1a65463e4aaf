//! `maskgate run` as a service: what systemd is told, reloading, and levels in the journal.

mod support;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use support::{finish, maskgate, terminate, text, write};
use tempfile::{TempDir, tempdir};

/// A daemon with the demo clip and somebody who listens in the place of systemd.
struct Appliance {
    folder: TempDir,
    socket: UnixDatagram,
    child: Option<Child>,
    heard: String,
}

impl Appliance {
    fn start(config: &str) -> Self {
        let folder = tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut it = Self { folder, socket, child: None, heard: String::new() };
        it.configure(config);
        let mut command: Command = maskgate(&["run", "--config", text(&it.config())]);
        command
            .env("NOTIFY_SOCKET", it.folder.path().join("notify"))
            .env("WATCHDOG_USEC", "3000000")
            .env("RUNTIME_DIRECTORY", it.folder.path())
            .env_remove("WATCHDOG_PID")
            .stderr(File::create(it.log_path()).unwrap());
        it.child = Some(command.spawn().unwrap());
        it
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("maskgate.toml")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap()
    }

    fn configure(&self, config: &str) {
        write(self.folder.path(), "maskgate.toml", config);
    }

    /// Listens until `words` were heard, counted from the last call, and gives what was heard.
    #[track_caller]
    fn hear(&mut self, words: &str) -> String {
        let limit = Instant::now() + Duration::from_secs(60);
        let mut bytes = [0; 4096];
        loop {
            if let Some(at) = self.heard.find(words) {
                let rest = self.heard.split_off(at + words.len());
                return std::mem::replace(&mut self.heard, rest);
            }
            assert!(Instant::now() < limit, "no {words:?} in {:?}: {}", self.heard, self.log());
            if let Ok(length) = self.socket.recv(&mut bytes) {
                self.heard += std::str::from_utf8(&bytes[..length]).unwrap();
            }
        }
    }

    fn hang_up(&self) {
        let id = self.child.as_ref().unwrap().id();
        assert!(
            Command::new("sh").args(["-c", &format!("kill -HUP {id}")]).status().unwrap().success()
        );
    }

    /// SIGTERM; the exit code and what was heard until then.
    fn end(mut self) -> (Option<i32>, String, String) {
        terminate(self.child.as_ref().unwrap());
        let heard = self.hear("STOPPING=1\n");
        let code = finish(self.child.take().unwrap()).code;
        (code, heard, self.log())
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        // Only there when a test failed.
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

const DEMO: &str = "[camera]\nsource = \"demo\"\n[gpio]\nbackend = \"simulated\"\n";

#[test]
fn it_is_ready_fed_and_told_of_until_it_stops() {
    let mut it = Appliance::start(DEMO);
    let first = it.hear("READY=1\n");
    assert!(!first.contains("WATCHDOG=1"), "fed before it was ready: {first}");
    it.hear("WATCHDOG=1\n");
    it.hear("STATUS=the demo clip");
    it.hear("frames a second looked at\n");
    it.hear("WATCHDOG=1\n");
    let (code, _, log) = it.end();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn sighup_takes_a_good_configuration() {
    let mut it = Appliance::start(DEMO);
    it.hear("READY=1\n");
    it.configure(&format!("{DEMO}[alarm]\nmode = \"hard\"\n"));
    it.hang_up();
    it.hear("RELOADING=1\n");
    assert!(it.hear("READY=1\n").contains("MONOTONIC_USEC="));
    it.hear("STATUS=the demo clip");
    let (code, _, log) = it.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("starting again with the new configuration"), "{log}");
    assert!(!log.contains("refused"), "{log}");
}

#[test]
fn sighup_takes_a_model_that_was_replaced_and_leaves_all_as_it_is_where_nothing_was() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let folder = tempdir().unwrap();
    let model = folder.path().join("mine.onnx");
    fs::copy(models.join("classifier.onnx"), &model).unwrap();
    let mut it = Appliance::start(&format!("{DEMO}[classifier]\nmodel = {model:?}\n"));
    it.hear("READY=1\n");
    it.hang_up();
    it.hear("RELOADING=1\n");
    it.hear("READY=1\n");
    assert!(it.log().contains("its models did not change"), "{}", it.log());
    assert!(!it.log().contains("starting again"), "{}", it.log());
    fs::copy(models.join("classifier-96.onnx"), &model).unwrap();
    it.hang_up();
    it.hear("RELOADING=1\n");
    it.hear("READY=1\n");
    assert!(it.log().contains("starting again"), "{}", it.log());
    // What is none is refused, and the old one stays.
    fs::write(&model, "no model").unwrap();
    it.hang_up();
    it.hear("RELOADING=1\n");
    it.hear("READY=1\n");
    let (code, _, log) = it.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("mine.onnx") && log.contains("is refused; the old one stays"), "{log}");
}

#[test]
fn an_end_right_after_sighup_is_told_though_no_frame_has_come() {
    let mut it = Appliance::start(DEMO);
    it.hear("READY=1\n");
    it.configure(&DEMO.replace("\"demo\"", "\"pipe:sleep 60\""));
    it.hang_up();
    it.hear("RELOADING=1\n");
    it.hear("READY=1\n");
    let (code, _, log) = it.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("starting again with the new configuration"), "{log}");
}

#[test]
fn sighup_refuses_a_bad_configuration_and_goes_on_with_the_old_one() {
    let mut it = Appliance::start(DEMO);
    it.hear("READY=1\n");
    for (bad, words) in [
        ("[camera]\nwidth = -1\n", "camera.width: -1 is not allowed"),
        (&format!("{DEMO}[detector]\nmodel = \"/nonexistent.onnx\"\n"), "/nonexistent.onnx"),
        ("[gpio]\nbackend = \"cdev\"\n", "names no output line"),
        ("[camera\n", "not valid TOML"),
    ] {
        it.configure(bad);
        it.hang_up();
        it.hear("RELOADING=1\n");
        it.hear("READY=1\n");
        let log = it.log();
        assert!(log.contains(words), "{words}: {log}");
        assert!(log.trim_end().ends_with("the old one stays in force"), "{log}");
    }
    it.hear("WATCHDOG=1\n");
    let (code, _, log) = it.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("starting again"), "{log}");
}

#[test]
fn a_source_that_cannot_be_opened_after_sighup_gives_way_to_the_old_one() {
    let mut it = Appliance::start(DEMO);
    it.hear("READY=1\n");
    it.configure(&DEMO.replace("demo", "file:/nonexistent.gif"));
    it.hang_up();
    it.hear("RELOADING=1\n");
    it.hear("READY=1\n");
    it.hear("STATUS=the demo clip");
    let (code, _, log) = it.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("/nonexistent.gif") && log.contains("old configuration"), "{log}");
}

#[test]
fn a_source_whose_first_frame_is_of_no_use_after_sighup_gives_way_to_the_old_one() {
    let mut it = Appliance::start(DEMO);
    it.hear("READY=1\n");
    let clip = concat!(env!("CARGO_MANIFEST_DIR"), "/models/demo.mjpg");
    let source = format!("file:{clip}\"\ncrop = \"5000x5000+0+0");
    it.configure(&DEMO.replace("demo", &source));
    it.hang_up();
    it.hear("RELOADING=1\n");
    it.hear("RELOADING=1\n");
    let heard = it.hear("READY=1\n");
    assert!(!heard.contains("STOPPING"), "{heard}");
    it.hear("frames a second looked at\n");
    let (code, _, log) = it.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("the old configuration is in force again"), "{log}");
}

#[test]
fn lines_are_made_safe_as_the_daemon_had_them_though_the_file_is_wrong_by_now() {
    let mut it = Appliance::start(DEMO);
    it.hear("READY=1\n");
    it.configure("[detector]\nthreshold = 7\n");
    let safe = |from_service: bool| {
        let mut command: Command = maskgate(&["safe", "--config", text(&it.config())]);
        if from_service {
            command.env("RUNTIME_DIRECTORY", it.folder.path());
        }
        let result: support::Result = command.output().unwrap().into();
        (result.code, result.stderr)
    };
    let (code, log) = safe(true);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("safe: simulated lines"), "{log}");
    let (code, log) = safe(false);
    assert_eq!(code, Some(2), "{log}");
}

/// The log of a run that is refused, written to a stream that `JOURNAL_STREAM` calls `stream`.
fn refused(folder: &Path, stream: impl FnOnce(&File) -> String) -> String {
    let log = File::create(folder.join("log")).unwrap();
    let stream = stream(&log);
    let status = maskgate(&["run"])
        .env("MASKGATE__CAMERA__WIDTH", "0")
        .env("MASKGATE__CAMERA__HEIGHT", "0")
        .env("JOURNAL_STREAM", stream)
        .stderr(log)
        .status();
    assert_eq!(status.unwrap().code(), Some(2));
    fs::read_to_string(folder.join("log")).unwrap()
}

#[test]
fn every_line_for_the_journal_has_its_level_and_no_time() {
    let folder = tempdir().unwrap();
    let log = refused(folder.path(), |log| {
        let log = log.metadata().unwrap();
        format!("{}:{}", log.dev(), log.ino())
    });
    assert!(log.contains("\n<3>  MASKGATE__CAMERA__HEIGHT: camera.height"), "{log}");
    assert!(log.lines().all(|line| line.starts_with("<3>")), "{log}");
}

#[test]
fn a_stream_that_is_not_the_journal_gets_plain_lines() {
    let folder = tempdir().unwrap();
    let log = refused(folder.path(), |_| "1:2".into());
    assert!(log.starts_with("maskgate: 2 problems"), "{log}");
}
