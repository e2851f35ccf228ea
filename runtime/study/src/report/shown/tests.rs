//! The page of a comparison: which parts it has in which order, and that nothing in it is no number.

use super::*;
use crate::report::figure::{COLUMNS, Column};
use crate::report::page::{Contents, page};
use gmpc_runtime::task::compare::{Cell, Comparison, Halving, Outcome, Size, Splits, Statistics};
use insta::assert_snapshot;

/// Two parameterizations at three rates with four seeds each; at the largest rate one of the runs of `sp` fails.
fn kept(sets: &[&str]) -> Kept {
    let (mut cells, mut epochs) = (vec![], vec![]);
    for (set, scale) in sets.iter().zip([1.0, 10.0]) {
        for (rate, far) in [("0.01", 0.4), ("0.1", 0.0), ("1", 0.9)] {
            for (param, better) in [("sp", 0.0), ("gmp + mn", 0.3)] {
                let over = [("data", *set), ("lr", rate)].map(|(key, value)| (key.to_string(), value.to_string()));
                let over: Vec<_> = over.into_iter().filter(|(key, _)| key == "lr" || sets.len() > 1).collect();
                let figure =
                    |seed: u64| scale * (1.0 + far - better + [0.02, -0.05, 0.04, 0.0][seed as usize] * (1.0 + better));
                let fails = |seed: u64| rate == "1" && param == "sp" && seed == 3;
                let outcome = |seed: u64| Outcome {
                    seed,
                    figures: match fails(seed) {
                        true => Err("training diverged in step 3".into()),
                        false => {
                            Ok(vec![("valid.rmse".into(), figure(seed) * 0.9), ("test.rmse".into(), figure(seed))])
                        }
                    },
                    epochs: 3,
                    seconds: 0.5,
                    size: Some(Size { rows: [60, 20, 20], parameters: 301, flops: 700 }),
                    start: vec![("valid.rmse".into(), scale * 1.7), ("test.rmse".into(), scale * 1.8)],
                };
                let line = |seed: u64, epoch: u64| {
                    let y = figure(seed) + scale * (3.0 - epoch as f64) * 0.1;
                    format!("{{\"epoch\":{epoch},\"lr\":{rate},\"train.loss\":{y},\"valid.rmse\":{y}}}\n")
                };
                epochs.push((0..4).map(|seed| (1..=3).map(|epoch| line(seed, epoch)).collect()).collect());
                let outcomes: Vec<Outcome> = (0..4).map(outcome).collect();
                let figures = |name: &str| outcomes.iter().filter_map(|one| one.figure(name)).collect::<Vec<f64>>();
                let (values, choice) = (figures("test.rmse"), Statistics::of(&figures("valid.rmse")).mean);
                let statistics = Statistics::of(&values);
                let splits = Splits::Drawn;
                cells.push(Cell {
                    param: param.into(),
                    over,
                    splits,
                    stopped: None,
                    outcomes,
                    values,
                    statistics,
                    choice,
                    best: false,
                });
            }
        }
    }
    let mut over = vec![("data".to_string(), sets.iter().map(ToString::to_string).collect())];
    over.retain(|_| sets.len() > 1);
    over.push(("lr".to_string(), ["0.01", "0.1", "1"].map(String::from).to_vec()));
    let comparison = Comparison {
        params: vec!["sp".into(), "gmp + mn".into()],
        over,
        metric: "test.rmse".into(),
        higher_is_better: false,
        chosen_by: "valid.rmse".into(),
        choose: vec!["lr".into()],
        baseline: Some("sp".into()),
        halving: None,
        cells,
        complete: true,
    };
    Kept {
        folder: "rates".into(),
        name: None,
        comparison,
        epochs,
        unread: vec![],
        file: "m.gmpnet".into(),
        source: "model m { input -> linear(1) }".into(),
        set: vec![],
        model: "m".into(),
        data: "wave".into(),
        gmpc: "0.1.0".into(),
        device: "cpu".into(),
    }
}

/// Headings, figures and tables of a page in their order.
fn structure(text: &str) -> String {
    let body = text.split("</style>").nth(1).unwrap().split("<script>").next().unwrap();
    let mut found = String::new();
    for line in body.lines().map(str::trim) {
        let begins = ["<h1", "<h2", "<section", "<nav", "<figure", "<figcaption", "<tr><th", "<details", "<li", "<p "];
        if begins.iter().any(|tag| line.starts_with(tag)) {
            found.push_str(line);
            found.push('\n');
        }
        if line.starts_with("<svg class=\"plot\"") {
            let title = line.split("aria-label=\"").nth(1).and_then(|rest| rest.split('"').next());
            found.push_str(&format!("  drawing: {}\n", title.unwrap_or_default()));
        }
    }
    found
}

fn page_of(kept: &Kept) -> String {
    let shown = [Shown::of(kept)];
    let title = "rates";
    page(&Contents { title, lead: None, comparisons: &shown, subjects: &[], figures: &[], unread: &[] }).unwrap()
}

#[test]
fn a_page_has_its_parts_in_the_order_of_a_paper() {
    assert_snapshot!(structure(&page_of(&kept(&["wave"]))));
}

#[test]
fn several_data_sets_are_small_multiples_with_one_key() {
    let kept = kept(&["wave", "saw"]);
    let shown = Shown::of(&kept);
    assert_eq!(shown.sensitivity[0].plots.len(), 2);
    assert_eq!(shown.differences.as_ref().unwrap().plots.len(), 2);
    assert!(shown.curves.iter().all(|figure| figure.plots.len() == 2 && figure.key.len() == 2));
    assert_snapshot!(structure(&page_of(&kept)));
}

#[test]
fn a_parameterization_has_one_colour_throughout_and_every_mark_is_a_number() {
    let kept = kept(&["wave", "saw"]);
    let shown = Shown::of(&kept);
    assert!(shown.figures().count() >= 4);
    for figure in shown.figures() {
        let svg = figure.svg();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", figure.name);
        let of =
            |name: &str| figure.key.iter().find(|(_, known)| known.starts_with(name)).map(|(class, _)| class.as_str());
        assert_eq!(of("gmp"), Some("c-gmp-mn"), "{}", figure.name);
        assert!(figure.csv.lines().count() > 2, "{}", figure.csv);
    }
}

#[test]
fn failed_runs_are_marked_on_curves_and_rates_have_no_band() {
    let mut kept = kept(&["wave"]);
    kept.comparison.choose.clear();
    let shown = Shown::of(&kept);
    let drawn: String = shown.curves.iter().map(Figure::svg).collect();
    assert!(drawn.contains("sp, seed 3 failed"), "{drawn}");
    let against: String = shown.sensitivity.iter().map(Figure::svg).collect();
    assert!(against.contains("1 of 4 runs failed at 1"));
}

#[test]
fn a_halved_comparison_says_what_was_stopped_when_and_compares_no_rates() {
    let mut kept = kept(&["wave"]);
    kept.comparison.halving = Halving::of(3, 3, 3);
    for cell in kept.comparison.cells.iter_mut().filter(|cell| cell.over[0].1 != "0.1") {
        cell.stopped = Some(1);
    }
    let shown = Shown::of(&kept);
    assert!(shown.sensitivity.is_empty(), "values were stopped after different epochs");
    let page = page_of(&kept);
    for part in
        ["What was stopped when", "<summary>4 values</summary>", "1 of 3 epochs", "halved by 3", "(1 of 4 failed)"]
    {
        assert!(page.contains(part), "{part} is missing in {}", structure(&page));
    }
    assert_eq!(shown.judged.groups[0].entries.iter().filter(|entry| entry.chosen.values[0].1 == "0.1").count(), 2);
}

#[test]
fn figures_have_the_widths_of_printed_columns() {
    let kept = kept(&["wave", "saw"]);
    let shown = Shown::of(&kept);
    for figure in shown.figures() {
        for (column, width) in COLUMNS.into_iter().zip(["3.25in", "6.75in"]) {
            let svg = figure.printed(column);
            assert!(svg.starts_with(&format!("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\"")), "{svg}");
            assert_eq!(svg.matches("<svg class=\"plot\"").count(), figure.plots.len());
        }
        assert_eq!(figure.file(Column::Single, "pdf"), format!("{}-single.pdf", figure.name));
    }
    // Two small drawings stand below each other in the single column, so that texts stay legible: 12 of 280 pixels' width, at
    // 3.25 inches, are 10 points.
    let small = shown.sensitivity[0].printed(Column::Single);
    assert!(small.contains("viewBox=\"0 0 280 "), "{small}");
    assert!(shown.sensitivity[0].printed(Column::Double).contains("viewBox=\"0 0 570 "));
}

/// Many runs of many epochs.
fn many(rates: usize, epochs: u64) -> Kept {
    let mut kept = kept(&["wave"]);
    let template = kept.comparison.cells.clone();
    kept.comparison.cells.clear();
    kept.epochs.clear();
    let rate = |k: usize| format!("{}", 0.001 * 1.3_f64.powi(k as i32));
    for k in 0..rates {
        for cell in &template[..2] {
            let mut cell = cell.clone();
            cell.over[0].1 = rate(k);
            let line = |seed: usize, epoch: u64| {
                let y = 1.0 + (seed + k) as f64 / 9.7 + 3.0 / epoch as f64;
                format!(
                    "{{\"event\":\"epoch\",\"epoch\":{epoch},\"lr\":0.1,\"train.loss\":{y},\"valid.loss\":{y},\"valid.rmse\":{y},\"best\":true,\"seconds\":0.1}}\n"
                )
            };
            kept.epochs.push((0..4).map(|seed| (1..=epochs).map(|epoch| line(seed, epoch)).collect()).collect());
            kept.comparison.cells.push(cell);
        }
    }
    kept.comparison.over = vec![("lr".into(), (0..rates).map(rate).collect())];
    kept
}

#[test]
fn a_page_of_many_runs_stays_small() {
    let mut kept = many(40, 300);
    assert!(page_of(&kept).len() < 1_000_000, "320 runs, of which eight are chosen");
    kept.comparison.choose.clear();
    let page = page_of(&kept);
    assert!(page.len() < 3_000_000, "{} bytes for 320 runs", page.len());
}
