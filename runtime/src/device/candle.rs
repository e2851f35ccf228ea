//! The witness: runs a program's graph op by op on candle tensors, written by other people, slow and obvious.
//!
//! It is chosen by name (`--device candle`), compared with the other devices in tests, and asked where a run first met a
//! number that is not finite, because it keeps every value on the way.

mod operations;

use super::{Device, DeviceError, Executable, Numbers, Slice, SliceMut, States};
use candle_core::{DType, Device as Place, Tensor};
use gmpc_compiler::graph::{Graph, Input, Op, Output, Random};
use gmpc_compiler::math::philox::philox;
use gmpc_compiler::program::Program;
use std::sync::Arc;

/// Candle on the processor, in f32 or f64 as the program says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Candle;

impl Device for Candle {
    fn name(&self) -> &'static str {
        "candle"
    }

    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError> {
        super::whole_numbers(program, "candle")?;
        let zeros = |shape: &[usize]| Numbers::zeros(program.precision, shape.iter().product());
        let inputs = program.graph.inputs.iter().map(|input: &Input| zeros(&input.shape)).collect();
        let outputs = values(&program.graph).map(|id| zeros(program.graph.shape(id))).collect();
        Ok(Box::new(Witness { program: Arc::clone(program), inputs, outputs }))
    }
}

fn values(graph: &Graph) -> impl Iterator<Item = gmpc_compiler::graph::Id> + '_ {
    graph.outputs.iter().filter_map(|output| match output {
        Output::Value { id, .. } => Some(*id),
        Output::Write { .. } => None,
    })
}

struct Witness {
    program: Arc<Program>,
    inputs: Vec<Numbers>,
    outputs: Vec<Numbers>,
}

impl Executable for Witness {
    fn input(&mut self, index: usize) -> SliceMut<'_> {
        self.inputs[index].as_mut()
    }

    fn run(&mut self, states: &mut States, random: Random) -> Result<(), DeviceError> {
        let graph = &self.program.graph;
        let values = trace(graph, &self.inputs, states, random)?;
        let mut handed_out = 0;
        for output in &graph.outputs {
            let value = &values[output.id().index()];
            let (offset, destination) = match output {
                Output::Value { .. } => {
                    handed_out += 1;
                    (0, &mut self.outputs[handed_out - 1])
                }
                Output::Write { state, .. } => (states.layout.offsets[*state], states.data_mut()),
            };
            download(value, destination, offset).map_err(failed)?;
        }
        Ok(())
    }

    fn output(&self, index: usize) -> Slice<'_> {
        self.outputs[index].as_slice()
    }
}

/// Every node's value, in the order of `graph.nodes`. `inputs` are the graph's, row-major; nothing is written.
///
/// # Errors
/// Candle refuses an operation, with the printed node.
pub fn trace(graph: &Graph, inputs: &[Numbers], states: &States, random: Random) -> Result<Vec<Tensor>, DeviceError> {
    let kind = match states.data() {
        Numbers::F32(_) => DType::F32,
        Numbers::F64(_) => DType::F64,
    };
    let mut values: Vec<Tensor> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let value = match &node.op {
            Op::Input(i) => upload(&inputs[*i], 0, &node.shape),
            Op::State(i) => upload(states.data(), states.layout.offsets[*i], &node.shape),
            Op::Const(number) => Tensor::full(*number, (), &Place::Cpu).and_then(|t| t.to_dtype(kind)),
            Op::Iota(axis) => iota(&node.shape, *axis).and_then(|t| t.to_dtype(kind)),
            Op::Uniform { stream } => uniform(&node.shape, *stream, random).and_then(|t| t.to_dtype(kind)),
            _ => operations::compute(graph, node, &values),
        };
        values.push(value.map_err(|error| refused(node.op.name(), &node.shape, &error))?);
    }
    Ok(values)
}

/// Is every number of a tensor finite?
///
/// # Errors
/// Candle refuses the comparison.
pub fn is_finite(tensor: &Tensor) -> Result<bool, DeviceError> {
    // x - x is 0 for finite x, else NaN; a sum of zeros is 0.
    let sum = tensor.sub(tensor).and_then(|zeros| zeros.sum_all()).and_then(|sum| sum.to_dtype(DType::F64));
    Ok(sum.and_then(|sum| sum.to_scalar::<f64>()).map_err(failed)? == 0.0)
}

fn upload(numbers: &Numbers, offset: usize, shape: &[usize]) -> candle_core::Result<Tensor> {
    let range = offset..offset + shape.iter().product::<usize>();
    match numbers {
        Numbers::F32(data) => Tensor::from_slice(&data[range], shape, &Place::Cpu),
        Numbers::F64(data) => Tensor::from_slice(&data[range], shape, &Place::Cpu),
    }
}

fn download(value: &Tensor, destination: &mut Numbers, offset: usize) -> candle_core::Result<()> {
    let value = value.flatten_all()?;
    match destination {
        Numbers::F32(data) => copy(&value.to_vec1::<f32>()?, &mut data[offset..]),
        Numbers::F64(data) => copy(&value.to_vec1::<f64>()?, &mut data[offset..]),
    }
    Ok(())
}

fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    to[..from.len()].copy_from_slice(from);
}

#[allow(clippy::cast_precision_loss)] // sizes stay below 2^40
fn iota(shape: &[usize], axis: usize) -> candle_core::Result<Tensor> {
    let mut column = vec![1; shape.len()];
    column[axis] = shape[axis];
    let numbers = (0..shape[axis]).map(|i| i as f64).collect();
    Tensor::from_vec::<_, f64>(numbers, column, &Place::Cpu)?.broadcast_as(shape)?.contiguous()
}

#[allow(clippy::cast_possible_truncation)] // low and high halves, and sizes below 2^34
fn uniform(shape: &[usize], stream: u32, random: Random) -> candle_core::Result<Tensor> {
    let key = [random.seed as u32, (random.seed >> 32) as u32];
    let count = shape.iter().product::<usize>();
    let words = (0..count.div_ceil(4))
        .flat_map(|block| philox([block as u32, stream, random.step as u32, (random.step >> 32) as u32], key));
    let numbers = words.take(count).map(|word| f64::from(word >> 8) * (1.0 / 16_777_216.0)).collect();
    Tensor::from_vec::<_, f64>(numbers, shape, &Place::Cpu)
}

fn refused(op: &str, shape: &[usize], error: &candle_core::Error) -> DeviceError {
    DeviceError { message: format!("candle cannot compute {op} {shape:?}: {error}"), help: None }
}

#[allow(clippy::needless_pass_by_value)] // the form `map_err` wants
fn failed(error: candle_core::Error) -> DeviceError {
    DeviceError { message: format!("candle failed: {error}"), help: None }
}

#[cfg(test)]
mod tests;
