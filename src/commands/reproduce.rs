//! `gmpc reproduce fig1`: what the paper ran, with its numbers beside ours.

use crate::args::{ReproduceArgs, Reproduced};
use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Field, draw, number};
use gmpc_runtime::analysis::Perturbed;
use gmpc_runtime::analysis::perturb::{FIGURE_1, of_weights};
use gmpc_runtime::report::figure::perturbation::figure;
use serde_json::json;

/// The unit of Figure 1: 0.001 times the first three normal numbers of NumPy's legacy generator with seed 1, as the authors'
/// code draws them.
const WEIGHT: [f64; 2] = [1.624_345_363_663_241_7e-3, -6.117_564_136_500_754e-4];
const OFFSET: f64 = -5.281_717_522_634_557e-4;
const PERTURBATIONS: [f64; 4] = [1e-4, 1e-3, 1e-2, 1e-1];

/// What the authors' settings give, worked out by hand: the new direction in degrees, and lambda.
const SP: [(f64, f64); 4] = [(-16.53, -0.2380), (8.42, 0.1779), (38.93, 0.6339), (44.36, 0.6998)];
const WN: [(f64, f64); 4] = [(-16.53, -0.2332), (8.42, 0.1725), (38.93, 0.8071), (44.36, 0.9777)];

/// Repeats a figure of the paper.
///
/// # Errors
/// The disk.
pub fn run(args: &ReproduceArgs, output: &Output) -> Result<(), Failure> {
    match args.what {
        Reproduced::Fig1 => figure_1(args, output),
    }
}

fn figure_1(args: &ReproduceArgs, output: &Output) -> Result<(), Failure> {
    let found = of_weights(&WEIGHT, OFFSET, &PERTURBATIONS, &FIGURE_1)?;
    for one in &found {
        output.line(&json!({
            "event": "perturbed", "param": one.param, "eps": one.delta, "turn": one.turn, "bound": one.bound,
            "direction_degrees": degrees(one), "lambda": one.after.offset,
            "expected": expected(one).map(|(direction, lambda)| json!({ "direction_degrees": direction, "lambda": lambda })),
        }));
    }
    let rows: Vec<_> = found.iter().map(row).collect();
    let head = ["param", "eps", "direction", "expected", "lambda", "expected", "turn", "bound"];
    output.say(format_args!(
        "Figure 1: the same number eps added to every parameter of one unit (directions in degrees)\n\n{}",
        draw(&head, &rows)
    ));
    output.note(
        "\nThe authors' figure shows smaller turns for sp and wn: their code takes the angle from arccos(w1 / |w|), which loses \
         the sign of w2 and mirrors the unit. Here it is the true angle.",
    );
    if let (Some(folder), Some(figure)) = (&args.output, figure(&found)?) {
        let [svg, csv] = figure.write(folder)?.map(|path| path.display().to_string());
        output.line(
            &json!({ "event": "figure", "name": figure.name, "caption": figure.caption, "svg": svg, "csv": csv }),
        );
        output.note(format_args!("{svg}, {csv}: {}", figure.caption));
    }
    Ok(())
}

fn row(one: &Perturbed) -> Vec<Field> {
    let expected = expected(one);
    let shown = |of: Option<f64>, digits: usize| of.map_or("-".to_string(), |x| format!("{x:.digits$}"));
    vec![
        Field::text(&one.param),
        Field::number(number(one.delta)),
        Field::number(format!("{:.2}", degrees(one))),
        Field::number(shown(expected.map(|(direction, _)| direction), 2)),
        Field::number(format!("{:.4}", one.after.offset)),
        Field::number(shown(expected.map(|(_, lambda)| lambda), 4)),
        Field::number(format!("{:.4}", one.turn.to_degrees())),
        Field::number(one.bound.map_or("none".to_string(), |bound| format!("{:.4}", bound.to_degrees()))),
    ]
}

fn degrees(one: &Perturbed) -> f64 {
    one.after.angles().first().map_or(0.0, |angle| angle.to_degrees())
}

/// `gmp` turns by eps, and its lambda moves by eps.
fn expected(one: &Perturbed) -> Option<(f64, f64)> {
    let place = PERTURBATIONS.iter().position(|eps| (eps - one.delta).abs() <= 0.0)?;
    match one.param.as_str() {
        "sp" => SP.get(place).copied(),
        "wn" => WN.get(place).copied(),
        _ => Some((-20.64 + one.delta.to_degrees(), -0.30429 + one.delta)),
    }
}
