//! Finds out, before the tests are compiled, which of the things that some tests need are on this machine.
//!
//! Each of them becomes a `cfg`. A test that needs one says `#[cfg_attr(not(has_data), ignore = "needs …")]`, so that cargo reports it as
//! ignored, by name and with the reason, and never as passed. `cargo test -- --include-ignored` runs it all the same.
//!
//! With `CI` set, everything counts as present: a test then fails where something is missing. `GMPC_ABSENT`, as in
//! `GMPC_ABSENT="data golden"`, names what a CI machine is known not to have.
//!
//! Cargo runs this file again when one of the variables below changes. After installing a tool: `touch build.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let data = folder("GMPNET_DATA", &root.join("../shared/data"));
    let golden = folder("GMPNET_GOLDEN", &root.join("../shared/golden"));
    let compiler = compiler("CXX", "c++");
    declare("data", data.join("uci/yacht/data/data.txt").is_file() && data.join("banana").is_dir());
    declare("cifar10", data.join("cifar10").is_dir());
    declare("imagenet_sample", data.join("imagenet-sample").is_dir());
    declare("golden", golden.join("index.json").is_file());
    declare("cc", self::compiler("CC", "cc"));
    declare("cxx", compiler);
    declare("nvrtc", compiler && nvrtc(&root));
    declare("browser", browser());
    declare("latex", in_search_path("pdflatex") && latex_package("siunitx") && latex_package("booktabs"));
}

/// Tells rustc that `has_NAME` exists, and sets it where the thing is here or has to be here.
fn declare(name: &str, found: bool) {
    println!("cargo::rustc-check-cfg=cfg(has_{name})");
    let absent = variable("GMPC_ABSENT").unwrap_or_default();
    let required = variable("CI").is_some() && !absent.split_whitespace().any(|one| one == name);
    if found || required {
        println!("cargo::rustc-cfg=has_{name}");
    }
}

/// A variable of the environment; cargo looks again when it changes.
fn variable(name: &str) -> Option<String> {
    println!("cargo::rerun-if-env-changed={name}");
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The folder that a variable names, or the default.
fn folder(name: &str, default: &Path) -> PathBuf {
    variable(name).map_or_else(|| default.to_path_buf(), PathBuf::from)
}

/// Is there a compiler, the one that a variable names or the system's: `CXX`, or `c++`?
fn compiler(named_by: &str, default: &str) -> bool {
    let name = variable(named_by).unwrap_or_else(|| default.to_string());
    Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Are NVRTC and nvdisasm here, in the folders of their variables or where `.ci/run` puts them?
fn nvrtc(root: &Path) -> bool {
    let wheels = fs::read_dir(root.join("target/cuda-tools/lib")).into_iter().flatten().flatten();
    let wheels: Vec<PathBuf> = wheels.map(|python| python.path().join("site-packages/nvidia/cu13")).collect();
    let is_here = |name: &str, default: &str, file: &str| {
        let folders = match variable(name) {
            Some(named) => env::split_paths(&named).collect(),
            None => wheels.iter().map(|wheel| wheel.join(default)).collect::<Vec<_>>(),
        };
        folders.iter().any(|folder| folder.join(file).is_file())
    };
    is_here("GMPC_CUDA_LIB_DIR", "lib", "libnvrtc.so.13") & is_here("GMPC_CUDA_BIN_DIR", "bin", "nvdisasm")
}

/// Is there a browser: `GMPC_BROWSER`, or chromium in the search path?
fn browser() -> bool {
    variable("GMPC_BROWSER").is_some() || in_search_path("chromium")
}

/// Is there such a program?
fn in_search_path(program: &str) -> bool {
    // The search path itself is no reason to build again: it differs from terminal to terminal.
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Does the LaTeX that is installed have this package?
fn latex_package(name: &str) -> bool {
    Command::new("kpsewhich").arg(format!("{name}.sty")).output().is_ok_and(|found| found.status.success())
}
