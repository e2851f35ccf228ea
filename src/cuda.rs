//! NVIDIA GPUs, if this gmpc was built with them. Only this file uses the feature `cuda`.

use gmpc_device::{Device, DeviceError};
use std::sync::Arc;

/// The first GPU of this machine.
///
/// # Errors
/// gmpc was built without the feature `cuda`, or the driver, the GPU or a library is missing; the message says which
/// and what to do.
pub fn open() -> Result<Arc<dyn Device>, DeviceError> {
    #[cfg(feature = "cuda")]
    return gmpc_device_cuda::open();
    #[cfg(not(feature = "cuda"))]
    Err(absent())
}

/// The PTX of a CUDA source, for GPUs of compute capability 9.0.
///
/// # Errors
/// gmpc was built without the feature `cuda`, or NVIDIA's compiler is missing.
#[cfg_attr(not(feature = "cuda"), expect(unused_variables, reason = "only the feature compiles"))]
pub fn ptx(source: &str) -> Result<String, DeviceError> {
    #[cfg(feature = "cuda")]
    return gmpc_device_cuda::ptx(source);
    #[cfg(not(feature = "cuda"))]
    Err(absent())
}

#[cfg(not(feature = "cuda"))]
fn absent() -> DeviceError {
    DeviceError {
        message: "this gmpc is built without CUDA".into(),
        help: Some(
            "install NVIDIA's driver and CUDA 13 with cuDNN 9, and build with `cargo build --release --features cuda`"
                .into(),
        ),
    }
}
