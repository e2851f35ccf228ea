//! cuBLASLt's descriptions of products, and of wishes about algorithms.

use super::super::super::DeviceError;
use super::super::failed::failed;
use super::shape::{Shape, Side};
use cudarc::cublaslt::result::{self, CublasError};
use cudarc::cublaslt::sys::{self, cublasComputeType_t, cublasLtEpilogue_t, cudaDataType};
use gmpc_compiler::experiment::{Contractions, Precision};

/// Of the result, and how it is multiplied.
type Kinds = (Precision, Contractions);

/// The library's descriptions of a product.
#[derive(Debug)]
pub(super) struct Descriptions {
    pub(super) product: sys::cublasLtMatmulDesc_t,
    pub(super) a: sys::cublasLtMatrixLayout_t,
    pub(super) b: sys::cublasLtMatrixLayout_t,
    pub(super) c: sys::cublasLtMatrixLayout_t,
}

// SAFETY: descriptions are plain memory, which only the one that runs the product changes.
unsafe impl Send for Descriptions {}

impl Descriptions {
    pub(super) fn new(
        shape: &Shape,
        numbers: Kinds,
        epilogue: Option<cublasLtEpilogue_t>,
    ) -> Result<Self, DeviceError> {
        let refused = |error: CublasError| failed("cuBLASLt refuses the shape of a product", &error);
        let (compute, [multiplied, kind]) = kinds(numbers);
        // cuBLASLt adds a bias of the result's kind: with operands and result of bfloat16 one of bfloat16, with operands of bfloat16
        // and a single precision result one of single precision (its table of types; `CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE` says
        // so by default). Sums and factors are single precision in both.
        let result = if shape.half { multiplied } else { kind };
        let mut all = Descriptions {
            product: std::ptr::null_mut(),
            a: std::ptr::null_mut(),
            b: std::ptr::null_mut(),
            c: std::ptr::null_mut(),
        };
        let layout = |rows: u64, columns: u64, side: Side| {
            let (rows, columns) = if side.turned { (columns, rows) } else { (rows, columns) };
            result::create_matrix_layout(multiplied, rows, columns, side.step)
        };
        all.product = result::create_matmul_desc(compute, kind).map_err(refused)?;
        all.a = layout(shape.m, shape.k, shape.a).map_err(refused)?;
        all.b = layout(shape.k, shape.n, shape.b).map_err(refused)?;
        all.c = result::create_matrix_layout(result, shape.m, shape.n, shape.step).map_err(refused)?;
        use sys::cublasLtMatmulDescAttributes_t as Attribute;
        all.set(Attribute::CUBLASLT_MATMUL_DESC_TRANSA, &i32::from(shape.a.turned)).map_err(refused)?;
        all.set(Attribute::CUBLASLT_MATMUL_DESC_TRANSB, &i32::from(shape.b.turned)).map_err(refused)?;
        if let Some(epilogue) = epilogue {
            all.set(Attribute::CUBLASLT_MATMUL_DESC_EPILOGUE, &(epilogue as u32)).map_err(refused)?;
        }
        Ok(all)
    }

    /// Sets an attribute of the product, a plain number of the size that the library expects.
    fn set<T: Copy>(&self, attribute: sys::cublasLtMatmulDescAttributes_t, value: &T) -> Result<(), CublasError> {
        // SAFETY: the description is alive; the library copies the number while it is borrowed.
        unsafe {
            let value: *const T = value;
            result::set_matmul_desc_attribute(self.product, attribute, value.cast(), size_of::<T>())
        }
    }

    pub(super) fn set_bias(&self, start: u64) -> Result<(), CublasError> {
        self.set(sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_BIAS_POINTER, &start)
    }
}

impl Drop for Descriptions {
    fn drop(&mut self) {
        // SAFETY: each was made by the library or is null, and is destroyed once.
        unsafe {
            if !self.product.is_null() {
                let _ = result::destroy_matmul_desc(self.product);
            }
            for layout in [self.a, self.b, self.c] {
                if !layout.is_null() {
                    let _ = result::destroy_matrix_layout(layout);
                }
            }
        }
    }
}

/// What sums are computed in, what is multiplied, and what factors, result and bias are as long as they are not bfloat16, too.
/// `CUBLAS_COMPUTE_32F` is full single precision.
fn kinds(numbers: Kinds) -> (cublasComputeType_t, [cudaDataType; 2]) {
    use cublasComputeType_t::{CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32, CUBLAS_COMPUTE_64F};
    use cudaDataType::{CUDA_R_16BF, CUDA_R_32F, CUDA_R_64F};
    match numbers {
        (Precision::F64, _) => (CUBLAS_COMPUTE_64F, [CUDA_R_64F; 2]),
        (_, Contractions::Full) => (CUBLAS_COMPUTE_32F, [CUDA_R_32F; 2]),
        (_, Contractions::Tf32) => (CUBLAS_COMPUTE_32F_FAST_TF32, [CUDA_R_32F; 2]),
        (_, Contractions::Bf16) => (CUBLAS_COMPUTE_32F, [CUDA_R_16BF, CUDA_R_32F]),
    }
}
/// Wishes about algorithms.
pub(super) struct Preference(pub(super) sys::cublasLtMatmulPreference_t);

impl Preference {
    pub(super) fn set<T: Copy>(
        &self,
        attribute: sys::cublasLtMatmulPreferenceAttributes_t,
        value: &T,
    ) -> Result<(), CublasError> {
        // SAFETY: the preference is alive; the library copies the number while it is borrowed.
        unsafe {
            let value: *const T = value;
            result::set_matmul_pref_attribute(self.0, attribute, value.cast(), size_of::<T>())
        }
    }
}

impl Drop for Preference {
    fn drop(&mut self) {
        // SAFETY: made by the library, destroyed once.
        let _ = unsafe { result::destroy_matmul_pref(self.0) };
    }
}
