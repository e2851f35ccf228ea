//! The layers that follow the first ones: how their boundaries moved, each in the space of its own input.
//!
//! A run with `record = boundaries(layers = all)` keeps the whole network at each record. The compiled formula of the
//! boundaries runs on these, one record after the other, so that a run of any length takes the memory of two.

use super::stability::{Follower, Stability};
use super::subject::Subject;
use crate::device::Slice;
use crate::failure::Failure;
use crate::network::wrong;
use crate::session::Programs;
use gmpc_compiler::boundary::{First, first_layers, followed_layers, graph};
use gmpc_compiler::experiment::Followed;
use gmpc_compiler::graph::Random;
use gmpc_compiler::lower;
use gmpc_compiler::program::Goal;
use std::sync::Arc;

/// How the boundaries of every layer behind the first ones moved; empty where the run did not keep what that takes.
///
/// # Errors
/// The file of records is damaged; the device failed.
pub fn deep(subject: &Subject) -> Result<Vec<(First, Stability)>, Failure> {
    let Some(records) = &subject.states else { return Ok(vec![]) };
    let network = &subject.network;
    let (layers, first) = (followed_layers(&network.net, Followed::All), first_layers(&network.net));
    if layers.len() == first.len() {
        return Ok(vec![]);
    }
    let graph = graph(&network.module, &network.net, Followed::All).map_err(|told| wrong(&network.module, told))?;
    let program = Arc::new(lower(Goal::Boundaries, network.precision(), 1, &graph, vec![]));
    let mut executable = subject.device.load(&program)?;
    // Outputs are in the order of the layers.
    let behind = layers.into_iter().enumerate().filter(|(_, layer)| !first.contains(layer));
    let mut followers: Vec<(usize, Follower)> = behind.map(|(place, layer)| (place, Follower::new(layer))).collect();
    for record in 0..records.count() {
        let mut states = records.read(record)?;
        executable.run(&mut states, Random::default())?;
        for (place, follower) in &mut followers {
            follower.observe(&rounded(&executable.output(*place)));
        }
    }
    Ok(followers.into_iter().map(|(_, follower)| follower.finish()).collect())
}

/// As the files of first layers hold them.
#[allow(clippy::cast_possible_truncation)] // rounded once
fn rounded(numbers: &Slice<'_>) -> Vec<f32> {
    match numbers {
        Slice::F32(data) => data.to_vec(),
        Slice::F64(data) => data.iter().map(|number| *number as f32).collect(),
    }
}
