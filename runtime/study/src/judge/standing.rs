//! Where an entry stands in its group: the best mean, level with it, or behind.
//!
//! The best of several means is the best partly by chance, so a mark at it alone would be a mark on noise. Whatever cannot be told
//! apart from it, seed by seed, is marked too.

use super::difference::{design, pairs, together};
use super::{Cell, Comparison, Group};
use crate::statistics::holm;

/// Of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The best mean of its group.
    Best,
    /// Its paired difference to the best has a p of 0.05 or more, after Holm over the group.
    Level,
    /// It differs from the best.
    Behind,
    /// Runs of it failed, or no value of it could be chosen: its mean is no fair sample.
    Failed,
    /// One run says nothing about chance, and one entry has nothing to be compared with.
    Unknown,
}

/// What counts as a difference.
pub(super) const LEVEL: f64 = 0.05;

impl Standing {
    /// Is it marked in a table?
    #[must_use]
    pub fn is_marked(self) -> bool {
        matches!(self, Standing::Best | Standing::Level)
    }

    /// As data formats have it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Standing::Best => "best",
            Standing::Level => "level",
            Standing::Behind => "behind",
            Standing::Failed => "failed",
            Standing::Unknown => "unknown",
        }
    }
}

/// Finds the best of a group, and what is level with it.
pub(super) fn place(comparison: &Comparison, group: &mut Group) {
    let whole = |cell: &Cell| cell.values.len() == cell.outcomes.len() && cell.statistics.mean.is_finite();
    let cells: Vec<Option<&Cell>> = group.entries.iter().map(|entry| entry.cell(comparison)).collect();
    let mut standings: Vec<Standing> =
        cells.iter().map(|cell| if cell.is_some_and(whole) { Standing::Unknown } else { Standing::Failed }).collect();
    let fit: Vec<(usize, &Cell)> =
        cells.iter().enumerate().filter_map(|(k, cell)| Some((k, (*cell).filter(|cell| whole(cell))?))).collect();
    let best = fit.iter().copied().reduce(|best, other| {
        if comparison.is_better(other.1.statistics.mean, best.1.statistics.mean) { other } else { best }
    });
    if let Some((at, best)) = best.filter(|(_, best)| fit.len() > 1 && best.values.len() > 1) {
        let others: Vec<(usize, &Cell)> = fit.into_iter().filter(|(k, _)| *k != at).collect();
        let together: Vec<_> =
            others.iter().map(|(_, cell)| together(&pairs(comparison, cell, best), design(best))).collect();
        let p = holm(&together.iter().map(|(found, _)| found.p).collect::<Vec<f64>>());
        for (((k, cell), (found, method)), p) in others.iter().zip(&together).zip(p) {
            // Differences that never vary have no p: the same figures are level, others are not.
            let tie = !comparison.is_better(best.statistics.mean, cell.statistics.mean);
            let level = if p.is_nan() {
                tie && found.mean.abs() <= f64::EPSILON * best.statistics.mean.abs()
            } else {
                p >= LEVEL
            };
            standings[*k] = if level { Standing::Level } else { Standing::Behind };
            if *method != "none" {
                group.method = method;
            }
        }
        standings[at] = Standing::Best;
    }
    group.entries.iter_mut().zip(standings).for_each(|(entry, standing)| entry.standing = standing);
}
