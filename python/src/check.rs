//! `check`: a text to its diagnostics.

use crate::diagnostic::Diagnostic;
use crate::request::{Set, device, of_text, overrides};
use crate::work::short;
use gmpc_runtime::task;
use pyo3::prelude::*;
use std::num::NonZero;
use std::path::PathBuf;

/// What `gmpc.check` asks for, a dictionary in Python.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Asked {
    text: String,
    name: String,
    /// The folder that tables are looked for in.
    beside: Option<PathBuf>,
    param: Option<String>,
    set: Set,
    seed: Option<u64>,
    data_dir: Option<PathBuf>,
}

/// Everything that is wrong or worth telling about a text; nothing is trained.
#[pyfunction]
pub fn check(py: Python<'_>, asked: Asked) -> PyResult<Vec<Diagnostic>> {
    let Asked { text, name, beside, param, set, seed, data_dir } = asked;
    short(py, move || {
        // The file need not be there: only its folder is asked for.
        let file = beside.map(|folder| folder.join("file.gmpnet"));
        let (overrides, one) = (overrides(param, set, seed), device(NonZero::new(1)));
        let request = of_text((name, text), file.as_deref(), overrides, data_dir.as_deref(), one);
        Ok(match task::check::check(&request) {
            Ok((_, warnings)) => Diagnostic::all(&warnings),
            Err(failure) => Diagnostic::of_failure(&failure),
        })
    })
}
