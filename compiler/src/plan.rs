//! Gives every buffer an address: states where the layout says, everything else in one scratch arena, where buffers whose
//! lives do not meet share room.

use crate::experiment::Precision;
use crate::kernels::{BufferId, Kernels, Place, Work};
use crate::layout::StateLayout;

/// Every buffer starts on a cache line.
const ALIGNMENT: usize = 64;

/// Where every buffer lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Byte offset of each buffer, in the states or in scratch memory.
    pub offsets: Vec<usize>,
    /// Bytes of scratch memory in all.
    pub scratch_bytes: usize,
    /// Byte offset in scratch memory of the key and step of the random numbers, where they are used.
    pub random: Option<usize>,
}

/// Where a buffer begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// In the states, at this byte.
    States(usize),
    /// In scratch memory, at this byte.
    Scratch(usize),
}

impl Plan {
    /// Where a buffer of these kernels begins.
    #[must_use]
    pub fn address(&self, kernels: &Kernels, id: BufferId) -> Address {
        let offset = self.offsets[id.index()];
        match kernels.buffers[id.index()].place {
            Place::State(_) => Address::States(offset),
            Place::Input(_) | Place::Scratch => Address::Scratch(offset),
        }
    }
}

/// Bytes of one number.
#[must_use]
pub fn bytes(precision: Precision) -> usize {
    match precision {
        Precision::F32 => 4,
        Precision::F64 => 8,
    }
}

/// Lays out buffers for kernels that run in the given order. Inputs and outputs keep their room for the whole run.
#[must_use]
pub fn plan(kernels: &Kernels, states: &StateLayout, precision: Precision) -> Plan {
    plan_steps(kernels, &in_turn(kernels), states, precision)
}

/// For each kernel a step of its own.
fn in_turn(kernels: &Kernels) -> Vec<usize> {
    (0..kernels.kernels.len()).collect()
}

/// Lays out buffers for kernels of which some run at once: `steps` says, for each kernel, when it runs, in ascending order.
#[must_use]
pub fn plan_steps(kernels: &Kernels, steps: &[usize], states: &StateLayout, precision: Precision) -> Plan {
    let own = lives(kernels, steps);
    let heirs = heirs(kernels, steps, &own);
    let lives = joined(&own, &heirs);
    let size = |index: usize| kernels.buffers[index].bytes(precision).next_multiple_of(ALIGNMENT);
    let mut offsets = vec![0; kernels.buffers.len()];
    let mut placed: Vec<usize> = Vec::new();
    let owns = |&i: &usize| lives[i].is_some() && heirs[i] == i;
    let mut order: Vec<usize> = (0..kernels.buffers.len()).filter(owns).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(size(i))); // large ones first waste least; stable, so deterministic
    for index in order {
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|&&other| meet(lives[index], lives[other]))
            .map(|&other| (offsets[other], offsets[other] + size(other)))
            .collect();
        taken.sort_unstable();
        offsets[index] = first_gap(&taken, size(index));
        placed.push(index);
    }
    let mut scratch_bytes = placed.iter().map(|&i| offsets[i] + size(i)).max().unwrap_or(0);
    for (index, buffer) in kernels.buffers.iter().enumerate() {
        if let Place::State(state) = buffer.place {
            offsets[index] = states.offsets[state] * bytes(precision);
        } else {
            offsets[index] = offsets[heirs[index]];
        }
    }
    let draws = kernels.kernels.iter().any(|k| matches!(k.work, Work::Uniform(_)));
    let random = draws.then_some(scratch_bytes);
    scratch_bytes += if draws { ALIGNMENT } else { 0 };
    Plan { offsets, scratch_bytes, random }
}

/// First and last kernel in which a buffer holds something, `None` for states and for what is never touched.
type Life = Option<(usize, usize)>;

fn lives(kernels: &Kernels, steps: &[usize]) -> Vec<Life> {
    let end = kernels.kernels.len();
    let mut lives: Vec<Life> = vec![None; kernels.buffers.len()];
    for (&time, kernel) in steps.iter().zip(&kernels.kernels) {
        for id in kernel.work.reads().into_iter().chain(kernel.work.writes()) {
            let life = lives[id.index()].get_or_insert((time, time));
            life.1 = time;
        }
    }
    for (index, buffer) in kernels.buffers.iter().enumerate() {
        match buffer.place {
            Place::Input(_) => lives[index] = Some((0, end)),
            Place::State(_) => lives[index] = None,
            Place::Scratch => {}
        }
    }
    kernels.outputs.iter().for_each(|o| lives[o.index()] = Some((0, end)));
    lives
}

/// For each buffer the one whose room it takes over: where a nest reads one for the last time and writes another at the
/// same element, new values can replace old ones, and the working set is one buffer smaller.
fn heirs(kernels: &Kernels, steps: &[usize], lives: &[Life]) -> Vec<usize> {
    let mut heirs: Vec<usize> = (0..kernels.buffers.len()).collect();
    for (index, (&time, kernel)) in steps.iter().zip(&kernels.kernels).enumerate() {
        let Work::Nest(nest) = &kernel.work else { continue };
        if steps.get(index + 1) == Some(&time) || (index > 0 && steps[index - 1] == time) {
            continue; // one that runs at the same time may still read what this one would replace
        }
        let mut taken: Vec<usize> = Vec::new();
        for store in nest.stores.iter().filter(|s| !s.late) {
            let index = store.access.buffer.index();
            let scratch = |i: usize| kernels.buffers[i].place == Place::Scratch;
            let born = scratch(index) && lives[index].is_some_and(|life| life.0 == time) && heirs[index] == index;
            let dying = |i: usize| {
                scratch(i)
                    && lives[i].is_some_and(|life| life.0 < time && life.1 == time)
                    && kernels.buffers[i].elements == kernels.buffers[index].elements
                    && kernels.buffers[i].half == kernels.buffers[index].half
                    && !taken.contains(&i)
                    && nest.loads().filter(|l| l.buffer.index() == i).all(|l| l.at == store.access.at)
            };
            let source = nest.loads().map(|l| l.buffer.index()).find(|&i| dying(i));
            if let (true, Some(source)) = (born, source) {
                heirs[index] = heirs[source];
                taken.push(source);
            }
        }
    }
    heirs
}

/// Lives of the buffers that others take over last as long as the last of them.
fn joined(lives: &[Life], heirs: &[usize]) -> Vec<Life> {
    let mut joined = lives.to_vec();
    for (index, &owner) in heirs.iter().enumerate() {
        if let (Some(own), Some(life)) = (lives[index], joined[owner].as_mut()) {
            life.1 = life.1.max(own.1);
        }
    }
    joined
}

fn meet(a: Life, b: Life) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a.0 <= b.1 && b.0 <= a.1)
}

/// The lowest address with `size` free bytes between the taken, sorted intervals.
fn first_gap(taken: &[(usize, usize)], size: usize) -> usize {
    let mut at = 0;
    for &(start, end) in taken {
        if start >= at + size {
            break;
        }
        at = at.max(end);
    }
    at
}

/// The first two buffers that are in use at once and share memory, for tests and debug builds.
#[must_use]
pub fn overlap(kernels: &Kernels, plan: &Plan, precision: Precision) -> Option<(usize, usize)> {
    overlap_steps(kernels, &in_turn(kernels), plan, precision)
}

/// The same for [`plan_steps`].
#[must_use]
pub fn overlap_steps(kernels: &Kernels, steps: &[usize], plan: &Plan, precision: Precision) -> Option<(usize, usize)> {
    let lives = lives(kernels, steps);
    let heirs = heirs(kernels, steps, &lives);
    let range = |i: usize| (plan.offsets[i], plan.offsets[i] + kernels.buffers[i].bytes(precision));
    let pairs = (0..lives.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
    pairs.into_iter().find(|&(a, b)| {
        let ((a0, a1), (b0, b1)) = (range(a), range(b));
        heirs[a] != heirs[b] && meet(lives[a], lives[b]) && a0 < b1 && b0 < a1
    })
}
