//! From CUDA C++ text to a program for this CPU. Programs are stored in the target folder under the hash of everything
//! that they were built from.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

/// The files of the emulator. Kernels include the first two headers only.
const HEADERS: [(&str, &str); 5] = [
    ("thread.h", include_str!("thread.h")),
    ("cuda.h", include_str!("cuda.h")),
    ("schedule.h", include_str!("schedule.h")),
    ("memory.h", include_str!("memory.h")),
    ("library.h", include_str!("library.h")),
];
const SOURCES: [(&str, &str); 4] = [
    ("schedule.cpp", include_str!("schedule.cpp")),
    ("memory.cpp", include_str!("memory.cpp")),
    ("library.cpp", include_str!("library.cpp")),
    ("runner.cpp", include_str!("runner.cpp")),
];

/// How a program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// With guard pages and red zones; fast.
    Plain,
    /// With the sanitizers for addresses and undefined behaviour.
    Address,
    /// With the sanitizer for races.
    Thread,
}

impl Build {
    /// Little optimization, since a test that runs for a second should not take a minute to compile. As on the GPU, a
    /// product and a sum are fused only where the text calls `fmaf`, and the runner treats subnormal numbers as zero.
    fn flags(self) -> Vec<&'static str> {
        let mut flags = vec!["-std=c++17", "-O1", "-ffp-contract=off", "-fno-strict-aliasing"];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("fma") {
            flags.push("-mfma");
        }
        flags.extend(match self {
            Build::Plain => vec![],
            Build::Address => vec!["-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
            Build::Thread => vec!["-g1", "-fsanitize=thread"],
        });
        flags
    }
}

/// A text and the kernels in it. A program may hold several units, so launches name a kernel as `NAME.KERNEL`.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The name of the unit. Messages of compilers and sanitizers call it `NAME.cu`.
    pub name: String,
    /// CUDA C++.
    pub text: String,
    /// The functions that launches call.
    pub kernels: Vec<String>,
}

/// The C++ compiler: `CXX`, or `c++`. Where `build.rs` finds none, tests that need it are ignored.
pub fn compiler() -> String {
    std::env::var("CXX").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "c++".to_string())
}

/// The folder of built files. It is created where it does not exist.
pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("emulator");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// Runs a command and returns its output.
///
/// # Errors
/// The command failed. The message holds its output.
pub fn succeed(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(said) } else { Err(format!("{command:?}: {}\n{said}", output.status)) }
}

/// One lock for each path. A test that needs a program which another test is building waits instead of building it twice.
fn lock(path: &Path) -> Arc<Mutex<()>> {
    static LOCKS: OnceLock<Mutex<HashMap<PathBuf, Arc<Mutex<()>>>>> = OnceLock::new();
    let locks = LOCKS.get_or_init(Mutex::default).lock();
    let mut locks = locks.unwrap_or_else(std::sync::PoisonError::into_inner);
    Arc::clone(locks.entry(path.to_path_buf()).or_default())
}

/// The path of a file in the target folder. If the file does not exist, `make` builds it under another name, which is
/// then changed. An interrupted build therefore leaves no broken file behind.
fn cached(key: &impl Hash, ending: &str, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let mut hasher = DefaultHasher::new();
    (key, HEADERS, SOURCES, compiler()).hash(&mut hasher);
    let path = folder().join(format!("{:016x}{ending}", hasher.finish()));
    let lock = lock(&path);
    let _guard = lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !path.exists() {
        let unfinished = tempfile::TempDir::new_in(folder()).map_err(|e| e.to_string())?;
        let own = unfinished.path().join(format!("made{ending}"));
        make(&own)?;
        // Another process may have built the same file meanwhile. Replacing it does no harm.
        std::fs::rename(&own, &path).map_err(|e| e.to_string())?;
    }
    Ok(path)
}

/// Compiles one file in a temporary folder that also holds the headers.
fn compile(source: &str, name: &str, arguments: &[&str], to: &Path) -> Result<(), String> {
    let folder = tempfile::TempDir::new_in(folder()).map_err(|e| e.to_string())?;
    for (name, text) in HEADERS.into_iter().chain([(name, source)]) {
        std::fs::write(folder.path().join(name), text).map_err(|e| e.to_string())?;
    }
    let mut command = Command::new(compiler());
    succeed(command.current_dir(folder.path()).args(arguments).arg(name).arg("-o").arg(to)).map(drop)
}

/// The scheduler and the runner, compiled once for each kind of build.
fn objects(build: Build) -> Result<Vec<PathBuf>, String> {
    let flags: Vec<&str> = build.flags().into_iter().chain(["-Wall", "-Wextra", "-Werror", "-c"]).collect();
    let object = |(name, text)| cached(&(name, &flags), ".o", |to| compile(text, name, &flags, to));
    SOURCES.into_iter().map(object).collect()
}

/// Joins texts to one C++ file: each in a namespace of its own, followed by macros that register its kernels by name.
pub fn source(units: &[Unit]) -> String {
    let mut source = "#include \"cuda.h\"\n".to_string();
    for (index, unit) in units.iter().enumerate() {
        // Functions with C linkage ignore namespaces, so that equal names of two texts would clash.
        let text = unit.text.replace("extern \"C\" ", "");
        let (name, text) = (&unit.name, text.trim_end());
        source.push_str(&format!("namespace unit{index} {{\n#line 1 \"{name}.cu\"\n{text}\n"));
        for kernel in &unit.kernels {
            source.push_str(&format!("EMULATED_KERNEL(\"{name}.{kernel}\", {kernel})\n"));
        }
        source.push_str("}\n");
    }
    source
}

/// Checks that texts are C++, with every warning as an error that makes sense for generated text. Unused parameters are
/// allowed: parts of a kernel all get the number of their block, whether they need it or not.
pub fn check_syntax(units: &[Unit]) -> Result<(), String> {
    let flags =
        ["-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-parameter"];
    let folder = tempfile::TempDir::new_in(folder()).map_err(|e| e.to_string())?;
    compile(&source(units), "kernels.cpp", &flags, &folder.path().join("none"))
}

/// Builds a program that waits for commands (see [`super::process::Process`]).
pub fn program(units: &[Unit], build: Build) -> Result<PathBuf, String> {
    let source = source(units);
    let objects = objects(build)?;
    let link = objects.iter().map(|path| path.to_str().unwrap_or_default());
    let flags: Vec<&str> = build.flags().into_iter().chain(["-w"]).chain(link).collect();
    cached(&(&source, &flags), "", |to| compile(&source, "kernels.cpp", &flags, to))
}
