//! How boundaries moved from record to record, and how they lie over the data.

use crate::trajectory::Trajectory;
use gmpc_compiler::boundary::Boundary;
use std::collections::BTreeSet;

/// How far something moved between two records: over all units and records.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Movement {
    /// The largest.
    pub max: f64,
    /// The mean over units and records.
    pub mean: f64,
}

/// How a layer's boundaries lie over the training rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Side {
    /// Units that no row activates: they learn nothing any more.
    pub dead: usize,
    /// Units that every row activates: their boundary lies outside the data.
    pub always: usize,
    /// Units with rows on both sides of their boundary.
    pub splitting: usize,
    /// Groups of rows that activate different sets of units: how finely the boundaries cut the data.
    pub cells: usize,
}

/// What a trajectory says.
#[derive(Debug, Clone, PartialEq)]
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
    let mut found = Stability {
        records: trajectory.records(),
        location: Movement::default(),
        direction: Movement::default(),
        location_steps: Vec::with_capacity(trajectory.records()),
        direction_steps: Vec::with_capacity(trajectory.records()),
        lost: 0,
    };
    let mut pairs = 0.0;
    for record in 1..trajectory.records() {
        let (mut moved, mut turned) = (0.0_f64, 0.0_f64);
        for unit in 0..trajectory.first.units {
            let Some((step, angle)) = step(trajectory, record, unit) else {
                found.lost += 1;
                continue;
            };
            (moved, turned) = (moved.max(step), turned.max(angle));
            found.location.mean += step;
            found.direction.mean += angle;
            pairs += 1.0;
        }
        found.location_steps.push(moved);
        found.direction_steps.push(turned);
    }
    for (movement, steps) in
        [(&mut found.location, &found.location_steps), (&mut found.direction, &found.direction_steps)]
    {
        movement.max = steps.iter().copied().fold(0.0, f64::max);
        movement.mean /= f64::max(pairs, 1.0);
    }
    found
}

/// How far a unit's phi moved since the record before, and how far its direction turned; `None` where it had no boundary.
fn step(trajectory: &Trajectory, record: usize, unit: usize) -> Option<(f64, f64)> {
    let fan_in = trajectory.first.fan_in;
    let at = |back: usize, row: usize| trajectory.number(record - back, row, unit);
    let (before, after) = (at(1, fan_in), at(0, fan_in));
    let (mut moved, mut apart, mut along) = (0.0, 0.0, 0.0);
    for row in 0..fan_in {
        let (a, b) = (at(1, row), at(0, row));
        moved += (before * a - after * b) * (before * a - after * b);
        apart += (a - b) * (a - b);
        along += (a + b) * (a + b);
    }
    let (moved, turned): (f64, f64) = (moved.sqrt(), 2.0 * libm::atan2(apart.sqrt(), along.sqrt())); // as `turn` has it
    (moved.is_finite() && turned.is_finite()).then_some((moved, turned))
}

/// On which sides of the boundaries rows lie; `rows` is `[rows, inputs]`. A unit without a boundary counts as dead.
#[must_use]
pub fn sides(boundaries: &[Option<Boundary>], rows: &[f64], inputs: usize) -> Side {
    let mut active = vec![0_usize; boundaries.len()];
    let mut cells = BTreeSet::new();
    let mut count = 0;
    for row in rows.chunks_exact(inputs.max(1)) {
        let cell: Vec<bool> = boundaries.iter().map(|boundary| is_active(boundary.as_ref(), row)).collect();
        active.iter_mut().zip(&cell).for_each(|(count, active)| *count += usize::from(*active));
        cells.insert(cell);
        count += 1;
    }
    let dead = active.iter().filter(|active| **active == 0).count();
    let always = active.iter().filter(|active| **active == count && count > 0).count();
    Side { dead, always, splitting: active.len() - dead - always, cells: cells.len() }
}

fn is_active(boundary: Option<&Boundary>, row: &[f64]) -> bool {
    boundary.is_some_and(|boundary| {
        boundary.direction.iter().zip(row).map(|(u, x)| u * x).sum::<f64>() + boundary.offset > 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_compiler::boundary::First;
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

    #[test]
    fn sides_count_dead_and_splitting_units_and_cells() {
        let at = |direction: [f64; 2], offset| Some(Boundary { direction: direction.into(), offset });
        let boundaries = [at([1.0, 0.0], 0.0), at([1.0, 0.0], 9.0), at([0.0, 1.0], -9.0), None];
        let rows = [-1.0, 0.0, 1.0, 0.0, 2.0, 0.0];
        assert_eq!(sides(&boundaries, &rows, 2), Side { dead: 2, always: 1, splitting: 1, cells: 2 });
    }
}
