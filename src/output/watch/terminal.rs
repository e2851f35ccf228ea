//! Standard error as a terminal that is a little narrower than it is.
//!
//! The last line that is drawn is filled up to the terminal's width. Some columns are kept free behind it: many terminals begin
//! a new line when their last column is written to, and a person who presses Ctrl-C has `^C` written there, which must not
//! shift what is drawn.

use console::Term;
use indicatif::TermLike;
use std::io::Result;

/// Columns that stay free: one, and two for `^C`.
const FREE: u16 = 3;
/// Where the terminal does not say how large it is: rows and columns.
const USUAL: (u16, u16) = (24, 80);

/// The terminal behind standard error.
#[derive(Debug)]
pub struct Terminal(Term);

impl Terminal {
    /// Of this process.
    pub fn new() -> Self {
        Terminal(Term::buffered_stderr())
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        self.0.size_checked().unwrap_or(USUAL).1.saturating_sub(FREE).max(1)
    }

    fn height(&self) -> u16 {
        self.0.size_checked().unwrap_or(USUAL).0
    }

    fn move_cursor_up(&self, n: usize) -> Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, line: &str) -> Result<()> {
        self.0.write_line(line)
    }

    fn write_str(&self, text: &str) -> Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> Result<()> {
        self.0.flush()
    }
}
