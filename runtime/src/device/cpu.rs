//! This processor: generated functions made executable by Cranelift, contractions from [`crate::contraction`].

mod disassemble;
mod flush;
mod memory;
#[cfg(test)]
mod tests;

pub use disassemble::disassemble;

use super::{Device, DeviceError, Executable, Numbers, Slice, SliceMut, States};
use crate::contraction::{Variant, product_f32, product_f64};
use cranelift_codegen::Context;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};
use flush::Flush;
use gmpc_compiler::backend::cpu::product_symbol;
use gmpc_compiler::experiment::Precision;
use gmpc_compiler::graph::{Output, Random};
use gmpc_compiler::program::{Program, StateLayout};
use memory::Scratch;
use std::sync::Arc;

/// This processor.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    /// Which contraction kernels to use.
    pub variant: Variant,
}

impl Default for Cpu {
    fn default() -> Self {
        Cpu { variant: Variant::best() }
    }
}

/// What every generated function looks like: states, scratch.
type Entry = unsafe extern "C" fn(*mut u8, *mut u8);

fn failed(what: &str, error: impl std::fmt::Display) -> DeviceError {
    DeviceError { message: format!("{what}: {error}"), help: None }
}

/// Cranelift's description of this processor.
fn isa() -> Result<OwnedTargetIsa, DeviceError> {
    let mut flags = settings::builder();
    let verify = if cfg!(debug_assertions) { "true" } else { "false" };
    let wanted = [
        ("opt_level", "speed"),
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

    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError> {
        Ok(Box::new(Loaded::new(Arc::clone(program), self.variant)?))
    }
}

/// A program as machine code with its scratch memory.
struct Loaded {
    program: Arc<Program>,
    entries: Vec<Entry>,
    scratch: Scratch,
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

impl Loaded {
    fn new(program: Arc<Program>, variant: Variant) -> Result<Self, DeviceError> {
        let mut builder = JITBuilder::with_isa(isa()?, default_libcall_names());
        builder.symbol(product_symbol(Precision::F32), product_f32(variant) as *const u8);
        builder.symbol(product_symbol(Precision::F64), product_f64(variant) as *const u8);
        let mut code = MachineCode(Some(JITModule::new(builder)));
        let Some(module) = code.0.as_mut() else { return Err(failed("code", "no module")) };
        let entries = define(module, &program)?;
        let scratch = Scratch::new(program.code.scratch_bytes).ok_or_else(|| DeviceError {
            message: format!("there is no room for {} bytes of working memory", program.code.scratch_bytes),
            help: Some("use a smaller batch".into()),
        })?;
        Ok(Loaded { program, entries, scratch, layout: None, _code: code })
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
        let address = match (&mut states.data, self.program.precision) {
            (Numbers::F32(data), Precision::F32) if data.len() == states.layout.elements => data.as_mut_ptr().cast(),
            (Numbers::F64(data), Precision::F64) if data.len() == states.layout.elements => data.as_mut_ptr().cast(),
            _ => return Err(failed("these states are not this program's", "another precision or size")),
        };
        if let Some(at) = self.program.code.random {
            self.scratch.set_random(at, random);
        }
        let _flush = Flush::begin();
        for entry in &self.entries {
            // SAFETY: the code reads and writes `layout.elements` numbers of its precision from `address` on, just
            // checked, and `scratch_bytes` of scratch memory, which is as large and ours alone; neither overlaps.
            unsafe { entry(address, self.scratch.address()) }
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
