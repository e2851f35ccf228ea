//! What all programs of an open GPU share, and how they run.

use super::driver::Queue;
use super::gather::Tables;
use std::sync::{Arc, Mutex};

/// How programs run.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// Is a whole step one launch?
    pub(super) graphs: bool,
    /// Do libraries compute products and convolutions, where they can?
    pub(super) libraries: bool,
}

/// What all programs of a GPU have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Arc<Queue>,
    /// Held while a program runs or is loaded: stream and handles belong to it then, and data that the GPU keeps.
    pub(super) turn: Mutex<Tables>,
}
