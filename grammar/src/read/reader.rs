//! The loop around the parser: parse, make the error, leave out the statement, parse again.

use super::brackets::match_brackets;
use super::build::Builder;
use super::diagnose::{self, diagnose};
use super::fault::Fault;
use super::foreign::{foreign_tokens, open_strings};
use super::grammar::{self, Rule};
use super::recover::around;
use super::scene::Scene;
use super::tokens::{Token, TokenKind, scan};
use crate::diagnostic::Diagnostic;
use crate::source::SourceId;
use pest::iterators::Pair;
use std::ops::Range;

/// The most errors that are reported. Nobody reads more at once.
const MAX_ERRORS: usize = 40;

/// The most bytes that are parsed in all rounds together. A large text with many errors gets fewer rounds.
const MAX_WORK: usize = 16 << 20;

/// A text during reading. Parts with errors are overwritten with blanks, byte by byte, so that all places stay right.
pub struct Reader {
    text: String,
    source: SourceId,
    /// The tokens that are left.
    pub tokens: Vec<Token>,
    /// The ranges of statements that were left out.
    gone: Vec<Range<usize>>,
    /// The errors, in the order in which they were found.
    pub errors: Vec<Diagnostic>,
    rounds: usize,
}

impl Reader {
    /// Scans a text.
    ///
    /// # Errors
    /// E0101 for a text above [`super::MAX_BYTES`].
    pub fn new(text: &str, source: SourceId) -> Result<Self, Diagnostic> {
        if text.len() > super::MAX_BYTES {
            return Err(diagnose::too_large(text.len(), source));
        }
        let tokens = scan(text).map_err(|_| diagnose::exhausted(source))?;
        let rounds = (MAX_WORK / text.len().max(1)).clamp(1, MAX_ERRORS);
        Ok(Reader { text: text.to_owned(), source, tokens, gone: Vec::new(), errors: Vec::new(), rounds })
    }

    /// Removes tokens that no valid text contains, and parts that prevent the brackets from matching.
    pub fn balance(&mut self) {
        let mut broken = Vec::new();
        self.take(foreign_tokens(&self.scene()), &mut broken);
        while let Some(fault) = match_brackets(&self.scene()) {
            self.take(vec![fault], &mut broken);
            if self.errors.len() >= self.rounds {
                self.leave_out(0..self.text.len());
            }
        }
        self.take(open_strings(&self.scene()), &mut broken);
        for at in broken {
            if !self.gone.iter().any(|range| range.contains(&at)) {
                self.leave_out_statement(at);
            }
        }
    }

    fn take(&mut self, faults: Vec<Fault>, broken: &mut Vec<usize>) {
        let holes: Vec<Range<usize>> = faults.iter().map(|fault| fault.hole.clone()).collect();
        self.blank(&holes);
        for fault in faults.into_iter().take(MAX_ERRORS) {
            self.errors.push(fault.error);
            broken.extend(fault.broken);
        }
    }

    /// Parses the text, leaving out one statement after each error, until it is valid. Then builds the tree.
    pub fn parse(&mut self, rule: Rule, build: impl FnOnce(&mut Builder<'_>, Pair<'_, Rule>)) {
        for _ in 0..self.rounds {
            let stop = match grammar::parse(rule, &self.text) {
                Ok(pair) => {
                    let mut builder = Builder::new(&self.text, self.source);
                    build(&mut builder, pair);
                    self.errors.append(&mut builder.errors);
                    return;
                }
                Err(stop) => stop,
            };
            if stop.exhausted {
                self.errors.push(diagnose::exhausted(self.source));
                return;
            }
            let (error, at) = diagnose(&self.scene(), &stop);
            self.errors.push(error);
            if rule != Rule::file || !self.leave_out_statement(at) {
                return;
            }
        }
    }

    /// Returns all errors in file order.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.errors.sort_by_key(|error| error.labels.first().map(|label| (label.span.start, label.span.end)));
        self.errors.truncate(MAX_ERRORS);
        self.errors
    }

    fn scene(&self) -> Scene<'_> {
        Scene::new(&self.text, self.source, &self.tokens)
    }

    /// Leaves out the statement around a byte. Returns false if there was nothing left to leave out.
    fn leave_out_statement(&mut self, at: usize) -> bool {
        let range = around(&self.scene(), at);
        self.leave_out(range)
    }

    fn leave_out(&mut self, range: Range<usize>) -> bool {
        let before = self.tokens.len();
        self.blank(std::slice::from_ref(&range));
        self.gone.push(range);
        self.tokens.len() < before
    }

    /// Overwrites the tokens that begin in one of the ranges with blanks. The ranges are in order. Line ends and comments stay.
    fn blank(&mut self, ranges: &[Range<usize>]) {
        let goes = |t: &Token| {
            let next = ranges.partition_point(|range| range.end <= t.start);
            t.kind != TokenKind::Comment && ranges.get(next).is_some_and(|range| range.contains(&t.start))
        };
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        for token in self.tokens.iter().filter(|t| goes(t)) {
            if let Some(covered) = bytes.get_mut(token.start..token.end) {
                covered.fill(b' ');
            }
        }
        self.tokens.retain(|t| !goes(t));
        // Tokens begin and end at character boundaries, so the text is still UTF-8.
        self.text = String::from_utf8(bytes).unwrap_or_default();
    }
}
