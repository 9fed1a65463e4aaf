//! `maskgate video`: every frame, through tracking and policy.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use support::{clip, maskgate, run, text, write};
use tempfile::tempdir;

#[test]
fn every_frame_gives_a_line_and_a_summary_ends_it() {
    let folder = tempdir().unwrap();
    let path = write(folder.path(), "empty room.mjpg", clip(12));
    let result = run(&["video", text(&path), "--json"]);
    assert_eq!(result.code, Some(0), "{}", result.stderr);
    let lines = result.json();
    let frames: Vec<_> = lines.iter().filter(|line| line["type"] == "frame").collect();
    assert_eq!(frames.len(), 12);
    for (number, frame) in frames.iter().enumerate() {
        assert_eq!(frame["frame"], number);
        assert!(frame["t"].is_number() && frame["faces"].is_array());
    }
    let summary = lines.last().unwrap();
    assert_eq!((&summary["type"], &summary["frames"]), (&"summary".into(), &12.into()));
    for key in ["people", "with_mask", "without_mask", "incorrect_mask", "fps"] {
        assert!(summary[key].is_number(), "no {key} in {summary}");
    }
}

#[test]
fn an_annotated_clip_has_the_same_frames() {
    let folder = tempdir().unwrap();
    let path = write(folder.path(), "room.mjpg", clip(5));
    let out = folder.path().join("annotated.mjpg");
    let result = run(&["video", text(&path), "--out", text(&out)]);
    assert_eq!(result.code, Some(0), "{}", result.stderr);
    assert!(result.stdout.contains("summary: 5 frames"), "{}", result.stdout);
    let again = run(&["video", text(&out), "--json"]);
    assert_eq!(again.json().last().unwrap()["frames"], 5);
}

#[test]
fn an_annotated_clip_is_as_fast_as_its_original() {
    let folder = tempdir().unwrap();
    let mut bytes = clip(3);
    // A comment in the first picture names the rate.
    bytes.splice(2..2, *b"\xff\xfe\0\x08fps=25");
    let path = write(folder.path(), "room.mjpg", bytes);
    let out = folder.path().join("annotated.mjpg");
    run(&["video", text(&path), "--out", text(&out)]);
    for path in [path, out] {
        let result = run(&["video", text(&path), "--json"]);
        assert_eq!(result.json()[1]["t"], 0.04, "{}", path.display());
    }
}

#[test]
fn an_annotated_clip_of_an_uneven_gif_shows_each_picture_when_its_time_comes() {
    let folder = tempdir().unwrap();
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for (grey, delay) in [(0, 1000), (100, 100), (200, 300), (250, 100)] {
        let picture = image::RgbaImage::from_pixel(64, 48, image::Rgba([grey, grey, grey, 255]));
        let delay = image::Delay::from_numer_denom_ms(delay, 1);
        encoder.encode_frame(image::Frame::from_parts(picture, 0, 0, delay)).unwrap();
    }
    drop(encoder);
    let path = write(folder.path(), "title.gif", bytes);
    let out = folder.path().join("annotated.mjpg");
    let result = run(&["video", text(&path), "--out", text(&out)]);
    assert!(result.stdout.contains("summary: 4 frames"), "{}", result.stdout);
    let again = run(&["video", text(&out), "--json"]).json();
    let frames = again.iter().filter(|line| line["type"] == "frame");
    // 1.0, 0.1 and 0.3 s of a tenth each, and the last.
    assert_eq!((frames.count(), &again[14]["t"]), (15, &1.4.into()));
}

#[test]
fn the_clip_itself_is_never_written_over() {
    let folder = tempdir().unwrap();
    let path = write(folder.path(), "room.mjpg", clip(3));
    let other = folder.path().join("other.mjpg");
    fs::hard_link(&path, &other).unwrap();
    for out in [&path, &other] {
        run(&["video", text(&path), "--out", text(out)]).refused(2, &["the clip itself"]);
    }
    assert_eq!(fs::read(&path).unwrap(), clip(3));
    let picture = write(folder.path(), "frame.jpg", support::jpeg(32, 32));
    run(&["video", text(folder.path()), "--out", text(&picture)])
        .refused(2, &["one of the pictures"]);
    assert_eq!(fs::read(&picture).unwrap(), support::jpeg(32, 32));
}

#[test]
fn without_ffmpeg_it_says_what_to_install() {
    let folder = tempdir().unwrap();
    let path = write(folder.path(), "room.mjpg", clip(3));
    let out = folder.path().join("annotated.mp4");
    let result: support::Result = maskgate(&["video", text(&path), "--out", text(&out)])
        .env("PATH", "/nonexistent")
        .output()
        .unwrap()
        .into();
    result.refused(1, &["annotated.mp4", "ffmpeg", "apt install ffmpeg"]);
}

#[test]
fn what_is_wrong_with_the_clip_is_told_before_what_is_wrong_with_the_annotated_one() {
    let folder = tempdir().unwrap();
    let path = write(folder.path(), "room.mjpg", &clip(1)[..1000]);
    // Stands in for ffmpeg, which is not everywhere, and which ends so without a picture.
    let program = write(folder.path(), "ffmpeg", "#!/bin/sh\ncat >/dev/null\nexit 9\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let search = format!("{}:{}", text(folder.path()), std::env::var("PATH").unwrap());
    let out = folder.path().join("annotated.mp4");
    let annotated = |clip: &str| -> support::Result {
        let mut command = maskgate(&["video", clip, "--out", text(&out)]);
        command.env("PATH", &search).output().unwrap().into()
    };
    let broken = annotated(text(&path));
    assert!(broken.stderr.contains("room.mjpg cannot be played"), "{}", broken.stderr);

    // One that ends at once.
    write(folder.path(), "ffmpeg", "#!/bin/sh\nexit 9\n");
    let good = write(folder.path(), "good.mjpg", clip(9));
    let refused = annotated(text(&good));
    assert_eq!(refused.code, Some(1));
    let words = "annotated.mp4 cannot be written: ffmpeg: exit status: 9";
    assert!(refused.stderr.contains(words), "{}", refused.stderr);
}

#[test]
fn clips_that_are_none_are_told_by_name() {
    let folder = tempdir().unwrap();
    let empty = write(folder.path(), "empty.mp4", "");
    let nothing = folder.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    for path in [text(&empty), text(&nothing), "/nonexistent/clip.mp4"] {
        run(&["video", path, "--json"]).refused(1, &[path]);
    }
}
