//! How a head is turned, from its five landmarks.

use super::Point;

/// How far the tip of the nose stands before the eyes, in halves of the distance between the
/// eyes: 27 mm over 33 mm. The depth is that of the generic head commonly used for pose from six
/// landmarks, the other the mean half distance of adult pupils (Dodgson, SPIE 5291, 2004: 63 mm)
/// rounded up because detectors mark the middle of the eye opening.
const NOSE_DEPTH: f32 = 0.82;

/// How far the head is turned, in degrees; 0 is frontal, positive towards the picture's right.
///
/// The nose tip stands before the plane of eyes and mouth, so it leaves the middle line when the
/// head turns: by `d sin yaw` in a picture in which half the distance of the eyes measures
/// `e cos yaw`. With `d / e` = 0.82, yaw = atan2(offset, 0.82 half). The middle line runs from
/// between the eyes to between the mouth corners, so a tilted head does not look turned. 90 where
/// the landmarks are of no use (all in one place).
pub fn yaw(landmarks: &[Point; 5]) -> f32 {
    let [right_eye, left_eye, nose, right_mouth, left_mouth] = *landmarks;
    let eyes = middle(right_eye, left_eye);
    let mouth = middle(right_mouth, left_mouth);
    let (down_x, down_y) = (mouth.x - eyes.x, mouth.y - eyes.y);
    let length = down_x.hypot(down_y);
    // Half the distance of the eyes across the middle line.
    let half =
        ((left_eye.x - right_eye.x) * down_y - (left_eye.y - right_eye.y) * down_x) / length / 2.0;
    let offset = ((nose.x - eyes.x) * down_y - (nose.y - eyes.y) * down_x) / length;
    let yaw = offset.atan2(NOSE_DEPTH * half).to_degrees();
    if length > 0.0 && half != 0.0 { yaw } else { 90.0 }
}

/// The turn of a head whose nose lies `gain` times as far from the middle line as one turned by
/// `yaw` degrees has it.
pub fn gained(yaw: f32, gain: f32) -> f32 {
    let (across, ahead) = yaw.to_radians().sin_cos();
    (gain * across).atan2(ahead).to_degrees()
}

fn middle(a: Point, b: Point) -> Point {
    Point { x: (a.x + b.x) / 2.0, y: (a.y + b.y) / 2.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A head of the generic proportions (mm: eyes, nose, mouth), turned and tilted, seen from
    /// afar at `scale` pixels a mm.
    fn head(yaw: f32, roll: f32, scale: f32) -> [Point; 5] {
        let model = [
            (-33.0, -35.0, 0.0),
            (33.0, -35.0, 0.0),
            (0.0, 0.0, 27.0),
            (-25.0, 30.0, 0.0),
            (25.0, 30.0, 0.0),
        ];
        let (yaw, roll) = (yaw.to_radians(), roll.to_radians());
        model.map(|(x, y, z)| {
            let (x, y) = (x * yaw.cos() + z * yaw.sin(), y);
            let (x, y) = (x * roll.cos() - y * roll.sin(), x * roll.sin() + y * roll.cos());
            Point { x: x * scale + 200.0, y: y * scale + 100.0 }
        })
    }

    proptest! {
        #[test]
        fn yaw_is_found_whatever_the_tilt_and_size(
            turn in -80.0_f32..80.0, roll in -60.0_f32..60.0, scale in 0.1_f32..5.0,
        ) {
            let found = yaw(&head(turn, roll, scale));
            prop_assert!((found - turn).abs() < 1.5, "{found}");
        }
    }

    #[test]
    fn a_gain_moves_the_nose() {
        let nose_at = |offset: f32| {
            [(-1.0, -1.0), (1.0, -1.0), (offset, 0.0), (-0.8, 1.0), (0.8, 1.0)]
                .map(|(x, y)| Point { x, y })
        };
        for offset in [-0.7, -0.2, 0.0, 0.4] {
            let found = gained(yaw(&nose_at(offset)), 1.5);
            assert!((found - yaw(&nose_at(1.5 * offset))).abs() < 1e-3, "{offset}: {found}");
        }
        // Beyond profile stays so, and landmarks of no use stay of no use.
        assert!((-180.0..-90.0).contains(&gained(-120.0, 1.5)));
        assert!((gained(90.0, 1.5) - 90.0).abs() < 1e-3);
    }

    #[test]
    fn landmarks_in_one_place_are_not_frontal() {
        assert_eq!(yaw(&[Point { x: 5.0, y: 5.0 }; 5]), 90.0);
    }
}
