//! Element types and devices, from configuration to candle.
//!
//! CUDA and Metal need the build feature of the same name; without it the error says so.
//! Source: candle-core's `Device`.

use crate::config::{DeviceKind, Precision};
use crate::error::{Error, Result};
use candle_core::{DType, Device};

/// candle's name of an element type.
pub(super) fn dtype_of(precision: Precision) -> DType {
    match precision {
        Precision::F32 => DType::F32,
        Precision::F16 => DType::F16,
        Precision::Bf16 => DType::BF16,
    }
}

/// The device, or why it cannot be had.
pub(super) fn open_device(kind: DeviceKind) -> Result<Device> {
    let (name, feature, built, opened) = match kind {
        DeviceKind::Cpu => return Ok(Device::Cpu),
        DeviceKind::Cuda => ("cuda", "cuda", cfg!(feature = "cuda"), Device::new_cuda(0)),
        DeviceKind::Metal => (
            "metal",
            "metal",
            cfg!(feature = "metal"),
            Device::new_metal(0),
        ),
    };
    opened.map_err(|err| Error::Config {
        config: "TransformerConfig",
        field: "device",
        value: name.to_owned(),
        reason: if built {
            err.to_string()
        } else {
            format!("this build has no {name}; build holoscope with `--features {feature}`")
        },
    })
}
