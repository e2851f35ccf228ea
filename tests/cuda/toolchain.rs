//! NVIDIA's compiler without a GPU: from text to machine code, the report of the assembler, and the machine code as text.
//!
//! `GMPC_CUDA_LIB_DIR` names the folder of `libnvrtc.so.13` (13.0.88, whose code a driver of CUDA 13.0 accepts), and
//! `GMPC_CUDA_BIN_DIR` the folder of `nvdisasm`. Without these variables, the tests use the folder into which `.ci/run`
//! installs both from PyPI. Where the tools are absent, the tests are ignored.

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
    /// The program of ours that calls NVRTC.
    driver: PathBuf,
}

/// A text as machine code.
#[derive(Debug)]
pub struct Compiled {
    /// Name of the unit.
    pub name: String,
    /// Messages of the compiler and the assembler.
    pub log: String,
    cubin: PathBuf,
    /// The folder of `cubin`, which is deleted when the last value that holds it is dropped.
    _folder: std::sync::Arc<tempfile::TempDir>,
}

/// The resources of the GPU that a kernel needs, as the assembler reports them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resources {
    /// Name of the kernel.
    pub kernel: String,
    /// Registers per thread.
    pub registers: u32,
    /// Bytes of stack per thread.
    pub stack: u32,
    /// Bytes that are stored and loaded again because they did not fit into registers.
    pub spills: u32,
    /// Bytes of shared memory per block.
    pub shared: u32,
}

/// The path of a file in one of the folders that a variable names, or in the folder into which `.ci/run` installs it.
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

/// The tools. Fails the test where one of them is absent.
pub fn tools() -> &'static Tools {
    static FOUND: OnceLock<Tools> = OnceLock::new();
    FOUND.get_or_init(|| {
        let help = "pip install nvidia-cuda-nvrtc==13.0.88 nvidia-cuda-nvdisasm==13.2.86, \
                    and set GMPC_CUDA_LIB_DIR and GMPC_CUDA_BIN_DIR to their folders";
        let here = |variable, default, file| {
            place(variable, default, file).unwrap_or_else(|| panic!("{file} is not here: {help}"))
        };
        let nvrtc = here("GMPC_CUDA_LIB_DIR", "lib", "libnvrtc.so.13");
        let disassembler = here("GMPC_CUDA_BIN_DIR", "bin", "nvdisasm");
        let driver = driver().unwrap_or_else(|text| panic!("the program that calls NVRTC does not compile: {text}"));
        Tools { libraries: nvrtc.parent().expect("in a folder").to_path_buf(), disassembler, driver }
    })
}

/// `nvrtc.cpp`, compiled.
fn driver() -> Result<PathBuf, String> {
    let path = folder().join(format!("nvrtc-{}", std::process::id()));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cuda/nvrtc.cpp");
    let mut command = Command::new(compiler());
    command.args(["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror"]).arg(source).arg("-o").arg(&path).arg("-ldl");
    succeed(&mut command).map(|_| path)
}

impl Tools {
    /// Compiles texts for an architecture such as `sm_90`.
    ///
    /// # Errors
    /// The messages of the compiler. A warning is an error.
    pub fn compile(&self, units: &[Unit], architecture: &str, options: &[&str]) -> Result<Vec<Compiled>, String> {
        let folder = tempfile::TempDir::new_in(folder()).map_err(|e| e.to_string())?;
        let folder = std::sync::Arc::new(folder);
        let mut command = Command::new(&self.driver);
        command.arg(&self.libraries).arg(folder.path());
        for unit in units {
            let path = folder.path().join(format!("{}.cu", unit.name));
            std::fs::write(&path, &unit.text).map_err(|e| e.to_string())?;
            command.arg(path);
        }
        command.arg("--").args(options).arg(format!("--gpu-architecture={architecture}"));
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
    /// The disassembler failed. The error holds its messages.
    pub fn disassemble(&self, compiled: &Compiled) -> Result<Vec<(String, String)>, String> {
        let text = succeed(Command::new(&self.disassembler).args(["-ndf", "-c"]).arg(&compiled.cubin))?;
        let sections = text.split("\n.text.").skip(1);
        let section = |section: &str| section.split_once(':').map(|(name, code)| (name.to_string(), code.to_string()));
        Ok(sections.filter_map(section).collect())
    }
}

impl Compiled {
    /// The resources of all kernels, in the order of the assembler's report.
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

/// The number before these words in a line, or 0 where the words are absent.
fn before(line: &str, words: &str) -> u32 {
    let number = line.split(words).next().filter(|start| start.len() < line.len());
    number.and_then(|start| start.rsplit([' ', ',']).next()?.parse().ok()).unwrap_or(0)
}
