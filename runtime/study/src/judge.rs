//! What can be said about a comparison: what was chosen, what is level with the best, differences by seed with intervals.
//!
//! ```text
//! cells -choose-> groups: one entry a parameterization     -standing-> best, level with it, behind
//!                                                          -difference-> to a baseline, paired by seed
//!                                                          -across-> ranks and relative differences over data sets
//!                                                          -sensitivity-> figures against a learning rate
//! ```
//!
//! Every format (text, Markdown, LaTeX, CSV, JSON, the page) shows this, so that no two of them say different things.

mod across;
mod difference;
mod halving;
mod sensitivity;
mod sentences;
mod standing;
mod warnings;

pub use across::{Across, Relative};
pub use difference::{Difference, Pair, design};
pub use halving::{StoppedAt, all_stopped};
pub use sensitivity::{Curve, KEPT, Point, Sensitivity, sensitivities};
pub use sentences::{about_differences, under_the_table};
pub use standing::Standing;

use gmpc_data::Note;
use gmpc_runtime::task::compare::{Cell, Chosen, Comparison};

/// A comparison with everything that follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged<'a> {
    /// What was run.
    pub comparison: &'a Comparison,
    /// Entries that differ in their parameterization only, in the order of the axes.
    pub groups: Vec<Group>,
    /// To the baseline, group after group; empty without one.
    pub differences: Vec<Difference>,
    /// Over data sets, where there are several.
    pub across: Option<Across>,
    /// Over axes of numbers, such as learning rates.
    pub sensitivities: Vec<Sensitivity>,
    /// What a reader must not miss.
    pub notes: Vec<Note>,
}

/// What stands side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The axes of which nothing was chosen.
    pub over: Vec<(String, String)>,
    /// One for each parameterization, in the order asked for.
    pub entries: Vec<Entry>,
    /// How the best was compared with the others: `paired t`; empty where nothing could be compared.
    pub method: &'static str,
}

/// One parameterization of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it is of, and what was chosen.
    pub chosen: Chosen,
    /// Where it stands.
    pub standing: Standing,
}

impl Entry {
    /// The cell whose figures are shown; `None` where none could be chosen.
    #[must_use]
    pub fn cell<'a>(&self, comparison: &'a Comparison) -> Option<&'a Cell> {
        comparison.cells.get(self.chosen.cell?)
    }

    /// Runs that failed: of the cell, or of everything that was tried where no cell could be chosen; and of how many.
    #[must_use]
    pub fn failed(&self, comparison: &Comparison) -> [usize; 2] {
        let own = self.chosen.cell.map(|cell| vec![cell]);
        let of = own.unwrap_or_else(|| self.chosen.tried.clone());
        let cells = of.iter().filter_map(|index| comparison.cells.get(*index));
        cells.fold([0, 0], |[failed, all], cell| {
            [failed + cell.outcomes.len() - cell.values.len(), all + cell.outcomes.len()]
        })
    }
}

/// Says everything about a comparison that its runs can carry.
#[must_use]
pub fn judge(comparison: &Comparison) -> Judged<'_> {
    let mut groups: Vec<Group> = vec![];
    for chosen in comparison.chosen() {
        let entry = Entry { standing: Standing::Unknown, chosen };
        match groups.iter_mut().find(|group| group.over == entry.chosen.over) {
            Some(group) => group.entries.push(entry),
            None => groups.push(Group { over: entry.chosen.over.clone(), entries: vec![entry], method: "" }),
        }
    }
    groups.iter_mut().for_each(|group| standing::place(comparison, group));
    let differences = difference::to_baseline(comparison, &groups);
    let across = across::across(comparison, &groups);
    let notes = warnings::notes(comparison, &groups, &differences);
    let mut judged = Judged { comparison, groups, differences, across, sensitivities: vec![], notes };
    judged.sensitivities = sensitivities(&judged);
    judged
}

#[cfg(test)]
mod tests;
