//! Choosing as part of the protocol: for each parameterization the value of an axis that is best on the rows one may choose on.
//!
//! ```text
//! cells    sp at lr 0.001, 0.01, 0.1; gmp at lr 0.001, 0.01, 0.1     ten seeds each
//! chosen   sp at 0.01 and gmp at 0.1, each by the mean of `valid.rmse` over its seeds: their `test.rmse` is told once
//! ```
//!
//! The mean over all seeds decides, so that every seed of a parameterization has the same value and its figures can be paired.

use super::{Cell, Comparison};

/// What stands in a table for one parameterization.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// The parameterization.
    pub param: String,
    /// The axes of which nothing was chosen: key and value.
    pub over: Vec<(String, String)>,
    /// Index in [`Comparison::cells`]; `None` where no value has a figure of every run to choose by.
    pub cell: Option<usize>,
    /// What was chosen: key and value. Empty where nothing was to be chosen.
    pub values: Vec<(String, String)>,
    /// Keys whose chosen value is the lowest or the highest that was tried, so that a better one may lie beyond.
    pub edges: Vec<Edge>,
    /// Indices in [`Comparison::cells`] of everything that was tried.
    pub tried: Vec<usize>,
}

/// A value at the end of what was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The axis.
    pub key: String,
    /// Its chosen value.
    pub value: String,
    /// Is it the highest one? Else the lowest.
    pub highest: bool,
}

impl Comparison {
    /// Every combination of the axes of which nothing is chosen, with what was chosen there; the parameterization changes fastest.
    /// Without `--choose` every cell stands for itself.
    ///
    /// A cell with failed runs is never chosen: the mean of the others flatters it; nor is one that was stopped on the way. Of values
    /// that tie, the first is taken.
    #[must_use]
    pub fn chosen(&self) -> Vec<Chosen> {
        let mut found: Vec<Chosen> = vec![];
        for (index, cell) in self.cells.iter().enumerate() {
            let over = self.kept_axes(cell);
            match found.iter_mut().find(|known| known.param == cell.param && known.over == over) {
                Some(known) => known.tried.push(index),
                None => found.push(Chosen {
                    param: cell.param.clone(),
                    over,
                    cell: None,
                    values: vec![],
                    edges: vec![],
                    tried: vec![index],
                }),
            }
        }
        found.iter_mut().for_each(|chosen| self.choose_among(chosen));
        found
    }

    /// A cell's values of the axes of which nothing is chosen.
    fn kept_axes(&self, cell: &Cell) -> Vec<(String, String)> {
        cell.over.iter().filter(|(key, _)| !self.choose.contains(key)).cloned().collect()
    }

    fn choose_among(&self, chosen: &mut Chosen) {
        if self.choose.is_empty() {
            chosen.cell = chosen.tried.first().copied();
            return;
        }
        let whole = |index: &&usize| {
            let cell = &self.cells[**index];
            cell.stopped.is_none() && cell.values.len() == cell.outcomes.len() && cell.choice.is_finite()
        };
        for index in chosen.tried.iter().filter(whole) {
            let better = |best: usize| self.is_better(self.cells[*index].choice, self.cells[best].choice);
            if chosen.cell.is_none_or(better) {
                chosen.cell = Some(*index);
            }
        }
        let Some(cell) = chosen.cell.map(|index| &self.cells[index]) else { return };
        chosen.values = cell.over.iter().filter(|(key, _)| self.choose.contains(key)).cloned().collect();
        chosen.edges = chosen.values.iter().filter_map(|(key, value)| self.edge(&chosen.tried, key, value)).collect();
    }

    /// Is a value the lowest or the highest of all that were tried? Values that are no numbers have no ends.
    fn edge(&self, tried: &[usize], key: &str, value: &str) -> Option<Edge> {
        let number = |text: &str| text.replace('_', "").parse::<f64>().ok();
        let values = tried.iter().filter_map(|index| self.cells[*index].over.iter().find(|(known, _)| known == key));
        let values = values.map(|(_, value)| number(value)).collect::<Option<Vec<f64>>>()?;
        let at = number(value)?;
        let (above, below) = (values.iter().any(|other| *other > at), values.iter().any(|other| *other < at));
        let edge = Edge { key: key.to_string(), value: value.to_string(), highest: below };
        (above != below).then_some(edge)
    }
}
