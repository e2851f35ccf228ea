//! Where states lie: below the planner, the devices' code and the programs, which all speak of it.

use crate::graph::State;

/// Where the states of a network lie in one flat buffer. The same for all programs of a network and precision.
#[derive(Debug, Clone, PartialEq)]
pub struct StateLayout {
    /// In the order of [`crate::graph::Graph::states`].
    pub states: Vec<State>,
    /// Element offset of each, a multiple of 16 elements.
    pub offsets: Vec<usize>,
    /// Elements in all.
    pub elements: usize,
}

impl StateLayout {
    /// Lays states out one after another, each on a 16-element boundary.
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
