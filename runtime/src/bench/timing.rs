//! Times of things that take turns, block by block: a change of the machine's clock, or what else it does, meets all of them.

use crate::failure::Failure;
use std::time::{Duration, Instant};

/// About how long a block takes: shorter than the slices of time a busy machine deals out.
const BLOCK: Duration = Duration::from_micros(300);
/// Blocks that are timed at least, …
const FEWEST: usize = 5;
/// … in the time it takes, and …
const USUAL: usize = 15;
/// … at most.
const MOST: usize = 300;
/// For how long there may be more than the usual number of blocks, and from when on the fewest are enough: of a step, …
pub(super) const STEP: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// … and of a kernel, of which large networks have hundreds.
pub(super) const KERNEL: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(200)];
/// … of steps of several networks.
pub(super) const STEPS: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(60)];

/// Microseconds a call of each of `count` things that take turns, block by block; `call` is told which.
pub(super) fn time(
    count: usize,
    enough: [Duration; 2],
    mut call: impl FnMut(usize) -> Result<(), Failure>,
) -> Result<Vec<Vec<f64>>, Failure> {
    let mut calls = vec![1_u32; count];
    for (which, calls) in calls.iter_mut().enumerate() {
        let begin = Instant::now();
        while begin.elapsed() < BLOCK {
            call(which)?;
            *calls += 1;
        }
    }
    let mut blocks = vec![Vec::with_capacity(MOST); count];
    let begin = Instant::now();
    for round in 0..MOST {
        let spent = begin.elapsed();
        if (round >= USUAL && spent > enough[0]) || (round >= FEWEST && spent > enough[1]) {
            break;
        }
        for which in 0..count {
            let begin = Instant::now();
            for _ in 0..calls[which] {
                call(which)?;
            }
            blocks[which].push(begin.elapsed().as_secs_f64() * 1e6 / f64::from(calls[which]));
        }
    }
    Ok(blocks)
}

/// The one in the middle.
pub(super) fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
