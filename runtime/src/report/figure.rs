//! The paper's figures as SVG, each with its numbers as CSV.

pub mod counts;
pub mod fit;
pub mod movement;
pub mod perturbation;
pub mod plane;
pub mod regions;

use crate::analysis::Subject;
use crate::failure::Failure;
use plotters::prelude::RGBColor;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A drawing with the numbers it shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// `figure-2c`: what its files are called.
    pub name: String,
    /// One sentence.
    pub caption: String,
    /// The drawing.
    pub svg: String,
    /// A header and one line a point.
    pub csv: String,
}

impl Figure {
    /// Writes `NAME.svg` and `NAME.csv` into a folder; returns their paths.
    ///
    /// # Errors
    /// The disk.
    pub fn write(&self, folder: &Path) -> Result<[PathBuf; 2], Failure> {
        std::fs::create_dir_all(folder).map_err(|error| Failure::io("make the folder", folder, &error))?;
        let paths = ["svg", "csv"].map(|extension| folder.join(format!("{}.{extension}", self.name)));
        for (path, text) in paths.iter().zip([&self.svg, &self.csv]) {
            std::fs::write(path, text).map_err(|error| Failure::io("write", path, &error))?;
        }
        Ok(paths)
    }
}

/// Every figure that these runs have the numbers for.
///
/// # Errors
/// A network that cannot be run; a drawing that fails.
pub fn of_runs(
    subjects: &[Subject],
    device: &std::sync::Arc<dyn crate::device::Device>,
) -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    figures.extend(movement::location(subjects)?);
    figures.extend(movement::direction(subjects)?);
    figures.extend(fit::figure(subjects, device)?);
    figures.extend(plane::trajectories(subjects)?);
    figures.extend(plane::decisions(subjects, device)?);
    Ok(figures)
}

/// What drawing gives.
type Drawn<T = ()> = Result<T, Box<dyn Error>>;

/// A drawing that fails is a fault of ours: the backend writes to a string.
fn drawn<T>(result: Drawn<T>) -> Result<T, Failure> {
    result.map_err(|error| Failure::Bug(format!("a figure cannot be drawn: {error}")))
}

/// The paper's colours of its four methods (Figure 1 and 2); anything else takes the next of a list.
pub(super) fn colour(param: &str, place: usize) -> RGBColor {
    let known = [
        ("sp", RGBColor(214, 39, 40)),
        ("wn", RGBColor(44, 160, 44)),
        ("bn", RGBColor(255, 127, 14)),
        ("gmp", RGBColor(31, 119, 180)),
    ];
    let others = [RGBColor(148, 103, 189), RGBColor(140, 86, 75), RGBColor(227, 119, 194), RGBColor(80, 80, 80)];
    let found = known.iter().find(|(name, _)| *name == param.trim_end_matches('*')).map(|(_, colour)| *colour);
    found.unwrap_or(others[place % others.len()])
}

/// One colour a unit, all of them far from white.
fn unit_colour(unit: usize) -> RGBColor {
    let wheel = [
        (31, 119, 180),
        (255, 127, 14),
        (44, 160, 44),
        (214, 39, 40),
        (148, 103, 189),
        (140, 86, 75),
        (227, 119, 194),
        (110, 110, 110),
        (160, 160, 20),
        (23, 170, 190),
    ];
    let (red, green, blue) = wheel[unit % wheel.len()];
    RGBColor(red, green, blue)
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
pub(super) fn range(numbers: impl IntoIterator<Item = f64>, margin: f64) -> std::ops::Range<f64> {
    let finite = numbers.into_iter().filter(|number| number.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    match high - low {
        width if !width.is_finite() => -1.0..1.0,
        0.0 => low - 1.0..high + 1.0,
        width => low - margin * width..high + margin * width,
    }
}

#[cfg(test)]
mod tests;
