//! Classifiers that this trainer wrote, to go on from: their convolutions with normalisation folded
//! into them, and the head.
//! Never: what other tools write; the detector's files.

use std::path::Path;

use super::{Folded, WeightsError};
use crate::picture::Label;
use crate::train::parameters::{Parameters, Values};
use crate::train::quantise::QuantiseError;
use crate::train::quantise::source::{Source, Weighted, Work};
use crate::vision::Classifier;
use crate::vision::model::ModelFile;

/// A classifier's file as numbers.
pub struct Own {
    /// In the order in which they are run.
    pub convolutions: Vec<Folded>,
    pub head: OwnHead,
}

/// What stands behind the features, and for which labels.
#[derive(Debug)]
pub struct OwnHead {
    pub labels: Vec<Label>,
    /// As the tensors of a head are named.
    pub tensors: Parameters,
}

/// Reads the file at `path`.
pub fn read(path: &Path) -> Result<Own, WeightsError> {
    let file = ModelFile::open(path, "", ("no classifier", &[]))?;
    let labels = Classifier::from_file(&file)?.labels().to_vec();
    let source = Source::read(file.proto(), &path.display().to_string())
        .map_err(|error| WeightsError::NotOurs(told(&error, path)))?;
    let mut convolutions = Vec::new();
    let mut dense = Vec::new();
    for step in &source.steps {
        let Work::Weighted(layer) = &step.work else { continue };
        let layer = numbers(layer).ok_or_else(|| WeightsError::Unreadable {
            path: path.to_owned(),
            reason: format!("the weights of node {:?} have no shape or no bias", step.node.name),
        })?;
        match step.node.op_type.as_str() {
            "Conv" => convolutions.push(layer),
            _ => dense.push(layer),
        }
    }
    let names: &[&str] = if dense.len() == 1 { &["output"] } else { &["hidden", "output"] };
    let mut tensors = Parameters::new();
    for (name, layer) in names.iter().zip(dense) {
        tensors.insert(format!("{name}.weight"), transposed(layer.kernel));
        tensors.insert(format!("{name}.bias"), layer.bias);
    }
    Ok(Own { convolutions, head: OwnHead { labels, tensors } })
}

fn told(error: &QuantiseError, path: &Path) -> String {
    match error {
        QuantiseError::UnknownOperator { operator, .. } if operator == "QuantizeLinear" => {
            let path = path.display();
            format!("{path}: a full-integer file, which cannot learn; give the float file it is of")
        }
        other => other.to_string(),
    }
}

/// A layer's numbers, its weights times their scales.
fn numbers(layer: &Weighted) -> Option<Folded> {
    let shape: Vec<usize> = layer
        .weights
        .dims
        .iter()
        .map(|side| usize::try_from(*side))
        .collect::<Result<_, _>>()
        .ok()?;
    let inner = layer.values.len() / layer.scales.len().max(1);
    let steps = layer.values.chunks(inner.max(1)).zip(&layer.scales);
    let values = steps
        .flat_map(|(values, scale)| values.iter().map(move |v| f32::from(*v) * scale))
        .collect();
    let bias = layer.bias.clone()?;
    let bias = Values { shape: vec![bias.len()], values: bias };
    Some(Folded { kernel: Values { shape, values }, bias })
}

/// A file has dense layers as out, in; the network as in, out.
fn transposed(weight: Values) -> Values {
    let [outs, ins] = weight.shape[..] else { return weight };
    let values = (0..ins * outs).map(|at| weight.values[at % outs * ins + at / outs]).collect();
    Values { shape: vec![ins, outs], values }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use burn::module::Module;
    use burn::tensor::{Device, Tensor, TensorData};

    use crate::picture::Label;
    use crate::train::layers::Layout;
    use crate::train::network::tests::{input, lively, narrow};
    use crate::train::network::{HeadKind, Kind, Network, NetworkConfig, export, rounded};
    use crate::train::parameters;
    use crate::train::weights::Published;

    const SIDE: usize = 64;

    /// `network` as the trainer writes it.
    fn write(network: &Network, path: &Path) {
        let metadata = [
            ("maskgate.labels", "with_mask,without_mask,incorrect_mask"),
            ("maskgate.input", "64"),
            ("maskgate.crop", "square margin=0.15 border=replicate"),
        ];
        std::fs::write(path, export(network, SIDE, &metadata).unwrap().bytes).unwrap();
    }

    fn logits(network: &Network) -> Vec<f32> {
        let picture = TensorData::new(input(SIDE), [1, 3, SIDE, SIDE]);
        let logits = network.forward(Tensor::from_data(picture, &Device::flex()));
        logits.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn what_was_written_goes_on_where_it_was() {
        let device = Device::flex();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.onnx");
        for layout in [Layout::Keras, Layout::Torchvision] {
            for (head, other) in
                [(HeadKind::Single, HeadKind::Published), (HeadKind::Published, HeadKind::Single)]
            {
                let config = narrow(Kind::Mobilenetv2, layout, head);
                let network = lively(config, &device).valid();
                let network = rounded(&network, &parameters::take(&network)).unwrap();
                write(&network, &path);

                let file = Published::read(&path, Kind::Mobilenetv2).unwrap();
                assert_eq!(file.layout, layout);
                assert!(file.folded);
                let fresh = file.put(config.init(&device)).unwrap();
                let (filled, whole) = file.put_head(fresh.clone(), &Label::ALL);
                assert!(whole);
                let pictures = TensorData::new(input(SIDE).repeat(2), [2, 3, SIDE, SIDE]);
                let measured = filled.measured(Tensor::from_data(pictures, &device));
                for (found, wanted) in logits(&measured).iter().zip(logits(&network)) {
                    assert!((found - wanted).abs() < 1e-3, "{layout:?} {head:?}: {found} {wanted}");
                }

                // A head of another kind, or of other labels, starts anew.
                let two = [Label::WithMask, Label::WithoutMask];
                assert!(!file.put_head(fresh, &two).1);
                let config = NetworkConfig { head: other, ..config };
                let fresh = file.put(config.init(&device)).unwrap();
                let before = parameters::take(&fresh);
                let (same, whole) = file.put_head(fresh, &Label::ALL);
                assert!(!whole);
                assert_eq!(parameters::take(&same), before);
            }
        }
        std::fs::write(&path, "no model").unwrap();
        let told = Published::read(&path, Kind::Mobilenetv2).unwrap_err().to_string();
        assert!(told.contains("own.onnx: not an ONNX model"), "{told}");
    }

    #[test]
    fn the_mean_of_classifiers_is_theirs_layer_by_layer() {
        let device = Device::flex();
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let single = narrow(Kind::Mobilenetv2, Layout::Keras, HeadKind::Single);
        let one = lively(single, &device).valid();
        let one = rounded(&one, &parameters::take(&one)).unwrap();
        let mut values = parameters::take(&one);
        let bias = values.get_mut("head.output.bias").unwrap();
        bias.values = vec![4.0, 0.0, -2.0];
        let two = parameters::put(one.clone(), &values).0;
        write(&one, &path("one.onnx"));
        write(&two, &path("two.onnx"));
        let mean = |names: &[&str]| {
            let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
            Published::mean(&paths, Kind::Mobilenetv2)
        };
        assert!(mean(&[]).unwrap().is_none());
        let file = mean(&["one.onnx", "two.onnx", "two.onnx"]).unwrap().unwrap();
        let (filled, whole) = file.put_head(file.put(single.init(&device)).unwrap(), &Label::ALL);
        assert!(whole);
        // They differ in the last bias alone, and so do their logits.
        let pictures = TensorData::new(input(SIDE).repeat(2), [2, 3, SIDE, SIDE]);
        let found = logits(&filled.measured(Tensor::from_data(pictures, &device)));
        let (one, two) = (logits(&one), logits(&two));
        for ((found, one), two) in found.iter().zip(one).zip(two) {
            let wanted = (one + 2.0 * two) / 3.0;
            assert!((found - wanted).abs() < 1e-3, "{found} {wanted}");
        }

        let published = narrow(Kind::Mobilenetv2, Layout::Keras, HeadKind::Published);
        write(&lively(published, &device).valid(), &path("other.onnx"));
        let told = mean(&["one.onnx", "other.onnx"]).unwrap_err().to_string();
        assert!(told.contains("other.onnx: not to be averaged with "), "{told}");
    }
}
