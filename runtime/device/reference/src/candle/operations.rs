//! One operation of a graph as calls to candle. The arms have the order of [`Op`].

mod windows;

use candle_core::{DType, Result, Tensor};
use gmpc_compiler::ir::graph::{Graph, Id, Node, Op};

/// The value of a node that is not a leaf, from the values of the nodes before it.
///
/// # Errors
/// Candle refuses, or the operation belongs to no training program ([`Op::Angles`]).
pub fn compute(graph: &Graph, node: &Node, values: &[Tensor]) -> Result<Tensor> {
    let a = || operand(node, values, 0);
    let b = || operand(node, values, 1);
    let c = || operand(node, values, 2);
    // Candle wants operands of equal shape and contiguous memory, hence the calls of `contiguous` after every view.
    match &node.op {
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => unsupported("a leaf"),
        Op::Neg => a()?.neg(),
        Op::Abs => a()?.abs(),
        Op::Exp => a()?.exp(),
        Op::Log => a()?.log(),
        Op::Log1p => log1p(a()?),
        Op::Sqrt => a()?.sqrt(),
        Op::Sin => a()?.sin(),
        Op::Cos => a()?.cos(),
        Op::Tanh => a()?.tanh(),
        Op::Erf => a()?.erf(),
        Op::Add => a()?.add(b()?),
        Op::Sub => a()?.sub(b()?),
        Op::Mul => a()?.mul(b()?),
        Op::Div => a()?.div(b()?),
        // min(a, b) = -max(-a, -b), so that NaN is treated in one place.
        Op::Max => larger(a()?, b()?),
        Op::Min => larger(&a()?.neg()?, &b()?.neg()?)?.neg(),
        Op::Pow => power(graph, node, a()?, b()?),
        Op::Less => truth(a()?.lt(b()?)?, a()?),
        Op::LessEqual => truth(a()?.le(b()?)?, a()?),
        Op::Equal => truth(a()?.eq(b()?)?, a()?),
        Op::Select => a()?.ne(&a()?.zeros_like()?)?.where_cond(b()?, c()?),
        Op::Reshape => a()?.contiguous()?.reshape(node.shape.as_slice()),
        Op::Transpose(axes) => a()?.permute(axes.as_slice())?.contiguous(),
        Op::Broadcast => a()?.broadcast_as(node.shape.as_slice())?.contiguous(),
        Op::Slice { axis, start } => a()?.narrow(*axis, *start, node.shape[*axis])?.contiguous(),
        Op::Concat { axis } => {
            let parts: Vec<&Tensor> = node.inputs.iter().map(|id| &values[id.index()]).collect();
            Tensor::cat(&parts, *axis)
        }
        Op::Pad { axis, before } => {
            let after = node.shape[*axis] - before - a()?.dim(*axis)?;
            a()?.pad_with_zeros(*axis, *before, after)?.contiguous()
        }
        Op::Sum(axes) => sum(a()?, axes),
        Op::MaxOver(axes) => largest(a()?, axes),
        Op::MatMul { transpose_a, transpose_b } => {
            transposed_if(a()?, *transpose_a)?.matmul(&transposed_if(b()?, *transpose_b)?)
        }
        // Optional operands follow the required ones: the scale and the shift of images, or the scale of a pool.
        Op::Convolve(window) => windows::convolve(window, &prepared(node, values)?, b()?, &node.shape),
        Op::ConvolveInput(window) => windows::convolve_input(window, a()?, b()?, &node.shape),
        Op::ConvolveWeight(window) => windows::convolve_weight(window, &prepared(node, values)?, b()?, &node.shape),
        Op::MaxPool(window) => windows::max_pool(window, &scaled(node, values, 1)?, &node.shape),
        Op::MaxPoolGrad(window) => windows::max_pool_grad(window, &scaled(node, values, 2)?, b()?),
        Op::SumPool(window) => windows::sum_pool(window, a()?, &node.shape),
        Op::SumPoolGrad(window) => windows::sum_pool_grad(window, a()?, &node.shape),
        Op::Spherical => spherical(a()?),
        Op::SphericalGrad => spherical_grad(a()?, b()?),
        Op::Angles | Op::Orthogonal => unsupported(node.op.name()),
    }
}

fn operand<'a>(node: &Node, values: &'a [Tensor], place: usize) -> Result<&'a Tensor> {
    let id = node.inputs.get(place).ok_or_else(|| candle_core::Error::Msg("an operand is missing".into()))?;
    Ok(&values[id.index()])
}

/// The images of a convolution, times their scale plus their shift if the node has these operands.
fn prepared(node: &Node, values: &[Tensor]) -> Result<Tensor> {
    let x = operand(node, values, 0)?;
    match node.inputs.len() {
        4 => x.broadcast_mul(operand(node, values, 2)?)?.broadcast_add(operand(node, values, 3)?),
        _ => Ok(x.clone()),
    }
}

/// The images of a pool, times their scale if the node has an operand at `place`.
fn scaled(node: &Node, values: &[Tensor], place: usize) -> Result<Tensor> {
    let x = operand(node, values, 0)?;
    if node.inputs.len() > place { x.broadcast_mul(operand(node, values, place)?) } else { Ok(x.clone()) }
}

fn unsupported(what: &str) -> Result<Tensor> {
    candle_core::bail!("{what} is not an operation of a training program")
}

/// A mask as 0 and 1 in the type of `like`.
fn truth(holds: Tensor, like: &Tensor) -> Result<Tensor> {
    holds.to_dtype(like.dtype())
}

/// The larger of two values; NaN if either is NaN. Candle's own `maximum` loses a NaN on its right.
fn larger(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let larger = a.gt(b)?.where_cond(a, b)?;
    a.ne(a)?.where_cond(a, &larger)
}

/// The sum over axes, in double precision: sums of gradients cancel, and single precision would keep few of their digits.
fn sum(x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    x.to_dtype(DType::F64)?.sum_keepdim(axes)?.to_dtype(x.dtype())
}

/// The largest element over axes; NaN if any element is NaN.
fn largest(a: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let mut result = a.clone();
    for &axis in axes {
        let parts = (0..result.dim(axis)?).map(|i| result.narrow(axis, i, 1)?.contiguous());
        result = parts.reduce(|a, b| larger(&a?, &b?)).unwrap_or_else(|| unsupported("the largest of nothing"))?;
    }
    Ok(result)
}

/// log(1 + a), which candle does not have. Computed in double precision; the rounding error of 1 + a is added back.
fn log1p(a: &Tensor) -> Result<Tensor> {
    let kind = a.dtype();
    let a = a.to_dtype(DType::F64)?;
    let sum = (&a + 1.0)?;
    let lost = (&a - (&sum - 1.0)?)?;
    (sum.log()? + (lost / &sum)?)?.to_dtype(kind)
}

/// a^b. Candle's `pow` takes a logarithm and fails for negative bases, so a constant exponent uses `powf`.
fn power(graph: &Graph, node: &Node, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match constant(graph, node.inputs[1]) {
        Some(exponent) => a.powf(exponent),
        None => a.log()?.mul(b)?.exp(),
    }
}

/// The value of a constant, also behind broadcasts and reshapes. `None` for any other node.
fn constant(graph: &Graph, mut id: Id) -> Option<f64> {
    loop {
        if let Op::Const(number) = graph[id].op {
            return Some(number);
        }
        let repeats = matches!(graph[id].op, Op::Broadcast | Op::Reshape);
        id = *graph[id].inputs.first().filter(|_| repeats)?;
    }
}

fn transposed_if(a: &Tensor, transposed: bool) -> Result<Tensor> {
    if transposed { a.t()?.contiguous() } else { a.contiguous() }
}

/// Unit vectors: u_k = sin t_1 … sin t_{k-1} cos t_k, u_n = sin t_1 … sin t_{n-1}. Each angle is one row.
fn spherical(theta: &Tensor) -> Result<Tensor> {
    let (angles, units) = theta.dims2()?;
    let mut prefix = Tensor::ones((1, units), theta.dtype(), theta.device())?;
    let mut rows = Vec::with_capacity(angles + 1);
    for i in 0..angles {
        let row = theta.narrow(0, i, 1)?.contiguous()?;
        rows.push(prefix.mul(&row.cos()?)?);
        prefix = prefix.mul(&row.sin()?)?;
    }
    rows.push(prefix);
    Tensor::cat(&rows, 0)
}

/// The gradient at the angles: dL/dt_i = P_i (cos t_i F_{i+1} - g_i sin t_i), with F_n = g_n and
/// F_i = g_i cos t_i + sin t_i F_{i+1}. P_i is the product of the sines before angle i.
fn spherical_grad(theta: &Tensor, g: &Tensor) -> Result<Tensor> {
    let (angles, units) = theta.dims2()?;
    if angles == 0 {
        return Ok(theta.clone());
    }
    let row = |t: &Tensor, i: usize| t.narrow(0, i, 1)?.contiguous();
    let mut prefix = Tensor::ones((1, units), theta.dtype(), theta.device())?;
    let mut prefixes = Vec::with_capacity(angles);
    for i in 0..angles {
        prefixes.push(prefix.clone());
        prefix = prefix.mul(&row(theta, i)?.sin()?)?;
    }
    let mut f = row(g, angles)?;
    let mut rows = Vec::with_capacity(angles);
    for i in (0..angles).rev() {
        let (sin, cos, g) = (row(theta, i)?.sin()?, row(theta, i)?.cos()?, row(g, i)?);
        rows.push(prefixes[i].mul(&cos.mul(&f)?.sub(&g.mul(&sin)?)?)?);
        f = g.mul(&cos)?.add(&sin.mul(&f)?)?;
    }
    rows.reverse();
    Tensor::cat(&rows, 0)
}
