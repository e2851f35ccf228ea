//! Checks that a network fits into memory before any is allocated. A system that overcommits memory would grant the
//! allocation and kill the process later without a message.

use crate::failure::{Failure, Message};
use crate::program::network::{Network, wrong};
use crate::program::session::Programs;
use gmpc_compiler::check_sizes;
use gmpc_compiler::ir::graph::Role;

/// Refuses a network whose sizes cannot be compiled, or whose states need more memory than this machine has. `batch` is
/// the number of rows of one training step.
///
/// # Errors
/// [`Failure::File`] (E0352) for sizes that cannot be compiled; [`Failure::Io`] (E0813) with the memory that is needed.
pub(crate) fn fits(network: &Network, batch: usize) -> Result<(), Failure> {
    check_sizes(&network.net, batch).map_err(|error| wrong(&network.module, vec![error]))?;
    let layout = network.layout();
    let size = |shape: &[usize]| shape.iter().fold(1_u64, |n, &size| n.saturating_mul(size as u64));
    let drawn =
        layout.states.iter().filter(|state| state.role == Role::Parameter).map(|state| size(&state.shape)).max();
    let states = (layout.elements as u64).saturating_mul(network.precision().bytes() as u64);
    // The first values are drawn in f64, one tensor after another, so the largest parameter is in memory a second time.
    let needed = states.saturating_add(drawn.unwrap_or(0).saturating_mul(8));
    match whole().filter(|whole| needed > *whole) {
        Some(whole) => Err(Failure::Io(
            Message::new(format!(
                "the weights and the optimizer's states need {} GiB of memory, and this machine has {}",
                needed.div_ceil(1 << 30),
                whole >> 30
            ))
            .code("E0813")
            .help("use fewer units, `precision = f32`, or an optimizer with fewer states, such as `sgd`"),
        )),
        None => Ok(()),
    }
}

/// Bytes of memory of this machine; `None` if the system does not tell.
fn whole() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
