//! What the box must reach on real clips and pictures. They are not part of the project: name
//! their folder in MASKGATE_DATA (it holds `video/` and `detect/`). Without it nothing is checked
//! here, and each test says so.

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{maskgate, terminate, text};

/// A file or folder of the data; fails where the data are named and lack it.
fn data(path: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("MASKGATE_DATA") else {
        eprintln!("not checked: MASKGATE_DATA does not name the folder that holds {path}");
        return None;
    };
    let path = PathBuf::from(folder).join(path);
    assert!(path.exists(), "{} is missing", path.display());
    Some(path)
}

/// The lines of a clip, with these variables set.
fn video(path: &str, variables: &[(&str, &str)]) -> Option<Vec<Value>> {
    let path = data(path)?;
    let mut command = maskgate(&["video", text(&path), "--json"]);
    let result: support::Result = command.envs(variables.iter().copied()).output().unwrap().into();
    assert_eq!(result.code, Some(0), "{}", result.stderr);
    Some(result.json())
}

fn events<'a>(lines: &'a [Value], event: &'a str) -> impl Iterator<Item = &'a Value> {
    lines.iter().filter(move |line| line["type"] == "event" && line["event"] == event)
}

#[test]
fn a_bare_face_raises_the_alarm_within_a_second_and_never_counts_as_masked() {
    let Some(lines) = video("video/nomask_portrait.mp4", &[]) else { return };
    let alarm = events(&lines, "alarm_on").next().expect("no alarm");
    assert!(alarm["t"].as_f64().unwrap() <= 1.0, "{alarm}");
    assert_eq!(events(&lines, "verdict").find(|event| event["label"] == "with_mask"), None);
}

#[test]
fn a_masked_face_is_believed_within_a_second_and_raises_no_alarm() {
    let Some(lines) = video("video/masked_laptop.mp4", &[]) else { return };
    let verdict =
        events(&lines, "verdict").find(|event| event["label"] == "with_mask").expect("no verdict");
    assert!(verdict["t"].as_f64().unwrap() <= 1.0, "{verdict}");
    assert_eq!(events(&lines, "alarm_on").next(), None);
}

#[test]
fn three_people_who_wait_are_three_and_all_bare() {
    let Some(lines) = video("video/entrance_pause_nomask.gif", &[]) else { return };
    let summary = lines.last().unwrap();
    assert_eq!((&summary["people"], &summary["without_mask"]), (&3.into(), &3.into()), "{summary}");
}

#[test]
fn two_people_far_away_are_two_and_bare_where_small_faces_count() {
    let small = [("MASKGATE__TRACKING__MIN_FACE", "16")];
    let Some(lines) = video("video/entrance_walk_nomask.gif", &small) else { return };
    let summary = lines.last().unwrap();
    assert_eq!((&summary["people"], &summary["without_mask"]), (&2.into(), &2.into()), "{summary}");
}

/// The most memory a process has held so far, in MB of a million bytes; `None` once it has ended.
fn peak_memory(child: &Child) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

#[test]
fn a_folder_of_photographs_is_looked_at_in_little_memory() {
    let Some(folder) = data("detect/ilc2021") else { return };
    let answers = tempfile::NamedTempFile::new().unwrap();
    let mut child = maskgate(&["image", text(&folder), "--json"])
        .stdout(answers.reopen().unwrap())
        .stderr(std::process::Stdio::inherit())
        .spawn()
        .unwrap();
    let mut peak = 0.0f64;
    let status = loop {
        peak = peak_memory(&child).unwrap_or(0.0).max(peak);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let answers = fs::read_to_string(answers.path()).unwrap();
    let lines: Vec<Value> =
        answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = lines.iter().filter(|line| line.get("error").is_some()).count();
    assert_eq!(status.code(), Some(i32::from(failed > 0)));
    let pictures = fs::read_dir(&folder).unwrap().count();
    assert_eq!(lines.len(), pictures);
    assert!(failed * 100 < pictures, "{failed} of {pictures} could not be read");
    assert!(peak < 150.0, "{peak} MB");
}

#[test]
fn the_daemon_runs_in_little_memory() {
    if data("video").is_none() {
        return;
    }
    let mut child = maskgate(&["run"])
        .env("MASKGATE__CAMERA__SOURCE", "demo")
        .env("MASKGATE__GPIO__BACKEND", "simulated")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    let mut peak = 0.0f64;
    while Instant::now() < until {
        peak = peak_memory(&child).unwrap_or(0.0).max(peak);
        std::thread::sleep(Duration::from_millis(50));
    }
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(peak > 0.0 && peak < 80.0, "{peak} MB");
}
