//! cuDNN's descriptors of a convolution.

use super::super::failed::failed;
use cudarc::cudnn::result::{self, CudnnError};
use cudarc::cudnn::sys::{self, cudnnDataType_t, cudnnMathType_t, cudnnTensorFormat_t::CUDNN_TENSOR_NHWC};
use gmpc_compiler::ir::experiment::{Contractions, Precision};
use gmpc_cuda::Convolution;
use gmpc_device::DeviceError;
use std::ffi::c_int;

/// cuDNN's descriptors of images, filters, result, and the convolution between them.
#[derive(Debug)]
pub(super) struct Shapes {
    pub(super) images: sys::cudnnTensorDescriptor_t,
    pub(super) filters: sys::cudnnFilterDescriptor_t,
    pub(super) result: sys::cudnnTensorDescriptor_t,
    pub(super) window: sys::cudnnConvolutionDescriptor_t,
}

// SAFETY: descriptors are plain memory without thread affinity, and `Shapes` owns them. It is not `Sync`, so one thread
// at a time changes them (`multiply_on`).
unsafe impl Send for Shapes {}

impl Shapes {
    pub(super) fn new(convolution: &Convolution, precision: Precision) -> Result<Self, DeviceError> {
        let refused = |error: CudnnError| failed("cuDNN refuses the shape of a convolution", &error);
        // Null first: if a later call fails, `drop` destroys exactly the descriptors that exist.
        let mut shapes = Shapes {
            images: std::ptr::null_mut(),
            filters: std::ptr::null_mut(),
            result: std::ptr::null_mut(),
            window: std::ptr::null_mut(),
        };
        shapes.images = result::create_tensor_descriptor().map_err(refused)?;
        shapes.filters = result::create_filter_descriptor().map_err(refused)?;
        shapes.result = result::create_tensor_descriptor().map_err(refused)?;
        shapes.window = result::create_convolution_descriptor().map_err(refused)?;
        shapes.set(convolution, precision)
    }

    fn set(self, convolution: &Convolution, precision: Precision) -> Result<Self, DeviceError> {
        let refused = |error: CudnnError| failed("cuDNN refuses the shape of a convolution", &error);
        let (kind, sums, math) = kinds(precision, convolution.contractions);
        let [batch, height, width, channels] = convolution.images;
        let [out_height, out_width, units] = convolution.result;
        let window = &convolution.window;
        let (images, result) =
            (sizes([batch, channels, height, width])?, sizes([batch, units, out_height, out_width])?);
        let filters = sizes([units, channels, window.kernel[0], window.kernel[1]])?;
        let [up, left, down, right] = sizes([window.before[0], window.before[1], window.stride[0], window.stride[1]])?;
        // cuDNN pads both sides alike. The result's size must follow from that.
        let along = |axis: usize, size: usize| {
            let padded = (size + 2 * window.before[axis]).checked_sub(window.kernel[axis]);
            padded.map(|last| last / window.stride[axis].max(1) + 1)
        };
        if (along(0, height), along(1, width)) != (Some(out_height), Some(out_width)) {
            // The compiler never produces this: its pass `pad` puts such zeros around the images.
            let message = "cuDNN has no convolution with more padding on one side than on the other".into();
            return Err(DeviceError { message, help: None });
        }
        let mode = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        // SAFETY: `new` has created the four descriptors, and nobody else has them.
        unsafe {
            result::set_tensor4d_descriptor(self.images, CUDNN_TENSOR_NHWC, kind, images).map_err(refused)?;
            result::set_filter4d_descriptor(self.filters, kind, CUDNN_TENSOR_NHWC, filters).map_err(refused)?;
            result::set_tensor4d_descriptor(self.result, CUDNN_TENSOR_NHWC, kind, result).map_err(refused)?;
            result::set_convolution2d_descriptor(self.window, up, left, down, right, 1, 1, mode, sums)
                .map_err(refused)?;
            result::set_convolution_math_type(self.window, math).map_err(refused)?;
        }
        Ok(self)
    }

    /// Sets the math type (the units of the GPU) with which an algorithm was timed.
    pub(super) fn multiply_on(&self, math: u32) -> Result<(), DeviceError> {
        let math = MATH.into_iter().find(|&one| one as u32 == math).ok_or_else(gone)?;
        // SAFETY: only `drop` destroys the descriptor, and nobody else has it. cuDNN reads it during a call, so work that is
        // already on the stream does not change.
        unsafe { result::set_convolution_math_type(self.window, math) }
            .map_err(|error| failed("cuDNN refuses the shape of a convolution", &error))
    }
}

/// All math types of cuDNN.
const MATH: [cudnnMathType_t; 4] = [
    cudnnMathType_t::CUDNN_DEFAULT_MATH,
    cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
    cudnnMathType_t::CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION,
    cudnnMathType_t::CUDNN_FMA_MATH,
];

/// The error for a stored choice that this version of cuDNN does not know.
pub(super) fn gone() -> DeviceError {
    DeviceError { message: "an algorithm of cuDNN that this version does not have".into(), help: None }
}

/// The type of the operands, the type of the sums, and the math type.
///
/// `CUDNN_FMA_MATH` is full single precision. `CUDNN_DEFAULT_MATH` allows cuDNN to round factors to TF32. Tensor cores
/// multiply bfloat16 exactly.
pub(super) fn kinds(
    precision: Precision,
    contractions: Contractions,
) -> (cudnnDataType_t, cudnnDataType_t, cudnnMathType_t) {
    use cudnnDataType_t::{CUDNN_DATA_BFLOAT16, CUDNN_DATA_DOUBLE, CUDNN_DATA_FLOAT};
    use cudnnMathType_t::{CUDNN_DEFAULT_MATH, CUDNN_FMA_MATH, CUDNN_TENSOR_OP_MATH};
    match (precision, contractions) {
        (Precision::F64, _) => (CUDNN_DATA_DOUBLE, CUDNN_DATA_DOUBLE, CUDNN_FMA_MATH),
        (_, Contractions::Full) => (CUDNN_DATA_FLOAT, CUDNN_DATA_FLOAT, CUDNN_FMA_MATH),
        (_, Contractions::Tf32) => (CUDNN_DATA_FLOAT, CUDNN_DATA_FLOAT, CUDNN_DEFAULT_MATH),
        (_, Contractions::Bf16) => (CUDNN_DATA_BFLOAT16, CUDNN_DATA_FLOAT, CUDNN_TENSOR_OP_MATH),
    }
}

impl Drop for Shapes {
    fn drop(&mut self) {
        // SAFETY: each descriptor is null or was created in `new`, and `drop` runs once.
        unsafe {
            if !self.images.is_null() {
                let _ = result::destroy_tensor_descriptor(self.images);
            }
            if !self.filters.is_null() {
                let _ = result::destroy_filter_descriptor(self.filters);
            }
            if !self.result.is_null() {
                let _ = result::destroy_tensor_descriptor(self.result);
            }
            if !self.window.is_null() {
                let _ = result::destroy_convolution_descriptor(self.window);
            }
        }
    }
}

pub(super) fn sizes<const N: usize>(sizes: [usize; N]) -> Result<[c_int; N], DeviceError> {
    let mut counts = [0; N];
    for (count, size) in counts.iter_mut().zip(sizes) {
        let refused = |_| DeviceError { message: format!("cuDNN cannot count to {size}"), help: None };
        *count = c_int::try_from(size).map_err(refused)?;
    }
    Ok(counts)
}
