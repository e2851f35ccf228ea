//! The error for data that cannot be used: the file, the position in it, the reason, and one next step.

use std::fmt;
use std::path::Path;

/// The kind of an error, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The data are missing or damaged, or do not match the declaration. Exit code 3.
    Data,
    /// The disk or the network failed. Exit code 6.
    InputOutput,
}

/// Why a data set cannot be used.
///
/// Prints as `yacht.csv, line 7, column 3: `abc` is not a number`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataError {
    /// The code of its page, such as `E0750`. A code never changes its meaning.
    pub code: &'static str,
    /// The kind of the error.
    pub fault: Fault,
    /// The file, or the address, that it is about.
    pub file: String,
    /// Line of a text file, counted from 1.
    pub line: Option<u32>,
    /// Column of a table, counted from 1.
    pub column: Option<u32>,
    /// One sentence without a full stop.
    pub reason: String,
    /// One next step.
    pub help: Option<String>,
}

impl DataError {
    /// The data are wrong.
    pub fn data(code: &'static str, file: impl Into<String>, reason: impl Into<String>) -> Self {
        let (file, reason) = (file.into(), reason.into());
        DataError { code, fault: Fault::Data, file, line: None, column: None, reason, help: None }
    }

    /// The disk or the network failed.
    pub fn io(file: &Path, doing: &str, error: &std::io::Error) -> Self {
        let fault = Fault::InputOutput;
        let error =
            Self::data("E0751", file.display().to_string(), format!("cannot {doing}: {error}")).help(way_on(error));
        DataError { fault, ..error }
    }

    /// Adds a line, counted from 1.
    #[must_use]
    pub fn at_line(mut self, line: u64) -> Self {
        self.line = u32::try_from(line).ok();
        self
    }

    /// Adds a column, counted from 0. It is printed as counted from 1.
    #[must_use]
    pub fn at_column(mut self, index: usize) -> Self {
        self.column = u32::try_from(index).ok().and_then(|index| index.checked_add(1));
        self
    }

    /// Adds the next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The exit code of the process: 3 for data, 6 for input/output.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self.fault {
            Fault::Data => 3,
            Fault::InputOutput => 6,
        }
    }
}

/// The next step for an error of the operating system.
#[must_use]
pub fn way_on(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound => "is the name right? Paths are relative to the current folder",
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => "get the permission (`ls -ld`), or choose another folder",
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => {
            "free some disk space, or choose another folder"
        }
        Kind::AlreadyExists | Kind::NotADirectory | Kind::IsADirectory => {
            "there is a file instead of a folder, or a folder instead of a file: choose another name"
        }
        Kind::InvalidData => "is it the file you mean? It should be text in UTF-8",
        _ => "try again; if the answer is the same, the disk or its network is at fault",
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for DataError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_file_the_place_and_the_reason() {
        let error = DataError::data("E0753", "a.csv", "`x` is not a number").at_line(7).at_column(2);
        assert_eq!(error.to_string(), "a.csv, line 7, column 3: `x` is not a number");
        assert_eq!(error.exit_code(), 3);
    }

    #[test]
    fn a_disk_fault_has_its_own_exit_code() {
        let error = DataError::io(Path::new("a.csv"), "read it", &std::io::Error::other("disk on fire"));
        assert_eq!((error.exit_code(), error.to_string().as_str()), (6, "a.csv: cannot read it: disk on fire"));
    }
}
