//! Times several computations in interleaved blocks: a change of the clock frequency or other work of the machine then
//! affects all of them.

use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Approximate length of a block. It is shorter than a scheduler's time slice on a busy machine.
const BLOCK: Duration = Duration::from_micros(300);
/// Smallest number of blocks.
const FEWEST: usize = 3;
/// Number of blocks after which the first time limit applies.
const USUAL: usize = 15;
/// Largest number of blocks.
const MOST: usize = 300;
/// Two time limits for timing a step. After the first, `USUAL` blocks are enough; after the second, `FEWEST` are.
pub(super) const STEP: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// The same for a kernel. It is shorter, because large networks have hundreds of kernels.
pub(super) const KERNEL: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(200)];
/// The same for the steps of several networks.
pub(super) const STEPS: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(60)];

/// The microseconds for each call of each of `count` computations, one number for each block. `call` gets the index of
/// the computation.
pub(super) fn time(
    count: usize,
    enough: [Duration; 2],
    mut call: impl FnMut(usize) -> Result<(), Failure>,
) -> Result<Vec<Vec<f64>>, Failure> {
    // How many calls fill one block is measured first. These calls also warm up the caches.
    let mut calls = vec![0_u32; count];
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

/// The median and the quartiles of the blocks of one computation, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// A quarter of the blocks took less.
    pub low: f64,
    /// Half of them took less.
    pub median: f64,
    /// Three quarters of them took less.
    pub high: f64,
}

impl Span {
    /// Of the times of blocks; without blocks all three are not numbers.
    pub(super) fn of(times: &[f64]) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |quarters: usize| sorted.get(sorted.len() * quarters / 4).copied().unwrap_or(f64::NAN);
        Span { low: at(1), median: at(2), high: at(3) }
    }
}

/// The median.
pub(super) fn median(times: &[f64]) -> f64 {
    Span::of(times).median
}
