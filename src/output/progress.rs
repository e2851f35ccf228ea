//! How far a run is: a bar with the time to go on a terminal, a few plain lines elsewhere, nothing when quiet.

use super::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Lines appear at least this often where there is no bar.
const QUIET_TIME: Duration = Duration::from_secs(15);

/// Parts of one step of the bar, so that a long step moves it too and the time to go is known before it ends.
const PARTS: u64 = 1000;

/// Progress of one run.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    silent: bool,
    lines: Lines,
    told: Instant,
}

/// When a plain line is due.
#[derive(Debug)]
pub struct Lines {
    total: u64,
    told: Instant,
}

impl Lines {
    /// For so many steps.
    pub fn new(total: u64) -> Self {
        Lines { total, told: Instant::now() }
    }

    /// After the step of this number, from 1 up.
    pub fn is_time(&mut self, count: u64) -> bool {
        let due = is_round(count) || count == self.total || self.told.elapsed() > QUIET_TIME;
        if due {
            self.told = Instant::now();
        }
        due
    }

    /// Within a step: only when nothing was told for long.
    pub fn is_long(&mut self) -> bool {
        let due = self.told.elapsed() > QUIET_TIME;
        if due {
            self.told = Instant::now();
        }
        due
    }
}

/// Is standard error a terminal that can draw lines anew?
pub fn is_terminal() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

impl Progress {
    /// For `total` steps of something called `unit`.
    pub fn new(output: &Output, total: u64, unit: &str) -> Self {
        let bar = (is_terminal() && !output.quiet).then(|| bar(total, unit));
        Progress { bar, silent: output.quiet, lines: Lines::new(total), told: Instant::now() }
    }

    /// `count` of the steps are done (from 1 up); `text` says how it goes and is only made where it is shown.
    pub fn at(&mut self, count: u64, text: impl FnOnce() -> String) {
        if self.silent {
            return;
        }
        if let Some(bar) = &self.bar {
            // Making the text costs more than a small network's epoch: ten times a second is plenty.
            bar.set_position(count * PARTS);
            if self.told.elapsed() > Duration::from_millis(100) {
                self.told = Instant::now();
                bar.set_message(text());
            }
        } else if self.lines.is_time(count) {
            super::to_stderr(&text());
        }
    }

    /// Takes the bar away.
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
    let template = format!("{{bar:24}} {{whole}}/{total} {unit}, {{eta}} to go  {{msg}}");
    let whole = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        let _ = write!(text, "{}", state.pos() / PARTS); // what cannot be written is not shown
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.with_key("whole", whole));
    }
    bar
}

/// 1, 2, 5, 10, 20, 50, …: enough to see a run go, few enough for 10,000 epochs.
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
    fn lines_become_sparser_as_epochs_go_on() {
        let told: Vec<u64> = (1..=10_000).filter(|n| is_round(*n)).collect();
        assert_eq!(told, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]);
    }
}
