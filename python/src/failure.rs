//! Failures as Python exceptions, and warnings as Python warnings. Their classes are in `gmpc/errors.py`.

use crate::diagnostic::Diagnostic;
use gmpc_runtime::failure::Failure;
use pyo3::prelude::*;

/// The class of an exception, one for each exit code of the program.
fn class(failure: &Failure) -> &'static str {
    match failure {
        Failure::File { .. } => "SourceError",
        Failure::Usage(_) => "UsageError",
        Failure::Data(_) => "DataError",
        Failure::Diverged(_) => "DivergedError",
        Failure::Device(_) => "DeviceError",
        Failure::Io(_) => "InputOutputError",
        Failure::Bug(_) => "InternalError",
    }
}

/// The exception that a failure becomes; where its class cannot be loaded, the exception of that.
pub fn raised(py: Python<'_>, failure: &Failure) -> PyErr {
    let all = Diagnostic::of_failure(failure);
    // Warnings of a file that is wrong come with it; the exception speaks of the first error.
    let first = all.iter().find(|diagnostic| diagnostic.is_error()).or(all.first()).cloned();
    let made = || py.import("gmpc.errors")?.getattr(class(failure))?.call1((first, all));
    made().map_or_else(|error| error, PyErr::from_value)
}

/// Training that gave nothing, of which no single run can tell.
pub fn diverged(py: Python<'_>, message: &str, help: &str) -> PyErr {
    let told = Diagnostic::error("E0815", message, help);
    let made = || py.import("gmpc.errors")?.getattr("DivergedError")?.call1((told.clone(), vec![told]));
    made().map_or_else(|error| error, PyErr::from_value)
}

/// Tells warnings as Python does, for the line of the user's that called the package.
pub fn warn(py: Python<'_>, told: Vec<Diagnostic>) -> PyResult<()> {
    let warn = py.import("gmpc.errors")?.getattr("warn")?;
    told.into_iter().try_for_each(|diagnostic| warn.call1((diagnostic,)).map(drop))
}
