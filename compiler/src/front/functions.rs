//! The functions of the language, one line each: the only list of them.
//!
//! Every vocabulary of the interpreter finds its functions here, and help lines ("did you mean …?") are made from this list.
//! `op` says what a function computes if it is a single operation. Otherwise the vocabulary computes it.

use crate::ir::graph::Op;
use Dialect::{Constants, Definitions, Formulas, Initializers, Measures, Parameterizations, Schedules, Stages};
use Over::{Batch, Each, Inputs, Row};

/// Where a function can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Values known at compile time: sizes, settings, arguments.
    Constants,
    /// The formula of a data set.
    Formulas,
    /// The body of any definition.
    Definitions,
    /// The body of a parameterization or a modifier.
    Parameterizations,
    /// The body of a stage.
    Stages,
    /// Initial values of parameters: right of `~` and `=`, in a `from` section, in an initializer.
    Initializers,
    /// The body of a loss or a metric.
    Measures,
    /// The body of a schedule.
    Schedules,
}

/// The axes that a function reduces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// None: the function is elementwise.
    Each,
    /// The inputs of each unit: `[fan_in, units]` becomes `[1, units]`. The product with a batch of examples becomes
    /// `[rows, units]`.
    Inputs,
    /// All rows of the batch, and all pixels of a unit.
    Batch,
    /// The values of each row.
    Row,
}

/// One function.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Its name in the language.
    pub name: &'static str,
    /// How many arguments it takes. Several numbers if it can be called in several ways, in ascending order.
    pub arguments: &'static [usize],
    /// The operation that computes it, for numbers and nodes alike. `None` if it is not a single operation.
    pub op: Option<Op>,
    /// Where it can be called, and which axes it reduces there.
    pub meanings: &'static [(Dialect, Over)],
    /// One line of documentation.
    pub about: &'static str,
}

impl Function {
    /// The largest number of arguments.
    #[must_use]
    pub fn most_arguments(&self) -> usize {
        self.arguments.last().copied().unwrap_or(0)
    }

    /// Can it be called in one of these dialects?
    #[must_use]
    pub fn is_known(&self, dialects: &[Dialect]) -> bool {
        self.meanings.iter().any(|(dialect, _)| dialects.contains(dialect))
    }
}

/// Returns the function of this name, if it can be called in one of these dialects.
#[must_use]
pub fn find(name: &str, dialects: &[Dialect]) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name && function.is_known(dialects))
}

/// Returns the names of all functions that can be called in one of these dialects. The functions of the first dialect come
/// first. Within a dialect the order is alphabetical.
pub fn names(dialects: &'static [Dialect]) -> impl Iterator<Item = &'static str> + Clone {
    let of = |place: usize| {
        let (before, own) = (&dialects[..place], &dialects[place..=place]);
        FUNCTIONS.iter().filter(|function| function.is_known(own) && !function.is_known(before))
    };
    (0..dialects.len()).flat_map(of).map(|function| function.name)
}

const fn row(
    name: &'static str,
    arguments: &'static [usize],
    op: Option<Op>,
    meanings: &'static [(Dialect, Over)],
    about: &'static str,
) -> Function {
    Function { name, arguments, op, meanings, about }
}

/// Constants, formulas, definitions and schedules.
const NUMBERS: &[(Dialect, Over)] = &[(Constants, Each), (Formulas, Each), (Definitions, Each), (Schedules, Each)];
/// Constants, definitions and schedules; whole constants stay whole.
const CHOICE: &[(Dialect, Over)] = &[(Constants, Each), (Definitions, Each), (Schedules, Each)];
/// Formulas, definitions and schedules.
const CURVE: &[(Dialect, Over)] = &[(Formulas, Each), (Definitions, Each), (Schedules, Each)];
/// Constants and schedules.
const WHOLE: &[(Dialect, Over)] = &[(Constants, Each), (Schedules, Each)];
/// Definitions only.
const DEFINED: &[(Dialect, Over)] = &[(Definitions, Each)];
/// Definitions, over the inputs of a unit; measures, over the values of a row.
const REDUCED: &[(Dialect, Over)] = &[(Definitions, Inputs), (Measures, Row)];
/// Definitions, over the inputs of a unit; parameterizations and stages, over the batch; measures, over the values of a row.
const STATISTIC: &[(Dialect, Over)] =
    &[(Definitions, Inputs), (Parameterizations, Batch), (Stages, Batch), (Measures, Row)];
/// As [`STATISTIC`], but in measures over the batch and the outputs.
const MEAN: &[(Dialect, Over)] =
    &[(Definitions, Inputs), (Parameterizations, Batch), (Stages, Batch), (Measures, Batch)];

/// Every function, in alphabetical order.
#[rustfmt::skip] // one line a function
pub static FUNCTIONS: [Function; 44] = [
    row("abs", &[1], Some(Op::Abs), NUMBERS, "the absolute value"),
    row("act", &[1], None, &[(Parameterizations, Each)], "the activation of the unit"),
    row("angles", &[1], None, &[(Initializers, Inputs)], "the angles of weight vectors"),
    row("area", &[2], None, &[(Measures, Batch)], "the area under the ROC curve of all rows, of two classes"),
    row("ceil", &[1], None, WHOLE, "the next whole number that is not smaller"),
    row("classes", &[1], None, &[(Measures, Row)], "a weight for each class: those of a list, or `balanced` ones"),
    row("cos", &[1], Some(Op::Cos), CURVE, "the cosine of radians"),
    row("count", &[1], None, &[(Schedules, Row)], "how many items of a list are true"),
    row("delta", &[0], None, &[(Initializers, Inputs)], "1 at the input that has the number of the unit, in the middle of a window"),
    row("dot", &[2], None, &[(Parameterizations, Inputs)], "the product of a weight and the input"),
    row("drawn", &[1], None, &[(Initializers, Inputs)], "the vectors that drawn angles were taken from"),
    row("erf", &[1], Some(Op::Erf), DEFINED, "the error function"),
    row("exp", &[1], Some(Op::Exp), NUMBERS, "e to the power of the value"),
    row("floor", &[1], None, WHOLE, "the next whole number that is not larger"),
    row("groups", &[2], None, DEFINED, "the features of a batch in this number of groups, for `over = group`"),
    row("half_sphere", &[1], None, &[(Initializers, Inputs)], "weight vectors with their last coordinate made non-negative"),
    row("log", &[1], Some(Op::Log), NUMBERS, "the natural logarithm"),
    row("log1p", &[1], Some(Op::Log1p), NUMBERS, "the natural logarithm of 1 + the value"),
    row("log_sum_exp", &[1], None, &[(Measures, Row)], "the logarithm of the sum of e to the scores, without overflow"),
    row("max", &[2], Some(Op::Max), CHOICE, "the larger of two values"),
    row("mean", &[1], None, MEAN, "the mean"),
    row("mean_f1", &[2], None, &[(Measures, Batch)], "the mean over classes of F1, from the counts of all rows"),
    row("min", &[2], Some(Op::Min), CHOICE, "the smaller of two values"),
    row("norm", &[1], None, REDUCED, "the Euclidean length"),
    row("normal", &[0, 2], None, &[(Initializers, Each)], "random numbers, normally distributed with mean 0 and variance 1, perhaps within two bounds"),
    row("orthonormal", &[1], None, &[(Initializers, Inputs)], "a matrix whose columns, or rows if these are fewer, are made orthonormal"),
    row("pick", &[2], None, &[(Measures, Row)], "the score of the label"),
    row("product", &[2], None, DEFINED, "the matrix product of two parameters, such as `[units, rank]` and `[rank, inputs]`"),
    row("rank", &[2], None, &[(Measures, Row)], "how many classes come before the label's by their scores"),
    row("relu", &[1], None, DEFINED, "the value above 0, else 0"),
    row("select", &[3], None, DEFINED, "the second value where the first one is not 0, else the third one"),
    row("sigmoid", &[1], None, DEFINED, "1 / (1 + e^-x)"),
    row("sign", &[1], None, DEFINED, "-1 below 0, else 1"),
    row("sin", &[1], Some(Op::Sin), CURVE, "the sine of radians"),
    row("softmax", &[1], None, &[(Measures, Row)], "the probabilities that scores stand for"),
    row("softplus", &[1], None, DEFINED, "log(1 + e^x)"),
    row("spherical", &[1], None, &[(Parameterizations, Inputs), (Initializers, Inputs)], "the unit vectors of angles"),
    row("sqrt", &[1], Some(Op::Sqrt), NUMBERS, "the square root"),
    row("stop_gradient", &[1], None, DEFINED, "the value; no gradient goes back through it"),
    row("sum", &[1], None, REDUCED, "the sum"),
    row("tanh", &[1], Some(Op::Tanh), CURVE, "the hyperbolic tangent"),
    row("transpose", &[1], None, DEFINED, "the transpose of a parameter with two axes"),
    row("uniform", &[0, 2], None, &[(Initializers, Each)], "random numbers, uniform from 0 to 1 or between two bounds"),
    row("var", &[1], None, STATISTIC, "the variance"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lie_in_alphabetical_order_and_say_what_they_do() {
        let names: Vec<&str> = FUNCTIONS.iter().map(|f| f.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        assert!(FUNCTIONS.iter().all(|f| !f.about.is_empty() && !f.meanings.is_empty() && !f.arguments.is_empty()));
    }

    #[test]
    fn every_function_of_a_formula_is_one_operation() {
        for function in FUNCTIONS.iter().filter(|f| f.is_known(&[Formulas])) {
            assert!(function.op.is_some() && function.arguments == [1], "{}", function.name);
        }
    }
}
