//! Compiles CUDA C++ to machine code with NVIDIA's run-time compiler, which needs no GPU. Results go into the cache.

use super::cache::Cache;
use super::probe::{Needs, probe};
use cudarc::nvrtc::{result, sys};
use gmpc_cuda::OPTIONS;
use gmpc_device::DeviceError;
use std::ffi::{CStr, CString, c_char};

/// Machine code for one kind of GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cubin {
    /// The machine code that a GPU loads.
    pub code: Vec<u8>,
    /// The log of the compiler: registers, spills and shared memory of every kernel. Empty if the code came from the cache.
    pub log: String,
}

/// Compiles a source for GPUs of this compute capability, such as `(9, 0)`.
///
/// # Errors
/// There is no compiler, or it refuses the source; the error contains its log.
pub fn compile(source: &str, capability: (i32, i32)) -> Result<Cubin, DeviceError> {
    probe(Needs::Compiler)?;
    let cache = Cache::of_the_user();
    let options = options(&format!("sm_{}{}", capability.0, capability.1));
    // Another compiler version may give other code for the same source.
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
/// There is no compiler, or it refuses the source; the error contains its log.
pub fn ptx(source: &str) -> Result<String, DeviceError> {
    probe(Needs::Compiler)?;
    let mut unit = Unit::new(source)?;
    unit.compile(&options("compute_90"))?;
    // SAFETY: `unit` holds a program until it is dropped, and the line above has compiled it.
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
    // SAFETY: both pointers are to live local variables, which the call writes.
    unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) }
        .result()
        .map_err(|error| failed("no version", &error))?;
    Ok(format!("{major}.{minor}"))
}

/// A translation unit of the compiler.
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

    /// Compiles the unit and returns the log.
    fn compile(&mut self, options: &[String]) -> Result<String, DeviceError> {
        // SAFETY: `new` created the program, and only `drop` destroys it.
        let done = unsafe { result::compile_program(self.program, options) };
        // SAFETY: `new` created the program, and only `drop` destroys it.
        let log = unsafe { result::get_program_log(self.program) }.map_err(|error| failed("no log", &error))?;
        let log = text_of(&log);
        match done {
            Ok(()) => Ok(log),
            Err(error) => Err(failed(&format!("the CUDA compiler refuses generated code\n{log}"), &error)),
        }
    }

    fn code(&self) -> Result<Vec<u8>, DeviceError> {
        let mut size = 0;
        // SAFETY: the pointer is to a live local variable, which the call writes; `new` created the program.
        let status = unsafe { sys::nvrtcGetCUBINSize(self.program, &raw mut size) };
        status.result().map_err(|error| failed("no machine code", &error))?;
        let mut code = vec![0_u8; size];
        // SAFETY: the call writes `size` bytes, the size that it reported above; `code` has as many.
        let status = unsafe { sys::nvrtcGetCUBIN(self.program, code.as_mut_ptr().cast()) };
        status.result().map_err(|error| failed("no machine code", &error))?;
        Ok(code)
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // SAFETY: `new` created the program, no copy of it leaves `self`, and `drop` runs once.
        let _ = unsafe { result::destroy_program(self.program) };
    }
}

/// The text up to the first zero byte.
fn text_of(bytes: &[c_char]) -> String {
    #[expect(clippy::cast_sign_loss, reason = "the bytes of a text")]
    let bytes: Vec<u8> = bytes.iter().map(|&c| c as u8).collect();
    CStr::from_bytes_until_nul(&bytes).map_or_else(
        |_| String::from_utf8_lossy(&bytes).into_owned(),
        |text| text.to_string_lossy().trim_end().to_string(),
    )
}

fn failed(what: &str, error: &dyn std::fmt::Debug) -> DeviceError {
    DeviceError { message: format!("CUDA's compiler: {what} ({error:?})"), help: None }
}
