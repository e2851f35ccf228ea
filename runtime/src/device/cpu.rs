//! This processor: generated functions made executable by Cranelift, contractions from [`gmpc_kernels`].

mod disassemble;
mod memory;
mod run;
#[cfg(test)]
mod tests;

pub use disassemble::disassemble;

use super::{Device, DeviceError, Executable, Numbers, Slice, SliceMut, States};
use cranelift_codegen::Context;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};
use gmpc_compiler::backend::cpu::Import;
use gmpc_compiler::experiment::Precision;
use gmpc_compiler::graph::{Output, Random};
use gmpc_compiler::layout::StateLayout;
use gmpc_compiler::plan::bytes;
use gmpc_compiler::program::Program;
use gmpc_kernels::convolution::Algorithm;
use gmpc_kernels::flush::Flush;
use gmpc_kernels::workers::Workers;
use gmpc_kernels::{self as kernels, Variant};
use memory::Scratch;
use run::Memory;
use std::sync::Arc;

/// This processor.
#[derive(Debug, Clone)]
pub struct Cpu {
    /// Which contraction kernels to use.
    pub variant: Variant,
    /// The algorithm of every convolution that it fits, instead of the best known one; for tests and measurements.
    pub algorithm: Option<Algorithm>,
    /// The threads that share large work. Results do not depend on how many there are.
    pub workers: Arc<Workers>,
}

impl Default for Cpu {
    /// One thread.
    fn default() -> Self {
        Cpu::with_threads(1)
    }
}

impl Cpu {
    /// The fastest kernels, shared by this many threads, at least 1.
    #[must_use]
    pub fn with_threads(threads: usize) -> Self {
        Cpu { variant: Variant::best(), algorithm: None, workers: Arc::new(Workers::new(threads)) }
    }
}

/// What every generated function looks like: states, scratch, first and end of the caller's share of its loop.
type Entry = unsafe extern "C" fn(*mut u8, *mut u8, usize, usize);

fn failed(what: &str, error: impl std::fmt::Display) -> DeviceError {
    DeviceError { message: format!("{what}: {error}"), help: None }
}

/// Cranelift's description of this processor.
fn isa() -> Result<OwnedTargetIsa, DeviceError> {
    let mut flags = settings::builder();
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
    let builder = cranelift_native::builder().map_err(|e| failed("this processor is not supported", e))?;
    builder.finish(settings::Flags::new(flags)).map_err(|e| failed("this processor is not supported", e))
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
        numbers.saturating_mul(bytes(program.precision))
    }

    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError> {
        super::whole_numbers(program, "cpu")?;
        Ok(Box::new(Loaded::new(Arc::clone(program), self.clone())?))
    }
}

/// A program as machine code with its scratch memory.
struct Loaded {
    cpu: Cpu,
    program: Arc<Program>,
    entries: Vec<Entry>,
    scratch: Scratch,
    /// Working memory of the convolutions.
    workspace: Scratch,
    /// The layout last compared with the program's, so that a training loop compares addresses only.
    layout: Option<Arc<StateLayout>>,
    /// Keeps the entries alive.
    _code: MachineCode,
}

/// Owns the memory of the machine code.
struct MachineCode(Option<JITModule>);

// SAFETY: the module is only touched again to free its memory; finished code is read-only and has no thread affinity.
unsafe impl Send for MachineCode {}

impl Drop for MachineCode {
    fn drop(&mut self) {
        if let Some(module) = self.0.take() {
            // SAFETY: `Loaded` drops its entries with this, and hands them out to nobody.
            unsafe { module.free_memory() }
        }
    }
}

/// The kernel that generated code means.
fn address(import: Import, precision: Precision, variant: Variant) -> *const u8 {
    match (import, precision) {
        (Import::Product, Precision::F32) => kernels::product_f32(variant) as *const u8,
        (Import::Product, Precision::F64) => kernels::product_f64(variant) as *const u8,
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
    /// Are these the states the code was made for?
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

/// Compiles every function of a program; imports come first, so that their numbers are the ones the code uses.
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
    let entry = |id: FuncId| {
        let address = module.get_finalized_function(id);
        // SAFETY: every function of `Code` has this signature and calling convention.
        unsafe { std::mem::transmute::<*const u8, Entry>(address) }
    };
    Ok(ids.into_iter().map(entry).collect())
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
        // SAFETY: the code reads and writes `layout.elements` numbers of its precision from `address` on, just checked,
        // `scratch_bytes` of scratch memory and the convolutions' working memory, which are as large and ours alone; none
        // overlaps; the entries are this program's.
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
