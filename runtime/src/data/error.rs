//! What is told when data cannot be used: the file, the place in it, the reason, and one next step.

use std::fmt;
use std::path::Path;

/// Whose fault it is, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The data are missing, damaged or not what the declaration says: exit code 3.
    Data,
    /// The disk or the network failed: exit code 6.
    InputOutput,
}

/// Why a data set cannot be used.
///
/// Prints as `yacht.csv, line 7, column 3: `abc` is not a number`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataError {
    /// `E0750`, stable for ever; `gmpc explain` has a page for each.
    pub code: &'static str,
    /// Data or input/output.
    pub fault: Fault,
    /// The file (or the address) it is about, as a person knows it.
    pub file: String,
    /// 1-based line of a text file.
    pub line: Option<u32>,
    /// 1-based column of a table: the third cell of a line is column 3.
    pub column: Option<u32>,
    /// One sentence, no full stop.
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
        DataError { fault, ..Self::data("E0751", file.display().to_string(), format!("cannot {doing}: {error}")) }
    }

    /// Adds a line, 1-based.
    #[must_use]
    pub fn at_line(mut self, line: u64) -> Self {
        self.line = u32::try_from(line).ok();
        self
    }

    /// Adds a column, 0-based here, 1-based when told.
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

    /// What the process ends with: 3 for data, 6 for input/output.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self.fault {
            Fault::Data => 3,
            Fault::InputOutput => 6,
        }
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
