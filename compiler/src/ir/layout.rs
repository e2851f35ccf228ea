//! The layout of states in memory. The planner, the code for the devices and the programs all use it.

use crate::ir::graph::{Role, State};

/// The positions of a network's states in one flat buffer. All programs of a network have the same layout.
#[derive(Debug, Clone, PartialEq)]
pub struct StateLayout {
    /// In the order of [`crate::ir::graph::Graph::states`].
    pub states: Vec<State>,
    /// Offset of each state in elements, a multiple of 16.
    pub offsets: Vec<usize>,
    /// Total number of elements.
    pub elements: usize,
}

impl StateLayout {
    /// Returns how many numbers come before the optimizer's states, which are last. Records of a run and the weights of the best
    /// epoch contain only these numbers.
    #[must_use]
    pub fn parameters_and_statistics(&self) -> usize {
        let last = self.states.iter().rposition(|state| state.role != Role::Optimizer);
        last.map_or(0, |last| self.offsets.get(last + 1).copied().unwrap_or(self.elements))
    }

    /// Lays states out one after another. Each begins at a multiple of 16 elements, which keeps vector loads aligned.
    #[must_use]
    pub fn new(states: &[State]) -> Self {
        let mut offsets = Vec::with_capacity(states.len());
        let mut next = 0;
        for state in states {
            offsets.push(next);
            next += state.shape.iter().product::<usize>().next_multiple_of(16);
        }
        StateLayout { states: states.to_vec(), offsets, elements: next }
    }
}
