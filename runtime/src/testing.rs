//! A network that is small enough to be written as a graph, for tests of the code around it: one linear unit with noise
//! on its prediction in training, squared error, gradient descent with momentum, and a running mean of the inputs.

use crate::failure::Failure;
use crate::program::session::{Programs, Session};
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::experiment::{Precision, Schedule};
use gmpc_compiler::ir::graph::{Graph, Id, Op, Role, State};
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_compiler::ir::net::Layer;
use gmpc_compiler::ir::program::{Goal, Measure, Program};
use gmpc_compiler::stage::Silent;
use gmpc_compiler::{front, lower};
use gmpc_data::Rows;
use gmpc_device_cpu::Cpu;
use gmpc_grammar::source::Source;
use std::sync::Arc;

/// Input columns.
pub const FEATURES: usize = 3;

/// The network.
pub struct Tiny {
    layout: Arc<StateLayout>,
    initialization: Graph,
    precision: Precision,
}

struct Nodes {
    w: (usize, Id),
    momentum: (usize, Id),
    mean: (usize, Id),
}

fn declare(graph: &mut Graph) -> Nodes {
    let mut state = |name: &str, role, shape: Vec<usize>| {
        let file_shape = shape.iter().rev().copied().collect();
        graph.state(State {
            name: name.into(),
            role,
            transposed: shape.len() == 2,
            shape,
            file_shape,
            meaning: gmpc_compiler::ir::axes::Meaning::default(),
        })
    };
    Nodes {
        w: state("unit.w", Role::Parameter, vec![FEATURES, 1]),
        momentum: state("sgd.m/unit.w", Role::Optimizer, vec![FEATURES, 1]),
        mean: state("unit.running_mean", Role::Statistic, vec![1, FEATURES]),
    }
}

impl Tiny {
    /// The network in this precision.
    pub fn new(precision: Precision) -> Self {
        let mut graph = Graph::default();
        let nodes = declare(&mut graph);
        let draw = graph.push(Op::Uniform { stream: 0 }, vec![], vec![FEATURES, 1]);
        graph.write(nodes.w.0, draw);
        let layout = Arc::new(StateLayout::new(&graph.states));
        Tiny { layout, initialization: graph, precision }
    }

    /// A session on the CPU.
    pub fn session(precision: Precision) -> Session {
        Session::new(Arc::new(Cpu::default()), Arc::new(Tiny::new(precision)))
    }
}

impl Programs for Tiny {
    fn program(&self, goal: Goal, batch: usize) -> Result<Program, Failure> {
        let (graph, measures) = build(goal, batch);
        Ok(lower(goal, self.precision, batch, &graph, measures))
    }

    fn initialization(&self) -> &Graph {
        &self.initialization
    }

    fn layout(&self) -> &Arc<StateLayout> {
        &self.layout
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn layers(&self) -> &[Layer] {
        &[]
    }
}

fn build(goal: Goal, batch: usize) -> (Graph, Vec<Measure>) {
    let mut g = Graph::default();
    let x = g.input("x", vec![batch, FEATURES]);
    let target = (goal != Goal::Predict).then(|| g.input("target", vec![batch, 1]));
    // A training program takes both numbers, although nothing here reads `step`.
    let lr = (goal == Goal::Train).then(|| (g.input("lr", vec![]), g.input("step", vec![])).0);
    // Every program declares the same states in the same order: `layout` holds for all of them.
    let nodes = declare(&mut g);
    let mut prediction = g.matmul(x, nodes.w.1, false, false);
    if goal == Goal::Train {
        let draw = g.push(Op::Uniform { stream: 1 }, vec![], vec![batch, 1]);
        let noise = g.scale(draw, 0.01);
        prediction = g.add(prediction, noise);
    }
    let Some(target) = target else {
        g.output("prediction", prediction);
        return (g, vec![]);
    };
    let error = g.sub(prediction, target);
    let square = g.mul(error, error);
    let sum = g.sum(square, &[0, 1]);
    let sum = g.reshape(sum, &[]);
    g.output("squares", sum);
    if let Some(lr) = lr {
        let gradient = g.matmul(x, error, true, false);
        let gradient = g.scale(gradient, 2.0 / batch as f64);
        let kept = g.scale(nodes.momentum.1, 0.5);
        let momentum = g.add(kept, gradient);
        let change = g.mul(momentum, lr);
        let w = g.sub(nodes.w.1, change);
        g.write(nodes.w.0, w);
        g.write(nodes.momentum.0, momentum);
        let mean = g.mean(x, &[0]);
        let mean = g.add(nodes.mean.1, mean);
        let mean = g.scale(mean, 0.5);
        g.write(nodes.mean.0, mean);
    }
    (g, measures())
}

fn measures() -> Vec<Measure> {
    let graph = |root: bool| {
        let mut g = Graph::default();
        let mean = g.input("mean", vec![]);
        let value = if root { g.unary(Op::Sqrt, mean) } else { mean };
        g.output("value", value);
        g
    };
    let measure = |name: &str, root| Measure { name: name.into(), sums: vec![0], ranked: None, finish: graph(root) };
    vec![measure("loss", false), measure("rmse", true)]
}

/// Rows of a noise-free linear function.
pub fn rows(precision: Precision, count: u32, salt: u32) -> Rows {
    let number = |i: u32| f64::from((i.wrapping_mul(7919).wrapping_add(salt * 101 + 7)) % 97) / 48.0 - 1.0;
    let features = u32::try_from(FEATURES).unwrap();
    let inputs: Vec<f64> = (0..count * features).map(number).collect();
    let targets: Vec<f64> = inputs.chunks(FEATURES).map(|x| 2.0 * x[0] - x[1] + 0.5 * x[2]).collect();
    Rows::new(precision, count as usize, &inputs, &targets)
}

/// A schedule as a file states it: `cosine(final = 0.1)`.
pub fn schedule(text: &str) -> Schedule {
    let train = format!("train {{ loss = mse  optimizer = sgd(lr = 1)  metrics = [rmse]  schedule = {text} }}");
    let text = format!("model m(input: [1]) {{ input -> linear(1) }}\n{train}\n");
    let file = Source { name: "schedule.gmpnet".into(), text };
    let (module, _) = front(file, &Overrides::default(), &Silent).expect("a file that resolves");
    module.experiment.train.expect("a train block").schedule
}
