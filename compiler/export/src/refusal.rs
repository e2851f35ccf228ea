//! Why a network is not written in a form.

use std::fmt;

/// A sentence and a next step, with the code of their page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `E0593`
    pub code: &'static str,
    /// One sentence, no full stop.
    pub message: String,
    /// One next step.
    pub help: String,
}

impl Refusal {
    /// A tensor that the run should have, and has not, or not in this size.
    pub(crate) fn missing(name: &str) -> Self {
        Refusal {
            code: "E0580",
            message: format!("the checkpoint has no tensor `{name}` of this size"),
            help: "export a run whose checkpoint is whole".into(),
        }
    }

    /// What we broke ourselves: the description of the network contradicts itself.
    pub(crate) fn inside(what: impl fmt::Display) -> Self {
        Refusal {
            code: "E0594",
            message: format!("the network cannot be described: {what}"),
            help: "this is a fault of gmpc: please report it".into(),
        }
    }
}
