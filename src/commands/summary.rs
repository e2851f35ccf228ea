//! `gmpc summary FILE`: layers, shapes, parameters, operations and planned memory.

use crate::args::SummaryArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Field, bytes, draw, thousands};
use crate::project::{batch, network, step_goal};
use gmpc_compiler::ir::graph::{Role, State};
use gmpc_compiler::ir::net::{Connection, Fill, Layer, LayerKind, Way};
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::ir::window::Window;
use gmpc_compiler::lower::cost::flops;
use gmpc_cuda::{Counts, one_by_one};
use gmpc_device::Device;
use gmpc_device_cpu::Cpu;
use gmpc_runtime::program::network::Network;
use gmpc_runtime::program::session::Programs;
use serde_json::{Value, json};

/// The facts about a network. Operations and memory are those of a full batch.
struct Summary {
    layers: Vec<LayerRow>,
    parameters: usize,
    batch: usize,
    flops_forward: u64,
    /// Operations of gradients and update; 0 if the file does not train.
    flops_backward: u64,
    /// Bytes of the parameters alone.
    parameter_bytes: usize,
    /// Bytes of parameters, statistics and optimizer states.
    state_bytes: usize,
    /// Bytes of activations and other values during a step.
    activation_bytes: usize,
    /// Bytes of workspace for convolutions on this machine.
    workspace_bytes: usize,
    /// Launches and memory traffic of a step on a CUDA device, counted and not measured.
    cuda: Counts,
    /// The same with one launch for each operation.
    unfused: Counts,
}

/// One layer.
struct LayerRow {
    name: String,
    kind: String,
    param: Option<String>,
    shape: Vec<usize>,
    parameters: usize,
    /// Operations of the forward pass for the full batch: two for each multiply-add, one for each input element of
    /// anything else.
    flops: u64,
}

/// Prints the summary.
///
/// # Errors
/// The file has errors.
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
    let bytes = network.precision().bytes();
    Ok(Summary {
        layers: network.net.layers.iter().map(|layer| layer_row(network, layer, batch)).collect(),
        parameters: network.parameters(),
        batch,
        flops_forward: forward,
        flops_backward: if trains { flops(&step.graph).saturating_sub(forward) } else { 0 },
        parameter_bytes: network.parameters() * bytes,
        state_bytes: network.layout().elements * bytes,
        activation_bytes: step.code.scratch_bytes,
        workspace_bytes: Cpu::default().working_bytes(&step),
        cuda: gmpc_cuda::lower_cuda(&step, None).counts(),
        unfused: one_by_one(&step.graph, step.precision),
    })
}

fn layer_row(network: &Network, layer: &Layer, batch: usize) -> LayerRow {
    let own = |state: &&State| {
        // `hidden.w`, and `hidden.prelu.slope` of the activation.
        let rest = state.name.strip_prefix(&layer.name).and_then(|rest| rest.strip_prefix('.'));
        let of_activation = match &layer.kind {
            LayerKind::Unit(unit) => format!("{}.", unit.activation.name()),
            _ => ".".to_string(),
        };
        state.role == Role::Parameter
            && rest.is_some_and(|rest| !rest.contains('.') || rest.starts_with(&of_activation))
    };
    let input = layer.inputs.first().map_or(&[][..], |&i| &network.net.layers[i].shape);
    let (seen, results) = (elements(input), elements(&layer.shape));
    let (kind, param, flops) = match &layer.kind {
        LayerKind::Unit(unit) => {
            // The compiler refuses units with more inputs than can be counted, so this cannot fail.
            let fan_in = unit.connection.fan_in(input).expect("a network that was compiled");
            let (activation, connection) = (unit.activation.to_string(), connection_name(&unit.connection));
            let kind = if activation == "identity" { connection } else { format!("{connection}, {activation}") };
            // The taps of a transposed convolution are spread from each of its inputs: channels x units x taps for each of them.
            let products = match &unit.connection {
                Connection::Convolution(of) if of.way == Way::Spread => {
                    fan_in.saturating_mul(of.units).saturating_mul(input.iter().skip(1).product())
                }
                _ => fan_in.saturating_mul(results),
            };
            (kind, Some(unit.param.to_string()), products.saturating_mul(2))
        }
        LayerKind::MaxPool(window) => (window_name("max_pool", window), None, results.saturating_mul(window.area())),
        LayerKind::AvgPool(window) => (window_name("avg_pool", window), None, results.saturating_mul(window.area())),
        LayerKind::GlobalAvgPool | LayerKind::GlobalMaxPool | LayerKind::Maxout { .. } => {
            (layer.kind.to_string(), None, seen)
        }
        LayerKind::Input | LayerKind::Flatten | LayerKind::Concat => (layer.kind.to_string(), None, 0),
        LayerKind::Dropout { probability } => (format!("dropout {probability}"), None, 0),
        LayerKind::Stage(stage) => (stage.definition.name.clone(), None, results),
        other => (other.to_string(), None, results),
    };
    LayerRow {
        name: layer.name.clone(),
        kind,
        param,
        shape: layer.shape.clone(),
        parameters: network.layout().states.iter().filter(own).map(|state| elements(&state.shape)).sum(),
        flops: flops.saturating_mul(batch) as u64,
    }
}

/// `dense`, `conv 3x3`, `conv 7x7 stride 2`
fn connection_name(connection: &Connection) -> String {
    match connection {
        Connection::Dense { .. } => "dense".to_string(),
        Connection::Convolution(of) => {
            let name = if of.way == Way::Spread { "conv_transpose" } else { "conv" };
            let mut name = window_name(name, &of.window);
            if of.dilation != [1, 1] {
                name.push_str(&format!(" dilation {}x{}", of.dilation[0], of.dilation[1]));
            }
            if of.groups != 1 {
                name.push_str(&format!(" groups {}", of.groups));
            }
            if of.fill == Fill::Reflect {
                name.push_str(" reflect");
            }
            name
        }
    }
}

/// `conv 3x3`, `max_pool 3x3 stride 2`. The default stride is left out.
fn window_name(name: &str, window: &Window) -> String {
    let [[kh, kw], [sh, sw]] = [window.kernel, window.stride];
    let usual = if name.starts_with("conv") { [1, 1] } else { window.kernel };
    match window.stride == usual {
        true => format!("{name} {kh}x{kw}"),
        false if sh == sw => format!("{name} {kh}x{kw} stride {sh}"),
        false => format!("{name} {kh}x{kw} stride {sh}x{sw}"),
    }
}

fn elements(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Launches and bytes that the compiler counted. Nothing was measured.
fn counted(counts: &Counts) -> Value {
    json!({
        "launches": counts.launches(), "kernels": counts.kernels, "libraries": counts.libraries,
        "read_bytes": counts.read_bytes, "written_bytes": counts.written_bytes,
    })
}

impl Summary {
    /// Bytes of memory of a step.
    fn planned_bytes(&self) -> usize {
        self.state_bytes.saturating_add(self.activation_bytes).saturating_add(self.workspace_bytes)
    }

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
            "parameter_bytes": self.parameter_bytes,
            "state_bytes": self.state_bytes,
            "activation_bytes": self.activation_bytes,
            "workspace_bytes": self.workspace_bytes,
            "planned_bytes": self.planned_bytes(),
            "cuda_counted": counted(&self.cuda),
            "one_by_one_counted": counted(&self.unfused),
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
        let totals = [
            ("parameters", thousands(self.parameters as u64)),
            ("flops forward", thousands(self.flops_forward)),
            ("flops backward", thousands(self.flops_backward)),
            ("parameter memory", bytes(self.parameter_bytes as u64)),
            ("planned memory", bytes(self.planned_bytes() as u64)),
            ("- states", bytes(self.state_bytes as u64)),
            ("- activations", bytes(self.activation_bytes as u64)),
            ("- workspace", bytes(self.workspace_bytes as u64)),
            ("CUDA launches*", thousands(self.cuda.launches() as u64)),
            ("- unfused", thousands(self.unfused.launches() as u64)),
            ("CUDA traffic*", bytes(self.cuda.bytes())),
            ("- unfused", bytes(self.unfused.bytes())),
        ];
        let width = totals.iter().map(|(_, number)| number.len()).max().unwrap_or(0);
        let totals: Vec<String> = totals.iter().map(|(word, number)| format!("{word:<18}{number:>width$}")).collect();
        format!(
            "model {}, param {}, {}, batch {}\n\n{}\n\n{}\n\n* of a step, counted by the compiler, not measured; unfused: a launch for each operation",
            experiment.model,
            experiment.param,
            experiment.precision_word(),
            self.batch,
            draw(&head, &rows),
            totals.join("\n"),
        )
    }
}
