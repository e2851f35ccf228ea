//! Convolutions and their gradients from cuDNN, images and filters channels last.
//!
//! Each shape's algorithms are timed once and the choice is kept, on disk too, so that a repeated run adds in the same
//! order; only algorithms that give the same bits every time are taken.

use super::super::DeviceError;
use super::cache::Cache;
use super::driver::Call;
use super::nvidia::failed;
use cudarc::cudnn::result::{self, CudnnError};
use cudarc::cudnn::sys::{self, cudnnDataType_t, cudnnMathType_t, cudnnTensorFormat_t::CUDNN_TENSOR_NHWC};
use cudarc::driver::CudaStream;
use gmpc_compiler::backend::cuda::Convolution;
use gmpc_compiler::experiment::{Contractions, Precision};
use gmpc_compiler::kernels::Pass;
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::Arc;

/// Working memory that an algorithm may ask for.
const MOST_WORKSPACE: usize = 1 << 30;
/// More algorithms than cuDNN has for any pass.
const MOST_ALGORITHMS: usize = 16;

/// cuDNN on one stream.
#[derive(Debug)]
pub(super) struct Convolutions {
    library: Arc<Library>,
    /// The GPU and the library: what a choice depends on beside the shape.
    machine: String,
    chosen: HashMap<String, Choice>,
    cache: Cache,
}

/// Its handle.
#[derive(Debug)]
struct Library {
    handle: sys::cudnnHandle_t,
    stream: Arc<CudaStream>,
}

// SAFETY: cuDNN lets a handle go from thread to thread as long as one at a time uses it; `Shared::turn` is held while a
// program is loaded or runs.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = self.stream.context().bind_to_thread();
        // SAFETY: the handle is ours and destroyed once.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

/// The numbers of an algorithm and of the units that it was timed on, and the bytes that it works in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choice {
    algorithm: u32,
    math: u32,
    workspace: usize,
}

/// A convolution with what cuDNN needs to know about it.
#[derive(Debug)]
struct Prepared {
    library: Arc<Library>,
    pass: Pass,
    precision: Precision,
    shapes: Shapes,
    choice: Choice,
}

/// cuDNN's descriptions of images, filters, result, and the convolution between them.
#[derive(Debug)]
struct Shapes {
    images: sys::cudnnTensorDescriptor_t,
    filters: sys::cudnnFilterDescriptor_t,
    result: sys::cudnnTensorDescriptor_t,
    window: sys::cudnnConvolutionDescriptor_t,
}

// SAFETY: descriptions are plain memory that nothing changes once they are made.
unsafe impl Send for Shapes {}

impl Shapes {
    fn new(convolution: &Convolution, precision: Precision) -> Result<Self, DeviceError> {
        let refused = |error: CudnnError| failed("cuDNN refuses the shape of a convolution", &error);
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
        let along = |axis: usize, size: usize| {
            let padded = (size + 2 * window.before[axis]).checked_sub(window.kernel[axis]);
            padded.map(|last| last / window.stride[axis].max(1) + 1)
        };
        if (along(0, height), along(1, width)) != (Some(out_height), Some(out_width)) {
            let message = "cuDNN has no convolution with more padding on one side than on the other".into();
            return Err(DeviceError { message, help: Some("take kernels of odd size".into()) });
        }
        let mode = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        // SAFETY: the four descriptions have just been made and are this value's alone.
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

    /// Takes the units that an algorithm was timed on.
    fn multiply_on(&self, math: u32) -> Result<(), DeviceError> {
        let math = MATH.into_iter().find(|&one| one as u32 == math).ok_or_else(gone)?;
        // SAFETY: the description is alive, and nothing has been computed with it yet.
        unsafe { result::set_convolution_math_type(self.window, math) }
            .map_err(|error| failed("cuDNN refuses the shape of a convolution", &error))
    }
}

/// All of cuDNN's.
const MATH: [cudnnMathType_t; 4] = [
    cudnnMathType_t::CUDNN_DEFAULT_MATH,
    cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
    cudnnMathType_t::CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION,
    cudnnMathType_t::CUDNN_FMA_MATH,
];

fn gone() -> DeviceError {
    DeviceError { message: "an algorithm of cuDNN that this version does not have".into(), help: None }
}

/// What the operands are, what sums are computed in, and with which units of the GPU.
///
/// `CUDNN_FMA_MATH` is full single precision; `CUDNN_DEFAULT_MATH` lets cuDNN round what it multiplies to TF32; tensor cores
/// multiply bfloat16 exactly.
fn kinds(precision: Precision, contractions: Contractions) -> (cudnnDataType_t, cudnnDataType_t, cudnnMathType_t) {
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
        // SAFETY: each was made by cuDNN or is null, and is destroyed once.
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

fn sizes<const N: usize>(sizes: [usize; N]) -> Result<[c_int; N], DeviceError> {
    let mut counts = [0; N];
    for (count, size) in counts.iter_mut().zip(sizes) {
        let refused = |_| DeviceError { message: format!("cuDNN cannot count to {size}"), help: None };
        *count = c_int::try_from(size).map_err(refused)?;
    }
    Ok(counts)
}

impl Convolutions {
    pub(super) fn new(stream: &Arc<CudaStream>, gpu: &str) -> Result<Self, DeviceError> {
        let refused = |error: CudnnError| failed("cuDNN does not start", &error);
        stream.context().bind_to_thread().map_err(|error| failed("the GPU is not there", &error))?;
        let handle = result::create_handle().map_err(refused)?;
        let machine = format!("{gpu}, cuDNN {}", result::get_version());
        let cache = Cache::of_the_user();
        let stream = Arc::clone(stream);
        let library = Arc::new(Library { handle, stream });
        // SAFETY: handle and stream are valid and live in `library`.
        unsafe { result::set_stream(handle, library.stream.cu_stream().cast()) }.map_err(refused)?;
        Ok(Convolutions { library, machine, chosen: HashMap::new(), cache })
    }

    /// Makes a convolution ready; the first of its shape takes some milliseconds, for its algorithms are timed.
    pub(super) fn prepare(
        &mut self,
        convolution: &Convolution,
        precision: Precision,
    ) -> Result<Box<dyn Call>, DeviceError> {
        let shapes = Shapes::new(convolution, precision)?;
        let choice = self.choice(convolution, precision, &shapes)?;
        shapes.multiply_on(choice.math)?;
        let (library, pass) = (Arc::clone(&self.library), convolution.pass);
        Ok(Box::new(Prepared { library, pass, precision, shapes, choice }))
    }

    fn choice(&mut self, c: &Convolution, precision: Precision, shapes: &Shapes) -> Result<Choice, DeviceError> {
        let (pass, contractions) = (c.pass, c.contractions);
        let shape = format!("{pass:?} {precision:?} {contractions:?} {:?} {:?} {:?}", c.window, c.images, c.result);
        if let Some(&choice) = self.chosen.get(&shape) {
            return Ok(choice);
        }
        let key = Cache::key(&["convolution 2", &self.machine, &shape]);
        let kept = self.cache.get(&key).and_then(|bytes| Choice::read(&bytes));
        let choice = match kept {
            Some(choice) => choice,
            None => {
                let choice = self.fastest(c.pass, shapes)?;
                self.cache.put(&key, &choice.bytes());
                choice
            }
        };
        tracing::debug!("{shape}: algorithm {}, {} bytes", choice.algorithm, choice.workspace);
        self.chosen.insert(shape, choice);
        Ok(choice)
    }

    /// Times every algorithm on memory of cuDNN's own.
    fn fastest(&self, pass: Pass, shapes: &Shapes) -> Result<Choice, DeviceError> {
        let Shapes { images, filters, result, window } = *shapes;
        /// Runs cuDNN's search, and turns what it found into choices.
        macro_rules! search {
            ($find:path, $kind:ty, $first:expr, $second:expr, $third:expr) => {{
                let mut found: [MaybeUninit<$kind>; MOST_ALGORITHMS] = [const { MaybeUninit::uninit() }; _];
                let (mut count, most) = (0, MOST_ALGORITHMS as c_int);
                // SAFETY: handle and descriptions are valid; there is room for `most` results.
                unsafe {
                    $find(
                        self.library.handle,
                        $first,
                        $second,
                        window,
                        $third,
                        most,
                        &mut count,
                        found.as_mut_ptr().cast(),
                    )
                }
                .result()
                .map_err(|error| failed("cuDNN has no algorithm for a convolution", &error))?;
                let found = found.iter().take(usize::try_from(count).unwrap_or(0));
                // SAFETY: cuDNN has filled in the first `count`.
                let found = found.map(|one| unsafe { one.assume_init_ref() });
                best(found.map(|one| {
                    let works = one.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS;
                    let repeats = one.determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC;
                    let (algorithm, math) = (one.algo as u32, one.mathType as u32);
                    (works && repeats, one.time, Choice { algorithm, math, workspace: one.memory })
                }))
            }};
        }
        let best = match pass {
            Pass::Forward => search!(
                sys::cudnnFindConvolutionForwardAlgorithm,
                sys::cudnnConvolutionFwdAlgoPerf_t,
                images,
                filters,
                result
            ),
            Pass::Input => search!(
                sys::cudnnFindConvolutionBackwardDataAlgorithm,
                sys::cudnnConvolutionBwdDataAlgoPerf_t,
                filters,
                result,
                images
            ),
            Pass::Weight => search!(
                sys::cudnnFindConvolutionBackwardFilterAlgorithm,
                sys::cudnnConvolutionBwdFilterAlgoPerf_t,
                images,
                result,
                filters
            ),
        };
        best.ok_or_else(|| DeviceError {
            message: "cuDNN has no algorithm for a convolution that always gives the same bits".into(),
            help: None,
        })
    }
}

impl Call for Prepared {
    fn workspace(&self) -> usize {
        self.choice.workspace
    }

    fn finishes(&self) -> bool {
        false
    }

    unsafe fn run(&self, [a, b, c]: [u64; 3], _bias: Option<u64>, workspace: u64) -> Result<(), DeviceError> {
        let (single, double) = ([1.0_f32, 0.0], [1.0_f64, 0.0]);
        let factors: [*const c_void; 2] = match self.precision {
            Precision::F32 => [(&raw const single[0]).cast(), (&raw const single[1]).cast()],
            Precision::F64 => [(&raw const double[0]).cast(), (&raw const double[1]).cast()],
        };
        let [one, zero] = factors;
        let Shapes { images, filters, result, window } = self.shapes;
        let Choice { algorithm, workspace: bytes, .. } = self.choice;
        let (a, b, c, workspace) = (a as *const c_void, b as *const c_void, c as *mut c_void, workspace as *mut c_void);
        let handle = self.library.handle;
        // SAFETY: the caller's promise; handle and descriptions are valid.
        let told = unsafe {
            match self.pass {
                Pass::Forward => {
                    let algorithm = forward(algorithm).ok_or_else(gone)?;
                    result::convolution_forward(
                        handle, one, images, a, filters, b, window, algorithm, workspace, bytes, zero, result, c,
                    )
                }
                Pass::Input => {
                    let algorithm = input(algorithm).ok_or_else(gone)?;
                    result::convolution_backward_data(
                        handle, one, filters, b, result, a, window, algorithm, workspace, bytes, zero, images, c,
                    )
                }
                Pass::Weight => {
                    let algorithm = weight(algorithm).ok_or_else(gone)?;
                    result::convolution_backward_filter(
                        handle, one, images, a, result, b, window, algorithm, workspace, bytes, zero, filters, c,
                    )
                }
            }
        };
        told.map_err(|error| failed("cuDNN refuses a convolution", &error))
    }
}

/// The fastest that may be taken and has room.
fn best(found: impl Iterator<Item = (bool, f32, Choice)>) -> Option<Choice> {
    let fits = |(good, _, choice): &(bool, f32, Choice)| *good && choice.workspace <= MOST_WORKSPACE;
    found.filter(fits).min_by(|a, b| a.1.total_cmp(&b.1)).map(|(.., choice)| choice)
}

impl Choice {
    fn bytes(self) -> Vec<u8> {
        format!("{} {} {}", self.algorithm, self.math, self.workspace).into_bytes()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (algorithm, rest) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
        let (math, workspace) = rest.split_once(' ')?;
        let [algorithm, math] = [algorithm, math].map(|word| word.parse().ok());
        let choice = Choice { algorithm: algorithm?, math: math?, workspace: workspace.parse().ok()? };
        (choice.workspace <= MOST_WORKSPACE).then_some(choice)
    }
}

fn forward(number: u32) -> Option<sys::cudnnConvolutionFwdAlgo_t> {
    use sys::cudnnConvolutionFwdAlgo_t as A;
    let all = [
        A::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
        A::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
        A::CUDNN_CONVOLUTION_FWD_ALGO_GEMM,
        A::CUDNN_CONVOLUTION_FWD_ALGO_DIRECT,
        A::CUDNN_CONVOLUTION_FWD_ALGO_FFT,
        A::CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING,
        A::CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD,
        A::CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED,
    ];
    all.into_iter().find(|&one| one as u32 == number)
}

fn input(number: u32) -> Option<sys::cudnnConvolutionBwdDataAlgo_t> {
    use sys::cudnnConvolutionBwdDataAlgo_t as A;
    let all = [
        A::CUDNN_CONVOLUTION_BWD_DATA_ALGO_0,
        A::CUDNN_CONVOLUTION_BWD_DATA_ALGO_1,
        A::CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT,
        A::CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING,
        A::CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD,
        A::CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED,
    ];
    all.into_iter().find(|&one| one as u32 == number)
}

fn weight(number: u32) -> Option<sys::cudnnConvolutionBwdFilterAlgo_t> {
    use sys::cudnnConvolutionBwdFilterAlgo_t as A;
    let all = [
        A::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0,
        A::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1,
        A::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT,
        A::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3,
        A::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD,
        A::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED,
        A::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING,
    ];
    all.into_iter().find(|&one| one as u32 == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_that_repeats_and_fits_is_taken() {
        let choice = |algorithm, workspace| Choice { algorithm, math: 3, workspace };
        let found = [
            (false, 0.1, choice(0, 0)),
            (true, 0.2, choice(1, MOST_WORKSPACE + 1)),
            (true, 0.9, choice(2, 0)),
            (true, 0.5, choice(3, 64)),
        ];
        assert_eq!(best(found.into_iter()), Some(choice(3, 64)));
        assert_eq!(best(std::iter::empty()), None);
    }

    #[test]
    fn a_kept_choice_is_read_back_and_nonsense_is_not() {
        let choice = Choice { algorithm: 7, math: 3, workspace: 4096 };
        assert_eq!(Choice::read(&choice.bytes()), Some(choice));
        for text in ["", "7", "7 0", "7 0 x", "-1 0 0", "7 0 99999999999999"] {
            assert_eq!(Choice::read(text.as_bytes()), None, "{text}");
        }
        assert!(forward(7).is_some() && forward(99).is_none() && input(99).is_none() && weight(3).is_some());
    }
}
