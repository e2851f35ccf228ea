//! The time of each kernel of a program alone.

use super::KernelTime;
use super::steps::Ready;
use super::timing::{KERNEL, Span, time};
use crate::failure::Failure;
use crate::task::experiment::Request;
use gmpc_compiler::ir::graph::Random;
use gmpc_compiler::{SingleKernel, lower_separately};
use std::sync::Arc;
use std::time::Duration;

/// Approximate time for which all kernels of a network are timed one by one.
const ENOUGH: Duration = Duration::from_secs(20);

/// Times every kernel in `passes` rounds over all of them. One round tells how much blocks of a few hundred microseconds differ;
/// several, some seconds apart, also tell how much the machine changes meanwhile.
pub(super) fn kernels(request: &Request, ready: &mut Ready, passes: u32) -> Result<Vec<KernelTime>, Failure> {
    let inputs = ready.session.inputs(ready.handle)?;
    let (whole, network) = (ready.program(), Arc::clone(&ready.network));
    let separate = lower_separately(&whole, &network.module.sources);
    // Deep networks have hundreds of kernels, which share the time that a few would have.
    let share = ENOUGH / u32::try_from(separate.len()).unwrap_or(u32::MAX).saturating_mul(passes).max(1);
    let enough = KERNEL.map(|most| most.min(share));
    let mut loaded = Vec::with_capacity(separate.len());
    for SingleKernel { name, line, flops, bytes, program } in separate {
        let program = Arc::new(program);
        loaded.push((KernelTime { name, line, us: Span::default(), flops, bytes }, program, vec![]));
    }
    for _ in 0..passes {
        for (_, program, times) in &mut loaded {
            // Loaded anew for each pass: kernels that are kept would keep their working memory, too, all at the same time.
            let mut executable = request.device.load(program)?;
            for (index, input) in inputs.iter().enumerate() {
                executable.input(index).copy_from(&input.as_slice());
            }
            // The states of the session serve all kernels: it trains no more, and a copy for each would take longer than they do.
            let states = &mut ready.session.states;
            let measured =
                time(1, enough, |_| executable.run(states, Random { seed: 0, step: 1 }).map_err(Failure::from))?;
            times.extend(measured.into_iter().flatten());
        }
    }
    Ok(loaded.into_iter().map(|(kernel, _, times)| KernelTime { us: Span::of(&times), ..kernel }).collect())
}
