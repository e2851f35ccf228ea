//! Comparisons as text for other programs, compared word for word.

use super::*;
use crate::judge::judge;
use crate::report::sheet::{markdown, sheets};
use gmpc_runtime::task::compare::{Outcome, Size, Splits, Statistics};
use insta::assert_snapshot;

fn cell(param: &str, lr: &str, values: &[f64]) -> Cell {
    let figures =
        |value: f64| if value.is_nan() { Err("diverged".into()) } else { Ok(vec![("test.rmse".into(), value)]) };
    let size = Some(Size { rows: [6, 2, 2], parameters: 301, flops: 800 });
    let outcome =
        |(seed, &v): (u64, &f64)| Outcome { seed, figures: figures(v), epochs: 3, seconds: 0.0, size, start: vec![] };
    let outcomes: Vec<Outcome> = (0..).zip(values).map(outcome).collect();
    let values: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let over = vec![("train.optimizer.lr".to_string(), lr.to_string())];
    let (statistics, choice) = (Statistics::of(&values), Statistics::of(&values).mean);
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

fn comparison() -> Comparison {
    let cells = vec![
        cell("sp", "0.01", &[1.0, 2.0]),
        cell("gmp + mn", "0.01", &[0.5, 0.75]),
        cell("sp", "1", &[f64::NAN, f64::NAN]),
        cell("gmp + mn", "1", &[0.000_122_070_312_5, 0.000_366_210_937_5]),
    ];
    Comparison {
        params: vec!["sp".into(), "gmp + mn".into()],
        over: vec![("train.optimizer.lr".into(), vec!["0.01".into(), "1".into()])],
        metric: "test.rmse".into(),
        higher_is_better: false,
        chosen_by: "valid.rmse".into(),
        choose: vec![],
        baseline: None,
        halving: None,
        cells,
        complete: true,
    }
}

fn chosen() -> Comparison {
    Comparison { choose: vec!["train.optimizer.lr".into()], baseline: Some("sp".into()), ..comparison() }
}

#[test]
fn csv_has_a_line_a_cell() {
    assert_snapshot!(csv(&judge(&comparison())), @r"
    param,train.optimizer.lr,metric,n,mean,stderr,failed,best,chosen_by,standing,chosen,edge,epochs_chosen_on,baseline,difference,low,high,pairs,p,p_holm,p_signed_rank,wins,method
    sp,0.01,test.rmse,2,1.5,0.5,0,false,valid.rmse,level,,,valid,,,,,,,,,,
    gmp + mn,0.01,test.rmse,2,0.625,0.125,0,true,valid.rmse,best,,,valid,,,,,,,,,,
    sp,1,test.rmse,0,,,2,false,valid.rmse,failed,,,valid,,,,,,,,,,
    gmp + mn,1,test.rmse,2,0.000244140625,0.0001220703125,0,false,valid.rmse,unknown,,,valid,,,,,,,,,,
    ");
    assert_snapshot!(csv(&judge(&chosen())), @r"
    param,train.optimizer.lr,metric,n,mean,stderr,failed,best,chosen_by,standing,chosen,edge,epochs_chosen_on,baseline,difference,low,high,pairs,p,p_holm,p_signed_rank,wins,method
    sp,0.01,test.rmse,2,1.5,0.5,0,false,valid.rmse,level,train.optimizer.lr,train.optimizer.lr lowest,valid,,,,,,,,,,
    gmp + mn,1,test.rmse,2,0.000244140625,0.0001220703125,0,true,valid.rmse,best,train.optimizer.lr,train.optimizer.lr highest,valid,sp,-1.499755859375,-9.278785761114092,6.279274042364092,2,0.2467335821559455,0.2467335821559455,,2,corrected resampled t
    ");
}

#[test]
fn latex_has_a_column_a_parameterization_and_what_is_marked_in_bold() {
    assert_snapshot!(latex(&judge(&comparison())), @r"
    % \usepackage{booktabs, siunitx}
    % \sisetup{separate-uncertainty = true, detect-weight = true}
    % test.rmse, mean +- standard error of 0 to 2 runs (lower is better)
    \begin{tabular}{lS[table-format=1.3(3)]S[table-format=1.5(3)]}
    \toprule
    train.optimizer.lr & {sp} & {gmp + mn} \\
    \midrule
    0.01 & \bfseries 1.500(500) & \bfseries 0.625(125) \\
    1 & {failed (2 of 2 failed)} & 0.00024(12) \\
    \bottomrule
    \end{tabular}
    \par\smallskip
    {\footnotesize test.rmse, mean $\pm$ standard error of 0 to 2 runs (lower is better). Bold: the lowest mean of its row, and what is level with it: paired by seed, $p \ge$ 0.05 against it (corrected resampled t). Runs draw their test rows and share many: $\pm$ is too small to compare by, p values are corrected for it (Nadeau and Bengio 2003). 2 of 8 runs failed: a mean over the others flatters, so such a cell is not marked.\par}
    ");
    assert_snapshot!(latex(&judge(&chosen())), @r"
    % \usepackage{booktabs, siunitx}
    % \sisetup{separate-uncertainty = true, detect-weight = true}
    % test.rmse, mean +- standard error of 2 runs (lower is better)
    \begin{tabular}{lS[table-format=1.5(3)]S[table-format=1.2]}
    \toprule
    param & {test.rmse} & {train.optimizer.lr} \\
    \midrule
    sp & \bfseries 1.500(500) & 0.01 {(lowest tried)} \\
    gmp + mn & \bfseries 0.00024(12) & 1 {(highest tried)} \\
    \bottomrule
    \end{tabular}
    \par\smallskip
    {\footnotesize test.rmse, mean $\pm$ standard error of 2 runs (lower is better). Bold: the lowest mean, and what is level with it: paired by seed, $p \ge$ 0.05 against it (corrected resampled t); here all are, so none is shown to be better. train.optimizer.lr chosen for each parameterization by the mean of valid.rmse over the seeds, of 2 tried; test figures of the others are not shown. Runs draw their test rows and share many: $\pm$ is too small to compare by, p values are corrected for it (Nadeau and Bengio 2003). 2 of 8 runs failed; values with failed runs are never chosen.\par}

    % test.rmse, difference to sp
    \begin{tabular}{lS[table-format=-1.3]lS[table-format=1.3]l}
    \toprule
    param & {difference} & 95 \% interval & {p} & seeds won \\
    \midrule
    gmp + mn & -1.500 & $[-9.279, 6.279]$ & 0.247 & 2 of 2 \\
    \bottomrule
    \end{tabular}
    \par\smallskip
    {\footnotesize test.rmse, difference to sp. Seed by seed, below 0 is better than sp: 95 \% intervals by corrected resampled t. No signed-rank test below 6 pairs that differ: it could not reach p $<$ 0.05.\par}
    ");
}

#[test]
fn markdown_has_the_same_tables() {
    let judged = comparison();
    let judged = judge(&judged);
    assert_snapshot!(markdown(&sheets(&judged)[0]), @r"
    **test.rmse, mean ± standard error of 0 to 2 runs (lower is better)**

    | train.optimizer.lr | sp | gmp + mn |
    | --- | ---: | ---: |
    | 0.01 | **1.500 ± 0.500** | **0.625 ± 0.125** |
    | 1 | failed (2 of 2 failed) | 0.00024 ± 0.00012 |

    - bold: the lowest mean of its row, and what is level with it: paired by seed, p >= 0.05 against it (corrected resampled t)
    - runs draw their test rows and share many: ± is too small to compare by, p values are corrected for it (Nadeau and Bengio 2003)
    - 2 of 8 runs failed: a mean over the others flatters, so such a cell is not marked
    ");
}

#[test]
fn json_has_an_object_a_cell_and_one_a_difference() {
    let lines: Vec<String> = json_lines(&judge(&comparison())).iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 4);
    assert_snapshot!(lines[0], @r#"{"event":"cell","param":"sp","over":{"train.optimizer.lr":0.01},"metric":"test.rmse","n":2,"mean":1.5,"stderr":0.5,"values":[1.0,2.0],"seeds":[0,1],"choice":1.5,"chosen_by":"valid.rmse","chosen":{},"best":false,"standing":"level","parameters":301,"flops":800,"failed":[],"stopped_after":null}"#);
    assert_snapshot!(lines[2], @r#"{"event":"cell","param":"sp","over":{"train.optimizer.lr":1},"metric":"test.rmse","n":0,"mean":null,"stderr":null,"values":[],"seeds":[],"choice":null,"chosen_by":"valid.rmse","chosen":{},"best":false,"standing":"failed","parameters":301,"flops":800,"failed":[{"seed":0,"message":"diverged"},{"seed":1,"message":"diverged"}],"stopped_after":null}"#);
    let lines: Vec<String> = json_lines(&judge(&chosen())).iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 5);
    assert!(lines[0].contains("\"chosen\":{\"train.optimizer.lr\":0.01}"), "{}", lines[0]);
    assert!(lines[1].contains("\"chosen\":null"), "tried and not taken: {}", lines[1]);
    assert_snapshot!(lines[4], @r#"{"event":"difference","param":"gmp + mn","baseline":"sp","over":{},"metric":"test.rmse","mean":-1.499755859375,"low":-9.278785761114092,"high":6.279274042364092,"n":2,"method":"corrected resampled t","wins":2.0,"wins_low":0.34238022750665303,"wins_high":1.0,"p":0.2467335821559455,"p_holm":0.2467335821559455,"p_signed_rank":null,"bootstrap":null,"values":[-0.9998779296875,-1.9996337890625],"seeds":[0,1],"left_out":0}"#);
}

#[test]
fn names_are_escaped() {
    assert_eq!(escaped("a_b%"), "a\\_b\\%");
    assert_eq!(escaped("[flip]*"), "{[}flip{]}{*}");
    assert_eq!(escaped("a<b>|\"c\"\n"), "a\\textless{}b\\textgreater{}\\textbar{}{''}c{''} ");
    assert_eq!(escaped("é κ"), "é U+03BA");
    assert_eq!(cell_of_csv("a,\"b\""), "\"a,\"\"b\"\"\"");
}

#[test]
fn figures_of_survivors_and_of_test_rows_are_marked_in_every_format() {
    let mut found = comparison();
    found.chosen_by = "test.rmse".into();
    found.cells[0] = cell("sp", "0.01", &[1.0, f64::NAN]);
    let judged = judge(&found);
    let text = latex(&judged);
    assert!(text.contains("0.01 & 1.000 {(1 of 2 failed)} &"), "{text}");
    assert!(text.contains("pochs chosen on the test rows") && text.contains("0 to 2 runs"), "{text}");
    assert!(csv(&judged).lines().skip(1).all(|line| line.contains(",test.rmse,") && line.contains(",test,")));
    assert!(json_lines(&judged).iter().all(|line| line["chosen_by"] == "test.rmse"));
    let text = markdown(&sheets(&judged)[0]);
    assert!(text.contains("(1 of 2 failed)") && text.contains("chosen on the test rows"), "{text}");
}
