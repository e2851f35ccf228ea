//! Selects the code for a variant and an algorithm.

use super::shape::{Algorithm, Direction, Geometry, Prepare};
use super::winograd::points::{Four, Points, Two};
use super::{correlate, weight, winograd};
use crate::Variant;
use crate::epilogue::Epilogue;
use crate::simd::{Bytes, Number};
use crate::workers::Workers;

/// The operands of a convolution; see [`super::forward`] and its gradients.
pub enum Operands<T> {
    Forward { x: *const T, w: *const T, y: *mut T, epilogue: Epilogue<T>, prepare: Prepare<T> },
    Input { dy: *const T, w: *const T, dx: *mut T, epilogue: Epilogue<T> },
    Weight { x: *const T, dy: *const T, dw: *mut T, prepare: Prepare<T> },
}

/// Calls a function that is generic over the vector type, and perhaps over one more type, with the vectors of a variant.
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

/// Runs a convolution or one of its gradients.
///
/// # Safety
/// The contract of [`super::forward`] or of the gradient that made `operands`.
pub unsafe fn convolve<T: Number>(
    variant: Variant,
    algorithm: Algorithm,
    geometry: &Geometry,
    operands: Operands<T>,
    workspace: *mut T,
    workers: &Workers,
) {
    // SAFETY: the contract of this function is that of the call.
    unsafe { with_vectors!(variant, T, convolve_with, (algorithm, geometry, operands, workspace, workers)) }
}

/// Runs a convolution with one vector type.
///
/// # Safety
/// As for [`convolve`]. The CPU has the features of `S`.
unsafe fn convolve_with<S: Bytes>(
    algorithm: Algorithm,
    geometry: &Geometry,
    operands: Operands<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    // SAFETY: the contract of this function is that of the call.
    unsafe {
        match algorithm {
            Algorithm::Direct => match operands {
                Operands::Forward { x, w, y, epilogue, prepare } => {
                    correlate::forward::<S>(geometry, [x, w], y, epilogue, prepare, workspace, workers);
                }
                Operands::Input { dy, w, dx, epilogue } => {
                    correlate::input::<S>(geometry, [dy, w], dx, epilogue, workspace, workers);
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

/// Runs a Winograd convolution with one vector type.
///
/// # Safety
/// As for [`convolve_with`]. The algorithm fits the geometry.
unsafe fn winograd_with<S: Bytes, P: Points>(
    geometry: &Geometry,
    operands: Operands<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    // SAFETY: the contract of this function is that of the call.
    unsafe {
        match operands {
            Operands::Forward { x, w, y, epilogue, prepare } => {
                winograd::forward::<S, P>(geometry, [x, w], y, epilogue, prepare, workspace, workers);
            }
            Operands::Input { dy, w, dx, epilogue } => {
                winograd::input::<S, P>(geometry, [dy, w], dx, epilogue, workspace, workers);
            }
            Operands::Weight { x, dy, dw, prepare } => {
                winograd::weight::gradient::<S, P>(geometry, [x, dy], dw, prepare, workspace, workers);
            }
        }
    }
}
