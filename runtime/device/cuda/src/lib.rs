//! NVIDIA GPUs as devices. Generated CUDA C++ is compiled at run time; NVIDIA's libraries compute matmuls and convolutions.
//!
//! The libraries are loaded when they are needed first. So a gmpc built with this crate (its feature `cuda`) starts on any
//! machine, and reports a library that is missing.

#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::disallowed_methods,
        reason = "numbers of tests are small, and their inputs need no last digit"
    )
)]

mod cache;
mod compile;
mod convolution;
mod driver;
mod failed;
#[cfg(test)]
mod fake;
mod gather;
mod gpu;
mod library;
mod matmul;
mod memory;
mod nvidia;
mod probe;
mod run;
mod shared;

pub use compile::{Cubin, compile, ptx};
pub use gpu::Gpu;
pub use run::compile_for;

use gmpc_device::{Device, DeviceError};
use std::sync::Arc;

/// Opens the first GPU of this machine.
///
/// # Errors
/// The driver, a GPU or a library is missing. The error names it and a next step.
pub fn open() -> Result<Arc<dyn Device>, DeviceError> {
    Gpu::open(0).map(|gpu| Arc::new(gpu) as Arc<dyn Device>)
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
