//! A comparison ready to be shown: its statistics, and its figures in the order of the page.

use super::figure::cells::{self, Compared};
use super::figure::{Figure, forest, fronts, sensitivity};
use crate::judge::{Judged, judge};
use gmpc_runtime::task::compare::Kept;

/// A comparison on a page.
pub struct Shown<'a> {
    /// The stored comparison.
    pub kept: &'a Kept,
    /// Its statistics.
    pub judged: Judged<'a>,
    /// The metric against axes of numbers.
    pub sensitivity: Vec<Figure>,
    /// Differences to the baseline.
    pub differences: Option<Figure>,
    /// Learning curves of all cells.
    pub curves: Vec<Figure>,
    /// The metric against costs.
    pub fronts: Option<Figure>,
}

impl<'a> Shown<'a> {
    /// Computes the statistics and the figures of a comparison.
    #[must_use]
    pub fn of(kept: &'a Kept) -> Self {
        let name = file_name(&kept.title());
        let compared = Compared::new(kept, judge(&kept.comparison));
        let (curves, fronts) = (cells::of(&compared, &name), fronts::of(&compared, &name));
        let judged = compared.judged;
        let (sensitivity, differences) = (sensitivity::of(&judged, &name), forest::of(&judged, &name));
        Shown { kept, judged, sensitivity, differences, curves, fronts }
    }

    /// All figures, in the order of the page.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.sensitivity.iter().chain(&self.differences).chain(&self.curves).chain(&self.fronts)
    }
}

/// A folder's name in a form that can be a part of a file name.
fn file_name(name: &str) -> String {
    name.replace([' ', '/', '\\', ','], "-")
}

#[cfg(test)]
mod tests;
