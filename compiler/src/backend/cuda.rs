//! The CUDA backend: kernels as CUDA C++ text and a list of launches.
//!
//! Nests, scans, pooling and random numbers become kernels of one header-free source; matrix products and convolutions are
//! launches that a library computes. Everything a runtime needs stands in [`Program`] as text and numbers: nothing here
//! compiles, runs or points anywhere, so that all of it is tested on any machine.
//!
//! A kernel's text depends on the shape of its work alone, so that layers of one shape share a kernel. Each begins with the
//! lines of the model that it came from.

mod apart;
mod computed;
mod context;
mod count;
mod draft;
mod emitter;
pub mod finish;
pub mod gather;
mod half;
mod inline;
mod launch;
mod layout;
mod library;
mod machine;
mod mapped;
mod nest;
mod pad;
pub mod plain;
mod pool;
mod print;
mod reduce;
mod round;
mod scan;
mod settle;
mod source;
mod split;
#[cfg(test)]
mod tests;
mod text;
mod threads;
mod together;
mod traffic;
mod turn;
mod uniform;
mod values;

pub use count::{Counts, one_by_one};
pub use launch::{Convolution, Kernel, Launch, OPTIONS, Operand, Product, Program, Region, Work};

use crate::experiment::{Contractions, Precision};
use crate::kernels::{self, BufferId, Kernels, Place};
use crate::plan::Plan;
use context::{Context, Names};
use draft::Draft;
use emitter::Emitter;
use gmpc_grammar::source::Sources;
use layout::Layout;

/// Kernels as a device with hundreds of blocks and libraries wants them, and which of them run at once.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// In the order of their steps.
    pub kernels: Kernels,
    /// For each kernel the number of its step.
    pub steps: Vec<usize>,
    /// For each kernel: is it computed by the next one that is not, where that reads its result? It needs no memory then.
    pub inlined: Vec<bool>,
    /// Of all their numbers.
    pub precision: Precision,
    /// How libraries are to multiply.
    pub contractions: Contractions,
}

impl Prepared {
    /// The kernels for the planner: what lies in no memory has no numbers.
    #[must_use]
    pub fn laid_out(&self) -> Kernels {
        let mut kernels = self.kernels.clone();
        for (kernel, _) in self.kernels.kernels.iter().zip(&self.inlined).filter(|(_, inlined)| **inlined) {
            kernel.work.writes().iter().for_each(|id| kernels.buffers[id.index()].elements = 0);
        }
        kernels
    }
}

/// Packs filters for libraries, rounds what they multiply, cuts long reductions in two, and puts small kernels together.
#[must_use]
pub fn prepare(kernels: &Kernels, precision: Precision, contractions: Contractions) -> Prepared {
    let packed = library::prepare(kernels);
    let packed = if contractions == Contractions::Bf16 { settle::settle(half::halve(packed)) } else { packed };
    let (kernels, inlined) = inline::inline(apart::apart(split::split(packed, precision)), precision);
    let drafts: Vec<Option<Draft>> =
        kernels.kernels.iter().map(|kernel| neutral(&kernels, &kernel.work, &[], precision)).collect();
    let order = together::together(&kernels, &drafts, &inlined);
    let place = |&index: &usize| kernels.kernels[index].clone();
    let steps = order.iter().enumerate().flat_map(|(step, all)| vec![step; all.len()]).collect();
    let sorted = order.iter().flatten().map(place).collect();
    let inlined = order.iter().flatten().map(|&index| inlined[index]).collect();
    Prepared { kernels: Kernels { kernels: sorted, ..kernels }, steps, inlined, precision, contractions }
}

/// Source and launches for kernels whose buffers lie where `plan` says; `sources` knows the lines of the model.
#[must_use]
pub fn emit(prepared: &Prepared, plan: &Plan, sources: Option<&Sources>) -> Program {
    let Prepared { kernels, precision, contractions, .. } = prepared;
    let (precision, contractions) = (*precision, *contractions);
    let input = |i: usize| kernels.buffers.iter().position(|b| b.place == Place::Input(i));
    let count = kernels.buffers.iter().filter(|b| matches!(b.place, Place::Input(_))).count();
    let mut emitter = Emitter::new(Layout { kernels, plan, precision, contractions }, sources);
    let mut launches = Vec::new();
    let mut first = 0;
    for step in prepared.steps.chunk_by(|a, b| a == b) {
        let now = &kernels.kernels[first..first + step.len()];
        let marked = now.iter().zip(&prepared.inlined[first..]);
        let (inlined, own): (Vec<_>, Vec<_>) = marked.partition(|(_, inlined)| **inlined);
        let computed: Vec<&kernels::Work> = inlined.into_iter().map(|(kernel, _)| &kernel.work).collect();
        let own: Vec<&kernels::Kernel> = own.into_iter().map(|(kernel, _)| kernel).collect();
        launches.extend(emitter.step(&own, &computed));
        first += step.len();
    }
    Program {
        precision,
        contractions,
        source: emitter.source(),
        scratch_bytes: plan.scratch_bytes,
        inputs: (0..count).filter_map(input).map(|buffer| plan.offsets[buffer]).collect(),
        outputs: kernels.outputs.iter().map(|o| plan.offsets[o.index()]).collect(),
        random: plan.random,
        launches,
    }
}

/// The kernel of some work; `None` for what libraries do and where there is nothing to do.
fn draft(
    kernels: &Kernels,
    work: &kernels::Work,
    computed: &[&kernels::Work],
    precision: Precision,
    names: &Names,
) -> Option<Draft> {
    let elements = |id: BufferId| kernels.buffers[id.index()].elements;
    let points = if let kernels::Work::Nest(nest) = work { nest.space.iter().product() } else { 0 };
    let touched = context::reads(work, computed).into_iter().chain(work.reads()).chain(work.writes());
    let most = touched.map(elements).max().unwrap_or(0).max(points);
    let index = if most < 1 << 31 { "unsigned" } else { "unsigned long long" };
    let context = Context { precision, names, index, buffers: &kernels.buffers, computed: &[] };
    let all = computed::all(computed, context);
    let context = Context { computed: &all, ..context };
    match work {
        kernels::Work::Nest(nest) if nest.space.contains(&0) => None,
        kernels::Work::Nest(nest) => Some(nest::draft(nest, context)),
        kernels::Work::Spherical(scan) => scan::forward(scan, context),
        kernels::Work::SphericalGrad(scan) => scan::backward(scan, context),
        kernels::Work::Pool(pool) => Some(pool::draft(pool, context)),
        kernels::Work::Round(round) => Some(round::draft(round, elements(round.target), context)),
        kernels::Work::Uniform(draw) => Some(uniform::draft(draw, elements(draw.target), context)),
        kernels::Work::MatMul(_) | kernels::Work::Convolve(_) => None,
    }
}

/// The same with names that say nothing, so that equal kernels have equal texts.
fn neutral(
    kernels: &Kernels,
    work: &kernels::Work,
    computed: &[&kernels::Work],
    precision: Precision,
) -> Option<Draft> {
    draft(kernels, work, computed, precision, &names(work, computed, |position, _| format!("b{position}")))
}

/// Names for every buffer of a kernel, each told its position.
fn names(work: &kernels::Work, computed: &[&kernels::Work], mut name: impl FnMut(usize, BufferId) -> String) -> Names {
    let all = draft::parameters(&context::reads(work, computed), &work.writes());
    all.iter().enumerate().map(|(i, p)| (p.buffer, name(i, p.buffer))).collect()
}
