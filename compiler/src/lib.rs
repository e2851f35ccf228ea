//! From the text of a `.gmpnet` file to programs.
//!
//! Pure: it uses no files, clock, threads or devices. Passes know the data between them (`module`, `net`, `graph`, `kernels`,
//! `program`) but not each other. Only `pipeline` knows their order. `stage` is the harness that runs, verifies and prints
//! each pass.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::disallowed_methods,
        reason = "numbers of tests are small, and their inputs need no last digit"
    )
)]

pub mod backend;
pub mod explain;
pub mod front;
pub mod gradcheck;
pub mod graphs;
pub mod ir;
pub mod lower;
mod pipeline;
pub mod reference;
pub mod stage;
mod watch;

pub use backend::separate::SingleKernel;
pub use gmpc_math as math;
pub use graphs::{
    Options, TargetScale, convert::convert, initialize::initialization, parameterize::check_sizes, states::states,
};
pub use pipeline::{compile, elaborate, front, lower, lower_separately, program, step_graph};
pub use watch::{Watched, watch};

#[cfg(test)]
pub(crate) mod testing;
