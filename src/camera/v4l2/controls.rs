//! Exposure, gain, white balance and mains frequency: from the configuration to the camera's own
//! controls.

use std::io;

use v4l::device::Handle;
use v4l::v4l_sys::{
    V4L2_CID_AUTO_WHITE_BALANCE, V4L2_CID_AUTOGAIN, V4L2_CID_EXPOSURE_ABSOLUTE,
    V4L2_CID_EXPOSURE_AUTO, V4L2_CID_GAIN, V4L2_CID_POWER_LINE_FREQUENCY,
    V4L2_CID_WHITE_BALANCE_TEMPERATURE,
};

use super::raw;
use crate::config::{self, PowerLine};

/// Values of V4L2_CID_EXPOSURE_AUTO: the camera sets all, nothing, or the time alone.
const EXPOSURE_AUTO: i32 = 0;
const EXPOSURE_MANUAL: i32 = 1;
const EXPOSURE_APERTURE_FIXED: i32 = 3;
/// Of V4L2_CID_POWER_LINE_FREQUENCY.
const POWER_LINE_AUTO: i32 = 3;

/// One control to set.
#[derive(Clone, Debug, PartialEq)]
struct Wish {
    id: u32,
    /// The first that the camera takes; more only where it chooses by itself.
    values: Vec<i32>,
    /// The key whose number this is; `None` for what only prepares it, or is left to the camera:
    /// many cameras lack those, and need not be complained of.
    key: Option<&'static str>,
}

fn wishes(camera: &config::Camera) -> Vec<Wish> {
    let quiet = |id, values: &[i32]| Wish { id, values: values.into(), key: None };
    let number =
        |id, value: f32, key| Wish { id, values: vec![value.round() as i32], key: Some(key) };
    let mut wishes = Vec::new();
    match camera.exposure_ms.fixed() {
        Some(time) => {
            wishes.push(quiet(V4L2_CID_EXPOSURE_AUTO, &[EXPOSURE_MANUAL]));
            // In units of 100 microseconds.
            wishes.push(number(V4L2_CID_EXPOSURE_ABSOLUTE, time * 10.0, "exposure_ms"));
        }
        None => {
            let values = [EXPOSURE_APERTURE_FIXED, EXPOSURE_AUTO];
            wishes.push(quiet(V4L2_CID_EXPOSURE_AUTO, &values));
        }
    }
    match camera.gain.fixed() {
        Some(gain) => {
            wishes.push(quiet(V4L2_CID_AUTOGAIN, &[0]));
            wishes.push(number(V4L2_CID_GAIN, gain, "gain"));
        }
        None => wishes.push(quiet(V4L2_CID_AUTOGAIN, &[1])),
    }
    match camera.white_balance_k.fixed() {
        Some(kelvin) => {
            wishes.push(quiet(V4L2_CID_AUTO_WHITE_BALANCE, &[0]));
            wishes.push(number(V4L2_CID_WHITE_BALANCE_TEMPERATURE, kelvin, "white_balance_k"));
        }
        None => wishes.push(quiet(V4L2_CID_AUTO_WHITE_BALANCE, &[1])),
    }
    let (value, key) = match camera.power_line {
        PowerLine::Auto => (POWER_LINE_AUTO, None),
        PowerLine::Off => (0, Some("power_line")),
        PowerLine::Hz50 => (1, Some("power_line")),
        PowerLine::Hz60 => (2, Some("power_line")),
    };
    wishes.push(Wish { id: V4L2_CID_POWER_LINE_FREQUENCY, values: vec![value], key });
    wishes
}

/// Controls of a camera, by their numbers in v4l2-controls.h.
trait Controls {
    /// Lowest and highest value; `None` where there is no such control.
    fn range(&self, id: u32) -> Option<(i32, i32)>;
    fn set(&self, id: u32, value: i32) -> io::Result<()>;
}

impl Controls for Handle {
    fn range(&self, id: u32) -> Option<(i32, i32)> {
        raw::control_range(self, id)
    }

    fn set(&self, id: u32, value: i32) -> io::Result<()> {
        raw::set_control(self, id, value)
    }
}

/// Sets all that `camera` asks for; what cannot be had is told, and the rest goes on.
pub(super) fn apply(handle: &Handle, name: &str, camera: &config::Camera) {
    for complaint in set_all(handle, &wishes(camera)) {
        log::warn!("camera {name}: {complaint}");
    }
}

fn set_all(controls: &impl Controls, wishes: &[Wish]) -> Vec<String> {
    wishes.iter().filter_map(|wish| set_one(controls, wish)).collect()
}

/// What is to be complained of.
fn set_one(controls: &impl Controls, wish: &Wish) -> Option<String> {
    let Some((low, high)) = controls.range(wish.id) else {
        return wish
            .key
            .map(|key| format!("it has no control for [camera] {key}, which is left out"));
    };
    let Some(key) = wish.key else {
        let mut allowed = wish.values.iter().filter(|value| (low..=high).contains(*value));
        let _ = allowed.find(|value| controls.set(wish.id, **value).is_ok());
        return None;
    };
    let wanted = *wish.values.first()?;
    let value = wanted.clamp(low, high.max(low));
    if let Err(error) = controls.set(wish.id, value) {
        return Some(format!("[camera] {key} cannot be set: {error}"));
    }
    (value != wanted).then(|| {
        // What the key says, in its own unit.
        let scale = if wish.id == V4L2_CID_EXPOSURE_ABSOLUTE { 0.1 } else { 1.0 };
        let shown = |value: i32| (f64::from(value) * scale * 10.0).round() / 10.0;
        format!(
            "[camera] {key} goes from {} to {} here: {} is used",
            shown(low),
            shown(high),
            shown(value)
        )
    })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::config::Setting;

    /// A camera with these controls, that refuses one value.
    struct Pretended {
        ranges: Vec<(u32, i32, i32)>,
        refused: (u32, i32),
        set: RefCell<Vec<(u32, i32)>>,
    }

    impl Controls for Pretended {
        fn range(&self, id: u32) -> Option<(i32, i32)> {
            let found = self.ranges.iter().find(|(known, ..)| *known == id);
            found.map(|(_, low, high)| (*low, *high))
        }

        fn set(&self, id: u32, value: i32) -> io::Result<()> {
            if self.refused == (id, value) {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            self.set.borrow_mut().push((id, value));
            Ok(())
        }
    }

    fn webcam() -> Pretended {
        Pretended {
            ranges: vec![
                (V4L2_CID_EXPOSURE_AUTO, 0, 3),
                (V4L2_CID_EXPOSURE_ABSOLUTE, 3, 2047),
                (V4L2_CID_GAIN, 0, 255),
                (V4L2_CID_AUTO_WHITE_BALANCE, 0, 1),
                (V4L2_CID_WHITE_BALANCE_TEMPERATURE, 2800, 6500),
                (V4L2_CID_POWER_LINE_FREQUENCY, 0, 2),
            ],
            refused: (V4L2_CID_EXPOSURE_AUTO, EXPOSURE_APERTURE_FIXED),
            set: RefCell::default(),
        }
    }

    #[test]
    fn left_alone_a_camera_is_set_to_choose_by_itself_and_nothing_is_complained_of() {
        let camera = webcam();
        assert!(set_all(&camera, &wishes(&config::Camera::default())).is_empty());
        // Without the automatic mains frequency, which this one lacks.
        let set = [(V4L2_CID_EXPOSURE_AUTO, EXPOSURE_AUTO), (V4L2_CID_AUTO_WHITE_BALANCE, 1)];
        assert_eq!(*camera.set.borrow(), set);
    }

    #[test]
    fn numbers_are_set_in_the_units_of_the_camera_after_its_own_choice_is_off() {
        let camera = webcam();
        let wanted = config::Camera {
            exposure_ms: Setting::Fixed(10.0),
            gain: Setting::Fixed(40.0),
            white_balance_k: Setting::Fixed(4600.0),
            power_line: PowerLine::Hz50,
            ..config::Camera::default()
        };
        assert!(set_all(&camera, &wishes(&wanted)).is_empty());
        assert_eq!(
            *camera.set.borrow(),
            [
                (V4L2_CID_EXPOSURE_AUTO, EXPOSURE_MANUAL),
                (V4L2_CID_EXPOSURE_ABSOLUTE, 100),
                (V4L2_CID_GAIN, 40),
                (V4L2_CID_AUTO_WHITE_BALANCE, 0),
                (V4L2_CID_WHITE_BALANCE_TEMPERATURE, 4600),
                (V4L2_CID_POWER_LINE_FREQUENCY, 1),
            ]
        );
    }

    #[test]
    fn a_number_out_of_reach_is_told_in_its_own_unit_and_the_nearest_is_used() {
        let camera = webcam();
        let wanted =
            config::Camera { exposure_ms: Setting::Fixed(500.0), ..config::Camera::default() };
        let told = set_all(&camera, &wishes(&wanted));
        assert_eq!(told, ["[camera] exposure_ms goes from 0.3 to 204.7 here: 204.7 is used"]);
    }

    #[test]
    fn a_control_that_lacks_is_told_only_where_it_was_asked_for() {
        let camera = Pretended { ranges: Vec::new(), refused: (0, 0), set: RefCell::default() };
        let wanted = config::Camera { gain: Setting::Fixed(1.0), ..config::Camera::default() };
        let told = set_all(&camera, &wishes(&wanted));
        assert_eq!(told, ["it has no control for [camera] gain, which is left out"]);
    }
}
