//! Picks the code for a variant and an algorithm.

use super::shape::{Algorithm, Direction, Geometry, Prepare};
use super::winograd::points::{Four, Points, Two};
use super::{correlate, weight, winograd};
use crate::Variant;
use crate::finish::Finish;
use crate::simd::{Bytes, Number};
use crate::workers::Workers;

/// What a convolution reads and writes; see [`super::forward`] and its gradients.
#[allow(missing_docs)] // named as there
pub enum Operands<T> {
    Forward { x: *const T, w: *const T, y: *mut T, finish: Finish<T>, prepare: Prepare<T> },
    Input { dy: *const T, w: *const T, dx: *mut T, finish: Finish<T> },
    Weight { x: *const T, dy: *const T, dw: *mut T, prepare: Prepare<T> },
}

/// Calls a function that is generic over the vector type, and perhaps over more, with the one of a variant.
macro_rules! with_vectors {
    ($variant:expr, $number:ty, $($function:ident)::+ $([$more:ty])?, $arguments:tt) => {
        match $variant {
            #[cfg(target_arch = "x86_64")]
            Variant::Avx512 => $($function)::+::<<$number as Number>::Avx512 $(, $more)?> $arguments,
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2 => $($function)::+::<<$number as Number>::Avx2 $(, $more)?> $arguments,
            _ => $($function)::+::<<$number as Number>::Portable $(, $more)?> $arguments,
        }
    };
}

/// See [`super::workspace`].
pub fn workspace<T: Number>(
    variant: Variant,
    geometry: &Geometry,
    direction: Direction,
    algorithm: Algorithm,
    workers: usize,
) -> usize {
    with_vectors!(variant, T, workspace_of, (geometry, direction, algorithm, workers))
}

fn workspace_of<S: Bytes>(geometry: &Geometry, direction: Direction, algorithm: Algorithm, workers: usize) -> usize {
    match algorithm {
        Algorithm::Direct => match direction {
            Direction::Forward => correlate::Plan::<S>::forward(geometry, workers).elements(),
            Direction::Input => correlate::Plan::<S>::input(geometry, workers).elements(),
            Direction::Weight => weight::Plan::<S>::new(geometry, workers).elements(),
        },
        Algorithm::Winograd2 => winograd_workspace::<S, Two>(geometry, direction, workers),
        Algorithm::Winograd4 => winograd_workspace::<S, Four>(geometry, direction, workers),
    }
}

fn winograd_workspace<S: Bytes, P: Points>(geometry: &Geometry, direction: Direction, workers: usize) -> usize {
    match direction {
        Direction::Forward => winograd::result::Plan::<S, P>::forward(geometry, workers).elements(),
        Direction::Input => winograd::result::Plan::<S, P>::input(geometry, workers).elements(),
        Direction::Weight => winograd::weight::Plan::<S, P>::new(geometry, workers).elements(),
    }
}

/// Does it.
///
/// # Safety
/// As [`super::forward`] and its gradients say.
pub unsafe fn convolve<T: Number>(
    variant: Variant,
    algorithm: Algorithm,
    geometry: &Geometry,
    operands: Operands<T>,
    workspace: *mut T,
    workers: &Workers,
) {
    // SAFETY: passed on from the caller.
    unsafe { with_vectors!(variant, T, convolve_with, (algorithm, geometry, operands, workspace, workers)) }
}

/// # Safety
/// As [`convolve`]; the processor has the features of `S`.
unsafe fn convolve_with<S: Bytes>(
    algorithm: Algorithm,
    geometry: &Geometry,
    operands: Operands<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    // SAFETY: passed on from the caller.
    unsafe {
        match algorithm {
            Algorithm::Direct => match operands {
                Operands::Forward { x, w, y, finish, prepare } => {
                    correlate::forward::<S>(geometry, [x, w], y, finish, prepare, workspace, workers);
                }
                Operands::Input { dy, w, dx, finish } => {
                    correlate::input::<S>(geometry, [dy, w], dx, finish, workspace, workers);
                }
                Operands::Weight { x, dy, dw, prepare } => {
                    weight::gradient::<S>(geometry, [x, dy], dw, prepare, workspace, workers);
                }
            },
            Algorithm::Winograd2 => winograd_with::<S, Two>(geometry, operands, workspace, workers),
            Algorithm::Winograd4 => winograd_with::<S, Four>(geometry, operands, workspace, workers),
        }
    }
}

/// # Safety
/// As [`convolve_with`].
unsafe fn winograd_with<S: Bytes, P: Points>(
    geometry: &Geometry,
    operands: Operands<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    // SAFETY: passed on from the caller.
    unsafe {
        match operands {
            Operands::Forward { x, w, y, finish, prepare } => {
                winograd::forward::<S, P>(geometry, [x, w], y, finish, prepare, workspace, workers);
            }
            Operands::Input { dy, w, dx, finish } => {
                winograd::input::<S, P>(geometry, [dy, w], dx, finish, workspace, workers);
            }
            Operands::Weight { x, dy, dw, prepare } => {
                winograd::weight::gradient::<S, P>(geometry, [x, dy], dw, prepare, workspace, workers);
            }
        }
    }
}
