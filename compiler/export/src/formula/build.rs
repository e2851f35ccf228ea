//! From a graph of one row to a formula: what is known is computed, channels come before height and width, and what only repeats
//! numbers for a function is gone.

use super::recognize::{constant, recognize};
use super::{Formula, Function, Running, State, Step, Work};
use crate::refusal::Refusal;
use gmpc_compiler::graphs::alone::Alone;
use gmpc_compiler::graphs::convert::{Tensors, from_file};
use gmpc_compiler::ir::graph::groups::{convolution, elementwise, joined, pool, reduction, scan, view};
use gmpc_compiler::ir::graph::{Graph, Id, Op, Random, Role, Tensor, evaluate};
use gmpc_compiler::ir::window::Window;
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of parameters and statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum States {
    /// Numbers, and so does what is computed from them alone.
    Numbers,
    /// They stay, with what they are statistics of.
    Parameters,
}

pub(super) fn build(alone: &Alone, layer: &str, tensors: &Tensors, states: States) -> Result<Formula, Refusal> {
    let graph = &alone.graph;
    let mut building = Building {
        alone,
        layer,
        tensors,
        states,
        by_row: by_row(graph, alone.x),
        is_image: graph.shape(alone.x).len() == 4,
        known: BTreeMap::new(),
        steps: vec![],
        places: BTreeMap::new(),
    };
    building.known = building.computed()?;
    let result = building.step(alone.value)?;
    Ok(Formula { steps: building.steps, result })
}

/// Does each node depend on the row?
fn by_row(graph: &Graph, x: Id) -> Vec<bool> {
    let mut found = vec![false; graph.nodes.len()];
    for id in graph.ids() {
        found[id.index()] = id == x || graph[id].inputs.iter().any(|input| found[input.index()]);
    }
    found
}

struct Building<'a> {
    alone: &'a Alone,
    layer: &'a str,
    tensors: &'a Tensors,
    states: States,
    by_row: Vec<bool>,
    /// Graphs have the channels of images last.
    is_image: bool,
    /// Values of nodes that do not depend on the row, where they are needed.
    known: BTreeMap<Id, Tensor>,
    steps: Vec<Step>,
    /// The step of each node.
    places: BTreeMap<Id, usize>,
}

impl Building<'_> {
    /// Computes the nodes that do not depend on the row and are read by nodes that do.
    fn computed(&self) -> Result<BTreeMap<Id, Tensor>, Refusal> {
        if self.states == States::Parameters {
            return Ok(BTreeMap::new());
        }
        let graph = &self.alone.graph;
        let readers = graph.ids().filter(|id| self.by_row[id.index()]);
        let read: BTreeSet<Id> = readers
            .flat_map(|id| self.needs(id))
            .filter(|id| !self.by_row[id.index()] && constant(graph, *id).is_none())
            .collect();
        let mut values = graph.clone();
        values.outputs.clear();
        read.iter().for_each(|&id| values.output("known", id));
        let states: Result<Vec<Tensor>, Refusal> = (0..graph.states.len()).map(|index| self.state(index)).collect();
        let inputs: Vec<Tensor> = graph.inputs.iter().map(|input| Tensor::full(&input.shape, 0.0)).collect();
        let found = evaluate(&values, &inputs, &states?, Random::default());
        Ok(read.into_iter().zip(found).collect())
    }

    /// The numbers of a state, in the layout of the graph.
    fn state(&self, index: usize) -> Result<Tensor, Refusal> {
        let state = &self.alone.graph.states[index];
        let tensor = self.tensors.get(within(self.layer, &state.name));
        tensor.and_then(|tensor| from_file(state, tensor)).ok_or_else(|| Refusal::missing(&state.name))
    }

    /// The node behind what only repeats it.
    fn bare(&self, mut id: Id) -> Id {
        while self.alone.graph[id].op == Op::Broadcast {
            id = self.alone.graph[id].inputs[0];
        }
        id
    }

    /// A shape in the order of files.
    fn ordered(&self, shape: &[usize]) -> Vec<usize> {
        self.order(shape.len()).into_iter().map(|axis| shape[axis]).collect()
    }

    /// The axes of a value of the graph in the order of files. Groups of channels are two axes.
    fn order(&self, rank: usize) -> Vec<usize> {
        match (self.is_image, rank) {
            (true, 4) => vec![0, 3, 1, 2],
            (true, 5) => vec![0, 3, 4, 1, 2],
            _ => (0..rank).collect(),
        }
    }

    fn axes(&self, axes: &[usize], rank: usize) -> Vec<usize> {
        let order = self.order(rank);
        let mut places: Vec<usize> =
            axes.iter().filter_map(|axis| order.iter().position(|other| other == axis)).collect();
        places.sort_unstable();
        places
    }

    fn push(&mut self, work: Work, inputs: Vec<usize>, shape: Vec<usize>, by_row: bool) -> usize {
        self.steps.push(Step { work, inputs, shape, by_row });
        self.steps.len() - 1
    }

    /// The step of a node, and before it those of its operands.
    fn step(&mut self, id: Id) -> Result<usize, Refusal> {
        // Depth first along operands, without recursion: a definition may have thousands of lines.
        let mut open = vec![id];
        while let Some(&next) = open.last() {
            if self.places.contains_key(&next) {
                open.pop();
                continue;
            }
            let needed: Vec<Id> = self.needs(next).into_iter().filter(|id| !self.places.contains_key(id)).collect();
            if needed.is_empty() {
                let place = self.make(next)?;
                self.places.insert(next, place);
                open.pop();
            } else {
                open.extend(needed.into_iter().rev());
            }
        }
        Ok(self.places[&id])
    }

    /// The nodes that have to be steps before this one.
    fn needs(&self, id: Id) -> Vec<Id> {
        let graph = &self.alone.graph;
        if self.known.contains_key(&id) || constant(graph, id).is_some() {
            return vec![];
        }
        if let Some((_, argument)) = recognize(graph, id) {
            return vec![self.bare(argument)];
        }
        if let Some(running) = self.running(id) {
            return vec![running.0];
        }
        let inputs = &graph[id].inputs;
        if graph[id].op.is_elementwise() {
            return inputs.iter().map(|&input| self.operand(input)).collect();
        }
        match (&graph[id].op, &inputs[..]) {
            (Op::Convolve(_), [images, filters]) => vec![self.unpadded(*images), *filters],
            _ => inputs.clone(),
        }
    }

    /// An operand of a function: what only repeats it is left out, but a number is one whatever repeats it.
    fn operand(&self, id: Id) -> Id {
        if constant(&self.alone.graph, id).is_some() { id } else { self.bare(id) }
    }

    /// The image before zeros are put around it.
    fn unpadded(&self, mut id: Id) -> Id {
        while let Op::Pad { axis: 1 | 2, .. } = self.alone.graph[id].op {
            id = self.alone.graph[id].inputs[0];
        }
        id
    }

    /// What a state is a statistic of, if it is one and states stay.
    fn running(&self, id: Id) -> Option<(Id, Running)> {
        let (States::Parameters, Op::State(index)) = (self.states, &self.alone.graph[id].op) else { return None };
        let running = self.alone.running.iter().find(|running| running.state == *index)?;
        let axes = self.axes(&running.axes, self.alone.graph.shape(running.of).len());
        Some((running.of, Running { axes, is_variance: running.is_variance, momentum: running.momentum }))
    }

    fn make(&mut self, id: Id) -> Result<usize, Refusal> {
        let graph = &self.alone.graph;
        let (node, by_row) = (&graph[id], self.by_row[id.index()]);
        if let Some(number) = constant(graph, id) {
            return Ok(self.push(Work::Number(number), vec![], vec![], false));
        }
        let shape = self.ordered(&node.shape);
        if let Some(known) = self.known.get(&id) {
            let tensor = Tensor { data: permuted(known, &self.order(known.shape.len())), shape: shape.clone() };
            return Ok(self.push(Work::Known(tensor), vec![], shape, false));
        }
        let inputs: Vec<usize> = self.needs(id).into_iter().map(|id| self.places[&id]).collect();
        if let Some((function, _)) = recognize(graph, id) {
            return Ok(self.push(Work::Function(function), inputs, shape, by_row));
        }
        let work = if let Op::State(index) = &node.op {
            Some(Work::State(self.parameter(*index, id)?))
        } else {
            self.work(&node.op, id)
        };
        let work = work.ok_or_else(|| self.no_words(&node.op))?;
        Ok(self.push(work, inputs, shape, by_row))
    }

    /// What a node computes, in words that every form has; `None` where there are none.
    fn work(&self, op: &Op, id: Id) -> Option<Work> {
        let node = &self.alone.graph[id];
        let rank = node.inputs.first().map_or(0, |&input| self.alone.graph.shape(input).len());
        Some(match op {
            Op::Input(_) if id == self.alone.x => Work::X,
            Op::Reshape if self.alone.stopped.contains(&id) => Work::Stop,
            Op::Reshape if self.keeps_order(id) => Work::Reshape,
            Op::Broadcast => Work::Expand,
            Op::Sum(axes) => Work::Sum(self.axes(axes, rank)),
            Op::MaxOver(axes) => Work::Largest(self.axes(axes, rank)),
            Op::MatMul { transpose_a, transpose_b } => {
                Work::Product { transpose_a: *transpose_a, transpose_b: *transpose_b }
            }
            Op::Convolve(window) if node.inputs.len() == 2 => Work::Convolve(self.padded(*window, node.inputs[0])),
            Op::Spherical => Work::Spherical,
            elementwise!() => Work::Function(function(op)?),
            Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => return None,
            view!() | joined!() | convolution!() | pool!() | scan!() => return None,
        })
    }

    fn parameter(&self, index: usize, id: Id) -> Result<State, Refusal> {
        let state = &self.alone.graph.states[index];
        self.state(index)?; // is it there, with the right size?
        let (name, running) = (within(self.layer, &state.name), self.running(id).map(|(_, running)| running));
        Ok(State {
            name: name.to_string(),
            graph_shape: state.shape.clone(),
            transposed: state.transposed,
            is_learned: state.role == Role::Parameter,
            is_kept: state.role == Role::Statistic && running.is_none(),
            running,
            tensor: self.tensors[name].clone(),
        })
    }

    /// The window with the zeros that were put around the image before it.
    fn padded(&self, mut window: Window, mut id: Id) -> Window {
        while let Op::Pad { axis: axis @ (1 | 2), before } = self.alone.graph[id].op {
            window.before[axis - 1] += before;
            id = self.alone.graph[id].inputs[0];
        }
        window
    }

    /// Has a reshape the same meaning in the order of files?
    fn keeps_order(&self, id: Id) -> bool {
        let graph = &self.alone.graph;
        let (from, to) = (graph.shape(graph[id].inputs[0]), graph.shape(id));
        let numbers = |shape: &[usize]| {
            let data = (0..shape.iter().product::<usize>()).map(|i| i as f64).collect();
            permuted(&Tensor { shape: shape.to_vec(), data }, &self.order(shape.len()))
        };
        numbers(from) == numbers(to)
    }

    fn no_words(&self, op: &Op) -> Refusal {
        Refusal {
            code: "E0597",
            message: format!("no form has words for `{}` in the definition of `{}`", op.name(), self.layer),
            help: "predict with `gmpc predict`".into(),
        }
    }
}

/// The name of a state within its layer.
pub(crate) fn within<'a>(layer: &str, name: &'a str) -> &'a str {
    name.strip_prefix(layer).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name)
}

fn function(op: &Op) -> Option<Function> {
    Some(match op {
        Op::Neg => Function::Neg,
        Op::Abs => Function::Abs,
        Op::Exp => Function::Exp,
        Op::Log => Function::Log,
        Op::Log1p => Function::Log1p,
        Op::Sqrt => Function::Sqrt,
        Op::Sin => Function::Sin,
        Op::Cos => Function::Cos,
        Op::Tanh => Function::Tanh,
        Op::Erf => Function::Erf,
        Op::Add => Function::Add,
        Op::Sub => Function::Sub,
        Op::Mul => Function::Mul,
        Op::Div => Function::Div,
        Op::Max => Function::Max,
        Op::Min => Function::Min,
        Op::Pow => Function::Pow,
        Op::Less => Function::Less,
        Op::LessEqual => Function::LessEqual,
        Op::Equal => Function::Equal,
        Op::Select => Function::Select,
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => return None,
        view!() | joined!() | reduction!() | convolution!() | pool!() | scan!() | Op::MatMul { .. } => return None,
    })
}

/// The numbers of a tensor with its axes in another order.
fn permuted(tensor: &Tensor, order: &[usize]) -> Vec<f64> {
    if order.iter().enumerate().all(|(place, axis)| place == *axis) {
        return tensor.data.clone();
    }
    let mut strides = vec![1; tensor.shape.len()];
    for axis in (1..tensor.shape.len()).rev() {
        strides[axis - 1] = strides[axis] * tensor.shape[axis];
    }
    let sizes: Vec<(usize, usize)> = order.iter().map(|&axis| (tensor.shape[axis], strides[axis])).collect();
    let place = |mut index: usize| {
        let mut at = 0;
        for (size, stride) in sizes.iter().rev() {
            at += index % size * stride;
            index /= size;
        }
        at
    };
    (0..tensor.data.len()).map(|index| tensor.data[place(index)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_change_places() {
        let tensor = Tensor { shape: vec![1, 2, 1, 3], data: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0] };
        assert_eq!(permuted(&tensor, &[0, 3, 1, 2]), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(permuted(&tensor, &[0, 1, 2, 3]), tensor.data);
    }
}
