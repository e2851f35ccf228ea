//! Figures, both the paper's and those of comparisons: one or several plots as SVG, and their numbers as CSV.

pub mod cells;
pub mod counts;
pub mod curves;
pub mod drift;
pub mod fit;
pub mod forest;
pub mod fronts;
pub mod history;
pub mod perturbation;
pub mod plane;
pub mod regions;
pub mod sensitivity;

use super::plot::{Plot, escaped, light};
use crate::analysis::Run;
use gmpc_compiler::graphs::boundary::Boundary;
use gmpc_runtime::failure::Failure;
use gmpc_runtime::run::output::write_text;
use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Gap between the plots of a figure in pixels.
const GAP: f64 = 10.0;
/// Height of a line of the key in pixels.
const KEY: f64 = 22.0;

/// A column of a printed page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// One of two columns.
    Single,
    /// Both columns.
    Double,
}

/// All widths.
pub const COLUMNS: [Column; 2] = [Column::Single, Column::Double];

impl Column {
    /// Its width: that of ICML's two columns, and within a tenth of an inch that of most journals.
    #[must_use]
    pub fn inches(self) -> f64 {
        match self {
            Column::Single => 3.25,
            Column::Double => 6.75,
        }
    }

    /// Part of a file's name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Column::Single => "single",
            Column::Double => "double",
        }
    }
}

/// A figure: plots, and the numbers that they show.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The name of its files, such as `figure-2c`.
    pub name: String,
    /// Its title, such as `Figure 2c: how far characteristic points move`.
    pub title: String,
    /// One or two sentences.
    pub caption: String,
    /// Its plots, side by side.
    pub plots: Vec<Plot>,
    /// Colour classes, and what each of them stands for.
    pub key: Vec<(String, String)>,
    /// A header, and one line for each point.
    pub csv: String,
}

impl Figure {
    /// The figure as an SVG file: at most two plots side by side, or four small ones, and the key below them.
    #[must_use]
    pub fn svg(&self) -> String {
        self.laid_out(self.across(), None)
    }

    /// The figure as wide as a column of a printed page.
    #[must_use]
    pub fn printed(&self, column: Column) -> String {
        let count = self.plots.len();
        // Few drawings stay legible at their size; many have to share a line, or the figure would be longer than a page.
        let across = match (column, self.is_small()) {
            (Column::Single, false) => 1,
            (Column::Single, true) => {
                if count > 3 {
                    2
                } else {
                    1
                }
            }
            (Column::Double, false) => 2,
            (Column::Double, true) => {
                if count > 9 {
                    4
                } else {
                    3
                }
            }
        };
        self.laid_out(across.min(count.max(1)), Some(column.inches()))
    }

    /// So many drawings side by side; of a width in inches, or of the drawings' own in pixels.
    fn laid_out(&self, across: usize, inches: Option<f64>) -> String {
        let each = self.plots.iter().map(Plot::size).fold([0.0_f64, 0.0], |a, b| [a[0].max(b[0]), a[1].max(b[1])]);
        let at = |k: usize| [(k % across) as f64 * (each[0] + GAP), (k / across) as f64 * (each[1] + GAP)];
        let drawn: String = self.plots.iter().enumerate().map(|(k, plot)| plot.svg(Some(at(k)))).collect();
        let (wide, down) = (across as f64 * (each[0] + GAP) - GAP, self.plots.len().div_ceil(across) as f64);
        let (key, lines) = self.key_lines(wide, down * (each[1] + GAP));
        let high = down * (each[1] + GAP) + lines * KEY;
        let size = match inches {
            None => format!("width=\"{wide}\" height=\"{high}\""),
            Some(inches) => format!("width=\"{inches}in\" height=\"{:.4}in\"", inches * high / wide),
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" {size} viewBox=\"0 0 {wide} {high}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<title>{}</title>\n\
             <rect width=\"{wide}\" height=\"{high}\" fill=\"#ffffff\"/>\n{drawn}{key}</svg>\n",
            escaped(&self.title)
        )
    }

    /// Number of plots side by side.
    #[must_use]
    pub fn across(&self) -> usize {
        self.plots.len().clamp(1, if self.is_small() { 4 } else { 2 })
    }

    /// True if all of its plots are small.
    pub(super) fn is_small(&self) -> bool {
        self.plots.iter().all(|plot| plot.size()[0] < 300.0)
    }

    /// The key as lines of at most this width, and its height in pixels.
    fn key_lines(&self, wide: f64, top: f64) -> (String, f64) {
        let (mut text, mut x, mut line) = (String::new(), 10.0, 0.0);
        for (class, name) in &self.key {
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

    /// Writes `NAME.svg` and `NAME.csv` into a folder, and `NAME-single.svg` and `NAME-double.svg` for printed columns.
    /// Returns the paths of the first two.
    ///
    /// # Errors
    /// [`Failure::Io`]: a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<[PathBuf; 2], Failure> {
        std::fs::create_dir_all(folder).map_err(|error| Failure::io("make the folder", folder, &error))?;
        for column in COLUMNS {
            write_text(&folder.join(self.file(column, "svg")), &self.printed(column))?;
        }
        let paths = ["svg", "csv"].map(|extension| folder.join(format!("{}.{extension}", self.name)));
        for (path, text) in paths.iter().zip([&self.svg(), &self.csv]) {
            write_text(path, text)?;
        }
        Ok(paths)
    }

    /// What its file for a printed column is called.
    #[must_use]
    pub fn file(&self, column: Column, extension: &str) -> String {
        format!("{}-{}.{extension}", self.name, column.word())
    }
}

/// Every figure for which these runs have data.
///
/// # Errors
/// The network of a run cannot run.
pub fn of_runs(subjects: &[Run], device: &std::sync::Arc<dyn gmpc_device::Device>) -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    figures.extend(curves::of_runs(subjects));
    figures.extend(perturbation::of_runs(subjects));
    figures.extend(drift::location(subjects));
    figures.extend(drift::direction(subjects));
    figures.extend(fit::figure(subjects, device)?);
    figures.extend(plane::trajectories(subjects));
    figures.extend(plane::decisions(subjects, device)?);
    Ok(figures)
}

/// A colour class for each run. Runs of the same model and data set get different classes, so a run has the same colour
/// in every figure.
pub(crate) fn classes(subjects: &[&Run]) -> Vec<String> {
    let of: Vec<(String, &str)> = subjects.iter().map(|s| (experiment(s), s.about.param.as_str())).collect();
    apart(&of)
}

/// Colour classes of parameterizations, unique within each experiment.
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

/// What a run trains: `banana`, or model and data set if their names differ.
fn experiment(subject: &Run) -> String {
    let about = &subject.about;
    if about.model == about.data { about.model.clone() } else { format!("{} {}", about.model, about.data) }
}

/// Groups items with the same key, in the order of each group's first item.
pub(super) fn together<'a, T>(
    all: impl IntoIterator<Item = &'a T>,
    of: impl Fn(&T) -> String,
) -> Vec<(String, Vec<&'a T>)> {
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

/// A colour class for each unit.
fn unit_class(unit: usize) -> String {
    format!("c{}", unit % 10)
}

/// A CSV text with this header. Numbers that are not finite are left empty.
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

/// The range of some numbers with a margin on both sides, as a part of its width. A single number gets a range of width
/// 2.
pub(crate) fn range(numbers: impl IntoIterator<Item = f64>, margin: f64) -> Range<f64> {
    let finite = numbers.into_iter().filter(|number| number.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    match high - low {
        width if !width.is_finite() => -1.0..1.0,
        0.0 => low - 1.0..high + 1.0,
        width => low - margin * width..high + margin * width,
    }
}

/// The two points where a boundary in the plane crosses the outline of a rectangle; `None` if it does not cross it.
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
