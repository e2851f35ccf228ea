//! The lines of the terminal view, as a pure function of the run's state and of the terminal's width.
//!
//! ```text
//! epoch 2340/10000 █████░░░░░░░░░░░░░░░░░░  23 %  0:12 to go
//! train.loss  0.1234  ▇▆▅▅▄▃▃▂▂▁▁▁
//! test.rmse   0.4960  ▇▅▄▄▃▂▂▁▁
//! lr 0.01  boundaries of dense1 move by up to 0.0231, turn by up to 0.0012
//! ```

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    reason = "a drawing needs no last digit, and its numbers are those of columns"
)]

use super::history::History;
use crate::output::table::number;
use gmpc_runtime::event::{Moved, Steps};
use std::time::Duration;

/// The blocks of a curve, from low to high.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Largest width of a curve in columns. More columns show nothing new.
const WIDEST: usize = 60;
/// A curve with at least this number of values is long.
const LONG: usize = 10;
/// Relative changes below this size are not visible in the printed digits.
const LEAST: f64 = 1e-3;
/// If all values are positive and their ratio exceeds this, the curve has a logarithmic scale.
const DECADES: f64 = 10.0;

/// The state of a run that is shown.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Number of completed epochs, and the largest number of epochs.
    pub epoch: u64,
    /// See above.
    pub epochs: u64,
    /// Progress within a long epoch.
    pub steps: Option<Steps>,
    /// Time until the last epoch is done, if it is known.
    pub to_go: Option<Duration>,
    /// The training loss, and the metric on the validation or test rows.
    pub curves: Vec<Curve>,
    /// The learning rate of the last epoch.
    pub lr: Option<f64>,
    /// The largest boundary drift in the last record.
    pub moved: Vec<Moved>,
}

/// A metric's name and its values over the epochs.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Name of the metric, such as `train.loss`.
    pub name: String,
    /// Values since the first epoch.
    pub history: History,
}

/// The lines, none of them wider than the terminal.
pub fn draw(view: &View, width: usize) -> Vec<String> {
    let mut lines = vec![bar(view, width)];
    lines.extend(view.steps.as_ref().map(step));
    lines.extend(curves(&view.curves, width));
    lines.extend(rate_and_drift(view, width));
    lines.into_iter().map(|line| cut(&line, width)).collect()
}

/// The epoch, a bar, and the remaining time.
fn bar(view: &View, width: usize) -> String {
    let part = view.steps.as_ref().map_or(0.0, |steps| steps.done as f64 / steps.total.max(1) as f64);
    let done = ((view.epoch as f64 + part) / view.epochs.max(1) as f64).clamp(0.0, 1.0);
    let epoch = format!("epoch {}/{}", view.epoch, view.epochs);
    let rest = format!("{:3.0} %", 100.0 * done);
    let rest = match view.to_go {
        Some(to_go) => format!("{rest}  {} to go", clock(to_go)),
        None => rest,
    };
    // The bar takes the room between the two texts. Without enough room there is no bar.
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

/// One line for each curve: its name, its last value and the curve as blocks.
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

/// A curve as blocks, with the lowest values at the bottom and the highest at the top. For a long curve, the range
/// excludes the lowest and the highest 5 % of the values (at least one each), so that a jump at the beginning does not
/// flatten the rest. If the remaining values are nearly equal, the range includes all.
pub fn sparkline(values: &[f64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let without = |aside: usize| Some((*sorted.get(aside)?, *sorted.iter().rev().nth(aside)?));
    let most = if sorted.len() < LONG { 0 } else { sorted.len().div_ceil(20) };
    let clipped = without(most).filter(|(low, high)| high - low >= LEAST * low.abs().max(high.abs()));
    let Some((low, high)) = clipped.or_else(|| without(0)) else { return String::new() };
    let scale = |value: f64| if low > 0.0 && high > DECADES * low { value.ln() } else { value };
    let (bottom, height) = (scale(low), scale(high) - scale(low));
    let block = |value: &f64| {
        let part = if height > 0.0 { (scale(*value) - bottom) / height } else { 0.0 };
        BLOCKS[((part * 8.0).max(0.0) as usize).min(7)]
    };
    values.iter().map(block).collect()
}

/// A learning rate without trailing zeros: 0.01, not 0.01000, and 1e-5, not 1.000e-5.
pub fn rate(lr: f64) -> String {
    let text = number(lr);
    let (digits, power) = text.split_once('e').map_or((text.as_str(), None), |(digits, power)| (digits, Some(power)));
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    power.map_or_else(|| digits.to_string(), |power| format!("{digits}e{power}"))
}

/// The learning rate and the boundary drift, on one line if there is room, else on several.
fn rate_and_drift(view: &View, width: usize) -> Vec<String> {
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
    // Several first layers are rare, so only the one that moves most is shown.
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

/// A time such as `0:12` or `1:02:03`. Seconds are rounded up, so 0:00 appears only at the end.
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
