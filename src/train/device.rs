//! What a training calculates on.

use burn::tensor::Device;

use super::WrongUse;

/// `--device`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Choice {
    /// The processor, with kernels of our own
    Cpu,
    /// A graphics card, over Vulkan, Metal or DirectX 12; of a program built with the feature gpu
    Gpu,
}

impl Choice {
    /// The device, not yet one for gradients. Refused where the program was built without graphics
    /// cards, or none answers.
    pub fn open(self) -> Result<Device, WrongUse> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Gpu => gpu(),
        }
    }
}

#[cfg(not(feature = "gpu"))]
fn gpu() -> Result<Device, WrongUse> {
    let wrong = "--device gpu: this program is built without; cargo build --release --features gpu";
    Err(WrongUse(wrong.into()))
}

/// A card with memory of its own before one without; last what only emulates one.
#[cfg(feature = "gpu")]
fn gpu() -> Result<Device, WrongUse> {
    use burn::tensor::{DeviceKind, DeviceType};

    let found = Device::enumerate(DeviceType::Wgpu);
    let kinds =
        [DeviceKind::DiscreteGpu(0), DeviceKind::IntegratedGpu(0), DeviceKind::VirtualGpu(0)];
    let emulated = Device::wgpu(DeviceKind::Cpu);
    let device = kinds.map(Device::wgpu).into_iter().chain([emulated.clone()]);
    let Some(device) = device.into_iter().find(|device| found.iter().any(|one| one == device))
    else {
        let wrong =
            "--device gpu: no graphics card answers; `vulkaninfo --summary` lists what does";
        return Err(WrongUse(wrong.into()));
    };
    let name = device.identity().map_or_else(|| "a graphics card".into(), |identity| identity.name);
    note!("trains on {name}; the first steps are slow, they find its fastest kernels");
    if device == emulated {
        log::warn!("--device gpu: {name} is emulated by the processor; --device cpu is faster");
    }
    Ok(device)
}
