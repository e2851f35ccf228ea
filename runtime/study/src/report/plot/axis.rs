//! An axis: its range, its scale, and the positions of its ticks.

use std::ops::Range;

/// The scale of an axis.
#[derive(Debug, Clone, PartialEq)]
pub enum Scale {
    /// The numbers themselves.
    Linear,
    /// The numbers themselves, which are integers.
    Counts,
    /// Powers of two; the numbers are exponents.
    Log2,
    /// Powers of ten; the numbers are exponents.
    Log10,
    /// Bands of width 1 with a name each; the first one from 0 to 1.
    Names(Vec<String>),
    /// An axis without ticks and label.
    Hidden,
}

impl Scale {
    /// The name that the page's script uses.
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

/// An axis of a plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The label.
    pub label: String,
    /// The range, from left to right or from bottom to top.
    pub range: Range<f64>,
    /// The scale.
    pub scale: Scale,
    /// Where the ticks stand if there is room for all of these, such as at the values that were tried; empty for round numbers.
    pub at: Vec<f64>,
}

impl Axis {
    /// An axis of plain numbers.
    #[must_use]
    pub fn linear(label: &str, range: Range<f64>) -> Self {
        Axis { label: label.into(), range, scale: Scale::Linear, at: vec![] }
    }

    /// An axis of integers, such as epochs or steps.
    #[must_use]
    pub fn counts(label: &str, range: Range<f64>) -> Self {
        Axis { label: label.into(), range, scale: Scale::Counts, at: vec![] }
    }

    /// An axis with another scale.
    #[must_use]
    pub fn scaled(label: &str, range: Range<f64>, scale: Scale) -> Self {
        Axis { label: label.into(), range, scale, at: vec![] }
    }

    /// The same axis with ticks at some values, in the numbers of the axis: exponents on a logarithmic scale.
    #[must_use]
    pub fn with_ticks(mut self, at: Vec<f64>) -> Self {
        self.at = at;
        self
    }

    /// The position of a number on the axis, from 0 at the start to 1 at the end.
    pub(super) fn part(&self, x: f64) -> f64 {
        (x - self.range.start) / (self.range.end - self.range.start)
    }

    /// The texts of some ticks: four significant digits, or more if neighbours would be equal.
    pub(super) fn names(&self, ticks: &[f64]) -> Vec<String> {
        let names: Vec<String> = ticks.iter().map(|tick| self.name(*tick)).collect();
        match ticks {
            [a, b, ..] if self.scale == Scale::Linear && names.windows(2).any(|pair| pair[0] == pair[1]) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 12")]
                let places = (-(b - a).log10().floor()).clamp(0.0, 12.0) as usize;
                ticks.iter().map(|tick| format!("{tick:.places$}")).collect()
            }
            _ => names,
        }
    }

    /// The text of one tick.
    fn name(&self, tick: f64) -> String {
        match &self.scale {
            Scale::Linear | Scale::Counts | Scale::Hidden => shown(tick),
            Scale::Log2 => format!("2{}", raised(&shown(tick))),
            Scale::Log10 => shown(10.0_f64.powf(tick)),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among the names")]
            Scale::Names(names) => names.get(tick as usize).cloned().unwrap_or_default(),
        }
    }
}

/// Writes a number as a superscript.
fn raised(number: &str) -> String {
    let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let one = |c: char| match c {
        '-' => '⁻',
        '.' => '·',
        _ => c.to_digit(10).and_then(|digit| digits.get(digit as usize)).copied().unwrap_or(c),
    };
    number.chars().map(one).collect()
}

/// Ticks between powers of ten are used if there is room for at least this number of ticks.
const BETWEEN: usize = 5;

/// Round numbers in the range, about `count` at most; for names, the middles of their bands.
pub(super) fn ticks(axis: &Axis, count: usize) -> Vec<f64> {
    if let Scale::Names(names) = &axis.scale {
        return (0..names.len()).map(|index| index as f64 + 0.5).collect();
    }
    let width = axis.range.end - axis.range.start;
    if axis.scale == Scale::Hidden || !width.is_finite() || width <= 0.0 {
        return Vec::new();
    }
    // With little room, only whole powers of ten have ticks.
    if axis.scale == Scale::Log10 && (0.7..=3.0).contains(&width) && (count >= BETWEEN || width < 1.0) {
        return between_powers(&axis.range);
    }
    let raw = width / count.max(1) as f64;
    let step = step(raw, axis.scale == Scale::Log2);
    // Fractions of an exponent are not round numbers.
    let step = match axis.scale {
        Scale::Counts => step.max(1.0),
        Scale::Log2 | Scale::Log10 if width >= 1.0 => step.max(1.0).round(),
        _ => step,
    };
    let first = (axis.range.start / step - 1e-9).ceil();
    let found = (0..50).map(|k| (first + f64::from(k)) * step);
    found
        .take_while(|x| *x <= axis.range.end + step * 1e-9)
        .map(|x| if x.abs() < step * 1e-9 { 0.0 } else { x })
        .collect()
}

/// 1, 2 and 5 times each power of ten, as exponents.
fn between_powers(range: &Range<f64>) -> Vec<f64> {
    let first = range.start.floor();
    let all = (0..5).flat_map(|k| [1.0_f64, 2.0, 5.0].map(|times| first + f64::from(k) + times.log10()));
    all.filter(|x| *x >= range.start - 1e-9 && *x <= range.end + 1e-9).collect()
}

/// The smallest round step that is not below `raw`: 1, 2 or 5 times a power of ten, or a power of two for a binary
/// axis.
fn step(raw: f64, is_binary: bool) -> f64 {
    if is_binary {
        return 2.0_f64.powf((raw * 0.999).log2().ceil());
    }
    let power = 10.0_f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|k| k * power).into_iter().find(|step| *step >= raw * 0.999).unwrap_or(raw)
}

/// Four significant digits, in scientific notation for very large and very small numbers.
pub(super) fn shown(x: f64) -> String {
    let size = x.abs();
    if size > 0.0 && !(1e-3..1e5).contains(&size) {
        let text = format!("{x:.1e}");
        return text.replace(".0e", "e");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 6")]
    let places = if size > 0.0 { (3.0 - size.log10().floor()).clamp(0.0, 6.0) as usize } else { 0 };
    let text = format!("{x:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}
