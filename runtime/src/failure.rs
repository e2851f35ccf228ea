//! Everything that can keep the runtime from doing what it was asked to, one variant an exit code.

use crate::device::DeviceError;
use crate::diverge::Divergence;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Sources;
use std::path::Path;

/// Why something was not done.
pub enum Failure {
    /// The file is wrong: every diagnostic, and the texts they point into. Exit code 1.
    File {
        /// Errors and warnings in the order they are told.
        diagnostics: Vec<Diagnostic>,
        /// What the spans refer to.
        sources: Box<Sources>,
    },
    /// What was asked for makes no sense for this run. Exit code 2.
    Usage(Told),
    /// A data set is missing, damaged, or not what its declaration says. Exit code 3.
    Data(Told),
    /// A number in training was not finite. Exit code 4.
    Diverged(Box<Divergence>),
    /// The device failed. Exit code 5.
    Device(DeviceError),
    /// Reading or writing failed. Exit code 6.
    Io(Told),
    /// A promise of ours did not hold. Exit code 70.
    Bug(String),
}

/// A sentence and a next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// One sentence, no full stop.
    pub message: String,
    /// One next step.
    pub help: Option<String>,
}

impl Told {
    /// A sentence alone.
    pub fn new(message: impl Into<String>) -> Self {
        Told { message: message.into(), help: None }
    }

    /// Adds the next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Failure {
    /// Doing something with a path failed: `cannot write runs/a/last.safetensors: no space left on device`.
    #[must_use]
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Failure::Io(Told::new(format!("cannot {doing} {}: {error}", path.display())))
    }

    /// What the process ends with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::File { .. } => 1,
            Failure::Usage(_) => 2,
            Failure::Data(_) => 3,
            Failure::Diverged(_) => 4,
            Failure::Device(_) => 5,
            Failure::Io(_) => 6,
            Failure::Bug(_) => 70,
        }
    }

    /// The next step, if there is one.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        match self {
            Failure::Usage(told) | Failure::Data(told) | Failure::Io(told) => told.help.as_deref(),
            Failure::Device(error) => error.help.as_deref(),
            Failure::Diverged(divergence) => Some(divergence.help()),
            Failure::File { .. } | Failure::Bug(_) => None,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::File { diagnostics, .. } => match diagnostics.first() {
                Some(first) => f.write_str(&first.message),
                None => f.write_str("the file is wrong"),
            },
            Failure::Usage(told) | Failure::Data(told) | Failure::Io(told) => f.write_str(&told.message),
            Failure::Diverged(divergence) => divergence.fmt(f),
            Failure::Device(error) => error.fmt(f),
            Failure::Bug(what) => write!(f, "a bug in gmpc: {what}"),
        }
    }
}

impl std::fmt::Debug for Failure {
    /// The sentence, for `unwrap` in tests: the texts that spans point into are long.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}: {self}", self.exit_code())?;
        self.help().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}

impl std::error::Error for Failure {}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        Failure::Device(error)
    }
}
