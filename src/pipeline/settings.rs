//! From the configuration to the settings of the rooms that know nothing of it.

use std::time::Duration;

use crate::{alarm, config, tracking};

pub fn tracking(section: &config::Tracking) -> tracking::Settings {
    tracking::Settings {
        confirm_looks: section.confirm_looks,
        new_score: section.new_score,
        occlusion: seconds(section.occlusion_s),
        min_face: section.min_face,
        min_sharpness: section.min_sharpness,
        max_yaw: section.max_yaw,
        min_looks: section.min_looks,
        min_span: seconds(section.min_span_s),
        confidence: section.confidence,
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
        ask_after: seconds(section.ask_after_s),
        min_open: seconds(section.min_open_s),
    }
}

/// The configuration is checked before this; what slips through becomes no time at all.
fn seconds(value: f32) -> Duration {
    Duration::try_from_secs_f32(value).unwrap_or_default()
}
