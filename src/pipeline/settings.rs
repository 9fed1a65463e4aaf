//! From the configuration to the settings of the rooms that know nothing of it.

use std::time::Duration;

use crate::{alarm, config, tracking};

/// The most confidence that clear looks reach at any rate of frames and half-life.
const REACHED: f32 = 0.9;

pub fn tracking(section: &config::Tracking, alarm: &config::Alarm) -> tracking::Settings {
    tracking::Settings {
        confirm_looks: section.confirm_looks,
        new_score: section.new_score,
        occlusion: seconds(section.occlusion_s),
        min_face: section.min_face,
        min_sharpness: section.min_sharpness,
        max_yaw: section.max_yaw,
        min_looks: section.min_looks,
        min_span: seconds(section.min_span_s),
        confidence: section.confidence.min(REACHED),
        incorrect_is_right: !alarm.incorrect_alarms,
        half_life: seconds(section.half_life_s),
    }
}

pub fn alarm(section: &config::Alarm) -> alarm::Settings {
    alarm::Settings {
        mode: match section.mode {
            config::AlarmMode::Soft => alarm::Mode::Soft,
            config::AlarmMode::Hard => alarm::Mode::Hard,
        },
        hold: seconds(section.hold_s),
        cool_down: seconds(section.cool_down_s),
        incorrect_alarms: section.incorrect_alarms,
        red: pattern(section.red_pattern),
        buzzer: pattern(section.buzzer_pattern),
        ask_after: seconds(section.ask_after_s),
        min_open: seconds(section.min_open_s),
    }
}

fn pattern(written: config::Pattern) -> alarm::Pattern {
    let beat = Duration::from_millis(written.beat_ms.into());
    match written.shape {
        config::Shape::Steady => alarm::Pattern::Steady,
        config::Shape::Blink => alarm::Pattern::Blink(beat),
        config::Shape::Chirp => alarm::Pattern::Chirp(beat),
        config::Shape::Sos => alarm::Pattern::Sos(beat),
    }
}

/// The configuration is checked before this; what slips through becomes no time at all.
pub fn seconds(value: f32) -> Duration {
    Duration::try_from_secs_f32(value).unwrap_or_default()
}
