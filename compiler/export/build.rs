//! Finds out whether the tools that some tests need are on this machine, as the root's `build.rs` does: what is missing makes a test
//! ignored, and with `CI` set it makes it fail.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    declare("cc", "CC", "cc");
    declare("cxx", "CXX", "c++");
    declare("python", "GMPC_PYTHON", "python3");
    declare_both("arm", ["arm-linux-gnueabihf-gcc", "qemu-arm"]);
    declare_both("aarch64", ["aarch64-linux-gnu-gcc", "qemu-aarch64"]);
}

/// Sets `has_NAME` where both a compiler for another processor and an emulator of it answer.
fn declare_both(name: &str, programs: [&str; 2]) {
    set(name, programs.into_iter().all(answers));
}

/// Sets `has_NAME` where a program answers that a variable names, else this one.
fn declare(name: &str, named_by: &str, default: &str) {
    set(name, answers(&variable(named_by).unwrap_or_else(|| default.to_string())));
}

/// Is there such a program?
fn answers(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Sets `has_NAME` where the thing was found, or has to be here.
fn set(name: &str, found: bool) {
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
