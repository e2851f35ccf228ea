//! cuBLASLt's descriptors of matmuls, and of preferences for algorithms.

use super::super::failed::failed;
use super::shape::{Shape, Side};
use cudarc::cublaslt::result::{self, CublasError};
use cudarc::cublaslt::sys::{self, cublasComputeType_t, cublasLtEpilogue_t, cudaDataType};
use gmpc_compiler::ir::experiment::{Contractions, Precision};
use gmpc_compiler::ir::kernels::Dtype;
use gmpc_device::DeviceError;

/// The precision of the program, and the number format in which it multiplies.
type Kinds = (Precision, Contractions);

/// The library's descriptors of a matmul.
#[derive(Debug)]
pub(super) struct Descriptions {
    pub(super) product: sys::cublasLtMatmulDesc_t,
    pub(super) a: sys::cublasLtMatrixLayout_t,
    pub(super) b: sys::cublasLtMatrixLayout_t,
    pub(super) c: sys::cublasLtMatrixLayout_t,
}

// SAFETY: descriptors are plain memory without thread affinity, and this value owns them. It is not `Sync`, so one thread
// at a time changes them (`set_bias`).
unsafe impl Send for Descriptions {}

impl Descriptions {
    pub(super) fn new(
        shape: &Shape,
        numbers: Kinds,
        epilogue: Option<cublasLtEpilogue_t>,
    ) -> Result<Self, DeviceError> {
        let refused = |error: CublasError| failed("cuBLASLt refuses the shape of a product", &error);
        let (compute, kind) = computed(numbers);
        let (multiplied, result) = (number(shape.operands)?, number(shape.result)?);
        // cuBLASLt takes a bias of the result's type by default (`CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE`, and its table of
        // types): a bf16 bias for a bf16 result, an f32 bias for an f32 result. Sums and factors are single precision in
        // both cases. Null first: if a later call fails, `drop` destroys exactly the descriptors that exist.
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

    /// Sets an attribute of the matmul. `T` must have the size that the library expects; it refuses any other size.
    fn set<T: Copy>(&self, attribute: sys::cublasLtMatmulDescAttributes_t, value: &T) -> Result<(), CublasError> {
        // SAFETY: `new` created the descriptor, and only `drop` destroys it. The library copies `size_of::<T>()` bytes
        // during the call.
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
        // SAFETY: each descriptor is null or was created in `new`, and `drop` runs once.
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

/// The type in which sums are computed, and the type of the factors. `CUBLAS_COMPUTE_32F` is full single precision.
fn computed(numbers: Kinds) -> (cublasComputeType_t, cudaDataType) {
    use cublasComputeType_t::{CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32, CUBLAS_COMPUTE_64F};
    use cudaDataType::{CUDA_R_32F, CUDA_R_64F};
    match numbers {
        (Precision::F64, _) => (CUBLAS_COMPUTE_64F, CUDA_R_64F),
        (Precision::F32, Contractions::Tf32) => (CUBLAS_COMPUTE_32F_FAST_TF32, CUDA_R_32F),
        (Precision::F32, Contractions::Full | Contractions::Bf16) => (CUBLAS_COMPUTE_32F, CUDA_R_32F),
    }
}

/// The library's name of a dtype.
fn number(dtype: Dtype) -> Result<cudaDataType, DeviceError> {
    match dtype {
        Dtype::F32 => Ok(cudaDataType::CUDA_R_32F),
        Dtype::F64 => Ok(cudaDataType::CUDA_R_64F),
        Dtype::Bf16 => Ok(cudaDataType::CUDA_R_16BF),
        Dtype::U8 | Dtype::U32 => {
            Err(DeviceError { message: format!("cuBLASLt has no product of {dtype}"), help: None })
        }
    }
}

/// Preferences for algorithms.
pub(super) struct Preference(pub(super) sys::cublasLtMatmulPreference_t);

impl Preference {
    pub(super) fn set<T: Copy>(
        &self,
        attribute: sys::cublasLtMatmulPreferenceAttributes_t,
        value: &T,
    ) -> Result<(), CublasError> {
        // SAFETY: only `drop` destroys the preference. The library copies `size_of::<T>()` bytes during the call.
        unsafe {
            let value: *const T = value;
            result::set_matmul_pref_attribute(self.0, attribute, value.cast(), size_of::<T>())
        }
    }
}

impl Drop for Preference {
    fn drop(&mut self) {
        // SAFETY: the library created the preference (`MatMuls::proposed`), and `drop` runs once.
        let _ = unsafe { result::destroy_matmul_pref(self.0) };
    }
}
