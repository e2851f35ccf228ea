//! Shows the progress of a training run: a few lines that are redrawn on a terminal, and plain lines elsewhere.

mod draw;
mod history;
mod terminal;

use super::Output;
use super::progress::{Lines, is_terminal};
use super::table::number;
use draw::{Curve, View, draw, rate, step};
use gmpc_runtime::event::{Epoch, Figure, Moved, Start, Steps};
use history::History;
use std::time::{Duration, Instant};
use terminal::Terminal;

/// Shortest time between two drawings. What changes faster cannot be read.
const OFTEN: Duration = Duration::from_millis(100);

/// Shows the progress of a run.
#[derive(Debug)]
pub struct Watch {
    shown: Shown,
    view: View,
    began: Instant,
    /// Number of epochs that were done before this process began.
    resumed_from: u64,
}

#[derive(Debug)]
enum Shown {
    /// Lines that are redrawn, and the time of the last drawing.
    Terminal(Terminal, Instant),
    Plain(Lines),
    Nothing,
}

impl Watch {
    /// For a run that begins.
    pub fn new(output: &Output, start: &Start) -> Self {
        let shown = match output {
            _ if output.quiet || output.json => Shown::Nothing,
            _ if is_terminal() => Shown::Terminal(Terminal::new(), Instant::now()),
            _ => Shown::Plain(Lines::new(start.epochs)),
        };
        let view = View { epoch: start.resumed_from, epochs: start.epochs, ..View::default() };
        Watch { shown, view, began: Instant::now(), resumed_from: start.resumed_from }
    }

    /// Shows an epoch that is done.
    pub fn epoch(&mut self, epoch: &Epoch) {
        match &mut self.shown {
            Shown::Terminal(..) => {
                self.note(epoch);
                self.draw(false);
            }
            Shown::Plain(lines) => {
                if lines.is_time(epoch.epoch) {
                    super::to_stderr(&line(epoch, self.view.epochs));
                }
            }
            Shown::Nothing => {}
        }
    }

    /// Shows progress within an epoch.
    pub fn steps(&mut self, steps: &Steps) {
        match &mut self.shown {
            Shown::Terminal(..) => {
                (self.view.epoch, self.view.steps) = (steps.epoch.saturating_sub(1), Some(steps.clone()));
                self.draw(true);
            }
            Shown::Plain(lines) => {
                if lines.is_long() {
                    super::to_stderr(&format_args!("epoch {}/{}  {}", steps.epoch, self.view.epochs, step(steps)));
                }
            }
            Shown::Nothing => {}
        }
    }

    /// Prints something above the redrawn lines.
    pub fn above(&mut self, say: impl FnOnce()) {
        if let Shown::Terminal(terminal, _) = &mut self.shown {
            terminal.draw(&[]);
        }
        say();
        self.draw(true);
    }

    fn note(&mut self, epoch: &Epoch) {
        let view = &mut self.view;
        (view.epoch, view.steps, view.lr) = (epoch.epoch, None, Some(epoch.lr));
        if view.curves.is_empty() {
            let curve = |name: &str| Curve { name: name.into(), history: History::default() };
            view.curves = shown(&epoch.figures).into_iter().map(curve).collect();
        }
        for curve in &mut view.curves {
            let value = epoch.figures.iter().find(|(name, _)| *name == curve.name).map(|(_, value)| *value);
            curve.history.push(value.unwrap_or(f64::NAN));
        }
        if !epoch.drift.is_empty() {
            view.moved.clone_from(&epoch.drift);
        }
    }

    /// Draws the lines, unless they were drawn a moment ago.
    fn draw(&mut self, at_once: bool) {
        let Shown::Terminal(terminal, drawn) = &mut self.shown else { return };
        if !at_once && drawn.elapsed() < OFTEN {
            return;
        }
        *drawn = Instant::now();
        self.view.to_go = to_go(&self.view, self.began.elapsed(), self.resumed_from);
        terminal.draw(&draw(&self.view, terminal.width()));
    }
}

/// Time until the last epoch ends, from the speed of this process so far.
fn to_go(view: &View, passed: Duration, resumed_from: u64) -> Option<Duration> {
    let part = view.steps.as_ref().map_or(0.0, |steps| steps.done as f64 / steps.total.max(1) as f64);
    let done = view.epoch as f64 + part - resumed_from as f64;
    let rest = view.epochs as f64 - view.epoch as f64 - part;
    let seconds = passed.as_secs_f64() * rest / done;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The training loss, and the first metric (or the loss) of the validation or test rows.
fn shown(figures: &[Figure]) -> Vec<&str> {
    let names = || figures.iter().map(|(name, _)| name.as_str());
    let loss = names().find(|name| *name == "train.loss");
    let of = |part: &str, metric: bool| names().find(|n| n.starts_with(part) && metric != n.ends_with(".loss"));
    let parts = ["valid.", "test."].into_iter();
    let other =
        parts.clone().find_map(|part| of(part, true)).or_else(|| parts.clone().find_map(|part| of(part, false)));
    loss.into_iter().chain(other.or_else(|| of("train.", true))).collect()
}

/// `epoch 20/100  train.loss 0.5012  lr 0.1`
fn line(epoch: &Epoch, epochs: u64) -> String {
    let moved = |moved: &Moved| format!("  {} dphi {}", moved.layer, number(moved.location));
    let moved: String = epoch.drift.iter().map(moved).collect();
    let (figures, lr) = (super::figures(&epoch.figures), rate(epoch.lr));
    format!("epoch {}/{epochs}  {figures}  lr {lr}{moved}", epoch.epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_training_loss_and_a_metric_of_other_rows_are_shown() {
        let figures = |names: &[&str]| names.iter().map(|name| ((*name).to_string(), 1.0)).collect::<Vec<_>>();
        let all = figures(&["train.loss", "train.rmse", "valid.loss", "valid.rmse", "test.loss", "test.rmse"]);
        assert_eq!(shown(&all), ["train.loss", "valid.rmse"]);
        assert_eq!(shown(&all[..3]), ["train.loss", "valid.loss"]);
        assert_eq!(shown(&all[..2]), ["train.loss", "train.rmse"]);
        assert_eq!(shown(&all[..1]), ["train.loss"]);
        assert_eq!(shown(&all[4..]), ["test.rmse"]);
    }

    #[test]
    fn the_time_to_go_counts_what_this_process_did() {
        let view = View { epoch: 60, epochs: 100, ..View::default() };
        assert_eq!(to_go(&view, Duration::from_secs(5), 50), Some(Duration::from_secs(20)));
        assert_eq!(to_go(&view, Duration::from_secs(5), 60), None, "nothing is known yet");
    }
}
