//! The list of a network's states: parameters and statistics layer by layer, then the states of the optimizer.

use crate::graphs::parameterize::{Mode, parameterize};
use crate::ir::graph::{self, Graph, State};
use crate::ir::module::{Instance, Module};
use crate::ir::net::Net;
use gmpc_grammar::ast::{Declaration, Statement};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeSet;

/// Returns the states of a network: parameters and statistics layer by layer, then the optimizer's states, parameter by
/// parameter. All programs of a network share this list.
///
/// # Errors
/// Mistakes in the definitions that the network uses.
pub fn states(module: &Module, net: &Net) -> Result<Vec<State>, Vec<Diagnostic>> {
    let mut graph = parameterize(net, Mode::Evaluation, 2)?.graph;
    add_states(module, &mut graph).map_err(|e| vec![e])?;
    Ok(graph.states)
}

/// Appends the optimizer's states for every parameter of the graph. Each has the layout of its parameter.
pub(crate) fn add_states(module: &Module, graph: &mut Graph) -> Result<(), Diagnostic> {
    let Some(optimizer) = module.training.as_ref().and_then(|t| t.optimizer.as_ref()) else { return Ok(()) };
    let parameters: Vec<State> = graph.states.iter().filter(|s| s.role == graph::Role::Parameter).cloned().collect();
    let mut names: BTreeSet<String> = graph.states.iter().map(|s| s.name.clone()).collect();
    for parameter in &parameters {
        for declaration in declarations(optimizer) {
            if declaration.kind.text != "state" {
                return Err(unknown_kind(declaration));
            }
            let name = state_name(optimizer, declaration, &parameter.name);
            if !names.insert(name.clone()) {
                return Err(declared_twice(declaration));
            }
            graph.states.push(State { name, role: graph::Role::Optimizer, ..parameter.clone() });
        }
    }
    // These names have no dot before the slash, so that no optimizer has a state of the same name.
    let kept = module.experiment.train.as_ref().map_or((false, false), |t| (t.accumulate > 1, t.average.is_some()));
    let mut keep = |name: fn(&str) -> String, wanted: bool| {
        for parameter in parameters.iter().filter(|_| wanted) {
            let name = name(&parameter.name);
            graph.states.push(State { name, role: graph::Role::Optimizer, ..parameter.clone() });
        }
    };
    keep(gathered_of, kept.0);
    keep(average_of, kept.1);
    Ok(())
}

/// Returns the name of the gradient that is gathered over several batches: `accumulated/hidden.theta`.
pub(crate) fn gathered_of(parameter: &str) -> String {
    format!("accumulated/{parameter}")
}

/// Returns the name of a parameter's average: `average/hidden.theta`.
#[must_use]
pub fn average_of(parameter: &str) -> String {
    format!("{AVERAGE}{parameter}")
}

/// What the names of averages begin with.
pub const AVERAGE: &str = "average/";

/// Returns the name of a state of the optimizer: `adam.m/hidden.theta`.
pub(crate) fn state_name(optimizer: &Instance, declaration: &Declaration, parameter: &str) -> String {
    format!("{}.{}/{parameter}", optimizer.name, declaration.name.text)
}

/// Returns the declarations of an optimizer.
pub(crate) fn declarations(optimizer: &Instance) -> impl Iterator<Item = &Declaration> {
    optimizer.definition.body.statements.iter().filter_map(|statement| match statement {
        Statement::Declare(declaration) => Some(declaration),
        Statement::Bind(_) | Statement::From(_) => None,
    })
}

pub(crate) fn unknown_kind(declaration: &Declaration) -> Diagnostic {
    Diagnostic::error("E0569", format!("an optimizer declares a `state`, not `{}`", declaration.kind.text))
        .label(declaration.kind.span, "no kind of state")
        .help(format!("write `{}: state = 0`", declaration.name.text))
}

fn declared_twice(declaration: &Declaration) -> Diagnostic {
    Diagnostic::error("E0571", format!("the state `{}` is declared twice", declaration.name.text))
        .label(declaration.name.span, "the second one")
        .help("give it another name")
}
