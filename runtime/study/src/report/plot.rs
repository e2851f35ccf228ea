//! A plot with two axes as SVG. The page's script reads the same paths for zoom, hover and tables.
//!
//! ```text
//! <svg class="plot" data-plot='{"x":[0,10,"linear"],"y":[-16,16,"log2"],…}'>
//!   <g class="axes">   grid and numbers, redrawn when the view changes
//!   <svg class="field" viewBox="0 0 400 250">   marks in its own units; a view is another viewBox
//!     <path class="line c-gmp" data-name="gmp" d="M0 1L2 3">
//! ```
//!
//! Colours are attributes and suit a light background, so a file on its own looks the same in every program. The page's
//! style sheet replaces them by class, for a dark background too. Strokes keep their width at every zoom. A dot is a
//! path of length zero with round ends, so dots stay round.

mod axis;
mod colours;

pub use axis::{Axis, Scale};
pub use colours::{assigned, light, style};

use axis::{shown, ticks};
use std::fmt::Write;

/// Approximate width of a character, relative to the font size.
const CHARACTER: f64 = 0.58;
/// Font size of the numbers and labels at the axes, in pixels.
const FONT: f64 = 12.0;
const TITLE: f64 = 14.0;
/// Height above the field in pixels. It contains the title.
const TOP: f64 = 26.0;
const RIGHT: f64 = 20.0;
const BOTTOM: f64 = 40.0;

/// A plot under construction.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    title: String,
    x: Axis,
    y: Axis,
    /// Size of the whole plot in pixels.
    size: [f64; 2],
    left: f64,
    marks: String,
}

/// Size of most plots in pixels.
pub const WIDE: [f64; 2] = [470.0, 320.0];
/// Size of plots whose axes have the same unit.
pub const SQUARE: [f64; 2] = [440.0, 440.0];

impl Plot {
    /// An empty plot of this size.
    #[must_use]
    pub fn new(title: impl Into<String>, x: Axis, y: Axis, size: [f64; 2]) -> Self {
        let numbers = ticks(&y, 6);
        let longest = longest(&y.names(&numbers)).max(3);
        let left = if y.scale == Scale::Hidden { 12.0 } else { 26.0 + longest as f64 * FONT * CHARACTER };
        Plot { title: title.into(), x, y, size, left, marks: String::new() }
    }

    /// Width and height of the field in pixels.
    fn field(&self) -> [f64; 2] {
        let bottom = if self.x.scale == Scale::Hidden { 12.0 } else { BOTTOM };
        [self.size[0] - self.left - RIGHT, self.size[1] - TOP - bottom]
    }

    /// A point in the field's units, as text with two decimals: enough for some zoom.
    fn at(&self, [x, y]: [f64; 2]) -> Option<[String; 2]> {
        let [wide, high] = self.field();
        let (x, y) = (self.x.part(x) * wide, (1.0 - self.y.part(y)) * high);
        // Points far outside the field are invisible, and long numbers would only enlarge the file.
        (x.is_finite() && y.is_finite()).then(|| [short(x.clamp(-1e5, 1e5)), short(y.clamp(-1e5, 1e5))])
    }

    /// A line through points. It is interrupted at points that are not finite.
    pub fn line(&mut self, name: &str, class: &str, points: impl IntoIterator<Item = [f64; 2]>, width: f64) {
        let d = self.run(points);
        self.stroke("line", name, class, &d, width, "");
    }

    /// A dashed line through points.
    pub fn dashed(&mut self, name: &str, class: &str, points: impl IntoIterator<Item = [f64; 2]>, width: f64) {
        let d = self.run(points);
        self.stroke("line dashed", name, class, &d, width, " stroke-dasharray=\"6 4\"");
    }

    fn run(&self, points: impl IntoIterator<Item = [f64; 2]>) -> String {
        let mut d = String::new();
        let mut letter = 'M';
        for point in points {
            match self.at(point) {
                Some([x, y]) => {
                    let _ = write!(d, "{letter}{x} {y}");
                    letter = 'L';
                }
                None => letter = 'M',
            }
        }
        d
    }

    /// The area between two curves, given as x, low and high.
    pub fn band(&mut self, name: &str, class: &str, points: &[[f64; 3]]) {
        let whole: Vec<[f64; 3]> = points.iter().copied().filter(|p| p.iter().all(|x| x.is_finite())).collect();
        let there = whole.iter().map(|[x, _, high]| [*x, *high]);
        let back = whole.iter().rev().map(|[x, low, _]| [*x, *low]);
        let d = self.run(there.chain(back));
        self.fill("band", name, class, &format!("{d}Z"), 0.18);
    }

    /// Straight line segments.
    pub fn segments(
        &mut self,
        name: &str,
        class: &str,
        pieces: impl IntoIterator<Item = [[f64; 2]; 2]>,
        width: f64,
        opacity: f64,
    ) {
        let d = self.pieces(pieces);
        self.stroke("segments", name, class, &d, width, &format!(" stroke-opacity=\"{opacity}\""));
    }

    /// The path of straight line segments.
    pub fn pieces(&self, pieces: impl IntoIterator<Item = [[f64; 2]; 2]>) -> String {
        pieces.into_iter().map(|piece| self.run(piece)).collect()
    }

    /// Dots with a diameter in pixels.
    pub fn dots(&mut self, name: &str, class: &str, points: impl IntoIterator<Item = [f64; 2]>, size: f64) {
        let d = self.places(points);
        self.stroke("dots", name, class, &d, size, " stroke-linecap=\"round\"");
    }

    /// The path of dots.
    pub fn places(&self, points: impl IntoIterator<Item = [f64; 2]>) -> String {
        let places = points.into_iter().filter_map(|point| self.at(point));
        places.fold(String::new(), |mut d, [x, y]| {
            let _ = write!(d, "M{x} {y}h0");
            d
        })
    }

    /// Filled polygons.
    pub fn polygons(
        &mut self,
        name: &str,
        class: &str,
        corners: impl IntoIterator<Item = Vec<[f64; 2]>>,
        opacity: f64,
    ) {
        let d: String = corners.into_iter().map(|corners| self.run(corners) + "Z").collect();
        self.fill("fill", name, class, &d, opacity);
    }

    /// A path that the page's script replaces when the slider moves. `which` identifies it among several.
    pub fn moving(&mut self, which: &str, class: &str, d: &str, width: f64) {
        let attributes = format!(" data-moving=\"{which}\" stroke-linecap=\"round\" stroke-opacity=\"0.75\"");
        let kind = if which == "dots" { "dots" } else { "segments" };
        self.stroke(kind, if which == "dots" { "phi" } else { "" }, class, d, width, &attributes);
    }

    fn stroke(&mut self, kind: &str, name: &str, class: &str, d: &str, width: f64, more: &str) {
        let colour = light(class);
        let _ = writeln!(
            self.marks,
            "<path class=\"{kind} {class}\"{name} fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"{more} \
             vector-effect=\"non-scaling-stroke\" d=\"{d}\"/>",
            name = named(name)
        );
    }

    fn fill(&mut self, kind: &str, name: &str, class: &str, d: &str, opacity: f64) {
        let colour = light(class);
        let _ = writeln!(
            self.marks,
            "<path class=\"{kind} {class}\"{name} fill=\"{colour}\" fill-opacity=\"{opacity}\" d=\"{d}\"/>",
            name = named(name)
        );
    }

    /// Width and height of the whole plot in pixels.
    #[must_use]
    pub fn size(&self) -> [f64; 2] {
        self.size
    }

    /// The SVG element. With `place` it is positioned within another SVG.
    #[must_use]
    pub fn svg(&self, place: Option<[f64; 2]>) -> String {
        let [width, height] = self.size;
        let [wide, high] = self.field();
        let place = place.map_or(String::new(), |[x, y]| format!(" x=\"{x}\" y=\"{y}\""));
        let about = serde_json::json!({
            "x": [self.x.range.start, self.x.range.end, self.x.scale.word()],
            "y": [self.y.range.start, self.y.range.end, self.y.scale.word()],
            "names": self.y.scale.names(),
            "labels": [self.x.label, self.y.label],
            "field": [self.left, TOP, wide, high],
        });
        format!(
            "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\"{place} width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"system-ui, sans-serif\" font-size=\"{FONT}\" role=\"img\" \
             aria-label=\"{title}\" data-plot=\"{about}\">\n\
             <rect class=\"ground\" width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{head}{axes}\
             <svg class=\"field\" x=\"{left}\" y=\"{TOP}\" width=\"{wide}\" height=\"{high}\" viewBox=\"0 0 {wide} {high}\" \
             preserveAspectRatio=\"none\">\n{marks}</svg>\n\
             <rect class=\"frame\" x=\"{left}\" y=\"{TOP}\" width=\"{wide}\" height=\"{high}\" fill=\"none\" \
             stroke=\"#767676\"/>\n</svg>\n",
            title = escaped(&self.title),
            about = escaped(&about.to_string()),
            head = self.words(),
            axes = self.axes(),
            left = self.left,
            marks = self.marks,
        )
    }

    /// The title, and the labels of the axes.
    fn words(&self) -> String {
        let ([wide, high], left) = (self.field(), self.left);
        let (middle, foot) = (left + wide / 2.0, self.size[1] - 6.0);
        let title = fitted(&self.title, self.size[0] - 8.0, TITLE);
        // Centred over the field, but within the edges of the plot.
        let half = title.chars().count() as f64 * TITLE * CHARACTER / 2.0;
        let centre = middle.min(self.size[0] - 4.0 - half).max(4.0 + half);
        let mut text = format!(
            "<text class=\"title\" x=\"{centre:.1}\" y=\"17\" font-size=\"{TITLE}\" text-anchor=\"middle\" \
             fill=\"#1b1b1b\">{}</text>\n",
            escaped(&title)
        );
        if self.x.scale != Scale::Hidden && !self.x.label.is_empty() {
            let label = escaped(&fitted(&self.x.label, wide + RIGHT, FONT));
            let _ = writeln!(
                text,
                "<text class=\"label\" x=\"{middle:.1}\" y=\"{foot:.1}\" text-anchor=\"middle\" fill=\"#4a4a4a\">{label}</text>"
            );
        }
        if self.y.scale != Scale::Hidden && !self.y.label.is_empty() {
            let (label, at) = (escaped(&fitted(&self.y.label, high, FONT)), TOP + high / 2.0);
            let _ = writeln!(
                text,
                "<text class=\"label\" transform=\"translate(13 {at:.1}) rotate(-90)\" text-anchor=\"middle\" \
                 fill=\"#4a4a4a\">{label}</text>"
            );
        }
        text
    }

    /// The grid, and the numbers at the axes.
    fn axes(&self) -> String {
        let ([wide, high], left) = (self.field(), self.left);
        let bottom = TOP + high;
        // One path for all lines of the grid: an element for each would make pages with many plots large.
        let (mut grid, mut text) = (String::new(), String::new());
        let ticks_x = self.x_ticks(wide);
        for (tick, name) in ticks_x.iter().zip(self.x.names(&ticks_x)) {
            let x = left + self.x.part(*tick) * wide;
            let _ = write!(grid, "M{x:.1} {TOP}V{bottom:.1}");
            let _ = writeln!(
                text,
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#1b1b1b\">{}</text>",
                bottom + 16.0,
                escaped(&name)
            );
        }
        let ticks_y = ticks(&self.y, if high > 150.0 { 6 } else { 4 });
        for (tick, name) in ticks_y.iter().zip(self.y.names(&ticks_y)) {
            let y = TOP + (1.0 - self.y.part(*tick)) * high;
            let _ = write!(grid, "M{left:.1} {y:.1}H{:.1}", left + wide);
            let _ = writeln!(
                text,
                "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#1b1b1b\">{}</text>",
                left - 6.0,
                y + 4.0,
                escaped(&name)
            );
        }
        format!("<g class=\"axes\"><path class=\"grid\" stroke=\"#e3e3e3\" fill=\"none\" d=\"{grid}\"/>\n{text}</g>\n")
    }

    /// As many ticks as fit side by side.
    fn x_ticks(&self, wide: f64) -> Vec<f64> {
        let fits = |found: &Vec<f64>| {
            let longest = longest(&self.x.names(found));
            let needed = found.len() as f64 * (longest as f64 * FONT * CHARACTER + 16.0);
            needed <= wide + 16.0
        };
        if !self.x.at.is_empty() && fits(&self.x.at) {
            return self.x.at.clone();
        }
        (2..=7).rev().map(|count| ticks(&self.x, count)).find(fits).unwrap_or_default()
    }
}

/// Number of characters of the longest text.
fn longest(texts: &[String]) -> usize {
    texts.iter().map(|text| text.chars().count()).max().unwrap_or(0)
}

/// The attribute with the name that the page shows on hover.
fn named(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" data-name=\"{}\"", escaped(name)) }
}

/// Escapes a text for HTML and SVG, between tags and in attributes.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The beginning of a text that fits into this width.
fn fitted(text: &str, width: f64, size: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of characters")]
    let most = (width / (size * CHARACTER)).max(4.0) as usize;
    if text.chars().count() <= most {
        return text.to_string();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// A number with at most two decimals and without trailing zeros.
fn short(x: f64) -> String {
    let text = format!("{x:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_string() } else { text.to_string() }
}

/// A number as it is written at an axis.
#[must_use]
pub fn readable(x: f64) -> String {
    shown(x)
}

#[cfg(test)]
mod tests;
