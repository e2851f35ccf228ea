//! The embedded description is whole, and what runs say about the claim is what is known of made-up ones.

use super::*;
use crate::judge::{Curve, judge};
use crate::reproduce::paper;
use gmpc_runtime::task::compare::{Cell, Comparison, Outcome, Size, Splits, Statistics};

#[test]
fn every_part_is_an_experiment_with_its_rates() {
    let rates = rates().unwrap();
    assert!(rates.parts.len() == 4 && rates.rates.len() >= 5 && !rates.known.is_empty());
    let values: Vec<f64> = rates.rates.iter().map(|rate| rate.parse().unwrap()).collect();
    assert!(values.windows(2).all(|pair| pair[1] > pair[0]));
    for part in &rates.parts {
        assert!(paper::experiment(&part.experiment).is_some(), "{}", part.name);
        let axes = rates.axes(part, &AskedRates::default());
        assert_eq!(axes.over.last().map(|(key, values)| (key, values)), Some((&rates.key, &rates.rates)));
        assert_eq!(axes.over.len(), if part.data.is_empty() { 1 } else { 2 });
        assert!(part.params.contains(&rates.of));
    }
}

#[test]
fn what_is_asked_for_narrows_it() {
    let rates = rates().unwrap();
    let set = [("train.optimizer.lr", "0.1,1,2"), ("data", "uci.yacht"), ("train.epochs", "3")];
    let set = set.map(|(key, value)| (key.to_string(), value.to_string())).to_vec();
    let asked = AskedRates { repeats: Some(2), params: vec!["sp".into()], only: vec!["uci".into()], set };
    let parts = rates.chosen(&asked).unwrap();
    let axes = rates.axes(parts[0], &asked);
    let over: Vec<String> = axes.over.iter().map(|(key, values)| format!("{key}={}", values.join(","))).collect();
    assert_eq!((parts.len(), over), (1, vec!["data=uci.yacht".to_string(), "train.optimizer.lr=0.1,1,2".into()]));
    assert_eq!((axes.repeats, axes.params), (2, vec!["sp".to_string()]));
    let said = changed(&rates, &asked).join(" ");
    assert!(said.contains("Without levy, banana, cifar10.") && said.contains("train.epochs = 3"), "{said}");
    let nowhere = AskedRates { only: vec!["mnist".into()], ..AskedRates::default() };
    let failure = rates.chosen(&nowhere).unwrap_err();
    assert!(failure.exit_code() == 2 && failure.help().is_some_and(|help| help.contains("banana")));
}

/// Six data sets at five rates with four seeds: `gmp` works at all rates, the others fail more and more.
fn kept() -> Kept {
    let (names, rates) = (["a", "b", "c", "d", "e", "f"], ["0.01", "0.1", "1", "10", "100"]);
    let mut cells = vec![];
    for (set, name) in names.iter().enumerate() {
        for (k, rate) in rates.iter().enumerate() {
            for (param, first_bad) in [("sp", 2), ("wn", 3), ("gmp", 9)] {
                let over = [("data", *name), ("train.optimizer.lr", *rate)];
                let over = over.map(|(key, value)| (key.to_string(), value.to_string())).to_vec();
                let outcome = |seed: u64| {
                    let noise = 0.001 * ((seed * 7 + set as u64 * 3) % 5) as f64;
                    let figure = if k < first_bad { 1.0 } else { 4.0 } + noise * (1.0 + k as f64);
                    let figures = vec![("valid.rmse".into(), figure), ("test.rmse".into(), figure)];
                    let size = Some(Size { rows: [60, 20, 20], parameters: 1, flops: 1 });
                    let figures = if k == 4 && param == "sp" { Err("diverged".into()) } else { Ok(figures) };
                    Outcome { seed, figures, epochs: 1, seconds: 0.0, size, start: vec![("valid.rmse".into(), 5.0)] }
                };
                let outcomes: Vec<Outcome> = (0..4).map(outcome).collect();
                let values: Vec<f64> = outcomes.iter().filter_map(|one| one.figure("test.rmse")).collect();
                let (statistics, choice) = (Statistics::of(&values), Statistics::of(&values).mean);
                let (splits, stopped) = (Splits::Drawn, None);
                let param = param.to_string();
                cells.push(Cell { param, over, splits, stopped, outcomes, values, statistics, choice, best: false });
            }
        }
    }
    let text = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<String>>();
    let comparison = Comparison {
        params: text(&["sp", "wn", "gmp"]),
        over: vec![("data".into(), text(&names)), ("train.optimizer.lr".into(), text(&rates))],
        metric: "test.rmse".into(),
        higher_is_better: false,
        chosen_by: "valid.rmse".into(),
        choose: vec!["train.optimizer.lr".into()],
        baseline: None,
        halving: None,
        cells,
        complete: true,
    };
    Kept {
        folder: "uci".into(),
        name: None,
        comparison,
        epochs: vec![],
        unread: vec![],
        file: "m.gmpnet".into(),
        source: String::new(),
        set: vec![],
        model: "m".into(),
        data: "wave".into(),
        gmpc: "0.1.0".into(),
        device: "cpu".into(),
    }
}

#[test]
fn the_claim_holds_where_it_does_and_in_the_other_direction_where_it_does_not() {
    let kept = kept();
    let judged = judge(&kept.comparison);
    let sets = sets(&kept, &judged, "train.optimizer.lr");
    assert_eq!(sets.iter().map(|set| set.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c", "d", "e", "f"]);
    let works = |param: &str| sets[0].curve(param).and_then(|curve: &Curve| curve.works);
    assert_eq!(works("sp"), Some([0.01, 0.1]));
    assert_eq!((works("wn"), works("gmp")), (Some([0.01, 1.0]), Some([0.01, 100.0])));
    let of = |name: &str| verdict(Measure::Highest, name, &sets).unwrap();
    let gmp = of("gmp");
    assert_eq!((gmp.first, gmp.ranks.as_ref().map(|ranks| ranks.mean.clone())), ([6, 6], Some(vec![3.0, 2.0, 1.0])));
    // The critical difference of three methods on six sets is 2.343 sqrt(3 * 4 / 36) = 1.353.
    assert_eq!((gmp.better_than, gmp.worse_than), (vec!["sp".to_string()], vec![]));
    assert_eq!(of("sp").worse_than, ["gmp"]);
    assert_eq!(verdict(Measure::Width, "gmp", &sets).unwrap().first, [6, 6]);
    let failed = verdict(Measure::Failed, "wn", &sets).unwrap();
    assert_eq!(failed.first, [6, 0], "gmp has no failed run either");
    let against = against("gmp", "train.optimizer.lr", &sets);
    assert_eq!(against.len(), 12);
    // sp: worse by 3 at one rate (plus noise) and by 4 at two, capped at the untrained network's 5.
    assert!(against.iter().all(|one| one.paired.mean < -1.0 && one.adjusted < 0.05), "{against:?}");
    assert!(verdict(Measure::Highest, "bn", &sets).is_none());
}
