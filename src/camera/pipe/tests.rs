//! Real shell commands, good and bad.

use std::fs;
use std::path::Path;

use super::*;
use crate::camera::testing::jpeg;
use crate::config::FrameFormat;

fn camera(stuck_s: f32) -> config::Camera {
    config::Camera { stuck_s, width: 4, height: 2, ..config::Camera::default() }
}

/// A command that would take minutes is never waited for so long: the limit is for loaded machines.
fn open(command: &str) -> Pipe {
    Pipe::open(command, &camera(20.0)).unwrap()
}

/// A file of two JPEG pictures, and a command that writes it.
fn clip(folder: &Path) -> String {
    let path = folder.join("clip.mjpg");
    fs::write(&path, [jpeg(16, 8, 0), jpeg(16, 8, 20)].concat()).unwrap();
    format!("cat '{}'", path.display())
}

/// The error that ends it, and how many frames came before.
fn until_error(mut pipe: Pipe) -> (u64, String) {
    loop {
        match pipe.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a pipe has no end"),
            Err(error) => return (pipe.given, error.to_string()),
        }
    }
}

#[test]
fn frames_of_a_command_come_with_numbers_and_its_kind_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let cat = clip(folder.path());
    let mut pipe = open(&format!("while {cat}; do sleep 0.05; done"));
    assert_eq!(pipe.describe(), "the pipe command (while)");
    let first = pipe.next().unwrap().unwrap();
    let second = pipe.next().unwrap().unwrap();
    assert_eq!((first.picture.width(), first.picture.height()), (16, 8));
    assert!(second.number > first.number && second.captured_at > first.captured_at);
    assert_eq!(pipe.describe(), "the pipe command (while), motion JPEG");
    assert_eq!(pipe.broken(), 0);
}

#[test]
fn a_frame_nobody_took_gives_way_to_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let mut pipe = open(&format!("{}; sleep 1000", clip(folder.path())));
    while pipe.mailbox.seen() < 2 {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(pipe.next().unwrap().unwrap().number, 1);
}

#[test]
fn raw_frames_and_yuv4mpeg2_are_read() {
    let wanted = config::Camera { format: FrameFormat::Grey, width: 8, ..camera(20.0) };
    let mut pipe = Pipe::open("printf 'abcdefghijklmnop'; sleep 1000", &wanted).unwrap();
    assert_eq!(pipe.next().unwrap().unwrap().picture.get(7, 1), Some([b'p'; 3]));
    let mut pipe = open(r"printf 'YUV4MPEG2 W2 H2 F5:1\nFRAME\nabcdef'; sleep 1000");
    assert_eq!(pipe.next().unwrap().unwrap().picture.width(), 2);
    assert!(pipe.describe().ends_with("YUV4MPEG2, 2x2 at 5 fps"));
}

#[test]
fn a_command_that_dies_is_told_with_its_status_and_its_last_words() {
    let folder = tempfile::tempdir().unwrap();
    let (given, said) = until_error(open(&format!(
        "{}; echo 'sensor: no reply from rtsp://me:secret@door/1' >&2; exit 3",
        clip(folder.path())
    )));
    assert!((1..=2).contains(&given));
    assert_eq!(
        said,
        "the pipe command (cat) ended by itself (exit status: 3) after 2 frames; it said last: \
         sensor: no reply from rtsp://***@door/1"
    );
}

#[test]
fn a_command_that_does_not_exist_says_so() {
    let (_, said) = until_error(open("/none/rpicam-vid -t 0 -o -"));
    assert!(said.contains("(/none/rpicam-vid) ended by itself (exit status: 127)"), "{said}");
    assert!(said.contains("it said last: ") && said.contains("not found"), "{said}");
}

#[test]
fn a_command_that_hangs_is_given_up_after_the_set_time() {
    let silent = Pipe::open("sleep 1000", &camera(0.1)).unwrap();
    let (given, said) = until_error(silent);
    assert_eq!(given, 0);
    assert!(said.contains("gave no whole picture for 0.3 s"), "{said}");
    assert!(said.contains("see by hand"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let stuck = Pipe::open(&format!("{}; sleep 1000", clip(folder.path())), &camera(1.0)).unwrap();
    let (given, said) = until_error(stuck);
    assert!(given > 0);
    assert!(said.contains("for 1 s (0 broken): what it reads from may be gone"), "{said}");
}

#[test]
fn a_command_that_writes_rubbish_is_told_what_it_writes() {
    let (_, said) = until_error(open("echo 'hello there'; sleep 1000"));
    assert!(said.contains("writes what is not read: it begins with \"hello ther\""), "{said}");
}

#[test]
fn rubbish_without_end_behind_good_frames_is_given_up_too() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!("{}; cat /dev/zero", clip(folder.path()));
    let (given, said) = until_error(Pipe::open(&command, &camera(1.0)).unwrap());
    assert!(given > 0);
    assert!(said.contains("gave no whole picture"), "{said}");
}

#[test]
fn broken_frames_are_counted_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let whole = jpeg(48, 32, 0);
    let (cut, good) = (folder.path().join("cut.jpg"), folder.path().join("good.jpg"));
    fs::write(&cut, &whole[..whole.len() - 20]).unwrap();
    fs::write(&good, &whole).unwrap();
    let (cut, good) = (cut.display(), good.display());
    let mut pipe = open(&format!("cat '{cut}' '{cut}' '{good}'; sleep 1000"));
    assert_eq!(pipe.next().unwrap().unwrap().number, 2);
    assert_eq!(pipe.broken(), 2);
}

#[test]
fn a_flood_of_complaints_neither_blocks_the_frames_nor_fills_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let cat = clip(folder.path());
    let mut pipe = open(&format!("yes 'a long complaint' | head -c 20000000 >&2; {cat}; exit 1"));
    assert!(pipe.next().unwrap().is_some());
    let (_, said) = until_error(pipe);
    assert!(said.ends_with("after 2 frames; it said last: a long com"), "{said}");
}

#[test]
fn frames_faster_than_anybody_looks_are_not_hoarded() {
    let wanted =
        config::Camera { format: FrameFormat::Rgb3, width: 640, height: 480, ..camera(20.0) };
    let mut pipe = Pipe::open("cat /dev/zero", &wanted).unwrap();
    // Some 900 KB each: hundreds that nobody took, of which one is held.
    while pipe.mailbox.seen() < 300 {
        thread::sleep(Duration::from_millis(5));
    }
    assert!(pipe.next().unwrap().unwrap().number >= 299);
}

#[test]
fn a_stop_ends_the_wait() {
    let mut pipe = open("sleep 1000");
    let stop = Arc::new(AtomicBool::new(false));
    pipe.stop_on(Arc::clone(&stop));
    let stopper = thread::spawn(move || stop.store(true, Ordering::Relaxed));
    assert!(pipe.next().unwrap().is_none());
    stopper.join().unwrap();
}

#[test]
fn the_name_of_a_command_holds_none_of_its_arguments() {
    assert_eq!(name_of("LANG=C ffmpeg -i rtsp://me:secret@door/1"), "the pipe command (ffmpeg)");
    assert_eq!(name_of("PW='my secret' ffmpeg -i door"), "the pipe command (sh)");
    assert_eq!(name_of("PW=my\\ secret ffmpeg -i door"), "the pipe command (sh)");
}
