//! `maskgate run` and `demo`: starting, ending, and what the lines do then.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::Command;

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
fn cameras_that_are_none_are_told_by_their_path() {
    let folder = tempdir().unwrap();
    let plain = write(folder.path(), "plain", "a file");
    for device in ["/dev/video99", text(&plain), "/dev/null"] {
        let result: support::Result = daemon(&format!("v4l2:{device}")).output().unwrap().into();
        result.refused(1, &[device]);
        let result: support::Result = maskgate(&["check", "--probe"])
            .env("MASKGATE__CAMERA__SOURCE", format!("v4l2:{device}"))
            .env("MASKGATE__GPIO__BACKEND", "simulated")
            .output()
            .unwrap()
            .into();
        assert_eq!(result.code, Some(1));
        assert!(result.stderr.contains(device), "{}", result.stderr);
    }
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
