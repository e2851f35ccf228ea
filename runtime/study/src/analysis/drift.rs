//! The drift of boundaries from record to record.

use gmpc_compiler::graphs::boundary::First;
use gmpc_runtime::run::records::{Moved, Trajectory};

/// The drift between two consecutive records, over all units and records.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Extent {
    /// The largest drift.
    pub max: f64,
    /// The mean over units and pairs of records.
    pub mean: f64,
}

/// The drift of one layer's boundaries over training.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Drift {
    /// Number of records.
    pub records: usize,
    /// Drift of phi, in the units of the layer's input.
    pub location: Extent,
    /// Drift of the direction, in radians.
    pub direction: Extent,
    /// The largest drift of phi over all units, for each pair of consecutive records (Figure 2c).
    pub location_steps: Vec<f64>,
    /// The largest turn over all units, for each pair of consecutive records (Figure 3i), in radians.
    pub direction_steps: Vec<f64>,
    /// Number of pairs of records that count nowhere else, because the unit's weights were zero at one of them and it
    /// had no boundary.
    pub lost: usize,
}

/// The drift of every unit from record to record.
#[must_use]
pub fn drift(trajectory: &Trajectory) -> Drift {
    let mut sums = DriftSums::new(trajectory.first.clone());
    (0..trajectory.records()).for_each(|record| sums.observe(trajectory.record(record)));
    sums.finish().1
}

/// Computes the drift of a layer's units from one record after another.
#[derive(Debug)]
pub struct DriftSums {
    first: First,
    /// The previous record.
    before: Vec<f32>,
    found: Drift,
    /// Number of compared pairs of records, over all units.
    pairs: f64,
}

impl DriftSums {
    /// The state before the first record.
    #[must_use]
    pub fn new(first: First) -> Self {
        DriftSums { first, before: vec![], found: Drift::default(), pairs: 0.0 }
    }

    /// Adds the next record, `[fan_in + 1, units]`.
    pub fn observe(&mut self, record: &[f32]) {
        self.found.records += 1;
        if self.found.records > 1 {
            self.compare(record);
        }
        self.before.clear();
        self.before.extend(record);
    }

    fn compare(&mut self, record: &[f32]) {
        let found = &mut self.found;
        let (mut furthest, mut widest) = (0.0_f64, 0.0_f64);
        for unit in 0..self.first.units {
            let Some((step, angle)) = Moved::of(&self.first, &self.before, record, unit).numbers() else {
                found.lost += 1;
                continue;
            };
            (furthest, widest) = (furthest.max(step), widest.max(angle));
            found.location.mean += step;
            found.direction.mean += angle;
            self.pairs += 1.0;
        }
        found.location_steps.push(furthest);
        found.direction_steps.push(widest);
    }

    /// The drift over all records, and the layer that it belongs to.
    #[must_use]
    pub fn finish(mut self) -> (First, Drift) {
        let found = &mut self.found;
        for (drift, steps) in
            [(&mut found.location, &found.location_steps), (&mut found.direction, &found.direction_steps)]
        {
            drift.max = steps.iter().copied().fold(0.0, f64::max);
            drift.mean /= f64::max(self.pairs, 1.0);
        }
        (self.first, self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_compiler::ir::experiment::Every;

    fn trajectory(records: &[[f32; 6]]) -> Trajectory {
        let first = First { layer: 1, name: "hidden".into(), fan_in: 2, units: 2 };
        Trajectory::new(first, Every::Epochs(1), records.concat())
    }

    #[test]
    fn drift_has_locations_and_directions() {
        // Rows: u_1 of both units, u_2 of both, lambda of both. Unit 0 moves by 0.5 and then stays. Unit 1 turns by 90
        // degrees at distance 1, and then its weights become zero.
        let found = drift(&trajectory(&[
            [1.0, 1.0, 0.0, 0.0, 0.0, -1.0],
            [1.0, 0.0, 0.0, 1.0, 0.5, -1.0],
            [1.0, f32::NAN, 0.0, f32::NAN, 0.5, f32::NAN],
        ]));
        let root = 2.0_f64.sqrt();
        assert_eq!(found.location_steps.len(), 2);
        assert!((found.location.max - root).abs() < 1e-12 && (found.location_steps[1]).abs() < 1e-12);
        assert!((found.location.mean - (0.5 + root) / 3.0).abs() < 1e-12);
        assert!((found.direction.max - std::f64::consts::FRAC_PI_2).abs() < 1e-12);
        assert_eq!(found.lost, 1);
    }
}
