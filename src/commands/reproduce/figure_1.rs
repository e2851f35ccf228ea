//! `gmpc reproduce fig1`: one boundary under perturbation. Nothing is trained for it.

use crate::args::ReproduceArgs;
use crate::failure::Failure;
use crate::output::Output;
use gmpc_runtime::analysis::Perturbed;
use gmpc_runtime::analysis::perturb::{FIGURE_1, of_weights};
use gmpc_runtime::report::beside::{Lead, Row, Table, places};
use gmpc_runtime::report::figure::perturbation::figure;
use gmpc_runtime::report::page::Contents;
use gmpc_runtime::reproduce::{FigureOne, figure_1};
use serde_json::json;

/// Turns the paper's unit and writes the page.
///
/// # Errors
/// The disk; an option that makes no sense here.
pub fn run(args: &ReproduceArgs, output: &Output) -> Result<(), Failure> {
    if args.repeats.is_some()
        || !args.param.is_empty()
        || !args.overrides.set.is_empty()
        || args.overrides.seed.is_some()
    {
        output.warn("nothing is trained for Figure 1: --repeats, --param, --set and --seed change nothing");
    }
    let theirs = figure_1()?;
    let found = of_weights(&theirs.unit.weight, theirs.unit.offset, &theirs.eps, &FIGURE_1)?;
    for one in &found {
        let expected = expected(&theirs, one);
        output.line(&json!({
            "event": "perturbed", "param": one.param, "eps": one.delta, "turn": one.turn, "bound": one.bound,
            "direction_degrees": degrees(one), "lambda": one.after.offset,
            "expected": expected.map(|(direction, lambda)| json!({ "direction_degrees": direction, "lambda": lambda })),
        }));
    }
    let used = [&theirs.unit.source, &theirs.direction_degrees.source];
    let lead = Lead {
        title: theirs.title.clone(),
        ran: theirs.ran.iter().cloned().chain([format!("The unit: {}.", theirs.unit.how)]).collect(),
        tables: vec![table(&theirs, &found)],
        known: theirs.known.clone(),
        sources: places(used.into_iter())?,
        ..Lead::default()
    };
    super::tell(&lead, output);
    let figures: Vec<_> = figure(&found).into_iter().collect();
    let title = format!("gmpc: {}", theirs.title);
    let contents = Contents { title: &title, lead: Some(&lead), comparisons: &[], subjects: &[], figures: &figures };
    super::write(&contents, &super::folder(args), output)
}

fn table(theirs: &FigureOne, found: &[Perturbed]) -> Table {
    let head = ["param", "eps", "direction", "expected", "lambda", "expected", "turn", "bound"];
    let caption = "Directions, turns and the bound of gmp's turn, in degrees".to_string();
    Table { caption, head: head.map(String::from).to_vec(), rows: found.iter().map(|one| row(theirs, one)).collect() }
}

fn row(theirs: &FigureOne, one: &Perturbed) -> Row {
    let expected = expected(theirs, one);
    let shown = |of: Option<f64>, digits: usize| of.map_or("-".to_string(), |x| format!("{x:.digits$}"));
    let fields = [
        one.delta.to_string(),
        format!("{:.2}", degrees(one)),
        shown(expected.map(|(direction, _)| direction), 2),
        format!("{:.4}", one.after.offset),
        shown(expected.map(|(_, lambda)| lambda), 4),
        format!("{:.4}", one.turn.to_degrees()),
        one.bound.map_or("none".to_string(), |bound| format!("{:.4}", bound.to_degrees())),
    ];
    Row { name: one.param.clone(), paper: false, fields: fields.map(|text| (text, false)).to_vec() }
}

fn degrees(one: &Perturbed) -> f64 {
    one.after.angles().first().map_or(0.0, |angle| angle.to_degrees())
}

/// Direction in degrees and lambda.
fn expected(theirs: &FigureOne, one: &Perturbed) -> Option<(f64, f64)> {
    let place = theirs.eps.iter().position(|eps| (eps - one.delta).abs() <= 0.0)?;
    Some((theirs.direction_degrees.at(&one.param, place)?, theirs.lambda.at(&one.param, place)?))
}
