//! Layouts: texts that say where lines may break, and which breaks belong together. Printing fits them to a width.
//!
//! # Source
//! Wadler, "A prettier printer", 1998; the loop over a stack is Oppen's, as in Lindig, "Strictly Pretty", 2000.

/// The most columns of a line, if it can be broken.
pub const WIDTH: usize = 100;

/// Text with the places where it may break.
#[derive(Debug, Clone)]
pub enum Layout {
    /// Characters without a line end.
    Text(String),
    /// Parts one after the other.
    Row(Vec<Layout>),
    /// A blank, or a line end if its group is broken.
    Line,
    /// Nothing, or a line end if its group is broken.
    Soft,
    /// A line end. It breaks every group around it.
    Hard,
    /// Text that is printed only if its group is broken.
    IfBroken(&'static str),
    /// A comment up to the end of the line. It breaks every group around it.
    Trailing(String),
    /// Printed on one line if it fits, otherwise broken at each `Line` and `Soft` directly in it.
    Group(Group),
    /// Parts with gaps between them. Each gap is a blank or a line end. As few as possible are line ends.
    Fill(Vec<Layout>),
    /// Its further lines are indented.
    Indent(Box<Layout>),
    /// Its further lines begin in the column where it begins.
    Align(Box<Layout>),
}

/// See [`Layout::Group`]. The width is stored, because computing it again for every enclosing group would take quadratic time.
#[derive(Debug, Clone)]
pub struct Group {
    inner: Box<Layout>,
    width: Option<usize>,
}

impl Layout {
    /// Makes a group.
    pub fn grouped(inner: Layout) -> Self {
        let width = inner.flat_width();
        Layout::Group(Group { inner: Box::new(inner), width })
    }

    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Layout::Text(text.into())
    }

    /// Makes a group of several parts.
    pub fn group(parts: Vec<Layout>) -> Self {
        Layout::grouped(Layout::Row(parts))
    }

    /// Indents the lines of `parts` by four columns.
    pub fn indent(parts: Vec<Layout>) -> Self {
        Layout::Indent(Box::new(Layout::Row(parts)))
    }

    /// Returns the number of columns on one line. `None` if it certainly contains a line end.
    pub fn flat_width(&self) -> Option<usize> {
        match self {
            Layout::Text(text) => Some(text.chars().count()),
            Layout::Row(parts) => parts.iter().map(Layout::flat_width).sum(),
            Layout::Line => Some(1),
            Layout::Soft | Layout::IfBroken(_) => Some(0),
            Layout::Hard | Layout::Trailing(_) => None,
            Layout::Group(group) => group.width,
            Layout::Indent(inner) | Layout::Align(inner) => inner.flat_width(),
            Layout::Fill(parts) => {
                let gaps = parts.len().saturating_sub(1);
                parts.iter().map(Layout::flat_width).sum::<Option<usize>>().map(|width| width + gaps)
            }
        }
    }
}

/// A text that is written from top to bottom. Lines do not end with blanks.
#[derive(Default)]
pub struct Page {
    text: String,
    column: usize,
}

impl Page {
    /// Writes a layout. Its further lines begin at column `indent`. `broken`: `Line` and `Soft` directly in it are line ends.
    pub fn write(&mut self, layout: &Layout, indent: usize, broken: bool) {
        match layout {
            Layout::Text(text) => self.put(text),
            Layout::Row(parts) => parts.iter().for_each(|part| self.write(part, indent, broken)),
            Layout::Line if !broken => self.put(" "),
            Layout::Soft if !broken => {}
            Layout::Line | Layout::Soft | Layout::Hard => self.line(indent),
            Layout::IfBroken(text) if broken => self.put(text),
            Layout::IfBroken(_) => {}
            Layout::Trailing(text) => self.put(text),
            Layout::Group(group) => self.write(&group.inner, indent, !self.fits(layout)),
            Layout::Fill(parts) => self.fill(parts, indent),
            Layout::Indent(inner) => self.write(inner, indent + 4, broken),
            Layout::Align(inner) => self.write(inner, self.column, broken),
        }
    }

    /// Begins a new line at a column.
    pub fn line(&mut self, indent: usize) {
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    /// Returns the number of columns of the last line so far.
    pub fn column(&self) -> usize {
        self.column
    }

    /// Does the last line end with an opening brace? No blank line follows it then.
    pub fn opened(&self) -> bool {
        self.text.trim_end_matches(' ').ends_with('{')
    }

    /// Returns the text, with one line end at its end.
    pub fn finish(self) -> String {
        let text = self.text.trim();
        if text.is_empty() { String::new() } else { format!("{text}\n") }
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    fn fits(&self, layout: &Layout) -> bool {
        layout.flat_width().is_some_and(|width| self.column + width <= WIDTH)
    }

    fn fill(&mut self, parts: &[Layout], indent: usize) {
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                let room = part.flat_width().is_some_and(|width| self.column + 1 + width <= WIDTH);
                if room {
                    self.put(" ");
                } else {
                    self.line(indent);
                }
            }
            let broken = !self.fits(part);
            self.write(part, indent, broken);
        }
    }
}
