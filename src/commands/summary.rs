//! `gmpc summary FILE`: layers, shapes, parameters, arithmetic and planned memory.

use crate::args::SummaryArgs;
use crate::failure::Failure;
use crate::output::table::{Field, bytes, draw, thousands};
use crate::output::{Output, stdout_is_colourful};
use crate::project::{compiler, wrong};
use gmpc_compiler::Compiler;
use gmpc_compiler::cost::flops;
use gmpc_compiler::graph::{Role, State};
use gmpc_compiler::net::{Layer, LayerKind, Product};
use gmpc_compiler::program::{Goal, Program};
use gmpc_grammar::diagnostic::Diagnostic;
use serde_json::{Value, json};

/// What is told about a network; arithmetic and memory are those of a whole batch.
struct Summary {
    layers: Vec<LayerRow>,
    parameters: usize,
    batch: usize,
    flops_forward: u64,
    /// Gradients and the update; 0 where the file does not train.
    flops_backward: u64,
    planned_bytes: usize,
}

/// One layer.
struct LayerRow {
    name: String,
    kind: String,
    param: Option<String>,
    shape: Vec<usize>,
    parameters: usize,
    /// Of the layer's product, forward, for the whole batch.
    flops: u64,
}

/// Prints it.
///
/// # Errors
/// The file is wrong.
pub fn run(args: &SummaryArgs, output: &Output) -> Result<(), Failure> {
    let compiler = compiler(&args.file, &args.data, output)?;
    let batch = args.batch.unwrap_or_else(|| compiler.batch(super::ROWS_WITHOUT_DATA));
    let summary = summarize(&compiler, batch).map_err(|errors| wrong(errors, compiler.module.sources.clone()))?;
    output.line(&summary.to_json());
    output.say(summary.to_text(&compiler));
    Ok(())
}

fn summarize(compiler: &Compiler, batch: usize) -> Result<Summary, Vec<Diagnostic>> {
    let predict = compiler.program(Goal::Predict, batch)?;
    let trains = compiler.module.training.as_ref().is_some_and(|training| training.optimizer.is_some());
    let step = if trains { Some(compiler.program(Goal::Train, batch)?) } else { None };
    let states = &compiler.layout.states;
    let row = |layer: &Layer| layer_row(compiler, layer, batch);
    let flops_forward = flops(&predict.graph);
    Ok(Summary {
        layers: compiler.net.layers.iter().map(row).collect(),
        parameters: states.iter().filter(|s| s.role == Role::Parameter).map(elements).sum(),
        batch,
        flops_forward,
        flops_backward: step.as_ref().map_or(0, |step| flops(&step.graph).saturating_sub(flops_forward)),
        planned_bytes: planned_bytes(compiler, step.as_ref().unwrap_or(&predict)),
    })
}

/// States and the program's buffers.
pub fn planned_bytes(compiler: &Compiler, program: &Program) -> usize {
    compiler.layout.elements * compiler.precision().bytes() + program.code.scratch_bytes
}

fn layer_row(compiler: &Compiler, layer: &Layer, batch: usize) -> LayerRow {
    let own = |state: &&State| state.role == Role::Parameter && state.name.rsplit_once('.').is_some_and(|(l, _)| l == layer.name);
    let (kind, param, flops) = match &layer.kind {
        LayerKind::Unit(unit) => {
            let Product::Dense { units } = unit.product;
            let fan_in: usize = layer.inputs.iter().map(|&i| compiler.net.layers[i].shape.iter().product::<usize>()).sum();
            let activation = unit.activation.to_string();
            let kind = if activation == "identity" { "dense".to_string() } else { format!("dense, {activation}") };
            (kind, Some(unit.param.to_string()), 2 * (fan_in * units * batch) as u64)
        }
        other => (other.to_string(), None, 0),
    };
    LayerRow {
        name: layer.name.clone(),
        kind,
        param,
        shape: layer.shape.clone(),
        parameters: compiler.layout.states.iter().filter(own).map(elements).sum(),
        flops,
    }
}

fn elements(state: &State) -> usize {
    state.shape.iter().product()
}

impl Summary {
    fn to_json(&self) -> Value {
        let layer = |layer: &LayerRow| {
            json!({
                "name": layer.name, "kind": layer.kind, "param": layer.param, "shape": layer.shape,
                "parameters": layer.parameters, "flops": layer.flops,
            })
        };
        json!({
            "layers": self.layers.iter().map(layer).collect::<Vec<_>>(),
            "parameters": self.parameters,
            "batch": self.batch,
            "flops_forward": self.flops_forward,
            "flops_backward": self.flops_backward,
            "planned_bytes": self.planned_bytes,
        })
    }

    fn to_text(&self, compiler: &Compiler) -> String {
        let row = |layer: &LayerRow| {
            vec![
                Field::text(&layer.name),
                Field::text(&layer.kind),
                Field::text(layer.param.as_deref().unwrap_or("")),
                Field::text(format!("{:?}", layer.shape)),
                Field::number(thousands(layer.parameters as u64)),
                Field::number(thousands(layer.flops)),
            ]
        };
        let rows: Vec<_> = self.layers.iter().map(row).collect();
        let head = ["layer", "kind", "param", "shape", "parameters", "flops"];
        let experiment = &compiler.module.experiment;
        format!(
            "model {}, param {}, {:?}, batch {}\n\n{}\n\nparameters      {:>14}\nflops forward   {:>14}\nflops backward  {:>14}\nplanned memory  {:>14}",
            experiment.model,
            experiment.param,
            experiment.precision,
            self.batch,
            draw(&head, &rows, stdout_is_colourful()),
            thousands(self.parameters as u64),
            thousands(self.flops_forward),
            thousands(self.flops_backward),
            bytes(self.planned_bytes as u64),
        )
    }
}
