//! What the texts of all kernels depend on besides their work.

use super::source::{Feature, Features};
use super::text::address;
use crate::experiment::Precision;
use crate::kernels::{Buffer, BufferId, Work};
use std::collections::HashMap;

/// What buffers are called in a kernel.
pub(super) type Names = HashMap<BufferId, String>;

/// What a kernel needs besides its work.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) precision: Precision,
    pub(super) names: &'a Names,
    /// The type of indices: 32 bits where all fit.
    pub(super) index: &'static str,
    /// Of the program; those of bfloat16 are read and written by functions of their own.
    pub(super) buffers: &'a [Buffer],
    /// Pools and maps that are computed where their results are read, each before those that read it.
    pub(super) computed: &'a [Computed],
}

/// Work whose results lie in no memory: functions of the source compute them where they are read.
pub(super) struct Computed {
    /// What it would write.
    pub(super) target: BufferId,
    /// What its functions get pointers to, behind the number of an element.
    pub(super) operands: Vec<BufferId>,
    /// For one element.
    pub(super) single: Function,
    /// For 16 bytes of neighbours, where they can be computed at once.
    pub(super) wide: Option<Function>,
}

/// A function of the source.
pub(super) struct Function {
    /// Says everything that its text depends on.
    pub(super) name: String,
    pub(super) text: String,
    /// What it calls.
    pub(super) needed: Features,
}

impl Function {
    /// A call of it, which `features` gets.
    pub(super) fn call(&self, at: &str, given: &[&str], features: &mut Features) -> String {
        features.join(&self.needed);
        features.helper(&self.name, self.text.clone());
        format!("{}({at}, {})", self.name, given.join(", "))
    }
}

impl Computed {
    /// The function for so many neighbours.
    pub(super) fn function(&self, lanes: usize) -> &Function {
        debug_assert!(lanes == 1 || self.wide.is_some(), "neighbours are read at once where they can be computed so");
        self.wide.as_ref().filter(|_| lanes > 1).unwrap_or(&self.single)
    }
}

impl<'a> Context<'a> {
    /// Are a buffer's numbers bfloat16?
    pub(super) fn is_half(&self, id: BufferId) -> bool {
        self.buffers[id.index()].half
    }

    /// The value of a buffer's element `at`, or `Lanes` of those from there on; `name`: what the buffer is called.
    pub(super) fn read(&self, id: BufferId, name: &str, at: &str, wide: bool, features: &mut Features) -> String {
        if self.is_half(id) {
            features.add(Feature::Halves);
            return format!("{}({name}, {at})", if wide { "widened" } else { "widened_one" });
        }
        if wide { format!("load({})", address(name, at)) } else { format!("{name}[{at}]") }
    }

    /// The statement that stores a value, or `Lanes`.
    pub(super) fn write(
        &self,
        id: BufferId,
        (name, at): (&str, &str),
        value: &str,
        wide: bool,
        features: &mut Features,
    ) -> String {
        if self.is_half(id) {
            features.add(Feature::Halves);
            return format!("{}({name}, {at}, {value});", if wide { "put" } else { "put_one" });
        }
        if wide { format!("store({}, {value});", address(name, at)) } else { format!("{name}[{at}] = {value};") }
    }
    /// What computes a buffer that lies in no memory.
    pub(super) fn computing(&self, buffer: BufferId) -> Option<&'a Computed> {
        self.computed.iter().find(|computed| computed.target == buffer)
    }

    /// What is read in the end where some of `all` is computed.
    pub(super) fn reads(&self, mut all: Vec<BufferId>) -> Vec<BufferId> {
        for Computed { target, operands, .. } in self.computed.iter().rev() {
            if all.contains(target) {
                all.retain(|id| id != target);
                all.extend(operands);
            }
        }
        all
    }
}

/// What work reads in the end where some of it is computed on the way, see [`Context::computed`].
pub(super) fn reads(work: &Work, computed: &[&Work]) -> Vec<BufferId> {
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
