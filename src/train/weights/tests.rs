use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};

use super::{Published, WeightsError};
use crate::train::layers::Layout;
use crate::train::mobilenet;
use crate::train::mobilenet::tests::keras_file;
use crate::train::network::tests::{input, lively, narrow};
use crate::train::network::{Backbone, HeadKind, Kind, Network};
use crate::train::parameters::{self, Parameters, Values};

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
fn damaged_weights_are_refused_with_the_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.npz");
    let told = || Published::read(&path, Kind::Mobilenetv2).unwrap_err().to_string();
    let good = backbone(&toy(Layout::Keras));
    for (name, bad) in [
        ("blocks.3.project.norm.beta", f32::NAN),
        ("blocks.3.project.conv.weight", f32::INFINITY),
        ("blocks.3.project.norm.running_var", -0.1),
    ] {
        let mut values = good.clone();
        values.get_mut(name).unwrap().values[1] = bad;
        keras_file(&values, &path);
        let told = told();
        assert!(told.contains("weights.npz: tensor block_3_project"), "{told}");
        assert!(told.contains(&format!(" holds {bad}")), "{told}");
    }

    keras_file(&good, &path);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
    let told = told();
    assert!(told.contains("weights.npz: cannot be read: ") && told.contains("checksum"), "{told}");
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
    assert!(
        told.contains("another network or width than MobileNetV2: missing nothing; "),
        "{told}"
    );
    assert!(told.contains("surplus nothing; of another shape than --width has it"), "{told}");
    assert!(told.contains("blocks.") && told.ends_with(" more"), "{told}");

    let nowhere = read(&PathBuf::from("nowhere.npz"), Kind::Mobilenetv2);
    assert!(nowhere.starts_with("nowhere.npz: cannot be read"), "{nowhere}");
    let torn = folder.path().join("torn.pth");
    std::fs::write(&torn, [0u8; 100]).unwrap();
    assert!(read(&torn, Kind::Mobilenetv2).contains("torn.pth: cannot be read"));
    let picture = read(&PathBuf::from("w.png"), Kind::Mobilenetv2);
    assert_eq!(
        picture,
        "w.png: weights are read from .npz, .safetensors, .pth, .pt, .tflite and .onnx"
    );
}

/// Writes convolutions as TFLite has them: whole numbers with a scale for each output. The last one
/// stands for the classes.
fn tflite_file(layers: &[(Values, Vec<f32>)], path: &Path) {
    write_tflite(layers, None, path);
}

/// As [`tflite_file`], every side of every tensor said to be `side`.
fn write_tflite(layers: &[(Values, Vec<f32>)], side: Option<i32>, path: &Path) {
    use tract_tflite::tflite;

    let mut file = flatbuffers::FlatBufferBuilder::new();
    let codes = [tflite::BuiltinOperator::CONV_2D, tflite::BuiltinOperator::DEPTHWISE_CONV_2D].map(
        |code| {
            let args = tflite::OperatorCodeArgs {
                deprecated_builtin_code: code.0 as i8,
                builtin_code: code,
                ..Default::default()
            };
            tflite::OperatorCode::create(&mut file, &args)
        },
    );
    let mut buffers = vec![tflite::Buffer::create(&mut file, &Default::default())];
    let mut tensors = Vec::new();
    let mut operators = Vec::new();
    for (kernel, bias) in layers {
        let [outs, ins, height, width] = kernel.shape[..] else { panic!("{:?}", kernel.shape) };
        let depthwise = ins == 1 && height == 3;
        let each = ins * height * width;
        let scales: Vec<f32> = kernel
            .values
            .chunks_exact(each)
            .map(|slice| slice.iter().fold(1e-6f32, |most, value| most.max(value.abs())) / 127.0)
            .collect();
        let mut whole = vec![0u8; kernel.values.len()];
        for (at, value) in kernel.values.iter().enumerate() {
            let (out, input, place) =
                (at / each, at % each / (height * width), at % (height * width));
            let to = if depthwise {
                place * outs + out
            } else {
                (out * height * width + place) * ins + input
            };
            whole[to] = (value / scales[out]).round() as i8 as u8;
        }
        let shape = if depthwise { [1, height, width, outs] } else { [outs, height, width, ins] };
        let steps: Vec<f32> = scales.iter().map(|scale| scale / 64.0).collect();
        let words = bias.iter().zip(&steps).map(|(bias, step)| (bias / step).round() as i32);
        let words: Vec<u8> = words.flat_map(i32::to_le_bytes).collect();
        let kernel_dimension = if depthwise { 3 } else { 0 };
        for (bytes, shape, scales, dimension, type_) in [
            (whole, shape.to_vec(), scales, kernel_dimension, tflite::TensorType::INT8),
            (words, vec![outs], steps, 0, tflite::TensorType::INT32),
        ] {
            let data = Some(file.create_vector(&bytes));
            let buffer = tflite::Buffer::create(&mut file, &tflite::BufferArgs { data });
            let args = tflite::QuantizationParametersArgs {
                scale: Some(file.create_vector(&scales)),
                zero_point: Some(file.create_vector(&vec![0i64; scales.len()])),
                quantized_dimension: dimension,
                ..Default::default()
            };
            let quantization = Some(tflite::QuantizationParameters::create(&mut file, &args));
            let shape: Vec<i32> = shape.iter().map(|s| side.unwrap_or(*s as i32)).collect();
            let args = tflite::TensorArgs {
                shape: Some(file.create_vector(&shape)),
                type_,
                buffer: buffers.len() as u32,
                quantization,
                ..Default::default()
            };
            buffers.push(buffer);
            tensors.push(tflite::Tensor::create(&mut file, &args));
        }
        let last = tensors.len() as i32;
        let args = tflite::OperatorArgs {
            opcode_index: u32::from(depthwise),
            // What a convolution reads is not looked at.
            inputs: Some(file.create_vector(&[-1, last - 2, last - 1])),
            ..Default::default()
        };
        operators.push(tflite::Operator::create(&mut file, &args));
    }
    let args = tflite::SubGraphArgs {
        tensors: Some(file.create_vector(&tensors)),
        operators: Some(file.create_vector(&operators)),
        ..Default::default()
    };
    let graph = tflite::SubGraph::create(&mut file, &args);
    let args = tflite::ModelArgs {
        version: 3,
        operator_codes: Some(file.create_vector(&codes)),
        subgraphs: Some(file.create_vector(&[graph])),
        buffers: Some(file.create_vector(&buffers)),
        ..Default::default()
    };
    let model = tflite::Model::create(&mut file, &args);
    tflite::finish_model_buffer(&mut file, model);
    std::fs::write(path, file.finished_data()).unwrap();
}

/// Kernels and biases of a backbone in the order in which they run, normalisation folded in.
fn folded(values: &Parameters) -> Vec<(Values, Vec<f32>)> {
    let layer = |name: String| {
        let of = |part: &str| &values[&format!("{name}.{part}")].values;
        let mut kernel = values[&format!("{name}.conv.weight")].clone();
        let each = kernel.values.len() / kernel.shape[0];
        let mut bias = Vec::new();
        for (out, slice) in kernel.values.chunks_exact_mut(each).enumerate() {
            let deviation = (of("norm.running_var")[out] + 1e-3).sqrt();
            let factor = of("norm.gamma")[out] / deviation;
            slice.iter_mut().for_each(|value| *value *= factor);
            bias.push(of("norm.beta")[out] - of("norm.running_mean")[out] * factor);
        }
        (kernel, bias)
    };
    mobilenet::order().into_iter().map(layer).collect()
}

/// What a network makes of a picture of noise.
fn features(network: &Network) -> Vec<f32> {
    let side = 64;
    let picture = TensorData::new(input(side), [1, 3, side, side]);
    let picture = Tensor::from_data(picture, &Device::flex());
    network.backbone.features(picture).into_data().try_into_vec().unwrap()
}

/// The largest difference, as a share of the largest value.
fn off(found: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(found.len(), wanted.len());
    let largest = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    largest / wanted.iter().fold(1e-6, |most: f32, value| most.max(value.abs()))
}

#[test]
fn a_folded_file_is_read_layer_by_layer_and_its_statistics_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.tflite");
    let wanted = toy(Layout::Keras);
    let mut layers = folded(&backbone(&wanted));
    let classes = Values { shape: vec![5, 7, 1, 1], values: vec![0.5; 35] };
    layers.push((classes, vec![0.0; 5]));
    tflite_file(&layers, &path);
    let published = Published::read(&path, Kind::Mobilenetv2).unwrap();
    assert!(published.folded);
    let filled = published.put(fresh(published.layout)).unwrap();
    // Each kernel within half a step of its slice, and nothing else between it and the bias.
    let found = folded(&backbone(&filled));
    for ((found, bias), (wanted, wanted_bias)) in found.iter().zip(&layers) {
        assert_eq!(found.shape, wanted.shape);
        let each = wanted.values.len() / wanted.shape[0];
        for (found, wanted) in found.values.chunks(each).zip(wanted.values.chunks(each)) {
            assert!(off(found, wanted) < 0.51 / 127.0);
        }
        assert!(off(bias, wanted_bias) < 0.05);
    }

    let pictures =
        Tensor::from_data(TensorData::new(input(64).repeat(2), [2, 3, 64, 64]), &Device::flex());
    let before = features(&filled);
    let measured = filled.measured(pictures);
    let same = off(&features(&measured), &before);
    assert!(same < 1e-3, "measuring changed the answers by {same}");
    let values = backbone(&measured);
    for name in mobilenet::order() {
        let of = |part: &str| &values[&format!("{name}.norm.{part}")].values;
        // With the statistics of what it sees, a normalisation's offset is the mean it gives.
        for (channel, variance) in of("running_var").iter().enumerate() {
            let gamma = of("gamma")[channel];
            assert!((gamma - (variance + 1e-3).sqrt()).abs() < 1e-3 * gamma, "{name} {channel}");
        }
        assert!(of("running_mean").iter().any(|mean| *mean != 0.0), "{name}");
    }

    // Sides that are not those of the numbers, below nothing, and with no product.
    for side in [5, -3, i32::MAX] {
        write_tflite(&layers, Some(side), &path);
        let told = Published::read(&path, Kind::Mobilenetv2).unwrap_err().to_string();
        assert!(told.ends_with("numbers do not fit its shape"), "{side}: {told}");
    }

    layers.remove(3);
    tflite_file(&layers, &path);
    let told = Published::read(&path, Kind::Mobilenetv2).unwrap_err().to_string();
    assert!(told.ends_with("51 convolutions before its classes; MobileNetV2 has 52"), "{told}");
    let told = Published::read(&path, Kind::Resnet50).unwrap_err().to_string();
    assert!(told.ends_with("take torchvision's weights for ResNet50"), "{told}");
    std::fs::write(&path, "no model").unwrap();
    let told = Published::read(&path, Kind::Mobilenetv2).unwrap_err().to_string();
    assert!(told.contains("w.tflite: cannot be read"), "{told}");
}

#[test]
#[ignore = "needs torch itself: MASKGATE_TORCH names a folder of its weights (.pth, .safetensors), input and features (.f32)"]
fn torch_answers_as_the_network_with_its_weights() {
    use burn::module::Module;

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

#[test]
#[ignore = "needs the published weights: MASKGATE_WEIGHTS names the .npz, coral/ lies beside its folder"]
fn published_integers_name_the_classes_that_the_published_file_names() {
    use burn::module::Module;

    let path = PathBuf::from(std::env::var("MASKGATE_WEIGHTS").unwrap());
    let folder = path.parent().unwrap().parent().unwrap();
    let path = folder.join("coral/tf2_mobilenet_v2_1.0_224_ptq.tflite");
    let device = Device::flex();
    let published = Published::read(&path, Kind::Mobilenetv2).unwrap();
    let config = narrow(Kind::Mobilenetv2, published.layout, HeadKind::Single);
    let config = crate::train::network::NetworkConfig { width: 1.0, ..config };
    let network = published.put(config.init(&device)).unwrap().valid();
    let classes = super::tflite::convolutions(&path).unwrap().pop().unwrap();

    let side = 224;
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets");
    // The likeliest of ImageNet's classes by ai-edge-litert 2.3.0 on the same pictures.
    for (name, wanted) in [("bare_face", 401), ("under_nose", 679), ("two_people", 797)] {
        let photo = image::open(assets.join(format!("{name}.jpg"))).unwrap();
        let filter = image::imageops::FilterType::Triangle;
        let pixels = photo.resize_exact(side, side, filter).to_rgb8().into_raw();
        let plane = (side * side) as usize;
        let mut planes = vec![0.0; 3 * plane];
        for (at, pixel) in pixels.chunks_exact(3).enumerate() {
            for (color, value) in pixel.iter().enumerate() {
                planes[color * plane + at] = f32::from(*value) / 127.5 - 1.0;
            }
        }
        let data = TensorData::new(planes, [1, 3, side as usize, side as usize]);
        let features = network.backbone.features(Tensor::from_data(data, &device));
        let features: Vec<f32> = features.mean_dims(&[2, 3]).into_data().try_into_vec().unwrap();
        let rows = classes.kernel.values.chunks_exact(features.len()).zip(&classes.bias.values);
        let score = |(row, bias): (&[f32], &f32)| -> f32 {
            bias + row.iter().zip(&features).map(|(a, b)| a * b).sum::<f32>()
        };
        let best = rows.map(score).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        assert_eq!(best.unwrap().0, wanted, "{name}");
    }
}
