//! What the texts of all kernels depend on besides their work.

use crate::experiment::Precision;
use crate::kernels::{BufferId, Pool};
use std::collections::HashMap;

/// What buffers are called in a kernel.
pub(super) type Names = HashMap<BufferId, String>;

/// What a kernel needs besides its work.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) precision: Precision,
    pub(super) names: &'a Names,
    /// The type of indices: 32 bits where all fit.
    pub(super) index: &'static str,
    /// A pool that is computed where its result is read.
    pub(super) inlined: Option<&'a Pool>,
}
