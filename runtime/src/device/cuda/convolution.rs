//! Convolutions and their gradients from cuDNN, images and filters channels last.
//!
//! Each shape's algorithms are timed once and the choice is kept, on disk too, so that a repeated run adds in the same
//! order; only algorithms that give the same bits every time are taken.

mod choice;
mod shapes;

use super::super::DeviceError;
use super::cache::Cache;
use super::driver::Call;
use super::nvidia::failed;
use choice::{Choice, best, forward, input, weight};
use cudarc::cudnn::result::{self, CudnnError};
use cudarc::cudnn::sys;
use cudarc::driver::CudaStream;
use gmpc_compiler::backend::cuda::Convolution;
use gmpc_compiler::experiment::Precision;
use gmpc_compiler::kernels::Pass;
use shapes::{Shapes, gone};
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::Arc;

/// More algorithms than cuDNN has for any pass.
const MOST_ALGORITHMS: usize = 16;

/// cuDNN on one stream.
#[derive(Debug)]
pub(super) struct Convolutions {
    cudnn: Arc<Library>,
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

/// A convolution with what cuDNN needs to know about it.
#[derive(Debug)]
struct Prepared {
    cudnn: Arc<Library>,
    pass: Pass,
    precision: Precision,
    shapes: Shapes,
    choice: Choice,
}

impl Convolutions {
    pub(super) fn new(stream: &Arc<CudaStream>, gpu: &str) -> Result<Self, DeviceError> {
        let refused = |error: CudnnError| failed("cuDNN does not start", &error);
        stream.context().bind_to_thread().map_err(|error| failed("the GPU is not there", &error))?;
        let handle = result::create_handle().map_err(refused)?;
        let machine = format!("{gpu}, cuDNN {}", result::get_version());
        let cache = Cache::of_the_user();
        let stream = Arc::clone(stream);
        let cudnn = Arc::new(Library { handle, stream });
        // SAFETY: handle and stream are valid and live in `cudnn`.
        unsafe { result::set_stream(handle, cudnn.stream.cu_stream().cast()) }.map_err(refused)?;
        Ok(Convolutions { cudnn, machine, chosen: HashMap::new(), cache })
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
        let (cudnn, pass) = (Arc::clone(&self.cudnn), convolution.pass);
        Ok(Box::new(Prepared { cudnn, pass, precision, shapes, choice }))
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
                        self.cudnn.handle,
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
        let handle = self.cudnn.handle;
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
