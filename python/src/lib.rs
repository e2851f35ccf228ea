//! The extension module `gmpc._gmpc`: what the Python files of the package `gmpc` call. It parses no options and prints nothing;
//! it calls the same library functions as the program `gmpc`, without Python's lock while they work.

#![forbid(unsafe_code)]

mod check;
mod compare;
mod diagnostic;
mod failure;
mod request;
mod run;
mod train;
mod work;

use pyo3::prelude::*;

/// See the package's own files; nothing here is for users.
#[pymodule]
mod _gmpc {
    #[pymodule_export]
    use crate::check::check;
    #[pymodule_export]
    use crate::compare::compare;
    #[pymodule_export]
    use crate::diagnostic::{Diagnostic, Label};
    #[pymodule_export]
    use crate::run::Run;
    #[pymodule_export]
    use crate::train::train;

    /// Of the package and of the program.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
