//! Graphs over single numbers that run thousands of times a second: prologues, such as Adam's bias corrections, and the
//! last step of a metric, such as a square root. The arithmetic is that of [`gmpc_compiler::ir::graph::evaluate()`],
//! without allocations.

use crate::failure::Failure;
use gmpc_compiler::ir::graph::{Graph, Op, scalar};

/// A graph in which every node has one element, ready to run.
#[derive(Debug, Clone)]
pub struct ScalarProgram {
    steps: Vec<Instruction>,
    registers: Vec<f64>,
    outputs: Vec<usize>,
}

#[derive(Debug, Clone)]
enum Instruction {
    /// `registers[to] = inputs[from]`
    Input { from: usize, to: usize },
    /// `registers[to] = registers[from]`: a change of shape, or a reduction over one element.
    Copy { from: usize, to: usize },
    /// An elementwise operation.
    Compute { op: Op, operands: [usize; 3], to: usize },
}

impl ScalarProgram {
    /// Prepares a graph.
    ///
    /// # Errors
    /// [`Failure::Bug`]: a node has more than one element, or an operation that has no meaning for single numbers.
    pub fn new(graph: &Graph) -> Result<Self, Failure> {
        let mut program = ScalarProgram { steps: vec![], registers: vec![0.0; graph.nodes.len()], outputs: vec![] };
        for (to, node) in graph.nodes.iter().enumerate() {
            let operand = |i: usize| node.inputs.get(i).map_or(0, |id| id.index());
            let single = node.shape.iter().product::<usize>() == 1;
            match &node.op {
                Op::Const(value) => program.registers[to] = *value,
                Op::Input(from) if single => program.steps.push(Instruction::Input { from: *from, to }),
                Op::Reshape | Op::Broadcast | Op::Transpose(_) | Op::Sum(_) | Op::MaxOver(_) if single => {
                    program.steps.push(Instruction::Copy { from: operand(0), to });
                }
                op if single && op.is_elementwise() => {
                    let operands = [operand(0), operand(1), operand(2)];
                    program.steps.push(Instruction::Compute { op: op.clone(), operands, to });
                }
                op => return Err(Failure::Bug(format!("{} {:?} in a scalar graph", op.name(), node.shape))),
            }
        }
        program.outputs = graph.outputs.iter().map(|output| output.id().index()).collect();
        Ok(program)
    }

    /// Computes all outputs. `inputs` holds one number for each input of the graph. A missing input is NaN.
    pub fn run(&mut self, inputs: &[f64]) {
        let registers = &mut self.registers;
        for step in &self.steps {
            match step {
                Instruction::Input { from, to } => registers[*to] = inputs.get(*from).copied().unwrap_or(f64::NAN),
                Instruction::Copy { from, to } => registers[*to] = registers[*from],
                Instruction::Compute { op, operands: [a, b, c], to } => {
                    registers[*to] = scalar(op, [registers[*a], registers[*b], registers[*c]]);
                }
            }
        }
    }

    /// Number of outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// One output of the last run; NaN if there is no such output.
    #[must_use]
    pub fn output(&self, index: usize) -> f64 {
        self.outputs.get(index).map_or(f64::NAN, |&register| self.registers[register])
    }
}

#[cfg(test)]
mod tests {
    use super::ScalarProgram;
    use gmpc_compiler::ir::graph::{Graph, Op, Random, Tensor, evaluate};

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
