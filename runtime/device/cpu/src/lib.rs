//! The CPU as a device. Cranelift compiles the generated functions; [`gmpc_kernels`] computes matmuls, convolutions and
//! scans.

#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::disallowed_methods,
        reason = "numbers of tests are small, and their inputs need no last digit"
    )
)]

mod disassemble;
mod memory;
mod run;
#[cfg(test)]
mod tests;

pub use disassemble::disassemble;

use cranelift_codegen::Context;
use cranelift_codegen::ir::Function;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};
use gmpc_compiler::ir::code::Import;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::{Output, Random};
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_compiler::ir::program::Program;
use gmpc_device::{Device, DeviceError, Executable, Numbers, Slice, SliceMut, States};
use gmpc_kernels::convolution::Algorithm;
use gmpc_kernels::flush::Flush;
use gmpc_kernels::workers::Workers;
use gmpc_kernels::{self as kernels, Variant};
use memory::Scratch;
use run::Memory;
use std::sync::Arc;

/// The CPU of this machine.
#[derive(Debug, Clone)]
pub struct Cpu {
    /// The instruction set for which kernels are chosen.
    pub variant: Variant,
    /// For tests and measurements: an algorithm for every convolution that it fits, instead of the best known one.
    pub algorithm: Option<Algorithm>,
    /// The threads that share large work. Results do not depend on their number.
    pub workers: Arc<Workers>,
}

impl Default for Cpu {
    /// The CPU with one thread.
    fn default() -> Self {
        Cpu::with_threads(1)
    }
}

impl Cpu {
    /// The CPU with its fastest kernels and this many threads, at least 1.
    #[must_use]
    pub fn with_threads(threads: usize) -> Self {
        Cpu { variant: Variant::best(), algorithm: None, workers: Arc::new(Workers::new(threads)) }
    }
}

type Fixed = unsafe extern "C" fn(*mut u8, *mut u8, usize, usize);
type Shared = unsafe extern "C" fn(*mut u8, *mut u8, usize, usize, *const u64);

/// A generated function. Its arguments are states, scratch, and the first and the end of the iterations that the caller runs.
#[derive(Clone, Copy)]
enum Entry {
    /// The addresses of its buffers are constants of its code.
    Fixed(Fixed),
    /// It reads the addresses of its buffers from its fifth argument.
    Shared(Shared),
}

fn failed(what: &str, error: impl std::fmt::Display) -> DeviceError {
    DeviceError { message: format!("{what}: {error}"), help: None }
}

/// Cranelift's description of this CPU.
fn isa() -> Result<OwnedTargetIsa, DeviceError> {
    let mut flags = settings::builder();
    // The compiler has verified every function already. This verifier checks only Cranelift's own passes, so release
    // builds skip it.
    let verify = if cfg!(debug_assertions) { "true" } else { "false" };
    let wanted = [
        ("opt_level", "none"),
        ("enable_verifier", verify),
        ("is_pic", "false"),
        ("use_colocated_libcalls", "false"),
        ("unwind_info", "false"),
    ];
    for (name, value) in wanted {
        flags.set(name, value).map_err(|e| failed("a code generator setting", e))?;
    }
    let builder = cranelift_native::builder().map_err(|e| failed("this CPU is not supported", e))?;
    builder.finish(settings::Flags::new(flags)).map_err(|e| failed("this CPU is not supported", e))
}

impl Device for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn threads(&self) -> usize {
        self.workers.threads()
    }

    fn working_bytes(&self, program: &Program) -> usize {
        let numbers = match program.precision {
            Precision::F32 => run::working_numbers::<f32>(self, program),
            Precision::F64 => run::working_numbers::<f64>(self, program),
        };
        numbers.saturating_mul(program.precision.bytes())
    }

    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError> {
        gmpc_device::whole_numbers(program, "cpu")?;
        Ok(Box::new(Loaded::new(Arc::clone(program), self.clone())?))
    }
}

/// A program as machine code, with its scratch memory.
struct Loaded {
    cpu: Cpu,
    program: Arc<Program>,
    entries: Vec<Entry>,
    scratch: Scratch,
    /// Working memory of matmuls and convolutions.
    workspace: Scratch,
    /// The last layout that was found equal to the program's. A training loop then compares only its address.
    layout: Option<Arc<StateLayout>>,
    /// Owns the code to which `entries` point.
    _code: MachineCode,
}

/// Owns the memory of the machine code.
struct MachineCode(Option<JITModule>);

// SAFETY: after `define` the module is used once more, to free its memory in `drop`. Finished code is read-only and may
// run on any thread.
unsafe impl Send for MachineCode {}

impl Drop for MachineCode {
    fn drop(&mut self) {
        if let Some(module) = self.0.take() {
            // SAFETY: the only pointers into this memory are `Loaded::entries`. They are private, `Loaded` is being
            // dropped, and calls through them borrow it.
            unsafe { module.free_memory() }
        }
    }
}

/// The address of the kernel that generated code calls by name.
fn address(import: Import, precision: Precision, variant: Variant) -> *const u8 {
    match (import, precision) {
        (Import::MatMul, Precision::F32) => kernels::matmul_f32(variant) as *const u8,
        (Import::MatMul, Precision::F64) => kernels::matmul_f64(variant) as *const u8,
        (Import::Spherical, Precision::F32) => kernels::spherical_f32(variant) as *const u8,
        (Import::Spherical, Precision::F64) => kernels::spherical_f64(variant) as *const u8,
        (Import::SphericalGrad, Precision::F32) => kernels::spherical_grad_f32(variant) as *const u8,
        (Import::SphericalGrad, Precision::F64) => kernels::spherical_grad_f64(variant) as *const u8,
    }
}

impl Loaded {
    fn new(program: Arc<Program>, cpu: Cpu) -> Result<Self, DeviceError> {
        let mut builder = JITBuilder::with_isa(isa()?, default_libcall_names());
        for import in Import::ALL {
            for precision in [Precision::F32, Precision::F64] {
                builder.symbol(import.symbol(precision), address(import, precision, cpu.variant));
            }
        }
        let mut code = MachineCode(Some(JITModule::new(builder)));
        let Some(module) = code.0.as_mut() else { return Err(failed("code", "no module")) };
        let entries = define(module, &program)?;
        let room = |bytes: usize| {
            Scratch::new(bytes).ok_or_else(|| DeviceError {
                message: format!("there is no room for {bytes} bytes of working memory"),
                help: Some("use a smaller batch".into()),
            })
        };
        let scratch = room(program.code.scratch_bytes)?;
        let workspace = room(cpu.working_bytes(&program))?;
        Ok(Loaded { cpu, program, entries, scratch, workspace, layout: None, _code: code })
    }
}

impl Loaded {
    /// Checks that the states have the layout for which the code was made.
    fn check(&mut self, layout: &Arc<StateLayout>) -> Result<(), DeviceError> {
        if self.layout.as_ref().is_some_and(|known| Arc::ptr_eq(known, layout)) {
            return Ok(());
        }
        if **layout != StateLayout::new(&self.program.graph.states) {
            return Err(failed("these states are not this program's", "another network"));
        }
        self.layout = Some(Arc::clone(layout));
        Ok(())
    }
}

/// Compiles every function of a program. Imports are declared first, because the code refers to them by their index.
fn define(module: &mut JITModule, program: &Program) -> Result<Vec<Entry>, DeviceError> {
    let bug = |e: cranelift_module::ModuleError| failed("the code generator refused its input", e);
    for name in &program.code.imports {
        let signature = module.make_signature();
        module.declare_function(name, Linkage::Import, &signature).map_err(bug)?;
    }
    let mut ids: Vec<FuncId> = Vec::new();
    for (index, function) in program.code.functions.iter().enumerate() {
        let id = module.declare_function(&format!("step{index}"), Linkage::Export, &function.signature).map_err(bug)?;
        module.define_function(id, &mut Context::for_function(function.clone())).map_err(bug)?;
        ids.push(id);
    }
    module.finalize_definitions().map_err(bug)?;
    let entry = |(id, function): (FuncId, &Function)| {
        let address = module.get_finalized_function(id);
        // SAFETY: `address` is the start of finished code, and the backend gives every function of `Code` one of these two
        // signatures (`gmpc_compiler::backend::cpu`). Only the second one has a fifth parameter.
        unsafe {
            match function.signature.params.len() {
                5 => Entry::Shared(std::mem::transmute::<*const u8, Shared>(address)),
                _ => Entry::Fixed(std::mem::transmute::<*const u8, Fixed>(address)),
            }
        }
    };
    Ok(ids.into_iter().zip(&program.code.functions).map(entry).collect())
}

impl Executable for Loaded {
    fn input(&mut self, index: usize) -> SliceMut<'_> {
        let len = self.program.graph.inputs[index].shape.iter().product();
        let at = self.program.code.inputs[index];
        match self.program.precision {
            Precision::F32 => SliceMut::F32(self.scratch.numbers_mut(at, len)),
            Precision::F64 => SliceMut::F64(self.scratch.numbers_mut(at, len)),
        }
    }

    fn run(&mut self, states: &mut States, random: Random) -> Result<(), DeviceError> {
        self.check(&states.layout)?;
        let elements = states.layout.elements;
        let address = match (states.data_mut(), self.program.precision) {
            (Numbers::F32(data), Precision::F32) if data.len() == elements => data.as_mut_ptr().cast(),
            (Numbers::F64(data), Precision::F64) if data.len() == elements => data.as_mut_ptr().cast(),
            _ => return Err(failed("these states are not this program's", "another precision or size")),
        };
        if let Some(at) = self.program.code.random {
            self.scratch.set_random(at, random);
        }
        let _flush = Flush::begin();
        let (scratch, workspace) = (self.scratch.address(), self.workspace.address());
        let memory = Memory { states: address, scratch, workspace };
        // SAFETY: `address` points to `layout.elements` numbers of the program's precision, checked above. `new` allocated
        // scratch memory of `scratch_bytes` and the workspace of `working_bytes`, and `&mut self` and `&mut states` make all
        // three ours alone. They are separate allocations. `new` compiled `entries` from this program.
        unsafe {
            match self.program.precision {
                Precision::F32 => run::run::<f32>(&self.cpu, &self.program, &self.entries, memory),
                Precision::F64 => run::run::<f64>(&self.cpu, &self.program, &self.entries, memory),
            }
        }
        Ok(())
    }

    fn output(&self, index: usize) -> Slice<'_> {
        let shapes = self.program.graph.outputs.iter().filter_map(|output| match output {
            Output::Value { id, .. } => Some(self.program.graph.shape(*id)),
            Output::Write { .. } => None,
        });
        let len = shapes.into_iter().nth(index).map_or(0, |shape| shape.iter().product());
        let at = self.program.code.outputs[index];
        match self.program.precision {
            Precision::F32 => Slice::F32(self.scratch.numbers(at, len)),
            Precision::F64 => Slice::F64(self.scratch.numbers(at, len)),
        }
    }
}
