use std::path::Path;

use burn::tensor::Device;
use clap::Parser;

use super::{Args, ClassifierError, judge, train};
use crate::train::data::tests::toy_folder;
use crate::train::fit::FitError;
use crate::train::mobilenet::{MobileNetConfig, tests::keras_file};
use crate::train::parameters;

#[derive(Parser)]
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
    Line::try_parse_from(words).unwrap().args
}

fn weights(folder: &Path) {
    let network = MobileNetConfig::new(0.1).init(&Device::flex());
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
    assert_eq!(refused(|args| args.rate = f64::NAN), "--rate NaN is not in 0 to 1");
    assert_eq!(refused(|args| args.epochs = 0), "--epochs 0 is not 1 or more");
}
