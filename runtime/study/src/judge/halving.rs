//! What `--halve` did, in words: how far values were trained, which ones were stopped when.

use gmpc_runtime::task::compare::{Cell, Comparison, words};

/// So many values are named in a sentence; the page and `--json` name all.
const NAMED: usize = 40;

/// Parameterizations, each with the data set or other axes it is of, and its values that were stopped.
type Names = Vec<(String, Vec<String>)>;

/// A value that was stopped on the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StoppedAt<'a> {
    /// Its cell.
    pub cell: &'a Cell,
    /// Epochs that its runs have done, at most.
    pub epochs: u64,
}

/// Every value that was stopped, the first stopped ones first, within a rung in the order of the axes.
#[must_use]
pub fn all_stopped(comparison: &Comparison) -> Vec<StoppedAt<'_>> {
    let one = |cell| StoppedAt { cell, epochs: cell.stopped.unwrap_or_default() };
    let mut all: Vec<StoppedAt<'_>> = comparison.cells.iter().filter(|cell| cell.stopped.is_some()).map(one).collect();
    all.sort_by_key(|stopped| stopped.epochs);
    all
}

/// How far values were trained.
pub(super) fn rungs(comparison: &Comparison) -> Option<String> {
    let halving = comparison.halving.as_ref()?;
    let (first, rest) = halving.rungs.split_first()?;
    let whole = rest.last()?.epochs;
    let on = |rung: &gmpc_runtime::task::compare::RungPlan| match rung.epochs {
        epochs if epochs == whole => format!("the best {} to all {epochs}", rung.values),
        epochs => format!("the best {} to {epochs}", rung.values),
    };
    let on: Vec<String> = rest.iter().map(on).collect();
    Some(format!(
        "halved by {}: for each parameterization {} values were trained for {}, then {}; what goes on is the mean of {} over the \
         seeds at that moment, and schedules are those of {whole} epochs from the beginning",
        halving.factor,
        first.values,
        epochs(first.epochs),
        on.join(", "),
        comparison.chosen_by,
    ))
}

/// `1 epoch`, `9 epochs`
fn epochs(count: u64) -> String {
    if count == 1 { "1 epoch".into() } else { format!("{count} epochs") }
}

/// Which values were stopped when: `stopped after 9 epochs: sp at 0.001, 0.01; gmp at 0.001 | after 27 epochs: …`.
pub(super) fn stopped(comparison: &Comparison) -> Option<String> {
    let all = all_stopped(comparison);
    // Values of one parameterization stand together, behind what they are of.
    let mut rungs: Vec<(u64, Names)> = vec![];
    for one in all.iter().take(NAMED) {
        let (chosen, kept): (Vec<_>, Vec<_>) =
            one.cell.over.iter().cloned().partition(|(key, _)| comparison.choose.contains(key));
        let of = [one.cell.param.clone(), words(&kept)].into_iter().filter(|words| !words.is_empty());
        let of = of.collect::<Vec<_>>().join(" on ");
        let value = match &chosen[..] {
            [(_, value)] => value.clone(),
            several => format!("({})", words(several)),
        };
        if rungs.last().is_none_or(|(epochs, _)| *epochs != one.epochs) {
            rungs.push((one.epochs, vec![]));
        }
        let Some((_, names)) = rungs.last_mut() else { continue };
        match names.iter_mut().find(|(known, _)| *known == of) {
            Some((_, values)) => values.push(value),
            None => names.push((of, vec![value])),
        }
    }
    let name = |(of, values): &(String, Vec<String>)| format!("{of} at {}", values.join(", "));
    let rung = |(count, names): &(u64, Names)| {
        format!("after {}: {}", epochs(*count), names.iter().map(name).collect::<Vec<_>>().join("; "))
    };
    let mut text = format!("stopped {}", rungs.iter().map(rung).collect::<Vec<_>>().join(" | "));
    if all.len() > NAMED {
        text += &format!("; and {} more, which the page and `--json` name", all.len() - NAMED);
    }
    (!all.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_runtime::task::compare::{Halving, Splits, Statistics};

    fn cell(param: &str, data: &str, lr: &str, stopped: Option<u64>) -> Cell {
        let over =
            [("data", data), ("train.optimizer.lr", lr)].map(|(key, value)| (key.to_string(), value.to_string()));
        let (statistics, choice, param) = (Statistics::of(&[]), 1.0, param.to_string());
        let (over, outcomes, values, best) = (over.to_vec(), vec![], vec![], false);
        Cell { param, over, splits: Splits::Fixed, stopped, outcomes, values, statistics, choice, best }
    }

    fn comparison(cells: Vec<Cell>) -> Comparison {
        Comparison {
            params: vec!["sp".into(), "gmp".into()],
            over: vec![],
            metric: "test.rmse".into(),
            higher_is_better: false,
            chosen_by: "valid.rmse".into(),
            choose: vec!["train.optimizer.lr".into()],
            baseline: None,
            halving: Halving::of(3, 9, 81),
            cells,
            complete: true,
        }
    }

    #[test]
    fn what_was_stopped_stands_together_by_rung_and_parameterization() {
        let found = comparison(vec![
            cell("sp", "wave", "0.1", Some(27)),
            cell("sp", "wave", "1", Some(9)),
            cell("gmp", "wave", "1", Some(9)),
            cell("sp", "wave", "10", Some(9)),
            cell("gmp", "wave", "0.1", None),
        ]);
        let expected =
            "stopped after 9 epochs: sp on wave at 1, 10; gmp on wave at 1 | after 27 epochs: sp on wave at 0.1";
        assert_eq!(stopped(&found).as_deref(), Some(expected));
        let told = rungs(&found).unwrap();
        assert!(
            told.contains("9 values were trained for 9 epochs, then the best 3 to 27, the best 1 to all 81"),
            "{told}"
        );
        assert_eq!(stopped(&comparison(vec![])), None);
    }

    #[test]
    fn a_note_names_so_many_and_counts_the_rest() {
        let cells = (0..NAMED + 5).map(|k| cell("sp", "wave", &k.to_string(), Some(9))).collect();
        assert!(stopped(&comparison(cells)).unwrap().ends_with("; and 5 more, which the page and `--json` name"));
    }
}
