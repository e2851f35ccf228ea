//! Convolutions and their gradients from cuDNN, images and filters channels last; in single precision with the bias and the
//! rectifier that follow, where cuDNN does both in one call in less time than a convolution and a pass over its results take.
//!
//! Each shape's algorithms are timed once and the choice is kept, on disk too, so that a repeated run adds in the same
//! order; only algorithms that give the same bits every time are taken.

mod after;
mod choice;
mod shapes;

use super::super::DeviceError;
use super::cache::Cache;
use super::driver::{Call, Queue};
use super::failed::failed;
use super::library::{Handle, Kept, seconds};
use super::memory::Memory;
use after::After;
use choice::{Choice, MOST_WORKSPACE, best, forward, input, usable, weight};
use cudarc::cudnn::result::{self, CudnnError};
use cudarc::cudnn::sys;
use cudarc::driver::CudaStream;
use gmpc_compiler::backend::cuda::Convolution;
use gmpc_compiler::experiment::Precision;
use gmpc_compiler::kernels::Pass;
use shapes::{Shapes, gone};
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::Arc;

/// More algorithms than cuDNN has for any pass.
const MOST_ALGORITHMS: usize = 16;

/// cuDNN on one stream.
#[derive(Debug)]
pub(super) struct Convolutions {
    cudnn: Arc<Library>,
    kept: Kept<Choice>,
}

type Library = Handle<sys::cudnnHandle_t>;

/// A convolution with what cuDNN needs to know about it.
#[derive(Debug)]
struct Prepared {
    cudnn: Arc<Library>,
    pass: Pass,
    precision: Precision,
    shapes: Shapes,
    /// What cuDNN does after the convolution, in the same call.
    after: Option<After>,
    choice: Choice,
}

impl Convolutions {
    pub(super) fn new(stream: &Arc<CudaStream>, gpu: &str) -> Result<Self, DeviceError> {
        let refused = |error: CudnnError| failed("cuDNN does not start", &error);
        stream.context().bind_to_thread().map_err(|error| failed("the GPU is not there", &error))?;
        let handle = result::create_handle().map_err(refused)?;
        let destroy = |handle| {
            // SAFETY: `Handle` hands over the one it has, once.
            let _ = unsafe { result::destroy_handle(handle) };
        };
        let cudnn = Arc::new(Handle::new(handle, stream, destroy));
        // SAFETY: handle and stream are valid and live in `cudnn`.
        unsafe { result::set_stream(handle, cudnn.stream.cu_stream().cast()) }.map_err(refused)?;
        let machine = format!("{gpu}, cuDNN {}", result::get_version());
        Ok(Convolutions { cudnn, kept: Kept::new("convolution 3", machine, Cache::of_the_user()) })
    }

    /// Makes a convolution ready; the first of its shape takes some milliseconds, for its algorithms are timed. `None` where cuDNN has
    /// none that always gives the same bits.
    pub(super) fn prepare(
        &self,
        queue: &Arc<Queue>,
        convolution: &Convolution,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        let Convolution { pass, window, images, result, contractions, relu, .. } = convolution;
        let (after, shapes) = match (After::new(convolution, precision), Shapes::new(convolution, precision)) {
            (Ok(after), Ok(shapes)) => (after, shapes),
            (Err(error), _) | (_, Err(error)) => {
                tracing::debug!("{}: {error}", convolution.sizes());
                return Ok(None);
            }
        };
        let follows = after.as_ref().map_or("nothing", |_| if *relu { "bias, rectifier" } else { "bias" });
        let shape = format!("{pass:?} {precision:?} {contractions:?} {window:?} {images:?} {result:?} {follows}");
        let mut call = Prepared {
            cudnn: Arc::clone(&self.cudnn),
            pass: *pass,
            precision,
            shapes,
            after,
            choice: Choice::default(),
        };
        let Some(choice) = self.kept.get(&shape, || self.choose(queue, convolution, &mut call))? else {
            return Ok(None);
        };
        call.choice = choice;
        call.after = call.after.filter(|_| call.choice.finishes);
        call.shapes.multiply_on(call.choice.math)?;
        Ok(Some(Box::new(call)))
    }

    /// The fastest algorithm, with what follows in the same call where that is faster than a pass of its own.
    fn choose(&self, queue: &Arc<Queue>, c: &Convolution, call: &mut Prepared) -> Result<Option<Choice>, DeviceError> {
        let found = self.found(c.pass, &call.shapes)?;
        let Some((plain, choice)) = best(found.iter().copied()) else { return Ok(None) };
        let Some(after) = &call.after else { return Ok(Some(choice)) };
        let room = |bytes: usize| Memory::new(queue, bytes);
        let (a, b, c) = (room(c.a.bytes)?, room(c.b.bytes)?, room(c.c.bytes)?);
        let bias = room(after.bias_bytes)?;
        let workspace = room(found.iter().map(|(_, choice)| choice.workspace).max().unwrap_or(0))?;
        // SAFETY: `c` has room for the results; what they are does not matter.
        let pass = seconds(queue, || unsafe { After::pass(&self.cudnn, &call.shapes, c.start) })?;
        let mut least = (plain + pass, choice);
        for (_, choice) in found.into_iter().filter(|(_, choice)| usable(choice.algorithm, after.relu)) {
            call.choice = Choice { finishes: true, ..choice };
            call.shapes.multiply_on(choice.math)?;
            let operands = [a.start, b.start, c.start];
            // SAFETY: the operands have their room; what they hold does not matter.
            let run = || unsafe { queue.call(call, operands, Some(bias.start), workspace.start) };
            let Ok(took) = seconds(queue, run) else { continue };
            if took < least.0 {
                least = (took, call.choice);
            }
        }
        Ok(Some(least.1))
    }

    /// Times every algorithm on memory of cuDNN's own: seconds of those that may be taken; none where cuDNN does not know what is
    /// described.
    fn found(&self, pass: Pass, shapes: &Shapes) -> Result<Vec<(f64, Choice)>, DeviceError> {
        let Shapes { images, filters, result, window } = *shapes;
        /// Runs cuDNN's search, and turns what it found into choices.
        macro_rules! search {
            ($find:path, $kind:ty, $first:expr, $second:expr, $third:expr) => {{
                let mut found: [MaybeUninit<$kind>; MOST_ALGORITHMS] = [const { MaybeUninit::uninit() }; _];
                let (mut count, most) = (0, MOST_ALGORITHMS as c_int);
                // SAFETY: handle and descriptions are valid; there is room for `most` results.
                let told = unsafe {
                    $find(self.cudnn.raw, $first, $second, window, $third, most, &mut count, found.as_mut_ptr().cast())
                };
                if let Err(error) = told.result() {
                    if !refused(&error) {
                        return Err(failed("cuDNN cannot look for an algorithm for a convolution", &error));
                    }
                    count = 0;
                }
                let found = found.iter().take(usize::try_from(count).unwrap_or(0));
                // SAFETY: cuDNN has filled in the first `count`.
                let found = found.map(|one| unsafe { one.assume_init_ref() });
                let may = found.filter(|one| {
                    one.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS
                        && one.determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC
                        && one.memory <= MOST_WORKSPACE
                });
                let choice = |one: &$kind| {
                    let (algorithm, math) = (one.algo as u32, one.mathType as u32);
                    Choice { algorithm, math, workspace: one.memory, finishes: false }
                };
                may.map(|one| (f64::from(one.time) / 1e3, choice(one))).collect()
            }};
        }
        Ok(match pass {
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
        })
    }
}

/// Does an error say that cuDNN does not compute what is described (numbers 2000 and 3000 onwards), and not that something broke?
fn refused(error: &CudnnError) -> bool {
    (2000..4000).contains(&(error.0 as u32))
}

impl Call for Prepared {
    fn workspace(&self) -> usize {
        self.choice.workspace
    }

    fn finishes(&self) -> bool {
        self.after.is_some()
    }

    unsafe fn run(&self, [a, b, c]: [u64; 3], bias: Option<u64>, workspace: u64) -> Result<(), DeviceError> {
        let (single, double) = ([1.0_f32, 0.0], [1.0_f64, 0.0]);
        let factors: [*const c_void; 2] = match self.precision {
            Precision::F32 => [(&raw const single[0]).cast(), (&raw const single[1]).cast()],
            Precision::F64 => [(&raw const double[0]).cast(), (&raw const double[1]).cast()],
        };
        let [one, zero] = factors;
        let Shapes { images, filters, result, window } = self.shapes;
        let Choice { algorithm, workspace: bytes, .. } = self.choice;
        let follows = self.after.as_ref().zip(bias);
        let (a, b, c, workspace) = (a as *const c_void, b as *const c_void, c as *mut c_void, workspace as *mut c_void);
        let handle = self.cudnn.raw;
        // SAFETY: the caller's promise; handle and descriptions are valid.
        let told = unsafe {
            match self.pass {
                Pass::Forward => {
                    let algorithm = forward(algorithm).ok_or_else(gone)?;
                    match follows {
                        // What would be added to it is the result itself, times zero: cuDNN wants an address there.
                        Some((After { bias: row, activation, .. }, bias)) => {
                            result::convolution_bias_activation_forward(
                                handle,
                                one,
                                images,
                                a,
                                filters,
                                b,
                                window,
                                algorithm,
                                workspace,
                                bytes,
                                zero,
                                result,
                                c,
                                *row,
                                bias as *const c_void,
                                *activation,
                                result,
                                c,
                            )
                        }
                        None => result::convolution_forward(
                            handle, one, images, a, filters, b, window, algorithm, workspace, bytes, zero, result, c,
                        ),
                    }
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
