//! Errors of NVIDIA's driver and libraries.

use gmpc_device::DeviceError;

/// An error of the driver or a library: what failed, and the error's code.
pub(super) fn failed(what: &str, error: &dyn std::fmt::Debug) -> DeviceError {
    DeviceError { message: format!("{what} ({error:?})"), help: None }
}
