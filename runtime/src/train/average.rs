//! The average of the weights in the place of the weights, while a network is evaluated or its best epoch is kept.

use gmpc_compiler::graphs::states::AVERAGE;
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_device::{Numbers, States};
use std::ops::Range;

/// Where each parameter and its average lie among the states.
#[derive(Debug, Clone, Default)]
pub(super) struct Averages {
    pairs: Vec<(Range<usize>, Range<usize>)>,
}

impl Averages {
    /// Those of a network; none if the file asks for no average.
    pub(super) fn new(layout: &StateLayout) -> Self {
        let range = |index: usize| {
            let count: usize = layout.states[index].shape.iter().product();
            layout.offsets[index]..layout.offsets[index] + count
        };
        let pair = |(index, state): (usize, &gmpc_compiler::ir::graph::State)| {
            let name = state.name.strip_prefix(AVERAGE)?;
            let parameter = layout.states.iter().position(|other| other.name == name)?;
            Some((range(parameter), range(index)))
        };
        Averages { pairs: layout.states.iter().enumerate().filter_map(pair).collect() }
    }

    /// Exchanges the weights and their averages. A second call brings both back, bit for bit.
    pub(super) fn swap(&self, states: &mut States) {
        if self.pairs.is_empty() {
            return;
        }
        match states.data_mut() {
            Numbers::F32(numbers) => self.exchange(numbers),
            Numbers::F64(numbers) => self.exchange(numbers),
        }
    }

    fn exchange<T>(&self, numbers: &mut [T]) {
        for (weights, average) in &self.pairs {
            // Averages come after all parameters.
            let (low, high) = numbers.split_at_mut(average.start);
            low[weights.clone()].swap_with_slice(&mut high[..average.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Averages;

    #[test]
    fn two_exchanges_change_nothing() {
        let averages = Averages { pairs: vec![(0..2, 4..6), (2..3, 6..7)] };
        let mut numbers = [1, 2, 3, 4, 5, 6, 7];
        averages.exchange(&mut numbers);
        assert_eq!(numbers, [5, 6, 7, 4, 1, 2, 3]);
        averages.exchange(&mut numbers);
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    }
}
