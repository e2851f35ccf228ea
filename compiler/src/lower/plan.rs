//! Gives every buffer an address. States lie where the layout of states puts them. All other buffers lie in one scratch
//! arena, in which buffers may share memory if their live ranges do not interfere.

mod occupied;
mod verify;

pub use verify::{Planned, overlap_steps};

use crate::ir::code::Address;
use crate::ir::kernels::{BufferId, Kernels, Location, Work};
use crate::ir::layout::StateLayout;
use occupied::Occupied;

/// Every buffer starts on a cache line of 64 bytes.
const ALIGNMENT: usize = 64;

/// The addresses of all buffers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Byte offset of each buffer, in the states or in scratch memory.
    pub offsets: Vec<usize>,
    /// Size of the scratch memory in bytes.
    pub scratch_bytes: usize,
    /// Byte offset in scratch memory of the key and step of the random numbers. `None` where no kernel draws any.
    pub random: Option<usize>,
}

impl Plan {
    /// The address of a buffer of these kernels.
    #[must_use]
    pub fn address(&self, kernels: &Kernels, id: BufferId) -> Address {
        let offset = self.offsets[id.index()];
        match kernels.buffers[id.index()].location {
            Location::State(_) => Address::States(offset),
            Location::Input(_) | Location::Scratch => Address::Scratch(offset),
        }
    }
}

/// Lays out buffers for kernels that run one after the other. Inputs and outputs keep their memory for the whole run.
#[must_use]
pub fn plan(kernels: &Kernels, states: &StateLayout) -> Plan {
    plan_steps(kernels, &in_turn(kernels), states)
}

/// The steps of kernels that run one after the other: each kernel has a step of its own.
#[must_use]
pub fn in_turn(kernels: &Kernels) -> Vec<usize> {
    (0..kernels.kernels.len()).collect()
}

/// Lays out buffers for kernels of which some run at the same time. `steps` holds the step of each kernel, in ascending
/// order.
#[must_use]
pub fn plan_steps(kernels: &Kernels, steps: &[usize], states: &StateLayout) -> Plan {
    // A buffer that takes over another's memory is not placed. Its owner is placed for the live ranges of both.
    let own = live_ranges(kernels, steps);
    let owners = reuse(kernels, steps, &own);
    let live_ranges = joined(&own, &owners);
    let size = |index: usize| kernels.buffers[index].bytes().next_multiple_of(ALIGNMENT);
    let mut offsets = vec![0; kernels.buffers.len()];
    let owns = |&i: &usize| live_ranges[i].is_some() && owners[i] == i;
    let mut order: Vec<usize> = (0..kernels.buffers.len()).filter(owns).collect();
    // Placing large buffers first wastes the least memory. The sort is stable, so the plan is deterministic.
    order.sort_by_key(|&i| std::cmp::Reverse(size(i)));
    let end = live_ranges.iter().flatten().map(|(_, last)| last + 1).max().unwrap_or(0);
    let mut occupied = Occupied::new(end);
    let mut scratch_bytes = 0;
    for (index, live) in order.into_iter().filter_map(|index| Some((index, live_ranges[index]?))) {
        offsets[index] = occupied.place(live, size(index));
        scratch_bytes = scratch_bytes.max(offsets[index] + size(index));
    }
    for (index, buffer) in kernels.buffers.iter().enumerate() {
        if let Location::State(state) = buffer.location {
            offsets[index] = states.offsets[state] * buffer.dtype.bytes();
        } else {
            offsets[index] = offsets[owners[index]];
        }
    }
    // The key of the random numbers lies behind all buffers, so no live range concerns it.
    let draws = kernels.kernels.iter().any(|k| matches!(k.work, Work::Uniform(_)));
    let random = draws.then_some(scratch_bytes);
    scratch_bytes += if draws { ALIGNMENT } else { 0 };
    Plan { offsets, scratch_bytes, random }
}

/// The first and the last step in which a buffer is in use. `None` for states, and for buffers that no kernel touches.
type LiveRange = Option<(usize, usize)>;

fn live_ranges(kernels: &Kernels, steps: &[usize]) -> Vec<LiveRange> {
    let end = kernels.kernels.len();
    let mut live_ranges: Vec<LiveRange> = vec![None; kernels.buffers.len()];
    for (&time, kernel) in steps.iter().zip(&kernels.kernels) {
        for id in kernel.work.reads().into_iter().chain(kernel.work.writes()) {
            let live = live_ranges[id.index()].get_or_insert((time, time));
            live.1 = time;
        }
    }
    for (index, buffer) in kernels.buffers.iter().enumerate() {
        match buffer.location {
            Location::Input(_) => live_ranges[index] = Some((0, end)),
            Location::State(_) => live_ranges[index] = None,
            Location::Scratch => {}
        }
    }
    kernels.outputs.iter().for_each(|o| live_ranges[o.index()] = Some((0, end)));
    live_ranges
}

/// For each buffer the owner of its memory, which is the buffer itself unless it takes over another's memory. Where a
/// nest reads one buffer for the last time and writes another at the same element, the new values replace the old ones.
/// This makes the working set one buffer smaller.
fn reuse(kernels: &Kernels, steps: &[usize], live_ranges: &[LiveRange]) -> Vec<usize> {
    let mut owners: Vec<usize> = (0..kernels.buffers.len()).collect();
    for (index, (&time, kernel)) in steps.iter().zip(&kernels.kernels).enumerate() {
        let Work::Nest(nest) = &kernel.work else { continue };
        if steps.get(index + 1) == Some(&time) || (index > 0 && steps[index - 1] == time) {
            continue; // a kernel that runs at the same time may still read the values that would be replaced
        }
        // Only stores inside the loops qualify: a store after a reduction comes when other elements were already read.
        let mut taken: Vec<usize> = Vec::new();
        for store in nest.stores.iter().filter(|s| !s.after_reduction) {
            let index = store.access.buffer.index();
            let scratch = |i: usize| kernels.buffers[i].location == Location::Scratch;
            // The new buffer must not hold anything before this nest, and not have an owner yet.
            let born =
                scratch(index) && live_ranges[index].is_some_and(|live| live.0 == time) && owners[index] == index;
            // The old buffer must not be read later, nor at any other element by this nest. Each buffer can be replaced
            // only once.
            let dying = |i: usize| {
                scratch(i)
                    && live_ranges[i].is_some_and(|live| live.0 < time && live.1 == time)
                    && kernels.buffers[i].elements == kernels.buffers[index].elements
                    && kernels.buffers[i].dtype == kernels.buffers[index].dtype
                    && !taken.contains(&i)
                    && nest.loads().filter(|l| l.buffer.index() == i).all(|l| l.at == store.access.at)
            };
            let source = nest.loads().map(|l| l.buffer.index()).find(|&i| dying(i));
            if let (true, Some(source)) = (born, source) {
                owners[index] = owners[source];
                taken.push(source);
            }
        }
    }
    owners
}

/// Extends the live range of each buffer over the live ranges of all buffers that take over its memory.
fn joined(live_ranges: &[LiveRange], owners: &[usize]) -> Vec<LiveRange> {
    let mut joined = live_ranges.to_vec();
    for (index, &owner) in owners.iter().enumerate() {
        if let (Some(own), Some(live)) = (live_ranges[index], joined[owner].as_mut()) {
            live.1 = live.1.max(own.1);
        }
    }
    joined
}
