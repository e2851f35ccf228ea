//! The optimizer: applies its definition to every parameter.

use crate::front::functions::Dialect;
use crate::front::interpret::Statements;
use crate::graphs::define::over::{Over, Reduce, Reduction};
use crate::graphs::define::{Builtins, Scope, Term, cannot_reduce, node_of_shape};
use crate::graphs::states::{state_name, unknown_kind};
use crate::ir::axes::Axes;
use crate::ir::graph::{self, Graph, Id, Op};
use crate::ir::module::Instance;
use gmpc_grammar::ast::Declaration;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

/// Writes the new value of every parameter, and its states. `scalars` are the inputs `lr` and `step`.
pub(super) fn update(
    graph: &mut Graph,
    optimizer: &Instance,
    parameters: &[(usize, Id)],
    gradients: &[Id],
    scalars: [Id; 2],
) -> Result<(), Diagnostic> {
    let from = graph.nodes.len();
    let by_name: BTreeMap<String, usize> = (0..).zip(&graph.states).map(|(index, s)| (s.name.clone(), index)).collect();
    let all: Vec<Parameter> = parameters
        .iter()
        .zip(gradients)
        .map(|(&(state, value), &gradient)| Parameter { state, value, gradient })
        .collect();
    for parameter in &all {
        one(graph, optimizer, &by_name, (*parameter, &all), scalars)?;
    }
    graph.mark(from, optimizer.span);
    Ok(())
}

/// A parameter of the network.
#[derive(Debug, Clone, Copy)]
struct Parameter {
    /// Its index among the states.
    state: usize,
    value: Id,
    gradient: Id,
}

/// Applies the optimizer to one parameter of all.
fn one(
    graph: &mut Graph,
    optimizer: &Instance,
    by_name: &BTreeMap<String, usize>,
    (Parameter { state, value, gradient }, all): (Parameter, &[Parameter]),
    [lr, step]: [Id; 2],
) -> Result<(), Diagnostic> {
    let parameter = graph.states[state].name.clone();
    let shape = graph.states[state].shape.clone();
    let axes = graph.states[state].meaning.axes;
    let mut builtins = OptimizerBuiltins {
        optimizer,
        by_name,
        parameter: &parameter,
        given: [value, gradient],
        all,
        declared: vec![],
    };
    let mut scope = Scope::new(graph, &mut builtins, optimizer);
    scope.set_node("value", value, axes);
    scope.set_node("gradient", gradient, axes);
    scope.set_node("lr", lr, Axes::SCALAR);
    scope.set_node("step", step, Axes::SCALAR);
    let result = scope.body(&optimizer.definition.body)?;
    // A state's name first stands for its old value. The body binds it again to the new value, which is written here.
    let names = std::mem::take(&mut scope.names);
    let span = optimizer.definition.body.result.as_ref().map_or(optimizer.definition.span, |r| r.span);
    for (declaration, state) in builtins.declared {
        if let Some(term) = names.get(&declaration.name.text) {
            let new = node_of_shape(graph, term, &shape, declaration.name.span)?;
            graph.write(state, new);
        }
    }
    let new = node_of_shape(graph, &result, &shape, span)?;
    graph.write(state, new);
    Ok(())
}

/// The functions of an optimizer, for one parameter.
struct OptimizerBuiltins<'a> {
    optimizer: &'a Instance,
    /// Indices of all states of the graph, by name.
    by_name: &'a BTreeMap<String, usize>,
    parameter: &'a str,
    /// Its `value` and `gradient`.
    given: [Id; 2],
    /// All parameters of the network.
    all: &'a [Parameter],
    declared: Vec<(Declaration, usize)>,
}

impl Builtins for OptimizerBuiltins<'_> {
    fn call(&mut self, _: &mut Graph, _: &str, _: &[Term], _: Span) -> Option<Result<Term, Diagnostic>> {
        None
    }

    /// A reduction says over what: a parameter of another kind has other axes, and `layer` and `all` are no axes of one
    /// parameter.
    fn reduce(&mut self, graph: &mut Graph, call: &Reduce<'_>) -> Option<Result<Term, Diagnostic>> {
        let Some(over) = call.over else {
            return Some(Err(cannot_reduce(call.what, call.axes, call.argument, call.span)));
        };
        let many = over.iter().find(|(word, _)| matches!(word, Over::Layer | Over::All));
        many.map(|&(word, span)| self.over_parameters(graph, call, (word, span)))
    }

    fn dialects(&self) -> &'static [Dialect] {
        &[Dialect::Definitions]
    }

    fn declare(&mut self, graph: &mut Graph, d: &Declaration, _initial: Option<Term>) -> Result<Term, Diagnostic> {
        let name = state_name(self.optimizer, d, self.parameter);
        let Some(&index) = self.by_name.get(&name) else {
            return Err(unknown_kind(d));
        };
        self.declared.push((d.clone(), index));
        let shape = graph.states[index].shape.clone();
        let id = graph.push(graph::Op::State(index), vec![], shape);
        Ok(Term::Node(id, graph.states[index].meaning.axes))
    }
}

impl OptimizerBuiltins<'_> {
    /// `norm(gradient, over = all)`: over the numbers of all parameters of the layer, or of the network.
    fn over_parameters(
        &self,
        graph: &mut Graph,
        call: &Reduce<'_>,
        (word, span): (Over, Span),
    ) -> Result<Term, Diagnostic> {
        // Compared by node: a formula of the gradient, such as `2 * gradient`, exists for this parameter alone.
        let Some(which) = self.given.iter().position(|given| *given == call.id) else {
            return Err(only_given(call, span));
        };
        // `basic1.conv2.w` belongs to the layer `basic1.conv2`.
        let layer = |name: &str| name.rsplit_once('.').map_or(String::new(), |(layer, _)| layer.to_string());
        let own = layer(self.parameter);
        let is_meant = |p: &&Parameter| word == Over::All || layer(&graph.states[p.state].name) == own;
        let ids: Vec<Id> = self.all.iter().filter(is_meant).map(|p| [p.value, p.gradient][which]).collect();
        let count: usize = ids.iter().map(|id| graph.shape(*id).iter().product::<usize>()).sum();
        // In the order of the parameters, so that all of them see the same total.
        let total = |graph: &mut Graph, part: fn(&mut Graph, Id) -> Id| {
            let mut sum = graph.constant(0.0);
            for id in &ids {
                let part = part(graph, *id);
                let axes: Vec<usize> = (0..graph.shape(part).len()).collect();
                let one = graph.sum(part, &axes);
                let one = graph.reshape(one, &[]);
                sum = graph.add(sum, one);
            }
            sum
        };
        let value = match call.what {
            Reduction::Sum => total(graph, |_, id| id),
            Reduction::Mean => {
                let sum = total(graph, |_, id| id);
                graph.scale(sum, 1.0 / count.max(1) as f64)
            }
            Reduction::Norm => {
                let squares = total(graph, |graph, id| graph.mul(id, id));
                graph.unary(Op::Sqrt, squares)
            }
            Reduction::Var | Reduction::Max | Reduction::Min => return Err(only_sums(call, span)),
        };
        Ok(Term::Node(value, Axes::SCALAR))
    }
}

fn only_given(call: &Reduce<'_>, span: Span) -> Diagnostic {
    let word = call.what.word();
    Diagnostic::error("E0519", format!("`{word}` over several parameters takes `gradient` or `value`"))
        .label(call.argument, "computed for this parameter alone")
        .label(span, "reaches other parameters")
        .help(format!("write `{word}(gradient, over = …)`, or reduce over `parameter`"))
}

fn only_sums(call: &Reduce<'_>, span: Span) -> Diagnostic {
    Diagnostic::error("E0519", format!("`{}` is not computed over several parameters", call.what.word()))
        .label(call.span, "in this call")
        .label(span, "reaches other parameters")
        .help("use `sum`, `mean` or `norm`, or reduce over `parameter`")
}
