//! Which layers stay as they are while the rest learns.

use std::str::FromStr;

use burn::module::Module;

use super::{Backbone, Network};

/// What is frozen. Frozen batch normalisation keeps its running statistics too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeze {
    None,
    /// The whole backbone; only the head learns.
    All,
    /// The first convolution and the blocks up to this one, counted from 0.
    UpTo(usize),
}

impl FromStr for Freeze {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "all" => Ok(Self::All),
            number => number
                .parse()
                .map(Self::UpTo)
                .map_err(|_| "give none, all or the number of a block, counted from 0".to_owned()),
        }
    }
}

impl std::fmt::Display for Freeze {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::All => f.write_str("all"),
            Self::UpTo(block) => write!(f, "{block}"),
        }
    }
}

impl Network {
    /// This network with just `freeze` frozen and everything else free, whatever was frozen before.
    pub fn frozen(self, freeze: Freeze) -> Self {
        let Self { backbone, head } = self;
        let mut backbone = backbone.unfreeze();
        match freeze {
            Freeze::None => (),
            Freeze::All => backbone = backbone.freeze(),
            Freeze::UpTo(last) => match &mut backbone {
                Backbone::MobileNet(network) => {
                    network.stem = network.stem.clone().freeze();
                    freeze_first(&mut network.blocks, last);
                }
                Backbone::ResNet(network) => {
                    network.stem = network.stem.clone().freeze();
                    freeze_first(&mut network.blocks, last);
                }
            },
        }
        Self { backbone, head }
    }

    /// Blocks of the backbone.
    pub fn blocks(&self) -> usize {
        match &self.backbone {
            Backbone::MobileNet(network) => network.blocks.len(),
            Backbone::ResNet(network) => network.blocks.len(),
        }
    }
}

fn freeze_first<M: Module>(blocks: &mut [M], last: usize) {
    for block in blocks.iter_mut().take(last + 1) {
        *block = block.clone().freeze();
    }
}
