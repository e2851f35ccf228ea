//! Decides when to report progress within an epoch: a few times a second, without reading the clock in every short
//! step.

use std::time::{Duration, Instant};

/// Time between two reports.
const OFTEN: Duration = Duration::from_millis(250);

/// Counts steps between two readings of the clock. The shorter the steps, the more of them.
#[derive(Debug)]
pub(super) struct Pace {
    reported: Instant,
    /// Rows since the last report.
    rows: usize,
    /// Steps since the last report, and after how many the clock is read.
    steps: u32,
    look: u32,
}

impl Pace {
    /// Begins with a report at this moment.
    pub(super) fn new() -> Self {
        Pace { reported: Instant::now(), rows: 0, steps: 0, look: 1 }
    }

    /// A step over `rows` rows is done. Returns the rows per second if it is time for a report.
    pub(super) fn step(&mut self, rows: usize) -> Option<f64> {
        self.rows += rows;
        self.steps += 1;
        if self.steps < self.look {
            return None;
        }
        let passed = self.reported.elapsed();
        if passed < OFTEN {
            self.look = self.look.saturating_mul(2); // so a report comes after at most twice the time
            return None;
        }
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
        let reports = (0..1000).filter(|_| pace.step(64).is_some()).count();
        assert_eq!((reports, pace.look), (0, 1024));
    }

    #[test]
    fn long_steps_are_told_with_their_speed() {
        let mut pace = Pace { reported: Instant::now().checked_sub(Duration::from_secs(1)).unwrap(), ..Pace::new() };
        let speed = pace.step(100).unwrap();
        assert!(speed > 50.0 && speed < 101.0, "{speed}");
        assert_eq!(pace.look, 1);
    }
}
