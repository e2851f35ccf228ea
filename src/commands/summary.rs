//! `gmpc summary FILE`: layers, shapes, parameters, arithmetic and planned memory.

use crate::args::SummaryArgs;
use crate::failure::Failure;
use crate::output::table::{Field, bytes, draw, thousands};
use crate::output::{Output, stdout_is_colourful};
use crate::project::{batch, network, step_goal};
use gmpc_compiler::cost::flops;
use gmpc_compiler::graph::{Role, State};
use gmpc_compiler::net::{Layer, LayerKind, Product};
use gmpc_compiler::program::Goal;
use gmpc_runtime::network::Network;
use gmpc_runtime::session::Programs;
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
    let network = network(&args.file, &args.data, output)?;
    let summary = summarize(&network, batch(args.batch, &network))?;
    output.line(&summary.to_json());
    output.say(summary.to_text(&network));
    Ok(())
}

fn summarize(network: &Network, batch: usize) -> Result<Summary, Failure> {
    let forward = flops(&network.program(Goal::Predict, batch)?.graph);
    let step = network.program(step_goal(network), batch)?;
    let trains = step.goal == Goal::Train;
    let states = network.layout().elements * network.precision().bytes();
    Ok(Summary {
        layers: network.net.layers.iter().map(|layer| layer_row(network, layer, batch)).collect(),
        parameters: network.parameters(),
        batch,
        flops_forward: forward,
        flops_backward: if trains { flops(&step.graph).saturating_sub(forward) } else { 0 },
        planned_bytes: states + step.code.scratch_bytes,
    })
}

fn layer_row(network: &Network, layer: &Layer, batch: usize) -> LayerRow {
    let own = |state: &&State| {
        state.role == Role::Parameter && state.name.rsplit_once('.').is_some_and(|(l, _)| l == layer.name)
    };
    let (kind, param, flops) = match &layer.kind {
        LayerKind::Unit(unit) => {
            let input = layer.inputs.first().map_or(&[][..], |&i| &network.net.layers[i].shape);
            let fan_in = unit.product.fan_in(input).unwrap_or(usize::MAX);
            let results: usize = layer.shape.iter().product();
            let (activation, product) = (unit.activation.to_string(), product_name(&unit.product));
            let kind = if activation == "identity" { product } else { format!("{product}, {activation}") };
            (kind, Some(unit.param.to_string()), 2 * (fan_in.saturating_mul(results).saturating_mul(batch)) as u64)
        }
        other => (other.to_string(), None, 0),
    };
    LayerRow {
        name: layer.name.clone(),
        kind,
        param,
        shape: layer.shape.clone(),
        parameters: network.layout().states.iter().filter(own).map(elements).sum(),
        flops,
    }
}

/// `dense`, `conv 3x3`, `conv 7x7 stride 2x2`
fn product_name(product: &Product) -> String {
    match product {
        Product::Dense { .. } => "dense".to_string(),
        Product::Convolution { window, .. } => {
            let [[kh, kw], [sh, sw]] = [window.kernel, window.stride];
            let stride = if window.stride == [1, 1] { String::new() } else { format!(" stride {sh}x{sw}") };
            format!("conv {kh}x{kw}{stride}")
        }
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

    fn to_text(&self, network: &Network) -> String {
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
        let experiment = &network.module.experiment;
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
