//! `maskgate run` and `demo`: starting, ending, and what the lines do then.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use support::{clip, finish, maskgate, run, terminate, text, write};
use tempfile::tempdir;

fn daemon(source: &str) -> Command {
    let mut command = maskgate(&["run"]);
    command.env("MASKGATE__CAMERA__SOURCE", source);
    command.env("MASKGATE__GPIO__BACKEND", "simulated");
    command
}

/// How each line was switched last, from the log (`gpio red on at 1.20 s`).
fn lines(log: &str) -> BTreeMap<String, bool> {
    let mut levels = BTreeMap::new();
    for line in log.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        if let Some(at) = words.iter().position(|word| *word == "gpio")
            && let [role, level @ ("on" | "off"), "at", ..] = words[at + 1..]
        {
            levels.insert(role.to_owned(), level == "on");
        }
    }
    levels
}

/// Runs until the log says `words`, then SIGTERM. The whole log and the exit code.
fn terminated_at(mut command: Command, words: &str) -> (String, Option<i32>) {
    let mut child = command.spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut log = String::new();
    while !log.contains(words) {
        assert_ne!(stderr.read_line(&mut log).unwrap(), 0, "it ended by itself: {log}");
    }
    terminate(&child);
    stderr.read_to_string(&mut log).unwrap();
    (log, finish(child).code)
}

#[test]
fn sigterm_in_the_middle_of_a_clip_leaves_every_line_safe() {
    let (log, code) = terminated_at(daemon("demo"), "gpio red on");
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("SIGTERM") && log.contains("ended after"), "{log}");
    let lines = lines(&log);
    assert!(lines.contains_key("red"));
    assert!(lines.values().all(|on| !on), "{lines:?} in {log}");
}

#[test]
fn a_clip_that_ends_ends_the_daemon_with_a_summary() {
    let folder = tempdir().unwrap();
    let path = write(folder.path(), "room.mjpg", clip(5));
    let result: support::Result = daemon(&format!("file:{}", text(&path))).output().unwrap().into();
    assert_eq!(result.code, Some(0), "{}", result.stderr);
    assert!(result.stderr.contains("ended after"), "{}", result.stderr);
    assert_eq!(result.stdout, "");
}

#[test]
fn what_is_no_camera_at_all_is_told_by_its_path() {
    let folder = tempdir().unwrap();
    let plain = write(folder.path(), "plain", "a file");
    for device in [text(&plain), "/dev/null"] {
        let result: support::Result = daemon(&format!("v4l2:{device}")).output().unwrap().into();
        result.refused(2, &[device]);
    }
    let sources =
        [("v4l2:/dev/video99", 1), ("v4l2:/dev/null", 2), ("pipe:echo no picture >&2; exit 9", 1)];
    for (source, code) in sources {
        let result: support::Result = maskgate(&["check", "--probe"])
            .env("MASKGATE__CAMERA__SOURCE", source)
            .env("MASKGATE__GPIO__BACKEND", "simulated")
            .output()
            .unwrap()
            .into();
        assert_eq!(result.code, Some(code), "{source}");
        let (_, what) = source.split_once(':').unwrap();
        let what = what.split(' ').next().unwrap();
        assert!(result.stderr.contains(what), "{}", result.stderr);
    }
}

#[test]
fn a_camera_that_is_not_plugged_in_yet_is_waited_for_and_told_once() {
    let (log, code) = terminated_at(daemon("v4l2:/dev/video99"), "camera lost");
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(log.matches("/dev/video99 does not exist").count(), 1, "{log}");
    assert!(log.contains("it is waited for"), "{log}");
    assert!(lines(&log).values().all(|on| !on), "{log}");
}

#[test]
fn a_password_in_a_source_that_is_none_stays_out_of_the_log() {
    let (log, _) = terminated_at(daemon("v4l2:rtsp://door:s3cret@camera/1"), "it is waited for");
    assert!(log.contains("rtsp://***@camera/1 does not exist"), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
}

#[test]
fn a_crop_beyond_the_picture_ends_the_daemon_with_what_to_change() {
    let folder = tempdir().unwrap();
    let path = write(folder.path(), "room.mjpg", clip(2));
    let mut command = daemon(&format!("file:{}", text(&path)));
    let result: support::Result =
        command.env("MASKGATE__CAMERA__CROP", "100x100+100+100").output().unwrap().into();
    result.refused(2, &["crop = \"100x100+100+100\" does not lie within the picture of 160x120"]);
}

/// A command that writes `frames` pictures without faces and then does `then`.
fn writer(folder: &Path, frames: u32, then: &str) -> String {
    let path = write(folder, "room.mjpg", clip(frames));
    format!("pipe:cat '{}'; {then}", text(&path))
}

#[test]
fn a_pipe_that_dies_is_lost_and_comes_back_by_itself() {
    let folder = tempdir().unwrap();
    let once = folder.path().join("once");
    let once = text(&once);
    let then =
        format!("[ -e '{once}' ] && exec sleep 1000; touch '{once}'; echo 'no sensor' >&2; exit 4");
    let source = writer(folder.path(), 3, &then);
    let (log, code) = terminated_at(daemon(&source), "the camera is back");
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("ended by itself (exit status: 4) after 3 frames"), "{log}");
    assert!(log.contains("the pipe command (cat): no sensor"), "{log}");
    assert!(log.contains("camera lost 1 times"), "{log}");
    let at = |words: &str| log.find(words).unwrap_or_else(|| panic!("no {words:?} in {log}"));
    assert!(at("s  camera lost") < at("the camera is back"), "{log}");
}

#[test]
fn a_pipe_that_hangs_is_lost_after_the_set_time_and_started_again() {
    let folder = tempdir().unwrap();
    let mut command = daemon(&writer(folder.path(), 3, "sleep 1000"));
    command.env("MASKGATE__CAMERA__STUCK_S", "0.5");
    let (log, code) = terminated_at(command, "the camera is back");
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("gave no whole picture for"), "{log}");
}

#[test]
fn a_pipe_that_floods_frames_and_complaints_takes_bounded_memory() {
    let mut command = daemon("pipe:yes complaint >&2 & cat /dev/zero");
    command.env("MASKGATE__CAMERA__FORMAT", "rgb3");
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("lines before this are left out") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended by itself");
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = most.trim().trim_end_matches(" kB").parse().unwrap();
    // Hundreds of frames of 900 KB went by, and far more complaints than are said.
    assert!(kilobytes < 400_000, "{kilobytes} KB");
    terminate(&child);
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert_eq!(finish(child).code, Some(0), "{rest}");
    assert!(rest.lines().count() < 200, "{}", rest.lines().count());
}

#[test]
fn nothing_of_a_pipe_is_left_behind_by_sigkill() {
    let folder = tempdir().unwrap();
    let ids = folder.path().join("ids");
    let script = format!("sleep 1000 & echo $$ $! > '{}'; ", ids.display());
    let source = writer(folder.path(), 3, "sleep 1000").replace("pipe:", &format!("pipe:{script}"));
    let mut child = daemon(&source).env("MASKGATE__CAMERA__STUCK_S", "60").spawn().unwrap();
    let limit = Instant::now() + Duration::from_secs(60);
    let ids = loop {
        let found = fs::read_to_string(&ids).unwrap_or_default();
        if found.ends_with('\n') {
            break found;
        }
        assert!(Instant::now() < limit, "the command was not started");
        std::thread::sleep(Duration::from_millis(20));
    };
    let ids: Vec<_> = ids.split_whitespace().collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.iter().all(|id| runs(id)));
    child.kill().unwrap();
    child.wait().unwrap();
    let limit = Instant::now() + Duration::from_secs(30);
    while ids.iter().any(|id| runs(id)) {
        assert!(Instant::now() < limit, "left behind: {ids:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a process runs; one that has ended but was not waited for does not.
fn runs(id: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().unwrap_or_default();
    !state.is_empty() && !state.starts_with(['Z', 'X'])
}

#[test]
fn the_demo_tells_its_story_and_ends_when_it_is_told_to() {
    let result = run(&["demo", "--seconds", "8", "--no-web"]);
    assert_eq!(result.code, Some(0), "{}", result.stderr);
    assert!(result.stdout.contains("alarm on"), "{}", result.stdout);
    let last = result.stdout.lines().last().unwrap();
    assert!(last.starts_with("summary: "), "{last}");
    assert!(lines(&result.stderr).values().all(|on| !on), "{}", result.stderr);
}

#[test]
fn devices_are_listed_and_none_is_no_failure() {
    let result = run(&["devices"]);
    assert_eq!(result.code, Some(0), "{}", result.stderr);
    assert!(result.stdout.contains("gpio: "), "{}", result.stdout);
    let json = run(&["devices", "--json"]).json();
    assert!(json[0]["gpio"].is_array(), "{json:?}");
}

#[test]
fn a_chip_that_is_not_there_is_told_and_nothing_is_simulated() {
    let mut command = daemon("demo");
    command.env("MASKGATE__GPIO__BACKEND", "auto").env("MASKGATE__GPIO__RED", "gpiochip99:3");
    let result: support::Result = command.output().unwrap().into();
    result.refused(1, &["GPIO chip"]);
}

#[test]
fn the_demo_is_simulated_whatever_the_configuration_says() {
    let result: support::Result = maskgate(&["demo", "--seconds", "1"])
        .env("MASKGATE__GPIO__RED", "gpiochip99:3")
        .output()
        .unwrap()
        .into();
    assert_eq!(result.code, Some(0), "{}", result.stderr);
}
