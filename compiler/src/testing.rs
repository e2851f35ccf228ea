//! Helpers shared by unit tests of several stages: they make networks from text and compute values.

use crate::front::resolve::Overrides;
use crate::ir::graph::{Graph, Output, Random, Tensor, evaluate};
use crate::ir::module::Module;
use crate::ir::net::Net;
use crate::ir::program::Goal;
use crate::stage::Silent;
use crate::{Options, elaborate, front, step_graph};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Source;

/// Compiles the text of a whole file to a network. A mistake in the text fails the test.
pub(crate) fn network(text: &str) -> (Module, Net) {
    let file = Source { name: "test.gmpnet".to_string(), text: text.to_string() };
    let (module, _) =
        front(file, &Overrides::default(), &Silent).unwrap_or_else(|f| panic!("{}", told(&f.diagnostics)));
    let net = elaborate(&module, None, &Silent).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    (module, net)
}

/// Errors as lines: code, sentence, help.
pub(crate) fn told(errors: &[Diagnostic]) -> String {
    let labels = |e: &Diagnostic| e.labels.iter().map(|l| format!("\n  - {}", l.text)).collect::<String>();
    let one = |e: &Diagnostic| {
        format!("{}: {}{}\n  help: {}", e.code, e.message, labels(e), e.help.as_deref().unwrap_or("none"))
    };
    errors.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// Returns the graph of a goal. The harness has verified it.
pub(crate) fn graph(text: &str, goal: Goal, batch: usize) -> Graph {
    let (module, net) = network(text);
    match step_graph(&module, &net, goal, batch, &Options::default()) {
        Ok((graph, _)) => graph,
        Err(errors) => panic!("{}", told(&errors)),
    }
}

/// Returns the errors that a goal of a file with a mistake gives.
pub(crate) fn complaint(text: &str, goal: Goal, batch: usize) -> String {
    let (module, net) = network(text);
    match step_graph(&module, &net, goal, batch, &Options::default()) {
        Ok(_) => "no complaint".to_string(),
        Err(errors) => told(&errors),
    }
}

/// Returns the value of the output with this name.
pub(crate) fn named(graph: &Graph, values: &[Tensor], wanted: &str) -> Tensor {
    let mut pairs = graph.outputs.iter().zip(values);
    let found = pairs.find(|(output, _)| matches!(output, Output::Value { name, .. } if name == wanted));
    found.map_or_else(|| panic!("no output {wanted}"), |(_, value)| value.clone())
}

/// Runs optimizer steps on one batch. Returns the loss before each step.
pub(crate) fn train(text: &str, x: &Tensor, target: &Tensor, steps: u64, lr: f64) -> Vec<f64> {
    let (module, net) = network(text);
    let graph = graph(text, Goal::Train, x.shape[0]);
    let first = crate::initialization(&module, &net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let mut states = crate::gradcheck::first_states(&first, 1);
    let mut losses = Vec::new();
    for step in 1..=steps {
        let scalars = [Tensor::full(&[], lr), Tensor::full(&[], step as f64)];
        let inputs = [x.clone(), target.clone(), scalars[0].clone(), scalars[1].clone()];
        let values = evaluate(&graph, &inputs, &states, Random { seed: 1, step });
        losses.push(named(&graph, &values, "loss.sum0").data[0] / x.shape[0] as f64);
        for (output, value) in graph.outputs.iter().zip(values) {
            if let Output::Write { state, .. } = output {
                states[*state] = value;
            }
        }
    }
    losses
}
