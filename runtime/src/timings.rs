//! Measures how long each stage of the compiler takes. The compiler itself has no clock.

use gmpc_compiler::stage::{Observer, Part};
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{ThreadId, current};
use std::time::{Duration, Instant};

/// Observes stages and adds up their times, in the order in which the stages first began.
#[derive(Debug, Default)]
pub struct Timings(Mutex<Times>);

/// The time of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageTime {
    /// Name of the stage, such as `fuse`.
    pub stage: &'static str,
    /// How often it ran: some stages run once for each program of a network.
    pub runs: u32,
    /// Time of the pass itself, over all runs.
    pub pass: Duration,
    /// Time of the verifier after the pass, over all runs.
    pub verify: Duration,
}

#[derive(Debug, Default)]
struct Times {
    stages: Vec<StageTime>,
    /// The threads and times of begins without an end.
    open: Vec<(ThreadId, Instant)>,
}

impl Timings {
    /// The times so far.
    #[must_use]
    pub fn stages(&self) -> Vec<StageTime> {
        self.times().stages.clone()
    }

    /// One object: the line of `--timings --json`. Times in milliseconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let stages = self.stages();
        let one =
            |s: &StageTime| json!({ "stage": s.stage, "runs": s.runs, "ms": ms(s.pass), "verify_ms": ms(s.verify) });
        json!({
            "event": "timings",
            "stages": stages.iter().map(one).collect::<Vec<Value>>(),
            "ms": ms(stages.iter().map(|s| s.pass + s.verify).sum()),
            "verify_ms": ms(stages.iter().map(|s| s.verify).sum()),
        })
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Timings {
    fn begin(&self, _: &'static str, _: Part) {
        self.times().open.push((current().id(), Instant::now()));
    }

    fn end(&self, stage: &'static str, part: Part) {
        let (now, thread) = (Instant::now(), current().id());
        let mut times = self.times();
        // Several threads may compile at once. On one thread, the stage that began last ends first.
        let Some(index) = times.open.iter().rposition(|(open, _)| *open == thread) else { return };
        let time = now - times.open.remove(index).1;
        let known = times.stages.iter().position(|known| known.stage == stage).unwrap_or_else(|| {
            times.stages.push(StageTime { stage, runs: 0, pass: Duration::ZERO, verify: Duration::ZERO });
            times.stages.len() - 1
        });
        let known = &mut times.stages[known];
        match part {
            Part::Pass => (known.runs, known.pass) = (known.runs + 1, known.pass + time),
            Part::Verify => known.verify += time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_added_up_by_stage_in_the_order_of_their_beginnings() {
        let timings = Timings::default();
        for (stage, part) in [("b", Part::Pass), ("b", Part::Verify), ("a", Part::Pass), ("b", Part::Pass)] {
            timings.begin(stage, part);
            std::thread::sleep(Duration::from_millis(2));
            timings.end(stage, part);
        }
        let stages = timings.stages();
        assert_eq!(stages.iter().map(|s| (s.stage, s.runs)).collect::<Vec<_>>(), [("b", 2), ("a", 1)]);
        assert!(stages[0].pass >= Duration::from_millis(4) && stages[0].verify >= Duration::from_millis(2));
        assert_eq!(stages[1].verify, Duration::ZERO);
        let line = timings.to_json();
        assert_eq!(line["stages"][1]["stage"], "a");
        assert!(line["ms"].as_f64() >= Some(8.0) && line["verify_ms"].as_f64() >= Some(2.0), "{line}");
    }
}
