//! Why a command could not do what it was asked for: one variant for each exit code.

use crate::diverge::Divergence;
use gmpc_device::DeviceError;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Sources;
use std::path::Path;

/// Why a command could not do what it was asked for.
pub enum Failure {
    /// The .gmpnet file has errors. Exit code 1.
    File {
        /// All errors and warnings, in the order in which they are printed.
        diagnostics: Vec<Diagnostic>,
        /// The texts that the spans of the diagnostics point into.
        sources: Box<Sources>,
    },
    /// The request does not fit the file, the run or the other options. Exit code 2.
    Usage(Message),
    /// A data set is missing or damaged, or does not match its declaration. Exit code 3.
    Data(Message),
    /// A number in training was not finite. Exit code 4.
    Diverged(Box<Divergence>),
    /// The device failed. Exit code 5.
    Device(DeviceError),
    /// Reading or writing failed. Exit code 6.
    Io(Message),
    /// An internal error of gmpc. Exit code 70.
    Bug(String),
}

/// One sentence that says what is wrong, and one next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One sentence, no full stop.
    pub message: String,
    /// One next step, if there is one.
    pub help: Option<String>,
    /// The code of its page, and the position in a file that it is about, if there is one.
    pub place: Option<Box<Place>>,
}

/// The code of a page, and a position in a file of data or of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The code of the page, such as `E0755`.
    pub code: &'static str,
    /// The file or folder that the message is about; empty if it is about none.
    pub file: String,
    /// Line, counted from 1.
    pub line: Option<u32>,
    /// Column, counted from 1.
    pub column: Option<u32>,
}

impl From<&gmpc_data::DataError> for Place {
    fn from(error: &gmpc_data::DataError) -> Self {
        Place { code: error.code, file: error.file.clone(), line: error.line, column: error.column }
    }
}

impl Message {
    /// A sentence without a next step.
    pub fn new(message: impl Into<String>) -> Self {
        Message { message: message.into(), help: None, place: None }
    }

    /// Adds the code of the page, and the file or folder that the message is about.
    #[must_use]
    pub fn at(mut self, code: &'static str, path: &Path) -> Self {
        self.place = Some(Box::new(Place { code, file: path.display().to_string(), line: None, column: None }));
        self
    }

    /// Adds the code of the page.
    #[must_use]
    pub fn code(self, code: &'static str) -> Self {
        self.at(code, Path::new(""))
    }

    /// Adds the next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Failure {
    /// An operation on a path failed: `cannot write runs/a/last.safetensors: no space left on device`.
    #[must_use]
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        let message = Message::new(format!("cannot {doing} {}: {error}", path.display())).at("E0807", path);
        Failure::Io(message.help(gmpc_data::way_on(error)))
    }

    /// The code of the page about this failure. A message without a code of its own has the code of its kind. `None`
    /// for diagnostics, which carry their own codes, and for internal errors.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        let of_kind = match self {
            Failure::File { .. } | Failure::Bug(_) => None,
            Failure::Usage(_) => Some("E0817"),
            Failure::Data(_) => Some("E0818"),
            Failure::Diverged(_) => Some("E0815"),
            Failure::Device(_) => Some("E0816"),
            Failure::Io(_) => Some("E0807"),
        };
        self.place().map(|place| place.code).or(of_kind)
    }

    /// The exit code of the process, as [`Failure`] lists them.
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

    /// The code and the position in a file that the message carries, if it carries one.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Failure::Usage(message) | Failure::Data(message) | Failure::Io(message) => message.place.as_deref(),
            Failure::File { .. } | Failure::Diverged(_) | Failure::Device(_) | Failure::Bug(_) => None,
        }
    }

    /// The next step, if there is one.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        match self {
            Failure::Usage(message) | Failure::Data(message) | Failure::Io(message) => message.help.as_deref(),
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
            Failure::Usage(message) | Failure::Data(message) | Failure::Io(message) => f.write_str(&message.message),
            Failure::Diverged(divergence) => divergence.fmt(f),
            Failure::Device(error) => error.fmt(f),
            Failure::Bug(what) => write!(f, "a bug in gmpc: {what}"),
        }
    }
}

impl std::fmt::Debug for Failure {
    /// Writes the sentence instead of the fields, for `unwrap` in tests: a field holds whole source texts.
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
