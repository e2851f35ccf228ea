//! The optimizer: one definition applied to every parameter.

use crate::define::{Place, Role, Scope, Term, node_of_shape};
use crate::graph::{self, Graph, Id, State};
use crate::module::{Instance, Module};
use gmpc_grammar::ast::{Declaration, Statement};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// Appends the optimizer's states for every parameter of the graph; each has its parameter's layout.
pub(super) fn add_states(module: &Module, graph: &mut Graph) -> Result<(), Diagnostic> {
    let Some(optimizer) = module.training.as_ref().and_then(|t| t.optimizer.as_ref()) else { return Ok(()) };
    let parameters: Vec<State> = graph.states.iter().filter(|s| s.role == graph::Role::Parameter).cloned().collect();
    for parameter in &parameters {
        for declaration in declarations(optimizer) {
            if declaration.kind.text != "state" {
                return Err(unknown_kind(declaration));
            }
            let name = state_name(optimizer, declaration, &parameter.name);
            if graph.states.iter().any(|s| s.name == name) {
                return Err(declared_twice(declaration));
            }
            graph.states.push(State { name, role: graph::Role::Optimizer, ..parameter.clone() });
        }
    }
    Ok(())
}

/// `adam.m/hidden.theta`
pub(crate) fn state_name(optimizer: &Instance, declaration: &Declaration, parameter: &str) -> String {
    format!("{}.{}/{parameter}", optimizer.name, declaration.name.text)
}

/// What an optimizer declares.
pub(crate) fn declarations(optimizer: &Instance) -> impl Iterator<Item = &Declaration> {
    optimizer.definition.body.statements.iter().filter_map(|statement| match statement {
        Statement::Declare(declaration) => Some(declaration),
        Statement::Bind(_) | Statement::From(_) => None,
    })
}

/// Writes every parameter's new value and states. `scalars` are the inputs `lr` and `step`.
pub(super) fn update(
    graph: &mut Graph,
    optimizer: &Instance,
    parameters: &[(usize, Id)],
    gradients: &[Id],
    scalars: [Id; 2],
) -> Result<(), Diagnostic> {
    let from = graph.nodes.len();
    for (&(state, value), &gradient) in parameters.iter().zip(gradients) {
        one(graph, optimizer, state, [value, gradient], scalars)?;
    }
    graph.mark(from, optimizer.span);
    Ok(())
}

fn one(
    graph: &mut Graph,
    optimizer: &Instance,
    state: usize,
    [value, gradient]: [Id; 2],
    [lr, step]: [Id; 2],
) -> Result<(), Diagnostic> {
    let parameter = graph.states[state].name.clone();
    let shape = graph.states[state].shape.clone();
    let mut place = OptimizerPlace { optimizer, parameter: &parameter, declared: vec![] };
    let mut scope = Scope::new(graph, &mut place, optimizer);
    scope.set_node("value", value, Role::Weight);
    scope.set_node("gradient", gradient, Role::Weight);
    scope.set_node("lr", lr, Role::Scalar);
    scope.set_node("step", step, Role::Scalar);
    let result = scope.body(&optimizer.definition.body)?;
    let names = std::mem::take(&mut scope.names);
    let span = optimizer.definition.body.result.as_ref().map_or(optimizer.definition.span, |r| r.span);
    for (declaration, state) in place.declared {
        if let Some(term) = names.get(&declaration.name.text) {
            let new = node_of_shape(graph, term, &shape, declaration.name.span)?;
            graph.write(state, new);
        }
    }
    let new = node_of_shape(graph, &result, &shape, span)?;
    graph.write(state, new);
    Ok(())
}

/// The inside of an optimizer, for one parameter.
struct OptimizerPlace<'a> {
    optimizer: &'a Instance,
    parameter: &'a str,
    declared: Vec<(Declaration, usize)>,
}

impl Place for OptimizerPlace<'_> {
    fn call(&mut self, _: &mut Graph, _: &str, _: &[Term], _: Span) -> Option<Result<Term, Diagnostic>> {
        None
    }

    fn calls(&self) -> &'static [&'static str] {
        &[]
    }

    fn declare(&mut self, graph: &mut Graph, d: &Declaration, _initial: Option<Term>) -> Result<Term, Diagnostic> {
        let name = state_name(self.optimizer, d, self.parameter);
        let Some(index) = graph.states.iter().position(|s| s.name == name) else {
            return Err(unknown_kind(d));
        };
        self.declared.push((d.clone(), index));
        let shape = graph.states[index].shape.clone();
        let id = graph.push(graph::Op::State(index), vec![], shape);
        Ok(Term::Node(id, Role::Weight))
    }
}

fn unknown_kind(declaration: &Declaration) -> Diagnostic {
    Diagnostic::error("E0569", format!("an optimizer declares a `state`, not `{}`", declaration.kind.text))
        .label(declaration.kind.span, "no kind of state")
        .help(format!("write `{}: state = 0`", declaration.name.text))
}

fn declared_twice(declaration: &Declaration) -> Diagnostic {
    Diagnostic::error("E0571", format!("the state `{}` is declared twice", declaration.name.text))
        .label(declaration.name.span, "the second one")
        .help("give it another name")
}
