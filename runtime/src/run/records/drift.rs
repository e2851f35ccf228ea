//! Measures how far boundaries moved between two consecutive records.
//!
//! ```text
//! record    [fan_in + 1, units]: rows of u, then lambda     phi = -lambda u
//! dphi      |phi' - phi|                               turn = 2 atan(|u' - u| / |u' + u|)
//! ```

use gmpc_compiler::graphs::boundary::First;

/// How far one boundary moved. Its numbers are not finite if the unit had no boundary before or after.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moved {
    /// Square of the distance between the locations.
    square: f64,
    /// Squares of |u' - u| and |u' + u|.
    apart: f64,
    along: f64,
}

impl Moved {
    /// The drift of one unit of a layer between two records.
    #[must_use]
    pub fn of(first: &First, before: &[f32], after: &[f32], unit: usize) -> Self {
        let at = |record: &[f32], row: usize| record.get(row * first.units + unit).map_or(f64::NAN, |n| f64::from(*n));
        let (from, to) = (at(before, first.fan_in), at(after, first.fan_in));
        let mut moved = Moved { square: 0.0, apart: 0.0, along: 0.0 };
        for row in 0..first.fan_in {
            let (a, b) = (at(before, row), at(after, row));
            moved.square += (from * a - to * b) * (from * a - to * b);
            moved.apart += (a - b) * (a - b);
            moved.along += (a + b) * (a + b);
        }
        moved
    }

    /// The distance that the location moved, and the angle that the direction turned, in radians; `None` if the unit
    /// had no boundary before or after.
    #[must_use]
    pub fn numbers(self) -> Option<(f64, f64)> {
        // The same formula as in `boundary::turn`: it is accurate for small angles too.
        let turn = 2.0 * libm::atan2(self.apart.sqrt(), self.along.sqrt());
        let moved = self.square.sqrt();
        (moved.is_finite() && turn.is_finite()).then_some((moved, turn))
    }
}

/// The largest drift of a layer's units since the last call of `take`. It is updated after every record, so the loops
/// go through the rows of a record and handle all units of a row together.
#[derive(Debug, Clone)]
pub(super) struct Largest {
    /// The previous record and the newest one.
    before: Vec<f32>,
    now: Vec<f32>,
    /// One number for each unit, as in [`Moved`].
    square: Vec<f64>,
    apart: Vec<f64>,
    along: Vec<f64>,
    /// Square of the largest distance.
    furthest: f64,
    /// The largest |u' - u| / |u' + u|, squared; infinite for a half turn.
    widest: f64,
    /// True if two records were compared.
    any: bool,
}

impl Largest {
    /// Begins with this record; empty if there is none yet.
    pub(super) fn after(before: Vec<f32>) -> Self {
        let (now, square, apart, along) = (vec![], vec![], vec![], vec![]);
        Largest { before, now, square, apart, along, furthest: 0.0, widest: 0.0, any: false }
    }

    /// Compares the next record with the previous one.
    pub(super) fn observe(&mut self, first: &First, record: impl Iterator<Item = f32>) {
        self.now.clear();
        self.now.extend(record);
        if self.before.len() == self.now.len() {
            self.any = true;
            self.compare(first);
        }
        std::mem::swap(&mut self.before, &mut self.now);
    }

    fn compare(&mut self, first: &First) {
        let units = first.units.max(1);
        for sums in [&mut self.square, &mut self.apart, &mut self.along] {
            sums.clear();
            sums.resize(units, 0.0);
        }
        let (before, now) = (self.before.chunks_exact(units), self.now.chunks_exact(units));
        let offsets = before.clone().zip(now.clone()).next_back();
        for ((a, b), (from, to)) in before.zip(now).take(first.fan_in).zip(offsets.into_iter().cycle()) {
            for unit in 0..units.min(a.len()).min(b.len()).min(from.len()).min(to.len()) {
                let [a, b, from, to] = [a[unit], b[unit], from[unit], to[unit]].map(f64::from);
                self.square[unit] += (from * a - to * b) * (from * a - to * b);
                self.apart[unit] += (a - b) * (a - b);
                self.along[unit] += (a + b) * (a + b);
            }
        }
        // A unit without a boundary does not count as moved: its numbers are NaN, and comparisons with NaN are false.
        let finite = self.square.iter().filter(|square| square.is_finite());
        self.furthest = finite.fold(self.furthest, |most, square| if *square > most { *square } else { most });
        for (apart, along) in self.apart.iter().zip(&self.along) {
            if *apart > self.widest * along {
                self.widest = apart / along;
            }
        }
    }

    /// The distance, and the angle in radians; `None` if there was no new record.
    pub(super) fn take(&mut self) -> Option<(f64, f64)> {
        let found = self.any.then(|| (self.furthest.sqrt(), 2.0 * libm::atan(self.widest.sqrt())));
        (self.furthest, self.widest, self.any) = (0.0, 0.0, false);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_several_records_is_told_once() {
        let first = First { layer: 1, name: "hidden".into(), fan_in: 1, units: 2 };
        let mut largest = Largest::after(vec![]);
        let see = |largest: &mut Largest, record: [f32; 4]| largest.observe(&first, record.into_iter());
        see(&mut largest, [1.0, -1.0, 0.0, 0.0]);
        assert_eq!(largest.take(), None, "one record is no drift");
        see(&mut largest, [1.0, -1.0, 0.5, 2.0]);
        see(&mut largest, [-1.0, f32::NAN, 0.5, f32::NAN]);
        let (moved, turn) = largest.take().unwrap();
        assert_eq!(moved, 2.0, "the unit that lost its boundary had moved before");
        assert!((turn - std::f64::consts::PI).abs() < 1e-12);
        assert_eq!(largest.take(), None);
    }
}
