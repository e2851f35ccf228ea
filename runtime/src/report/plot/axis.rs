//! An axis: its range, what its numbers mean, and where they stand.

use std::ops::Range;

/// What the numbers of an axis mean.
#[derive(Debug, Clone, PartialEq)]
pub enum Scale {
    /// Themselves.
    Linear,
    /// Themselves, whole numbers.
    Counts,
    /// Powers of two: numbers are exponents.
    Log2,
    /// Powers of ten: numbers are exponents.
    Log10,
    /// Bands of width 1 with a name each, the first from 0 to 1.
    Names(Vec<String>),
    /// Nothing is written at it.
    Hidden,
}

impl Scale {
    /// As the script knows it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Scale::Linear => "linear",
            Scale::Counts => "counts",
            Scale::Log2 => "log2",
            Scale::Log10 => "log10",
            Scale::Names(_) => "names",
            Scale::Hidden => "hidden",
        }
    }

    pub(super) fn names(&self) -> &[String] {
        match self {
            Scale::Names(names) => names,
            _ => &[],
        }
    }
}

/// One of the two.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What is along it.
    pub label: String,
    /// From left to right, or from below upwards.
    pub range: Range<f64>,
    /// What its numbers mean.
    pub scale: Scale,
}

impl Axis {
    /// Of plain numbers.
    #[must_use]
    pub fn linear(label: &str, range: Range<f64>) -> Self {
        Axis { label: label.into(), range, scale: Scale::Linear }
    }

    /// Of epochs, steps and the like.
    #[must_use]
    pub fn counts(label: &str, range: Range<f64>) -> Self {
        Axis { label: label.into(), range, scale: Scale::Counts }
    }

    /// Of other numbers.
    #[must_use]
    pub fn scaled(label: &str, range: Range<f64>, scale: Scale) -> Self {
        Axis { label: label.into(), range, scale }
    }

    /// Where a number lies, 0 at the start and 1 at the end.
    pub(super) fn part(&self, x: f64) -> f64 {
        (x - self.range.start) / (self.range.end - self.range.start)
    }

    /// What stands at each of some ticks: four digits that count, more where neighbours would look the same.
    pub(super) fn names(&self, ticks: &[f64]) -> Vec<String> {
        let names: Vec<String> = ticks.iter().map(|tick| self.name(*tick)).collect();
        match ticks {
            [a, b, ..] if self.scale == Scale::Linear && names.windows(2).any(|pair| pair[0] == pair[1]) => {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 12
                let places = (-(b - a).log10().floor()).clamp(0.0, 12.0) as usize;
                ticks.iter().map(|tick| format!("{tick:.places$}")).collect()
            }
            _ => names,
        }
    }

    /// What stands at a tick.
    fn name(&self, tick: f64) -> String {
        match &self.scale {
            Scale::Linear | Scale::Counts | Scale::Hidden => shown(tick),
            Scale::Log2 => format!("2^{}", shown(tick)),
            Scale::Log10 => shown(10.0_f64.powf(tick)),
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a place among the names
            Scale::Names(names) => names.get(tick as usize).cloned().unwrap_or_default(),
        }
    }
}

/// At most about `count` round numbers inside the range; of names, their middles.
pub(super) fn ticks(axis: &Axis, count: usize) -> Vec<f64> {
    #[allow(clippy::cast_precision_loss)] // a few names
    if let Scale::Names(names) = &axis.scale {
        return (0..names.len()).map(|place| place as f64 + 0.5).collect();
    }
    let width = axis.range.end - axis.range.start;
    if axis.scale == Scale::Hidden || !width.is_finite() || width <= 0.0 {
        return Vec::new();
    }
    if axis.scale == Scale::Log10 && (0.7..=3.0).contains(&width) {
        return between_powers(&axis.range);
    }
    #[allow(clippy::cast_precision_loss)] // a few numbers
    let raw = width / count.max(1) as f64;
    let step = step(raw, axis.scale == Scale::Log2);
    // Powers between whole ones are no round numbers.
    let step = match axis.scale {
        Scale::Counts => step.max(1.0),
        Scale::Log2 | Scale::Log10 if width >= 2.0 => step.max(1.0).round(),
        _ => step,
    };
    let first = (axis.range.start / step - 1e-9).ceil();
    let found = (0..50).map(|k| (first + f64::from(k)) * step);
    found
        .take_while(|x| *x <= axis.range.end + step * 1e-9)
        .map(|x| if x.abs() < step * 1e-9 { 0.0 } else { x })
        .collect()
}

/// Of few powers of ten: 1, 2 and 5 times each, as exponents.
fn between_powers(range: &Range<f64>) -> Vec<f64> {
    let first = range.start.floor();
    let all = (0..5).flat_map(|k| [1.0_f64, 2.0, 5.0].map(|times| first + f64::from(k) + times.log10()));
    all.filter(|x| *x >= range.start - 1e-9 && *x <= range.end + 1e-9).collect()
}

/// A round number not below another: 1, 2 or 5 times a power of ten, of powers of two a power of two.
fn step(raw: f64, is_binary: bool) -> f64 {
    if is_binary {
        return 2.0_f64.powf((raw * 0.999).log2().ceil());
    }
    let power = 10.0_f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|k| k * power).into_iter().find(|step| *step >= raw * 0.999).unwrap_or(raw)
}

/// Four digits that count; very large and very small ones with a power of ten.
pub(super) fn shown(x: f64) -> String {
    let size = x.abs();
    if size > 0.0 && !(1e-3..1e5).contains(&size) {
        let text = format!("{x:.1e}");
        return text.replace(".0e", "e");
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 6
    let places = if size > 0.0 { (3.0 - size.log10().floor()).clamp(0.0, 6.0) as usize } else { 0 };
    let text = format!("{x:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}
