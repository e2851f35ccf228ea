//! The names that a compile-time expression may use.

use crate::ir::module::{Definitions, ParamUse, Value};
use std::collections::BTreeMap;

/// The names and definitions that a compile-time expression may use.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Values by their name with dots: `stride`, `input.channels`.
    pub names: &'a BTreeMap<String, Value>,
    /// The parameterization that `match param` compares with; `None` where there is none.
    pub param: Option<&'a ParamUse>,
    /// The definitions in which initializers and parameterizations are found.
    pub definitions: &'a Definitions,
    /// Plain words that are values here: `same`, `all`, `relu`.
    pub words: &'a [&'a str],
    /// How many defaults are being evaluated inside each other.
    pub depth: usize,
}

impl<'a> Scope<'a> {
    /// A scope with names only.
    #[must_use]
    pub fn new(names: &'a BTreeMap<String, Value>, definitions: &'a Definitions) -> Self {
        Scope { names, param: None, definitions, words: &[], depth: 0 }
    }
}
