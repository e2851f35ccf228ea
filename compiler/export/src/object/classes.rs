//! What a network of classes has besides its prediction: classes, probabilities, and the names of both ends.

use super::Fault;
use super::functions::sigmoid;
use super::machine::{Machine, Numbers, Unit as Object, size};
use crate::c::{Words, has_feature_names};
use crate::network::Network;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_module::{DataDescription, Linkage, Module};

/// All of it.
pub(super) fn functions(object: &mut Object, network: &Network, words: &Words) -> Result<(), Fault> {
    let prefix = &words.prefix;
    if has_feature_names(network) {
        names(object, &format!("{prefix}_feature_names"), &network.inputs.names)?;
    }
    if network.outputs.classes.is_empty() {
        return Ok(());
    }
    names(object, &format!("{prefix}_class_names"), &network.outputs.classes)?;
    let width = network.outputs.width;
    let class = object.declare(Some(&format!("{prefix}_class")), 1, Some(I64))?;
    object.define(class, |m, arguments| {
        let scores = Numbers(arguments[0]);
        Ok(Some(if width == 1 { second(m, scores) } else { largest(m, scores, width)?.0 }))
    })?;
    let probabilities = object.declare(Some(&format!("{prefix}_probabilities")), 3, None)?;
    object.define(probabilities, |m, arguments| {
        let &[scores, rows, to] = arguments else { return Err(Fault("probabilities have three arguments".into())) };
        each_row(m, rows, |m, row| match width {
            1 => of_one_score(m, Numbers(scores), row, Numbers(to)),
            _ => softmax(m, (Numbers(scores), Numbers(to)), row, width),
        })?;
        Ok(None)
    })
}

/// Nothing for no rows.
fn each_row(
    m: &mut Machine<'_>,
    rows: Value,
    body: impl FnOnce(&mut Machine<'_>, Value) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let (begin, done) = (m.b.create_block(), m.b.create_block());
    let some = m.b.ins().icmp_imm_s(IntCC::NotEqual, rows, 0);
    m.b.ins().brif(some, begin, &[], done, &[]);
    m.b.switch_to_block(begin);
    m.b.seal_block(begin);
    m.fold_until(rows, &[], |m, row, _| body(m, row).map(|()| vec![]))?;
    m.b.ins().jump(done, &[]);
    m.b.switch_to_block(done);
    m.b.seal_block(done);
    Ok(())
}

/// Of one score: is it above 0?
fn second(m: &mut Machine<'_>, scores: Numbers) -> Value {
    let (first, zero) = (m.whole(0), m.number(0.0));
    let score = m.load(scores, first);
    let above = m.b.ins().fcmp(FloatCC::GreaterThan, score, zero);
    m.b.ins().uextend(I64, above)
}

/// The place of the largest score, the first of equal ones, and the score.
fn largest(m: &mut Machine<'_>, scores: Numbers, width: usize) -> Result<(Value, Value), Fault> {
    let first = m.whole(0);
    let score = m.load(scores, first);
    let found = m.fold(width, &[first, score], |m, i, best| {
        let score = m.load(scores, i);
        let greater = m.b.ins().fcmp(FloatCC::GreaterThan, score, best[1]);
        Ok(vec![m.b.ins().select(greater, i, best[0]), m.b.ins().select(greater, score, best[1])])
    })?;
    Ok((found[0], found[1]))
}

fn of_one_score(m: &mut Machine<'_>, scores: Numbers, row: Value, to: Numbers) -> Result<(), Fault> {
    let score = m.load(scores, row);
    let negative = m.b.ins().fneg(score);
    for (class, score) in [negative, score].into_iter().enumerate() {
        let share = sigmoid(m, score)?;
        let at = m.place(row, 2, class);
        m.store(share, to, at);
    }
    Ok(())
}

fn softmax(m: &mut Machine<'_>, (scores, to): (Numbers, Numbers), row: Value, width: usize) -> Result<(), Fault> {
    let bytes = m.precision.bytes();
    let (from, to) = (m.address(scores, row, width * bytes), m.address(to, row, width * bytes));
    let (from, to) = (Numbers(from), Numbers(to));
    let (_, top) = largest(m, from, width)?;
    let zero = m.number(0.0);
    let sum = m.fold(width, &[zero], |m, i, sum| {
        let score = m.load(from, i);
        let below = m.b.ins().fsub(score, top);
        let power = m.libm("exp", &[below])?;
        m.store(power, to, i);
        Ok(vec![m.b.ins().fadd(sum[0], power)])
    })?;
    m.each(width, |m, i| {
        let power = m.load(to, i);
        let share = m.b.ins().fdiv(power, sum[0]);
        m.store(share, to, i);
        Ok(())
    })
}

/// An array of texts in UTF-8, each ended by a zero.
fn names(object: &mut Object, symbol: &str, names: &[String]) -> Result<(), Fault> {
    let mut texts = vec![];
    for name in names {
        // A zero within a name would end it, as it does in C.
        texts.push(object.data(name.bytes().chain([0]).collect())?);
    }
    let array = object.module.declare_data(symbol, Linkage::Export, false, false)?;
    let mut description = DataDescription::new();
    description.define(vec![0; 8 * names.len()].into_boxed_slice());
    description.set_align(8);
    for (place, text) in texts.into_iter().enumerate() {
        let text = object.module.declare_data_in_data(text, &mut description);
        let at = u32::try_from(size(8 * place)).map_err(|_| Fault(format!("{symbol} is too large")))?;
        description.write_data_addr(at, text, 0);
    }
    object.module.define_data(array, &description)?;
    Ok(())
}
