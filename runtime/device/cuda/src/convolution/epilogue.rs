//! The epilogue of a convolution in the same call of cuDNN: a bias for each unit, and a ReLU.
//!
//! ```text
//! y = max(1 (x * w) + 0 y + bias, 0)      cudnnConvolutionBiasActivationForward; with or without the ReLU
//! ```
//!
//! Only in single precision. cuDNN 9 marks this call as deprecated, and its header does not say which bias it takes for
//! bfloat16 results; nobody has tested that on a GPU. For bfloat16 a generated kernel adds the bias (passes
//! `bf16_operands` and `bf16_results`).

use super::super::failed::failed;
use super::Library;
use super::shapes::{Shapes, kinds, sizes};
use cudarc::cudnn::result::{self, CudnnError};
use cudarc::cudnn::sys::cudnnActivationMode_t::{CUDNN_ACTIVATION_IDENTITY, CUDNN_ACTIVATION_RELU};
use cudarc::cudnn::sys::{self, cudnnTensorFormat_t::CUDNN_TENSOR_NHWC};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_cuda::Convolution;
use gmpc_device::DeviceError;
use std::ffi::c_void;

/// cuDNN's descriptors of the epilogue.
#[derive(Debug)]
pub(super) struct Epilogue {
    /// One number for each unit.
    pub(super) bias: sys::cudnnTensorDescriptor_t,
    pub(super) activation: sys::cudnnActivationDescriptor_t,
    /// Do negative results become 0? NaN stays.
    pub(super) relu: bool,
    pub(super) bias_bytes: usize,
}

// SAFETY: descriptors are plain memory without thread affinity. `new` sets them; later calls only read them.
unsafe impl Send for Epilogue {}

impl Epilogue {
    /// `None` if there is no bias, and in double precision, in which cuDNN's fused call is not used.
    pub(super) fn new(convolution: &Convolution, precision: Precision) -> Result<Option<Self>, DeviceError> {
        let Some(region) = convolution.bias.filter(|_| precision == Precision::F32) else { return Ok(None) };
        let refused = |error: CudnnError| failed("cuDNN refuses what follows a convolution", &error);
        let units = sizes([1, convolution.result[2], 1, 1])?;
        // Null first: if a later call fails, `drop` destroys exactly the descriptors that exist.
        let mut epilogue = Epilogue {
            bias: std::ptr::null_mut(),
            activation: std::ptr::null_mut(),
            relu: convolution.relu,
            bias_bytes: region.bytes,
        };
        epilogue.bias = result::create_tensor_descriptor().map_err(refused)?;
        epilogue.activation = result::create_activation_descriptor().map_err(refused)?;
        let (kind, ..) = kinds(precision, convolution.contractions);
        let mode = if convolution.relu { CUDNN_ACTIVATION_RELU } else { CUDNN_ACTIVATION_IDENTITY };
        let nan = sys::cudnnNanPropagation_t::CUDNN_PROPAGATE_NAN;
        // SAFETY: both descriptors were created above, and nobody else has them.
        unsafe {
            result::set_tensor4d_descriptor(epilogue.bias, CUDNN_TENSOR_NHWC, kind, units).map_err(refused)?;
            result::set_activation_descriptor(epilogue.activation, mode, nan, 0.0).map_err(refused)?;
        }
        Ok(Some(epilogue))
    }

    /// A pass over the results in place. It takes as long as a separate epilogue: each number is read and written once.
    ///
    /// # Safety
    /// `results` points to memory of the size of the results that `shapes` describe.
    pub(super) unsafe fn pass(cudnn: &Library, shapes: &Shapes, results: u64) -> Result<(), DeviceError> {
        let half = 0.5_f32;
        // SAFETY: the contract of this function; `cudnn` and `shapes` keep handle and descriptor alive.
        let status = unsafe {
            let (results, factor) = (results as *mut c_void, (&raw const half).cast());
            sys::cudnnScaleTensor(cudnn.raw, shapes.result, results, factor).result()
        };
        status.map_err(|error| failed("cuDNN refuses a pass over results", &error))
    }
}

impl Drop for Epilogue {
    fn drop(&mut self) {
        // SAFETY: each descriptor is null or was created in `new`, and `drop` runs once.
        unsafe {
            if !self.bias.is_null() {
                let _ = result::destroy_tensor_descriptor(self.bias);
            }
            if !self.activation.is_null() {
                let _ = sys::cudnnDestroyActivationDescriptor(self.activation);
            }
        }
    }
}
