//! What published files call the network's tensors.

/// Keras: `block_3_project_BN/gamma` → `blocks.3.project.norm.gamma`.
pub fn keras(name: &str) -> Option<String> {
    let (layer, array) = name.split_once('/')?;
    let place = match layer {
        "Conv1" | "bn_Conv1" => "stem".to_owned(),
        "Conv_1" | "Conv_1_bn" => "last".to_owned(),
        _ => {
            let layer = layer.strip_suffix("_BN").unwrap_or(layer);
            // The first block has no number of its own.
            let (number, part) = match layer.strip_prefix("expanded_conv_") {
                Some(part) => ("0", part),
                None => layer.strip_prefix("block_")?.split_once('_')?,
            };
            format!("blocks.{number}.{part}")
        }
    };
    let tensor = match array {
        "kernel" | "depthwise_kernel" => "conv.weight",
        "gamma" => "norm.gamma",
        "beta" => "norm.beta",
        "moving_mean" => "norm.running_mean",
        "moving_variance" => "norm.running_var",
        _ => return None,
    };
    Some(format!("{place}.{tensor}"))
}

/// The layers in the order in which they run: `stem`, `blocks.0.depthwise`, …, `last`.
pub fn order() -> Vec<String> {
    let parts = |number: usize| &["expand", "depthwise", "project"][usize::from(number == 0)..];
    let blocks = (0..LAST - 1)
        .flat_map(|number| parts(number).iter().map(move |part| format!("blocks.{number}.{part}")));
    ["stem".to_owned()].into_iter().chain(blocks).chain(["last".to_owned()]).collect()
}

/// torchvision: `features.4.conv.2.weight` → `blocks.3.project.conv.weight`.
pub fn torchvision(name: &str) -> Option<String> {
    let (layer, tensor) = name.strip_prefix("features.")?.rsplit_once('.')?;
    let (number, rest) = layer.split_once('.')?;
    let number: usize = number.parse().ok()?;
    let (place, norm) = match (number, rest) {
        (0, "0") => ("stem".to_owned(), false),
        (0, "1") => ("stem".to_owned(), true),
        (LAST, "0") => ("last".to_owned(), false),
        (LAST, "1") => ("last".to_owned(), true),
        // The first block does not expand, so its layers are one place further up.
        (1, _) => block(0, rest, &["depthwise", "project"])?,
        (2..LAST, _) => block(number - 1, rest, &["expand", "depthwise", "project"])?,
        _ => return None,
    };
    Some(format!("{place}.{}", crate::train::weights::torch_tensor(tensor, norm)?))
}

/// Where torchvision's list of layers has the last convolution, at any width.
const LAST: usize = 18;

/// `conv.0.1` is the normalisation of the first part; the last part, the projection, is not nested.
fn block(number: usize, rest: &str, parts: &[&str]) -> Option<(String, bool)> {
    let rest = rest.strip_prefix("conv.")?;
    let projection = parts.len() - 1;
    let (part, norm) = match rest.split_once('.') {
        Some((part, which)) => (part.parse().ok().filter(|p| *p < projection)?, which == "1"),
        None => {
            let at: usize = rest.parse().ok()?;
            let norm = at.checked_sub(projection).filter(|at| *at < 2)? == 1;
            (projection, norm)
        }
    };
    Some((format!("blocks.{number}.{}", parts.get(part)?), norm))
}
