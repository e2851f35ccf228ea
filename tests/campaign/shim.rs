//! Runs the program with `shim.c` loaded into it, which lets a chosen call of the system fail or kills the process there, and says
//! how much memory it took.

use crate::support::{Ran, code, command, root};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// No command on a small file may take longer.
const LIMIT: Duration = Duration::from_secs(20);

/// The library, built once.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        // Of this process: tests of two branches may be built at once.
        let library = folder.join(format!("shim-{}.so", std::process::id()));
        let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        compiler.args(["-Wall", "-Wextra", "-O1", "-shared", "-fPIC", "-o"]).arg(&library);
        compiler.arg(root().join("tests/campaign/shim.c")).arg("-ldl");
        let made = compiler.output().expect("a C compiler, which building gmpc needs too");
        assert!(made.status.success() && made.stderr.is_empty(), "{}", String::from_utf8_lossy(&made.stderr));
        library
    })
}

/// What the program left behind, and what the library wrote down.
pub struct Told {
    /// Of the program.
    pub ran: Ran,
    /// Did the fault come?
    pub hit: bool,
    /// The most memory it had, in kilobytes; 0 where it was killed.
    pub peak: u64,
    /// Calls of each name.
    pub calls: Vec<(String, u64)>,
}

/// Runs the program in a folder. `fault` as `GMPC_FAULT` of `shim.c`, empty for none, about files below `below`.
///
/// # Panics
/// It takes longer than the limit.
pub fn gmpc(folder: &Path, arguments: &[&str], fault: &str, below: &Path) -> Told {
    let log = folder.join("shim.log");
    let _ = std::fs::remove_file(&log); // there may be none
    let mut command = command(folder, arguments);
    command.env("LD_PRELOAD", library()).env("GMPC_FAULT", fault).env("GMPC_FAULT_BELOW", below);
    command.env("GMPC_FAULT_LOG", &log).env_remove("RUST_BACKTRACE");
    let out = |name: &str| std::fs::File::create(folder.join(name)).expect("a file in a temporary folder");
    command.stdout(out("shim.out")).stderr(out("shim.err")).stdin(Stdio::null());
    let status = wait(command.spawn().expect("the program starts"), arguments);
    let text = |name: &str| String::from_utf8_lossy(&std::fs::read(folder.join(name)).unwrap_or_default()).into_owned();
    let ran = Ran { code: code(status), stdout: text("shim.out"), stderr: text("shim.err") };
    let (mut told, log) = (Told { ran, hit: false, peak: 0, calls: vec![] }, text("shim.log"));
    for line in log.lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["hit"] => told.hit = true,
            ["peak", kilobytes] => told.peak = kilobytes.parse().unwrap_or(0),
            ["calls", name, count] => told.calls.push(((*name).to_string(), count.parse().unwrap_or(0))),
            _ => {}
        }
    }
    told
}

fn wait(mut child: Child, arguments: &[&str]) -> std::process::ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return status;
        }
        if begun.elapsed() > LIMIT {
            let _ = child.kill(); // it may have ended this moment
            panic!("{arguments:?} takes longer than {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
