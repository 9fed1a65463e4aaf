//! Weights into a network: published ones in .npz, .safetensors, .pth and .tflite files, and our own
//! classifiers in .onnx files; their names and layouts. Every tensor of the backbone must be found and
//! every tensor of the file must find its place. Only our own files have a head that fits.
//! Never: training.

mod files;
mod own;
#[cfg(test)]
mod tests;
mod tflite;

use std::path::{Path, PathBuf};

use self::own::OwnHead;
use super::layers::Layout;
use super::network::{Backbone, Kind, Network};
use super::parameters::{self, Parameters, Values};
use super::resnet::DEPTHS;
use super::{mobilenet, resnet};
use crate::picture::Label;
use crate::vision::VisionError;

/// Why a file of weights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("{path}: cannot be read: {reason}")]
    Unreadable { path: PathBuf, reason: String },
    #[error("{path}: weights are read from .npz, .safetensors, .pth, .pt, .tflite and .onnx")]
    UnknownKind { path: PathBuf },
    #[error(transparent)]
    Model(#[from] VisionError),
    #[error("{0}")]
    NotOurs(String),
    #[error(
        "{path}: not to be averaged with {first}: the mean is taken of classifiers that this program wrote (.onnx), of one network, head and labels"
    )]
    Unlike { path: PathBuf, first: PathBuf },
    #[error("{path}: {found} convolutions before its classes; MobileNetV2 has {wanted}")]
    OtherGraph { path: PathBuf, found: usize, wanted: usize },
    #[error("{path}: read for MobileNetV2 alone; take torchvision's weights for {network}")]
    OnlyMobileNet { path: PathBuf, network: &'static str },
    #[error("{path}: tensor {name} is not of 32-bit floats{}", if path.extension().is_some_and(|e| e == "npz") { " in C order" } else { "" })]
    NotFloat { path: PathBuf, name: String },
    #[error("{path}: tensor {name} holds {value}, which {}", if value.is_finite() { "is no variance" } else { "is no number to go on from" })]
    Unsound { path: PathBuf, name: String, value: f32 },
    #[error(
        "{path}: its tensors are named neither as Keras nor as torchvision names those of {network}: {}",
        some(names)
    )]
    UnknownNames { path: PathBuf, network: &'static str, names: Vec<String> },
    #[error(
        "{path}: Keras' ResNet50 strides in another layer than this one; take torchvision's weights"
    )]
    KerasResNet { path: PathBuf },
    #[error(
        "{path}: of another network or width than {network}: missing {}; surplus {}; of another shape than --width has it {}",
        some(missing),
        some(surplus),
        some(shapes)
    )]
    Mismatch {
        path: PathBuf,
        network: String,
        missing: Vec<String>,
        surplus: Vec<String>,
        /// Of those that both have.
        shapes: Vec<String>,
    },
}

/// A convolution as numbers: its kernel as out, in, height, width, and its bias.
struct Folded {
    kernel: Values,
    bias: Values,
}

/// Refuses what no network can go on from: what is no number, and a `variance` under 0.
fn sound(path: &Path, name: &str, values: &Values, variance: bool) -> Result<(), WeightsError> {
    let bad = |value: &&f32| !value.is_finite() || (variance && **value < 0.0);
    match values.values.iter().find(bad) {
        Some(value) => {
            let (path, name) = (path.to_owned(), name.to_owned());
            Err(WeightsError::Unsound { path, name, value: *value })
        }
        None => Ok(()),
    }
}

/// Names for a message: all of a few, the first of many.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 6;
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let mut text = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}

/// A file's tensors under the names of our backbone; what has no place there keeps the file's.
#[derive(Debug)]
pub struct Published {
    path: PathBuf,
    /// Whose way of building the layers these weights were trained with.
    pub layout: Layout,
    /// Normalisation is folded into the convolutions, and must be measured before training.
    pub folded: bool,
    tensors: Parameters,
    head: Option<OwnHead>,
}

impl Published {
    /// Reads the file at `path` for a network of `kind`.
    pub fn read(path: &Path, kind: Kind) -> Result<Self, WeightsError> {
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tflite")) {
            return Self::tflite(path, kind);
        }
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx")) {
            return Self::own(path, kind);
        }
        let raw = files::read(path)?;
        let layout = if raw.keys().any(|name| name.contains('/')) {
            Layout::Keras
        } else {
            Layout::Torchvision
        };
        if (kind, layout) == (Kind::Resnet50, Layout::Keras) {
            return Err(WeightsError::KerasResNet { path: path.to_owned() });
        }
        let ours = |name: &str| match (layout, kind) {
            (Layout::Keras, _) => mobilenet::keras(name),
            (Layout::Torchvision, Kind::Mobilenetv2) => mobilenet::torchvision(name),
            (Layout::Torchvision, Kind::Resnet50) => resnet::torchvision(name, &DEPTHS),
        };
        let mut known = 0;
        let mut tensors = Parameters::new();
        let mut names = Vec::new();
        for (name, values) in raw {
            if layout == Layout::Torchvision && is_head(&name) {
                continue;
            }
            names.push(name.clone());
            let values = match layout {
                Layout::Keras if values.shape.len() == 4 => to_oihw(values, &name),
                _ => values,
            };
            let ours = ours(&name);
            let variance = ours.as_ref().is_some_and(|name| name.ends_with("running_var"));
            sound(path, &name, &values, variance)?;
            known += usize::from(ours.is_some());
            tensors.insert(ours.unwrap_or(name), values);
        }
        if known == 0 {
            return Err(WeightsError::UnknownNames {
                path: path.to_owned(),
                network: kind.name(),
                names,
            });
        }
        Ok(Self { path: path.to_owned(), layout, folded: false, tensors, head: None })
    }

    /// Reads the files at `paths`; of several, classifiers of ours, the mean. Those that went on from
    /// one another lie in one valley, and their mean is often better than each (Wortsman et al.,
    /// "Model soups", 2022).
    pub fn mean(paths: &[PathBuf], kind: Kind) -> Result<Option<Self>, WeightsError> {
        let Some((first, others)) = paths.split_first() else { return Ok(None) };
        let mut sum = Self::read(first, kind)?;
        for path in others {
            let file = Self::read(path, kind)?;
            let unlike = || WeightsError::Unlike { path: path.clone(), first: first.clone() };
            let (Some(head), Some(more)) = (&mut sum.head, &file.head) else {
                return Err(unlike());
            };
            let same = sum.layout == file.layout
                && head.labels == more.labels
                && parameters::add(&mut sum.tensors, &file.tensors)
                && parameters::add(&mut head.tensors, &more.tensors);
            if !same {
                return Err(unlike());
            }
        }
        parameters::divide(&mut sum.tensors, paths.len());
        if let Some(head) = &mut sum.head {
            parameters::divide(&mut head.tensors, paths.len());
        }
        Ok(Some(sum))
    }

    /// Reads a .tflite file.
    fn tflite(path: &Path, kind: Kind) -> Result<Self, WeightsError> {
        let mut layers = tflite::convolutions(path)?;
        // ImageNet's classes are a convolution here.
        layers.pop();
        Self::unfolded(path, kind, Layout::Keras, layers)
    }

    /// Reads a classifier that this trainer wrote.
    fn own(path: &Path, kind: Kind) -> Result<Self, WeightsError> {
        let mut file = own::read(path)?;
        // The first layer of torchvision's layout makes its input of ours.
        let first = file.convolutions.first().map(|layer| layer.kernel.shape.clone());
        let layout = if first.is_some_and(|shape| shape == [3, 1, 1, 1]) {
            file.convolutions.remove(0);
            Layout::Torchvision
        } else {
            Layout::Keras
        };
        let backbone = Self::unfolded(path, kind, layout, file.convolutions)?;
        for (name, values) in &file.head.tensors {
            sound(path, name, values, false)?;
        }
        Ok(Self { head: Some(file.head), ..backbone })
    }

    /// Of files that know neither names nor normalisation: layers are told by their order, and
    /// normalisation only adds the bias.
    fn unfolded(
        path: &Path,
        kind: Kind,
        layout: Layout,
        layers: Vec<Folded>,
    ) -> Result<Self, WeightsError> {
        let path = path.to_owned();
        if kind != Kind::Mobilenetv2 {
            return Err(WeightsError::OnlyMobileNet { path, network: kind.name() });
        }
        let names = mobilenet::order();
        if layers.len() != names.len() {
            let (found, wanted) = (layers.len(), names.len());
            return Err(WeightsError::OtherGraph { path, found, wanted });
        }
        let mut tensors = Parameters::new();
        for (name, layer) in names.into_iter().zip(layers) {
            sound(&path, &format!("{name}.conv.weight"), &layer.kernel, false)?;
            sound(&path, &format!("{name}.norm.beta"), &layer.bias, false)?;
            let even = |value: f32| Values {
                shape: layer.bias.shape.clone(),
                values: vec![value; layer.bias.values.len()],
            };
            tensors.insert(format!("{name}.norm.gamma"), even(1.0));
            tensors.insert(format!("{name}.norm.running_mean"), even(0.0));
            let variance = 1.0 - layout.epsilon() as f32;
            tensors.insert(format!("{name}.norm.running_var"), even(variance));
            tensors.insert(format!("{name}.norm.beta"), layer.bias);
            tensors.insert(format!("{name}.conv.weight"), layer.kernel);
        }
        Ok(Self { path, layout, folded: true, tensors, head: None })
    }

    /// `network` with this backbone, which must have been made in the same layout.
    pub fn put(&self, network: Network) -> Result<Network, WeightsError> {
        let Network { backbone, head } = network;
        let (own, backbone, name, missing, surplus) = match backbone {
            Backbone::MobileNet(inner) => {
                let own = parameters::take(&inner);
                let (inner, missing, surplus) = parameters::put(inner, &self.tensors);
                (own, Backbone::MobileNet(inner), Kind::Mobilenetv2.name(), missing, surplus)
            }
            Backbone::ResNet(inner) => {
                let own = parameters::take(&inner);
                let (inner, missing, surplus) = parameters::put(inner, &self.tensors);
                (own, Backbone::ResNet(inner), Kind::Resnet50.name(), missing, surplus)
            }
        };
        if missing.is_empty() && surplus.is_empty() {
            return Ok(Network { backbone, head });
        }
        let (both, missing): (Vec<String>, Vec<String>) =
            missing.into_iter().partition(|name| self.tensors.contains_key(name));
        let surplus = surplus.into_iter().filter(|name| !both.contains(name)).collect();
        let shape = |of: &Parameters, name: &String| {
            let shape = of.get(name).map_or(&[][..], |values| &values.shape);
            shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
        };
        let shapes = both
            .iter()
            .map(|name| {
                format!("{name} ({} for {})", shape(&self.tensors, name), shape(&own, name))
            })
            .collect();
        let (path, network) = (self.path.clone(), name.to_owned());
        Err(WeightsError::Mismatch { path, network, missing, surplus, shapes })
    }

    /// `network` with the head of a classifier of ours, where that is of the same kind and for the
    /// same `labels`; the second value says so.
    pub fn put_head(&self, network: Network, labels: &[Label]) -> (Network, bool) {
        let Some(file) = self.head.as_ref().filter(|file| file.labels == labels) else {
            return (network, false);
        };
        let Network { backbone, head } = network;
        let (filled, missing, surplus) = parameters::put(head.clone(), &file.tensors);
        let fits = missing.is_empty() && surplus.is_empty();
        (Network { backbone, head: if fits { filled } else { head } }, fits)
    }
}

/// ImageNet's thousand classes, which no backbone has.
fn is_head(name: &str) -> bool {
    name.starts_with("classifier.") || name.starts_with("fc.")
}

/// Our name of a layer's tensor that torch calls `tensor`; `norm` says that the layer normalises.
pub fn torch_tensor(tensor: &str, norm: bool) -> Option<&'static str> {
    match (tensor, norm) {
        ("weight", false) => Some("conv.weight"),
        ("weight", true) => Some("norm.gamma"),
        ("bias", true) => Some("norm.beta"),
        ("running_mean", true) => Some("norm.running_mean"),
        ("running_var", true) => Some("norm.running_var"),
        _ => None,
    }
}

/// Keras stores kernels as height, width, in, out; depthwise ones as height, width, channel, 1.
fn to_oihw(kernel: Values, name: &str) -> Values {
    let depthwise = name.ends_with("depthwise_kernel");
    let [height, width, third, fourth] = match kernel.shape[..] {
        [h, w, i, o] => [h, w, i, o],
        _ => return kernel,
    };
    let (outs, ins) = if depthwise { (third, fourth) } else { (fourth, third) };
    let mut values = Vec::with_capacity(kernel.values.len());
    for out in 0..outs {
        for input in 0..ins {
            for at in 0..height * width {
                let (i3, i4) = if depthwise { (out, input) } else { (input, out) };
                values.push(kernel.values[(at * third + i3) * fourth + i4]);
            }
        }
    }
    Values { shape: vec![outs, ins, height, width], values }
}
