//! What published files call the network's tensors.

/// torchvision: `layer2.0.conv1.weight` → `blocks.3.narrow.conv.weight`, where `depths` says how
/// many blocks each stage has.
pub fn torchvision(name: &str, depths: &[usize; 4]) -> Option<String> {
    let (layer, tensor) = name.rsplit_once('.')?;
    let (place, norm) = match layer.strip_prefix("layer") {
        None => ("stem".to_owned(), part("conv1", "bn1", layer)?),
        Some(rest) => {
            let mut words = rest.splitn(3, '.');
            let stage = words.next()?.parse::<usize>().ok()?.checked_sub(1)?;
            let number: usize = words.next()?.parse().ok()?;
            let layer = words.next()?;
            let depth = *depths.get(stage)?;
            if number >= depth {
                return None;
            }
            let block = depths.iter().take(stage).sum::<usize>() + number;
            let known = [
                ("narrow", "conv1", "bn1"),
                ("middle", "conv2", "bn2"),
                ("widen", "conv3", "bn3"),
                ("project", "downsample.0", "downsample.1"),
            ];
            let (ours, norm) = known
                .into_iter()
                .find_map(|(ours, conv, norm)| Some((ours, part(conv, norm, layer)?)))?;
            (format!("blocks.{block}.{ours}"), norm)
        }
    };
    Some(format!("{place}.{}", crate::train::weights::torch_tensor(tensor, norm)?))
}

/// Whether `layer` is the normalisation (`true`) or the convolution (`false`) of a pair.
fn part(conv: &str, norm: &str, layer: &str) -> Option<bool> {
    (layer == norm || layer == conv).then_some(layer == norm)
}
