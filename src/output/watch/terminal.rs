//! A few lines on standard error that are redrawn in place.
//!
//! The cursor waits at the beginning of the line below them. There, the terminal's `^C` for an interrupt is overwritten
//! with the next drawing. After a line that reaches the right edge it would begin a new line, and a part of the old
//! lines would remain.

use console::Term;

/// Rows and columns if the terminal does not tell its size.
const USUAL: (u16, u16) = (24, 80);

/// The lines that are drawn now.
#[derive(Debug)]
pub struct Terminal {
    term: Term,
    lines: usize,
}

impl Terminal {
    /// The terminal of this process, with nothing drawn.
    pub fn new() -> Self {
        Terminal { term: Term::buffered_stderr(), lines: 0 }
    }

    /// Number of columns that a line may have. The last column stays free, because some terminals begin a new line when
    /// it is written to.
    pub fn width(&self) -> usize {
        let (_, columns) = self.term.size_checked().unwrap_or(USUAL);
        usize::from(columns).saturating_sub(1).max(1)
    }

    /// Replaces the drawn lines by these. Lines that do not fit on the terminal are left out.
    pub fn draw(&mut self, lines: &[String]) {
        let (rows, _) = self.term.size_checked().unwrap_or(USUAL);
        let lines = &lines[..lines.len().min(usize::from(rows).saturating_sub(1))];
        let drawn = self.term.move_cursor_up(self.lines).and_then(|()| {
            for line in lines {
                self.term.clear_line()?;
                self.term.write_line(line)?;
            }
            self.term.clear_to_end_of_screen()?;
            self.term.flush()
        });
        if drawn.is_ok() {
            self.lines = lines.len(); // lines that cannot be written are not shown
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.draw(&[]);
    }
}
