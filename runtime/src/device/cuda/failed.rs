//! The words for what NVIDIA's driver or a library refuses.

use super::super::DeviceError;

/// What the driver or a library said about something that did not work.
pub(super) fn failed(what: &str, error: &dyn std::fmt::Debug) -> DeviceError {
    DeviceError { message: format!("{what} ({error:?})"), help: None }
}
