//! Reads an ONNX file and computes it: the check that `gmpc export` makes on its own file, from the definition of the operators and
//! from nothing that wrote it. Sums are made in double precision, so what differs from `gmpc predict` is rounding there.
//!
//! Slow and plain. It knows the operators that are written here; a file with others is refused.

mod shaped;

use super::message::{Attribute, Model, Node, Size, Tensor, ValueInfo, element};
use prost::Message;
use std::collections::BTreeMap;

/// The scale and the alpha of the operator `Selu`.
const SELU: [f64; 2] = [1.050_700_987_355_480_5, 1.673_263_242_354_377_2];

/// A value: sizes of its axes, and its numbers in row-major order.
#[derive(Debug, Clone, PartialEq)]
struct Value {
    shape: Vec<usize>,
    data: Vec<f64>,
}

/// The outputs of a file for some rows, by name: `[rows, …]`, row-major.
///
/// # Errors
/// A sentence: the bytes are no model, or one that was not written here.
pub fn evaluate(bytes: &[u8], rows: usize, input: &[f64]) -> Result<BTreeMap<String, Vec<f64>>, String> {
    let model = Model::decode(bytes).map_err(|error| error.to_string())?;
    let graph = model.graph.ok_or("it has no graph")?;
    let mut values: BTreeMap<String, Value> = BTreeMap::new();
    for tensor in &graph.initializer {
        values.insert(tensor.name.clone(), constant(tensor)?);
    }
    let [taken] = &graph.input[..] else { return Err("it has not one input".into()) };
    let dims =
        taken.kind.as_ref().and_then(|kind| kind.tensor.as_ref()?.shape.as_ref()).ok_or("its input has no shape")?;
    let mut shape = vec![rows];
    for dim in dims.dim.iter().skip(1) {
        match dim.size {
            Some(Size::Value(size)) => shape.push(usize::try_from(size).map_err(|e| e.to_string())?),
            _ => return Err("only the batch is symbolic".into()),
        }
    }
    if shape.iter().product::<usize>() != input.len() {
        return Err(format!("{} numbers are no {shape:?}", input.len()));
    }
    values.insert(taken.name.clone(), Value { shape, data: input.to_vec() });
    let last = last_uses(&graph.node);
    for (place, node) in graph.node.iter().enumerate() {
        let value = run(node, &values).map_err(|why| format!("`{}`: {why}", node.name))?;
        let name = node.output.first().ok_or("a node has no output")?;
        for input in node.input.iter().filter(|input| last.get(input.as_str()) == Some(&place)) {
            values.remove(input); // large images are many
        }
        values.insert(name.clone(), value);
    }
    let take = |output: &ValueInfo| -> Result<(String, Vec<f64>), String> {
        let value = values.get(&output.name).ok_or_else(|| format!("nothing gives `{}`", output.name))?;
        Ok((output.name.clone(), value.data.clone()))
    };
    graph.output.iter().map(take).collect()
}

/// The last node that reads each value.
fn last_uses(nodes: &[Node]) -> BTreeMap<&str, usize> {
    let uses =
        nodes.iter().enumerate().flat_map(|(place, node)| node.input.iter().map(move |input| (input.as_str(), place)));
    uses.collect()
}

fn constant(tensor: &Tensor) -> Result<Value, String> {
    let sizes: Result<Vec<usize>, _> = tensor.dims.iter().map(|&dim| usize::try_from(dim)).collect();
    let shape = sizes.map_err(|error| error.to_string())?;
    let data: Vec<f64> = match tensor.data_type {
        element::FLOAT => {
            tensor.raw_data.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
        }
        element::DOUBLE => tensor.raw_data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        element::INT64 => tensor.raw_data.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(),
        other => return Err(format!("`{}` has elements of type {other}", tensor.name)),
    };
    match shape.iter().product::<usize>() == data.len() {
        true => Ok(Value { shape, data }),
        false => Err(format!("`{}` has {} numbers for {shape:?}", tensor.name, data.len())),
    }
}

fn run(node: &Node, values: &BTreeMap<String, Value>) -> Result<Value, String> {
    let operand = |place: usize| -> Result<&Value, String> {
        let name = node.input.get(place).ok_or_else(|| format!("it has no operand {place}"))?;
        values.get(name).ok_or_else(|| format!("nothing gives `{name}`"))
    };
    let x = operand(0)?;
    let each = |f: fn(f64) -> f64| Ok(Value { shape: x.shape.clone(), data: x.data.iter().map(|&x| f(x)).collect() });
    match node.op_type.as_str() {
        "Identity" => Ok(x.clone()),
        "Cast" if attribute(node, "to")?.i == Some(i64::from(element::BOOL)) => each(|x| f64::from(u8::from(x != 0.0))),
        "Cast" => each(|x| f64::from(crate::network::single(x))),
        "Neg" => each(|x| -x),
        "Abs" => each(f64::abs),
        "Exp" => each(libm::exp),
        "Log" => each(libm::log),
        "Sqrt" => each(f64::sqrt),
        "Sin" => each(libm::sin),
        "Cos" => each(libm::cos),
        "Selu" => each(|x| SELU[0] * if x > 0.0 { x } else { SELU[1] * (libm::exp(x) - 1.0) }),
        "HardSwish" => each(|x| x * ((x + 3.0) / 6.0).clamp(0.0, 1.0)),
        "Elu" => {
            let alpha = attribute(node, "alpha")?.f.map_or(1.0, f64::from);
            let of = |x: f64| if x > 0.0 { x } else { alpha * (libm::exp(x) - 1.0) };
            Ok(Value { shape: x.shape.clone(), data: x.data.iter().map(|&x| of(x)).collect() })
        }
        "HardSigmoid" => {
            let [alpha, beta] = [("alpha", 0.2), ("beta", 0.5)]
                .map(|(name, usual)| attribute(node, name).ok().and_then(|a| a.f).map_or(usual, f64::from));
            let of = |x: f64| (alpha * x + beta).clamp(0.0, 1.0);
            Ok(Value { shape: x.shape.clone(), data: x.data.iter().map(|&x| of(x)).collect() })
        }
        "Relu" => each(|x| x.max(0.0)),
        "Tanh" => each(libm::tanh),
        "Sigmoid" => each(|x| 1.0 / (1.0 + libm::exp(-x))),
        // log(1 + e^x), but e^-|x| cannot overflow.
        "Softplus" => each(|x| x.max(0.0) + libm::log1p(libm::exp(-x.abs()))),
        "Erf" => each(libm::erf),
        "LeakyRelu" => {
            let slope = attribute(node, "alpha")?.f.map_or(0.01, f64::from);
            Ok(Value {
                shape: x.shape.clone(),
                data: x.data.iter().map(|&x| if x < 0.0 { slope * x } else { x }).collect(),
            })
        }
        "Add" => broadcast(x, operand(1)?, |a, b| a + b),
        "Sub" => broadcast(x, operand(1)?, |a, b| a - b),
        "Mul" => broadcast(x, operand(1)?, |a, b| a * b),
        "Div" => broadcast(x, operand(1)?, |a, b| a / b),
        "Max" => broadcast(x, operand(1)?, f64::max),
        "Min" => broadcast(x, operand(1)?, f64::min),
        "Pow" => broadcast(x, operand(1)?, libm::pow),
        "Less" => broadcast(x, operand(1)?, |a, b| f64::from(u8::from(a < b))),
        "LessOrEqual" => broadcast(x, operand(1)?, |a, b| f64::from(u8::from(a <= b))),
        "Equal" => broadcast(x, operand(1)?, |a, b| f64::from(u8::from(a == b))),
        "Where" => shaped::choose(x, operand(1)?, operand(2)?),
        "Reshape" => shaped::reshape(x, operand(1)?),
        "Expand" => shaped::expand(x, operand(1)?),
        "ReduceSum" => shaped::reduce(x, &shaped::axes(&operand(1)?.data)?, 0.0, |sum, x| sum + x),
        "ReduceMax" => {
            let axes: Vec<f64> = attribute(node, "axes")?.ints.iter().map(|&axis| axis as f64).collect();
            shaped::reduce(x, &shaped::axes(&axes)?, f64::NEG_INFINITY, f64::max)
        }
        "MatMul" => gemm_of(x, operand(1)?),
        "Flatten" => {
            let rows = x.shape.first().copied().unwrap_or(1);
            Ok(Value { shape: vec![rows, x.data.len() / rows.max(1)], data: x.data.clone() })
        }
        "Softmax" => Ok(softmax(x)),
        "Concat" => {
            let parts: Result<Vec<&Value>, String> = (0..node.input.len()).map(operand).collect();
            concat(&parts?)
        }
        "Gemm" => gemm(x, operand(1)?, operand(2)?),
        "Conv" if node.input.len() == 2 => {
            let w = operand(1)?;
            let units = w.shape.first().copied().unwrap_or(0);
            convolution(node, x, w, &Value { shape: vec![units], data: vec![0.0; units] })
        }
        "Conv" => convolution(node, x, operand(1)?, operand(2)?),
        // Padding takes no part in a pool: without `count_include_pad` ONNX leaves it out of the count of a mean, too.
        "MaxPool" => pool(node, x, f64::NEG_INFINITY, |best, x| if x > best { x } else { best }, |best, _| best),
        "AveragePool" => pool(node, x, 0.0, |sum, x| sum + x, |sum, count| sum / count as f64),
        "GlobalAveragePool" => {
            let area: usize = x.shape.iter().skip(2).product();
            let mean = |image: &[f64]| image.iter().sum::<f64>() / area as f64;
            let shape = x.shape.iter().enumerate().map(|(axis, &size)| if axis < 2 { size } else { 1 }).collect();
            Ok(Value { shape, data: x.data.chunks_exact(area.max(1)).map(mean).collect() })
        }
        "Pad" => pad(x, operand(1)?),
        other => Err(format!("the operator `{other}` is not written here")),
    }
}

fn attribute<'a>(node: &'a Node, name: &str) -> Result<&'a Attribute, String> {
    node.attribute.iter().find(|attribute| attribute.name == name).ok_or_else(|| format!("it has no `{name}`"))
}

/// The numbers of an attribute, which must be `N`.
fn sizes<const N: usize>(node: &Node, name: &str) -> Result<[usize; N], String> {
    let found: Result<Vec<usize>, _> = attribute(node, name)?.ints.iter().map(|&size| usize::try_from(size)).collect();
    let found = found.map_err(|error| error.to_string())?;
    found.try_into().map_err(|found: Vec<usize>| format!("`{name}` has {} numbers", found.len()))
}

/// Element by element; axes are matched from the last one backwards, and those of size 1 are repeated.
fn broadcast(a: &Value, b: &Value, f: fn(f64, f64) -> f64) -> Result<Value, String> {
    let shape = shaped::common(&a.shape, &b.shape)?;
    let (a, b) = (shaped::repeated(a, &shape)?, shaped::repeated(b, &shape)?);
    Ok(Value { shape, data: a.data.iter().zip(&b.data).map(|(&a, &b)| f(a, b)).collect() })
}

fn softmax(x: &Value) -> Value {
    let width = x.shape.last().copied().unwrap_or(1).max(1);
    let row = |scores: &[f64]| -> Vec<f64> {
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let shares: Vec<f64> = scores.iter().map(|score| libm::exp(score - largest)).collect();
        let total: f64 = shares.iter().sum();
        shares.into_iter().map(|share| share / total).collect()
    };
    Value { shape: x.shape.clone(), data: x.data.chunks(width).flat_map(row).collect() }
}

/// Along axis 1.
fn concat(parts: &[&Value]) -> Result<Value, String> {
    let Some(first) = parts.first() else { return Err("it joins nothing".into()) };
    let rows = first.shape.first().copied().unwrap_or(1);
    let same = |part: &&&Value| {
        part.shape.len() == first.shape.len() && part.shape[2..] == first.shape[2..] && part.shape[0] == rows
    };
    if first.shape.len() < 2 || !parts.iter().all(|part| same(&part)) {
        return Err("its operands do not fit".into());
    }
    let mut shape = first.shape.clone();
    shape[1] = parts.iter().map(|part| part.shape[1]).sum();
    let of_row = |row: usize| {
        parts.iter().flat_map(move |part| {
            let width = part.data.len() / rows.max(1);
            part.data[row * width..][..width].iter().copied()
        })
    };
    Ok(Value { shape, data: (0..rows).flat_map(of_row).collect() })
}

/// x w^T + b
fn gemm(x: &Value, w: &Value, b: &Value) -> Result<Value, String> {
    let ([rows, inputs], [units, of]) = (two(x)?, two(w)?);
    if inputs != of || b.data.len() != units {
        return Err(format!("{:?}, {:?} and {:?} do not fit", x.shape, w.shape, b.shape));
    }
    let result = |row: usize| {
        let x = &x.data[row * inputs..][..inputs];
        (0..units).map(move |unit| {
            let w = &w.data[unit * inputs..][..inputs];
            x.iter().zip(w).map(|(x, w)| x * w).sum::<f64>() + b.data[unit]
        })
    };
    Ok(Value { shape: vec![rows, units], data: (0..rows).flat_map(result).collect() })
}

/// x w
fn gemm_of(x: &Value, w: &Value) -> Result<Value, String> {
    let ([_, inputs], [of, units]) = (two(x)?, two(w)?);
    if inputs != of {
        return Err(format!("{:?} and {:?} do not fit", x.shape, w.shape));
    }
    let transposed = (0..units).flat_map(|unit| w.data.iter().skip(unit).step_by(units.max(1)).copied()).collect();
    let w = Value { shape: vec![units, inputs], data: transposed };
    gemm(x, &w, &Value { shape: vec![units], data: vec![0.0; units] })
}

fn two(x: &Value) -> Result<[usize; 2], String> {
    x.shape.as_slice().try_into().map_err(|_| format!("{:?} is no matrix", x.shape))
}

fn four(x: &Value) -> Result<[usize; 4], String> {
    x.shape.as_slice().try_into().map_err(|_| format!("{:?} are no images", x.shape))
}

/// A window over images, padding included in its sizes.
struct Slide {
    kernel: [usize; 2],
    stride: [usize; 2],
    before: [usize; 2],
    /// Of the result.
    size: [usize; 2],
}

impl Slide {
    fn new(node: &Node, image: [usize; 2]) -> Result<Self, String> {
        let (kernel, stride) = (sizes::<2>(node, "kernel_shape")?, sizes::<2>(node, "strides")?);
        let [top, left, bottom, right] = sizes::<4>(node, "pads")?;
        let size = |axis: usize, padding: usize| {
            let room =
                (image[axis] + padding).checked_sub(kernel[axis]).ok_or("the window is larger than the image")?;
            room.checked_div(stride[axis]).map(|steps| steps + 1).ok_or("the stride is 0")
        };
        Ok(Slide { kernel, stride, before: [top, left], size: [size(0, top + bottom)?, size(1, left + right)?] })
    }

    /// The pixel that place `offset` of the window sees at output `at`; `None` in the padding.
    fn source(&self, axis: usize, at: usize, offset: usize, size: usize) -> Option<usize> {
        (at * self.stride[axis] + offset).checked_sub(self.before[axis]).filter(|&place| place < size)
    }
}

fn convolution(node: &Node, x: &Value, w: &Value, b: &Value) -> Result<Value, String> {
    let ([rows, channels, height, width], [units, of, kh, kw]) = (four(x)?, four(w)?);
    let slide = Slide::new(node, [height, width])?;
    if channels != of || slide.kernel != [kh, kw] || b.data.len() != units {
        return Err(format!("{:?}, {:?} and {:?} do not fit", x.shape, w.shape, b.shape));
    }
    let [results, columns] = slide.size;
    let mut data = Vec::with_capacity(rows * units * results * columns);
    for (row, unit) in (0..rows).flat_map(|row| (0..units).map(move |unit| (row, unit))) {
        let from = data.len();
        data.resize(from + results * columns, b.data[unit]);
        let result = &mut data[from..];
        for (channel, i) in (0..channels).flat_map(|channel| (0..kh).map(move |i| (channel, i))) {
            let image = &x.data[(row * channels + channel) * height * width..][..height * width];
            let filter = &w.data[((unit * channels + channel) * kh + i) * kw..][..kw];
            for y in 0..results {
                // A line of the padding is zeros and adds nothing.
                let Some(line) = slide.source(0, y, i, height) else { continue };
                let line = &image[line * width..][..width];
                for (j, w) in filter.iter().enumerate() {
                    for (at, sum) in result[y * columns..][..columns].iter_mut().enumerate() {
                        *sum += slide.source(1, at, j, width).map_or(0.0, |place| w * line[place]);
                    }
                }
            }
        }
    }
    Ok(Value { shape: vec![rows, units, results, columns], data })
}

/// Joins what each window sees inside of the image.
fn pool(
    node: &Node,
    x: &Value,
    start: f64,
    join: fn(f64, f64) -> f64,
    finish: fn(f64, usize) -> f64,
) -> Result<Value, String> {
    let [rows, channels, height, width] = four(x)?;
    let slide = Slide::new(node, [height, width])?;
    let ([results, columns], [kh, kw]) = (slide.size, slide.kernel);
    let mut data = Vec::with_capacity(rows * channels * results * columns);
    for image in x.data.chunks_exact((height * width).max(1)) {
        for (y, at) in (0..results).flat_map(|y| (0..columns).map(move |at| (y, at))) {
            let (mut joined, mut count) = (start, 0);
            for (i, j) in (0..kh).flat_map(|i| (0..kw).map(move |j| (i, j))) {
                if let (Some(line), Some(place)) = (slide.source(0, y, i, height), slide.source(1, at, j, width)) {
                    (joined, count) = (join(joined, image[line * width + place]), count + 1);
                }
            }
            data.push(finish(joined, count));
        }
    }
    Ok(Value { shape: vec![rows, channels, results, columns], data })
}

/// Zeros around images.
fn pad(x: &Value, pads: &Value) -> Result<Value, String> {
    let [rows, channels, height, width] = four(x)?;
    let [0.0, 0.0, top, left, 0.0, 0.0, bottom, right] = pads.data[..] else {
        return Err("it pads more than images".into());
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "written from sizes")]
    let [top, left, bottom, right] = [top, left, bottom, right].map(|size| size as usize);
    let (padded, columns) = (height + top + bottom, width + left + right);
    let mut data = vec![0.0; rows * channels * padded * columns];
    for (image, result) in x.data.chunks_exact(height * width).zip(data.chunks_exact_mut(padded * columns)) {
        for (line, result) in image.chunks_exact(width).zip(result.chunks_exact_mut(columns).skip(top)) {
            result[left..][..width].copy_from_slice(line);
        }
    }
    Ok(Value { shape: vec![rows, channels, padded, columns], data })
}
