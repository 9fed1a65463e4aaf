//! The board files in config/boards: each is taken as it is, and wires what a door needs.

use std::fs;
use std::path::{Path, PathBuf};

use maskgate::config::{Backend, Config, from_text};
use maskgate::gpio;

fn boards() -> Vec<(PathBuf, Config)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/boards");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let load = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let config = from_text(&path, &text).unwrap_or_else(|error| panic!("{error}"));
        (path, config)
    };
    files.map(load).collect()
}

#[test]
fn there_is_a_file_for_each_board_and_camera() {
    let names: Vec<_> = boards()
        .into_iter()
        .map(|(path, _)| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    for name in [
        "pi-usb",
        "pi-csi",
        "pi5-usb",
        "pi5-csi",
        "pi-zero2-usb",
        "pi-zero2-csi",
        "jetson-nano",
        "jetson-orin-nano",
    ] {
        assert!(names.iter().any(|found| found == name), "{name} is not in {names:?}");
    }
}

#[test]
fn every_board_file_wires_lamps_buzzer_and_door_on_real_lines() {
    for (path, config) in boards() {
        let path = path.display();
        assert_ne!(config.gpio.backend, Backend::Simulated, "{path}");
        gpio::check(&config.gpio).unwrap_or_else(|error| panic!("{path}: {error}"));
        for (role, output) in config.gpio.outputs() {
            assert!(output.line.is_some(), "{path}: {role} is not wired");
        }
    }
}

#[test]
fn a_board_whose_pins_need_more_than_a_line_says_so() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/boards");
    let orin = fs::read_to_string(folder.join("jetson-orin-nano.toml")).unwrap();
    assert!(orin.contains("pinmux"));
}
