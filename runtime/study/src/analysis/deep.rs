//! The drift of boundaries in the layers after the first ones, each in the space of the layer's own input.
//!
//! A run with `record = boundaries(layers = all)` stores the whole network at each record. The compiled formula of the
//! boundaries runs on one record after another, so only two records are in memory, however long the run is.

use super::drift::{Drift, DriftSums};
use super::run::Run;
use gmpc_compiler::graphs::boundary::{First, first_layers, followed_layers, graph};
use gmpc_compiler::ir::experiment::Followed;
use gmpc_compiler::ir::graph::Random;
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::lower;
use gmpc_device::Slice;
use gmpc_runtime::failure::Failure;
use gmpc_runtime::program::network::wrong;
use gmpc_runtime::program::session::Programs;
use std::sync::Arc;

/// The drift of every layer after the first ones. Empty if the run did not record all layers.
///
/// # Errors
/// The file of records is damaged; the device failed.
pub fn deep(run: &Run) -> Result<Vec<(First, Drift)>, Failure> {
    let Some(records) = &run.states else { return Ok(vec![]) };
    let network = &run.network;
    let (layers, first) = (followed_layers(&network.net, Followed::All), first_layers(&network.net));
    if layers.len() == first.len() {
        return Ok(vec![]);
    }
    let graph = graph(&network.module, &network.net, Followed::All).map_err(|errors| wrong(&network.module, errors))?;
    let program = Arc::new(lower(Goal::Boundaries, network.precision(), 1, &graph, vec![]));
    let mut executable = run.device.load(&program)?;
    // Outputs are in the order of the layers.
    let behind = layers.into_iter().enumerate().filter(|(_, layer)| !first.contains(layer));
    let mut sums: Vec<(usize, DriftSums)> = behind.map(|(index, layer)| (index, DriftSums::new(layer))).collect();
    for record in 0..records.count() {
        let mut states = records.read(record)?;
        executable.run(&mut states, Random::default())?;
        for (index, sums) in &mut sums {
            sums.observe(&rounded(&executable.output(*index)));
        }
    }
    Ok(sums.into_iter().map(|(_, sums)| sums.finish()).collect())
}

/// The numbers in f32, as the files of first layers hold them.
#[expect(clippy::cast_possible_truncation, reason = "rounded once")]
fn rounded(numbers: &Slice<'_>) -> Vec<f32> {
    match numbers {
        Slice::F32(data) => data.to_vec(),
        Slice::F64(data) => data.iter().map(|number| *number as f32).collect(),
    }
}
