//! `--perturb`: adds the same number to every parameter of a unit, and measures how far its boundary turns.

use crate::args::AnalyzeArgs;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::output::table::{Field, draw, number};
use gmpc_compiler::ir::net::LayerKind;
use gmpc_runtime::task::compare::split_list;
use gmpc_study::analysis::{Perturbed, Run, UnitName, perturb};
use gmpc_study::report::figure::Figure;
use gmpc_study::report::figure::perturbation::figure;
use serde_json::{Value, json};

/// Prints a table for each run, and returns Figure 1 for each unit with two inputs.
///
/// # Errors
/// There is no such unit; it has no boundary; a parameterization is unknown.
pub fn report(runs: &[Run], args: &AnalyzeArgs, output: &Output) -> Result<Vec<Figure>, Failure> {
    let params = split_list(&args.param);
    let params: Vec<&str> = params.iter().map(String::as_str).collect();
    let mut figures = Vec::new();
    for run in runs {
        let (name, text) = unit(run, args.unit.as_deref())?;
        let found = perturb(run, &name, &args.perturb, &params)?;
        found.iter().for_each(|one| output.line(&line(run, &text, one)));
        output.say(format_args!("\n{}, unit {text}: every parameter changed by eps\n\n{}", run.title(), table(&found)));
        let drawn = figure(&found);
        let several = runs.len() > 1;
        figures.extend(drawn.map(|figure| if several { named(figure, &run.title()) } else { figure }));
    }
    output.note(
        "\n* the unit of the run; the others are rewritten from what its activation sees, without a scale after it such as gmp's \
         `r`. The bound: |turn| <= |change of the angles|",
    );
    Ok(figures)
}

/// Gives a figure the name of its run, if there are several runs.
fn named(figure: Figure, run: &str) -> Figure {
    Figure { name: format!("{}-{run}", figure.name), ..figure }
}

fn table(found: &[Perturbed]) -> String {
    let degrees = |radians: f64| format!("{:.4}°", radians.to_degrees());
    let row = |one: &Perturbed| {
        let direction = match one.after.angles()[..] {
            [angle] => Field::number(degrees(angle)),
            _ => Field::number("-"),
        };
        vec![
            Field::text(&one.param),
            Field::number(number(one.delta)),
            Field::number(degrees(one.turn)),
            Field::number(one.bound.map_or("none".to_string(), degrees)),
            direction,
            Field::number(format!("{:.4}", one.before.offset)),
            Field::number(format!("{:.4}", one.after.offset)),
        ]
    };
    let rows: Vec<_> = found.iter().map(row).collect();
    let head = ["param", "eps", "turn", "bound", "direction", "lambda before", "lambda after"];
    draw(&head, &rows)
}

fn line(run: &Run, unit: &str, one: &Perturbed) -> Value {
    json!({
        "event": "perturbed",
        "run": run.folder.path.display().to_string(),
        "unit": unit,
        "param": one.param.trim_end_matches('*'),
        "as_trained": one.param.ends_with('*'),
        "eps": one.delta,
        "turn": one.turn,
        "bound": one.bound,
        "before": { "direction": one.before.direction, "lambda": one.before.offset, "phi": one.before.location() },
        "after": { "direction": one.after.direction, "lambda": one.after.offset, "phi": one.after.location() },
    })
}

/// The unit that the options name, or else the first one; and its full name.
fn unit(run: &Run, asked: Option<&str>) -> Result<(UnitName, String), Failure> {
    let layers = || {
        let layers = run.network.net.layers.iter().enumerate();
        layers.filter(|(_, layer)| matches!(layer.kind, LayerKind::Unit(_)))
    };
    let Some(text) = asked else {
        let first = run.first_layers().into_iter().next().map(|first| first.layer);
        let layer = first.or_else(|| layers().next().map(|(index, _)| index));
        let layer = layer.ok_or_else(|| Failure::new(Kind::Usage, "the network has no units"))?;
        let name = &run.network.net.layers[layer].name;
        return Ok((UnitName { layer, unit: 0 }, format!("{name}.0")));
    };
    let split = text.rsplit_once('.').and_then(|(layer, unit)| Some((layer, unit.parse::<usize>().ok()?)));
    let found = split.and_then(|(name, unit)| {
        let layer = layers().find(|(_, layer)| layer.name == name)?.0;
        Some(UnitName { layer, unit })
    });
    found.map(|name| (name, text.to_string())).ok_or_else(|| {
        let names: Vec<String> = layers().map(|(_, layer)| format!("`{}.0`", layer.name)).collect();
        let message = format!("`{}` has no unit `{text}`", run.title());
        Failure::with_help(Kind::Usage, message, format!("write a layer and a number: {}", names.join(", ")))
    })
}
