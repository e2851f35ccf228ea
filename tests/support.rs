//! What several tests share: running the program as a user does, paths, data folders and numbers without a pattern.

use std::path::{Path, PathBuf};
use std::process::Command;

/// How a run of the program ended and what it wrote.
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
    /// Fails the test unless the program ended with this code. The message holds everything that the program wrote.
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

/// Runs the program in the root of the workspace, without colours and without a data folder in its environment.
pub fn gmpc(arguments: &[&str]) -> Ran {
    gmpc_in(root(), arguments)
}

/// Runs the program in another folder.
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

/// The exit code as a shell reports it: 128 + signal where a signal ended the program.
pub fn code(status: std::process::ExitStatus) -> i32 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128 + signal;
    }
    status.code().unwrap_or(-1)
}

/// The folder with the real data sets. Tests that use it are ignored where `build.rs` finds no such folder.
pub fn data_dir() -> PathBuf {
    let named = std::env::var_os("GMPNET_DATA").filter(|name| !name.is_empty()).map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root().join("../shared/data"));
    assert!(folder.is_dir(), "no data in {}: set GMPNET_DATA to their folder", folder.display());
    folder
}

/// Writes a file into a folder and returns its path as text.
pub fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file in a temporary folder");
    path.to_string_lossy().into_owned()
}

/// The path of a file or a folder below a temporary folder, as an argument of the program.
pub fn path_in(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).to_string_lossy().into_owned()
}

/// A model that trains within milliseconds on computed data.
pub const TINY: &str = "
//! Small.
param = gmp
data  = levy(points = 20, noise = 0.1)
model tiny { input -> dense(4) as hidden -> relu -> linear(1) }
train { loss = mse  optimizer = adam(lr = 0.01)  batch = 5  epochs = 3  metrics = [rmse] }
";

/// The tensors of a checkpoint, byte for byte. The header is left out: it names the run and its duration, which differ
/// between runs.
pub fn tensor_bytes(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    bytes[8 + usize::try_from(header).unwrap()..].to_vec()
}

/// The next number in [-1, 1) of SplitMix64, a generator whose numbers show no pattern. `state` is the seed before the
/// first call.
pub fn next_number(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // The upper 53 bits are as many as an f64 holds exactly.
    ((bits ^ (bits >> 31)) >> 11) as f64 / 2.0_f64.powi(52) - 1.0
}
