//! The CPU backend: kernels as Cranelift functions.
//!
//! Elementwise nests, reductions and random numbers become loops over 128-bit vectors. Matmuls and unit vectors become
//! calls of functions that the runtime provides. Large matmuls, convolutions and pools are steps of their own, which the
//! runtime computes with its own kernels. Between them the program runs generated functions, whose outermost loop threads may
//! divide among them. Where many kernels differ only in their addresses, they share one function (`alike`).
//!
//! The code uses only calls, loads, stores, and plain integer, float and vector instructions: the well-tested subset of
//! Cranelift. Nothing here runs code or knows the machine it will run on.

mod alike;
mod call;
mod contraction;
mod convert;
mod emitter;
mod machine;
mod nest;
mod nest_sums;
mod nest_values;
mod operation;
mod scan;
#[cfg(test)]
mod tests;
mod uniform;

use crate::ir::code::{Code, Import, Step};
use crate::ir::kernels::{Buffer, Dtype, Kernel, Kernels, Location, Work};
use crate::lower::plan::Plan;
use crate::stage::Made;
use alike::{Alike, alike};
use cranelift_codegen::ir::Function;
use cranelift_codegen::settings;
use cranelift_frontend::FunctionBuilderContext;
use emitter::Emitter;
use gmpc_grammar::source::Sources;
use std::collections::HashMap;

impl Made for Code {
    /// Applies Cranelift's verifier to every function, and checks that every step names a function that exists.
    fn verify(&self) -> Result<(), String> {
        let flags = settings::Flags::new(settings::builder());
        for function in &self.functions {
            cranelift_codegen::verify_function(function, &flags)
                .map_err(|errors| format!("{}: {errors}", function.name))?;
        }
        for step in &self.steps {
            let Step::Run { function, addresses, .. } = step else { continue };
            let Some(function) = self.functions.get(*function) else {
                return Err("a step calls an unknown function".to_string());
            };
            if emitter::is_shared(function) == addresses.is_empty() {
                return Err(format!("a step calls {} with {} addresses", function.name, addresses.len()));
            }
        }
        Ok(())
    }

    fn print(&self, _: Option<&Sources>) -> String {
        let functions: Vec<String> = self.functions.iter().map(|function| function.display().to_string()).collect();
        let mut text = functions.join("\n");
        // What is called in turn once says all; what kernels share is called with their addresses.
        if self.functions.iter().any(emitter::is_shared) {
            self.steps.iter().for_each(|step| text.push_str(&printed(step)));
        }
        text
    }
}

/// A step as a comment.
fn printed(step: &Step) -> String {
    match step {
        Step::Run { function, addresses, .. } if addresses.is_empty() => format!("\n; u1:{function}"),
        Step::Run { function, addresses, .. } => format!("\n; u1:{function} at {addresses:?}"),
        Step::MatMul { operands: [_, _, to], .. } => format!("\n; matmul to {to:?}"),
        Step::Convolve { operands: [_, _, to], .. } => format!("\n; convolution to {to:?}"),
        Step::Pool { target, .. } => format!("\n; pool to {target:?}"),
    }
}

/// Instructions after which a new function begins. The time of register allocation grows faster than the size of a function.
const FUNCTION_BUDGET: usize = 8192;

/// Code for kernels whose buffers lie where `plan` says.
#[must_use]
pub fn emit(kernels: &Kernels, plan: &Plan) -> Code {
    let precision = kernels.precision;
    let input = |i: usize| kernels.buffers.iter().position(|b| b.location == Location::Input(i));
    let count = kernels.buffers.iter().filter(|b| matches!(b.location, Location::Input(_))).count();
    let (functions, steps) = emit_steps(kernels, plan);
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

/// Functions and steps under construction.
struct Writer<'k> {
    kernels: &'k Kernels,
    plan: &'k Plan,
    context: FunctionBuilderContext,
    functions: Vec<Function>,
    steps: Vec<Step>,
    /// By form the function that kernels share.
    shared: HashMap<usize, usize>,
}

/// Neighbouring kernels are one function, up to a size; what threads share stands alone, and so does what many kernels share.
fn emit_steps(kernels: &Kernels, plan: &Plan) -> (Vec<Function>, Vec<Step>) {
    let (functions, steps, context) = (Vec::new(), Vec::new(), FunctionBuilderContext::new());
    let mut writer = Writer { kernels, plan, context, functions, steps, shared: HashMap::new() };
    let alike = alike(kernels);
    let mut next = 0;
    while let Some(first) = kernels.kernels.get(next) {
        require_own_numbers(kernels, &first.work);
        next += match (call::step(kernels, plan, &first.work), &alike[next]) {
            (Some(step), _) => {
                writer.steps.push(step);
                1
            }
            (None, Some(alike)) => {
                writer.shared(&first.work, alike);
                1
            }
            (None, None) => writer.neighbours(&kernels.kernels[next..], &alike[next..]),
        };
    }
    (writer.functions, writer.steps)
}

impl Writer<'_> {
    /// One function for the first kernel and those after it that fit in; how many they are.
    fn neighbours(&mut self, kernels: &[Kernel], alike: &[Option<Alike>]) -> usize {
        let mut function = emitter::empty_function(self.functions.len());
        let mut emitter = Emitter::new(&mut function, &mut self.context, self.kernels, self.plan);
        let extent = extent(&kernels[0].work);
        emit_kernel(&mut emitter, &kernels[0].work);
        let mut done = 1;
        let joins = |at: usize| {
            self::extent(&kernels[at].work) == 1 && !call::is_call(&kernels[at].work) && alike[at].is_none()
        };
        while extent == 1 && emitter.instructions() < FUNCTION_BUDGET && done < kernels.len() && joins(done) {
            require_own_numbers(self.kernels, &kernels[done].work);
            emit_kernel(&mut emitter, &kernels[done].work);
            done += 1;
        }
        emitter.finish();
        self.steps.push(Step::Run { function: self.functions.len(), extent, addresses: Vec::new() });
        self.functions.push(function);
        done
    }

    /// A call of the function that this kernel shares with others; the first of them writes it.
    fn shared(&mut self, work: &Work, Alike { form, buffers }: &Alike) {
        let function = self.shared.get(form).copied().unwrap_or_else(|| {
            let mut function = emitter::empty_shared_function(self.functions.len());
            let mut emitter = Emitter::new(&mut function, &mut self.context, self.kernels, self.plan);
            emitter.read_addresses(buffers);
            emit_kernel(&mut emitter, work);
            emitter.finish();
            self.functions.push(function);
            self.shared.insert(*form, self.functions.len() - 1);
            self.functions.len() - 1
        });
        let addresses = buffers.iter().map(|id| self.plan.offsets[id.index()] as u64).collect();
        self.steps.push(Step::Run { function, extent: extent(work), addresses });
    }
}

/// Checks the types of the numbers that a kernel reads and writes. Nests and casts convert numbers. The runtime's kernels
/// accept only numbers of the program's precision, and argmax bytes. Any other type is an error of a pass, which must not
/// lead to wrong numbers.
fn require_own_numbers(kernels: &Kernels, work: &Work) {
    if matches!(work, Work::Nest(_) | Work::Cast(_)) {
        return;
    }
    let own = Dtype::from(kernels.precision);
    for id in work.reads().into_iter().chain(work.writes()) {
        let Buffer { name, dtype, .. } = &kernels.buffers[id.index()];
        assert!([own, Dtype::U8].contains(dtype), "the CPU has no kernel that takes {name} as {dtype}: {work:?}");
    }
}

/// Rounds of the loop that threads may divide among them, or 1 if there is no such loop.
fn extent(work: &Work) -> usize {
    match work {
        Work::Nest(nest) if nest.parallel => nest.space[0],
        Work::Spherical(scan) => scan::extent(scan.angles, scan.units),
        Work::SphericalGrad(scan) => scan::extent(scan.angles, scan.units),
        Work::Nest(_) | Work::MatMul(_) | Work::Uniform(_) | Work::Convolve(_) | Work::Pool(_) | Work::Cast(_) => 1,
    }
}

fn emit_kernel(emitter: &mut Emitter, work: &Work) {
    match work {
        Work::Nest(nest) => nest::emit(emitter, nest),
        Work::MatMul(product) => contraction::emit(emitter, product),
        Work::Spherical(scan) => scan::emit_forward(emitter, scan),
        Work::SphericalGrad(scan) => scan::emit_backward(emitter, scan),
        Work::Uniform(draw) => uniform::emit(emitter, draw),
        Work::Convolve(_) | Work::Pool(_) => {} // steps of their own, see module `call`
        Work::Cast(cast) => {
            let elements = emitter.elements(cast.target);
            nest::emit(emitter, &cast.nest(elements));
        }
    }
}
