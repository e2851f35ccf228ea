//! The lines of the terminal view: a pure function of what is known and of the terminal's width.
//!
//! ```text
//! epoch 2340/10000 █████░░░░░░░░░░░░░░░░░░  23 %  0:12 to go
//! train.loss  0.1234  ▇▆▅▅▄▃▃▂▂▁▁▁
//! test.rmse   0.4960  ▇▅▄▄▃▂▂▁▁
//! lr 0.01  boundaries of dense1 move by up to 0.0231, turn by up to 0.0012
//! ```

use super::history::History;
use crate::output::table::number;
use gmpc_runtime::event::{Moved, Steps};
use std::time::Duration;

/// From low to high.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Columns of a curve at most: more say nothing new.
const WIDEST: usize = 60;
/// Numbers from which on a curve is long.
const LONG: usize = 10;
/// Changes below this part of a number are not seen in how it is written.
const LEAST: f64 = 1e-3;
/// Numbers of one sign whose sizes are this far apart are shown by their logarithms.
const DECADES: f64 = 10.0;

/// What is known of a run.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Whole epochs that are done, and how many there are at most.
    pub epoch: u64,
    /// See above.
    pub epochs: u64,
    /// Within an epoch that takes long.
    pub steps: Option<Steps>,
    /// Until the last epoch is done, if that is known.
    pub to_go: Option<Duration>,
    /// The training loss and the figure that tells how well the run does on other rows.
    pub curves: Vec<Curve>,
    /// Of the newest epoch.
    pub lr: Option<f64>,
    /// Of the newest record.
    pub moved: Vec<Moved>,
}

/// A figure under its name, over the epochs.
#[derive(Debug, Clone)]
pub struct Curve {
    /// `train.loss`
    pub name: String,
    /// From the first epoch.
    pub history: History,
}

/// The lines, none wider than the terminal.
pub fn draw(view: &View, width: usize) -> Vec<String> {
    let mut lines = vec![bar(view, width)];
    lines.extend(view.steps.as_ref().map(step));
    lines.extend(curves(&view.curves, width));
    lines.extend(rate_and_movement(view, width));
    lines.into_iter().map(|line| cut(&line, width)).collect()
}

/// How far the run is and how long it will take.
fn bar(view: &View, width: usize) -> String {
    let part = view.steps.as_ref().map_or(0.0, |steps| steps.done as f64 / steps.total.max(1) as f64);
    let done = ((view.epoch as f64 + part) / view.epochs.max(1) as f64).clamp(0.0, 1.0);
    let epoch = format!("epoch {}/{}", view.epoch, view.epochs);
    let rest = format!("{:3.0} %", 100.0 * done);
    let rest = match view.to_go {
        Some(to_go) => format!("{rest}  {} to go", clock(to_go)),
        None => rest,
    };
    // What is left between the two, of a sensible size or not at all.
    let room = width.saturating_sub(epoch.chars().count() + rest.chars().count() + 2).min(30);
    if room < 8 {
        return format!("{epoch} {rest}");
    }
    let full = (done * room as f64).round() as usize;
    format!("{epoch} {}{} {rest}", "█".repeat(full), "░".repeat(room - full))
}

/// `step 120/390  5123 rows/s`
pub fn step(steps: &Steps) -> String {
    format!("step {}/{}  {} rows/s", steps.done, steps.total, number(steps.rows_per_second))
}

/// Names and newest numbers one below the other, and the whole curve behind them.
fn curves(curves: &[Curve], width: usize) -> Vec<String> {
    let known = |curve: &Curve| Some((curve.name.clone(), number(curve.history.last()?)));
    let heads: Vec<_> = curves.iter().filter_map(known).collect();
    let widest = |of: fn(&(String, String)) -> &String| heads.iter().map(|head| of(head).chars().count()).max();
    let (names, numbers) = (widest(|head| &head.0).unwrap_or(0), widest(|head| &head.1).unwrap_or(0));
    let room = width.saturating_sub(names + numbers + 4).min(WIDEST);
    let known = curves.iter().filter(|curve| curve.history.last().is_some());
    let line = |((name, number), curve): (&(String, String), &Curve)| {
        format!("{name:<names$}  {number:>numbers$}  {}", sparkline(&curve.history.thinned(room)))
    };
    heads.iter().zip(known).map(line).collect()
}

/// A curve as blocks, its lowest numbers at the bottom and its highest at the top: of a long curve a twentieth of all numbers
/// each, at least one, so that a jump at the beginning does not flatten all that comes after; unless nothing else has happened.
pub fn sparkline(values: &[f64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let without = |aside: usize| Some((*sorted.get(aside)?, *sorted.iter().rev().nth(aside)?));
    let most = if sorted.len() < LONG { 0 } else { sorted.len().div_ceil(20) };
    let told = without(most).filter(|(low, high)| high - low >= LEAST * low.abs().max(high.abs()));
    let Some((low, high)) = told.or_else(|| without(0)) else { return String::new() };
    let scale = |value: f64| if low > 0.0 && high > DECADES * low { value.ln() } else { value };
    let (bottom, height) = (scale(low), scale(high) - scale(low));
    let block = |value: &f64| {
        let part = if height > 0.0 { (scale(*value) - bottom) / height } else { 0.0 };
        BLOCKS[((part * 8.0).max(0.0) as usize).min(7)]
    };
    values.iter().map(block).collect()
}

/// A learning rate without zeros that say nothing: 0.01, not 0.01000, and 1e-5, not 1.000e-5.
pub fn rate(lr: f64) -> String {
    let text = number(lr);
    let (digits, power) = text.split_once('e').map_or((text.as_str(), None), |(digits, power)| (digits, Some(power)));
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    power.map_or_else(|| digits.to_string(), |power| format!("{digits}e{power}"))
}

/// On one line where it fits, else on several.
fn rate_and_movement(view: &View, width: usize) -> Vec<String> {
    let rate = view.lr.map(|lr| format!("lr {}", rate(lr)));
    let long = |moved: &Moved| {
        format!(
            "boundaries of {} move by up to {}, turn by up to {}",
            moved.layer,
            number(moved.location),
            number(moved.direction)
        )
    };
    let short = |moved: &Moved| format!("{}: dphi {}", moved.layer, number(moved.location));
    // Several first layers are rare: the one that moves most is shown.
    let most = view.moved.iter().max_by(|a, b| a.location.total_cmp(&b.location));
    let fits = |text: &String| text.chars().count() <= width;
    let together = most.map(long).map(|text| [rate.iter().cloned().collect(), text].join("  "));
    match (together.filter(fits), most) {
        (Some(text), _) => vec![text],
        (None, Some(moved)) => {
            rate.into_iter().chain([Some(long(moved)).filter(fits).unwrap_or(short(moved))]).collect()
        }
        (None, None) => rate.into_iter().collect(),
    }
}

/// `0:12`, `1:02:03`; a second that has begun counts, so that there is nothing left only at the end.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// The beginning of a line that is too long for the terminal.
fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.trim_end().to_string();
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
