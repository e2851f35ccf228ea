//! Why the header of an array is refused.

/// Why a header is refused, and the next step if it is not `numpy.save`.
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) help: Option<String>,
}

impl Refused {
    pub(super) fn with_help(reason: impl Into<String>, help: impl Into<String>) -> Self {
        Refused { reason: reason.into(), help: Some(help.into()) }
    }
}

impl From<String> for Refused {
    fn from(reason: String) -> Self {
        Refused { reason, help: None }
    }
}

impl From<&str> for Refused {
    fn from(reason: &str) -> Self {
        Refused { reason: reason.to_string(), help: None }
    }
}
