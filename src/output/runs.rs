//! Shows the progress of a comparison: how many runs are stored, running, remaining and failed, and the remaining time.

use super::Output;
use super::progress::Progress;
use super::table::number;
use gmpc_runtime::task::compare::Step;
use std::time::{Duration, Instant};

/// Prints one line for each run that ends.
#[derive(Debug)]
pub struct Runs {
    output: Output,
    /// The metric that is shown for each run; by default those on the test rows.
    wanted: Option<String>,
    progress: Option<Progress>,
    since: Instant,
}

impl Runs {
    /// Measures the time from now on.
    pub fn new(output: &Output, wanted: Option<String>) -> Self {
        Runs { output: *output, wanted, progress: None, since: Instant::now() }
    }

    /// Shows a run that has ended or was stored before.
    pub fn told(&mut self, step: &Step) {
        let progress = self.progress.get_or_insert_with(|| Progress::untimed(&self.output, step.total as u64, "runs"));
        let (elapsed, wanted) = (self.since.elapsed(), self.wanted.as_deref());
        progress.at(step.done as u64, || text(step, elapsed, wanted));
    }
}

/// `12/30  5 found, 2 running, 16 to do, 1 failed, about 40 s to go  gmp, data=uci.yacht, seed 3: test.rmse 0.7`
fn text(step: &Step, elapsed: Duration, wanted: Option<&str>) -> String {
    let over: String = step.over.iter().map(|(key, value)| format!(", {key}={value}")).collect();
    let result = match &step.outcome.figures {
        Err(reason) => format!("failed: {reason}"),
        Ok(figures) => {
            let shown =
                figures.iter().filter(|(name, _)| wanted.map_or(name.starts_with("test."), |w| name.ends_with(w)));
            shown.map(|(name, value)| format!("{name} {}", number(*value))).collect::<Vec<_>>().join("  ")
        }
    };
    let kept = if step.kept { ", stored before" } else { "" };
    let (done, total, seed) = (step.done, step.total, step.outcome.seed);
    let state = state(step, elapsed);
    format!("{done}/{total}{state}  {}{over}, seed {seed}{kept}: {result}", step.param)
}

/// The numbers of stored, running, remaining and failed runs, without those that are 0, and the remaining time.
fn state(step: &Step, elapsed: Duration) -> String {
    let left = step.total.saturating_sub(step.done);
    let running = step.running.min(left);
    let counted = |count: usize, word: &str| (count > 0).then(|| format!("{count} {word}"));
    let parts = [
        counted(step.found, "found"),
        counted(running, "running"),
        counted(left - running, "to do"),
        counted(step.failed, "failed"),
        to_go(step, left, elapsed).map(|time| format!("about {} to go", spoken(time))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("  {}", parts.join(", ")) }
}

/// The remaining time, from the mean time of the runs so far. Stored runs took no time. `None` before the first run.
fn to_go(step: &Step, left: usize, elapsed: Duration) -> Option<Duration> {
    let fresh = step.done.saturating_sub(step.found);
    (fresh > 0 && left > 0).then(|| elapsed.mul_f64(left as f64 / fresh as f64))
}

/// A time such as `40 s`, `12 min` or `3 h 20 min`.
fn spoken(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..100 => format!("{} s", seconds.max(1)),
        seconds @ 100..7200 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_runtime::task::compare::Outcome;

    fn step(done: usize, found: usize, running: usize, failed: usize) -> Step {
        let figures = Ok(vec![("valid.rmse".into(), 0.5), ("test.rmse".into(), 0.75)]);
        let outcome = Outcome { seed: 3, figures, epochs: 2, seconds: 0.1, size: None, start: vec![] };
        let over = vec![("data".to_string(), "uci.yacht".to_string())];
        Step { done, total: 30, found, failed, running, param: "gmp".into(), over, outcome, kept: false }
    }

    #[test]
    fn progress_says_what_was_found_runs_is_left_and_failed() {
        let told = |step: &Step| text(step, Duration::from_secs(14), None);
        assert_eq!(
            told(&step(12, 5, 2, 1)),
            "12/30  5 found, 2 running, 16 to do, 1 failed, about 36 s to go  gmp, data=uci.yacht, seed 3: test.rmse 0.7500"
        );
        assert_eq!(told(&step(30, 0, 0, 0)), "30/30  gmp, data=uci.yacht, seed 3: test.rmse 0.7500");
        assert!(!told(&step(5, 5, 2, 0)).contains("to go"), "nothing was timed yet");
    }

    #[test]
    fn times_are_rounded_as_people_say_them() {
        let of = |seconds| spoken(Duration::from_secs(seconds));
        assert_eq!([of(0), of(99), of(150), of(12_000)], ["1 s", "99 s", "3 min", "3 h 20 min"]);
    }
}
