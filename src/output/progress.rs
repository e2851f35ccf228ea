//! Progress of a command: a bar with the remaining time on a terminal, a few plain lines elsewhere, nothing with
//! `--quiet`.

use super::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Longest time between two lines if there is no bar.
const QUIET_TIME: Duration = Duration::from_secs(15);

/// Number of parts of one step of the bar. A long step then moves it too, and the remaining time is known before the
/// step ends.
const PARTS: u64 = 1000;

/// The progress of one command.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    silent: bool,
    lines: Lines,
    last: Instant,
}

/// Decides when a plain line is due.
#[derive(Debug)]
pub struct Lines {
    total: u64,
    last: Instant,
}

impl Lines {
    /// For this number of steps.
    pub fn new(total: u64) -> Self {
        Lines { total, last: Instant::now() }
    }

    /// True if a line is due after step `count`, counted from 1.
    pub fn is_time(&mut self, count: u64) -> bool {
        let due = self.total <= FEW || is_round(count) || count == self.total || self.last.elapsed() > QUIET_TIME;
        if due {
            self.last = Instant::now();
        }
        due
    }

    /// True if a line is due within a step, because there was none for a long time.
    pub fn is_long(&mut self) -> bool {
        let due = self.last.elapsed() > QUIET_TIME;
        if due {
            self.last = Instant::now();
        }
        due
    }
}

/// True if standard error is a terminal that can overwrite lines.
pub fn is_terminal() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

impl Progress {
    /// For `total` steps that take about equally long. `unit` is their name in the plural.
    pub fn new(output: &Output, total: u64, unit: &str) -> Self {
        Self::with(output, total, &format!("{unit}, {{eta}} to go"))
    }

    /// For steps of which some are found done: the text says how long it will take.
    pub fn untimed(output: &Output, total: u64, unit: &str) -> Self {
        Self::with(output, total, unit)
    }

    fn with(output: &Output, total: u64, unit: &str) -> Self {
        let bar = (is_terminal() && !output.quiet).then(|| bar(total, unit));
        Progress { bar, silent: output.quiet, lines: Lines::new(total), last: Instant::now() }
    }

    /// Reports that `count` steps are done, counted from 1. `text` describes the state; it is only called if the text
    /// is shown.
    pub fn at(&mut self, count: u64, text: impl FnOnce() -> String) {
        if self.silent {
            return;
        }
        if let Some(bar) = &self.bar {
            // Making the text takes longer than an epoch of a small network, so it is made at most ten times a second.
            bar.set_position(count * PARTS);
            if self.last.elapsed() > Duration::from_millis(100) {
                self.last = Instant::now();
                bar.set_message(text());
            }
        } else if self.lines.is_time(count) {
            super::to_stderr(&text());
        }
    }

    /// Removes the bar.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

/// A bar on standard error.
fn bar(total: u64, unit: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total * PARTS), ProgressDrawTarget::stderr_with_hz(10));
    let template = format!("{{bar:24}} {{whole}}/{total} {unit}  {{msg}}");
    let whole = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        let _ = write!(text, "{}", state.pos() / PARTS); // a text that cannot be written is not shown
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.with_key("whole", whole));
    }
    bar
}

/// A run with no more epochs than this prints a line for each.
const FEW: u64 = 20;

/// True for 1, 2, 5, 10, 20, 50, …: often enough to follow a run, and rare enough for 10,000 epochs.
fn is_round(count: u64) -> bool {
    let mut power = 1_u64;
    while power.saturating_mul(10) <= count {
        power = power.saturating_mul(10);
    }
    count == power || count == 2 * power || count == power.saturating_mul(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_runs_tell_every_epoch() {
        assert!((1..=20).all(|count| Lines::new(20).is_time(count)));
        assert!(!Lines::new(21).is_time(3));
    }

    #[test]
    fn lines_become_sparser_as_epochs_go_on() {
        let round: Vec<u64> = (1..=10_000).filter(|n| is_round(*n)).collect();
        assert_eq!(round, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]);
    }
}
