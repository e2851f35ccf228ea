//! Why a command did not do its work, and the exit code that says so.

use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Sources;

/// Every way a command can end without success.
#[derive(Debug)]
pub enum Failure {
    /// The file is wrong: one or more diagnostics with the texts they point into.
    File(Box<Findings>),
    /// Anything else, in one sentence.
    Other(Problem),
}

/// Diagnostics together with the texts their labels lie in.
#[derive(Debug, Default)]
pub struct Findings {
    /// Errors and warnings, in the order they are told.
    pub diagnostics: Vec<Diagnostic>,
    /// What their spans refer to.
    pub sources: Sources,
}

/// A failure with no place in a `.gmpnet` file.
#[derive(Debug)]
pub struct Problem {
    /// Decides the exit code.
    pub kind: Kind,
    /// `E0750`, where the library has a page for it.
    pub code: Option<&'static str>,
    /// One sentence, no full stop.
    pub message: String,
    /// One next step.
    pub help: Option<String>,
}

/// What went wrong, one variant an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file that is not as it should be, in a way that has no place in it.
    File,
    /// The arguments do not make sense together.
    Usage,
    /// A data set is missing, truncated, malformed.
    Data,
    /// A loss that is not finite, gradients that do not agree.
    Diverged,
    /// The device could not run the program.
    Device,
    /// Reading or writing a file failed.
    Io,
    /// We broke a promise of our own.
    Bug,
    /// SIGINT or SIGTERM, after the state was saved.
    Stopped(i32),
}

impl Kind {
    /// The `code` of the JSON error line, where a diagnostic would have `E0303`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Usage => "usage",
            Kind::Data => "data",
            Kind::Diverged => "diverged",
            Kind::Device => "device",
            Kind::Io => "io",
            Kind::Bug => "bug",
            Kind::Stopped(_) => "stopped",
        }
    }
}

impl Failure {
    /// A failure of this kind in one sentence.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Failure::Other(Problem { kind, code: None, message: message.into(), help: None })
    }

    /// A failure with a next step.
    pub fn with_help(kind: Kind, message: impl Into<String>, help: impl Into<String>) -> Self {
        Failure::Other(Problem { kind, code: None, message: message.into(), help: Some(help.into()) })
    }

    /// Reading or writing `path` failed.
    pub fn io(verb: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Failure::new(Kind::Io, format!("cannot {verb} {}: {error}", path.display()))
    }

    /// What the process exits with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::File(_) => 1,
            Failure::Other(problem) => match problem.kind {
                Kind::File => 1,
                Kind::Usage => 2,
                Kind::Data => 3,
                Kind::Diverged => 4,
                Kind::Device => 5,
                Kind::Io => 6,
                Kind::Bug => 70,
                Kind::Stopped(signal) => u8::try_from(128 + signal).unwrap_or(130),
            },
        }
    }
}

impl From<gmpc_compiler::resolve::Failure> for Failure {
    fn from(failure: gmpc_compiler::resolve::Failure) -> Self {
        Failure::File(Box::new(Findings { diagnostics: failure.diagnostics, sources: failure.sources }))
    }
}

impl From<gmpc_runtime::data::DataError> for Failure {
    fn from(error: gmpc_runtime::data::DataError) -> Self {
        let kind = match error.fault {
            gmpc_runtime::data::Fault::Data => Kind::Data,
            gmpc_runtime::data::Fault::InputOutput => Kind::Io,
        };
        Failure::Other(Problem { kind, code: Some(error.code), message: error.to_string(), help: error.help })
    }
}

impl From<gmpc_runtime::failure::Failure> for Failure {
    fn from(failure: gmpc_runtime::failure::Failure) -> Self {
        use gmpc_runtime::failure::Failure as Runtime;
        let kind = match failure {
            Runtime::File { diagnostics, sources } => {
                return Failure::File(Box::new(Findings { diagnostics, sources: *sources }));
            }
            Runtime::Usage(_) => Kind::Usage,
            Runtime::Data(_) => Kind::Data,
            Runtime::Diverged(_) => Kind::Diverged,
            Runtime::Device(_) => Kind::Device,
            Runtime::Io(_) => Kind::Io,
            Runtime::Bug(_) => Kind::Bug,
        };
        let help = failure.help().map(str::to_string);
        Failure::Other(Problem { kind, code: None, message: failure.to_string(), help })
    }
}
