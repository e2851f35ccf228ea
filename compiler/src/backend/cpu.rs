//! The processor backend: kernels as Cranelift functions.
//!
//! Elementwise nests, reductions and random numbers become loops over 128-bit vectors; matrix products and unit vectors
//! become calls to symbols that the runtime provides. Convolutions and pooling are steps of their own, which the runtime
//! computes with kernels of its own; between them stand calls of generated functions, whose outermost loop threads may
//! share. Only plain loads, stores, integer, float and vector instructions are used, and
//! calls: the well-tested subset of Cranelift. Nothing here runs code or knows the machine it will run on.

mod call;
mod contraction;
mod emitter;
mod machine;
mod nest;
mod nest_values;
mod scan;
#[cfg(test)]
mod tests;
mod uniform;

use crate::experiment::Precision;
use crate::kernels::{Kernels, Place, Work};
use crate::plan::Plan;
use cranelift_codegen::ir::Function;
use emitter::Emitter;

pub use crate::plan::Address;
pub use call::{GateAt, PooledAt, Step};

/// Code of one program and where its buffers lie.
///
/// Every function has the signature `fn(states: *mut u8, scratch: *mut u8, first: usize, end: usize)`; `states` is laid out by
/// [`crate::layout::StateLayout`], `scratch` by the offsets here. Both are aligned to 64 bytes.
#[derive(Debug, Clone, Default)]
pub struct Code {
    /// Called by the steps.
    pub functions: Vec<Function>,
    /// What is done in turn; one call of one function for a small network.
    pub steps: Vec<Step>,
    /// Symbols the functions call: the i-th is the external name of namespace 0 and index i.
    pub imports: Vec<String>,
    /// Bytes of scratch memory: inputs, outputs, everything in between.
    pub scratch_bytes: usize,
    /// Byte offset in scratch of each of `graph.inputs`.
    pub inputs: Vec<usize>,
    /// Byte offset in scratch of each named output, in `graph.outputs` order (`Value`s only).
    pub outputs: Vec<usize>,
    /// Byte offset in scratch of four `u32`: seed low, seed high, step low, step high; where the program draws numbers.
    pub random: Option<usize>,
}

/// Instructions after which a new function begins; register allocation is superlinear in a function's size.
const FUNCTION_BUDGET: usize = 8192;

/// Functions of the runtime, one symbol a precision, in the order of [`Code::imports`]. All arguments are 64-bit; strides
/// are in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Import {
    /// C = A B for matrices in memory: m, n, k, then address, row stride and column stride of A, of B, then address and
    /// row stride of C, address of a row to add or 0, and 1 to replace negative results by 0.
    Product,
    /// [`crate::kernels::Spherical`]: angles, units, the first unit and the one after the last to work on, then the
    /// addresses of angles, unit vectors or 0, what is kept or 0.
    Spherical,
    /// [`crate::kernels::SphericalGrad`]: sizes and range likewise, then the addresses of angles, what was kept or 0,
    /// gradient at the unit vectors, gradient at the angles.
    SphericalGrad,
}

impl Import {
    /// Every one, in order.
    pub const ALL: [Import; 3] = [Import::Product, Import::Spherical, Import::SphericalGrad];

    /// What the linker knows it by.
    #[must_use]
    pub fn symbol(self, precision: Precision) -> &'static str {
        match (self, precision) {
            (Import::Product, Precision::F32) => "gmpc_product_f32",
            (Import::Product, Precision::F64) => "gmpc_product_f64",
            (Import::Spherical, Precision::F32) => "gmpc_spherical_f32",
            (Import::Spherical, Precision::F64) => "gmpc_spherical_f64",
            (Import::SphericalGrad, Precision::F32) => "gmpc_spherical_grad_f32",
            (Import::SphericalGrad, Precision::F64) => "gmpc_spherical_grad_f64",
        }
    }
}

/// Code for kernels whose buffers lie where `plan` says.
#[must_use]
pub fn emit(kernels: &Kernels, plan: &Plan, precision: Precision) -> Code {
    let input = |i: usize| kernels.buffers.iter().position(|b| b.place == Place::Input(i));
    let count = kernels.buffers.iter().filter(|b| matches!(b.place, Place::Input(_))).count();
    let (functions, steps) = emit_steps(kernels, plan, precision);
    Code {
        functions,
        steps,
        imports: Import::ALL.iter().map(|import| import.symbol(precision).into()).collect(),
        scratch_bytes: plan.scratch_bytes,
        inputs: (0..count).filter_map(input).map(|buffer| plan.offsets[buffer]).collect(),
        outputs: kernels.outputs.iter().map(|o| plan.offsets[o.index()]).collect(),
        random: plan.random,
    }
}

/// Neighbouring kernels share a function, up to a size; what threads share stands alone.
fn emit_steps(kernels: &Kernels, plan: &Plan, precision: Precision) -> (Vec<Function>, Vec<Step>) {
    let (mut functions, mut steps) = (Vec::new(), Vec::new());
    let mut context = cranelift_frontend::FunctionBuilderContext::new();
    let mut rest = kernels.kernels.as_slice();
    while let Some(first) = rest.first() {
        if let Some(step) = call::step(kernels, plan, &first.work) {
            steps.push(step);
            rest = &rest[1..];
            continue;
        }
        let mut function = emitter::empty_function(functions.len());
        let mut emitter = Emitter::new(&mut function, &mut context, kernels, plan, precision);
        emit_kernel(&mut emitter, &first.work);
        let mut done = 1;
        let extent = extent(&first.work);
        let joins = |work: &Work| self::extent(work) == 1 && !call::is_call(work);
        while extent == 1
            && emitter.instructions() < FUNCTION_BUDGET
            && rest.get(done).is_some_and(|kernel| joins(&kernel.work))
        {
            emit_kernel(&mut emitter, &rest[done].work);
            done += 1;
        }
        emitter.finish();
        steps.push(Step::Run { function: functions.len(), extent });
        functions.push(function);
        rest = &rest[done..];
    }
    (functions, steps)
}

/// Rounds of the loop that threads may share; 1 if there is none.
fn extent(work: &Work) -> usize {
    match work {
        Work::Nest(nest) if nest.spread => nest.space[0],
        Work::Spherical(scan) => scan::extent(scan.angles, scan.units),
        Work::SphericalGrad(scan) => scan::extent(scan.angles, scan.units),
        _ => 1,
    }
}

fn emit_kernel(emitter: &mut Emitter, work: &Work) {
    match work {
        Work::Nest(nest) => nest::emit(emitter, nest),
        Work::MatMul(product) => contraction::emit(emitter, product),
        Work::Spherical(scan) => scan::emit_forward(emitter, scan),
        Work::SphericalGrad(scan) => scan::emit_backward(emitter, scan),
        Work::Uniform(draw) => uniform::emit(emitter, draw),
        Work::Convolve(_) | Work::Pool(_) => {} // steps of their own, see `call`
        Work::Round(_) => debug_assert!(false, "made for another backend"),
    }
}
