//! Comparisons as text for other programs, word for word.

use super::*;
use crate::compare::{Outcome, Statistics};
use insta::assert_snapshot;

fn cell(param: &str, lr: &str, values: &[f64], best: bool) -> Cell {
    let figures =
        |value: f64| if value.is_nan() { Err("diverged".into()) } else { Ok(vec![("test.rmse".into(), value)]) };
    let outcomes = (0..).zip(values).map(|(seed, &v)| Outcome { seed, figures: figures(v), epochs: 3, seconds: 0.0 });
    let outcomes: Vec<Outcome> = outcomes.collect();
    let values: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let over = vec![("train.optimizer.lr".to_string(), lr.to_string())];
    let statistics = Statistics::of(&values);
    Cell { param: param.into(), over, outcomes, values, statistics, choice: 0.5, best }
}

fn comparison() -> Comparison {
    let cells = vec![
        cell("sp", "0.01", &[1.0, 2.0], false),
        cell("gmp + mn", "0.01", &[0.5, 0.75], true),
        cell("sp", "1", &[f64::NAN, f64::NAN], false),
        cell("gmp + mn", "1", &[0.000_122_070_312_5, 0.000_366_210_937_5], true),
    ];
    Comparison {
        params: vec!["sp".into(), "gmp + mn".into()],
        over: vec![("train.optimizer.lr".into(), vec!["0.01".into(), "1".into()])],
        metric: "test.rmse".into(),
        higher_is_better: false,
        chosen_by: "valid.rmse".into(),
        cells,
        complete: true,
    }
}

#[test]
fn csv_has_a_line_a_cell() {
    assert_snapshot!(csv(&comparison()), @r"
    param,train.optimizer.lr,metric,n,mean,stderr,failed,best
    sp,0.01,test.rmse,2,1.5,0.5,0,false
    gmp + mn,0.01,test.rmse,2,0.625,0.125,0,true
    sp,1,test.rmse,0,,,2,false
    gmp + mn,1,test.rmse,2,0.000244140625,0.0001220703125,0,true
    ");
}

#[test]
fn latex_has_a_column_a_parameterization_and_the_best_in_bold() {
    assert_snapshot!(latex(&comparison()), @r"
    % test.rmse, mean and standard error
    \begin{tabular}{lrr}
    train.optimizer.lr & sp & gmp + mn \\
    \hline
    0.01 & $1.500 \pm 0.500$ & $\mathbf{0.625 \pm 0.125}$ \\
    1 & -- & $\mathbf{0.00024 \pm 0.00012}$ \\
    \end{tabular}
    ");
}

#[test]
fn json_has_an_object_a_cell() {
    let lines: Vec<String> = json_lines(&comparison()).iter().map(ToString::to_string).collect();
    assert_snapshot!(lines[0], @r#"{"event":"cell","param":"sp","over":{"train.optimizer.lr":0.01},"metric":"test.rmse","n":2,"mean":1.5,"stderr":0.5,"values":[1.0,2.0],"choice":0.5,"best":false,"failed":[]}"#);
    assert_snapshot!(lines[2], @r#"{"event":"cell","param":"sp","over":{"train.optimizer.lr":1},"metric":"test.rmse","n":0,"mean":null,"stderr":null,"values":[],"choice":0.5,"best":false,"failed":[{"seed":0,"message":"diverged"},{"seed":1,"message":"diverged"}]}"#);
}

#[test]
fn names_are_escaped() {
    assert_eq!(escaped("a_b%"), "a\\_b\\%");
    assert_eq!(cell_of_csv("a,\"b\""), "\"a,\"\"b\"\"\"");
}
