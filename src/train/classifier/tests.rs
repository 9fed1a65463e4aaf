use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use clap::Parser;

use super::{Args, ClassifierError, DataArgs, faces, judge, lies_in, ship, train};
use crate::picture::{Label, Picture, Probabilities};
use crate::train::data::tests::toy_folder;
use crate::train::data::{Crops, Cut, DataError, Teacher};
use crate::train::fit::{FitError, Schedule};
use crate::train::layers::Layout;
use crate::train::mobilenet::{MobileNetConfig, tests::keras_file};
use crate::train::network::tests::{lively, narrow};
use crate::train::network::{Freeze, HeadKind, Kind, export};
use crate::train::parameters;
use crate::train::synthesise::cutouts;

#[derive(Parser)]
#[command(args_override_self = true)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// The command line for a training of seconds in `folder`.
fn line(folder: &Path, data: &Path, more: &[&str]) -> Args {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut words = vec!["classifier".to_owned()];
    for (option, value) in [
        ("--data", data.display().to_string()),
        ("--weights", path("weights.npz")),
        ("--out", path("out/toy.onnx")),
        ("--checkpoint", path("checkpoint")),
        ("--width", "0.1".into()),
        ("--input", "32".into()),
        ("--batch", "4".into()),
        ("--epochs", "2".into()),
    ] {
        words.extend([option.to_owned(), value]);
    }
    words.extend(more.iter().map(|word| (*word).to_owned()));
    // What a test says again counts.
    Line::try_parse_from(words).unwrap().args
}

fn weights(folder: &Path) {
    let config = MobileNetConfig { width: 0.1, layout: Layout::Keras, momentum: 0.03 };
    let network = config.init(&Device::flex());
    keras_file(&parameters::take(&network), &folder.join("weights.npz"));
}

#[test]
fn from_pictures_to_a_model_that_the_daemon_loads_and_its_figures() {
    let folder = tempfile::tempdir().unwrap();
    weights(folder.path());
    let data = toy_folder(12);
    let args = line(folder.path(), data.path(), &[]);
    let report = train(&args).unwrap();
    assert!(report.all.faces >= 6);
    // The same split, the same answers when it is judged from its file alone.
    let judged = judge(&args.out, &args.data, false).unwrap();
    assert_eq!(judged.report, report);
    let everything = judge(&args.out, &args.data, true).unwrap();
    assert!(everything.report.all.faces > 3 * report.all.faces);
    let figures = std::fs::read_to_string(folder.path().join("out/toy.json")).unwrap();
    let figures: serde_json::Value = serde_json::from_str(&figures).unwrap();
    assert_eq!(figures["settings"]["margin"][1], 0.35);
    assert_eq!(figures["settings"]["class_weights"], serde_json::json!([1.0, 1.0, 3.0]));
    assert_eq!(figures["epoch"]["written"], 2);
    assert_eq!(figures["validation"]["all"]["faces"], report.all.faces);

    // Taken up when nothing is left to do, it writes the model again; with other settings not.
    let again = train(&line(folder.path(), data.path(), &["--resume"])).unwrap();
    assert_eq!(again, report);
    let other = train(&line(folder.path(), data.path(), &["--resume", "--rate", "0.01"]));
    match other {
        Err(ClassifierError::Fit(FitError::OtherSettings { other, .. })) => {
            assert_eq!(other, "rate was 0.001, is 0.01");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn numbers_that_cannot_work_are_refused_before_anything_is_read() {
    let nowhere = Path::new("nowhere");
    let refused = |spoil: fn(&mut Args)| {
        let mut args = line(nowhere, nowhere, &[]);
        spoil(&mut args);
        train(&args).unwrap_err().to_string()
    };
    assert_eq!(refused(|args| args.input = 100), "--input 100 is not a multiple of 32");
    assert_eq!(refused(|args| args.batch = 1), "--batch 1 is not 2 or more");
    assert_eq!(refused(|args| args.rate = Some(f64::NAN)), "--rate NaN is not in 0 to 1");
    assert_eq!(refused(|args| args.head_epochs = 2), "--head-epochs 2 is not less than --epochs 2");
    let warm = refused(|args| args.warm_up = 1);
    assert!(warm.starts_with("--warm-up 1 is not possible with --schedule one-cycle"), "{warm}");
    assert_eq!(refused(|args| args.early_stop = Some(0)), "--early-stop 0 is not 1 or more");
    let random = refused(|args| {
        args.weights = vec![];
        args.freeze = Freeze::All;
    });
    assert_eq!(random, "--freeze needs --weights: layers that start at random must learn");
    let nothing = refused(|args| {
        args.weights = vec![];
        args.epochs = 0;
    });
    assert!(nothing.starts_with("--epochs 0 is not 1 or more; 0 only with"), "{nothing}");
    assert_eq!(refused(|args| args.epochs = 0), nothing, "published weights have no head");
    let worn = refused(|args| (args.worn, args.drawn) = (0.5, 0.0));
    assert!(worn.starts_with("--worn 0.5 is not possible without --drawn"), "{worn}");
    let phases = refused(|args| {
        (args.epochs, args.head_epochs, args.warm_up) = (4, 2, 2);
        args.schedule = Schedule::Cosine;
    });
    assert!(phases.starts_with("--warm-up 2 is not less than 2"), "{phases}");
    #[cfg(not(feature = "gpu"))]
    assert!(
        refused(|args| args.device = crate::train::device::Choice::Gpu).contains("--features gpu")
    );
    for out in ["nowhere/model.json", env!("CARGO_MANIFEST_DIR")] {
        let mut args = line(nowhere, nowhere, &[]);
        args.out = out.into();
        let error = train(&args).unwrap_err();
        assert!(error.is_wrong_use(), "{error}");
        assert!(error.to_string().starts_with(&format!("--out {out} is not a model's file")));
    }
}

#[test]
fn a_model_takes_the_place_of_nothing_that_it_is_made_from() {
    let folder = tempfile::tempdir().unwrap();
    weights(folder.path());
    let mut args = line(folder.path(), folder.path(), &[]);
    // By another name.
    args.out = folder.path().join("../").join(folder.path().file_name().unwrap());
    args.out.push(args.weights[0].file_name().unwrap());
    let before = std::fs::read(&args.out).unwrap();
    let error = train(&args).unwrap_err().to_string();
    assert!(error.contains("needed to --resume"), "{error}");
    assert_eq!(std::fs::read(&args.out).unwrap(), before);
}

#[test]
fn what_lies_in_a_folder_is_known_however_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    std::fs::create_dir(&checkpoint).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&checkpoint, &link).unwrap();
    for inside in [checkpoint.join("a.onnx"), checkpoint.join("./new/a.onnx"), link.join("a.onnx")]
    {
        assert!(lies_in(&inside, &checkpoint), "{}", inside.display());
    }
    assert!(!lies_in(&folder.path().join("checkpoint-2/a.onnx"), &checkpoint));
    assert!(lies_in(Path::new("./none/a.onnx"), Path::new("none")));
    assert!(!lies_in(Path::new("a.onnx"), Path::new("none")));
}

#[test]
fn sources_of_one_name_are_told_apart_by_their_folders() {
    let names = |data: &[&str]| {
        let data = data.iter().map(|origin| origin.parse().unwrap()).collect();
        faces::sources(&DataArgs {
            data,
            corrections: None,
            detector: None,
            as_found: false,
            seed: 1,
        })
    };
    assert_eq!(names(&["a/door.2024", "b/hall.csv"]), ["door.2024", "hall"]);
    assert_eq!(names(&["a/faces", "b/faces.csv", "c"]), ["a/faces", "b/faces", "c"]);
    let sites = ["site1/faces/door", "site2/faces/door", "site2/faces/hall"];
    assert_eq!(names(&sites), ["site1/faces/door", "site2/faces/door", "hall"]);
    assert_eq!(names(&["a/door", "a/door"]), ["door", "door"], "one folder with two labels");
    assert_ne!(names(&["."]), [""]);
}

#[test]
fn nothing_to_judge_is_an_error() {
    let data = tempfile::tempdir().unwrap();
    for label in ["with_mask", "without_mask"] {
        std::fs::create_dir(data.path().join(label)).unwrap();
        std::fs::write(data.path().join(label).join("1.jpg"), "no picture").unwrap();
    }
    let data = vec![data.path().to_str().unwrap().parse().unwrap()];
    let data = DataArgs { data, corrections: None, detector: None, as_found: false, seed: 1 };
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/models/classifier.onnx");
    match judge(Path::new(model), &data, true) {
        Err(ClassifierError::Data(DataError::NothingToJudge)) => {}
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn every_option_of_network_and_fitting_ends_in_a_model_that_loads() {
    let folder = tempfile::tempdir().unwrap();
    weights(folder.path());
    let data = toy_folder(8);
    let all: [&[&str]; 4] = [
        &["--head", "published", "--optimiser", "sgd", "--schedule", "step", "--freeze", "3"],
        &["--optimiser", "rmsprop", "--schedule", "cosine", "--warm-up", "1", "--freeze", "all"],
        &["--optimiser", "adam", "--head-epochs", "1", "--class-weights", "auto", "--keep", "best"],
        &["--schedule", "constant", "--early-stop", "1", "--label-smoothing", "0"],
    ];
    for options in all {
        let args = line(folder.path(), data.path(), options);
        let report = train(&args).unwrap();
        assert_eq!(judge(&args.out, &args.data, false).unwrap().report, report, "{options:?}");
    }
    let beyond = train(&line(folder.path(), data.path(), &["--freeze", "17"])).unwrap_err();
    assert_eq!(beyond.to_string(), "--freeze 17 is not a block of MobileNetV2, 0 to 16");
}

#[test]
fn resnet_learns_from_random_weights_and_ends_in_a_model_that_loads() {
    let folder = tempfile::tempdir().unwrap();
    let data = toy_folder(5);
    let mut args = line(folder.path(), data.path(), &["--network", "resnet50", "--epochs", "1"]);
    args.weights = vec![];
    let report = train(&args).unwrap();
    assert_eq!(judge(&args.out, &args.data, false).unwrap().report, report);
    let figures = std::fs::read_to_string(folder.path().join("out/toy.json")).unwrap();
    let figures: serde_json::Value = serde_json::from_str(&figures).unwrap();
    assert_eq!(figures["settings"]["network"], "ResNet50 0.1");
    assert_eq!(figures["settings"]["head"], "published");
}

#[test]
fn two_classes_make_a_model_of_two_and_one_or_an_empty_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    weights(folder.path());
    let data = toy_folder(8);
    let remove = |label: &str| std::fs::remove_dir_all(data.path().join(label)).unwrap();
    remove("incorrect_mask");
    let args = line(folder.path(), data.path(), &["--epochs", "1"]);
    train(&args).unwrap();
    let text = std::fs::read(&args.out).unwrap();
    let labels = b"with_mask,without_mask";
    assert!(text.windows(labels.len()).any(|part| part == labels));

    std::fs::create_dir(data.path().join("incorrect_mask")).unwrap();
    let empty = train(&args).unwrap_err().to_string();
    assert!(
        empty.contains("incorrect_mask: an empty class folder; put pictures into it"),
        "{empty}"
    );
    remove("incorrect_mask");
    remove("with_mask");
    match train(&args) {
        Err(ClassifierError::Data(DataError::NoSide { label: Label::WithMask })) => (),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_classifier_teaches_another_one_and_is_named_in_its_figures() {
    let folder = tempfile::tempdir().unwrap();
    weights(folder.path());
    let data = toy_folder(8);
    train(&line(folder.path(), data.path(), &["--epochs", "1"])).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (teacher, out, checkpoint) = (path("out/toy.onnx"), path("small.onnx"), path("small"));
    let mut args = line(
        folder.path(),
        data.path(),
        &["--epochs", "1", "--teacher", &teacher, "--out", &out, "--checkpoint", &checkpoint],
    );
    let report = train(&args).unwrap();
    assert_eq!(judge(&args.out, &args.data, false).unwrap().report, report);
    let figures = std::fs::read_to_string(path("small.json")).unwrap();
    let figures: serde_json::Value = serde_json::from_str(&figures).unwrap();
    assert_eq!(figures["settings"]["teacher"], "toy.onnx");
    assert_eq!(figures["settings"]["teacher_share"], 0.5);

    std::fs::remove_dir_all(data.path().join("incorrect_mask")).unwrap();
    let refused = train(&args).unwrap_err().to_string();
    assert_eq!(
        refused,
        "--teacher toy.onnx knows with_mask,without_mask,incorrect_mask, the data \
         with_mask,without_mask; give a teacher of the same labels"
    );
    args.teacher = Some(folder.path().join("weights.npz"));
    assert!(matches!(train(&args), Err(ClassifierError::Vision(_))));
}

#[test]
fn a_training_goes_on_from_a_model_that_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let data = toy_folder(12);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (own, out, checkpoint) = (path("own.onnx"), path("on.onnx"), path("on"));
    let config = narrow(Kind::Mobilenetv2, Layout::Keras, HeadKind::Single);
    let metadata = [
        ("maskgate.labels", "with_mask,without_mask,incorrect_mask"),
        ("maskgate.input", "32"),
        ("maskgate.crop", "square margin=0.15 border=replicate"),
    ];
    let network = lively(config, &Device::flex()).valid();
    std::fs::write(&own, export(&network, 32, &metadata).unwrap().bytes).unwrap();
    // With all but the head frozen, and steps of next to nothing, it answers as it did.
    let more = ["--epochs", "1", "--freeze", "all", "--rate", "1e-9", "--weight-decay", "0"];
    let more = [&more[..], &["--out", &out, "--checkpoint", &checkpoint]].concat();
    let mut args = line(folder.path(), data.path(), &more);
    args.weights = vec![own.clone().into()];
    let before = judge(Path::new(&own), &args.data, false).unwrap().report.loss.unwrap();
    let after = train(&args).unwrap().loss.unwrap();
    assert!((after - before).abs() < 0.01, "{before} {after}");

    // Three in the logit of incorrect_mask, and nothing else.
    let answers = |file: &str| judge(Path::new(file), &args.data, false).unwrap().answers;
    let was = answers(&own);
    train(&Args { epochs: 0, incorrect_offset: 3.0, ..args.clone() }).unwrap();
    for (before, after) in was.iter().zip(answers(&out)) {
        let odds = |p: &Probabilities| p.incorrect_mask / p.with_mask;
        let moved = (odds(&after) / odds(before)).ln();
        assert!((moved - 3.0).abs() < 0.05, "{before:?} {after:?}");
    }

    // Other classes, another head; another width is told.
    std::fs::remove_dir_all(data.path().join("incorrect_mask")).unwrap();
    train(&args).unwrap();
    assert_eq!(Teacher::open(&args.out).unwrap().labels(), [Label::WithMask, Label::WithoutMask]);
    args.epochs = 0;
    let refused = train(&args).unwrap_err().to_string();
    assert_eq!(refused, "--epochs 0 is not 1 or more, where the head starts anew");
    args.width = Some(0.2);
    let refused = train(&args).unwrap_err().to_string();
    assert!(refused.contains("another network or width than MobileNetV2"), "{refused}");
}

fn cut(path: &Path) -> Cut {
    Cut {
        picture: Picture::new(8, 8),
        label: Label::WithMask,
        origin: 0,
        bounds: None,
        width: 40.0,
        path: path.to_owned(),
        placed: None,
        found: None,
    }
}

fn crops_of(validation: Vec<Cut>) -> Crops {
    Crops { train: vec![], validation, groups: 0, left_out: Default::default() }
}

#[test]
fn other_photographs_of_hands_are_another_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    weights(folder.path());
    let outline = "10 10 70 10 70 70 10 70";
    std::fs::write(path("hands.csv"), format!("image,outline\none.png,{outline}\n")).unwrap();
    let digest = |light: u8| {
        image::RgbImage::from_pixel(80, 80, image::Rgb([light; 3])).save(path("one.png")).unwrap();
        let named = format!("{}={}", folder.path().display(), path("hands.csv").display());
        let args = line(folder.path(), folder.path(), &["--hand-outlines", &named, "--hands", "1"]);
        let mut fit = args.fit(Label::ALL.to_vec(), [1; 3], None);
        fit.views.drawing.cutouts = cutouts(&named).unwrap().0.into();
        let config = args.network(Layout::Keras, 3);
        args.settings(&fit, &config, &crops_of(vec![])).unwrap()["digest"].to_string()
    };
    assert_eq!(digest(100), digest(100));
    assert_ne!(digest(100), digest(101));
}

/// What is fitted where the classifier says `sure` of every answer, and of `faces` faces all but
/// `wrong` are right.
fn temperature(faces: usize, wrong: usize, sure: f32) -> f64 {
    let label = |at: usize| if at < wrong { Label::WithoutMask } else { Label::WithMask };
    let face = |at: usize| Cut { label: label(at), ..cut(Path::new("a.png")) };
    let validation: Vec<Cut> = (0..faces).map(face).collect();
    let rest = (1.0 - sure) / 2.0;
    let answer = Probabilities { with_mask: sure, without_mask: rest, incorrect_mask: rest };
    ship::temperature(&validation, &vec![answer; faces])
}

#[test]
fn the_temperature_makes_answers_as_sure_as_they_are_right() {
    assert!(temperature(200, 40, 0.99) > 1.5, "too sure");
    assert!(temperature(200, 2, 0.8) < 0.7, "not sure enough");
    assert_eq!(temperature(200, 0, 0.9), 0.5, "never wrong, and yet not believed without end");
    assert_eq!(temperature(60, 20, 0.99), 1.0, "too few to tell");
}
