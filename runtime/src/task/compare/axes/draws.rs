//! Points drawn at random from ranges: a search whose first draws stay what they are when more are asked for.
//!
//! Draw i of axis k is a function of the search's seed, i and k (Philox), so `--random 80` tries the 40 points of
//! `--random 40` and 40 more, whatever ran where and in which order.

use super::ranges::{Range, rounded};
use gmpc_compiler::math::philox::philox;

/// Tells these words from others of the same seed.
const PURPOSE: u32 = 0x5ea7;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// How many points; at least 1.
    pub count: u32,
    /// The search's seed, which is none of the runs'.
    pub seed: u64,
    /// Each key with what its value is drawn from.
    pub ranges: Vec<(String, Range)>,
}

impl Drawn {
    /// Every point: each key with its value, written with six digits.
    pub(super) fn points(&self) -> Vec<Vec<(String, String)>> {
        let value = |draw: u32, axis: u32, range: &Range| rounded(range.at(part(self.seed, draw, axis)));
        let point = |draw: u32| {
            (0..).zip(&self.ranges).map(|(axis, (key, range))| (key.clone(), value(draw, axis, range))).collect()
        };
        (0..self.count).map(point).collect()
    }
}

/// Uniform between 0 and 1, never either.
#[expect(clippy::cast_possible_truncation, reason = "low and high halves")]
fn part(seed: u64, draw: u32, axis: u32) -> f64 {
    let [word, ..] = philox([draw, axis, 0, PURPOSE], [seed as u32, (seed >> 32) as u32]);
    (f64::from(word) + 0.5) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(count: u32, seed: u64) -> Vec<Vec<(String, String)>> {
        let ranges = vec![
            ("lr".to_string(), Range { log: true, low: 1e-4, high: 1.0 }),
            ("decay".to_string(), Range { log: false, low: 0.0, high: 0.5 }),
        ];
        Drawn { count, seed, ranges }.points()
    }

    #[test]
    fn more_draws_begin_with_the_same_ones() {
        assert_eq!(drawn(80, 3)[..40], drawn(40, 3));
        assert_ne!(drawn(40, 3), drawn(40, 4));
    }

    #[test]
    fn draws_are_uniform_in_the_logarithm_and_uniform() {
        let points = drawn(4000, 0);
        let below = |k: usize, bound: f64| {
            points.iter().filter(|point| point[k].1.parse::<f64>().unwrap() < bound).count() as f64 / 4000.0
        };
        for (k, bound, expected) in [(0, 1e-3, 0.25), (0, 1e-2, 0.5), (1, 0.1, 0.2), (1, 0.25, 0.5)] {
            assert!((below(k, bound) - expected).abs() < 0.03, "{k}, {bound}: {}", below(k, bound));
        }
    }
}
