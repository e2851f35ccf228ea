//! The dependencies between kernels, and which kernels must move where two kernels become one.
//!
//! Kernels are numbered in the order in which they are made. A kernel must run before a later one if it writes a buffer
//! that the later one reads or writes, or reads a buffer that the later one writes. Networks of many layers have too many
//! pairs of kernels to compare each. Therefore every kernel holds a list of its neighbours, which are found through the
//! buffers that they share.

use super::order::Order;
use crate::ir::kernels::{BufferId, Work};

/// Steps of a search for dependants after which a second search starts, for kernels that do not depend (chosen by hand).
const PATIENCE: usize = 32;
/// The longest list of kernels of a buffer that is cleaned up: a longer one would cost too much time.
pub(super) const SHORT: usize = 32;

/// Kernels in the order in which they run.
pub(super) struct Dependencies {
    pub(super) order: Order,
    /// The buffers and neighbours of each kernel, by its number. Kernels that became part of another stay in the list.
    touched: Vec<Touched>,
    /// For each buffer the kernels that read it.
    readers: Vec<Vec<usize>>,
    /// For each buffer the kernels that write it.
    writers: Vec<Vec<usize>>,
    /// For each kernel, the kernel that it became part of, which may itself be part of another. The kernel itself if it
    /// still exists.
    part_of: Vec<usize>,
    /// For each kernel, the results of searches.
    found: Vec<Found>,
    /// The number of searches so far, which is also the number of the last search.
    searches: usize,
}

/// The kernels that must move when two kernels become one, in order. All others keep their places.
pub(super) enum Aside {
    /// These move behind the new kernel, which takes the place of the second one.
    Later(Vec<usize>),
    /// These move before the new kernel, which takes the place of the first one.
    Earlier(Vec<usize>),
}

/// The buffers of a kernel, and its neighbours. Neighbours have the numbers that they had when they were recorded.
#[derive(Default)]
struct Touched {
    reads: Vec<BufferId>,
    writes: Vec<BufferId>,
    /// Kernels that must run before it.
    before: Vec<usize>,
    /// Kernels that must run after it.
    after: Vec<usize>,
    /// For each kernel that became part of it, begin and end of that kernel's branch of the tree, see
    /// [`Dependencies::trace`].
    branches: Vec<(usize, usize)>,
}

/// For each property, the number of the last search that found it for a kernel.
#[derive(Clone, Copy, Default)]
struct Found {
    /// The kernel depends on the first of the two kernels.
    later: usize,
    /// The kernel does not depend on the first one.
    earlier: usize,
    /// The second of the two kernels must run after this one.
    needed: usize,
}

impl Dependencies {
    /// Dependencies of no kernels yet, over this number of buffers.
    pub(super) fn new(buffers: usize) -> Self {
        Dependencies {
            order: Order::default(),
            touched: Vec::new(),
            readers: vec![Vec::new(); buffers],
            writers: vec![Vec::new(); buffers],
            part_of: Vec::new(),
            found: Vec::new(),
            searches: 0,
        }
    }

    /// Adds a kernel that runs last. Returns its number.
    pub(super) fn push(&mut self, work: &Work) -> usize {
        let mut touched = Touched { reads: sorted(work.reads()), writes: sorted(work.writes()), ..Touched::default() };
        let by_read = touched.reads.iter().flat_map(|&buffer| self.writers(buffer));
        let by_write =
            touched.writes.iter().flat_map(|&buffer| self.readers(buffer).iter().chain(self.writers(buffer)));
        touched.before = sorted(by_read.chain(by_write).copied().collect());
        let number = self.touched.len();
        touched.before.iter().for_each(|&other| self.touched[other].after.push(number));
        self.enter(touched);
        self.order.push(number);
        number
    }

    /// The buffers that a kernel reads.
    pub(super) fn reads(&self, kernel: usize) -> &[BufferId] {
        &self.touched[kernel].reads
    }

    /// The buffers that a kernel writes.
    pub(super) fn writes(&self, kernel: usize) -> &[BufferId] {
        &self.touched[kernel].writes
    }

    /// The kernels that read a buffer, including kernels that became part of another.
    pub(super) fn readers(&self, buffer: BufferId) -> &[usize] {
        &self.readers[buffer.index()]
    }

    /// The kernels that write a buffer, including kernels that became part of another.
    pub(super) fn writers(&self, buffer: BufferId) -> &[usize] {
        &self.writers[buffer.index()]
    }

    /// The last kernel that must run before this one.
    pub(super) fn last_predecessor(&mut self, kernel: usize) -> Option<usize> {
        let mut last = None;
        for index in 0..self.touched[kernel].before.len() {
            let other = self.before(kernel, index);
            if last.is_none_or(|last| self.order.is_before(last, other)) {
                last = Some(other);
            }
        }
        last
    }

    /// Prepares searches over the kernels that were pushed: the last predecessor of each kernel, and a tree of dependencies.
    ///
    /// The parent of a kernel in the tree is its deepest predecessor, so that the longest chain of the network is a path
    /// of the tree. A kernel in another's branch depends on it. This can be seen at once, while a search would walk along
    /// the whole network.
    pub(super) fn trace(&mut self) {
        let count = self.touched.len();
        let (mut depth, mut children) = (vec![0_usize; count], vec![Vec::new(); count]);
        let mut open: Vec<(usize, bool)> = Vec::new();
        for kernel in 0..count {
            let last = self.last_predecessor(kernel);
            self.order.set_waits(kernel, last);
            match self.touched[kernel].before.iter().copied().max_by_key(|&other| (depth[other], other)) {
                Some(parent) => {
                    depth[kernel] = depth[parent] + 1;
                    children[parent].push(kernel);
                }
                None => open.push((kernel, false)),
            }
        }
        // A walk in depth first order numbers the kernels. A kernel's branch is the range of numbers given while the
        // kernel was open.
        let mut entered = 0;
        while let Some((kernel, done)) = open.pop() {
            if done {
                self.touched[kernel].branches[0].1 = entered;
            } else {
                self.touched[kernel].branches = vec![(entered, entered)];
                entered += 1;
                open.push((kernel, true));
                open.extend(children[kernel].iter().map(|&child| (child, false)));
            }
        }
    }

    /// Finds the kernels that must move so that two kernels can become one. `None` if this is impossible because a third
    /// kernel must run after the first and before the second.
    pub(super) fn aside(&mut self, first: usize, second: usize) -> Option<Aside> {
        self.searches += 1;
        for index in 0..self.touched[second].before.len() {
            let needed = self.before(second, index);
            self.found[needed].needed = self.searches;
        }
        let mut begins: Vec<usize> = self.touched[second].branches.iter().map(|branch| branch.0).collect();
        begins.sort_unstable();
        let mut later = Later { kernels: Vec::new(), second, begins };
        let mut earlier = Earlier { kernels: Vec::new(), visited: 0, cursor: first };
        let mut visited = 0;
        self.add_dependants(first, &mut later)?;
        while let Some(&kernel) = later.kernels.get(visited) {
            self.add_dependants(kernel, &mut later)?;
            visited += 1;
            // Where most of the network depends on the first kernel, a search for kernels that do not depend on it ends
            // sooner. That search then runs side by side with this one, two steps for each step here.
            let mut grow = || self.grow_earlier(&mut earlier, first, second);
            if visited > PATIENCE && !(grow() && grow()) {
                return self.may_run_before(first, second).then(|| Aside::Earlier(self.in_order(earlier.kernels)));
            }
        }
        Some(Aside::Later(self.in_order(later.kernels)))
    }

    /// Makes one kernel from two for which [`Self::aside`] found a solution. Returns its number and the kernels that were
    /// moved.
    pub(super) fn merge(&mut self, [first, second]: [usize; 2], work: &Work, aside: Aside) -> (usize, Vec<usize>) {
        let merged = self.touched.len();
        (self.part_of[first], self.part_of[second]) = (merged, merged);
        let mut touched = Touched { reads: sorted(work.reads()), writes: sorted(work.writes()), ..Touched::default() };
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for part in [first, second] {
            let part = std::mem::take(&mut self.touched[part]);
            before.extend(part.before);
            after.extend(part.after);
            touched.branches.extend(part.branches);
        }
        self.enter(touched);
        // Neighbours of both parts become neighbours of the new kernel. The parts were neighbours of each other, which is
        // no longer so.
        let mut others = |noted: Vec<usize>| {
            let all = noted.into_iter().map(|other| self.whole(other));
            sorted(all.filter(|&other| other != merged).collect())
        };
        let (before, after) = (others(before), others(after));
        (self.touched[merged].before, self.touched[merged].after) = (before, after);
        let moved = match aside {
            Aside::Later(kernels) => {
                self.order.insert_before(second, merged);
                self.order.move_after(merged, &kernels);
                kernels
            }
            Aside::Earlier(kernels) => {
                self.order.insert_before(first, merged);
                self.order.move_before(merged, &kernels);
                kernels
            }
        };
        // The parts served as places for the insertion above, so they are removed only now. Then the known predecessors
        // are corrected: those of the new kernel, and those of kernels that wait for it or for a moved kernel.
        self.order.remove(first);
        self.order.remove(second);
        self.forget_parts(merged);
        let last = self.last_predecessor(merged);
        self.order.set_waits(merged, last);
        self.recheck(merged, &[first, second]);
        moved.iter().for_each(|&kernel| self.recheck(kernel, &[kernel]));
        (merged, moved)
    }

    /// Gives a kernel the next number.
    fn enter(&mut self, touched: Touched) {
        let number = self.touched.len();
        touched.reads.iter().for_each(|buffer| self.readers[buffer.index()].push(number));
        touched.writes.iter().for_each(|buffer| self.writers[buffer.index()].push(number));
        self.touched.push(touched);
        self.part_of.push(number);
        self.found.push(Found::default());
    }

    /// Removes kernels that became part of another from the lists of a kernel's buffers. Long lists stay as they are.
    /// They belong to buffers that every update of a parameter reads, such as the learning rate.
    fn forget_parts(&mut self, kernel: usize) {
        let Touched { reads, writes, .. } = &self.touched[kernel];
        for buffer in reads.iter().chain(writes) {
            for list in [&mut self.readers[buffer.index()], &mut self.writers[buffer.index()]] {
                if list.len() <= SHORT {
                    list.retain(|&other| self.order.contains(other));
                }
            }
        }
    }

    /// Updates the last predecessor of all kernels for which it is one of `known`. Those became part of `kernel` or have
    /// moved.
    fn recheck(&mut self, kernel: usize, known: &[usize]) {
        for index in 0..self.touched[kernel].after.len() {
            let other = self.after(kernel, index);
            self.order.recheck_waits(other, known, kernel);
        }
    }

    /// The existing kernel that this one is, or became part of.
    fn whole(&mut self, mut kernel: usize) -> usize {
        while self.part_of[kernel] != kernel {
            self.part_of[kernel] = self.part_of[self.part_of[kernel]]; // shortens the path for the next call
            kernel = self.part_of[kernel];
        }
        kernel
    }

    /// One of the kernels that must run before this one.
    fn before(&mut self, kernel: usize, index: usize) -> usize {
        let other = self.whole(self.touched[kernel].before[index]);
        self.touched[kernel].before[index] = other;
        other
    }

    /// One of the kernels that must run after this one.
    fn after(&mut self, kernel: usize, index: usize) -> usize {
        let other = self.whole(self.touched[kernel].after[index]);
        self.touched[kernel].after[index] = other;
        other
    }

    /// Adds the kernels before the second one that must run after this one. `None` if the second one must run after one
    /// of them.
    fn add_dependants(&mut self, kernel: usize, later: &mut Later) -> Option<()> {
        for index in 0..self.touched[kernel].after.len() {
            let other = self.after(kernel, index);
            if self.found[other].later == self.searches || !self.order.is_before(other, later.second) {
                continue;
            }
            self.found[other].later = self.searches;
            if self.found[other].needed == self.searches || self.leads(other, &later.begins) {
                return None;
            }
            later.kernels.push(other);
        }
        Some(())
    }

    /// Does the tree show that a kernel whose branches begin at these numbers depends on this one?
    fn leads(&self, kernel: usize, begins: &[usize]) -> bool {
        let has_one = |&(start, end): &(usize, usize)| {
            begins.get(begins.partition_point(|&number| number < start)).is_some_and(|&number| number < end)
        };
        self.touched[kernel].branches.iter().any(has_one)
    }

    /// Takes one step of the search for kernels between two that do not depend on the first. Returns false when all are
    /// found.
    fn grow_earlier(&mut self, earlier: &mut Earlier, first: usize, second: usize) -> bool {
        let Some(&kernel) = earlier.kernels.get(earlier.visited) else {
            // All successors of the known kernels were visited. The search continues from the next kernel without
            // predecessors here.
            let Some(free) = self.order.next_free(earlier.cursor, first, second) else { return false };
            earlier.cursor = free;
            // The recorded predecessor may be out of date, since kernels have moved.
            let last = self.last_predecessor(free);
            self.order.set_waits(free, last);
            if last.is_none_or(|last| self.order.is_before(last, first)) {
                self.add_earlier(earlier, free);
            }
            return true;
        };
        earlier.visited += 1;
        for index in 0..self.touched[kernel].after.len() {
            let other = self.after(kernel, index);
            if self.order.is_before(other, second) && self.is_earlier(other, first) {
                self.add_earlier(earlier, other);
            }
        }
        true
    }

    /// Are all predecessors of a kernel either before the first one, or known not to depend on it?
    fn is_earlier(&mut self, kernel: usize, first: usize) -> bool {
        (0..self.touched[kernel].before.len()).all(|index| {
            let other = self.before(kernel, index);
            self.found[other].earlier == self.searches || self.order.is_before(other, first)
        })
    }

    fn add_earlier(&mut self, earlier: &mut Earlier, kernel: usize) {
        if self.found[kernel].earlier != self.searches {
            self.found[kernel].earlier = self.searches;
            earlier.kernels.push(kernel);
        }
    }

    /// May the second kernel run directly after the first? Called when all kernels between both that do not depend on the
    /// first are known: the second one may wait only for those.
    fn may_run_before(&mut self, first: usize, second: usize) -> bool {
        (0..self.touched[second].before.len()).all(|index| {
            let other = self.before(second, index);
            self.found[other].earlier == self.searches || !self.order.is_before(first, other)
        })
    }

    fn in_order(&self, mut kernels: Vec<usize>) -> Vec<usize> {
        kernels.sort_unstable_by(|&a, &b| self.order.compare(a, b));
        kernels
    }
}

/// A search for kernels that depend on the first of two.
struct Later {
    /// The kernels that were found.
    kernels: Vec<usize>,
    second: usize,
    /// The begins of the second one's branches, in order.
    begins: Vec<usize>,
}

/// A search for kernels that do not depend on the first of two.
struct Earlier {
    /// The kernels that were found.
    kernels: Vec<usize>,
    /// How many of them were visited.
    visited: usize,
    /// The last kernel of the order up to which the search for kernels without predecessors has come.
    cursor: usize,
}

/// The elements in order and without duplicates.
pub(super) fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests;
