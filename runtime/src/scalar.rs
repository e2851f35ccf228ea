//! Graphs over single numbers, run thousands of times a second: prologues (Adam's bias corrections) and the last step of
//! a metric (a square root). The same arithmetic as [`gmpc_compiler::graph::evaluate()`], with nothing allocated.

use crate::failure::Failure;
use gmpc_compiler::graph::{Graph, Op, scalar};

/// A graph in which every node has one element, ready to run.
#[derive(Debug, Clone)]
pub struct ScalarProgram {
    steps: Vec<Step>,
    registers: Vec<f64>,
    outputs: Vec<usize>,
}

#[derive(Debug, Clone)]
enum Step {
    /// `registers[to] = inputs[from]`
    Input { from: usize, to: usize },
    /// `registers[to] = registers[from]`: a change of shape, or a reduction of one element.
    Copy { from: usize, to: usize },
    /// An elementwise operation.
    Compute { op: Op, operands: [usize; 3], to: usize },
}

impl ScalarProgram {
    /// Prepares a graph.
    ///
    /// # Errors
    /// [`Failure::Bug`]: the graph is not one over single numbers.
    pub fn new(graph: &Graph) -> Result<Self, Failure> {
        let mut program = ScalarProgram { steps: vec![], registers: vec![0.0; graph.nodes.len()], outputs: vec![] };
        for (to, node) in graph.nodes.iter().enumerate() {
            let operand = |i: usize| node.inputs.get(i).map_or(0, |id| id.index());
            let single = node.shape.iter().product::<usize>() == 1;
            match &node.op {
                Op::Const(value) => program.registers[to] = *value,
                Op::Input(from) if single => program.steps.push(Step::Input { from: *from, to }),
                Op::Reshape | Op::Broadcast | Op::Transpose(_) | Op::Sum(_) | Op::MaxOver(_) if single => {
                    program.steps.push(Step::Copy { from: operand(0), to });
                }
                op if single && op.is_elementwise() => {
                    let operands = [operand(0), operand(1), operand(2)];
                    program.steps.push(Step::Compute { op: op.clone(), operands, to });
                }
                op => return Err(Failure::Bug(format!("{} {:?} in a scalar graph", op.name(), node.shape))),
            }
        }
        program.outputs = graph.outputs.iter().map(|output| output.id().index()).collect();
        Ok(program)
    }

    /// Computes all outputs. `inputs` has a number for each input of the graph; missing ones are NaN.
    pub fn run(&mut self, inputs: &[f64]) {
        let registers = &mut self.registers;
        for step in &self.steps {
            match step {
                Step::Input { from, to } => registers[*to] = inputs.get(*from).copied().unwrap_or(f64::NAN),
                Step::Copy { from, to } => registers[*to] = registers[*from],
                Step::Compute { op, operands: [a, b, c], to } => {
                    registers[*to] = scalar(op, [registers[*a], registers[*b], registers[*c]]);
                }
            }
        }
    }

    /// How many outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// One output of the last run; NaN where there is none.
    #[must_use]
    pub fn output(&self, index: usize) -> f64 {
        self.outputs.get(index).map_or(f64::NAN, |&register| self.registers[register])
    }
}

#[cfg(test)]
mod tests {
    use super::ScalarProgram;
    use gmpc_compiler::graph::{Graph, Op, Random, Tensor, evaluate};

    #[test]
    fn gives_the_evaluators_numbers() {
        let mut g = Graph::default();
        let (lr, step) = (g.input("lr", vec![]), g.input("step", vec![]));
        let beta = g.constant(0.9);
        let power = g.binary(Op::Pow, beta, step);
        let one = g.constant(1.0);
        let correction = g.sub(one, power);
        let scaled = g.div(lr, correction);
        let shaped = g.reshape(scaled, &[1, 1]);
        g.output("scaled", shaped);
        g.output("correction", correction);
        let mut program = ScalarProgram::new(&g).unwrap();
        for number in [1.0, 2.0, 1000.0] {
            program.run(&[0.01, number]);
            let inputs = [Tensor::full(&[], 0.01), Tensor::full(&[], number)];
            let expected = evaluate(&g, &inputs, &[], Random::default());
            assert_eq!([program.output(0), program.output(1)], [expected[0].data[0], expected[1].data[0]]);
        }
    }

    #[test]
    fn refuses_tensors() {
        let mut g = Graph::default();
        let x = g.input("x", vec![2]);
        g.output("x", x);
        assert!(ScalarProgram::new(&g).is_err());
    }
}
