//! Operators that change shapes: repetition, reshapes, reductions.

use super::Value;

/// The shape that two operands are repeated to.
pub(super) fn common(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |place| shape[place]);
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (1, size) | (size, 1) => Ok(size),
            (a, b) if a == b => Ok(a),
            _ => Err(format!("{a:?} and {b:?} do not fit")),
        })
        .collect()
}

/// A value, repeated to a shape.
pub(super) fn repeated(small: &Value, shape: &[usize]) -> Result<Value, String> {
    let missing = shape.len().checked_sub(small.shape.len()).ok_or("it has too many axes")?;
    let padded: Vec<usize> = std::iter::repeat_n(1, missing).chain(small.shape.iter().copied()).collect();
    if padded.iter().zip(shape).any(|(small, large)| small != large && *small != 1) {
        return Err(format!("{:?} is not repeated to {shape:?}", small.shape));
    }
    let place = |mut index: usize| {
        let (mut at, mut step) = (0, 1);
        for (&size, &own) in shape.iter().zip(&padded).rev() {
            at += if own == 1 { 0 } else { index % size * step };
            (index, step) = (index / size, step * own);
        }
        at
    };
    let count: usize = shape.iter().product();
    Ok(Value { shape: shape.to_vec(), data: (0..count).map(|index| small.data[place(index)]).collect() })
}

/// `yes` where the condition holds, else `no`.
pub(super) fn choose(condition: &Value, yes: &Value, no: &Value) -> Result<Value, String> {
    let shape = common(&common(&condition.shape, &yes.shape)?, &no.shape)?;
    let [condition, yes, no] = [repeated(condition, &shape)?, repeated(yes, &shape)?, repeated(no, &shape)?];
    let chosen = condition.data.iter().zip(yes.data.iter().zip(&no.data));
    Ok(Value { shape, data: chosen.map(|(holds, (yes, no))| if *holds == 0.0 { *no } else { *yes }).collect() })
}

/// The same numbers; 0 stands for the size of the axis before.
pub(super) fn reshape(x: &Value, sizes: &Value) -> Result<Value, String> {
    let asked = axes(&sizes.data)?;
    let size = |(axis, &size): (usize, &usize)| match size {
        0 => x.shape.get(axis).copied().ok_or_else(|| format!("it has no axis {axis}")),
        size => Ok(size),
    };
    let shape = asked.iter().enumerate().map(size).collect::<Result<Vec<usize>, String>>()?;
    match shape.iter().product::<usize>() == x.data.len() {
        true => Ok(Value { shape, data: x.data.clone() }),
        false => Err(format!("{:?} is no {shape:?}", x.shape)),
    }
}

/// Repeated to a shape, where 1 stands for any size.
pub(super) fn expand(x: &Value, sizes: &Value) -> Result<Value, String> {
    repeated(x, &common(&x.shape, &axes(&sizes.data)?)?)
}

/// Whole numbers.
pub(super) fn axes(numbers: &[f64]) -> Result<Vec<usize>, String> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and small")]
    let whole = |&number: &f64| match number.fract() == 0.0 && (0.0..1e9).contains(&number) {
        true => Ok(number as usize),
        false => Err(format!("{number} is no size")),
    };
    numbers.iter().map(whole).collect()
}

/// Joins the numbers along axes, which stay with size 1.
pub(super) fn reduce(x: &Value, axes: &[usize], start: f64, join: fn(f64, f64) -> f64) -> Result<Value, String> {
    let kept = |(axis, &size): (usize, &usize)| if axes.contains(&axis) { 1 } else { size };
    let shape: Vec<usize> = x.shape.iter().enumerate().map(kept).collect();
    let mut data = vec![start; shape.iter().product()];
    for (index, &number) in x.data.iter().enumerate() {
        let (mut rest, mut at, mut step) = (index, 0, 1);
        for (&size, &own) in x.shape.iter().zip(&shape).rev() {
            at += if own == 1 { 0 } else { rest % size * step };
            (rest, step) = (rest / size, step * own);
        }
        data[at] = join(data[at], number);
    }
    Ok(Value { shape, data })
}
