//! The reference device: slow and simple. Tests and `--device candle` compare other devices with it.
//!
//! The feature `candle`, which tests enable, adds it to a build. A gmpc without the feature knows the name of the device and
//! tells the user how to build it.

#![forbid(unsafe_code)]
#![warn(clippy::wildcard_enum_match_arm)]
#![cfg_attr(test, allow(clippy::cast_possible_truncation, reason = "numbers of tests are small"))]

#[cfg(feature = "candle")]
mod candle;

#[cfg(feature = "candle")]
pub use candle::{Candle, is_finite, trace};

use gmpc_device::{Device, DeviceError};
use std::sync::Arc;

/// The reference device.
///
/// # Errors
/// Built without the feature `candle`, with the command that builds it.
#[cfg(feature = "candle")]
pub fn open() -> Result<Arc<dyn Device>, DeviceError> {
    Ok(Arc::new(Candle))
}

/// The reference device.
///
/// # Errors
/// Built without the feature `candle`, with the command that builds it.
#[cfg(not(feature = "candle"))]
pub fn open() -> Result<Arc<dyn Device>, DeviceError> {
    Err(DeviceError {
        message: "this gmpc was built without the reference device".into(),
        help: Some("build it with `cargo build --release --features candle`".into()),
    })
}
