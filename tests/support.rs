//! Running the program as a user does, and finding the data and golden folders.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a run of the program left behind.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; 128 + signal where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Fails, with everything the program said, unless it ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard output as JSON lines.
    #[track_caller]
    pub fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The last JSON line with this `event`.
    #[track_caller]
    pub fn event(&self, event: &str) -> serde_json::Value {
        let found = self.json().into_iter().rev().find(|line| line["event"] == event);
        found.unwrap_or_else(|| panic!("no {event} line in\n{}", self.stdout))
    }
}

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program, run in the root of the workspace with an environment of its own: no colours, no data folder.
pub fn gmpc(arguments: &[&str]) -> Ran {
    gmpc_in(root(), arguments)
}

/// The program, run in another folder.
pub fn gmpc_in(folder: &Path, arguments: &[&str]) -> Ran {
    run(command(folder, arguments))
}

/// The program, ready to be started.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gmpc"));
    command.current_dir(folder).args(arguments).env("NO_COLOR", "1").env_remove("GMPNET_DATA");
    command
}

/// Runs a command to its end.
pub fn run(mut command: Command) -> Ran {
    let output = command.output().expect("the program starts");
    Ran {
        code: code(output.status),
        stdout: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
    }
}

/// As a shell tells it.
pub fn code(status: std::process::ExitStatus) -> i32 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128 + signal;
    }
    status.code().unwrap_or(-1)
}

/// The folder with the real data sets, if it is here. With `CI` set it has to be.
pub fn data_dir() -> Option<PathBuf> {
    let named = std::env::var_os("GMPNET_DATA").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root().join("../shared/data"));
    let found = folder.join("uci/yacht/data/data.txt").is_file().then_some(folder);
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "with CI set, the data have to be here: set GMPNET_DATA"
    );
    found
}

/// Writes a file into a folder and gives its path as text.
pub fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file in a temporary folder");
    path.to_string_lossy().into_owned()
}

/// A model that trains in no time on computed data.
pub const TINY: &str = "
//! Small.
param = gmp
data  = levy(points = 20, noise = 0.1)
model tiny { input -> dense(4) as hidden -> relu -> linear(1) }
train { loss = mse  optimizer = adam(lr = 0.01)  batch = 5  epochs = 3  metrics = [rmse] }
";
