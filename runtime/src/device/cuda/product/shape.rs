//! A product as cuBLASLt sees it.

use super::super::super::DeviceError;
use cudarc::cublaslt::sys::cublasLtEpilogue_t;
use gmpc_compiler::backend::cuda::{Operand, Product};
use gmpc_compiler::experiment::{Contractions, Precision};

/// A product with the operands as the library sees them: column by column, so that what it calls m, a is our n, b.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) m: u64,
    pub(super) n: u64,
    pub(super) k: u64,
    pub(super) a: Side,
    pub(super) b: Side,
    /// Numbers between the columns (our rows) of the result.
    pub(super) step: i64,
    /// Bytes that the addresses of result and bias are multiples of, 16 at most.
    pub(super) aligned: u32,
    pub(super) bias: bool,
    pub(super) relu: bool,
    /// Are the numbers of result and bias bfloat16?
    pub(super) half: bool,
}

/// How an operand lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) turned: bool,
    pub(super) step: i64,
    /// Bytes that its address is a multiple of, 16 at most.
    pub(super) aligned: u32,
}

impl Shape {
    /// # Errors
    /// A size that the library cannot count.
    pub(super) fn new(product: &Product, precision: Precision) -> Result<Self, DeviceError> {
        let uncountable = |n: usize| DeviceError { message: format!("cuBLASLt cannot count to {n}"), help: None };
        let size = |n: usize| i32::try_from(n).map(i64::from).map_err(|_| uncountable(n));
        let count = |n: usize| u32::try_from(n).map(u64::from).map_err(|_| uncountable(n));
        let multiplied = width(precision, product.contractions);
        // Rows of ours side by side are columns of theirs side by side: nothing to turn.
        let side = |operand: &Operand, rows: usize, columns: usize| {
            let (turned, step, least) = match operand.columns == 1 || columns == 1 && operand.rows != 1 {
                true => (false, operand.rows, columns),
                false => (true, operand.columns, rows),
            };
            Ok(Side { turned, step: size(step.max(least).max(1))?, aligned: aligned(operand, multiplied) })
        };
        let (m, n, k) = (product.m, product.n, product.k);
        Ok(Shape {
            m: count(n)?,
            n: count(m)?,
            k: count(k)?,
            a: side(&product.b, k, n)?,
            b: side(&product.a, m, k)?,
            step: size(product.c.rows.max(n).max(1))?,
            aligned: [Some(product.c), product.bias]
                .iter()
                .flatten()
                .map(|o| aligned(o, result_width(precision, product.half)))
                .min()
                .unwrap_or(16),
            bias: product.bias.is_some(),
            relu: product.relu,
            half: product.half,
        })
    }

    /// What the library is to do after the sums; `None` where nothing is to be done, or not in this precision.
    pub(super) fn epilogue(&self, precision: Precision) -> Option<cublasLtEpilogue_t> {
        match (precision, self.bias, self.relu) {
            (Precision::F64, ..) | (_, false, false) => None,
            (_, true, false) => Some(cublasLtEpilogue_t::CUBLASLT_EPILOGUE_BIAS),
            (_, false, true) => Some(cublasLtEpilogue_t::CUBLASLT_EPILOGUE_RELU),
            (_, true, true) => Some(cublasLtEpilogue_t::CUBLASLT_EPILOGUE_RELU_BIAS),
        }
    }
}

/// Regions begin at multiples of 64 bytes.
fn aligned(operand: &Operand, width: usize) -> u32 {
    if (operand.offset * width).is_multiple_of(16) { 16 } else { width as u32 }
}

/// Bytes of a number that is multiplied.
pub(in super::super) fn width(precision: Precision, contractions: Contractions) -> usize {
    if contractions == Contractions::Bf16 { 2 } else { precision.bytes() }
}

/// Bytes of a number of the result, and of the bias.
pub(in super::super) fn result_width(precision: Precision, half: bool) -> usize {
    if half { 2 } else { precision.bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_compiler::backend::cuda::Region;
    use gmpc_compiler::plan::Address;

    fn operand(rows: usize, columns: usize) -> Operand {
        let region = Region { address: Address::Scratch(0), bytes: 0, read: true, written: false };
        Operand { region, offset: 0, rows, columns }
    }

    fn product([m, n, k]: [usize; 3], a: Operand, b: Operand) -> Product {
        let (c, contractions) = (operand(n, 1), Contractions::Full);
        Product { m, n, k, a, b, c, bias: None, relu: false, contractions, half: false }
    }

    fn shape(sizes: [usize; 3], a: Operand, b: Operand) -> Shape {
        Shape::new(&product(sizes, a, b), Precision::F32).unwrap()
    }

    fn side(turned: bool, step: i64) -> Side {
        Side { turned, step, aligned: 16 }
    }

    #[test]
    fn rows_side_by_side_are_columns_there() {
        let plain = shape([64, 100, 13], operand(13, 1), operand(100, 1));
        assert_eq!((plain.m, plain.n, plain.k, plain.step), (100, 64, 13, 100));
        assert_eq!((plain.a, plain.b), (side(false, 100), side(false, 13)));
        let turned = shape([13, 100, 64], operand(1, 13), operand(100, 1));
        assert_eq!(turned.b, side(true, 13));
        let turned = shape([64, 13, 100], operand(100, 1), operand(1, 100));
        assert_eq!(turned.a, side(true, 100));
    }

    #[test]
    fn a_single_column_may_lie_any_way() {
        // Columns of one number: the step between rows is what counts.
        assert_eq!(shape([8, 1, 5], operand(5, 1), operand(3, 7)).a, side(false, 3));
        assert_eq!(shape([8, 1, 5], operand(5, 1), operand(1, 1)).a, side(false, 1));
        let huge = product([1 << 40, 1, 1], operand(1, 1), operand(1, 1));
        assert!(Shape::new(&huge, Precision::F32).is_err());
    }

    #[test]
    fn the_library_finishes_in_single_precision() {
        use cublasLtEpilogue_t::{CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU_BIAS};
        let plain = shape([64, 100, 13], operand(13, 1), operand(100, 1));
        assert_eq!(plain.epilogue(Precision::F32), None);
        let both = Shape { bias: true, relu: true, ..plain };
        assert_eq!(both.epilogue(Precision::F32), Some(CUBLASLT_EPILOGUE_RELU_BIAS));
        assert_eq!(both.epilogue(Precision::F64), None);
        let bias = Shape { bias: true, ..plain };
        assert_eq!(bias.epilogue(Precision::F32), Some(CUBLASLT_EPILOGUE_BIAS));
    }

    #[test]
    fn an_operand_within_another_says_how_it_is_aligned() {
        let within = Operand { offset: 5, ..operand(100, 1) };
        assert_eq!(shape([64, 100, 13], operand(13, 1), within).a.aligned, 4);
        let within = Operand { offset: 8, ..operand(100, 1) };
        assert_eq!(shape([64, 100, 13], operand(13, 1), within).a.aligned, 16);
        // A result and a bias of 2 bytes a number: four numbers on are 8 bytes on.
        let plain = product([64, 100, 13], operand(13, 1), operand(100, 1));
        let rounded =
            Product { bias: Some(Operand { offset: 4, ..operand(100, 1) }), contractions: Contractions::Bf16, ..plain };
        assert_eq!(Shape::new(&rounded, Precision::F32).unwrap().aligned, 16);
        let rounded = Product { half: true, ..rounded };
        assert_eq!(Shape::new(&rounded, Precision::F32).unwrap().aligned, 2);
    }
}
