//! From CUDA C++ text to a program for this processor, kept in the target folder under the hash of what it was made from.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

/// What the emulator is made of; kernels see the first two only.
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
    /// Optimized a little: what runs for a second should not be compiled for a minute. As with the options that the text is
    /// written for, products and sums are fused only where it says so; the runner counts subnormal numbers as zero.
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

/// A text and the kernels in it. A program may hold several: launches name a kernel as `NAME.KERNEL`.
#[derive(Debug, Clone)]
pub struct Unit {
    /// For people: messages name `NAME.cu`.
    pub name: String,
    /// CUDA C++.
    pub text: String,
    /// The functions that launches call.
    pub kernels: Vec<String>,
}

/// The C++ compiler: `CXX`, or `c++`. Says aloud where there is none; with `CI` set there has to be one.
pub fn compiler() -> Option<&'static str> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        let name = std::env::var("CXX").unwrap_or_else(|_| "c++".to_string());
        let works = Command::new(&name).arg("--version").output().is_ok_and(|output| output.status.success());
        assert!(works || std::env::var_os("CI").is_none(), "with CI set there has to be a C++ compiler: set CXX");
        if !works {
            println!("SKIPPED: no C++ compiler `{name}`: install g++ or set CXX");
        }
        works.then_some(name)
    };
    FOUND.get_or_init(find).as_deref()
}

/// Where built things are kept.
pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("emulator");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// Runs a command; what it said is the error.
pub fn succeed(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(said) } else { Err(format!("{command:?}: {}\n{said}", output.status)) }
}

/// One lock for each path, so that tests which need the same program wait for it instead of making it twice.
fn lock(path: &Path) -> Arc<Mutex<()>> {
    static LOCKS: OnceLock<Mutex<HashMap<PathBuf, Arc<Mutex<()>>>>> = OnceLock::new();
    let locks = LOCKS.get_or_init(Mutex::default).lock();
    let mut locks = locks.unwrap_or_else(std::sync::PoisonError::into_inner);
    Arc::clone(locks.entry(path.to_path_buf()).or_default())
}

/// A file in the target folder, made by `make` at a path of its own unless it is there.
fn kept(key: &impl Hash, ending: &str, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let mut hasher = DefaultHasher::new();
    (key, HEADERS, SOURCES, compiler()).hash(&mut hasher);
    let path = folder().join(format!("{:016x}{ending}", hasher.finish()));
    let lock = lock(&path);
    let _guard = lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !path.exists() {
        let unfinished = tempfile::TempDir::new_in(folder()).map_err(|e| e.to_string())?;
        let own = unfinished.path().join(format!("made{ending}"));
        make(&own)?;
        std::fs::rename(&own, &path).map_err(|e| e.to_string())?; // another process may have made the same one meanwhile
    }
    Ok(path)
}

/// A C++ compiler at work on one file below a folder that also holds the headers.
fn compile(source: &str, name: &str, arguments: &[&str], to: &Path) -> Result<(), String> {
    let folder = tempfile::TempDir::new_in(folder()).map_err(|e| e.to_string())?;
    for (name, text) in HEADERS.into_iter().chain([(name, source)]) {
        std::fs::write(folder.path().join(name), text).map_err(|e| e.to_string())?;
    }
    let mut command = Command::new(compiler().ok_or("no C++ compiler")?);
    succeed(command.current_dir(folder.path()).args(arguments).arg(name).arg("-o").arg(to)).map(drop)
}

/// The scheduler and the runner, compiled once for each kind of build.
fn objects(build: Build) -> Result<Vec<PathBuf>, String> {
    let flags: Vec<&str> = build.flags().into_iter().chain(["-Wall", "-Wextra", "-Werror", "-c"]).collect();
    let object = |(name, text)| kept(&(name, &flags), ".o", |to| compile(text, name, &flags, to));
    SOURCES.into_iter().map(object).collect()
}

/// Texts as one file of C++: each in a namespace, its kernels made known by name.
pub fn source(units: &[Unit]) -> String {
    let mut source = "#include \"cuda.h\"\n".to_string();
    for (index, unit) in units.iter().enumerate() {
        // Names of C would clash between texts.
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

/// Is it C++ at all, with every warning that makes sense for generated text an error? Parts that share a kernel all get the number
/// of their block, needed or not.
pub fn check_syntax(units: &[Unit]) -> Result<(), String> {
    let flags =
        ["-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-parameter"];
    let folder = tempfile::TempDir::new_in(folder()).map_err(|e| e.to_string())?;
    compile(&source(units), "kernels.cpp", &flags, &folder.path().join("none"))
}

/// A program that waits for commands (`Process`).
pub fn program(units: &[Unit], build: Build) -> Result<PathBuf, String> {
    let source = source(units);
    let objects = objects(build)?;
    let link = objects.iter().map(|path| path.to_str().unwrap_or_default());
    let flags: Vec<&str> = build.flags().into_iter().chain(["-w"]).chain(link).collect();
    kept(&(&source, &flags), "", |to| compile(&source, "kernels.cpp", &flags, to))
}
