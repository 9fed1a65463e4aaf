use std::collections::HashMap;

use super::*;

const SHIPPED: &str = include_str!("../../../config/maskgate.toml");

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let variables: HashMap<String, String> =
        environment.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let environment = Environment::with_prefix(PREFIX).separator("__").source(Some(variables));
    from_layers(Some((Path::new("box.toml"), text)), environment).map_err(|error| error.to_string())
}

/// Every key of a table, sections in front: `camera.width`.
fn names(table: &config::Value, before: &str, into: &mut Vec<String>) {
    match &table.kind {
        ValueKind::Table(keys) => {
            for (key, value) in keys {
                names(value, &format!("{before}{key}."), into);
            }
        }
        _ => into.push(before.trim_end_matches('.').to_owned()),
    }
}

fn keys_of(source: &dyn Source) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in source.collect().unwrap() {
        names(&value, &format!("{key}."), &mut found);
    }
    found.sort();
    found
}

#[test]
fn the_shipped_file_holds_every_key_with_its_default() {
    assert_eq!(read(SHIPPED, &[]), Ok(Config::default()));
    let defaults = config::Config::try_from(&Config::default()).unwrap();
    assert_eq!(keys_of(&File::from_str(SHIPPED, FileFormat::Toml)), keys_of(&defaults));
}

#[test]
fn every_key_of_the_types_says_what_it_may_hold() {
    let defaults = config::Config::try_from(&Config::default()).unwrap();
    let mut table: Vec<_> = KEYS.iter().map(|key| key.name.to_owned()).collect();
    table.sort();
    assert_eq!(table, keys_of(&defaults));
}

#[test]
fn the_shipped_file_tells_the_range_of_every_number() {
    for key in KEYS {
        let ends = match key.allowed {
            crate::config::keys::Allowed::Whole(low, high) => format!("{low} to {high}"),
            crate::config::keys::Allowed::Real(low, high)
            | crate::config::keys::Allowed::AutoOr(low, high) => format!("{low} to {high}"),
            _ => continue,
        };
        // The comment stands above the key, or above its neighbour; 0 may have a word beside.
        let (section, name) = key.name.split_once('.').unwrap();
        let section = &SHIPPED[SHIPPED.find(&format!("[{section}]")).unwrap()..];
        let comment = &section[..section.find(&format!("\n{name} = ")).unwrap()];
        let told = comment.replace(" (any)", "");
        let nearest = told.rfind(" to ").map(|at| &told[at.saturating_sub(6)..]);
        let near = &told[told.len().saturating_sub(260)..];
        // Not 0 to 10 where it is 0 to 1.
        let is_whole =
            |at: usize| !near[at + ends.len()..].starts_with(|c: char| c.is_ascii_digit());
        assert!(
            near.match_indices(&ends).any(|(at, _)| is_whole(at)),
            "{}: {ends} is not told, but {nearest:?}",
            key.name
        );
    }
}

#[test]
fn the_demo_configuration_is_good() {
    let demo = read(include_str!("../../../config/demo.toml"), &[]).unwrap();
    assert_eq!(demo.camera.source, "demo");
}

#[test]
fn every_recipe_for_a_camera_is_a_good_configuration() {
    let recipes: Vec<_> =
        include_str!("../../../docs/cameras.md").split("```toml").skip(1).collect();
    for recipe in &recipes {
        let (text, _) = recipe.split_once("```").unwrap();
        let config = read(text, &[]).unwrap();
        assert_ne!(config, Config::default(), "{text}");
    }
    assert_eq!(recipes.len(), 4);
}

#[test]
fn the_environment_wins_over_the_file_and_speaks_numbers_and_truth() {
    let config = read(
        "[camera]\nwidth = 320\nheight = 240\n[alarm]\nhold_s = 1",
        &[
            ("MASKGATE__CAMERA__WIDTH", "1280"),
            ("MASKGATE__DETECTOR__THRESHOLD", "0.7"),
            ("MASKGATE__ALARM__INCORRECT_ALARMS", "false"),
            ("MASKGATE__ALARM__MODE", "hard"),
            ("MASKGATE_CACHE", "not ours: one underscore"),
        ],
    )
    .unwrap();
    assert_eq!((config.camera.width, config.camera.height), (1280, 240));
    assert_eq!(config.detector.threshold, 0.7);
    assert!(!config.alarm.incorrect_alarms);
    assert_eq!(config.alarm.mode, crate::config::AlarmMode::Hard);
    assert_eq!(config.alarm.hold_s, 1.0);
    let gain = |value| read("", &[("MASKGATE__CAMERA__GAIN", value)]).unwrap().camera.gain;
    assert_eq!(gain("40").fixed(), Some(40.0));
    assert_eq!(gain("auto").fixed(), None);
}

#[test]
fn a_typo_names_file_and_key_and_the_keys_there_are() {
    assert_eq!(
        read("[camera]\nwidht = 640", &[]).unwrap_err(),
        "box.toml: camera.widht: there is no such key; [camera] has source, width, height, fps, \
         format, stuck_s, crop, rotate, mirror, exposure_ms, gain, white_balance_k, power_line"
    );
    assert_eq!(
        read("[camra]\nwidth = 640", &[]).unwrap_err(),
        "box.toml: camra: there is no such section; there are camera, detector, classifier, \
         tracking, alarm, gpio"
    );
}

#[test]
fn a_wrong_type_is_refused_even_if_it_could_be_read_somehow() {
    for (text, shown) in [
        ("[camera]\nwidth = \"640\"", "\"640\""),
        ("[camera]\nwidth = 640.5", "640.5"),
        ("[camera]\nwidth = true", "true"),
        ("[camera]\nwidth = [640]", "a list"),
        ("[camera.width]\npixels = 640", "a section"),
    ] {
        assert_eq!(
            read(text, &[]).unwrap_err(),
            format!(
                "box.toml: camera.width: {shown} is not allowed; allowed is a whole number \
                 from 16 to 7680"
            )
        );
    }
    assert_eq!(
        read("[alarm]\nincorrect_alarms = 1", &[]).unwrap_err(),
        "box.toml: alarm.incorrect_alarms: 1 is not allowed; allowed is true or false"
    );
    assert_eq!(
        read("camera = 3", &[]).unwrap_err(),
        "box.toml: camera: is a section with keys of its own, not 3"
    );
}

#[test]
fn a_value_out_of_range_is_told_with_its_range() {
    for (text, words) in [
        ("[detector]\nwidth = 95", "detector.width: 95 is not allowed; allowed is a whole"),
        ("[detector]\nthreshold = 1.5", "1.5 is not allowed; allowed is a number from 0 to 1"),
        ("[detector]\nthreshold = nan", "allowed is a number from 0 to 1"),
        ("[tracking]\nhalf_life_s = inf", "allowed is a number from 0.05 to 10"),
        (
            "[alarm]\nmode = \"loud\"",
            "\"loud\" is not allowed; allowed is one of \"soft\", \"hard\"",
        ),
        (
            "[camera]\nsource = \"usb\"",
            "allowed is \"demo\", \"file:PATH\", \"v4l2:DEVICE\" or \"pipe:COMMAND\"",
        ),
        ("[camera]\nsource = \"pipe: \"", "\"pipe:\" is not allowed"),
        ("[camera]\nrotate = 45", "45 is not allowed; allowed is one of 0, 90, 180, 270"),
        ("[camera]\ncrop = \"320x240\"", "allowed is \"WIDTHxHEIGHT+LEFT+TOP\" in pixels"),
        ("[camera]\ncrop = \"8x240+0+0\"", "16x16 or larger"),
        ("[camera]\ngain = \"high\"", "allowed is \"auto\" or a number from 0 to 65535"),
        ("[camera]\nexposure_ms = 0", "allowed is \"auto\" or a number from 0.1 to 1000"),
        ("[camera]\nsource = \"file:\"", "\"file:\" is not allowed"),
        ("[camera]\nsource = \"v4l2: /dev/video0\"", "\"v4l2: /dev/video0\" is not allowed"),
        ("[camera]\nsource = \"file: a.mjpg\"", "\"file: a.mjpg\" is not allowed"),
        ("[detector]\nsha256 = \"abc\"", "allowed is 64 hexadecimal digits in quotes"),
    ] {
        let error = read(text, &[]).unwrap_err();
        assert!(error.starts_with("box.toml: ") && error.contains(words), "{error}");
    }
}

#[test]
fn lines_and_patterns_are_short_to_write() {
    let config = read(
        "[alarm]\nred_pattern = \"blink:250\"\n[gpio]\nred = 17\ngreen = \"GPIO27\"\n\
         door = \"gpiochip0:22 active-low open-drain\"",
        &[("MASKGATE__GPIO__BUZZER", "18")],
    )
    .unwrap();
    assert_eq!(config.gpio.red, "17".parse().unwrap());
    assert_eq!(config.gpio.buzzer, "18".parse().unwrap());
    assert_eq!(config.gpio.door, "gpiochip0:22 open-drain active-low".parse().unwrap());
    assert_eq!(config.gpio.amber.line, None);
    assert_eq!(config.alarm.red_pattern.beat_ms, 250);
}

#[test]
fn wrong_lines_and_patterns_are_told_with_what_is_right() {
    for (text, words) in [
        ("[gpio]\nred = \"17 lwo\"", "gpio.red: \"17 lwo\" is not allowed; allowed is a line"),
        ("[gpio]\nred = -1", "gpio.red: -1 is not allowed"),
        ("[gpio]\nmotion = \"4 open-drain\"", "after it where wanted active-low and pull-up"),
        ("[alarm]\nred_pattern = \"blink:0\"", "one beat, 20 to 5000: \"blink:250\""),
        ("[alarm]\nred_pattern = \"chirp\"", "one of \"steady\", \"blink\", \"sos\""),
        ("[gpio]\nbackend = \"pi\"", "\"auto\", \"rppal\", \"cdev\", \"simulated\""),
    ] {
        let error = read(text, &[]).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_line_used_twice_names_both_keys_and_where_the_second_was_set() {
    assert_eq!(
        read("[gpio]\nred = 17\nmotion = 17", &[]).unwrap_err(),
        "box.toml: gpio.motion: line 17 is taken by gpio.red; a line can do one thing only"
    );
    let error = read(
        "[gpio]\nred = \"/dev/gpiochip0:17\"",
        &[("MASKGATE__GPIO__DOOR", "gpiochip0:17 active-low")],
    )
    .unwrap_err();
    assert!(error.starts_with("MASKGATE__GPIO__DOOR: gpio.door: line gpiochip0:17"), "{error}");
    // Beside what is wrong by itself.
    let error = read("[gpio]\nred = 17\nmotion = 17\namber = \"5 lwo\"", &[]).unwrap_err();
    assert!(error.contains("gpio.amber") && error.contains("line 17 is taken"), "{error}");
}

#[test]
fn a_drive_the_backend_cannot_do_is_refused() {
    let error = read("[gpio]\nbackend = \"rppal\"\ndoor = \"22 open-drain\"", &[]).unwrap_err();
    assert!(error.contains("gpio.door") && error.contains("\"cdev\""), "{error}");
    assert!(read("[gpio]\nbackend = \"cdev\"\ndoor = \"22 open-drain\"", &[]).is_ok());
}

#[test]
fn all_mistakes_are_told_at_once() {
    let error = read(
        "[camera]\nwidth = 0\nspeed = 3\n[detector]\nthreshold = \"high\"",
        &[("MASKGATE__GPIO__BACKEND", "magic"), ("MASKGATE__NOTHING", "1")],
    )
    .unwrap_err();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.first(), Some(&"5 problems in the configuration"));
    for words in [
        "  MASKGATE__GPIO__BACKEND: gpio.backend: \"magic\"",
        "  MASKGATE__NOTHING: nothing: there is no such section",
        "  box.toml: camera.speed: there is no such key",
        "  box.toml: camera.width: 0 is not allowed",
        "  box.toml: detector.threshold: \"high\" is not allowed",
    ] {
        assert!(lines.iter().any(|line| line.starts_with(words)), "{words} in {error}");
    }
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    let error = read("[camera]\nwidth = 640 480\n", &[]).unwrap_err();
    assert!(error.starts_with("box.toml: not valid TOML: "), "{error}");
    assert!(error.contains("line 2"), "{error}");
}

#[test]
fn a_named_file_must_exist() {
    let error = load(Some(Path::new("/nonexistent/box.toml"))).unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/box.toml: the configuration cannot be read"));
}
