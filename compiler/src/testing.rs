//! What unit tests of several stages share: networks from text, and their values.

use crate::graph::{Graph, Output, Random, Tensor, evaluate, verify};
use crate::infer::infer;
use crate::module::Module;
use crate::net::Net;
use crate::program::Goal;
use crate::resolve::{Overrides, read};
use crate::{Options, step_graph};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Source;

/// From the text of a whole file; a mistake in it fails the test.
pub(crate) fn network(text: &str) -> (Module, Net) {
    let file = Source { name: "test.gmpnet".to_string(), text: text.to_string() };
    let (module, _) = read(file, &Overrides::default()).unwrap_or_else(|f| panic!("{}", told(&f.diagnostics)));
    let net = infer(&module, None).unwrap_or_else(|errors| panic!("{}", told(&errors)));
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

/// The graph of a goal, checked to be well formed.
pub(crate) fn graph(text: &str, goal: Goal, batch: usize) -> Graph {
    let (module, net) = network(text);
    match step_graph(&module, &net, goal, batch, &Options::default()) {
        Ok((graph, _)) => {
            verify(&graph).unwrap_or_else(|rule| panic!("{rule}\n{}", graph.print(None)));
            graph
        }
        Err(errors) => panic!("{}", told(&errors)),
    }
}

/// What is said about a goal of a file with a mistake.
pub(crate) fn complaint(text: &str, goal: Goal, batch: usize) -> String {
    let (module, net) = network(text);
    match step_graph(&module, &net, goal, batch, &Options::default()) {
        Ok(_) => "no complaint".to_string(),
        Err(errors) => told(&errors),
    }
}

/// A named output.
pub(crate) fn named(graph: &Graph, values: &[Tensor], wanted: &str) -> Tensor {
    let mut pairs = graph.outputs.iter().zip(values);
    let found = pairs.find(|(output, _)| matches!(output, Output::Value { name, .. } if name == wanted));
    found.map_or_else(|| panic!("no output {wanted}"), |(_, value)| value.clone())
}

/// Runs optimizer steps on one batch; the losses before each.
pub(crate) fn train(text: &str, x: &Tensor, target: &Tensor, steps: u64, lr: f64) -> Vec<f64> {
    let (module, net) = network(text);
    let graph = graph(text, Goal::Train, x.shape[0]);
    let first = crate::initialization(&module, &net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let mut states = crate::gradcheck::first_states(&first, 1);
    let mut losses = Vec::new();
    for step in 1..=steps {
        #[allow(clippy::cast_precision_loss)] // a few steps
        let scalars = [Tensor::full(&[], lr), Tensor::full(&[], step as f64)];
        let inputs = [x.clone(), target.clone(), scalars[0].clone(), scalars[1].clone()];
        let values = evaluate(&graph, &inputs, &states, Random { seed: 1, step });
        #[allow(clippy::cast_precision_loss)] // a few rows
        losses.push(named(&graph, &values, "loss.sum0").data[0] / x.shape[0] as f64);
        for (output, value) in graph.outputs.iter().zip(values) {
            if let Output::Write { state, .. } = output {
                states[*state] = value;
            }
        }
    }
    losses
}
