//! The states of a forward graph while it is built: parameters, statistics, fixed signs, and states that a definition computes.

use crate::graphs::declare::{Declared, Use};
use crate::graphs::define::Term;
use crate::ir::graph::{Graph, Id, Role, State};
use gmpc_grammar::ast::Declaration;
use std::collections::BTreeSet;

/// Whether the network is computed for training or for evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Statistics of the batch, dropout on.
    Training,
    /// Running statistics, dropout off.
    Evaluation,
}

/// The origin of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Declared by a parameterization or a modifier.
    Parameter,
    /// Fixed direction of a unit with one input.
    Sign,
    /// Running mean. It starts at 0.
    Mean,
    /// Running variance. It starts at 1.
    Variance,
    /// Declared with `, frozen`: it keeps its first value.
    Frozen,
    /// Declared with `, state`: the definition computes its next value.
    Kept,
    /// Declared by an activation.
    Activation,
}

/// The states of a graph, with facts that the graph does not hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    /// The origin of each state.
    pub(crate) origins: Vec<Origin>,
    /// The learned states: index, and the node that reads the state.
    pub(crate) parameters: Vec<(usize, Id)>,
    /// New values of running statistics: index of the state, and node. Empty in evaluation.
    pub(crate) updates: Vec<(usize, Id)>,
    /// The names of all states.
    pub(crate) names: BTreeSet<String>,
    /// Nodes that no gradient goes back through.
    pub(crate) stopped: BTreeSet<Id>,
    /// The running statistics, in the order of their states.
    pub(crate) running: Vec<Running>,
}

/// What a running statistic accumulates in training.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// Index of its state.
    pub state: usize,
    /// The node whose mean or variance it is.
    pub of: Id,
    /// The axes that are reduced.
    pub axes: Vec<usize>,
    /// The variance, not the mean: that of the batch is divided by n, the running one accumulates it divided by n - 1.
    pub is_variance: bool,
    /// Weight of the newest batch.
    pub momentum: f64,
}

impl Store {
    /// Adds a state, and the node that reads it.
    pub(crate) fn state(&mut self, graph: &mut Graph, state: State, origin: Origin) -> (usize, Id) {
        self.names.insert(state.name.clone());
        let (index, id) = graph.state(state);
        self.origins.push(origin);
        if graph.states[index].role == Role::Parameter {
            self.parameters.push((index, id));
        }
        (index, id)
    }

    /// Names a state that was declared without a name.
    pub(crate) fn name(&mut self, graph: &mut Graph, state: usize, name: String) {
        self.names.insert(name.clone());
        graph.states[state].name = name;
    }
}

/// A state whose next value the body computes.
#[derive(Debug, Clone)]
struct Kept {
    name: String,
    state: usize,
    read: Term,
}

/// The states that a definition computes itself: `u: unit ~ init, state`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Own {
    kept: Vec<Kept>,
}

impl Own {
    /// Adds a declared parameter, and returns its term.
    pub(crate) fn declare(
        &mut self,
        graph: &mut Graph,
        store: &mut Store,
        layer: &str,
        d: &Declaration,
        declared: Declared,
    ) -> Term {
        let axes = declared.meaning.axes;
        let (role, origin) = match declared.usage {
            Use::Learned => (Role::Parameter, Origin::Parameter),
            Use::Frozen => (Role::Constant, Origin::Frozen),
            // A statistic is stored with the others, and no optimizer changes it.
            Use::Kept => (Role::Statistic, Origin::Kept),
        };
        let state = State {
            name: format!("{layer}.{}", d.name.text),
            role,
            shape: declared.shape,
            file_shape: declared.file,
            transposed: declared.transposed,
            meaning: declared.meaning,
        };
        let (index, id) = store.state(graph, state, origin);
        let term = Term::Node(id, axes);
        // Until the body binds the name again, it stands for the old value; `bound` then takes the new one.
        if declared.usage == Use::Kept {
            self.kept.push(Kept { name: d.name.text.clone(), state: index, read: term.clone() });
        }
        term
    }

    /// A body binds a name again. In training the new value of a state is written after the step; in evaluation a state keeps its
    /// value, so the new one is not used.
    ///
    /// `None`: the name is no state, or training goes on with the new value.
    pub(crate) fn bound(
        &self,
        graph: &mut Graph,
        store: &mut Store,
        mode: Mode,
        name: &str,
        term: &Term,
    ) -> Option<Term> {
        let kept = self.kept.iter().find(|kept| kept.name == name)?;
        match (mode, term) {
            (Mode::Evaluation, _) => Some(kept.read.clone()),
            (Mode::Training, Term::Node(id, _)) => {
                let next = fitted(graph, *id, kept.state);
                store.updates.retain(|(state, _)| *state != kept.state);
                store.updates.extend(next.map(|next| (kept.state, next)));
                None
            }
            (Mode::Training, Term::Known(_)) => None,
        }
    }

    /// Has a state of this name another shape than this value?
    pub(crate) fn misfit(&self, graph: &Graph, name: &str, term: &Term) -> Option<Vec<usize>> {
        let kept = self.kept.iter().find(|kept| kept.name == name)?;
        let shape = &graph.states[kept.state].shape;
        match term {
            Term::Node(id, _) if graph.shape(*id) == shape => None,
            Term::Node(..) | Term::Known(_) => Some(shape.clone()),
        }
    }
}

fn fitted(graph: &Graph, id: Id, state: usize) -> Option<Id> {
    (graph.shape(id) == graph.states[state].shape).then_some(id)
}
