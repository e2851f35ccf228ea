//! When to tell how far an epoch is: a few times a second, without asking for the time in every short step.

use std::time::{Duration, Instant};

/// Time between two reports.
const OFTEN: Duration = Duration::from_millis(250);

/// Looks at the clock as rarely as the steps are short.
#[derive(Debug)]
pub(super) struct Pace {
    told: Instant,
    /// Rows since then.
    rows: usize,
    /// Steps since then, and after how many to look at the clock.
    steps: u32,
    look: u32,
}

impl Pace {
    /// From now on.
    pub(super) fn new() -> Self {
        Pace { told: Instant::now(), rows: 0, steps: 0, look: 1 }
    }

    /// A step of so many rows is done; the rows a second where it is time to tell.
    pub(super) fn step(&mut self, rows: usize) -> Option<f64> {
        self.rows += rows;
        self.steps += 1;
        if self.steps < self.look {
            return None;
        }
        let passed = self.told.elapsed();
        if passed < OFTEN {
            self.look = self.look.saturating_mul(2); // at most twice as many steps as fit into the time
            return None;
        }
        #[allow(clippy::cast_precision_loss)] // rows stay far below 2^53
        let speed = self.rows as f64 / passed.as_secs_f64();
        *self = Pace { look: (self.steps / 2).max(1), ..Pace::new() };
        Some(speed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_steps_look_at_the_clock_ever_more_rarely() {
        let mut pace = Pace::new();
        let told = (0..1000).filter(|_| pace.step(64).is_some()).count();
        assert_eq!((told, pace.look), (0, 1024));
    }

    #[test]
    fn long_steps_are_told_with_their_speed() {
        let mut pace = Pace { told: Instant::now().checked_sub(Duration::from_secs(1)).unwrap(), ..Pace::new() };
        let speed = pace.step(100).unwrap();
        assert!(speed > 50.0 && speed < 101.0, "{speed}");
        assert_eq!(pace.look, 1);
    }
}
