//! The paper's figures: drawings side by side, as SVG, each with its numbers as CSV.

pub mod counts;
pub mod curves;
pub mod fit;
pub mod movement;
pub mod perturbation;
pub mod plane;
pub mod regions;

use super::plot::{Plot, escaped, light};
use crate::analysis::Subject;
use crate::failure::Failure;
use gmpc_compiler::boundary::Boundary;
use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Between drawings of one figure, pixels.
const GAP: f64 = 10.0;
/// Height of a line of the key.
const KEY: f64 = 22.0;

/// Drawings with the numbers they show.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// `figure-2c`: what its files are called.
    pub name: String,
    /// `Figure 2c: how far characteristic points move`
    pub title: String,
    /// A sentence or two.
    pub caption: String,
    /// Side by side.
    pub plots: Vec<Plot>,
    /// Classes of colour, and what they are of.
    pub key: Vec<(String, String)>,
    /// A header and one line a point.
    pub csv: String,
}

impl Figure {
    /// The whole figure as a file of its own: at most two drawings side by side, four of small ones, the key below.
    #[must_use]
    pub fn svg(&self) -> String {
        let across = self.across();
        let each = self.plots.iter().map(Plot::size).fold([0.0_f64, 0.0], |a, b| [a[0].max(b[0]), a[1].max(b[1])]);
        #[allow(clippy::cast_precision_loss)] // a few drawings
        let at = |k: usize| [(k % across) as f64 * (each[0] + GAP), (k / across) as f64 * (each[1] + GAP)];
        let drawn: String = self.plots.iter().enumerate().map(|(k, plot)| plot.svg(Some(at(k)))).collect();
        #[allow(clippy::cast_precision_loss)] // a few drawings
        let (wide, down) = (across as f64 * (each[0] + GAP) - GAP, self.plots.len().div_ceil(across) as f64);
        let (key, lines) = self.key_lines(wide, down * (each[1] + GAP));
        let high = down * (each[1] + GAP) + lines * KEY;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{high}\" viewBox=\"0 0 {wide} {high}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<title>{}</title>\n\
             <rect width=\"{wide}\" height=\"{high}\" fill=\"#ffffff\"/>\n{drawn}{key}</svg>\n",
            escaped(&self.title)
        )
    }

    /// How many drawings stand side by side.
    #[must_use]
    pub fn across(&self) -> usize {
        let small = self.plots.iter().all(|plot| plot.size()[0] < 300.0);
        self.plots.len().clamp(1, if small { 4 } else { 2 })
    }

    /// What the colours mean, in lines of a width; how many lines.
    fn key_lines(&self, wide: f64, top: f64) -> (String, f64) {
        let (mut text, mut x, mut line) = (String::new(), 10.0, 0.0);
        for (class, name) in &self.key {
            #[allow(clippy::cast_precision_loss)] // a name's length
            let needed = 50.0 + name.chars().count() as f64 * 7.6;
            if x + needed > wide && x > 10.0 {
                (x, line) = (10.0, line + 1.0);
            }
            let y = top + line * KEY + 12.0;
            let _ = writeln!(
                text,
                "<path d=\"M{x} {y}h22\" stroke=\"{}\" stroke-width=\"4\"/><text x=\"{}\" y=\"{}\" \
                 fill=\"#1b1b1b\">{}</text>",
                light(class),
                x + 28.0,
                y + 4.0,
                escaped(name)
            );
            x += needed;
        }
        (text, if self.key.is_empty() { 0.0 } else { line + 1.0 })
    }

    /// Writes `NAME.svg` and `NAME.csv` into a folder; returns their paths.
    ///
    /// # Errors
    /// The disk.
    pub fn write(&self, folder: &Path) -> Result<[PathBuf; 2], Failure> {
        std::fs::create_dir_all(folder).map_err(|error| Failure::io("make the folder", folder, &error))?;
        let paths = ["svg", "csv"].map(|extension| folder.join(format!("{}.{extension}", self.name)));
        for (path, text) in paths.iter().zip([&self.svg(), &self.csv]) {
            std::fs::write(path, text).map_err(|error| Failure::io("write", path, &error))?;
        }
        Ok(paths)
    }
}

/// Every figure that these runs have the numbers for.
///
/// # Errors
/// A network that cannot be run.
pub fn of_runs(
    subjects: &[Subject],
    device: &std::sync::Arc<dyn crate::device::Device>,
) -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    figures.extend(curves::of_runs(subjects));
    figures.extend(perturbation::of_runs(subjects));
    figures.extend(movement::location(subjects));
    figures.extend(movement::direction(subjects));
    figures.extend(fit::figure(subjects, device)?);
    figures.extend(plane::trajectories(subjects));
    figures.extend(plane::decisions(subjects, device)?);
    Ok(figures)
}

/// A class of colour for each run, told apart from those of the same model and data set, so that a run has the same in every
/// figure.
pub(crate) fn classes(subjects: &[&Subject]) -> Vec<String> {
    let of: Vec<(String, &str)> = subjects.iter().map(|s| (experiment(s), s.about.param.as_str())).collect();
    apart(&of)
}

/// Classes of parameterizations, within each experiment.
fn apart(of: &[(String, &str)]) -> Vec<String> {
    let own = |(experiment, _): &(String, &str)| {
        of.iter().filter(|(other, _)| other == experiment).map(|(_, p)| *p).collect()
    };
    let class = |(place, one): (usize, &(String, &str))| {
        let (group, before): (Vec<&str>, usize) = (own(one), of.iter().take(place).filter(|o| o.0 == one.0).count());
        super::plot::assigned(group).into_iter().nth(before).unwrap_or_default()
    };
    of.iter().enumerate().map(class).collect()
}

/// What a run is of: `banana`, or model and data set where they are called differently.
fn experiment(subject: &Subject) -> String {
    let about = &subject.about;
    if about.model == about.data { about.model.clone() } else { format!("{} {}", about.model, about.data) }
}

/// Those that are of the same, together, in the order of the first of each.
fn together<'a, T>(all: impl IntoIterator<Item = &'a T>, of: impl Fn(&T) -> String) -> Vec<(String, Vec<&'a T>)> {
    let mut groups: Vec<(String, Vec<&'a T>)> = Vec::new();
    for one in all {
        let own = of(one);
        match groups.iter_mut().find(|(known, _)| *known == own) {
            Some((_, members)) => members.push(one),
            None => groups.push((own, vec![one])),
        }
    }
    groups
}

/// One colour a unit.
fn unit_class(unit: usize) -> String {
    format!("c{}", unit % 10)
}

/// A header and lines of numbers; numbers that are not finite are left empty.
fn csv(header: &str, rows: impl IntoIterator<Item = (String, Vec<f64>)>) -> String {
    let mut text = format!("{header}\n");
    for (name, numbers) in rows {
        text.push_str(&name);
        for number in numbers {
            let _ = if number.is_finite() { write!(text, ",{number}") } else { write!(text, ",") };
        }
        text.push('\n');
    }
    text
}

/// The lowest and highest of some numbers with a margin; a little room around a single one.
pub(crate) fn range(numbers: impl IntoIterator<Item = f64>, margin: f64) -> Range<f64> {
    let finite = numbers.into_iter().filter(|number| number.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    match high - low {
        width if !width.is_finite() => -1.0..1.0,
        0.0 => low - 1.0..high + 1.0,
        width => low - margin * width..high + margin * width,
    }
}

/// Where a boundary in the plane enters and leaves a rectangle; `None` where it does not cross it.
pub(crate) fn crossing(boundary: &Boundary, x: &Range<f64>, y: &Range<f64>) -> Option<[[f64; 2]; 2]> {
    let [u, v] = boundary.direction[..] else { return None };
    let value = |[x, y]: [f64; 2]| u * x + v * y + boundary.offset;
    let corners = [[x.start, y.start], [x.end, y.start], [x.end, y.end], [x.start, y.end]];
    let mut ends = Vec::new();
    for (a, b) in corners.iter().zip(corners.iter().cycle().skip(1)) {
        let (before, after) = (value(*a), value(*b));
        if (before < 0.0) != (after < 0.0) {
            let t = before / (before - after);
            ends.push([a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])]);
        }
    }
    <[[f64; 2]; 2]>::try_from(ends).ok()
}

#[cfg(test)]
mod tests;
