//! `maskgate image`: the batch is done whatever is in it.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};

use image::ImageFormat;
use support::{finish, jpeg, maskgate, picture, run, text, write};
use tempfile::tempdir;

/// A PNG that claims to be of this size and holds next to nothing.
fn png_of_size(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for chunk in [header, b"IDAT\x78\x9c".to_vec(), b"IEND".to_vec()] {
        bytes.extend((chunk.len() as u32 - 4).to_be_bytes());
        bytes.extend(&chunk);
        bytes.extend(crc(&chunk).to_be_bytes());
    }
    bytes
}

/// CRC-32 as in the PNG specification, annex D.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[test]
fn bad_files_are_told_by_name_and_the_good_ones_are_looked_at() {
    let folder = tempdir().unwrap();
    let file = |name: &str, bytes: Vec<u8>| write(folder.path(), name, bytes);
    let whole = jpeg(320, 240);
    let half = whole[..whole.len() / 2].to_vec();
    fs::create_dir(folder.path().join("no pictures")).unwrap();
    let cases = [
        (file("good.jpg", whole), None),
        (file("empty.jpg", vec![]), Some("empty")),
        (file("words.jpg", b"this is not a picture".to_vec()), Some("not a picture")),
        (file("half.jpg", half), Some("half.jpg")),
        (file("dot.png", picture(1, 1, 0, ImageFormat::Png)), None),
        (file("thread.png", picture(1, 4000, 0, ImageFormat::Png)), None),
        (file("vast.png", png_of_size(30_000, 30_000)), Some("30000x30000")),
        // Cut off after its header: signature, length, IHDR, CRC.
        (file("header.png", png_of_size(30_000, 30_000)[..33].to_vec()), Some("header.png")),
        (folder.path().join("no pictures"), Some("no pictures")),
        (folder.path().join("missing.jpg"), Some("missing.jpg")),
        (file("last.bmp", picture(40, 30, 0, ImageFormat::Bmp)), None),
    ];
    let mut arguments = vec!["image", "--json"];
    arguments.extend(cases.iter().map(|(path, _)| text(path)));
    let result = run(&arguments);
    assert_eq!(result.code, Some(1), "{}", result.stderr);
    let lines = result.json();
    assert_eq!(lines.len(), cases.len());
    for (line, (path, error)) in lines.iter().zip(&cases) {
        assert_eq!(line["image"], text(path));
        match error {
            Some(words) => {
                let error = line["error"].as_str().unwrap_or_else(|| panic!("no error: {line}"));
                assert!(error.contains(words), "no {words:?} in {error}");
            }
            None => assert!(line["faces"].is_array() && line.get("error").is_none(), "{line}"),
        }
    }
    assert_eq!((&lines[5]["width"], &lines[5]["height"]), (&1.into(), &4000.into()));
}

#[test]
fn a_folder_gives_its_pictures_by_name() {
    let folder = tempdir().unwrap();
    for name in ["b.jpg", "a.jpg", "c.jpg"] {
        write(folder.path(), name, jpeg(32, 32));
    }
    write(folder.path(), "notes.txt", "no picture");
    let result = run(&["image", "--json", text(folder.path())]);
    assert_eq!(result.code, Some(0), "{}", result.stderr);
    let names: Vec<_> = result
        .json()
        .iter()
        .map(|line| line["image"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["a.jpg", "b.jpg", "c.jpg"]);
}

#[test]
fn people_can_read_it_too() {
    let folder = tempdir().unwrap();
    let good = write(folder.path(), "good.jpg", jpeg(64, 48));
    let bad = write(folder.path(), "bad.jpg", "");
    let result = run(&["image", text(&bad), text(&good)]);
    assert_eq!(result.code, Some(1));
    assert!(result.stdout.starts_with(&format!("{}: 64x48, ", text(&good))), "{}", result.stdout);
    assert!(result.stderr.contains("bad.jpg is empty"), "{}", result.stderr);
}

#[test]
fn annotated_pictures_are_new_files_of_the_same_size() {
    let folder = tempdir().unwrap();
    let (good, other) = (jpeg(64, 48), picture(40, 30, 1, ImageFormat::Bmp));
    // As long as a name can be.
    let long = format!("{}.jpg", "x".repeat(251));
    write(folder.path(), &long, &good);
    let good_path = write(folder.path(), "good.jpg", &good);
    let other_path = write(folder.path(), "other.bmp", &other);
    let out = folder.path().join("new/out");
    let result = run(&["image", text(folder.path()), "--out", text(&out)]);
    assert_eq!(result.code, Some(0), "{}", result.stderr);
    assert_eq!(fs::read(good_path).unwrap(), good);
    assert_eq!(fs::read(other_path).unwrap(), other);
    let mut names: Vec<_> =
        fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["good.jpg", "other.png", &long]);
    let size = image::open(out.join("good.jpg")).unwrap().into_rgb8().dimensions();
    assert_eq!(size, (64, 48));
}

#[test]
fn pictures_of_one_name_from_two_folders_are_both_written() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("out");
    let mut arguments = vec!["image".to_owned(), "--out".into(), text(&out).into()];
    for (name, width) in [("one", 64), ("two", 48)] {
        let folder = folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        arguments.push(text(&write(&folder, "a.jpg", jpeg(width, 32))).into());
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    assert_eq!(run(&arguments).code, Some(0));
    for (name, width) in [("a.jpg", 64), ("a-2.jpg", 48)] {
        assert_eq!(image::image_dimensions(out.join(name)).unwrap(), (width, 32));
    }
}

#[test]
fn no_input_is_ever_written_over() {
    let folder = tempdir().unwrap();
    let bytes = jpeg(64, 48);
    let path = write(folder.path(), "good.jpg", &bytes);
    run(&["image", text(&path), "--out", text(folder.path())])
        .refused(2, &["--out", "written over"]);
    // A link in the target folder that leads back to the input.
    // Nor through a link.
    let links = folder.path().join("links");
    fs::create_dir(&links).unwrap();
    std::os::unix::fs::symlink(&path, links.join("good.jpg")).unwrap();
    run(&["image", text(&links), "--out", text(folder.path())])
        .refused(2, &["--out", "written over"]);

    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    std::os::unix::fs::symlink(&path, out.join("good.jpg")).unwrap();
    assert_eq!(run(&["image", text(&path), "--out", text(&out)]).code, Some(0));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn pictures_to_be_written_are_written_though_nobody_reads_the_words() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("out");
    let mut arguments = vec!["image", "--json", "--out", text(&out)];
    let paths: Vec<_> =
        (0..40).map(|n| write(folder.path(), &format!("{n}.jpg"), jpeg(32, 32))).collect();
    arguments.extend(paths.iter().map(|path| text(path)));
    let mut child = maskgate(&arguments).spawn().unwrap();
    drop(child.stdout.take());
    let result = finish(child);
    assert_eq!((result.code, result.stderr.as_str()), (Some(0), ""));
    assert_eq!(fs::read_dir(&out).unwrap().count(), 40);
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let folder = tempdir().unwrap();
    let path = write(folder.path(), "a.jpg", jpeg(32, 32));
    let mut arguments = vec!["image", "--json"];
    // Far more than a pipe and a buffer hold.
    arguments.extend(std::iter::repeat_n(text(&path), 4000));
    let mut child = maskgate(&arguments).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("a.jpg"));
    let result = finish(child);
    assert_eq!(result.code, Some(0));
    assert_eq!(result.stderr, "");
}
