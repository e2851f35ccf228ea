//! Convolutions and their gradients from cuDNN, with channels last. In single precision one call may also compute bias
//! and ReLU. It is used if it is faster than a convolution and a separate pass.
//!
//! The algorithms of each shape are timed once, and the choice is stored on disk. So a repeated run adds in the same
//! order. Only deterministic algorithms are considered.

mod choice;
mod epilogue;
mod shapes;

use super::cache::Cache;
use super::driver::{Call, Queue};
use super::failed::failed;
use super::library::{Choices, Handle, seconds};
use super::memory::Memory;
use choice::{Choice, MOST_WORKSPACE, best, forward, input, usable, weight};
use cudarc::cudnn::result::{self, CudnnError};
use cudarc::cudnn::sys;
use cudarc::driver::CudaStream;
use epilogue::Epilogue;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::Pass;
use gmpc_cuda::Convolution;
use gmpc_device::DeviceError;
use shapes::{Shapes, gone};
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::Arc;

/// Room for the results of cuDNN's search: more than it has algorithms for any pass.
const MOST_ALGORITHMS: u8 = 16;

/// cuDNN on one stream.
#[derive(Debug)]
pub(super) struct Convolutions {
    cudnn: Arc<Library>,
    choices: Choices<Choice>,
}

type Library = Handle<sys::cudnnHandle_t>;

/// A convolution with its descriptors and its algorithm.
#[derive(Debug)]
struct Prepared {
    cudnn: Arc<Library>,
    pass: Pass,
    precision: Precision,
    shapes: Shapes,
    /// The epilogue that cuDNN computes in the same call.
    epilogue: Option<Epilogue>,
    choice: Choice,
}

impl Convolutions {
    pub(super) fn new(stream: &Arc<CudaStream>, gpu: &str) -> Result<Self, DeviceError> {
        let refused = |error: CudnnError| failed("cuDNN does not start", &error);
        stream.context().bind_to_thread().map_err(|error| failed("the GPU is not there", &error))?;
        let handle = result::create_handle().map_err(refused)?;
        let destroy = |handle| {
            // SAFETY: `Handle::drop` passes the handle that was created above, once.
            let _ = unsafe { result::destroy_handle(handle) };
        };
        let cudnn = Arc::new(Handle::new(handle, stream, destroy));
        // SAFETY: the handle was created above, and `cudnn` keeps the stream alive as long as the handle.
        unsafe { result::set_stream(handle, cudnn.stream.cu_stream().cast()) }.map_err(refused)?;
        let machine = format!("{gpu}, cuDNN {}", result::get_version());
        Ok(Convolutions { cudnn, choices: Choices::new("convolution 3", machine, Cache::of_the_user()) })
    }

    /// Prepares a convolution. The first one of its shape takes some milliseconds, because its algorithms are timed.
    /// `None` if cuDNN has no deterministic algorithm for it.
    pub(super) fn prepare(
        &self,
        queue: &Arc<Queue>,
        convolution: &Convolution,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        let Convolution { pass, window, images, result, contractions, relu, .. } = convolution;
        // A shape that cuDNN cannot describe is no failure: a plain kernel then computes the convolution.
        let (epilogue, shapes) = match (Epilogue::new(convolution, precision), Shapes::new(convolution, precision)) {
            (Ok(epilogue), Ok(shapes)) => (epilogue, shapes),
            (Err(error), _) | (_, Err(error)) => {
                tracing::debug!("{}: {error}", convolution.sizes());
                return Ok(None);
            }
        };
        // The key of the choice contains everything on which the time of an algorithm depends.
        let follows = epilogue.as_ref().map_or("nothing", |_| if *relu { "bias, ReLU" } else { "bias" });
        let shape = format!("{pass:?} {precision:?} {contractions:?} {window:?} {images:?} {result:?} {follows}");
        let mut call = Prepared {
            cudnn: Arc::clone(&self.cudnn),
            pass: *pass,
            precision,
            shapes,
            epilogue,
            choice: Choice::default(),
        };
        let Some(choice) = self.choices.get(&shape, || self.choose(queue, convolution, &mut call))? else {
            return Ok(None);
        };
        // The search leaves the last trial in the descriptors, and a choice from the disk has not touched them.
        call.choice = choice;
        call.epilogue = call.epilogue.filter(|_| call.choice.includes_epilogue);
        call.shapes.multiply_on(call.choice.math)?;
        Ok(Some(Box::new(call)))
    }

    /// Times all algorithms and returns the fastest. The epilogue is part of the call if that is faster than a separate
    /// pass.
    fn choose(&self, queue: &Arc<Queue>, c: &Convolution, call: &mut Prepared) -> Result<Option<Choice>, DeviceError> {
        let found = self.found(c.pass, &call.shapes)?;
        let Some((plain, choice)) = best(found.iter().copied()) else { return Ok(None) };
        let Some(epilogue) = &call.epilogue else { return Ok(Some(choice)) };
        // Trials with an epilogue need operands of their own: cuDNN's search times plain convolutions only.
        let room = |bytes: usize| Memory::new(queue, bytes);
        let (a, b, c) = (room(c.a.bytes)?, room(c.b.bytes)?, room(c.c.bytes)?);
        let bias = room(epilogue.bias_bytes)?;
        let workspace = room(found.iter().map(|(_, choice)| choice.workspace).max().unwrap_or(0))?;
        // SAFETY: `c` has the size of the result region. The pass may read unset numbers; nobody uses the results.
        let pass = seconds(queue, || unsafe { Epilogue::pass(&self.cudnn, &call.shapes, c.start) })?;
        let mut least = (plain + pass, choice);
        for (_, choice) in found.into_iter().filter(|(_, choice)| usable(choice.algorithm, epilogue.relu)) {
            call.choice = Choice { includes_epilogue: true, ..choice };
            call.shapes.multiply_on(choice.math)?;
            let operands = [a.start, b.start, c.start];
            // SAFETY: the operands, the bias and the workspace were allocated above in the sizes that the call needs. It
            // may read unset numbers; nobody uses the results.
            let run = || unsafe { queue.call(call, operands, Some(bias.start), workspace.start) };
            let Ok(took) = seconds(queue, run) else { continue };
            if took < least.0 {
                least = (took, call.choice);
            }
        }
        Ok(Some(least.1))
    }

    /// Lets cuDNN time every algorithm on memory of its own. Returns the seconds and choices of the usable ones, or
    /// nothing if cuDNN does not support the shape.
    fn found(&self, pass: Pass, shapes: &Shapes) -> Result<Vec<(f64, Choice)>, DeviceError> {
        let Shapes { images, filters, result, window } = *shapes;
        /// Runs cuDNN's search for one pass. A macro, because the three passes have functions and types of their own.
        macro_rules! search {
            ($find:path, $kind:ty, $first:expr, $second:expr, $third:expr) => {{
                let mut found: [MaybeUninit<$kind>; MOST_ALGORITHMS as usize] = [const { MaybeUninit::uninit() }; _];
                let (mut count, most) = (0, c_int::from(MOST_ALGORITHMS));
                // SAFETY: `self.cudnn` and `shapes` keep handle and descriptors alive; `found` has room for `most` results.
                let status = unsafe {
                    $find(self.cudnn.raw, $first, $second, window, $third, most, &mut count, found.as_mut_ptr().cast())
                };
                if let Err(error) = status.result() {
                    if !refused(&error) {
                        return Err(failed("cuDNN cannot look for an algorithm for a convolution", &error));
                    }
                    count = 0;
                }
                let found = found.iter().take(usize::try_from(count).unwrap_or(0));
                // SAFETY: cuDNN has written the first `count` results. After an error `count` is 0.
                let found = found.map(|one| unsafe { one.assume_init_ref() });
                let may = found.filter(|one| {
                    one.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS
                        && one.determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC
                        && one.memory <= MOST_WORKSPACE
                });
                let choice = |one: &$kind| {
                    let (algorithm, math) = (one.algo as u32, one.mathType as u32);
                    Choice { algorithm, math, workspace: one.memory, includes_epilogue: false }
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
            Pass::BackwardData => search!(
                sys::cudnnFindConvolutionBackwardDataAlgorithm,
                sys::cudnnConvolutionBwdDataAlgoPerf_t,
                filters,
                result,
                images
            ),
            Pass::BackwardFilter => search!(
                sys::cudnnFindConvolutionBackwardFilterAlgorithm,
                sys::cudnnConvolutionBwdFilterAlgoPerf_t,
                images,
                result,
                filters
            ),
        })
    }
}

/// Does an error mean that cuDNN does not support a shape (codes 2000 to 3999)? Any other error means that something broke.
fn refused(error: &CudnnError) -> bool {
    (2000..4000).contains(&(error.0 as u32))
}

impl Call for Prepared {
    fn workspace(&self) -> usize {
        self.choice.workspace
    }

    fn includes_epilogue(&self) -> bool {
        self.epilogue.is_some()
    }

    unsafe fn run(&self, [a, b, c]: [u64; 3], bias: Option<u64>, workspace: u64) -> Result<(), DeviceError> {
        // cuDNN reads the factors of product and old result, 1 and 0, from host memory in the precision of the sums.
        let (single, double) = ([1.0_f32, 0.0], [1.0_f64, 0.0]);
        let factors: [*const c_void; 2] = match self.precision {
            Precision::F32 => [(&raw const single[0]).cast(), (&raw const single[1]).cast()],
            Precision::F64 => [(&raw const double[0]).cast(), (&raw const double[1]).cast()],
        };
        let [one, zero] = factors;
        let Shapes { images, filters, result, window } = self.shapes;
        let Choice { algorithm, workspace: bytes, .. } = self.choice;
        let follows = self.epilogue.as_ref().zip(bias);
        let (a, b, c, workspace) = (a as *const c_void, b as *const c_void, c as *mut c_void, workspace as *mut c_void);
        let handle = self.cudnn.raw;
        // SAFETY: `Call::run` demands that operands, bias and workspace have the sizes of this convolution. `self` keeps
        // handle and descriptors alive.
        let status = unsafe {
            match self.pass {
                Pass::Forward => {
                    let algorithm = forward(algorithm).ok_or_else(gone)?;
                    match follows {
                        // cuDNN also adds a second tensor, here times zero. It wants a valid address, so the result is
                        // given.
                        Some((Epilogue { bias: row, activation, .. }, bias)) => {
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
                Pass::BackwardData => {
                    let algorithm = input(algorithm).ok_or_else(gone)?;
                    result::convolution_backward_data(
                        handle, one, filters, b, result, a, window, algorithm, workspace, bytes, zero, images, c,
                    )
                }
                Pass::BackwardFilter => {
                    let algorithm = weight(algorithm).ok_or_else(gone)?;
                    result::convolution_backward_filter(
                        handle, one, images, a, result, b, window, algorithm, workspace, bytes, zero, filters, c,
                    )
                }
            }
        };
        status.map_err(|error| failed("cuDNN refuses a convolution", &error))
    }
}
