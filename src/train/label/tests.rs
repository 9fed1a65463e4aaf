use clap::Parser;

use super::*;
use crate::picture::Label;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// What is written about the project's own pictures with these further options.
fn written(more: &[&str]) -> Vec<AnnotatedImage> {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    for name in ["bare_face.jpg", "masked_face.jpg", "empty_door.jpg"] {
        fs::copy(root.join("tests/assets").join(name), pictures.join(name)).unwrap();
    }
    let out = folder.path().join("pictures.csv");
    let detector = root.join("models/detector.onnx").display().to_string();
    let paths = [pictures.display().to_string(), out.display().to_string()];
    let words = ["label", "--teacher", &detector, "--images", &paths[0], "--out", &paths[1]];
    let words = words.into_iter().chain(["--size", "320"]);
    run(&Line::try_parse_from(words.chain(more.iter().copied())).unwrap().args).unwrap();
    boxes::read(&out).unwrap().images
}

#[test]
fn what_only_the_student_sees_is_ignored() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let student = root.join("models/detector.onnx").display().to_string();
    let faces = |more: &[&str]| -> Vec<(bool, bool)> {
        let images = written(more);
        let faces = images.iter().flat_map(|image| &image.faces);
        faces.map(|face| (face.ignore, face.landmarks.is_some())).collect()
    };
    // A teacher that is never sure enough to say a word.
    let silent = ["--doubt", "1", "--student", &student];
    assert_eq!(faces(&silent), [(true, false), (true, false)]);
    assert_eq!(faces(&silent[..2]), []);
    assert_eq!(faces(&["--student", &student]), [(false, true), (false, true)]);
}

#[test]
fn what_a_person_says_goes_before_teachers_and_student() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let student = root.join("models/detector.onnx").display().to_string();
    let folder = tempfile::tempdir().unwrap();
    let review = folder.path().display().to_string();
    let doubted = ["--doubt", "1", "--student", &student, "--review", &review];
    written(&doubted);
    let file = folder.path().join("review.csv");
    let text = fs::read_to_string(&file).unwrap();
    // Each call has a folder of its own; the name alone tells the picture.
    let said = text.lines().map(|line| match line.rsplit('/').next() {
        Some(row) if row.starts_with("bare_face.jpg") => format!("1,{row}background\n"),
        Some(row) if row.starts_with("masked_face.jpg") => format!("2,{row}face\n"),
        _ => format!("{line}\n"),
    });
    fs::write(&file, said.collect::<String>()).unwrap();
    let file = file.display().to_string();
    let faces = |more: &[&str]| -> Vec<(String, bool)> {
        let images = written(more).into_iter().filter(|image| !image.faces.is_empty());
        let name = |image: &AnnotatedImage| image.path.file_name().unwrap().to_owned();
        images.map(|image| (name(&image).into_string().unwrap(), image.faces[0].ignore)).collect()
    };
    let masked = || "masked_face.jpg".to_owned();
    assert_eq!(
        faces(&["--doubt", "1", "--student", &student, "--corrections", &file]),
        [(masked(), false)]
    );
    // Even where a teacher is sure.
    assert_eq!(faces(&["--corrections", &file]), [(masked(), false)]);
}

#[test]
fn a_folder_is_completed_with_the_csv_of_its_whole_name_and_with_what_that_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets");
    let put = |to: &str, name: &str| {
        let to = folder.path().join(to);
        fs::create_dir_all(&to).unwrap();
        fs::copy(assets.join(name), to.join(name)).unwrap();
    };
    put("door", "empty_door.jpg");
    for name in ["bare_face.jpg", "masked_face.jpg", "empty_door.jpg"] {
        put("door.2024", name);
    }
    fs::write(folder.path().join("door.csv"), "image,xmin,ymin,xmax,ymax\nempty_door.jpg,,,,\n")
        .unwrap();
    // People looked at one picture and found no face in it.
    let known = "image,xmin,ymin,xmax,ymax\nbare_face.jpg,,,,\n";
    fs::write(folder.path().join("door.2024.csv"), known).unwrap();
    let detector = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/detector.onnx");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (images, out) = (path("door.2024"), path("out/new.csv"));
    let words = ["--teacher", &detector.display().to_string(), "--images", &images, "--out", &out];
    run(&Line::try_parse_from(["label"].iter().chain(&words)).unwrap().args).unwrap();
    let told = boxes::read_in(Path::new(&out), Path::new(&images)).unwrap().images;
    let ignored: Vec<Vec<bool>> =
        told.iter().map(|image| image.faces.iter().map(|face| face.ignore).collect()).collect();
    assert_eq!(ignored, [vec![true], vec![], vec![false]]);
    // Told before the work.
    let words = ["--teacher", "none.onnx", "--images", &images, "--out", &images];
    let args = Line::try_parse_from(["label"].iter().chain(&words)).unwrap().args;
    assert!(run(&args).is_err());
}

#[test]
fn a_picture_with_a_row_that_cannot_be_read_is_left_out_though_it_lies_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets");
    let pictures = folder.path().join("door");
    fs::create_dir(&pictures).unwrap();
    for name in ["bare_face.jpg", "masked_face.jpg"] {
        fs::copy(assets.join(name), pictures.join(name)).unwrap();
    }
    let rows = "image,xmin,ymin,xmax,ymax\nbare_face.jpg,1,1,sixty,60\nmasked_face.jpg,,,,\n";
    fs::write(folder.path().join("door.csv"), rows).unwrap();
    let detector = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/detector.onnx");
    let out = folder.path().join("new.csv");
    let words = [&detector, &pictures, &out].map(|path| path.display().to_string());
    let words = ["label", "--teacher", &words[0], "--images", &words[1], "--out", &words[2]];
    run(&Line::try_parse_from(words).unwrap().args).unwrap();
    let told = boxes::read_in(&out, &pictures).unwrap().images;
    let names: Vec<_> = told.iter().map(|image| image.path.file_name().unwrap()).collect();
    assert_eq!(names, ["masked_face.jpg"]);
}

#[test]
fn nothing_that_is_read_is_written_over_and_names_that_no_csv_holds_are_counted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("door");
    fs::create_dir(&pictures).unwrap();
    for name in ["bare_face.jpg", " two.jpg"] {
        fs::copy(root.join("tests/assets/bare_face.jpg"), pictures.join(name)).unwrap();
    }
    let mine = "image,xmin,ymin,xmax,ymax,label\nbare_face.jpg,1,1,60,60,without_mask\n";
    let csv = folder.path().join("door.csv");
    fs::write(&csv, mine).unwrap();
    let corrections = folder.path().join("said.csv");
    fs::write(&corrections, mine).unwrap();
    let detector = root.join("models/detector.onnx");
    let said = ["--corrections", corrections.to_str().unwrap()];
    let label = |images: &Path, out: &Path| {
        let words = [&detector, images, out].map(|path| path.display().to_string());
        let words = ["label", "--teacher", &words[0], "--images", &words[1], "--out", &words[2]];
        run(&Line::try_parse_from(words.iter().chain(&said)).unwrap().args)
    };
    // A name that does not say the folder's own, as `.` does not.
    let within = pictures.join("within");
    fs::create_dir(&within).unwrap();
    let inside = within.join("..");
    for (images, out) in [(&pictures, &csv), (&inside, &csv), (&pictures, &corrections)] {
        let error = label(images, out).unwrap_err();
        assert!(error.is::<WrongUse>() && error.to_string().contains("would be lost"), "{error}");
        assert_eq!(fs::read_to_string(out).unwrap(), mine);
    }
    let args = |images: &Path| {
        let words = ["label", "--teacher", "t", "--out", "o", "--images"].map(String::from);
        let words = words.into_iter().chain([images.display().to_string()]);
        Line::try_parse_from(words).unwrap().args
    };
    fs::remove_dir(&within).unwrap();
    let found = images(&args(&pictures)).unwrap();
    assert_eq!((found.images.len(), found.unreadable), (1, 1));
}

#[test]
fn scores_that_can_be_none_are_refused() {
    for (option, wrong) in [("--believe", "nan"), ("--doubt", "40"), ("--sure", "-1")] {
        let option = format!("{option}={wrong}");
        let words = ["label", "--teacher", "t", "--images", "i", "--out", "o", &option];
        let error = Line::try_parse_from(words.iter().chain(&["--classifier", "c"]));
        let error = error.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("not a share of 0 to 1"), "{option}: {error}");
    }
}

#[test]
fn what_is_called_a_face_is_ignored_beside_annotated_ones_and_learned_elsewhere() {
    let at = |x: f32| Rect { x1: x, y1: 10.0, x2: x + 20.0, y2: 30.0 };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("review.csv");
    let text = "image,xmin,ymin,xmax,ymax,label\n\
                hall/1.png,100,10,120,30,face\n\
                hall/1.png,200,10,220,30,face\n\
                hall/1.png,300,10,320,30,background\n";
    fs::write(&file, text).unwrap();
    let verdicts = Verdicts::read(&file).unwrap();
    let args = Line::try_parse_from(["label", "--teacher", "t", "--images", "i", "--out", "o"]);
    let args = args.unwrap().args;
    // Two are seen by one view each, a third sees something that nobody was asked about.
    let seen = [102.0, 298.0, 400.0].map(|x| Seen {
        face: Face { bounds: at(x), score: 0.5, landmarks: [Point::default(); 5] },
        extent: at(x),
        landmarks: None,
        views: 1,
        taught: true,
        published: x < 400.0,
    });
    let known = Annotation { bounds: at(0.0), label: None, ignore: false, landmarks: None };
    let told = |faces: Vec<Annotation>, listed: bool| {
        let path = "/data/scenes/hall/1.png".into();
        let image = AnnotatedImage { path, width: 500, height: 50, faces, complete: true };
        let Labelled { rows, doubts } = labelled(&image, &seen, listed, &verdicts, true, &args);
        let tenths = |x: f32| (x * 10.0).round() as i32;
        let rows: Vec<(i32, bool)> =
            rows.iter().map(|(row, _)| (tenths(row.bounds.x1), row.ignore)).collect();
        assert_eq!(doubts, [(at(400.0), 0.5)]);
        rows
    };
    // The box of a published detector grows by 0.6 pixels to the left; ours, the third, does not.
    assert_eq!(told(vec![known], true), [(0, false), (1014, true), (2000, true)]);
    assert_eq!(told(vec![], false), [(1014, false), (4000, true), (2000, false)]);
    // People looked and saw none.
    assert_eq!(told(vec![], true), [(1014, true), (2000, true)]);
}

fn view(y2: f32, score: f32, finds: bool) -> Seen {
    let bounds = Rect { x1: 10.0, y1: 10.0, x2: 50.0, y2 };
    let points = [Point { x: 30.0, y: 30.0 }; 5];
    Seen {
        face: Face { bounds, score, landmarks: points },
        extent: bounds,
        landmarks: finds.then_some(points),
        views: 1,
        taught: true,
        published: true,
    }
}

#[test]
fn whoever_finds_eyes_and_mouth_says_where_a_face_ends() {
    // UltraFace sees the eyes above a mask, and is surer than YuNet, which sees the face.
    let seen = merged(vec![view(30.0, 0.99, false), view(60.0, 0.8, true), view(62.0, 0.7, false)]);
    assert_eq!(seen.len(), 1);
    let [face] = &seen[..] else { unreachable!() };
    assert_eq!((face.face.bounds.y2, face.face.score, face.views), (60.0, 0.99, 3));
    assert_eq!(face.extent.y2, 62.0);
}

#[test]
fn what_no_teacher_with_landmarks_sees_is_a_doubt_however_sure_another_is() {
    let args = Line::try_parse_from(["label", "--teacher", "t", "--images", "i", "--out", "o"]);
    let args = args.unwrap().args;
    let path = "hall/1.png".into();
    let image = AnnotatedImage { path, width: 99, height: 99, faces: vec![], complete: true };
    let told = |finds: bool, listed: bool, finders: bool| {
        let seen = merged(vec![view(30.0, 0.95, finds), view(40.0, 0.9, finds)]);
        let verdicts = Verdicts::default();
        let Labelled { rows, doubts } = labelled(&image, &seen, listed, &verdicts, finders, &args);
        let ignored: Vec<bool> = rows.iter().map(|(row, _)| row.ignore).collect();
        (ignored, doubts.len())
    };
    assert_eq!(told(true, false, true), (vec![false], 0));
    assert_eq!(told(false, false, true), (vec![true], 1));
    assert_eq!(told(false, true, true), (vec![], 1));
    assert_eq!(told(true, true, true), (vec![true], 0));
    // UltraFace alone is the only teacher.
    assert_eq!(told(false, false, false), (vec![false], 0));
}

#[test]
fn what_published_detectors_draw_is_written_as_people_would_draw_it() {
    // From the hairline to the chin.
    let tall = as_annotators_draw(&Rect { x1: 100.0, y1: 100.0, x2: 200.0, y2: 240.0 });
    assert!((tall.x1 - 97.0).abs() < 0.01 && (tall.x2 - 203.0).abs() < 0.01, "{tall:?}");
    assert!((tall.y1 - 118.9).abs() < 0.01 && (tall.y2 - 246.3).abs() < 0.01, "{tall:?}");
}

#[test]
fn a_sure_classifier_says_what_the_faces_wear_and_an_unsure_one_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let classifier = root.join("models/classifier.onnx").display().to_string();
    let labels = |more: &[&str]| -> Vec<Vec<Option<Label>>> {
        let faces = |image: AnnotatedImage| image.faces.iter().map(|face| face.label).collect();
        written(more).into_iter().map(faces).collect()
    };
    let told = labels(&["--classifier", &classifier, "--sure", "0.5"]);
    let wanted = [vec![Some(Label::WithoutMask)], vec![], vec![Some(Label::WithMask)]];
    assert_eq!(told, wanted);
    assert_eq!(labels(&["--classifier", &classifier, "--sure", "1"])[0], [None]);
    assert_eq!(labels(&[])[0], [None]);
}
