//! Other programs that compute an exported file: a C compiler, and Python with PyTorch. Where they are not there, a sentence says so.

use super::rows::Trial;
use crate::failure::Failure;
use gmpc_export::network::Preparation;
use gmpc_export::{File, Network};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What ran, and the numbers it gave; or why nothing ran.
type Ran = Result<(String, Vec<f64>), String>;

/// Compiles a program of one file and gives it rows. What lies beside it is linked if it is an object, and else read by the program.
///
/// # Errors
/// A compiler is there and refuses the program, or the program fails: both are faults of ours.
pub(super) fn compiled(
    program: &str,
    beside: Option<(&str, &[u8])>,
    rows: usize,
    input: &[u8],
) -> Result<Ran, Failure> {
    let compiler = std::env::var("CC").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "cc".into());
    let Ok(folder) = tempfile::tempdir() else { return Ok(Err("there is no temporary folder".into())) };
    let (source, binary) = (folder.path().join("check.c"), folder.path().join("check"));
    let write =
        |path: &Path, bytes: &[u8]| std::fs::write(path, bytes).map_err(|error| Failure::io("write", path, &error));
    write(&source, program.as_bytes())?;
    let mut command = Command::new(&compiler);
    command.args(["-std=c99", "-O1", "-o"]).arg(&binary).arg(&source).stdin(Stdio::null());
    let mut run = Command::new(&binary);
    run.arg(rows.to_string());
    if let Some((ending, bytes)) = beside {
        let path = folder.path().join(format!("network.{ending}"));
        write(&path, bytes)?;
        if ending == "o" {
            command.arg(&path)
        } else {
            run.arg(&path)
        };
    }
    // `-lm` comes last: a linker takes from a library what the files before it ask for. No compiler is no fault.
    let Ok(built) = command.arg("-lm").output() else {
        return Ok(Err(format!("there is no C compiler called `{compiler}` (`CC` names another)")));
    };
    if !built.status.success() {
        let said = String::from_utf8_lossy(&built.stderr).into_owned();
        return Err(Failure::Bug(format!("`{compiler}` does not compile the exported source:\n{said}")));
    }
    match fed(&mut run, input) {
        Ok(output) => Ok(Ok((compiler, numbers(&output)))),
        Err(why) => Err(Failure::Bug(format!("the exported source, compiled by `{compiler}`, fails: {why}"))),
    }
}

/// Runs the exported module in Python.
///
/// # Errors
/// PyTorch is there and the module fails: a fault of ours.
pub(super) fn torch(network: &Network, files: &[File], trial: &Trial) -> Result<Ran, Failure> {
    let python = std::env::var("GMPC_PYTHON").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "python3".into());
    let has = Command::new(&python).args(["-c", "import torch, safetensors"]).stdin(Stdio::null()).output();
    if !has.is_ok_and(|output| output.status.success()) {
        return Ok(Err(format!("`{python}` has no `torch` and `safetensors` (`GMPC_PYTHON` names another Python)")));
    }
    let Ok(folder) = tempfile::tempdir() else { return Ok(Err("there is no temporary folder".into())) };
    for file in files {
        let path = folder.path().join(format!("exported.{}", file.ending));
        std::fs::write(&path, &file.bytes).map_err(|error| Failure::io("write", &path, &error))?;
    }
    let input: Vec<u8> = trial.numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
    let mut command = Command::new(&python);
    command.current_dir(folder.path()).args(["-c", &script(network, trial.count)]);
    match fed(&mut command, &input) {
        Ok(output) => Ok(Ok(("PyTorch".into(), numbers(&output)))),
        Err(why) => Err(Failure::Bug(format!("the exported module fails: {why}"))),
    }
}

fn script(network: &Network, rows: usize) -> String {
    let shape: Vec<String> = network.inputs.shape.iter().map(ToString::to_string).collect();
    let bytes = if matches!(network.preparation(), Preparation::Images { .. }) { ".to(torch.uint8)" } else { "" };
    format!(
        "import sys
sys.path.insert(0, '.')
import exported, torch
x = torch.frombuffer(bytearray(sys.stdin.buffer.read()), dtype=torch.float64).reshape({rows}, {}){bytes}
with torch.no_grad():
    y = exported.load()(x)
sys.stdout.buffer.write(bytes(y.double().contiguous().reshape(-1).view(torch.uint8).tolist()))
",
        shape.join(", ")
    )
}

/// Gives a program its input, and returns what it writes. The error is what it says.
fn fed(command: &mut Command, input: &[u8]) -> Result<Vec<u8>, String> {
    let told = |error: std::io::Error| error.to_string();
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(told)?;
    // Both programs read all rows before they write any, so neither side waits for the other.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let output = child.wait_with_output().map_err(told)?;
    match (output.status.success(), written) {
        (true, Ok(())) => Ok(output.stdout),
        (true, Err(error)) => Err(told(error)),
        (false, _) => Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())),
    }
}

fn numbers(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks::<8>().0.iter().map(|number| f64::from_ne_bytes(*number)).collect()
}
