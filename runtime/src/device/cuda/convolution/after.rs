//! What follows a convolution in the same call of cuDNN: a number for each unit is added, and negative results become 0.
//!
//! ```text
//! y = max(1 (x * w) + 0 y + bias, 0)      cudnnConvolutionBiasActivationForward; with or without the rectifier
//! ```
//!
//! In single precision alone. That this call, which cuDNN 9 calls deprecated, takes a bias for results of bfloat16, and of which kind,
//! is not said by its header, and nobody has asked a GPU: there a kernel of ours adds the bias where the results are read or
//! rounded again (`cuda/half` and `cuda/settle` in the compiler).

use super::super::super::DeviceError;
use super::super::failed::failed;
use super::Library;
use super::shapes::{Shapes, kinds, sizes};
use cudarc::cudnn::result::{self, CudnnError};
use cudarc::cudnn::sys::cudnnActivationMode_t::{CUDNN_ACTIVATION_IDENTITY, CUDNN_ACTIVATION_RELU};
use cudarc::cudnn::sys::{self, cudnnTensorFormat_t::CUDNN_TENSOR_NHWC};
use gmpc_compiler::backend::cuda::Convolution;
use gmpc_compiler::experiment::Precision;
use std::ffi::c_void;

/// cuDNN's descriptions of it.
#[derive(Debug)]
pub(super) struct After {
    /// One number for each unit.
    pub(super) bias: sys::cudnnTensorDescriptor_t,
    pub(super) activation: sys::cudnnActivationDescriptor_t,
    /// Do negative results become 0? NaN stays.
    pub(super) relu: bool,
    pub(super) bias_bytes: usize,
}

// SAFETY: descriptions are plain memory that nothing changes once they are made.
unsafe impl Send for After {}

impl After {
    /// `None` where nothing follows, and in double precision, which cuDNN's fastest algorithms do not have.
    pub(super) fn new(convolution: &Convolution, precision: Precision) -> Result<Option<Self>, DeviceError> {
        let Some(region) = convolution.bias.filter(|_| precision == Precision::F32) else { return Ok(None) };
        let refused = |error: CudnnError| failed("cuDNN refuses what follows a convolution", &error);
        let units = sizes([1, convolution.result[2], 1, 1])?;
        let mut after = After {
            bias: std::ptr::null_mut(),
            activation: std::ptr::null_mut(),
            relu: convolution.relu,
            bias_bytes: region.bytes,
        };
        after.bias = result::create_tensor_descriptor().map_err(refused)?;
        after.activation = result::create_activation_descriptor().map_err(refused)?;
        let (kind, ..) = kinds(precision, convolution.contractions);
        let mode = if convolution.relu { CUDNN_ACTIVATION_RELU } else { CUDNN_ACTIVATION_IDENTITY };
        let nan = sys::cudnnNanPropagation_t::CUDNN_PROPAGATE_NAN;
        // SAFETY: both descriptions have just been made and are this value's alone.
        unsafe {
            result::set_tensor4d_descriptor(after.bias, CUDNN_TENSOR_NHWC, kind, units).map_err(refused)?;
            result::set_activation_descriptor(after.activation, mode, nan, 0.0).map_err(refused)?;
        }
        Ok(Some(after))
    }

    /// A pass over results in place, as a bias and a rectifier of their own take: each number is read and written once.
    ///
    /// # Safety
    /// The results that `shapes` describe lie at `results`.
    pub(super) unsafe fn pass(cudnn: &Library, shapes: &Shapes, results: u64) -> Result<(), DeviceError> {
        let half = 0.5_f32;
        // SAFETY: the caller's promise; handle and description are valid.
        let told = unsafe {
            let (results, factor) = (results as *mut c_void, (&raw const half).cast());
            sys::cudnnScaleTensor(cudnn.raw, shapes.result, results, factor).result()
        };
        told.map_err(|error| failed("cuDNN refuses a pass over results", &error))
    }
}

impl Drop for After {
    fn drop(&mut self) {
        // SAFETY: each was made by cuDNN or is null, and is destroyed once.
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
