use crate::picture::{Label, Look};

use super::Settings;

/// A look that weighs less says nothing.
const LEAST_WEIGHT: f32 = 0.05;

/// How much a look counts towards a verdict, 0 to 1. Zero where the face is too small, too
/// blurred or turned too far; otherwise the product of detector score, size, sharpness,
/// frontality and how clear the classifier is between right and not right.
pub(super) fn weight(look: &Look, settings: &Settings) -> f32 {
    let turned = look.yaw.abs();
    if turned.is_nan() || turned > settings.max_yaw {
        return 0.0;
    }
    let mut right = look.probabilities.of(Label::WithMask);
    if settings.incorrect_is_right {
        right += look.probabilities.of(Label::IncorrectMask);
    }
    let weight = look.face.score.clamp(0.0, 1.0)
        * ramp(look.face.bounds.width(), settings.min_face)
        * ramp(look.sharpness, settings.min_sharpness)
        * (1.0 - 0.5 * turned / settings.max_yaw.max(1.0))
        * (2.0 * right - 1.0).abs().min(1.0);
    if weight >= LEAST_WEIGHT { weight } else { 0.0 }
}

/// 0 below `least`, a half at it, rising to 1 at twice that.
fn ramp(value: f32, least: f32) -> f32 {
    if value >= 2.0 * least {
        1.0
    } else if value >= least {
        value / least / 2.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracking::scenarios::{default_settings, look};

    #[test]
    fn a_face_too_small_too_blurred_or_turned_away_weighs_nothing() {
        let settings = default_settings();
        let good = look(100.0, 100.0, 60.0, 0.02);
        assert!(weight(&good, &settings) > 0.8);

        let mut small = look(100.0, 100.0, settings.min_face - 0.5, 0.02);
        assert_eq!(weight(&small, &settings), 0.0);
        small = look(100.0, 100.0, settings.min_face, 0.02);
        assert!(weight(&small, &settings) > 0.0);

        let blurred = Look { sharpness: settings.min_sharpness - 0.01, ..good };
        assert_eq!(weight(&blurred, &settings), 0.0);

        for yaw in [settings.max_yaw + 0.5, -settings.max_yaw - 0.5, f32::NAN] {
            assert_eq!(weight(&Look { yaw, ..good }, &settings), 0.0, "{yaw}");
        }
        let nearly = Look { yaw: 0.5 - settings.max_yaw, ..good };
        let weights = [&nearly, &good].map(|look| weight(look, &settings));
        assert!(weights[0] > 0.0 && weights[0] < weights[1], "{weights:?}");
    }

    #[test]
    fn a_classifier_that_cannot_tell_says_nothing() {
        assert_eq!(weight(&look(100.0, 100.0, 60.0, 0.5), &default_settings()), 0.0);
    }
}
