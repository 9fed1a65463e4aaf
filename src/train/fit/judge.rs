use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use crate::picture::{Label, Probabilities};
use crate::train::data::Cut;
use crate::train::network::Network;
use crate::vision::crop;

/// Crops at once.
const AT_ONCE: usize = 32;

/// What `network` (without autodiff), whose outputs stand for `classes`, says of each crop, in
/// their order.
pub fn judge(
    network: &Network,
    crops: &[Cut],
    classes: &[Label],
    device: &Device,
) -> Vec<Probabilities> {
    let device = device.clone().inner();
    let mut all = Vec::with_capacity(crops.len());
    for some in crops.chunks(AT_ONCE) {
        let side = some.first().map_or(0, |cut| cut.picture.width() as usize);
        let plane = 3 * side * side;
        let mut inputs = vec![0.0; plane * some.len()];
        for (cut, planes) in some.iter().zip(inputs.chunks_exact_mut(plane.max(1))) {
            crop::to_input(&cut.picture, planes);
        }
        let data = TensorData::new(inputs, [some.len(), 3, side, side]);
        let logits = network.forward(Tensor::from_data(data, &device));
        let values = softmax(logits, 1).into_data().try_into_vec::<f32>().unwrap_or_default();
        all.extend(values.chunks_exact(classes.len().max(1)).map(|row| {
            let of = |label: Label| {
                classes.iter().zip(row).find(|(class, _)| **class == label).map_or(0.0, |(_, p)| *p)
            };
            Probabilities {
                with_mask: of(Label::WithMask),
                without_mask: of(Label::WithoutMask),
                incorrect_mask: of(Label::IncorrectMask),
            }
        }));
    }
    all
}
