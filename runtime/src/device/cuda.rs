//! NVIDIA's GPUs: generated CUDA C++ compiled at run time, products and convolutions from NVIDIA's libraries.
//!
//! Everything is behind the feature `cuda` and loaded when it is first asked for: a gmpc built with it starts on any
//! machine, and says what is missing where something is.

#[cfg(feature = "cuda")]
mod cache;
#[cfg(feature = "cuda")]
mod compile;
#[cfg(feature = "cuda")]
mod convolution;
#[cfg(feature = "cuda")]
mod driver;
#[cfg(feature = "cuda")]
mod failed;
#[cfg(all(test, feature = "cuda"))]
mod fake;
#[cfg(feature = "cuda")]
mod gather;
#[cfg(feature = "cuda")]
mod gpu;
#[cfg(feature = "cuda")]
mod library;
#[cfg(feature = "cuda")]
mod memory;
#[cfg(feature = "cuda")]
mod nvidia;
#[cfg(feature = "cuda")]
mod probe;
#[cfg(feature = "cuda")]
mod product;
#[cfg(feature = "cuda")]
mod run;
#[cfg(feature = "cuda")]
mod shared;

#[cfg(feature = "cuda")]
pub use compile::{Cubin, compile, ptx};
#[cfg(feature = "cuda")]
pub use gpu::Gpu;
#[cfg(feature = "cuda")]
pub use run::ahead;

use super::{Device, DeviceError};
use std::sync::Arc;

/// The first GPU of this machine.
///
/// # Errors
/// Built without the feature `cuda`, or no driver, no GPU, no library: which, and what to do.
#[cfg(feature = "cuda")]
pub fn open() -> Result<Arc<dyn Device>, DeviceError> {
    Gpu::open(0).map(|gpu| Arc::new(gpu) as Arc<dyn Device>)
}

/// The first GPU of this machine.
///
/// # Errors
/// Built without the feature `cuda`, or no driver, no GPU, no library: which, and what to do.
#[cfg(not(feature = "cuda"))]
pub fn open() -> Result<Arc<dyn Device>, DeviceError> {
    Err(absent())
}

/// The PTX of a source for GPUs of compute capability 9.0.
///
/// # Errors
/// Built without the feature `cuda`, or without NVIDIA's compiler.
#[cfg(not(feature = "cuda"))]
pub fn ptx(_source: &str) -> Result<String, DeviceError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_what_it_needs_it_says_what_and_does_not_panic() {
        match open() {
            Ok(device) => assert_eq!(device.name(), "cuda"),
            Err(error) => {
                assert!(!error.message.is_empty());
                assert!(error.help.is_some(), "{error}");
            }
        }
    }
}
