//! Comments and blank lines while printing: handed out in file order, each once.

use super::layout::Layout;
use crate::ast::Comment;

/// What was not printed yet.
pub struct Notes<'a> {
    comments: &'a [Comment],
    blank_lines: &'a [u32],
    /// The documentation of a file is always followed by a blank line.
    forced: bool,
}

impl<'a> Notes<'a> {
    /// All comments and blank lines of a file, in its order.
    pub fn new(comments: &'a [Comment], blank_lines: &'a [u32]) -> Self {
        Notes { comments, blank_lines, forced: false }
    }

    /// The next comment, if it begins before a byte; it stays.
    pub fn peek_before(&self, byte: u32) -> Option<&'a Comment> {
        self.comments.first().filter(|comment| comment.span.start < byte)
    }

    /// The next comment, if it begins before a byte.
    pub fn next_before(&mut self, byte: u32) -> Option<&'a Comment> {
        let comment = self.peek_before(byte)?;
        self.comments = self.comments.get(1..).unwrap_or(&[]);
        Some(comment)
    }

    /// The next comment, if it stands inside of something that ended at `end`, or behind it on its line.
    pub fn next_behind(&mut self, end: u32, next: u32) -> Option<&'a Comment> {
        let comment = self.peek_before(next)?;
        if comment.span.start < end || comment.trailing { self.next_before(next) } else { None }
    }

    /// Comments before a byte, each on a line of its own.
    pub fn own_lines(&mut self, byte: u32) -> Vec<Layout> {
        let mut lines = Vec::new();
        while let Some(comment) = self.next_before(byte) {
            lines.extend([Layout::Trailing(written(&comment.text)), Layout::Hard]);
        }
        lines
    }

    /// Comments behind something that ended at `end`: the first on its line, others below.
    pub fn trailing(&mut self, end: u32, next: u32) -> Vec<Layout> {
        let mut notes = Vec::new();
        while let Some(comment) = self.next_behind(end, next) {
            let text = written(&comment.text);
            if notes.is_empty() {
                notes.push(Layout::Trailing(format!("  {text}")));
            } else {
                notes.extend([Layout::Hard, Layout::Trailing(text)]);
            }
        }
        notes
    }

    /// All comments before a byte, behind something and on lines below it.
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

    /// Is a blank line before this byte that was not asked for yet?
    pub fn blank_before(&mut self, byte: u32) -> bool {
        let before = self.blank_lines.partition_point(|&at| at < byte);
        self.blank_lines = self.blank_lines.get(before..).unwrap_or(&[]);
        std::mem::take(&mut self.forced) || before > 0
    }

    /// Blank lines before a byte are not kept, as at the start and the end of a body.
    pub fn skip_blank(&mut self, byte: u32) {
        self.blank_before(byte);
    }

    /// The next thing stands after a blank line.
    pub fn blank_after_docs(&mut self) {
        self.forced = true;
    }

    /// Does a blank line or a comment of its own line stand between two bytes?
    pub fn separates(&self, from: u32, to: u32) -> bool {
        let blank = self.blank_lines.partition_point(|&at| at < from) < self.blank_lines.partition_point(|&at| at < to);
        let first = self.comments.partition_point(|c| c.span.start < from);
        let until = self.comments.partition_point(|c| c.span.start < to);
        blank || self.comments.get(first..until).unwrap_or(&[]).iter().any(|comment| !comment.trailing)
    }
}

/// A comment with its marker; never one that would read as documentation.
pub fn written(text: &str) -> String {
    if text.starts_with("//") { format!("//{text}") } else { format!("// {text}").trim_end().to_owned() }
}
