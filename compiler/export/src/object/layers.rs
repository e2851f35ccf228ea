//! The prediction, a function for each layer and one that calls them for each row.

use super::Fault;
use super::dense::Dense;
use super::formula::{Ends, formula};
use super::functions::{sigmoid, softplus};
use super::machine::{Machine, Numbers, Unit as Object, flags};
use super::windows::{Filtering, Pooling, Sliding, convolve};
use crate::c::{ABI, Words};
use crate::network::{Activation, Layer, Network, Op, Preparation, Unit};
use crate::plan::{Plan, plan};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F64, I8, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_module::FuncId;
use gmpc_compiler::ir::net::{Arithmetic, Connection, Standard};
use gmpc_compiler::math::Precision;

/// `NAME_predict` and `NAME_abi`.
pub(super) fn predict(object: &mut Object, network: &Network, words: &Words) -> Result<(), Fault> {
    let plan = plan(network);
    let mut steps = vec![];
    let prepare = object.declare(None, 2, None)?;
    object.define(prepare, |m, arguments| prepared(m, network, Numbers(arguments[0]), Numbers(arguments[1])))?;
    for index in 1..network.layers.len() {
        let id = object.declare(None, 1, None)?;
        object.define(id, |m, arguments| {
            Computing { network, plan: &plan, scratch: Numbers(arguments[0]) }.layer(m, index)?;
            Ok(None)
        })?;
        steps.push(id);
    }
    let finish = object.declare(None, 2, None)?;
    let place = plan.places[network.output];
    object.define(finish, |m, arguments| finished(m, network, place, Numbers(arguments[0]), Numbers(arguments[1])))?;
    let abi = object.declare(Some(&format!("{}_abi", words.prefix)), 0, Some(I32))?;
    object.define(abi, |m, _| Ok(Some(m.b.ins().iconst(I32, i64::from(ABI)))))?;
    let whole = object.declare(Some(&format!("{}_predict", words.prefix)), 4, Some(I32))?;
    object.define(whole, |m, arguments| rows(m, network, arguments, (prepare, &steps, finish)))
}

/// The body of `NAME_predict`: predicts all rows and gives 0; gives 1 if a pointer is null.
fn rows(
    m: &mut Machine<'_>,
    network: &Network,
    arguments: &[Value],
    (prepare, steps, finish): (FuncId, &[FuncId], FuncId),
) -> Result<Option<Value>, Fault> {
    let &[x, count, y, scratch] = arguments else { return Err(Fault("predict has four arguments".into())) };
    let mut refused = m.b.ins().icmp_imm_s(IntCC::Equal, x, 0);
    for pointer in [y, scratch] {
        let is_null = m.b.ins().icmp_imm_s(IntCC::Equal, pointer, 0);
        refused = m.b.ins().bor(refused, is_null);
    }
    let (begin, done) = (m.b.create_block(), m.b.create_block());
    // No rows are no error, but `fold_until` makes at least one round: jump over it.
    let none = m.b.ins().icmp_imm_s(IntCC::Equal, count, 0);
    let nothing = m.b.ins().bor(refused, none);
    m.b.ins().brif(nothing, done, &[], begin, &[]);
    m.b.switch_to_block(begin);
    m.b.seal_block(begin);
    let inputs: usize = network.inputs.shape.iter().product();
    let (row_in, row_out) = (inputs * input_bytes(network), network.outputs.width * network.precision.bytes());
    m.fold_until(count, &[], |m, row, _| {
        let from = m.address(Numbers(x), row, row_in);
        let to = m.address(Numbers(y), row, row_out);
        m.call(prepare, &[from, scratch]);
        for step in steps {
            m.call(*step, &[scratch]);
        }
        m.call(finish, &[scratch, to]);
        Ok(vec![])
    })?;
    m.b.ins().jump(done, &[]);
    m.b.switch_to_block(done);
    m.b.seal_block(done);
    Ok(Some(m.b.ins().uextend(I32, refused)))
}

/// Bytes of a number that comes in.
fn input_bytes(network: &Network) -> usize {
    match network.preparation() {
        Preparation::None => network.precision.bytes(),
        Preparation::Table { .. } => 8,
        Preparation::Images { .. } => 1,
    }
}

/// From the row that comes in to what the first layer takes, which lies at the beginning of the scratch memory.
fn prepared(m: &mut Machine<'_>, network: &Network, x: Numbers, to: Numbers) -> Result<Option<Value>, Fault> {
    let inputs: usize = network.inputs.shape.iter().product();
    match network.preparation() {
        Preparation::None => m.each(inputs, |m, i| {
            let number = m.load(x, i);
            m.store(number, to, i);
            Ok(())
        })?,
        Preparation::Table { mean, deviation } => {
            // A constant column becomes 0 whatever stands in it. It is selected, because 0 times a NaN is a NaN.
            let (means, deviations) = (m.doubles(mean)?, m.doubles(deviation)?);
            m.each(inputs, |m, i| {
                let double = |m: &mut Machine<'_>, from| {
                    let address = m.address(from, i, 8);
                    m.b.ins().load(F64, flags(), address, 0)
                };
                let (number, mean, deviation) = (double(m, x), double(m, means), double(m, deviations));
                let centred = m.b.ins().fsub(number, mean);
                let scaled = m.b.ins().fdiv(centred, deviation);
                let zero = m.b.ins().f64const(0.0);
                let is_constant = m.b.ins().fcmp(cranelift_codegen::ir::condcodes::FloatCC::Equal, deviation, zero);
                let scaled = m.b.ins().select(is_constant, zero, scaled);
                let scaled = match m.precision {
                    Precision::F32 => m.b.ins().fdemote(F32, scaled),
                    Precision::F64 => scaled,
                };
                m.store(scaled, to, i);
                Ok(())
            })?;
        }
        Preparation::Images { mean, deviation } => {
            let pixels = m.constants(&crate::network::byte_values(mean, deviation))?;
            let area = inputs / mean.len().max(1);
            m.each(mean.len(), |m, channel| {
                m.each(area, |m, pixel| {
                    let at = m.place(channel, area, 0);
                    let at = m.plus(at, pixel);
                    let address = m.address(x, at, 1);
                    let byte = m.b.ins().load(I8, flags(), address, 0);
                    let byte = m.b.ins().uextend(I64, byte);
                    let table = m.place(channel, 256, 0);
                    let byte = m.plus(table, byte);
                    let value = m.load(pixels, byte);
                    m.store(value, to, at);
                    Ok(())
                })
            })?;
        }
    }
    Ok(None)
}

/// The prediction, in the units of the data.
fn finished(
    m: &mut Machine<'_>,
    network: &Network,
    place: usize,
    scratch: Numbers,
    y: Numbers,
) -> Result<Option<Value>, Fault> {
    let from = m.behind(scratch, place);
    let scale = match network.output_scale() {
        Some(scale) => Some((m.constants(&scale.factor)?, m.constants(&scale.shift)?)),
        None => None,
    };
    m.each(network.outputs.width, |m, i| {
        let mut value = m.load(from, i);
        if let Some((factors, shifts)) = scale {
            let (factor, shift) = (m.load(factors, i), m.load(shifts, i));
            value = m.b.ins().fmul(value, factor);
            value = m.b.ins().fadd(value, shift);
        }
        m.store(value, y, i);
        Ok(())
    })?;
    Ok(None)
}

/// What the layers of a row read and write.
struct Computing<'a> {
    network: &'a Network,
    plan: &'a Plan,
    scratch: Numbers,
}

impl Computing<'_> {
    fn value(&self, m: &mut Machine<'_>, layer: usize) -> Numbers {
        m.behind(self.scratch, self.plan.places[layer])
    }

    fn layer(&self, m: &mut Machine<'_>, index: usize) -> Result<(), Fault> {
        let layer = &self.network.layers[index];
        let operands: Vec<Numbers> = layer.inputs.iter().map(|&input| self.value(m, input)).collect();
        let Some(&x) = operands.first() else { return Ok(()) };
        let input = &self.network.layers[layer.inputs[0]].shape;
        let (y, count) = (self.value(m, index), layer.shape.iter().product());
        // Behind the values lies what definitions compute on the way, and behind that an image with its padding.
        let (between, room) = (m.behind(self.scratch, self.plan.size), m.behind(self.scratch, self.plan.numbers()));
        let ends = Ends { x, y, room: between, padded: room };
        match &layer.op {
            Op::Input | Op::Dropout { .. } | Op::Flatten => Ok(()),
            Op::Unit(unit) => Self::unit(m, unit, layer, input, ends),
            Op::Activation(activation) => activated(m, activation, count, ends),
            Op::Defined(defined) => formula(m, defined, ends),
            Op::Arithmetic(operation) => {
                let other = operands.get(1).copied().unwrap_or(x);
                m.each(count, |m, i| {
                    let (a, b) = (m.load(x, i), m.load(other, i));
                    let value = arithmetic(m, *operation, a, b);
                    m.store(value, y, i);
                    Ok(())
                })
            }
            Op::Scaled { operation, number, number_first } => map(m, count, x, y, |m, x| {
                let number = m.number(*number);
                let (a, b) = if *number_first { (number, x) } else { (x, number) };
                Ok(arithmetic(m, *operation, a, b))
            }),
            Op::Concat => self.concat(m, layer, &operands, y),
            Op::MaxPool(window) => Sliding::new(window, input, &layer.shape).pool(m, Pooling::Largest, x, y, room),
            Op::AvgPool(window) => Sliding::new(window, input, &layer.shape).pool(m, Pooling::Mean, x, y, room),
            Op::GlobalAvgPool => means(m, input, x, y),
            Op::MeanNorm { mean, .. } => by_channel(m, Arithmetic::Subtract, mean, &layer.shape, x, y),
        }
    }

    fn unit(m: &mut Machine<'_>, unit: &Unit, layer: &Layer, input: &[usize], ends: Ends) -> Result<(), Fault> {
        let Ends { x, y, padded, .. } = ends;
        match &unit.product {
            Connection::Dense { .. } => dense(m, unit, x, y)?,
            Connection::Convolution(of) => {
                let plain = &unit.plain;
                let filtering = Filtering { weight: &plain.weight.data, offset: &plain.offset, centre: &plain.centre };
                convolve(m, &filtering, &Sliding::new(&of.window, input, &layer.shape), [x, y, padded])?;
            }
        }
        activated(m, &unit.activation, layer.shape.iter().product(), Ends { x: y, ..ends })?;
        if !unit.plain.scale.is_empty() {
            by_channel(m, Arithmetic::Multiply, &unit.plain.scale, &layer.shape, y, y)?;
        }
        if !unit.plain.shift.is_empty() {
            by_channel(m, Arithmetic::Add, &unit.plain.shift, &layer.shape, y, y)?;
        }
        Ok(())
    }

    fn concat(&self, m: &mut Machine<'_>, layer: &Layer, operands: &[Numbers], y: Numbers) -> Result<(), Fault> {
        let mut begin = 0;
        for (&input, &operand) in layer.inputs.iter().zip(operands) {
            let count: usize = self.network.layers[input].shape.iter().product();
            let to = m.behind(y, begin);
            map(m, count, operand, to, |_, x| Ok(x))?;
            begin += count;
        }
        Ok(())
    }
}

/// y = x weight + offset; each sum begins with the offset and takes the inputs in their order.
fn dense(m: &mut Machine<'_>, unit: &Unit, x: Numbers, y: Numbers) -> Result<(), Fault> {
    let plain = &unit.plain;
    let units = unit.product.units();
    let inputs = plain.weight.data.len() / units.max(1);
    let by_input: Vec<f64> =
        (0..inputs).flat_map(|i| (0..units).map(move |u| plain.weight.data[u * inputs + i])).collect();
    let (weights, offsets) = (m.constants(&by_input)?, m.constants(&plain.offset)?);
    // A dense layer has no centre: `plain_units` folds it into the offset.
    Dense { units, inputs, weights, offsets, x, y }.all(m)
}

/// Applies `one` to each number.
fn map(
    m: &mut Machine<'_>,
    count: usize,
    x: Numbers,
    y: Numbers,
    one: impl FnOnce(&mut Machine<'_>, Value) -> Result<Value, Fault>,
) -> Result<(), Fault> {
    m.each(count, |m, i| {
        let value = m.load(x, i);
        let value = one(m, value)?;
        m.store(value, y, i);
        Ok(())
    })
}

/// An operation with one number for each feature or channel.
fn by_channel(
    m: &mut Machine<'_>,
    operation: Arithmetic,
    numbers: &[f64],
    shape: &[usize],
    x: Numbers,
    y: Numbers,
) -> Result<(), Fault> {
    let numbers = m.constants(numbers)?;
    let (channels, area) = (shape.first().copied().unwrap_or(1), shape.iter().skip(1).product());
    m.each(channels, |m, channel| {
        let number = m.load(numbers, channel);
        m.each(area, |m, i| {
            let at = m.place(channel, area, 0);
            let at = m.plus(at, i);
            let value = m.load(x, at);
            let value = arithmetic(m, operation, value, number);
            m.store(value, y, at);
            Ok(())
        })
    })
}

/// The mean of each channel.
fn means(m: &mut Machine<'_>, input: &[usize], x: Numbers, y: Numbers) -> Result<(), Fault> {
    let (channels, area) = (input.first().copied().unwrap_or(1), input.iter().skip(1).product::<usize>());
    m.each(channels, |m, channel| {
        let zero = m.number(0.0);
        let sum = m.fold(area, &[zero], |m, i, sum| {
            let at = m.place(channel, area, 0);
            let at = m.plus(at, i);
            let value = m.load(x, at);
            Ok(vec![m.b.ins().fadd(sum[0], value)])
        })?;
        let count = m.number(area as f64);
        let mean = m.b.ins().fdiv(sum[0], count);
        m.store(mean, y, channel);
        Ok(())
    })
}

fn arithmetic(m: &mut Machine<'_>, operation: Arithmetic, a: Value, b: Value) -> Value {
    match operation {
        Arithmetic::Add => m.b.ins().fadd(a, b),
        Arithmetic::Subtract => m.b.ins().fsub(a, b),
        Arithmetic::Multiply => m.b.ins().fmul(a, b),
        Arithmetic::Divide => m.b.ins().fdiv(a, b),
    }
}

/// An activation of so many numbers.
fn activated(m: &mut Machine<'_>, activation: &Activation, count: usize, ends: Ends) -> Result<(), Fault> {
    match activation {
        Activation::Standard(Standard::Identity) if ends.x.0 == ends.y.0 => Ok(()),
        Activation::Standard(standard) => map(m, count, ends.x, ends.y, |m, x| act(m, *standard, x)),
        Activation::Defined(defined) => formula(m, defined, ends),
    }
}

/// An activation, by the formulas of `--as c`.
fn act(m: &mut Machine<'_>, activation: Standard, x: Value) -> Result<Value, Fault> {
    let (zero, one) = (m.number(0.0), m.number(1.0));
    Ok(match activation {
        Standard::Identity => x,
        Standard::Relu => m.if_greater(x, zero, x, zero),
        Standard::LeakyRelu(slope) => {
            let slope = m.number(slope);
            let less = m.b.ins().fmul(slope, x);
            m.if_greater(x, zero, x, less)
        }
        Standard::Tanh => m.libm("tanh", &[x])?,
        Standard::Sigmoid => sigmoid(m, x)?,
        Standard::Softplus => softplus(m, x)?,
        Standard::Gelu => {
            let (half, root) = (m.number(0.5), m.number(std::f64::consts::FRAC_1_SQRT_2));
            let scaled = m.b.ins().fmul(x, root);
            let erf = m.libm("erf", &[scaled])?;
            let (sum, half) = (m.b.ins().fadd(one, erf), m.b.ins().fmul(half, x));
            m.b.ins().fmul(half, sum)
        }
    })
}
