//! The rules for a plan. Every buffer is aligned and lies inside its memory. Two buffers that are in use at the same time
//! share no bytes, unless one replaces the other element by element.
//!
//! A sweep over time checks this in O(n log n) for n buffers. A buffer enters when its live range begins and leaves when
//! it ends, and the buffers in use are sorted by address. They are disjoint, so a buffer that enters can only overlap its
//! neighbours. Which buffers may replace each other is computed here from the kernels and not taken from the planner, so
//! that the check is independent.

use super::{ALIGNMENT, LiveRange, Plan, live_ranges};
use crate::ir::kernels::{Affine, Kernels, Location, Work};
use crate::ir::layout::StateLayout;
use crate::stage::Made;
use gmpc_grammar::source::Sources;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A plan with everything that it was made for.
#[derive(Debug)]
pub struct Planned<'a> {
    /// The addresses of all buffers.
    pub plan: Plan,
    /// The kernels that use the buffers.
    pub kernels: &'a Kernels,
    /// The step of each kernel, in ascending order.
    pub steps: &'a [usize],
    /// The layout of the states.
    pub states: &'a StateLayout,
}

impl Made for Planned<'_> {
    fn verify(&self) -> Result<(), String> {
        let Planned { plan, kernels, steps, .. } = self;
        if plan.offsets.len() != kernels.buffers.len() || steps.len() != kernels.kernels.len() {
            return Err("an offset for each buffer, a step for each kernel".to_string());
        }
        if !steps.is_sorted() {
            return Err("steps do not ascend".to_string());
        }
        let live_ranges = live_ranges(kernels, steps);
        inside(self, &live_ranges)?;
        match overlap(kernels, steps, plan, &live_ranges) {
            None => Ok(()),
            Some((a, b)) => Err(format!("{} and {} are in use at once and share memory", self.name(a), self.name(b))),
        }
    }

    /// One line per buffer: its address, its size, and the first and last step in which it is in use.
    fn print(&self, _: Option<&Sources>) -> String {
        let mut text = format!("scratch {} bytes\n", self.plan.scratch_bytes);
        let live_ranges = live_ranges(self.kernels, self.steps);
        for (index, buffer) in self.kernels.buffers.iter().enumerate() {
            let memory = if let Location::State(_) = buffer.location { "states" } else { "scratch" };
            let live = live_ranges[index].map_or(String::new(), |(first, last)| format!("  steps {first} to {last}"));
            let (at, size) = (self.plan.offsets[index], buffer.bytes());
            let _ = writeln!(text, "{memory:<7} {at:>10} + {size:<10} {}{live}", buffer.name);
        }
        if let Some(random) = self.plan.random {
            let _ = writeln!(text, "scratch {random:>10} + {ALIGNMENT:<10} random numbers");
        }
        text
    }
}

impl Planned<'_> {
    /// The name and the address of a buffer, for messages.
    fn name(&self, index: usize) -> String {
        let buffer = &self.kernels.buffers[index];
        format!("{} (buffer {index} at {} + {})", buffer.name, self.plan.offsets[index], buffer.bytes())
    }
}

/// Checks that every buffer lies inside its memory and is aligned. `used` holds the live ranges of the buffers.
fn inside(planned: &Planned<'_>, used: &[LiveRange]) -> Result<(), String> {
    let Planned { plan, kernels, states, .. } = planned;
    for (index, buffer) in kernels.buffers.iter().enumerate() {
        let (at, end) = (plan.offsets[index], plan.offsets[index] + buffer.bytes());
        match buffer.location {
            // States are shared with the runtime, which reads and writes them by the layout. No other place is right.
            Location::State(state) => {
                let bytes = kernels.precision.bytes();
                let wanted = states.offsets.get(state).map(|offset| offset * bytes);
                if wanted != Some(at) || end > states.elements * bytes {
                    return Err(format!("{} does not lie where the states' layout says", planned.name(index)));
                }
            }
            // A buffer that no kernel touches has no memory.
            Location::Input(_) | Location::Scratch if used[index].is_none() => {}
            Location::Input(_) | Location::Scratch => {
                if end > plan.scratch_bytes || plan.random.is_some_and(|random| end > random) {
                    return Err(format!("{} leaves scratch memory", planned.name(index)));
                }
                if !at.is_multiple_of(ALIGNMENT) {
                    return Err(format!("{} does not begin on a cache line", planned.name(index)));
                }
            }
        }
    }
    match plan.random {
        Some(random) if random + ALIGNMENT > plan.scratch_bytes => Err("the random key leaves scratch memory".into()),
        _ => Ok(()),
    }
}

/// Finds two buffers that are in use at the same time and share memory: the first one that enters too early, and one that
/// is still in use. `steps` holds the step of each kernel.
#[must_use]
pub fn overlap_steps(kernels: &Kernels, steps: &[usize], plan: &Plan) -> Option<(usize, usize)> {
    overlap(kernels, steps, plan, &live_ranges(kernels, steps))
}

fn overlap(kernels: &Kernels, steps: &[usize], plan: &Plan, live_ranges: &[LiveRange]) -> Option<(usize, usize)> {
    let range = |i: usize| (plan.offsets[i], plan.offsets[i] + kernels.buffers[i].bytes());
    // States have memory of their own and therefore no live range here. Empty buffers have no memory.
    let used = |&i: &usize| live_ranges[i].is_some() && kernels.buffers[i].elements > 0;
    let mut order: Vec<usize> = (0..live_ranges.len()).filter(used).collect();
    order.sort_by_key(|&i| (live_ranges[i].map(|live| live.0), i));
    let mut leaving = order.clone();
    leaving.sort_by_key(|&i| live_ranges[i].map(|live| live.1));
    let mut leaving = leaving.into_iter().peekable();
    // The buffers in use, by their first byte.
    let mut present: BTreeMap<usize, usize> = BTreeMap::new();
    let mut in_place = InPlace::default();
    for index in order {
        let (born, _) = live_ranges[index]?; // never `None`: `order` holds only buffers with a live range
        while let Some(gone) = leaving.next_if(|&i| live_ranges[i].is_some_and(|live| live.1 < born)) {
            // A buffer that replaces this one may already stand at the same address.
            if present.get(&plan.offsets[gone]) == Some(&gone) {
                present.remove(&plan.offsets[gone]);
            }
        }
        // The buffers in use are disjoint. Besides those that begin inside the new one, only the last one before it can
        // overlap it.
        let (start, end) = range(index);
        let below = present.range(..start).next_back();
        let meeting: Vec<usize> = below.into_iter().chain(present.range(start..end)).map(|(_, &other)| other).collect();
        for other in meeting {
            let mut replaced = || {
                let dies = live_ranges[other].is_some_and(|live| live.0 < born && live.1 == born);
                let alike =
                    range(other) == (start, end) && kernels.buffers[other].dtype == kernels.buffers[index].dtype;
                dies && alike && in_place.at(kernels, steps, born).replaces(other, index)
            };
            if range(other).1 > start && !replaced() {
                return Some((index, other));
            }
        }
        present.insert(start, index);
    }
    None
}

/// The loads and stores of the nest that runs alone at some step, by buffer.
#[derive(Default)]
struct InPlace<'a> {
    step: Option<usize>,
    /// The single element that is read at each point. `None` where several are read.
    loads: BTreeMap<usize, Option<&'a Affine>>,
    /// The elements that are written at each point inside the loops, mostly one. They are distinct, since no element is
    /// written twice.
    stores: BTreeMap<usize, Vec<&'a Affine>>,
}

impl<'a> InPlace<'a> {
    /// The loads and stores of a step. They stay valid until another step is asked for, so that each nest is visited only
    /// once.
    fn at(&mut self, kernels: &'a Kernels, steps: &[usize], step: usize) -> &Self {
        if self.step == Some(step) {
            return self;
        }
        *self = InPlace { step: Some(step), ..InPlace::default() };
        let first = steps.partition_point(|&other| other < step);
        let alone = steps.get(first + 1) != Some(&step); // another kernel may still read the values that would be replaced
        if let (true, Some(Work::Nest(nest))) = (alone, kernels.kernels.get(first).map(|kernel| &kernel.work)) {
            for load in nest.loads() {
                let known = self.loads.entry(load.buffer.index()).or_insert(Some(&load.at));
                *known = known.filter(|known| *known == &load.at);
            }
            for store in nest.stores.iter().filter(|store| !store.after_reduction) {
                self.stores.entry(store.access.buffer.index()).or_default().push(&store.access.at);
            }
        }
        self
    }

    /// Does the nest write each element of the new buffer at the point at which it has just read the same element of the
    /// old one?
    fn replaces(&self, old: usize, new: usize) -> bool {
        let load = self.loads.get(&old).copied().flatten();
        load.is_some_and(|load| self.stores.get(&new).is_some_and(|stores| stores.contains(&load)))
    }
}

#[cfg(test)]
mod tests;
