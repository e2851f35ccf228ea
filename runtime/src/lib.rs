//! Runs networks: the network at run time, training, run folders, and the tasks behind the commands.
//!
//! ```text
//! program -> train -> run (folder, checkpoint, records) -> task (train, eval, predict, compare, …)
//! ```

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

pub mod diverge;
pub mod event;
pub mod exact;
pub mod explain;
pub mod failure;
mod memory;
pub mod program;
pub mod run;
pub mod task;
pub mod timings;
pub mod train;

#[cfg(test)]
mod testing;
