//! What is said about comparisons whose figures are known.

use super::*;
use crate::statistics::Design;
use gmpc_runtime::task::compare::{Outcome, Size, Splits, Statistics};

/// A cell of a data set, with its figures by seed; NaN for a run that failed.
fn cell(param: &str, data: &str, lr: &str, values: &[f64]) -> Cell {
    let size = Some(Size { rows: [60, 20, 20], parameters: 10, flops: 20 });
    let outcome = |(seed, value): (u64, &f64)| {
        let figures = if value.is_nan() { Err("diverged".into()) } else { Ok(vec![("test.rmse".into(), *value)]) };
        Outcome { seed, figures, epochs: 1, seconds: 0.0, size, start: vec![] }
    };
    let outcomes: Vec<Outcome> = (0..).zip(values).map(outcome).collect();
    let values: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let over = vec![("data".to_string(), data.to_string()), ("lr".to_string(), lr.to_string())];
    let statistics = Statistics::of(&values);
    let choice = statistics.mean;
    Cell {
        param: param.into(),
        over,
        splits: Splits::Drawn,
        stopped: None,
        outcomes,
        values,
        statistics,
        choice,
        best: false,
    }
}

fn comparison(params: &[&str], cells: Vec<Cell>) -> Comparison {
    Comparison {
        params: params.iter().map(ToString::to_string).collect(),
        over: vec![("data".into(), vec![]), ("lr".into(), vec![])],
        metric: "test.rmse".into(),
        higher_is_better: false,
        chosen_by: "valid.rmse".into(),
        choose: vec!["lr".into()],
        baseline: Some("sp".into()),
        halving: None,
        cells,
        complete: true,
    }
}

const SP: [f64; 6] = [1.0, 1.2, 1.1, 0.9, 1.3, 1.05];

#[test]
fn differences_are_paired_by_seed_and_corrected_where_rows_are_drawn() {
    let better = SP.map(|x| x - 0.3 - 0.02 * x);
    let cells = vec![cell("sp", "a", "1", &SP), cell("gmp", "a", "1", &better)];
    let found = comparison(&["sp", "gmp"], cells);
    let judged = judge(&found);
    let difference = &judged.differences[0];
    assert_eq!(
        (difference.param.as_str(), difference.method, difference.paired.n),
        ("gmp", "corrected resampled t", 6)
    );
    assert_eq!(design(&found.cells[0]), Some(Design::Resampled { ratio: 0.25 }), "20 test rows over 80 others");
    assert!(difference.paired.high < 0.0 && difference.adjusted < 0.05 && difference.bootstrap.is_none());
    assert_eq!((difference.share.wins, difference.wilcoxon), (6.0, Some(2.0 / 64.0)));
    let fixed = Cell { splits: Splits::Fixed, ..found.cells[1].clone() };
    let found = Comparison { cells: vec![found.cells[0].clone(), fixed], ..found };
    let judged = judge(&found);
    assert_eq!(judged.differences[0].method, "paired t");
    assert!(judged.differences[0].bootstrap.is_some());
}

#[test]
fn a_run_without_its_partner_is_left_out_and_told() {
    let mut gmp = SP.map(|x| x * 0.9);
    gmp[2] = f64::NAN;
    let found = comparison(&["sp", "gmp"], vec![cell("sp", "a", "1", &SP), cell("gmp", "a", "1", &gmp)]);
    let found = Comparison { choose: vec![], ..found };
    let judged = judge(&found);
    assert_eq!((judged.differences[0].paired.n, judged.differences[0].alone), (5, 1));
    assert_eq!(judged.differences[0].pairs[2].seed, 3);
    assert_eq!(judged.notes.iter().map(|note| note.code).collect::<Vec<_>>(), ["W0854"]);
    assert!(about_differences(&judged).concat().contains("gmp, a, lr = 1 (1)"));
    assert_eq!(judged.groups[0].entries[1].standing, Standing::Failed);
}

#[test]
fn what_cannot_be_told_apart_from_the_best_is_level_with_it() {
    let noise = [0.01, -0.02, 0.015, -0.005, 0.02, -0.015];
    let near: Vec<f64> = SP.iter().zip(noise).map(|(x, noise)| x + noise).collect();
    let far: Vec<f64> = SP.iter().zip(noise).map(|(x, noise)| x + 0.5 + noise).collect();
    let cells = vec![cell("sp", "a", "1", &SP), cell("wn", "a", "1", &near), cell("bn", "a", "1", &far)];
    let found = comparison(&["sp", "wn", "bn"], cells);
    let standings =
        |found: &Comparison| judge(found).groups[0].entries.iter().map(|entry| entry.standing).collect::<Vec<_>>();
    assert_eq!(standings(&found), [Standing::Best, Standing::Level, Standing::Behind]);
    let said = under_the_table(&judge(&found)).concat();
    assert!(said.contains("the lowest mean, and what is level with it") && said.contains("Holm over 2"), "{said}");
    let up = Comparison { higher_is_better: true, ..found.clone() };
    assert_eq!(standings(&up), [Standing::Behind, Standing::Behind, Standing::Best]);
    let one = |param: &str, x: f64| cell(param, "a", "1", &[x]);
    let single = comparison(&["sp", "wn"], vec![one("sp", 1.0), one("wn", 2.0)]);
    assert_eq!(standings(&single), [Standing::Unknown, Standing::Unknown], "one run says nothing about chance");
    assert!(under_the_table(&judge(&single)).concat().contains("one run each says nothing about chance"));
    assert_eq!(judge(&single).notes[0].code, "W0853");
}

#[test]
fn runs_that_do_the_same_are_level() {
    let cells = vec![cell("sp", "a", "1", &SP), cell("wn", "a", "1", &SP)];
    let found = comparison(&["sp", "wn"], cells);
    let judged = judge(&found);
    assert_eq!(judged.groups[0].entries.iter().filter(|entry| entry.standing.is_marked()).count(), 2);
    assert_eq!(judged.differences[0].method, "none");
}

#[test]
fn a_choice_at_the_edge_is_warned_about_and_one_inside_is_not() {
    let at = |rates: [f64; 3]| {
        let cells = ["0.01", "0.1", "1"].iter().zip(rates).flat_map(|(lr, worse)| {
            [cell("sp", "a", lr, &SP.map(|x| x + worse)), cell("gmp", "a", lr, &SP.map(|x| x + worse))]
        });
        comparison(&["sp", "gmp"], cells.collect())
    };
    let inside = at([0.5, 0.0, 0.5]);
    let judged = judge(&inside);
    assert!(judged.notes.iter().all(|note| note.code != "W0851"), "{:?}", judged.notes);
    assert_eq!(judged.groups.len(), 1);
    let edge = at([0.5, 0.3, 0.0]);
    let note = judge(&edge).notes.remove(0);
    assert_eq!(note.code, "W0851");
    assert!(note.message.contains("gmp, a (1, the highest)"), "{}", note.message);
    assert!(note.help.unwrap().contains("upwards"));
    let failed = comparison(&["sp", "gmp"], vec![cell("sp", "a", "1", &SP), cell("gmp", "a", "1", &[f64::NAN; 6])]);
    assert_eq!(judge(&failed).notes[0].code, "W0852");
}

#[test]
fn several_data_sets_are_judged_by_ranks_and_relative_differences() {
    let sets = ["a", "b", "c", "d", "e", "f", "g"];
    let cells = sets.iter().zip(1_u32..).flat_map(|(set, scale)| {
        let scale = 10.0_f64.powi(i32::try_from(scale).unwrap() % 3);
        let of = |param: &str, factor: f64| cell(param, set, "1", &SP.map(|x| x * scale * factor));
        [of("sp", 1.0), of("wn", 1.1), of("gmp", 0.8)]
    });
    let found = comparison(&["sp", "wn", "gmp"], cells.collect());
    let judged = judge(&found);
    let across = judged.across.clone().unwrap();
    let ranks = across.ranks.unwrap();
    assert_eq!((ranks.mean.as_slice(), ranks.sets), (&[2.0, 3.0, 1.0][..], 7));
    assert!(ranks.p < 0.01);
    let gmp = across.relative.iter().find(|relative| relative.param == "gmp").unwrap();
    assert!((gmp.iqm + 0.2).abs() < 1e-12 && gmp.sets == 7 && gmp.n == 42);
    assert_eq!(gmp.wilcoxon, Some(2.0 / 128.0));
    assert_eq!(judged.differences.len(), 14);
    let one = Comparison { cells: found.cells[..3].to_vec(), ..found.clone() };
    assert!(judge(&one).across.is_none());
}

#[test]
fn sensitivity_is_the_mean_loss_above_the_best_with_diverged_runs_at_the_untrained_network() {
    let start = vec![("valid.rmse".to_string(), 2.0), ("test.rmse".to_string(), 2.5)];
    let of = |param: &str, lr: &str, valid: [f64; 2]| {
        let mut cell = cell(param, "a", lr, &[9.0, 9.0]);
        for (outcome, valid) in cell.outcomes.iter_mut().zip(valid) {
            outcome.figures = match valid.is_nan() {
                true => Err("diverged".into()),
                false => Ok(vec![("valid.rmse".into(), valid), ("test.rmse".into(), 9.0)]),
            };
        }
        cell.values = cell.outcomes.iter().filter_map(|outcome| outcome.figure("test.rmse")).collect();
        cell.choice = valid.iter().sum::<f64>() / 2.0;
        cell.outcomes[0].start = start.clone();
        cell
    };
    let rates = |param: &'static str, all: [[f64; 2]; 3]| {
        ["0.01", "0.1", "1"].into_iter().zip(all).map(move |(lr, valid)| of(param, lr, valid)).collect::<Vec<_>>()
    };
    let cells = rates("sp", [[1.0, 1.2], [0.5, 0.7], [f64::NAN, 7.0]]);
    let mut found = comparison(&["sp"], cells);
    found.over = vec![("lr".into(), ["0.01", "0.1", "1"].map(String::from).to_vec())];
    found.baseline = None;
    let judged = judge(&found);
    let [sensitivity] = &judged.sensitivities[..] else { panic!("{:?}", judged.sensitivities) };
    assert_eq!((sensitivity.metric.as_str(), sensitivity.log), ("valid.rmse", true), "test rows stay unseen");
    let curve = &sensitivity.curves[0];
    assert_eq!(curve.points.iter().map(|point| point.failed).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!((curve.best, curve.chosen, curve.cap, curve.joined), (0.1, Some(0.1), 2.0, true));
    assert!((curve.points[2].mean - 2.0).abs() < 1e-12, "one diverged, the other is worse than untrained");
    assert!((curve.number - (0.5 + 0.0 + 1.4) / 3.0).abs() < 1e-12, "{}", curve.number);
    let seeds: Vec<(u64, i64)> = curve.seeds.iter().map(|(seed, x)| (*seed, (x * 1e6).round() as i64)).collect();
    assert_eq!(seeds, [(0, 666_667), (1, 600_000)], "(0.5 + 0 + 1.5) / 3 and (0.5 + 0 + 1.3) / 3");
    assert_eq!(curve.works, Some([0.1, 0.1]), "of a gain of 1.4 the value beside it keeps 0.9, less than nine tenths");
}
