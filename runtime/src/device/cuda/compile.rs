//! CUDA C++ to machine code with NVIDIA's run-time compiler, which needs no GPU; results are kept.

use super::super::DeviceError;
use super::cache::Cache;
use super::probe::{Needs, probe};
use cudarc::nvrtc::{result, sys};
use gmpc_compiler::backend::cuda::OPTIONS;
use std::ffi::{CStr, CString, c_char};

/// Machine code for one kind of GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cubin {
    /// What a GPU loads.
    pub code: Vec<u8>,
    /// What the compiler said: registers, spills and shared memory of every kernel; empty where the code was kept.
    pub log: String,
}

/// Compiles a source for GPUs of this compute capability, `(9, 0)`; warnings are errors.
///
/// # Errors
/// No compiler here, or it refuses the source, with its words.
pub fn compile(source: &str, capability: (i32, i32)) -> Result<Cubin, DeviceError> {
    probe(Needs::Compiler)?;
    let cache = Cache::of_the_user();
    let options = options(&format!("sm_{}{}", capability.0, capability.1));
    let version = version()?;
    let mut words: Vec<&str> = vec![source, &version];
    words.extend(options.iter().map(String::as_str));
    let key = Cache::key(&words);
    if let Some(code) = cache.get(&key) {
        return Ok(Cubin { code, log: String::new() });
    }
    let mut unit = Unit::new(source)?;
    let log = unit.compile(&options)?;
    let code = unit.code()?;
    cache.put(&key, &code);
    Ok(Cubin { code, log })
}

/// The PTX of a source for GPUs of compute capability 9.0.
///
/// # Errors
/// No compiler here, or it refuses the source, with its words.
pub fn ptx(source: &str) -> Result<String, DeviceError> {
    probe(Needs::Compiler)?;
    let mut unit = Unit::new(source)?;
    unit.compile(&options("compute_90"))?;
    // SAFETY: `unit` holds a program that has been compiled.
    let text = unsafe { result::get_ptx(unit.program) }.map_err(|error| failed("no PTX", &error))?;
    Ok(text_of(&text))
}

fn options(architecture: &str) -> Vec<String> {
    let report = ["--ptxas-options=-v", "--ptxas-options=--warn-on-spills"];
    let target = format!("--gpu-architecture={architecture}");
    let report = report.into_iter().filter(|_| architecture.starts_with("sm_"));
    OPTIONS.into_iter().chain(report).map(str::to_string).chain([target]).collect()
}

fn version() -> Result<String, DeviceError> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: writes two numbers.
    unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) }
        .result()
        .map_err(|error| failed("no version", &error))?;
    Ok(format!("{major}.{minor}"))
}

/// A translation unit in the compiler's hands.
struct Unit {
    program: sys::nvrtcProgram,
}

impl Unit {
    fn new(source: &str) -> Result<Self, DeviceError> {
        let source = CString::new(source).map_err(|error| failed("a source with a zero in it", &error))?;
        let program =
            result::create_program(&source, Some(c"gmpc.cu")).map_err(|error| failed("no program", &error))?;
        Ok(Unit { program })
    }

    /// Compiles, and gives the log.
    fn compile(&mut self, options: &[String]) -> Result<String, DeviceError> {
        // SAFETY: the program lives as long as `self`.
        let done = unsafe { result::compile_program(self.program, options) };
        // SAFETY: as above.
        let log = unsafe { result::get_program_log(self.program) }.map_err(|error| failed("no log", &error))?;
        let log = text_of(&log);
        match done {
            Ok(()) => Ok(log),
            Err(error) => Err(failed(&format!("the CUDA compiler refuses generated code\n{log}"), &error)),
        }
    }

    fn code(&self) -> Result<Vec<u8>, DeviceError> {
        let mut size = 0;
        // SAFETY: writes a size; the program lives as long as `self`.
        let told = unsafe { sys::nvrtcGetCUBINSize(self.program, &raw mut size) };
        told.result().map_err(|error| failed("no machine code", &error))?;
        let mut code = vec![0_u8; size];
        // SAFETY: writes as many bytes as it has just asked for.
        let told = unsafe { sys::nvrtcGetCUBIN(self.program, code.as_mut_ptr().cast()) };
        told.result().map_err(|error| failed("no machine code", &error))?;
        Ok(code)
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // SAFETY: nobody else has the program, and this is the end of it.
        let _ = unsafe { result::destroy_program(self.program) };
    }
}

/// Up to the first zero.
fn text_of(bytes: &[c_char]) -> String {
    #[allow(clippy::cast_sign_loss)] // the bytes of a text
    let bytes: Vec<u8> = bytes.iter().map(|&c| c as u8).collect();
    CStr::from_bytes_until_nul(&bytes).map_or_else(
        |_| String::from_utf8_lossy(&bytes).into_owned(),
        |text| text.to_string_lossy().trim_end().to_string(),
    )
}

fn failed(what: &str, error: &dyn std::fmt::Debug) -> DeviceError {
    DeviceError { message: format!("CUDA's compiler: {what} ({error:?})"), help: None }
}
