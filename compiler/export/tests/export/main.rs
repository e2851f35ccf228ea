//! Every network in every form computes what the compiler's own graph computes: ONNX by the evaluation in the crate, C by compilers,
//! with sanitizers. PyTorch is asked by `gmpc export` and by `tests/export/runtimes.py` of the root.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::disallowed_methods,
    reason = "numbers of tests are small, and their inputs need no last digit"
)]

mod onnx;
mod sources;
mod testing;
mod torch;
mod tract;

use std::path::Path;
use std::process::Command;

/// Every text that may stand before an ending, and be no word of any language.
const HOSTILE: [&str; 6] = ["int", "we\"ird */ n\u{e4}me", "2x", "a b\\c", "lambda", "net.v2"];

/// Runs a command; fails with what it says unless it succeeds.
#[track_caller]
fn succeed(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Writes a file into a folder.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("a file in a temporary folder");
    path
}

#[test]
#[cfg_attr(not(has_python), ignore = "needs Python")]
fn every_module_is_python() {
    let folder = tempfile::tempdir().unwrap();
    let python = std::env::var("GMPC_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut compile = Command::new(python);
    compile.args(["-W", "error", "-m", "py_compile"]);
    for case in &testing::networks::NETWORKS {
        let sample = testing::Sample::new(case);
        for fold in [false, true] {
            let files = gmpc_export::torch::write(&sample.network, fold).unwrap();
            compile.arg(write(folder.path(), &format!("{}_{fold}.py", case.0), &files[0].bytes));
        }
    }
    succeed(&mut compile);
}
