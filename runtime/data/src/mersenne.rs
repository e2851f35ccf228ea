//! NumPy's legacy `RandomState`: MT19937 with its doubles and normal numbers, bit-identical.
//!
//! The paper's official code draws the Levy data from it, so the points here are the same.
//! Sources: Matsumoto and Nishimura, "Mersenne Twister", 1998; NumPy `mt19937.c`, `legacy-distributions.c`.

const N: usize = 624;
const M: usize = 397;

/// The generator behind `numpy.random.RandomState(seed)`.
pub(super) struct RandomState {
    state: [u32; N],
    next: usize,
    /// Normal numbers come in pairs. This is the second of a pair.
    spare: Option<f64>,
}

impl RandomState {
    /// `numpy.random.RandomState(seed)`
    pub(super) fn new(seed: u32) -> Self {
        let mut state = [seed; N];
        let mut last = seed;
        for (i, word) in (0u32..).zip(&mut state).skip(1) {
            last = (last ^ (last >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i);
            *word = last;
        }
        RandomState { state, next: N, spare: None }
    }

    /// `uniform(low, high)`
    pub(super) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.double()
    }

    /// `randn()`: mean 0 and deviation 1, by Marsaglia's polar method. `normal(0, s)` is `s` times this.
    pub(super) fn gauss(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let x1 = 2.0 * self.double() - 1.0;
            let x2 = 2.0 * self.double() - 1.0;
            let r2 = x1 * x1 + x2 * x2;
            if r2 < 1.0 && r2 != 0.0 {
                let factor = (-2.0 * libm::log(r2) / r2).sqrt();
                self.spare = Some(factor * x1);
                return factor * x2;
            }
        }
    }

    /// A number in [0, 1) with 53 random bits.
    fn double(&mut self) -> f64 {
        let (a, b) = (self.word() >> 5, self.word() >> 6);
        (f64::from(a) * 67_108_864.0 + f64::from(b)) / 9_007_199_254_740_992.0
    }

    fn word(&mut self) -> u32 {
        if self.next == N {
            self.twist();
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn twist(&mut self) {
        for i in 0..N {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
            let mixed = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ mixed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 5e-9, "{actual} is not {expected}");
    }

    #[test]
    fn draws_what_numpy_draws_for_the_levy_experiment() {
        let mut random = RandomState::new(0);
        let x: Vec<f64> = (0..50).map(|_| random.uniform(-10.0, 10.0)).collect();
        for (actual, expected) in x.iter().zip([0.976_270_08, 4.303_787_33, 2.055_267_52]) {
            close(*actual, expected);
        }
        close(0.1 * random.gauss(), -0.170_627_02);
        close(0.1 * random.gauss(), 0.195_077_54);
    }

    #[test]
    fn draws_what_numpy_draws_from_seed_1() {
        // The weights of the paper's perturbation figure: 0.001 * randn.
        let mut random = RandomState::new(1);
        for expected in [1.624_345_36, -0.611_756_41, -0.528_171_75] {
            close(random.gauss(), expected);
        }
    }

    #[test]
    fn has_the_ten_thousandth_word_of_the_standard() {
        // C++ [rand.predef]: the 10000th word of mt19937 from seed 5489.
        let mut random = RandomState::new(5489);
        assert_eq!((0..10_000).map(|_| random.word()).last(), Some(4_123_659_995));
    }
}
