//! Why a command failed, and its exit code.

use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Sources;
use gmpc_runtime::failure::Place;

/// The failure of a command.
#[derive(Debug)]
pub enum Failure {
    /// The .gmpnet file has errors.
    File(Box<Findings>),
    /// Any other failure, in one sentence.
    Other(Problem),
}

/// Diagnostics, and the texts that their labels point into.
#[derive(Debug, Default)]
pub struct Findings {
    /// Errors and warnings, in the order in which they are printed.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that their spans point into.
    pub sources: Sources,
}

/// A failure without a position in a `.gmpnet` file.
#[derive(Debug)]
pub struct Problem {
    /// Decides the exit code.
    pub kind: Kind,
    /// The code of its page, such as `E0750`, if it has one.
    pub code: Option<&'static str>,
    /// The position in a data file, if it has one.
    pub place: Option<Box<Place>>,
    /// One sentence without a full stop.
    pub message: String,
    /// One next step.
    pub help: Option<String>,
}

/// The kinds of failures, one for each exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file is not as it should be, and the problem has no position in it.
    File,
    /// The arguments contradict each other or the file.
    Usage,
    /// A data set is missing, incomplete or malformed.
    Data,
    /// A loss is not finite, or gradients are wrong.
    Diverged,
    /// The device could not run the program.
    Device,
    /// Reading or writing a file failed.
    Io,
    /// An internal error of gmpc.
    Bug,
    /// This signal (SIGINT, SIGTERM or SIGHUP) stopped the command, after its state was saved.
    Stopped(i32),
}

impl Kind {
    /// The code of the page for failures of this kind that have no page of their own; `None` if a page could not help.
    pub fn code(self) -> Option<&'static str> {
        match self {
            Kind::Io => Some("E0807"),
            Kind::Diverged => Some("E0815"),
            Kind::Device => Some("E0816"),
            Kind::Usage => Some("E0817"),
            Kind::Data => Some("E0818"),
            Kind::File => Some("E0819"),
            Kind::Bug | Kind::Stopped(_) => None,
        }
    }

    /// The `kind` of the JSON error line.
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
    /// A failure of this kind, in one sentence.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Failure::Other(Problem { kind, code: kind.code(), place: None, message: message.into(), help: None })
    }

    /// A failure with a next step.
    pub fn with_help(kind: Kind, message: impl Into<String>, help: impl Into<String>) -> Self {
        let (code, message) = (kind.code(), message.into());
        Failure::Other(Problem { kind, code, place: None, message, help: Some(help.into()) })
    }

    /// Reading or writing `path` failed.
    pub fn io(verb: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        gmpc_runtime::failure::Failure::io(verb, path, error).into()
    }

    /// The exit code of the process.
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

impl From<gmpc_compiler::front::resolve::Failure> for Failure {
    fn from(failure: gmpc_compiler::front::resolve::Failure) -> Self {
        Failure::File(Box::new(Findings { diagnostics: failure.diagnostics, sources: failure.sources }))
    }
}

impl From<gmpc_data::DataError> for Failure {
    fn from(error: gmpc_data::DataError) -> Self {
        let kind = match error.fault {
            gmpc_data::Fault::Data => Kind::Data,
            gmpc_data::Fault::InputOutput => Kind::Io,
        };
        let place = Some(Box::new(Place::from(&error)));
        Failure::Other(Problem { kind, code: Some(error.code), place, message: error.to_string(), help: error.help })
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
        let place = failure.place().filter(|place| !place.file.is_empty()).cloned().map(Box::new);
        let code = failure.code();
        Failure::Other(Problem { kind, code, place, message: failure.to_string(), help })
    }
}
