//! The optimizer: applies its definition to every parameter, with the arguments of the groups that the parameter belongs to.

mod groups;

use crate::front::functions::Dialect;
use crate::front::interpret::Statements;
use crate::graphs::define::over::{Over, Reduce, Reduction};
use crate::graphs::define::{Builtins, Scope, Term, cannot_reduce, node_of_shape};
use crate::graphs::parameters::Facts;
use crate::graphs::states::{state_name, unknown_kind};
use crate::ir::axes::Axes;
use crate::ir::graph::{self, Graph, Id, Op};
use crate::ir::module::{Instance, Training};
use gmpc_grammar::ast::Declaration;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

/// The values that a step of the optimizer begins with.
pub(super) struct Given<'a> {
    /// The parameters that change: index of the state, and the node that reads it.
    pub(super) parameters: &'a [(usize, Id)],
    /// Their gradients, in the same order.
    pub(super) gradients: &'a [Id],
    /// The inputs `lr` and `step`.
    pub(super) scalars: [Id; 2],
}

/// Returns the new values of every parameter and of the optimizer's states: index of the state, and node.
///
/// # Errors
/// Mistakes in the definition; groups that mean no parameter.
pub(super) fn update(
    graph: &mut Graph,
    training: &Training,
    optimizer: &Instance,
    facts: &BTreeMap<String, Facts>,
    given: &Given<'_>,
) -> Result<Vec<(usize, Id)>, Vec<Diagnostic>> {
    groups::check(training, facts)?;
    let from = graph.nodes.len();
    let by_name: BTreeMap<String, usize> = (0..).zip(&graph.states).map(|(index, s)| (s.name.clone(), index)).collect();
    let all: Vec<Parameter<'_>> = given
        .parameters
        .iter()
        .zip(given.gradients)
        .map(|(&(state, value), &gradient)| Parameter {
            state,
            value,
            gradient,
            known: facts.get(&graph.states[state].name),
        })
        .collect();
    // Totals over a layer or over all parameters are computed once and shared.
    let mut reduced = BTreeMap::new();
    let mut written = Vec::new();
    for parameter in &all {
        let own = groups::own(optimizer, training, parameter.known);
        let lr = groups::rate(graph, optimizer, &own, given.scalars[0]);
        let of =
            Of { optimizer: &own, by_name: &by_name, parameter: *parameter, all: &all, lr, step: given.scalars[1] };
        written.extend(of.update(graph, &mut reduced).map_err(|error| vec![error])?);
    }
    graph.mark(from, optimizer.span);
    Ok(written)
}

/// A parameter of the network.
#[derive(Debug, Clone, Copy)]
struct Parameter<'a> {
    /// Its index among the states.
    state: usize,
    value: Id,
    gradient: Id,
    known: Option<&'a Facts>,
}

impl<'a> Parameter<'a> {
    /// The name of its layer.
    fn label(&self) -> &'a str {
        self.known.map_or("", |facts| facts.label.as_str())
    }
}

/// What has been reduced over several parameters: by `value` or `gradient`, reduction, and layer (empty for all).
type Reduced = BTreeMap<(usize, &'static str, String), Id>;

/// One parameter and what its update needs.
struct Of<'a> {
    /// The optimizer with the arguments of this parameter's groups.
    optimizer: &'a Instance,
    by_name: &'a BTreeMap<String, usize>,
    parameter: Parameter<'a>,
    all: &'a [Parameter<'a>],
    lr: Id,
    step: Id,
}

impl Of<'_> {
    fn update(&self, graph: &mut Graph, reduced: &mut Reduced) -> Result<Vec<(usize, Id)>, Diagnostic> {
        let (optimizer, Parameter { state, value, gradient, known }) = (self.optimizer, self.parameter);
        let name = graph.states[state].name.clone();
        let shape = graph.states[state].shape.clone();
        let axes = graph.states[state].meaning.axes;
        let mut builtins = OptimizerBuiltins {
            optimizer,
            by_name: self.by_name,
            name: &name,
            own: self.parameter,
            all: self.all,
            reduced,
            declared: vec![],
        };
        let mut scope = Scope::new(graph, &mut builtins, optimizer);
        if let Some(facts) = known {
            facts.tell(&mut scope, optimizer);
        }
        scope.set_node("value", value, axes);
        scope.set_node("gradient", gradient, axes);
        scope.set_node("lr", self.lr, Axes::SCALAR);
        scope.set_node("step", self.step, Axes::SCALAR);
        let result = scope.body(&optimizer.definition.body)?;
        // A state's name first stands for its old value. The body binds it again to the new value, which is written here.
        let names = std::mem::take(&mut scope.names);
        let span = optimizer.definition.body.result.as_ref().map_or(optimizer.definition.span, |r| r.span);
        let mut written = Vec::new();
        for (declaration, state) in builtins.declared {
            if let Some(term) = names.get(&declaration.name.text) {
                written.push((state, node_of_shape(graph, term, &shape, declaration.name.span)?));
            }
        }
        written.push((state, node_of_shape(graph, &result, &shape, span)?));
        Ok(written)
    }
}

/// The functions of an optimizer, for one parameter.
struct OptimizerBuiltins<'a> {
    optimizer: &'a Instance,
    /// Indices of all states of the graph, by name.
    by_name: &'a BTreeMap<String, usize>,
    /// The name of the parameter.
    name: &'a str,
    own: Parameter<'a>,
    /// All parameters of the network that change.
    all: &'a [Parameter<'a>],
    reduced: &'a mut Reduced,
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
        let name = state_name(self.optimizer, d, self.name);
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
        &mut self,
        graph: &mut Graph,
        call: &Reduce<'_>,
        (word, span): (Over, Span),
    ) -> Result<Term, Diagnostic> {
        // Compared by node: a formula of the gradient, such as `2 * gradient`, exists for this parameter alone.
        let Some(which) = [self.own.value, self.own.gradient].iter().position(|given| *given == call.id) else {
            return Err(only_given(call, span));
        };
        let own = self.own.label();
        let key = (which, call.what.word(), if word == Over::All { String::new() } else { own.to_string() });
        if let Some(&known) = self.reduced.get(&key) {
            return Ok(Term::Node(known, Axes::SCALAR));
        }
        let is_meant = |p: &&Parameter<'_>| word == Over::All || p.label() == own;
        let ids: Vec<Id> = self.all.iter().filter(is_meant).map(|p| [p.value, p.gradient][which]).collect();
        let count: usize = ids.iter().map(|id| graph.shape(*id).iter().product::<usize>()).sum();
        let value = match call.what {
            Reduction::Sum => total(graph, &ids, |_, id| id),
            Reduction::Mean => {
                let sum = total(graph, &ids, |_, id| id);
                graph.scale(sum, 1.0 / count.max(1) as f64)
            }
            Reduction::Norm => {
                let squares = squares(graph, &ids);
                graph.unary(Op::Sqrt, squares)
            }
            Reduction::Var | Reduction::Max | Reduction::Min => return Err(only_sums(call, span)),
        };
        self.reduced.insert(key, value);
        Ok(Term::Node(value, Axes::SCALAR))
    }
}

/// The sum of the squares of all numbers, `[]`.
pub(super) fn squares(graph: &mut Graph, parts: &[Id]) -> Id {
    total(graph, parts, |graph, id| graph.mul(id, id))
}

/// The sum of what `part` makes of each of some nodes, over all of their numbers, `[]`.
fn total(graph: &mut Graph, ids: &[Id], part: fn(&mut Graph, Id) -> Id) -> Id {
    let mut sum: Option<Id> = None;
    for id in ids {
        let part = part(graph, *id);
        let axes: Vec<usize> = (0..graph.shape(part).len()).collect();
        let one = graph.sum(part, &axes);
        let one = graph.reshape(one, &[]);
        sum = Some(sum.map_or(one, |sum| graph.add(sum, one)));
    }
    sum.unwrap_or_else(|| graph.constant(0.0))
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

#[cfg(test)]
mod tests;
