//! A few lines on standard error that are drawn anew in their place.
//!
//! The cursor waits at the beginning of the line behind them. There, the `^C` of a person who stops the run is wiped away with
//! the rest; behind a line that reaches the terminal's edge it would begin a new one and leave a part of the old lines behind.

use console::Term;

/// Where the terminal does not say how large it is: rows and columns.
const USUAL: (u16, u16) = (24, 80);

/// The lines that are there.
#[derive(Debug)]
pub struct Terminal {
    term: Term,
    lines: usize,
}

impl Terminal {
    /// Of this process, with nothing drawn.
    pub fn new() -> Self {
        Terminal { term: Term::buffered_stderr(), lines: 0 }
    }

    /// Columns that a line may have. The last one stays free: some terminals begin a new line when it is written to.
    pub fn width(&self) -> usize {
        let (_, columns) = self.term.size_checked().unwrap_or(USUAL);
        usize::from(columns).saturating_sub(1).max(1)
    }

    /// Puts these lines in the place of those that are there; as many of them as the terminal has rows for.
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
            self.lines = lines.len(); // what cannot be written is not shown
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.draw(&[]);
    }
}
