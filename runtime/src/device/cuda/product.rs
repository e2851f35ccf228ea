//! Matrix products from cuBLAS: plain single or double precision, always the same bits.

use super::super::DeviceError;
use super::gpu::failed;
use super::memory::Memory;
use cudarc::cublas::sys::cublasOperation_t::{CUBLAS_OP_N, CUBLAS_OP_T};
use cudarc::cublas::sys::{cublasMath_t, cublasOperation_t, cublasSetMathMode, cublasSetWorkspace_v2};
use cudarc::cublas::{CudaBlas, result};
use cudarc::driver::CudaStream;
use gmpc_compiler::backend::cuda::{Operand, Product};
use gmpc_compiler::experiment::Precision;
use std::sync::Arc;

/// Working memory that cuBLAS would otherwise allocate when it pleases: what its documentation advises for Hopper.
const WORKSPACE: usize = 32 << 20;

/// cuBLAS on one stream.
#[derive(Debug)]
pub(super) struct Products {
    blas: CudaBlas,
    _workspace: Memory,
}

/// A product with the operands as cuBLAS sees them: column by column, so that what it calls m, a is our n, b.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    m: i32,
    n: i32,
    k: i32,
    a: Side,
    b: Side,
    /// Numbers between the columns (our rows) of the result.
    step: i32,
}

/// How an operand lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Side {
    turned: bool,
    step: i32,
}

impl Call {
    /// # Errors
    /// A size that cuBLAS cannot count.
    pub(super) fn new(product: &Product) -> Result<Self, DeviceError> {
        let size = |n: usize| {
            i32::try_from(n).map_err(|_| DeviceError { message: format!("cuBLAS cannot count to {n}"), help: None })
        };
        // Rows of ours side by side are columns of theirs side by side: nothing to turn.
        let side = |operand: &Operand, rows: usize, columns: usize| {
            let (turned, step, least) = match operand.columns == 1 || columns == 1 && operand.rows != 1 {
                true => (false, operand.rows, columns),
                false => (true, operand.columns, rows),
            };
            Ok(Side { turned, step: size(step.max(least).max(1))? })
        };
        let (m, n, k) = (product.m, product.n, product.k);
        Ok(Call {
            m: size(n)?,
            n: size(m)?,
            k: size(k)?,
            a: side(&product.b, k, n)?,
            b: side(&product.a, m, k)?,
            step: size(product.c.rows.max(n).max(1))?,
        })
    }
}

impl Products {
    pub(super) fn new(stream: &Arc<CudaStream>) -> Result<Self, DeviceError> {
        let blas = CudaBlas::new(Arc::clone(stream)).map_err(|error| failed("cuBLAS does not start", &error))?;
        let workspace = Memory::new(stream.context(), WORKSPACE)?;
        let (handle, start) = (*blas.handle(), workspace.start as *mut _);
        // SAFETY: the memory lives as long as the handle (both are in `self`) and is 256-byte aligned.
        let set = unsafe { cublasSetWorkspace_v2(handle, start, workspace.bytes()) };
        set.result().map_err(|error| failed("cuBLAS takes no working memory", &error))?;
        // SAFETY: the handle is valid. Full precision, and no reduction in another order.
        let set = unsafe { cublasSetMathMode(handle, cublasMath_t::CUBLAS_PEDANTIC_MATH) };
        set.result().map_err(|error| failed("cuBLAS takes no precision", &error))?;
        Ok(Products { blas, _workspace: workspace })
    }

    /// Puts a product on the stream; `a`, `b` and `c` are the operands' first elements.
    ///
    /// # Errors
    /// cuBLAS refuses it.
    ///
    /// # Safety
    /// The operands of the product that `call` was made from lie there, in numbers of the precision.
    pub(super) unsafe fn run(&self, call: &Call, precision: Precision, [a, b, c]: [u64; 3]) -> Result<(), DeviceError> {
        let handle = *self.blas.handle();
        let turn = |side: Side| -> cublasOperation_t { if side.turned { CUBLAS_OP_T } else { CUBLAS_OP_N } };
        let Call { m, n, k, a: first, b: second, step } = *call;
        let (ta, tb) = (turn(first), turn(second));
        // SAFETY: the caller's promise; our b is their a, see `Call`.
        let told = unsafe {
            match precision {
                Precision::F32 => {
                    let (one, zero) = (1.0_f32, 0.0_f32);
                    let (x, y, z) = (b as *const f32, a as *const f32, c as *mut f32);
                    let (alpha, beta) = (&raw const one, &raw const zero);
                    result::sgemm(handle, ta, tb, m, n, k, alpha, x, first.step, y, second.step, beta, z, step)
                }
                Precision::F64 => {
                    let (one, zero) = (1.0_f64, 0.0_f64);
                    let (x, y, z) = (b as *const f64, a as *const f64, c as *mut f64);
                    let (alpha, beta) = (&raw const one, &raw const zero);
                    result::dgemm(handle, ta, tb, m, n, k, alpha, x, first.step, y, second.step, beta, z, step)
                }
            }
        };
        told.map_err(|error| failed("cuBLAS refuses a product", &error))
    }
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

    fn call([m, n, k]: [usize; 3], a: Operand, b: Operand) -> Call {
        Call::new(&Product { m, n, k, a, b, c: operand(n, 1), bias: None, relu: false }).unwrap()
    }

    #[test]
    fn rows_side_by_side_are_columns_there() {
        let plain = call([64, 100, 13], operand(13, 1), operand(100, 1));
        assert_eq!((plain.m, plain.n, plain.k, plain.step), (100, 64, 13, 100));
        assert_eq!(plain.a, Side { turned: false, step: 100 });
        assert_eq!(plain.b, Side { turned: false, step: 13 });
        let turned = call([13, 100, 64], operand(1, 13), operand(100, 1));
        assert_eq!(turned.b, Side { turned: true, step: 13 });
        let turned = call([64, 13, 100], operand(100, 1), operand(1, 100));
        assert_eq!(turned.a, Side { turned: true, step: 100 });
    }

    #[test]
    fn a_single_column_may_lie_any_way() {
        // Columns of one number: the step between rows is what counts.
        assert_eq!(call([8, 1, 5], operand(5, 1), operand(3, 7)).a, Side { turned: false, step: 3 });
        assert_eq!(call([8, 1, 5], operand(5, 1), operand(1, 1)).a, Side { turned: false, step: 1 });
        assert!(
            Call::new(&Product {
                m: 1 << 40,
                n: 1,
                k: 1,
                a: operand(1, 1),
                b: operand(1, 1),
                c: operand(1, 1),
                bias: None,
                relu: false
            })
            .is_err()
        );
    }
}
