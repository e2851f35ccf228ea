//! `gmpc reproduce fig1`: one boundary under perturbation. It trains nothing.

use crate::args::ReproduceArgs;
use crate::failure::Failure;
use crate::output::Output;
use gmpc_study::analysis::Perturbed;
use gmpc_study::analysis::perturb::{FIGURE_1, of_weights};
use gmpc_study::report::beside::{Lead, Row, Table, places};
use gmpc_study::report::figure::perturbation::figure;
use gmpc_study::report::page::Contents;
use gmpc_study::reproduce::{FigureOne, figure_1};
use serde_json::json;

/// Perturbs the paper's unit and writes the page.
///
/// # Errors
/// A file cannot be written.
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
        // None where the paper has no number: then there is nothing to compare.
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
    super::print(&lead, output);
    let figures: Vec<_> = figure(&found).into_iter().collect();
    let title = format!("gmpc: {}", theirs.title);
    let contents =
        Contents { title: &title, lead: Some(&lead), comparisons: &[], subjects: &[], figures: &figures, unread: &[] };
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

/// The expected direction in degrees, and the expected lambda.
fn expected(theirs: &FigureOne, one: &Perturbed) -> Option<(f64, f64)> {
    let index = theirs.eps.iter().position(|eps| (eps - one.delta).abs() <= 0.0)?;
    Some((theirs.direction_degrees.at(&one.param, index)?, theirs.lambda.at(&one.param, index)?))
}
