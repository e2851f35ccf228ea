//! Texts and places in them. Every error points to such a place.
//!
//! A compilation reads several texts: the user's file, the standard library, and the values of `--set` and `--param`.
//! Each gets a [`SourceId`], so that a [`Span`] is enough to find its line.

/// One text of a compilation, with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name in messages: a path as the user typed it, `std/parameterization.gmpnet`, or `--set train.epochs`.
    pub name: String,
    /// The whole text, UTF-8.
    pub text: String,
}

/// Index of a text in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// A range of bytes of one source, `start <= end`, both at character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// Returns the smallest span that contains both. If `other` lies in another text, it returns `self`.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        if self.source != other.source {
            return self;
        }
        Span { source: self.source, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// All texts of one compilation.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    texts: Vec<Source>,
}

impl Sources {
    /// Adds a text, and returns its id for spans.
    pub fn add(&mut self, source: Source) -> SourceId {
        let id = SourceId(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.texts.push(source);
        id
    }

    /// Returns the text of an id, if it belongs to this collection.
    #[must_use]
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.texts.get(id.0 as usize)
    }

    /// Returns the text of a span. It is empty for a span of another collection.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.get(span.source).and_then(|s| s.text.get(span.start as usize..span.end as usize)).unwrap_or("")
    }

    /// Returns line and column (in characters) of a span's first byte, both counted from 1.
    #[must_use]
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        let Some(before) = self.get(span.source).and_then(|s| s.text.get(..span.start as usize)) else {
            return (1, 1);
        };
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}
