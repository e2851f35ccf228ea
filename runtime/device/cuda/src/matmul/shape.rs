//! A matmul as cuBLASLt sees it.

use cudarc::cublaslt::sys::cublasLtEpilogue_t;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::Dtype;
use gmpc_cuda::{MatMul, Operand};
use gmpc_device::DeviceError;

/// A matmul with column-major operands, as the library wants it. So the library computes the transpose: its m and a are
/// our n and b.
///
/// The `Debug` text of this type is part of the key under which a choice is stored: a renamed field makes old choices
/// unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) m: u64,
    pub(super) n: u64,
    pub(super) k: u64,
    pub(super) a: Side,
    pub(super) b: Side,
    /// Stride of the columns (our rows) of the result, in numbers.
    pub(super) step: i64,
    /// Alignment of the addresses of result and bias in bytes, at most 16.
    pub(super) aligned: u32,
    pub(super) bias: bool,
    pub(super) relu: bool,
    /// Dtype of the operands.
    pub(super) operands: Dtype,
    /// Dtype of result and bias.
    pub(super) result: Dtype,
}

/// The layout of an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Side {
    /// Does the library have to transpose it?
    pub(super) turned: bool,
    /// Stride of its columns in numbers.
    pub(super) step: i64,
    /// Alignment of its address in bytes, at most 16.
    pub(super) aligned: u32,
}

impl Shape {
    /// The shape of a matmul of ours.
    ///
    /// # Errors
    /// A size exceeds the integers of the library.
    pub(super) fn new(product: &MatMul) -> Result<Self, DeviceError> {
        let uncountable = |n: usize| DeviceError { message: format!("cuBLASLt cannot count to {n}"), help: None };
        let size = |n: usize| i32::try_from(n).map(i64::from).map_err(|_| uncountable(n));
        let count = |n: usize| u32::try_from(n).map(u64::from).map_err(|_| uncountable(n));
        // Our row-major operand is their column-major transpose, which needs no transposing. A stride of one that both
        // axes may claim (a single column) goes to the rows.
        let side = |operand: &Operand, rows: usize, columns: usize| {
            let (turned, step, least) = match operand.columns == 1 || columns == 1 && operand.rows != 1 {
                true => (false, operand.rows, columns),
                false => (true, operand.columns, rows),
            };
            Ok(Side { turned, step: size(step.max(least).max(1))?, aligned: aligned(operand) })
        };
        let (m, n, k) = (product.m, product.n, product.k);
        Ok(Shape {
            m: count(n)?,
            n: count(m)?,
            k: count(k)?,
            a: side(&product.b, k, n)?,
            b: side(&product.a, m, k)?,
            step: size(product.c.rows.max(n).max(1))?,
            aligned: [Some(product.c), product.bias].iter().flatten().map(aligned).min().unwrap_or(16),
            bias: product.bias.is_some(),
            relu: product.relu,
            operands: product.a.region.dtype,
            result: product.c.region.dtype,
        })
    }

    /// The epilogue that the library computes. `None` if there is none, or in double precision.
    pub(super) fn epilogue(&self, precision: Precision) -> Option<cublasLtEpilogue_t> {
        match (precision, self.bias, self.relu) {
            (Precision::F64, ..) | (_, false, false) => None,
            (_, true, false) => Some(cublasLtEpilogue_t::CUBLASLT_EPILOGUE_BIAS),
            (_, false, true) => Some(cublasLtEpilogue_t::CUBLASLT_EPILOGUE_RELU),
            (_, true, true) => Some(cublasLtEpilogue_t::CUBLASLT_EPILOGUE_RELU_BIAS),
        }
    }
}

/// Alignment of an operand in bytes, at most 16. Regions begin at multiples of 64 bytes, so only the offset matters.
#[expect(clippy::cast_possible_truncation, reason = "a number has at most 8 bytes")]
fn aligned(operand: &Operand) -> u32 {
    if operand.skipped().is_multiple_of(16) { 16 } else { operand.region.dtype.bytes() as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_compiler::ir::code::Address;
    use gmpc_compiler::ir::experiment::Contractions;
    use gmpc_cuda::Region;

    fn operand(rows: usize, columns: usize) -> Operand {
        numbers(Dtype::F32, rows, columns)
    }

    fn numbers(dtype: Dtype, rows: usize, columns: usize) -> Operand {
        let region = Region { address: Address::Scratch(0), dtype, bytes: 0, read: true, written: false };
        Operand { region, offset: 0, rows, columns }
    }

    fn matmul([m, n, k]: [usize; 3], a: Operand, b: Operand) -> MatMul {
        let (c, contractions) = (operand(n, 1), Contractions::Full);
        MatMul { m, n, k, a, b, c, bias: None, relu: false, contractions }
    }

    fn shape(sizes: [usize; 3], a: Operand, b: Operand) -> Shape {
        Shape::new(&matmul(sizes, a, b)).unwrap()
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
        // With a single column only the stride of the rows counts.
        assert_eq!(shape([8, 1, 5], operand(5, 1), operand(3, 7)).a, side(false, 3));
        assert_eq!(shape([8, 1, 5], operand(5, 1), operand(1, 1)).a, side(false, 1));
        let huge = matmul([1 << 40, 1, 1], operand(1, 1), operand(1, 1));
        assert!(Shape::new(&huge).is_err());
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
        // The bias begins four numbers into its region. That is a multiple of 16 bytes in f32, but not in bf16.
        let plain = matmul([64, 100, 13], operand(13, 1), operand(100, 1));
        let rounded =
            MatMul { bias: Some(Operand { offset: 4, ..operand(100, 1) }), contractions: Contractions::Bf16, ..plain };
        assert_eq!(Shape::new(&rounded).unwrap().aligned, 16);
        let bias = Some(Operand { offset: 4, ..numbers(Dtype::Bf16, 100, 1) });
        let rounded = MatMul { c: numbers(Dtype::Bf16, 100, 1), bias, ..rounded };
        assert_eq!(Shape::new(&rounded).unwrap().aligned, 2);
    }
}
