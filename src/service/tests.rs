use super::*;

const CAMERA: &str = "v4l2 /dev/video0 (a camera), 640x480 YUYV at 30 fps";

fn service() -> Service {
    Service { watchdog: Some(Duration::from_secs(30)), ..Service::default() }
}

/// A run that goes well, `millis` after its start, 15 frames a second.
fn well(millis: u64) -> Health {
    let time = Duration::from_millis(millis);
    let frames = millis * 15 / 1000;
    Health { time, camera: CAMERA.into(), frames, stalled: None, ending: false }
}

fn stalled(millis: u64) -> Health {
    Health { stalled: Some(("vision", Duration::from_secs(21))), ..well(millis) }
}

/// What is told in each half second from `from` to `to` seconds, with the second.
fn told(
    service: &mut Service,
    (from, to): (u64, u64),
    health: impl Fn(u64) -> Health,
) -> Vec<(u64, Note)> {
    (from * 2..to * 2)
        .flat_map(|half| {
            let notes = service.notes(&health(half * 500));
            notes.into_iter().map(move |note| (half / 2, note))
        })
        .collect()
}

fn feeds(told: &[(u64, Note)]) -> Vec<u64> {
    told.iter().filter(|(_, note)| *note == Note::Watchdog).map(|(second, _)| *second).collect()
}

#[test]
fn the_first_word_is_ready_and_it_is_said_once() {
    let told = told(&mut service(), (0, 60), well);
    assert_eq!(told.first(), Some(&(0, Note::Ready)));
    assert_eq!(told.iter().filter(|(_, note)| *note == Note::Ready).count(), 1);
}

#[test]
fn the_watchdog_is_fed_three_times_as_often_as_it_must_be() {
    assert_eq!(feeds(&told(&mut service(), (0, 35), well)), [0, 10, 20, 30]);
}

#[test]
fn a_stage_that_stalls_starves_the_watchdog_and_one_that_recovers_feeds_it() {
    let mut service = service();
    assert_eq!(feeds(&told(&mut service, (0, 15), well)), [0, 10]);
    assert_eq!(feeds(&told(&mut service, (15, 60), stalled)), [0; 0]);
    assert_eq!(feeds(&told(&mut service, (60, 65), well)), [60]);
}

#[test]
fn without_a_watchdog_nothing_is_fed() {
    assert_eq!(feeds(&told(&mut Service::default(), (0, 60), well)), [0; 0]);
}

#[test]
fn the_status_names_the_camera_at_once_and_then_its_rate() {
    let told = told(&mut service(), (0, 6), well);
    let status: Vec<_> = told
        .into_iter()
        .filter_map(|(second, note)| match note {
            Note::Status(words) => Some((second, words)),
            _ => None,
        })
        .collect();
    let later = format!("{CAMERA}; 15.0 frames a second looked at");
    assert_eq!(status, [(0, CAMERA.to_owned()), (5, later)]);
}

#[test]
fn a_camera_that_is_lost_is_told_at_once_and_on_one_line() {
    let mut service = service();
    told(&mut service, (0, 2), well);
    let lost = Health { camera: "no camera: it is\nunplugged".into(), ..well(2000) };
    assert_eq!(service.notes(&lost), [Note::Status("no camera: it is unplugged".into())]);
}

#[test]
fn after_a_reload_it_is_ready_again() {
    let mut service = service();
    told(&mut service, (0, 2), well);
    service.reloading();
    // The next run counts its time anew.
    assert_eq!(service.notes(&well(0))[..2], [Note::Ready, Note::Watchdog]);
}

#[test]
fn an_ending_run_is_told_as_such() {
    let mut service = service();
    told(&mut service, (0, 2), well);
    assert_eq!(service.notes(&Health { ending: true, ..well(2000) }), [Note::Stopping]);
}
