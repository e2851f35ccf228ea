//! The random numbers for one image in one epoch. They depend on the seed, the epoch and the image only.

use crate::words::Words;

/// Separates these random numbers from those of orders and splits (`permutation`).
pub const PURPOSE: u32 = 0xDA7A_0005;

/// The random numbers of one image.
pub(super) struct Draws(Words);

impl Draws {
    /// For an image in an epoch. Epochs that differ by a multiple of 2^32 give the same numbers.
    #[expect(clippy::cast_possible_truncation, reason = "the low half")]
    pub(super) fn new(seed: u64, epoch: u64, image: u32) -> Self {
        Self::from(seed, [PURPOSE, epoch as u32, image])
    }

    /// For another purpose, which the first number identifies.
    pub(super) fn from(seed: u64, purpose: [u32; 3]) -> Self {
        Draws(Words::new(seed, purpose))
    }

    pub(super) fn word(&mut self) -> u32 {
        self.0.next()
    }

    /// True or false with equal probability.
    pub(super) fn coin(&mut self) -> bool {
        self.word() >> 31 == 1
    }

    /// A uniform integer in `low..=high`, `low <= high`. The bias of a value is below 2^-32, which is negligible.
    pub(super) fn between(&mut self, low: usize, high: usize) -> usize {
        let count = (high - low) as u64 + 1;
        low + usize::try_from((u64::from(self.word()) * count) >> 32).unwrap_or(0)
    }

    /// A uniform number in `low..high`.
    pub(super) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.word()) / 4_294_967_296.0
    }

    /// A standard normal number by the Box-Muller transform, with the same functions on every platform.
    pub(super) fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log((f64::from(self.word()) + 0.5) / 4_294_967_296.0));
        radius * libm::cos(self.uniform(0.0, std::f64::consts::TAU))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_image_and_each_epoch_has_numbers_of_its_own() {
        let first = |seed, epoch, image| Draws::new(seed, epoch, image).word();
        assert_eq!(first(1, 2, 3), first(1, 2, 3));
        let different = [first(1, 2, 3), first(0, 2, 3), first(1, 3, 3), first(1, 2, 4)];
        assert!((1..4).all(|i| !different[..i].contains(&different[i])), "{different:?}");
    }

    #[test]
    fn ranges_and_moments_are_right() {
        let mut draws = Draws::new(0, 0, 0);
        let mut seen = [0; 5];
        (0..5000).for_each(|_| seen[draws.between(2, 6) - 2] += 1);
        assert!(seen.iter().all(|&count| (850..1150).contains(&count)), "{seen:?}");
        let normals: Vec<f64> = (0..20_000).map(|_| draws.normal()).collect();
        let mean = normals.iter().sum::<f64>() / 20_000.0;
        let square = normals.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.05, "{mean} {square}");
    }
}
