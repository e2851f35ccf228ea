//! What changed between two measurements by more than the noise of both.

use super::baseline::{MeasuredKernel, Measurement};
use super::timing::Span;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Changes of less than this are never told, as shares: two builds of the same source differ by as much.
const LEAST: f64 = 0.03;
/// From this number of common kernels on, their median ratio is taken for the speed of the machine.
const ENOUGH: usize = 8;

/// Two measurements of one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The whole step, as measured.
    pub step: Change,
    /// The median of the kernels' ratios: how much slower the machine was, or everything became. The kernels' ratios are divided by it. 1 where
    /// fewer than eight kernels are in both.
    pub together: f64,
    /// The kernels that are in both, in the order of the newer measurement.
    pub kernels: Vec<Change>,
    /// Kernels that are only in the newer measurement.
    pub new: Vec<MeasuredKernel>,
    /// Kernels that are only in the older one.
    pub gone: Vec<MeasuredKernel>,
    /// The processor of the older measurement, if it is another one.
    pub other_processor: Option<String>,
}

/// A time in both measurements.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The kernel; empty for the step.
    pub name: String,
    /// Its line of the model.
    pub line: Option<String>,
    /// Microseconds in the older measurement.
    pub before: f64,
    /// Microseconds in the newer one.
    pub now: f64,
    /// How many times longer it takes now.
    pub ratio: f64,
    /// The noise of the ratio: the ranges between the quartiles of both measurements as shares of their medians, together.
    pub noise: f64,
}

/// The verdict on a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It takes longer, by more than the noise.
    Slower,
    /// It takes less time, by more than the noise.
    Faster,
    /// The difference is within the noise.
    Level,
}

impl Verdict {
    /// `slower`
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Slower => "slower",
            Verdict::Faster => "faster",
            Verdict::Level => "level",
        }
    }
}

impl Change {
    fn new(name: &str, line: Option<&String>, before: Span, now: Span) -> Self {
        let noise = |span: Span| (span.high - span.low) / span.median;
        Change {
            name: name.to_string(),
            line: line.cloned(),
            before: before.median,
            now: now.median,
            ratio: now.median / before.median,
            noise: (noise(before) + noise(now)).max(LEAST),
        }
    }

    /// Slower, faster, or level. Times of zero, of which no ratio can be taken, are level.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.ratio > 1.0 + self.noise {
            Verdict::Slower
        } else if self.ratio < 1.0 / (1.0 + self.noise) {
            Verdict::Faster
        } else {
            Verdict::Level
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "line": self.line,
            "before_us": self.before,
            "us": self.now,
            "ratio": self.ratio,
            "noise": self.noise,
            "verdict": self.verdict().word(),
        })
    }
}

/// Compares a measurement with an older one of the same subject.
///
/// Kernels are the same if their names and lines are; of several such kernels in one program the first belongs to the first.
#[must_use]
pub fn compare(before: &Measurement, now: &Measurement) -> Comparison {
    let mut old: HashMap<(&str, Option<&String>), Vec<&MeasuredKernel>> = HashMap::new();
    // Reversed, because `pop` takes from the end: of equal kernels the first meets the first.
    for kernel in before.kernels.iter().rev() {
        old.entry((&kernel.name, kernel.line.as_ref())).or_default().push(kernel);
    }
    let (mut kernels, mut new) = (vec![], vec![]);
    for kernel in &now.kernels {
        match old.get_mut(&(kernel.name.as_str(), kernel.line.as_ref())).and_then(Vec::pop) {
            Some(older) => kernels.push(Change::new(&kernel.name, kernel.line.as_ref(), older.us, kernel.us)),
            None => new.push(kernel.clone()),
        }
    }
    let left = |kernel: &&MeasuredKernel| {
        let rest = old.get(&(kernel.name.as_str(), kernel.line.as_ref()));
        // By address: equal kernels are told apart by nothing else.
        rest.is_some_and(|rest| rest.iter().any(|one| std::ptr::eq(*one, *kernel)))
    };
    let gone = before.kernels.iter().filter(left).cloned().collect();
    let ratios: Vec<f64> = kernels.iter().map(|change| change.ratio).collect();
    // What changes most kernels alike is the machine, not the compiler: each ratio is taken to the median one.
    let together = if ratios.len() >= ENOUGH { Span::of(&ratios).median } else { 1.0 };
    kernels.iter_mut().for_each(|change| change.ratio /= together);
    Comparison {
        step: Change::new("", None, before.step, now.step),
        together,
        kernels,
        new,
        gone,
        other_processor: (before.processor != now.processor).then(|| before.processor.clone()),
    }
}

impl Comparison {
    /// The kernels that changed by more than the noise, the largest change first.
    #[must_use]
    pub fn changed(&self) -> Vec<&Change> {
        let mut changed: Vec<&Change> = self.kernels.iter().filter(|one| one.verdict() != Verdict::Level).collect();
        // Twice as slow and twice as fast are changes of one size.
        let size = |one: &Change| one.ratio.max(1.0 / one.ratio);
        changed.sort_by(|a, b| size(b).total_cmp(&size(a)));
        changed
    }

    /// One object: the line of `gmpc bench --against FILE --json`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let names = |kernels: &[MeasuredKernel]| -> Vec<Value> {
            kernels.iter().map(|one| json!({ "name": one.name, "line": one.line, "us": one.us.median })).collect()
        };
        json!({
            "event": "bench_against",
            "step": self.step.to_json(),
            "together": self.together,
            "kernels": self.kernels.iter().map(Change::to_json).collect::<Vec<_>>(),
            "new": names(&self.new),
            "gone": names(&self.gone),
            "other_processor": self.other_processor,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::baseline::Subject;
    use super::*;

    fn kernel(name: &str, us: f64, spread: f64) -> MeasuredKernel {
        let us = Span { low: us * (1.0 - spread / 2.0), median: us, high: us * (1.0 + spread / 2.0) };
        MeasuredKernel { name: name.into(), line: Some("4".into()), us }
    }

    fn measurement(kernels: Vec<MeasuredKernel>) -> Measurement {
        let of = Subject {
            network: "m".into(),
            param: "gmp".into(),
            rows: 8,
            precision: "f32".into(),
            device: "cpu".into(),
            threads: 2,
        };
        let step = Span { low: 9.9, median: 10.0, high: 10.1 };
        Measurement { of, processor: "one, AVX2".into(), step, kernels }
    }

    fn verdicts(comparison: &Comparison) -> Vec<(&str, Verdict)> {
        comparison.kernels.iter().map(|one| (one.name.as_str(), one.verdict())).collect()
    }

    #[test]
    fn a_change_is_told_where_it_is_larger_than_the_noise_of_both() {
        let before = measurement(vec![kernel("a", 10.0, 0.02), kernel("b", 10.0, 0.2), kernel("c", 10.0, 0.02)]);
        let now = measurement(vec![kernel("a", 11.0, 0.02), kernel("b", 11.0, 0.02), kernel("c", 9.0, 0.02)]);
        let found = compare(&before, &now);
        assert_eq!(verdicts(&found), [("a", Verdict::Slower), ("b", Verdict::Level), ("c", Verdict::Faster)]);
        assert_eq!((found.together, found.step.verdict()), (1.0, Verdict::Level));
        assert_eq!(found.changed().iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["c", "a"]);
        // Less than three in a hundred is never a change.
        let now = measurement(vec![kernel("a", 10.2, 0.0)]);
        assert_eq!(verdicts(&compare(&before, &now)), [("a", Verdict::Level)]);
    }

    #[test]
    fn a_slower_machine_is_not_a_slower_kernel() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        let before = measurement(names.map(|name| kernel(name, 10.0, 0.02)).to_vec());
        let now = names.map(|name| kernel(name, if name == "e" { 26.0 } else { 13.0 }, 0.02)).to_vec();
        let found = compare(&before, &measurement(now));
        assert!((found.together - 1.3).abs() < 1e-12);
        assert_eq!(found.changed().iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["e"]);
        assert!((found.changed()[0].ratio - 2.0).abs() < 1e-12);
    }

    #[test]
    fn kernels_of_one_name_are_taken_in_order_and_the_rest_is_new_or_gone() {
        let before = measurement(vec![kernel("a", 1.0, 0.0), kernel("a", 2.0, 0.0), kernel("b", 3.0, 0.0)]);
        let now = measurement(vec![kernel("a", 1.0, 0.0), kernel("c", 4.0, 0.0)]);
        let found = compare(&before, &now);
        assert_eq!(verdicts(&found), [("a", Verdict::Level)]);
        let median = |kernels: &[MeasuredKernel]| kernels.iter().map(|one| one.us.median).collect::<Vec<_>>();
        assert_eq!((median(&found.gone), median(&found.new)), (vec![2.0, 3.0], vec![4.0]));
    }

    #[test]
    fn another_processor_is_named() {
        let before = Measurement { processor: "another, AVX-512".into(), ..measurement(vec![]) };
        assert_eq!(compare(&before, &measurement(vec![])).other_processor.as_deref(), Some("another, AVX-512"));
        assert_eq!(compare(&before, &before).other_processor, None);
    }
}
