//! How boundaries moved from record to record.

use crate::trajectory::{Moved, Trajectory};
use gmpc_compiler::boundary::First;

/// How far something moved between two records: over all units and records.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Movement {
    /// The largest.
    pub max: f64,
    /// The mean over units and records.
    pub mean: f64,
}

/// What a trajectory says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stability {
    /// How many records it is of.
    pub records: usize,
    /// Of phi, in the units of the network's inputs.
    pub location: Movement,
    /// Of the direction, in radians.
    pub direction: Movement,
    /// The largest movement of phi of any unit, from each record to the next (Figure 2c).
    pub location_steps: Vec<f64>,
    /// The largest turn of any unit, from each record to the next (Figure 3i).
    pub direction_steps: Vec<f64>,
    /// Pairs of records of a unit that had no boundary at one of them, its weights being zero; they count nowhere else.
    pub lost: usize,
}

/// Follows every unit from record to record.
#[must_use]
pub fn stability(trajectory: &Trajectory) -> Stability {
    let mut follower = Follower::new(trajectory.first.clone());
    (0..trajectory.records()).for_each(|record| follower.observe(trajectory.record(record)));
    follower.finish().1
}

/// Follows a layer's units, one record after the other.
#[derive(Debug)]
pub struct Follower {
    first: First,
    /// The record before.
    before: Vec<f32>,
    found: Stability,
    /// Pairs of records of a unit.
    pairs: f64,
}

impl Follower {
    /// Before the first record.
    #[must_use]
    pub fn new(first: First) -> Self {
        Follower { first, before: vec![], found: Stability::default(), pairs: 0.0 }
    }

    /// The next record, `[fan_in + 1, units]`.
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

    /// What all records say, and of which layer.
    #[must_use]
    pub fn finish(mut self) -> (First, Stability) {
        let found = &mut self.found;
        for (movement, steps) in
            [(&mut found.location, &found.location_steps), (&mut found.direction, &found.direction_steps)]
        {
            movement.max = steps.iter().copied().fold(0.0, f64::max);
            movement.mean /= f64::max(self.pairs, 1.0);
        }
        (self.first, self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_compiler::experiment::Every;

    fn trajectory(records: &[[f32; 6]]) -> Trajectory {
        let first = First { layer: 1, name: "hidden".into(), fan_in: 2, units: 2 };
        Trajectory::new(first, Every::Epochs(1), records.concat())
    }

    #[test]
    fn movement_is_of_locations_and_of_directions() {
        // Rows: u_1 of both units, u_2 of both, lambda of both. Unit 0 shifts by 0.5, then stays; unit 1 turns by 90 degrees
        // at distance 1, then loses its weights.
        let found = stability(&trajectory(&[
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
