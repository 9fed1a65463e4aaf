use super::ResNet;
use crate::train::layers::{Layout, Writer};
use crate::train::onnx::OnnxError;

impl ResNet {
    /// Writes the layers up to the features and gives their tensor. Expects the network on a
    /// device without autodiff.
    pub fn write(&self, graph: &mut Writer) -> Result<String, OnnxError> {
        let input = graph.input(Layout::Torchvision)?;
        let x = graph.conv(&input, &self.stem)?;
        let x = graph.builder.relu(&x);
        let mut x = graph.max_pool(&x);
        for block in &self.blocks {
            let (input, side) = (x.clone(), graph.side());
            x = graph.conv(&x, &block.narrow)?;
            x = graph.builder.relu(&x);
            x = graph.conv(&x, &block.middle)?;
            x = graph.builder.relu(&x);
            x = graph.conv(&x, &block.widen)?;
            let beside = match &block.project {
                Some(project) => graph.aside(side, &input, project)?,
                None => input,
            };
            x = graph.builder.add(&x, &beside);
            x = graph.builder.relu(&x);
        }
        Ok(x)
    }
}
