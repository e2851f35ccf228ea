//! Everything besides its work that the text of a kernel depends on.

use super::source::{Feature, Features};
use super::text::address;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::{Buffer, BufferId, Dtype, Work};
use std::collections::HashMap;

/// The names of buffers in a kernel.
pub(crate) type Names = HashMap<BufferId, String>;

/// Everything besides its work that the text of a kernel depends on.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) precision: Precision,
    pub(crate) names: &'a Names,
    /// The type of indices: 32 bits if all indices fit.
    pub(crate) index: &'static str,
    /// All buffers of the program. Separate functions read and write those of bfloat16.
    pub(crate) buffers: &'a [Buffer],
    /// Inlined pools and maps, each before those that read it.
    pub(crate) computed: &'a [Computed],
}

/// Inlined work: functions of the source compute its result where it is read.
pub(crate) struct Computed {
    /// The buffer that the work would write.
    pub(crate) target: BufferId,
    /// The buffers to which its functions get pointers. The index of the element comes before them.
    pub(crate) operands: Vec<BufferId>,
    /// The function that computes one element.
    pub(crate) single: Function,
    /// The function that computes 16 bytes of neighbours, if they can be computed at once.
    pub(crate) wide: Option<Function>,
}

/// A function of the source.
pub(crate) struct Function {
    /// The name contains everything that the text depends on, so equal names mean equal texts.
    pub(crate) name: String,
    pub(crate) text: String,
    /// The functions that it calls.
    pub(crate) needed: Features,
}

impl Function {
    /// A call of the function, which this adds to `features`.
    pub(crate) fn call(&self, at: &str, given: &[&str], features: &mut Features) -> String {
        features.join(&self.needed);
        features.helper(&self.name, self.text.clone());
        format!("{}({at}, {})", self.name, given.join(", "))
    }
}

impl Computed {
    /// The function that computes `lanes` neighbours at once.
    pub(crate) fn function(&self, lanes: usize) -> &Function {
        assert!(lanes == 1 || self.wide.is_some(), "neighbours are read at once where they can be computed so");
        self.wide.as_ref().filter(|_| lanes > 1).unwrap_or(&self.single)
    }
}

impl<'a> Context<'a> {
    /// Are a buffer's numbers bfloat16?
    pub(crate) fn is_bf16(&self, id: BufferId) -> bool {
        self.buffers[id.index()].dtype == Dtype::Bf16
    }

    /// The expression that reads element `at` of a buffer called `name`; `wide`: `Lanes` of the elements from `at` on.
    pub(crate) fn read(&self, id: BufferId, name: &str, at: &str, wide: bool, features: &mut Features) -> String {
        if self.is_bf16(id) {
            features.add(Feature::Bf16);
            return format!("{}({name}, {at})", if wide { "widened" } else { "widened_one" });
        }
        if wide { format!("load({})", address(name, at)) } else { format!("{name}[{at}]") }
    }

    /// The statement that stores a value; `wide`: `Lanes` of values.
    pub(crate) fn write(
        &self,
        id: BufferId,
        (name, at): (&str, &str),
        value: &str,
        wide: bool,
        features: &mut Features,
    ) -> String {
        if self.is_bf16(id) {
            features.add(Feature::Bf16);
            return format!("{}({name}, {at}, {value});", if wide { "put" } else { "put_one" });
        }
        if wide { format!("store({}, {value});", address(name, at)) } else { format!("{name}[{at}] = {value};") }
    }

    /// The functions of an inlined buffer; `None` for a buffer in memory.
    pub(crate) fn computing(&self, buffer: BufferId) -> Option<&'a Computed> {
        self.computed.iter().find(|computed| computed.target == buffer)
    }

    /// The buffers in memory that are read if `all` are read: the operands of inlined buffers take their place.
    pub(crate) fn reads(&self, mut all: Vec<BufferId>) -> Vec<BufferId> {
        for Computed { target, operands, .. } in self.computed.iter().rev() {
            if all.contains(target) {
                all.retain(|id| id != target);
                all.extend(operands);
            }
        }
        all
    }
}

/// The buffers in memory that work reads: the operands of `computed` (inlined work) take the place of its results.
pub(crate) fn reads(work: &Work, computed: &[&Work]) -> Vec<BufferId> {
    let mut all = work.reads();
    for inner in computed.iter().rev() {
        let written = inner.writes();
        if all.iter().any(|id| written.contains(id)) {
            all.retain(|id| !written.contains(id));
            all.extend(inner.reads());
        }
    }
    all
}
