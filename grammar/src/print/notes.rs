//! Comments and blank lines during printing. Each is taken once, in file order.

use super::layout::Layout;
use crate::ast::Comment;

/// The comments and blank lines that are not printed yet.
pub struct Notes<'a> {
    comments: &'a [Comment],
    blank_lines: &'a [u32],
    /// A blank line follows in any case: after the documentation of a file.
    forced: bool,
}

impl<'a> Notes<'a> {
    /// All comments and blank lines of a file, in file order.
    pub fn new(comments: &'a [Comment], blank_lines: &'a [u32]) -> Self {
        Notes { comments, blank_lines, forced: false }
    }

    /// Returns the next comment, if it begins before a byte, without taking it.
    pub fn peek_before(&self, byte: u32) -> Option<&'a Comment> {
        self.comments.first().filter(|comment| comment.span.start < byte)
    }

    /// Takes the next comment, if it begins before a byte.
    pub fn next_before(&mut self, byte: u32) -> Option<&'a Comment> {
        let comment = self.peek_before(byte)?;
        self.comments = self.comments.get(1..).unwrap_or(&[]);
        Some(comment)
    }

    /// Takes the next comment, if it is inside an entry that ends at byte `end`, or after it on its line.
    pub fn next_after(&mut self, end: u32, next: u32) -> Option<&'a Comment> {
        let comment = self.peek_before(next)?;
        if comment.span.start < end || comment.trailing { self.next_before(next) } else { None }
    }

    /// Takes the comments before a byte. Each gets a line of its own.
    pub fn own_lines(&mut self, byte: u32) -> Vec<Layout> {
        let mut lines = Vec::new();
        while let Some(comment) = self.next_before(byte) {
            lines.extend([Layout::Trailing(written(&comment.text)), Layout::Hard]);
        }
        lines
    }

    /// Takes the comments after an entry that ends at byte `end`. The first one is printed on its line, others below it.
    pub fn trailing(&mut self, end: u32, next: u32) -> Vec<Layout> {
        let mut notes = Vec::new();
        while let Some(comment) = self.next_after(end, next) {
            let text = written(&comment.text);
            if notes.is_empty() {
                notes.push(Layout::Trailing(format!("  {text}")));
            } else {
                notes.extend([Layout::Hard, Layout::Trailing(text)]);
            }
        }
        notes
    }

    /// Takes all comments before a byte: one may be on the same line, the others are on lines below it.
    pub fn below(&mut self, byte: u32) -> Vec<Layout> {
        let mut notes = Vec::new();
        while let Some(comment) = self.next_before(byte) {
            let text = written(&comment.text);
            if notes.is_empty() && comment.trailing {
                notes.push(Layout::Trailing(format!("  {text}")));
            } else {
                notes.extend([Layout::Hard, Layout::Trailing(text)]);
            }
        }
        notes
    }

    /// Takes the blank lines before a byte. Is there at least one?
    pub fn blank_before(&mut self, byte: u32) -> bool {
        let before = self.blank_lines.partition_point(|&at| at < byte);
        self.blank_lines = self.blank_lines.get(before..).unwrap_or(&[]);
        std::mem::take(&mut self.forced) || before > 0
    }

    /// Drops the blank lines before a byte, as at the start and at the end of a body.
    pub fn skip_blank(&mut self, byte: u32) {
        self.blank_before(byte);
    }

    /// Demands a blank line before the next entry.
    pub fn blank_after_docs(&mut self) {
        self.forced = true;
    }

    /// Is there a blank line, or a comment on a line of its own, between two bytes?
    pub fn separates(&self, from: u32, to: u32) -> bool {
        let blank = self.blank_lines.partition_point(|&at| at < from) < self.blank_lines.partition_point(|&at| at < to);
        let first = self.comments.partition_point(|c| c.span.start < from);
        let until = self.comments.partition_point(|c| c.span.start < to);
        blank || self.comments.get(first..until).unwrap_or(&[]).iter().any(|comment| !comment.trailing)
    }
}

/// Returns a comment with its marker. The result never reads as documentation.
pub fn written(text: &str) -> String {
    if text.starts_with("//") { format!("//{text}") } else { format!("// {text}").trim_end().to_owned() }
}
