//! What the box must reach on real clips and pictures. They are not part of the project: name
//! their folder in MASKGATE_DATA (it holds `video/` and `detect/`). Without it nothing is checked
//! here, and each test says so.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use maskgate::config::{self, Tracking};
use maskgate::picture::{Face, Point, Rect, yaw};
use maskgate::vision::Detector;
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

#[test]
fn two_people_far_away_are_found_in_nine_frames_of_ten_and_the_corridor_stays_empty() {
    let Some(lines) = video("video/entrance_walk_nomask.gif", &[]) else { return };
    // From the eighth frame on, both faces are about 14 pixels wide or wider; one person walks to the
    // left of column 265, the other to the right of column 285.
    let frames = lines.iter().filter(|line| line["type"] == "frame").skip(7);
    let (mut count, mut both) = (0, 0);
    for frame in frames {
        let faces = frame["faces"].as_array().unwrap();
        let centers: Vec<[f64; 2]> = faces
            .iter()
            .map(|face| {
                let edge = |at: usize| face["box"][at].as_f64().unwrap();
                [f64::midpoint(edge(0), edge(2)), f64::midpoint(edge(1), edge(3))]
            })
            .collect();
        let strange = centers.iter().find(|[_, y]| !(95.0..150.0).contains(y));
        assert_eq!(strange, None, "{frame}");
        count += 1;
        both += usize::from(
            centers.iter().any(|[x, _]| *x < 265.0) && centers.iter().any(|[x, _]| *x > 285.0),
        );
    }
    println!("both found in {both} of {count} frames");
    assert_eq!(count, 28);
    assert!(both * 10 >= count * 9, "{both} of {count}");
}

#[test]
fn a_head_that_is_turned_away_is_told_from_one_that_looks_at_the_door() {
    let Some(folder) = data("landmarks/youtube_faces") else { return };
    let csv = fs::read_to_string(folder.with_extension("csv")).unwrap();
    // Degrees by the annotated landmarks, for each picture.
    let annotated: BTreeMap<&str, f32> = csv
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let number = |at: usize| fields[at].parse::<f32>().unwrap();
            let point = |i: usize| Point { x: number(5 + 2 * i), y: number(6 + 2 * i) };
            (fields[0], yaw(&std::array::from_fn(point)).abs())
        })
        .collect();
    let limit = Tracking::default().max_yaw;
    // All that are turned away, and one in six of those that are not.
    let chosen = annotated.iter().filter(|(_, turn)| **turn > limit || (**turn < 20.0));
    let chosen = chosen.enumerate().filter(|(at, (_, turn))| **turn > limit || at % 6 == 0);
    let paths: Vec<_> = chosen.map(|(_, (name, _))| folder.join(name)).collect();
    let mut words = vec!["image", "--json"];
    words.extend(paths.iter().map(|path| text(path)));
    // Faces are then 30 to 50 pixels wide for the detector, as at a door.
    let result: support::Result = maskgate(&words)
        .env("MASKGATE__DETECTOR__WIDTH", "160")
        .env("MASKGATE__DETECTOR__HEIGHT", "128")
        .output()
        .unwrap()
        .into();
    let detector = Detector::load(&config::Detector::default()).unwrap();
    let (mut away, mut away_seen, mut frontal, mut frontal_lost) = (0, 0, 0, 0);
    for line in result.json() {
        let name = line["image"].as_str().unwrap().rsplit('/').next().unwrap();
        let faces = line["faces"].as_array().unwrap();
        let Some(face) = faces.first() else { continue };
        let landmarks = serde_json::from_value(face["landmarks"].clone()).unwrap();
        let face = Face { bounds: Rect::default(), score: 1.0, landmarks };
        let found = usize::from(detector.yaw(&face).abs() > limit);
        if annotated[name] > limit {
            (away, away_seen) = (away + 1, away_seen + found);
        } else {
            (frontal, frontal_lost) = (frontal + 1, frontal_lost + found);
        }
    }
    println!("turned away: {away_seen} of {away} seen; frontal: {frontal_lost} of {frontal} lost");
    assert!(away >= 80 && frontal >= 80, "{away} turned away, {frontal} frontal");
    assert!(away_seen * 5 >= away * 2, "{away_seen} of {away}");
    assert!(frontal_lost * 50 <= frontal, "{frontal_lost} of {frontal}");
}

/// Whom a picture of UTKFace shows, by its name: `AGE_SEX_ORIGIN_…`, as its authors named them.
fn groups(name: &str) -> Vec<String> {
    let fields: Vec<usize> = name.split('_').take(3).map(|field| field.parse().unwrap()).collect();
    let [age, sex, origin] = fields[..] else { panic!("{name}: no groups") };
    let age = ["up to 12", "13 to 30", "31 to 60", "over 60"]
        [[12, 30, 60].iter().filter(|end| age > **end).count()];
    let origin = ["White", "Black", "Asian", "Indian", "other"][origin];
    vec![age.to_owned(), ["male", "female"][sex].to_owned(), origin.to_owned()]
}

#[test]
fn a_bare_face_starts_a_person_and_is_told_bare_whatever_group_it_is_of() {
    let Some(folder) = data("fairness/utkface") else { return };
    // Faces are then some 60 pixels wide for the detector.
    let result: support::Result = maskgate(&["image", text(&folder), "--json"])
        .env("MASKGATE__DETECTOR__WIDTH", "96")
        .env("MASKGATE__DETECTOR__HEIGHT", "96")
        .output()
        .unwrap()
        .into();
    assert_eq!(result.code, Some(0), "{}", result.stderr);
    let sure = f64::from(Tracking::default().new_score);
    // Faces of each group, those that start a person, and those that are told bare.
    let mut told = BTreeMap::<String, [usize; 3]>::new();
    for line in result.json() {
        let name = line["image"].as_str().unwrap().rsplit('/').next().unwrap();
        let faces = line["faces"].as_array().unwrap();
        let starts = faces.iter().any(|face| face["score"].as_f64().unwrap() >= sure);
        let bare = faces.iter().any(|face| face["label"] == "without_mask");
        for group in groups(name) {
            let counts = told.entry(group).or_default();
            for (count, holds) in counts.iter_mut().zip([true, starts, bare]) {
                *count += usize::from(holds);
            }
        }
    }
    assert_eq!(told.len(), 11, "{told:?}");
    for (group, [faces, starts, bare]) in told {
        println!("{group}: {faces} faces, {starts} start a person, {bare} told bare");
        assert!(faces >= 90, "{group}: {faces} faces");
        assert!(starts * 100 >= faces * 98, "{group}: {starts} of {faces} start a person");
        assert!(bare * 100 >= faces * 95, "{group}: {bare} of {faces} told bare");
    }
}

/// What a process holds, in MB of a million bytes; `None` once it has ended. As it is shipped, the
/// most it has held so far, its own code included. The code of a build for tests is several times
/// as large, so there it is left out: what counts is what the process has allocated.
fn memory(child: &Child) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let shipped = std::env::var_os("MASKGATE_BINARY").is_some();
    let field = if cfg!(debug_assertions) && !shipped { "RssAnon:" } else { "VmHWM:" };
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
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
        peak = memory(&child).unwrap_or(0.0).max(peak);
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
        peak = memory(&child).unwrap_or(0.0).max(peak);
        std::thread::sleep(Duration::from_millis(50));
    }
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(peak > 0.0 && peak < 80.0, "{peak} MB");
}
