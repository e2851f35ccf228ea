//! The parts that all programs of an open GPU share, and the options with which they run.

use super::driver::Queue;
use super::gather::Tables;
use std::sync::{Arc, Mutex};

/// Options with which programs run.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// Is a whole step one launch of a recorded graph?
    pub(super) graphs: bool,
    /// Do libraries compute matmuls and convolutions if they can?
    pub(super) libraries: bool,
}

/// The parts that all programs of a GPU share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Arc<Queue>,
    /// Locked while a program is loaded or starts: it then has the stream, the handles and the tables to itself.
    pub(super) turn: Mutex<Tables>,
}
