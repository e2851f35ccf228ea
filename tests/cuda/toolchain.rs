//! NVIDIA's compiler without a GPU: text to machine code, what the assembler reports about it, and the code as text.
//!
//! `GMPC_CUDA_LIB_DIR` is the folder of `libnvrtc.so.13` (13.0.88: the version that a driver of CUDA 13.0 takes),
//! `GMPC_CUDA_BIN_DIR` that of `nvdisasm`; without them, where `.ci/run` installs both from PyPI. Where they are absent, the
//! tests say so and pass, except where `CI` is set.

use crate::emulator::build::{Unit, compiler, folder, succeed};
use crate::support::root;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// NVIDIA's tools.
#[derive(Debug)]
pub struct Tools {
    libraries: PathBuf,
    disassembler: PathBuf,
    /// Our program that calls NVRTC.
    driver: PathBuf,
}

/// A text as machine code.
#[derive(Debug)]
pub struct Compiled {
    /// Of the text.
    pub name: String,
    /// What the compiler and the assembler said.
    pub log: String,
    cubin: PathBuf,
    /// Removed with this.
    _folder: std::sync::Arc<tempfile::TempDir>,
}

/// What a kernel needs of a processor, in the assembler's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resources {
    /// Which kernel.
    pub kernel: String,
    /// Registers of a thread.
    pub registers: u32,
    /// Bytes of stack of a thread.
    pub stack: u32,
    /// Bytes of registers that did not fit, stored and loaded again.
    pub spills: u32,
    /// Bytes of shared memory of a block.
    pub shared: u32,
}

/// A file in one of the folders that a variable names, or below `.ci/run`'s environment.
fn place(variable: &str, default: &str, file: &str) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = match std::env::var_os(variable) {
        Some(folders) => std::env::split_paths(&folders).collect(),
        None => {
            let pythons = std::fs::read_dir(root().join("target/cuda-tools/lib")).ok()?.flatten();
            pythons.map(|python| python.path().join("site-packages/nvidia/cu13").join(default)).collect()
        }
    };
    folders.into_iter().map(|folder| folder.join(file)).find(|path| path.is_file())
}

/// The tools, if they are here. With `CI` set they have to be.
pub fn tools() -> Option<&'static Tools> {
    static FOUND: OnceLock<Option<Tools>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let nvrtc = place("GMPC_CUDA_LIB_DIR", "lib", "libnvrtc.so.13");
        let disassembler = place("GMPC_CUDA_BIN_DIR", "bin", "nvdisasm")?;
        let driver = driver().expect("the program that calls NVRTC compiles")?;
        Some(Tools { libraries: nvrtc?.parent()?.to_path_buf(), disassembler, driver })
    });
    let help = "pip install nvidia-cuda-nvrtc==13.0.88 nvidia-cuda-nvdisasm==13.2.86, \
                and set GMPC_CUDA_LIB_DIR and GMPC_CUDA_BIN_DIR to their folders";
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "with CI set, NVRTC and nvdisasm have to be here: {help}"
    );
    if found.is_none() {
        println!("SKIPPED: NVRTC or nvdisasm is not here: {help}");
    }
    found.as_ref()
}

/// `nvrtc.cpp`, compiled; `None` where there is no C++ compiler.
fn driver() -> Result<Option<PathBuf>, String> {
    let Some(compiler) = compiler() else { return Ok(None) };
    let path = folder().join(format!("nvrtc-{}", std::process::id()));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cuda/nvrtc.cpp");
    let mut command = Command::new(compiler);
    command.args(["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror"]).arg(source).arg("-o").arg(&path).arg("-ldl");
    succeed(&mut command).map(|_| Some(path))
}

impl Tools {
    /// Compiles texts for a processor such as `sm_90`.
    ///
    /// # Errors
    /// What is wrong with them. A warning is an error.
    pub fn compile(&self, units: &[Unit], processor: &str, options: &[&str]) -> Result<Vec<Compiled>, String> {
        let folder = tempfile::TempDir::new_in(folder()).map_err(|e| e.to_string())?;
        let folder = std::sync::Arc::new(folder);
        let mut command = Command::new(&self.driver);
        command.arg(&self.libraries).arg(folder.path());
        for unit in units {
            let path = folder.path().join(format!("{}.cu", unit.name));
            std::fs::write(&path, &unit.text).map_err(|e| e.to_string())?;
            command.arg(path);
        }
        command.arg("--").args(options).arg(format!("--gpu-architecture={processor}"));
        succeed(command.args(["--ptxas-options=-v", "--ptxas-options=--warn-on-spills"]))?;
        let compiled = |unit: &Unit| {
            let file = |ending| folder.path().join(format!("{}.{ending}", unit.name));
            let log = std::fs::read_to_string(file("log")).map_err(|e| e.to_string())?;
            let compiled = Compiled { name: unit.name.clone(), log, cubin: file("cubin"), _folder: folder.clone() };
            if compiled.log.contains("warning") { Err(compiled.log) } else { Ok(compiled) }
        };
        units.iter().map(compiled).collect()
    }

    /// The instructions of each kernel, as text, by the kernel's name.
    ///
    /// # Errors
    /// The disassembler's.
    pub fn disassemble(&self, compiled: &Compiled) -> Result<Vec<(String, String)>, String> {
        let text = succeed(Command::new(&self.disassembler).args(["-ndf", "-c"]).arg(&compiled.cubin))?;
        let sections = text.split("\n.text.").skip(1);
        let section = |section: &str| section.split_once(':').map(|(name, code)| (name.to_string(), code.to_string()));
        Ok(sections.filter_map(section).collect())
    }
}

impl Compiled {
    /// What the assembler reports, in the order of its report.
    pub fn resources(&self) -> Vec<Resources> {
        let mut all: Vec<Resources> = Vec::new();
        for line in self.log.lines() {
            if let Some(name) = line.split("Function properties for ").nth(1) {
                let kernel = name.trim().to_string();
                all.push(Resources { kernel, registers: 0, stack: 0, spills: 0, shared: 0 });
            }
            let Some(last) = all.last_mut() else { continue };
            if line.contains("bytes stack frame") {
                last.stack = before(line, " bytes stack frame");
                last.spills = before(line, " bytes spill stores") + before(line, " bytes spill loads");
            }
            if line.contains(" registers") {
                last.registers = before(line, " registers");
                last.shared = before(line, " bytes smem");
            }
        }
        all
    }
}

/// The number that stands before these words, 0 where they are absent.
fn before(line: &str, words: &str) -> u32 {
    let number = line.split(words).next().filter(|start| start.len() < line.len());
    number.and_then(|start| start.rsplit([' ', ',']).next()?.parse().ok()).unwrap_or(0)
}
