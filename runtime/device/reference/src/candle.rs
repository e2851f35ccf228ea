//! The reference implementation. It runs the graph of a program operation by operation on the tensors of candle, a
//! library that shares no code with gmpc.
//!
//! Users choose it by name (`--device candle`); tests compare other devices with it. It keeps all intermediate values.

mod operations;

use candle_core::{DType, Device as CandleDevice, Tensor};
use gmpc_compiler::ir::graph::groups::{convolution, elementwise, joined, pool, reduction, scan, view};
use gmpc_compiler::ir::graph::{Graph, Input, Op, Output, Random};
use gmpc_compiler::ir::program::Program;
use gmpc_compiler::math::philox::philox;
use gmpc_device::{Device, DeviceError, Executable, Numbers, Slice, SliceMut, States};
use std::sync::Arc;

/// Candle on the CPU, in the precision of the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct Candle;

impl Device for Candle {
    fn name(&self) -> &'static str {
        "candle"
    }

    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError> {
        gmpc_device::whole_numbers(program, "candle")?;
        let zeros = |shape: &[usize]| Numbers::zeros(program.precision, shape.iter().product());
        let inputs = program.graph.inputs.iter().map(|input: &Input| zeros(&input.shape)).collect();
        let outputs = values(&program.graph).map(|id| zeros(program.graph.shape(id))).collect();
        Ok(Box::new(Reference { program: Arc::clone(program), inputs, outputs }))
    }
}

fn values(graph: &Graph) -> impl Iterator<Item = gmpc_compiler::ir::graph::Id> + '_ {
    graph.outputs.iter().filter_map(|output| match output {
        Output::Value { id, .. } => Some(*id),
        Output::Write { .. } => None,
    })
}

struct Reference {
    program: Arc<Program>,
    inputs: Vec<Numbers>,
    outputs: Vec<Numbers>,
}

impl Executable for Reference {
    fn input(&mut self, index: usize) -> SliceMut<'_> {
        self.inputs[index].as_mut()
    }

    fn run(&mut self, states: &mut States, random: Random) -> Result<(), DeviceError> {
        let graph = &self.program.graph;
        // All values are computed before any state is written: reads must see the old states.
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

/// The value of every node, in the order of `graph.nodes`. `inputs` are the inputs of the graph, row-major. States are not
/// written.
///
/// # Errors
/// Candle refuses an operation. The error names the operation and its shape.
pub fn trace(graph: &Graph, inputs: &[Numbers], states: &States, random: Random) -> Result<Vec<Tensor>, DeviceError> {
    let kind = match states.data() {
        Numbers::F32(_) => DType::F32,
        Numbers::F64(_) => DType::F64,
    };
    let mut values: Vec<Tensor> = Vec::with_capacity(graph.nodes.len());
    // Operands stand before their users in `nodes`. Leaves need inputs, states or the random key; all others only `values`.
    for node in &graph.nodes {
        let compute = || operations::compute(graph, node, &values);
        let value = match &node.op {
            Op::Input(i) => upload(&inputs[*i], 0, &node.shape),
            Op::State(i) => upload(states.data(), states.layout.offsets[*i], &node.shape),
            Op::Const(number) => Tensor::full(*number, (), &CandleDevice::Cpu).and_then(|t| t.to_dtype(kind)),
            // Made in double precision and rounded once, as every other device does.
            Op::Iota(axis) => iota(&node.shape, *axis).and_then(|t| t.to_dtype(kind)),
            Op::Uniform { stream } => uniform(&node.shape, *stream, random).and_then(|t| t.to_dtype(kind)),
            elementwise!() | view!() | joined!() | reduction!() | Op::MatMul { .. } => compute(),
            convolution!() | pool!() | scan!() => compute(),
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
    // x - x is 0 for finite x and NaN otherwise. So the sum is 0 only if all numbers are finite.
    let sum = tensor.sub(tensor).and_then(|zeros| zeros.sum_all()).and_then(|sum| sum.to_dtype(DType::F64));
    Ok(sum.and_then(|sum| sum.to_scalar::<f64>()).map_err(failed)? == 0.0)
}

fn upload(numbers: &Numbers, offset: usize, shape: &[usize]) -> candle_core::Result<Tensor> {
    let range = offset..offset + shape.iter().product::<usize>();
    match numbers {
        Numbers::F32(data) => Tensor::from_slice(&data[range], shape, &CandleDevice::Cpu),
        Numbers::F64(data) => Tensor::from_slice(&data[range], shape, &CandleDevice::Cpu),
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

fn iota(shape: &[usize], axis: usize) -> candle_core::Result<Tensor> {
    let mut column = vec![1; shape.len()];
    column[axis] = shape[axis];
    let numbers = (0..shape[axis]).map(|i| i as f64).collect();
    Tensor::from_vec::<_, f64>(numbers, column, &CandleDevice::Cpu)?.broadcast_as(shape)?.contiguous()
}

#[expect(clippy::cast_possible_truncation, reason = "low and high halves, and sizes below 2^34")]
fn uniform(shape: &[usize], stream: u32, random: Random) -> candle_core::Result<Tensor> {
    let key = [random.seed as u32, (random.seed >> 32) as u32];
    let count = shape.iter().product::<usize>();
    let words = (0..count.div_ceil(4))
        .flat_map(|block| philox([block as u32, stream, random.step as u32, (random.step >> 32) as u32], key));
    let numbers = words.take(count).map(|word| f64::from(word >> 8) * (1.0 / 16_777_216.0)).collect();
    Tensor::from_vec::<_, f64>(numbers, shape, &CandleDevice::Cpu)
}

fn refused(op: &str, shape: &[usize], error: &candle_core::Error) -> DeviceError {
    DeviceError { message: format!("candle cannot compute {op} {shape:?}: {error}"), help: None }
}

fn failed(error: candle_core::Error) -> DeviceError {
    DeviceError { message: format!("candle failed: {error}"), help: None }
}

#[cfg(test)]
mod tests;
