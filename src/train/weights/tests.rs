use std::path::{Path, PathBuf};

use burn::tensor::Device;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};

use super::{Published, WeightsError};
use crate::train::layers::Layout;
use crate::train::mobilenet::tests::keras_file;
use crate::train::network::tests::{lively, narrow};
use crate::train::network::{Backbone, HeadKind, Kind, Network};
use crate::train::parameters::{self, Parameters};

fn backbone(network: &Network) -> Parameters {
    match &network.backbone {
        Backbone::MobileNet(network) => parameters::take(network),
        Backbone::ResNet(network) => parameters::take(network),
    }
}

/// `ours` as torchvision names the tensors of MobileNetV2.
fn torch_name(ours: &str) -> String {
    let (place, tensor) = ours.rsplit_once('.').unwrap();
    let (place, kind) = place.rsplit_once('.').unwrap();
    let norm = usize::from(kind == "norm");
    let tensor = match tensor {
        "gamma" => "weight",
        "beta" => "bias",
        other => other,
    };
    let place = match place.split('.').collect::<Vec<_>>()[..] {
        ["stem"] => format!("features.0.{norm}"),
        ["last"] => format!("features.18.{norm}"),
        ["blocks", number, part] => {
            let number: usize = number.parse().unwrap();
            let first = usize::from(number > 0);
            match part {
                "expand" => format!("features.{}.conv.0.{norm}", number + 1),
                "depthwise" => format!("features.{}.conv.{first}.{norm}", number + 1),
                _ => format!("features.{}.conv.{}", number + 1, first + 1 + norm),
            }
        }
        _ => panic!("{ours}"),
    };
    format!("{place}.{tensor}")
}

fn torch_file(values: &Parameters, path: &Path) {
    let mut bytes: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = values
        .iter()
        .map(|(name, tensor)| {
            let bytes = tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect();
            (torch_name(name), Dtype::F32, tensor.shape.clone(), bytes)
        })
        .collect();
    // What torchvision has besides: a count of batches, and the thousand classes.
    bytes.push(("features.0.1.num_batches_tracked".into(), Dtype::I64, vec![], vec![0; 8]));
    bytes.push(("classifier.1.bias".into(), Dtype::F32, vec![1], vec![0; 4]));
    let views = bytes.iter().map(|(name, dtype, shape, bytes)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    std::fs::write(path, serialize(views, None).unwrap()).unwrap();
}

fn toy(layout: Layout) -> Network {
    lively(narrow(Kind::Mobilenetv2, layout, HeadKind::Single), &Device::flex())
}

fn fresh(layout: Layout) -> Network {
    narrow(Kind::Mobilenetv2, layout, HeadKind::Single).init(&Device::flex())
}

#[test]
fn every_tensor_of_a_file_finds_its_place_in_the_right_order() {
    let folder = tempfile::tempdir().unwrap();
    let (npz, safetensors) = (folder.path().join("w.npz"), folder.path().join("w.safetensors"));
    let (keras, torch) = (toy(Layout::Keras), toy(Layout::Torchvision));
    keras_file(&backbone(&keras), &npz);
    torch_file(&backbone(&torch), &safetensors);
    for (path, layout, wanted) in
        [(npz, Layout::Keras, keras), (safetensors, Layout::Torchvision, torch)]
    {
        let published = Published::read(&path, Kind::Mobilenetv2).unwrap();
        assert_eq!(published.layout, layout);
        let filled = published.put(fresh(layout)).unwrap();
        assert_eq!(backbone(&filled), backbone(&wanted), "{}", path.display());
    }
}

#[test]
fn missing_and_surplus_tensors_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.npz");
    let mut values = backbone(&toy(Layout::Keras));
    let taken = values.remove("blocks.3.project.norm.gamma").unwrap();
    values.insert("blocks.99.project.norm.gamma".to_owned(), taken);
    keras_file(&values, &path);
    let published = Published::read(&path, Kind::Mobilenetv2).unwrap();
    match published.put(fresh(Layout::Keras)) {
        Err(WeightsError::Mismatch { missing, surplus, .. }) => {
            assert_eq!(missing, ["blocks.3.project.norm.gamma"]);
            assert_eq!(surplus, ["blocks.99.project.norm.gamma"]);
        }
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[test]
fn weights_of_another_network_are_refused_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (npz, safetensors) = (folder.path().join("w.npz"), folder.path().join("w.safetensors"));
    keras_file(&backbone(&toy(Layout::Keras)), &npz);
    torch_file(&backbone(&toy(Layout::Torchvision)), &safetensors);
    let read = |path: &Path, kind| Published::read(path, kind).unwrap_err().to_string();
    assert!(read(&npz, Kind::Resnet50).contains("take torchvision's weights"));
    let other = read(&safetensors, Kind::Resnet50);
    assert!(
        other.contains("neither as Keras nor as torchvision names those of ResNet50"),
        "{other}"
    );
    assert!(other.contains("features.0.0.weight") && other.ends_with(" more"), "{other}");

    // A wider network: every tensor that has another shape is told, the first ones by name.
    let wide = narrow(Kind::Mobilenetv2, Layout::Torchvision, HeadKind::Single);
    let wide = crate::train::network::NetworkConfig { width: 0.5, ..wide }.init(&Device::flex());
    let published = Published::read(&safetensors, Kind::Mobilenetv2).unwrap();
    let told = published.put(wide).unwrap_err().to_string();
    assert!(told.contains("another network or width than MobileNetV2: missing"), "{told}");
    assert!(told.contains("blocks.") && told.contains(" more; surplus"), "{told}");

    let nowhere = read(&PathBuf::from("nowhere.npz"), Kind::Mobilenetv2);
    assert!(nowhere.starts_with("nowhere.npz: cannot be read"), "{nowhere}");
    let torn = folder.path().join("torn.pth");
    std::fs::write(&torn, [0u8; 100]).unwrap();
    assert!(read(&torn, Kind::Mobilenetv2).contains("torn.pth: cannot be read"));
    let picture = read(&PathBuf::from("w.png"), Kind::Mobilenetv2);
    assert_eq!(picture, "w.png: weights are read from .npz, .safetensors, .pth and .pt");
}

#[test]
#[ignore = "needs torch itself: MASKGATE_TORCH names a folder of its weights (.pth, .safetensors), input and features (.f32)"]
fn torch_answers_as_the_network_with_its_weights() {
    use burn::module::Module;
    use burn::tensor::{Tensor, TensorData};

    let folder = PathBuf::from(std::env::var("MASKGATE_TORCH").unwrap());
    let device = Device::flex();
    let floats = |name: &str| -> Vec<f32> {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    };
    for (kind, width, name) in
        [(Kind::Mobilenetv2, 0.5, "mobilenet"), (Kind::Resnet50, 1.0, "resnet")]
    {
        for extension in ["pth", "safetensors"] {
            let file = folder.join(format!("{name}.{extension}"));
            let published = Published::read(&file, kind).unwrap();
            let config = narrow(kind, published.layout, HeadKind::Single);
            let config = crate::train::network::NetworkConfig { width, ..config };
            let network = published.put(config.init(&device)).unwrap().valid();
            let picture = TensorData::new(floats("input.f32"), [1, 3, 64, 64]);
            let ours = network.backbone.features(Tensor::from_data(picture, &device));
            let ours: Vec<f32> = ours.into_data().try_into_vec().unwrap();
            let torch = floats(&format!("{name}.f32"));
            assert_eq!(ours.len(), torch.len());
            let scale = torch.iter().fold(0.0f32, |a, v| a.max(v.abs()));
            let largest = ours.iter().zip(&torch).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("{name}.{extension}: largest difference {largest} of {scale}");
            assert!(largest < 1e-4 * scale.max(1.0), "{name}.{extension}: {largest}");
        }
    }
}

#[test]
#[ignore = "needs the published weights: MASKGATE_WEIGHTS names the .npz, its .onnx beside it"]
fn published_weights_give_the_published_features() {
    use burn::module::Module;
    use burn::tensor::{Tensor, TensorData};

    use crate::train::network::tests::input;
    use crate::vision::model::ModelFile;

    let path = PathBuf::from(std::env::var("MASKGATE_WEIGHTS").unwrap());
    let device = Device::flex();
    let published = Published::read(&path, Kind::Mobilenetv2).unwrap();
    let config = narrow(Kind::Mobilenetv2, published.layout, HeadKind::Single);
    let config = crate::train::network::NetworkConfig { width: 0.35, ..config };
    let network = published.put(config.init(&device)).unwrap().valid();
    let bytes = std::fs::read(path.with_extension("onnx")).unwrap();
    let file = ModelFile::parse("published".into(), &bytes, "").unwrap();
    let side = 128;
    let wanted = file.plan([1, 3, side, side]).unwrap().run(&input(side)).unwrap();
    let data = TensorData::new(input(side), [1, 3, side, side]);
    // The published file ends in the mean over all positions.
    let ours = network.backbone.features(Tensor::from_data(data, &device)).mean_dims(&[2, 3]);
    let ours: Vec<f32> = ours.into_data().try_into_vec().unwrap();
    assert_eq!(wanted[0].values.len(), ours.len());
    let largest =
        wanted[0].values.iter().zip(&ours).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("largest difference {largest}");
    assert!(largest < 1e-3);
}
