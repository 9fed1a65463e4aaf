//! Wrong use and wrong configurations: said clearly, exit code 2, nothing opened.

mod support;

use std::fs;
use std::os::unix::ffi::OsStrExt;

use support::{maskgate, run, text, write};
use tempfile::tempdir;

/// `check` with this text as its configuration.
fn check(config: &str) -> support::Result {
    let folder = tempdir().unwrap();
    let path = write(folder.path(), "box.toml", config);
    run(&["check", "--config", text(&path)])
}

#[test]
fn wrong_arguments_are_wrong_use() {
    for arguments in [
        &[][..],
        &["fly"],
        &["image"],
        &["video"],
        &["demo", "--seconds", "0"],
        &["demo", "--seconds", "soon"],
        &["bench", "--fast"],
    ] {
        assert_eq!(run(arguments).code, Some(2), "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_good_use() {
    for arguments in [&["--help"][..], &["--version"], &["demo", "--help"]] {
        let result = run(arguments);
        assert_eq!(result.code, Some(0), "{arguments:?}");
        assert!(!result.stdout.is_empty());
    }
}

#[test]
fn a_typo_in_the_configuration_is_refused_by_every_command() {
    let folder = tempdir().unwrap();
    let config = write(folder.path(), "box.toml", "[camera]\nsorce = \"demo\"\n");
    let picture = write(folder.path(), "a.jpg", support::jpeg(32, 32));
    let config = text(&config);
    for arguments in [
        &["run", "--config", config][..],
        &["demo", "--config", config],
        &["image", text(&picture), "--json", "--config", config],
        &["video", text(&picture), "--json", "--config", config],
        &["check", "--config", config],
        &["bench", "--config", config],
    ] {
        run(arguments).refused(2, &["box.toml", "camera.sorce", "source"]);
    }
}

#[test]
fn values_out_of_range_and_of_a_wrong_type_are_told_together() {
    check("[camera]\nwidth = \"wide\"\n[detector]\nthreshold = 2\n").refused(
        2,
        &[
            "2 problems",
            "box.toml: camera.width: \"wide\" is not allowed; allowed is a whole number from 16",
            "box.toml: detector.threshold: 2 is not allowed; allowed is a number from 0 to 1",
        ],
    );
}

#[test]
fn what_is_not_toml_is_refused_with_its_line() {
    check("[camera\nwidth = 640\n").refused(2, &["box.toml", "line 1"]);
}

#[test]
fn a_named_configuration_must_exist() {
    run(&["check", "--config", "/nonexistent/box.toml"])
        .refused(2, &["/nonexistent/box.toml", "cannot be read"]);
}

#[test]
fn variables_of_the_environment_are_checked_as_the_file_is() {
    let call = |name: &str, value: &str| -> support::Result {
        maskgate(&["check"]).env(name, value).output().unwrap().into()
    };
    call("MASKGATE__CAMERA__WIDHT", "640").refused(2, &["MASKGATE__CAMERA__WIDHT", "no such key"]);
    call("MASKGATE__CAMERA__WIDTH", "wide")
        .refused(2, &["MASKGATE__CAMERA__WIDTH", "\"wide\"", "16 to 7680"]);
}

#[test]
fn check_says_what_is_in_force() {
    let result: support::Result = maskgate(&["check"])
        .env("MASKGATE__CAMERA__SOURCE", "demo")
        .env("MASKGATE__GPIO__BACKEND", "simulated")
        .env("MASKGATE__ALARM__MODE", "hard")
        .output()
        .unwrap()
        .into();
    assert_eq!(result.code, Some(0), "{}", result.stderr);
    for words in ["source: demo", "alarm: hard", "lines: simulated", "built-in detector", "sha256"]
    {
        assert!(result.stdout.contains(words), "no {words:?} in {}", result.stdout);
    }
}

#[test]
fn check_tells_neither_a_command_nor_a_mode_that_is_not_used() {
    let result: support::Result = maskgate(&["check"])
        .env("MASKGATE__CAMERA__SOURCE", "pipe:curl -fsSu door:secret http://camera/video")
        .env("MASKGATE__GPIO__BACKEND", "cdev")
        .env("MASKGATE__GPIO__RED", "17")
        .env("MASKGATE__GPIO__MODE_SWITCH", "5")
        .env("MASKGATE__ALARM__MODE", "hard")
        .output()
        .unwrap()
        .into();
    assert_eq!(result.code, Some(0), "{}", result.stderr);
    for words in ["source: pipe:curl …\n", "alarm: hard while the switch gpio.mode_switch is on"]
    {
        assert!(result.stdout.contains(words), "no {words:?} in {}", result.stdout);
    }
    for (source, shown) in [
        ("curl -u door:secret http://camera/video", "\"curl …\" is not allowed"),
        ("rtsp://door:se cret@camera/1", "\"rtsp://*** …\" is not allowed"),
    ] {
        let result: support::Result =
            maskgate(&["check"]).env("MASKGATE__CAMERA__SOURCE", source).output().unwrap().into();
        result.refused(2, &[shown]);
        assert!(!result.stderr.contains("cret"), "{}", result.stderr);
    }
    let folder = tempdir().unwrap();
    let text_of = "[camera]\nsource = \"pipe:curl -H 'Auth: secret'\nwidth = 640\n";
    let path = write(folder.path(), "box.toml", text_of);
    let result = run(&["check", "--config", text(&path)]);
    result.refused(2, &["box.toml", "line 2"]);
    assert!(!result.stderr.contains("secret"), "{}", result.stderr);
    let source = "[camera]\nsource = \"\"\"pipe:sshpass -p \\\n    geh\\qeim x\"\"\"\n";
    let path = write(folder.path(), "box.toml", source);
    let result = run(&["check", "--config", text(&path)]);
    result.refused(2, &["box.toml", "line 3", "3 | …\n"]);
    assert!(!result.stderr.contains("geh"), "{}", result.stderr);
    let path = write(folder.path(), "box.toml", "[camera]\nwidth = 64O\n");
    run(&["check", "--config", text(&path)]).refused(2, &["line 2", "width = 64O"]);

    for (variable, value) in [
        ("MASKGATE__CAMERA__SOURCE", &b"pipe:sshpass -p g\xe4heim x"[..]),
        ("MASKGATE__CAMERA", b"pipe:sshpass -p geheim x"),
        ("MASKGATE__CAMERA__FORMAT", b"pipe:sshpass -p geheim x"),
    ] {
        let value = std::ffi::OsStr::from_bytes(value);
        let result: support::Result =
            maskgate(&["check"]).env(variable, value).output().unwrap().into();
        result.refused(2, &[&format!("{variable}: ")]);
        assert!(!result.stderr.contains("heim"), "{}", result.stderr);
    }
}

#[test]
fn check_probe_takes_a_frame_and_opens_the_lines() {
    let result: support::Result = maskgate(&["check", "--probe"])
        .env("MASKGATE__CAMERA__SOURCE", "demo")
        .env("MASKGATE__GPIO__BACKEND", "simulated")
        .output()
        .unwrap()
        .into();
    assert_eq!(result.code, Some(0), "{}", result.stderr);
    assert!(result.stdout.contains("a frame of 640x480"), "{}", result.stdout);
    assert!(result.stdout.contains("simulated lines"), "{}", result.stdout);
}

#[test]
fn a_model_with_one_byte_changed_is_refused() {
    let folder = tempdir().unwrap();
    for (section, file) in [("detector", "detector.onnx"), ("classifier", "classifier.onnx")] {
        let original = concat!(env!("CARGO_MANIFEST_DIR"), "/models/");
        let mut bytes = fs::read(format!("{original}{file}")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let model = write(folder.path(), file, bytes);
        let config = format!("[{section}]\nmodel = {:?}\n", text(&model));
        check(&config).refused(2, &[text(&model)]);
    }
}

#[test]
fn a_model_that_is_not_the_pinned_one_is_refused() {
    let pinned = "0".repeat(64);
    check(&format!("[detector]\nsha256 = \"{pinned}\"\n")).refused(2, &["detector", &pinned]);
}

#[test]
fn models_in_each_others_place_are_both_refused() {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
    let result = check(&format!(
        "[detector]\nmodel = \"{models}/classifier.onnx\"\n\
         [classifier]\nmodel = \"{models}/detector.onnx\"\n"
    ));
    assert_eq!(result.code, Some(2));
    for words in ["[detector]", "classifier.onnx", "[classifier]", "detector.onnx"] {
        assert!(result.stderr.contains(words), "no {words:?} in {}", result.stderr);
    }
}

#[test]
fn models_that_are_missing_or_no_models_are_refused_by_file_name() {
    let folder = tempdir().unwrap();
    let words = write(folder.path(), "words.onnx", "this is not a model");
    let empty = write(folder.path(), "empty.onnx", "");
    for model in [text(&words), text(&empty), "/nonexistent/model.onnx"] {
        for section in ["detector", "classifier"] {
            check(&format!("[{section}]\nmodel = \"{model}\"\n")).refused(2, &[model, section]);
        }
    }
}

#[test]
fn lines_and_patterns_that_cannot_be_are_refused_before_anything_is_opened() {
    check("[gpio]\nred = 17\ngreen = \"17 active-low\"\n")
        .refused(2, &["gpio.green: line 17 is taken by gpio.red"]);
    check("[gpio]\nred = \"17 open-dran\"\n").refused(2, &["gpio.red", "open-drain"]);
    check("[gpio]\nbackend = \"rppal\"\ndoor = \"22 open-drain\"\n")
        .refused(2, &["gpio.door", "\"cdev\""]);
    check("[gpio]\nbackend = \"jetson\"\n").refused(2, &["gpio.backend", "\"auto\"", "\"cdev\""]);
    check("[alarm]\nbuzzer_pattern = \"sos:0\"\n").refused(2, &["alarm.buzzer_pattern", "20 to"]);
}

#[test]
fn check_tells_the_lines_and_a_door_that_is_missing() {
    let folder = tempdir().unwrap();
    let config = "[alarm]\nmode = \"hard\"\n[gpio]\nred = \"17 active-low\"\nmotion = 4\n";
    let path = write(folder.path(), "box.toml", config);
    let result = run(&["check", "--config", text(&path)]);
    assert_eq!(result.code, Some(0), "{}", result.stderr);
    for words in ["lines: auto", "  red: 17 active-low", "  motion: 4", "holds no door"] {
        assert!(result.stdout.contains(words), "no {words:?} in {}", result.stdout);
    }
}

#[test]
fn check_tells_a_door_that_soft_mode_never_releases() {
    let folder = tempdir().unwrap();
    for (mode, told) in [("soft", true), ("hard", false)] {
        let config = format!("[alarm]\nmode = \"{mode}\"\n[gpio]\nred = \"17\"\ndoor = \"22\"\n");
        let path = write(folder.path(), "box.toml", config);
        let result = run(&["check", "--config", text(&path)]);
        assert_eq!(result.code, Some(0), "{}", result.stderr);
        assert_eq!(result.stdout.contains("held for ever in soft mode"), told, "{}", result.stdout);
    }
}

#[test]
fn a_box_without_a_line_is_refused_with_what_to_do() {
    for command in ["run", "check", "safe"] {
        run(&[command]).refused(2, &["names no output line", "red = \"17\"", "\"simulated\""]);
    }
    check("[detector]\nmodel = \"/none.onnx\"\n[classifier]\nmodel = \"/no.onnx\"\n")
        .refused(2, &["[detector] /none.onnx", "[classifier] /no.onnx", "names no output line"]);
}
