use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

use super::tensors::{numbers, signed_bytes};
use super::*;
use crate::train::data::tests::toy_folder;
use crate::train::layers::Layout;
use crate::train::network::tests::{lively, narrow};
use crate::train::network::{HeadKind, Kind, export};
use crate::train::onnx::{GraphBuilder, Output, Weights};

const METADATA: [(&str, &str); 3] = [
    ("maskgate.input", "32"),
    ("maskgate.labels", "with_mask,without_mask,incorrect_mask"),
    ("maskgate.crop", "square margin=0.15 border=replicate"),
];

/// A classifier of 32 px in `folder`.
fn toy(folder: &Path, kind: Kind, layout: Layout, head: HeadKind) -> PathBuf {
    let network = lively(narrow(kind, layout, head), &Device::flex()).valid();
    let path = folder.join("float.onnx");
    std::fs::write(&path, export(&network, 32, &METADATA).unwrap().bytes).unwrap();
    path
}

/// A small classifier that is sure of its answers, with one node put in by `strange`.
fn with(folder: &Path, strange: fn(&mut GraphBuilder, &str) -> String) -> PathBuf {
    let mut graph = GraphBuilder::new("toy", "input", &[1, 3, 32, 32]);
    let weights = Weights::new(&[3, 3, 1, 1], vec![0.5; 9]).unwrap();
    let x = graph.conv("input", &weights, None, crate::train::onnx::ConvShape::POINTWISE);
    let x = strange(&mut graph, &x);
    let x = graph.global_average_pool(&x);
    let x = graph.flatten(&x);
    let dense = Weights::new(&[3, 3], (0..9).map(|v| v as f32).collect()).unwrap();
    let x = graph.gemm(&x, &dense, None);
    let x = graph.softmax(&x, 1);
    let output = Output { tensor: &x, name: "probabilities", dims: &[1, 3] };
    let path = folder.join("strange.onnx");
    std::fs::write(&path, graph.finish(&[output], &METADATA).unwrap()).unwrap();
    path
}

fn args(classifier: PathBuf, data: &Path) -> Args {
    let out = classifier.with_file_name("integer.onnx");
    let origin = data.to_str().unwrap().parse().unwrap();
    let data = DataArgs {
        data: vec![origin],
        detector: None,
        corrections: None,
        as_found: false,
        seed: 1,
    };
    Args { classifier, data, faces: 40, out, report: None }
}

fn constants(graph: &GraphProto) -> HashMap<&str, &TensorProto> {
    graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect()
}

/// Everything is multiplied, added and pooled as bytes; a Clip or Relu belongs to what is before.
fn assert_all_bytes(graph: &GraphProto) {
    let constants = constants(graph);
    let maker: HashMap<&str, &NodeProto> =
        graph.node.iter().map(|node| (node.output[0].as_str(), node)).collect();
    let made_by = |tensor: &str| maker.get(tensor).map_or("", |node| node.op_type.as_str());
    for node in &graph.node {
        let inputs = &node.input;
        match node.op_type.as_str() {
            "Conv" | "Gemm" | "Add" | "MaxPool" | "GlobalAveragePool" | "Flatten" | "Softmax" => {
                for input in inputs {
                    assert_eq!(made_by(input), "DequantizeLinear", "{input} of {}", node.name);
                }
            }
            "Clip" | "Relu" => {
                assert!(["Conv", "Gemm", "Add"].contains(&made_by(&inputs[0])), "{}", node.name);
            }
            "QuantizeLinear" => {
                let zero = constants[inputs[2].as_str()];
                assert_eq!(zero.data_type, tract_onnx::pb::tensor_proto::DataType::Uint8 as i32);
                assert_eq!(zero.raw_data.len(), 1, "one zero point for the tensor");
                // So that a runtime may leave the Clip out.
                if let Some(clip) = maker.get(inputs[0].as_str()).filter(|n| n.op_type == "Clip") {
                    let most = numbers(constants[clip.input[2].as_str()]).unwrap()[0];
                    let scale = numbers(constants[inputs[1].as_str()]).unwrap()[0];
                    assert!(zero.raw_data[0] == 0 && 255.0 * scale <= most, "{}", node.name);
                }
            }
            "DequantizeLinear" if !constants.contains_key(inputs[0].as_str()) => {
                let written = maker[inputs[0].as_str()];
                assert_eq!(written.op_type, "QuantizeLinear");
                assert_eq!(written.input[1..], inputs[1..], "read back as it was written");
            }
            "DequantizeLinear" => (),
            other => panic!("{other}"),
        }
    }
}

/// The int8 weights and their scales are the source's; a bias is at most half a step off.
fn assert_same_weights(source: &GraphProto, made: &GraphProto) {
    let (old, new) = (constants(source), constants(made));
    let layers = source.node.iter().filter(|n| ["Conv", "Gemm"].contains(&n.op_type.as_str()));
    let mut compared = 0;
    for layer in layers.map(|node| node.name.as_str()) {
        let weights = format!("{layer}.weight");
        let weights = [&old, &new].map(|all| signed_bytes(all[weights.as_str()]).unwrap());
        assert_eq!(weights[0], weights[1], "{layer}");
        let number = |all: &HashMap<&str, &TensorProto>, end: &str| {
            numbers(all[format!("{layer}.{end}").as_str()]).unwrap()
        };
        assert_eq!(number(&old, "scale"), number(&new, "scale"), "{layer}");
        let steps = &new[format!("{layer}.bias").as_str()].raw_data;
        let steps = steps.as_chunks::<4>().0.iter().map(|raw| i32::from_le_bytes(*raw));
        let (bias, scales) = (number(&old, "bias"), number(&new, "bias_scale"));
        for ((step, scale), wanted) in steps.zip(scales).zip(bias) {
            let off = (f64::from(step) * f64::from(scale) - f64::from(wanted)).abs();
            assert!(off <= 0.51 * f64::from(scale), "{layer}: {off}, scale {scale}");
        }
        compared += 1;
    }
    assert!(compared > 10);
}

#[test]
fn every_network_becomes_bytes_that_the_daemon_runs() {
    let data = toy_folder(20);
    let families = [
        (Kind::Mobilenetv2, Layout::Keras, HeadKind::Single),
        (Kind::Mobilenetv2, Layout::Torchvision, HeadKind::Published),
        (Kind::Resnet50, Layout::Torchvision, HeadKind::Published),
    ];
    for (kind, layout, head) in families {
        let folder = tempfile::tempdir().unwrap();
        let args = args(toy(folder.path(), kind, layout, head), data.path());
        let file = ModelFile::open(&args.classifier, "", ("nothing", &[])).unwrap();
        let source = Source::read(file.proto(), "toy").unwrap();
        let crops = faces::crops(&args.data, 32, Sides::Measure).unwrap();
        let picked: Vec<&Cut> = crops.train.iter().collect();
        let (bytes, _) = integer(&source, 32, &picked).unwrap();
        let made = ModelFile::parse("toy".into(), &bytes, "").unwrap();

        // Random weights answer to every rounding, so labels need not agree; a trained network's
        // probabilities move by less than a tenth of this.
        let answers = [&file, &made].map(|file| ship::ask(file, crops.validation.iter()).unwrap());
        let nearness = Nearness::of(&answers[0], &answers[1]);
        assert!(nearness.mean < 0.1, "{kind:?} {layout:?}: {nearness:?}");
        assert!(nearness.largest > 0.0, "rounded activations must differ a little");
        let made = made.proto().graph.as_ref().unwrap();
        assert_all_bytes(made);
        assert_same_weights(file.proto().graph.as_ref().unwrap(), made);
    }
}

#[test]
fn the_same_seed_gives_the_same_file_and_metadata_and_figures_come_with_it() {
    let data = toy_folder(20);
    let folder = tempfile::tempdir().unwrap();
    let classifier = with(folder.path(), |graph, x| graph.relu6(x));
    let args =
        Args { report: Some(folder.path().join("new/figures")), ..args(classifier, data.path()) };
    let made = quantise(&args).unwrap();
    let first = std::fs::read(&args.out).unwrap();
    quantise(&args).unwrap();
    assert_eq!(std::fs::read(&args.out).unwrap(), first);

    // Opening checks the seal, which is another than the source's.
    let file = ModelFile::open(&args.out, "", ("nothing", &[])).unwrap();
    for (key, value) in METADATA {
        assert_eq!(file.metadata(key), Some(value));
    }
    let source = ModelFile::open(&args.classifier, "", ("nothing", &[])).unwrap();
    assert_ne!(file.metadata("maskgate.digest"), source.metadata("maskgate.digest"));

    let text = std::fs::read_to_string(folder.path().join("new/figures.txt")).unwrap();
    assert_eq!(text, made.table());
    let json = std::fs::read_to_string(folder.path().join("new/figures.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["nearness"]["faces"], 12);
    assert_eq!(json["activations"][0]["name"], "input");
}

#[test]
fn a_file_quantised_already_is_refused_with_the_node_and_operator() {
    let data = toy_folder(20);
    let folder = tempfile::tempdir().unwrap();
    let classifier = with(folder.path(), |graph, x| graph.relu6(x));
    let mut args = args(classifier, data.path());
    quantise(&args).unwrap();
    args.classifier = args.out.clone();
    args.out = folder.path().join("twice.onnx");
    let error = quantise(&args).unwrap_err().to_string();
    assert!(error.contains("integer.onnx: node \"input.bytes\""), "{error}");
    assert!(error.contains("QuantizeLinear"), "{error}");
    assert!(!args.out.exists());
}

#[test]
fn one_layer_loses_almost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // Enough faces for the ranges to hold what the others need: of 20 a class one is clipped.
    let data = toy_folder(40);
    let mut args = args(with(folder.path(), |graph, x| graph.relu6(x)), data.path());
    args.faces = 96;
    let nearness = quantise(&args).unwrap().nearness;
    assert!(nearness.largest < 0.02, "{nearness:?}");
}

#[test]
fn what_is_read_and_the_figures_of_the_training_are_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["mine.onnx", "mine.json", "detector.onnx"] {
        std::fs::write(path(name), name).unwrap();
    }
    let asked = |out: &str, report: &str| {
        let mut args = Args {
            out: path(out),
            report: Some(path(report)),
            ..args(path("mine.onnx"), folder.path())
        };
        args.data.detector = Some(path("detector.onnx"));
        args.check().map_err(|error| error.to_string())
    };
    assert_eq!(asked("integer.onnx", "integer"), Ok(()));
    for (out, report, what) in [
        ("mine.onnx", "integer", "the classifier itself"),
        ("detector.onnx", "integer", "the detector"),
        ("integer.onnx", "mine", "beside the classifier"),
        ("integer.json", "integer", "where the full-integer file goes"),
    ] {
        let told = asked(out, report).unwrap_err();
        assert!(told.contains(what) && told.ends_with("name another file"), "{told}");
    }
}

#[test]
fn what_the_trainer_does_not_write_is_refused_by_its_node_before_data_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = Path::new("nowhere.csv");
    let refused =
        |strange| quantise(&args(with(folder.path(), strange), nowhere)).unwrap_err().to_string();
    let sigmoid = refused(|graph, x| graph.sigmoid(x));
    assert!(sigmoid.contains("node \"sigmoid_2\" is the operator Sigmoid"), "{sigmoid}");
    let apart = refused(|graph, x| {
        let pooled = graph.max_pool(x, [2, 2], [2, 2], [0; 4]);
        graph.relu(&pooled)
    });
    assert!(apart.contains("\"relu_3\" (Relu): does not follow a Conv"), "{apart}");
    let missing = quantise(&args(folder.path().join("none.onnx"), nowhere)).unwrap_err();
    assert!(missing.to_string().contains("none.onnx"), "{missing}");
    let data = quantise(&args(with(folder.path(), |graph, x| graph.relu(x)), nowhere));
    assert!(data.unwrap_err().to_string().contains("nowhere.csv"));
}

#[test]
fn too_few_faces_to_calibrate_on_are_refused_with_their_number() {
    let folder = tempfile::tempdir().unwrap();
    let data = toy_folder(12);
    let mut args = args(with(folder.path(), |graph, x| graph.relu6(x)), data.path());
    let few = quantise(&args).unwrap_err().to_string();
    assert!(few.starts_with("27 faces to calibrate on; at least 32"), "{few}");
    args.faces = 31;
    assert_eq!(quantise(&args).unwrap_err().to_string(), "--faces 31 is not 32 or more");
    assert!(!args.out.exists());
}

#[test]
fn a_file_that_answers_otherwise_is_refused_with_what_to_do() {
    let nearness = Nearness { faces: 1000, agree: 970, largest: 0.4, mean: 0.01 };
    assert!(check(&nearness, 512, 4000).is_ok());
    let error = check(&Nearness { agree: 969, ..nearness }, 512, 4000).unwrap_err().to_string();
    assert!(error.contains("969 of 1000") && error.contains("under 97 %"), "{error}");
    assert!(error.contains("raise --faces (512 were used, 4000 are there)"), "{error}");
}

#[test]
fn faces_to_calibrate_on_are_of_all_labels_and_the_same_for_a_seed() {
    let face = |(at, label): (u32, Label)| crate::train::data::Cut {
        picture: crate::picture::Picture::new(1, 1),
        label,
        origin: 0,
        bounds: None,
        width: at as f32,
        path: "a".into(),
        placed: None,
        found: None,
    };
    let labels = (0..100).map(|at| if at < 95 { Label::WithMask } else { Label::IncorrectMask });
    let faces: Vec<_> = (0..).zip(labels).map(face).collect();
    let picked = calibrate::pick(&faces, 20, 7);
    assert_eq!(picked.len(), 20);
    assert_eq!(picked.iter().filter(|cut| cut.label == Label::IncorrectMask).count(), 5);
    let widths = |seed| -> Vec<f32> {
        calibrate::pick(&faces, 20, seed).iter().map(|cut| cut.width).collect()
    };
    assert_eq!(widths(7), widths(7));
    assert_ne!(widths(7), widths(8));
    assert_eq!(calibrate::pick(&faces, 500, 7).len(), 100);
}
