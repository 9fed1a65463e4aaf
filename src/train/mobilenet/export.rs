use super::MobileNet;
use crate::train::layers::Writer;
use crate::train::onnx::OnnxError;

impl MobileNet {
    /// Writes the layers up to the features and gives their tensor. Expects the network on a
    /// device without autodiff.
    pub fn write(&self, graph: &mut Writer) -> Result<String, OnnxError> {
        let input = graph.input(self.layout())?;
        let x = graph.conv(&input, &self.stem)?;
        let mut x = graph.builder.relu6(&x);
        for block in &self.blocks {
            let input = x.clone();
            if let Some(expand) = &block.expand {
                x = graph.conv(&x, expand)?;
                x = graph.builder.relu6(&x);
            }
            x = graph.conv(&x, &block.depthwise)?;
            x = graph.builder.relu6(&x);
            x = graph.conv(&x, &block.project)?;
            if block.residual {
                x = graph.builder.add(&x, &input);
            }
        }
        let x = graph.conv(&x, &self.last)?;
        Ok(graph.builder.relu6(&x))
    }
}
