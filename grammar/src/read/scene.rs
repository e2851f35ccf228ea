//! Answers questions about the tokens around a place in a text. Errors and recovery need them.

use super::tokens::{Token, TokenKind, span};
use crate::ast::Kind;
use crate::source::{SourceId, Span};

/// Words that cannot be names, the same as in the rule `keyword`.
pub const KEYWORDS: [&str; 11] = ["and", "as", "else", "false", "from", "if", "match", "not", "or", "true", "use"];

/// The spelling of the operators between two operands.
const OPERATORS: [&str; 13] = ["or", "and", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "^"];

/// The meaning of a pair of brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bracket {
    /// The top level: no bracket.
    File,
    /// `model levy { … }`, `from(w, b) { … }`
    Body,
    /// `model levy(…)`
    Parameters,
    /// `conv(…)`
    Arguments,
    /// `(a + b)`
    Group,
    /// `[3, 32, 32]`
    List,
    /// `if c { … }`
    Branch,
    /// `match param { … }`
    Arms,
}

/// Tokens with balanced brackets, without plain comments, and the text they come from.
pub struct Scene<'t> {
    /// The text.
    pub text: &'t str,
    /// The id of the text.
    pub source: SourceId,
    /// The tokens, in order.
    pub tokens: Vec<Token>,
    /// For each token, the innermost bracket that is open before it.
    opened: Vec<Option<usize>>,
}

impl<'t> Scene<'t> {
    /// The scene of a text. Plain comments are left out.
    pub fn new(text: &'t str, source: SourceId, tokens: &[Token]) -> Self {
        let tokens: Vec<Token> = tokens.iter().filter(|t| t.kind != TokenKind::Comment).copied().collect();
        let mut scene = Scene { text, source, tokens, opened: Vec::new() };
        scene.opened = scene.nesting();
        scene
    }

    fn nesting(&self) -> Vec<Option<usize>> {
        let (mut stack, mut opened) = (Vec::new(), Vec::with_capacity(self.tokens.len() + 1));
        for i in 0..self.tokens.len() {
            if matches!(self.word(i), ")" | "]" | "}") {
                stack.pop();
            }
            opened.push(stack.last().copied());
            if matches!(self.word(i), "(" | "[" | "{") {
                stack.push(i);
            }
        }
        opened.push(None);
        opened
    }

    /// Returns the text of a token. It is empty past the end.
    pub fn word(&self, i: usize) -> &'t str {
        self.tokens.get(i).and_then(|t| self.text.get(t.start..t.end)).unwrap_or("")
    }

    /// Returns the kind of a token. `None` past the end.
    pub fn kind(&self, i: usize) -> Option<TokenKind> {
        self.tokens.get(i).map(|t| t.kind)
    }

    /// Returns the span of a token. Past the end, it is the place right after the last token.
    pub fn span(&self, i: usize) -> Span {
        match self.tokens.get(i) {
            Some(token) => token.span(self.source),
            None => {
                let end = self.tokens.last().map_or(0, |t| t.end);
                span(self.source, end, end)
            }
        }
    }

    /// Returns the place right after a token, where something is missing.
    pub fn after(&self, i: usize) -> Span {
        let end = self.tokens.get(i).map_or(0, |t| t.end);
        span(self.source, end, end)
    }

    /// Returns the first token that ends after a byte.
    pub fn index(&self, at: usize) -> usize {
        self.tokens.partition_point(|t| t.end <= at)
    }

    /// Returns the innermost bracket that is open before a token, if any.
    pub fn opener(&self, i: usize) -> Option<usize> {
        self.opened.get(i).copied().flatten()
    }

    /// Is this token the first on its line?
    pub fn begins_line(&self, i: usize) -> bool {
        let Some(token) = self.tokens.get(i) else { return true };
        let from = i.checked_sub(1).and_then(|p| self.tokens.get(p)).map_or(0, |p| p.end);
        i == 0 || self.text.get(from..token.start).is_some_and(|gap| gap.contains(['\n', '\r']))
    }

    /// Returns the number of bytes between the start of the line and a token.
    pub fn column(&self, i: usize) -> usize {
        let start = self.tokens.get(i).map_or(0, |t| t.start);
        let before = self.text.get(..start).unwrap_or("");
        start - before.rfind(['\n', '\r']).map_or(0, |end| end + 1)
    }

    /// Does this token begin directly after the token before it?
    pub fn touches(&self, i: usize) -> bool {
        let before = i.checked_sub(1).and_then(|p| self.tokens.get(p)).map(|p| p.end);
        before.is_some() && before == self.tokens.get(i).map(|t| t.start)
    }

    /// Is it a word that can be a name?
    pub fn is_name(&self, i: usize) -> bool {
        self.kind(i) == Some(TokenKind::Word) && !self.is_keyword(i) && self.word(i) != "_"
    }

    /// Is it a word that cannot be a name?
    pub fn is_keyword(&self, i: usize) -> bool {
        KEYWORDS.contains(&self.word(i))
    }

    /// Can an expression end with this token?
    pub fn ends_value(&self, i: usize) -> bool {
        match self.kind(i) {
            Some(TokenKind::Number | TokenKind::String) => true,
            Some(TokenKind::Word) => self.is_name(i) || matches!(self.word(i), "true" | "false"),
            Some(TokenKind::Symbol) => matches!(self.word(i), ")" | "]" | "}"),
            _ => false,
        }
    }

    /// Can an expression begin with this token?
    pub fn begins_value(&self, i: usize) -> bool {
        match self.kind(i) {
            Some(TokenKind::Number | TokenKind::String | TokenKind::OpenString) => true,
            Some(TokenKind::Word) => {
                self.is_name(i) || matches!(self.word(i), "true" | "false" | "if" | "match" | "not" | "_")
            }
            Some(TokenKind::Symbol) => matches!(self.word(i), "(" | "["),
            _ => false,
        }
    }

    /// Is it an operator with an operand after it?
    pub fn is_operator(&self, i: usize) -> bool {
        OPERATORS.contains(&self.word(i))
    }

    /// Must something follow this token? True for operators, `=`, `->`, `,`, ….
    pub fn wants_more(&self, i: usize) -> bool {
        self.is_operator(i)
            || matches!(
                self.word(i),
                "=" | "->" | "=>" | "~" | ":" | "," | "." | "not" | "as" | "if" | "else" | "match"
            )
    }

    /// Returns the kind of the definition that begins at this token: `model levy …`, `train {`.
    pub fn definition(&self, i: usize) -> Option<Kind> {
        let kind = super::build::kind(self.word(i))?;
        let fits = match kind {
            Kind::Train => self.word(i + 1) == "{",
            _ => self.kind(i + 1) == Some(TokenKind::Word) && !self.is_operator(i + 1),
        };
        fits.then_some(kind)
    }

    /// Returns the meaning of the bracket at a token.
    pub fn bracket(&self, opener: Option<usize>) -> Bracket {
        let Some(i) = opener else { return Bracket::File };
        match self.word(i) {
            "[" => Bracket::List,
            "(" if self.in_head(i) => Bracket::Parameters,
            "(" if self.touches(i) && i > 0 && self.is_name(i - 1) => Bracket::Arguments,
            "(" => Bracket::Group,
            _ => self.brace(i),
        }
    }

    /// Is a `(` between the first word of a definition (or `from`) and its body?
    fn in_head(&self, i: usize) -> bool {
        if i > 0 && self.word(i - 1) == "from" {
            return true;
        }
        let mut k = i;
        while k > 0 && (self.is_name(k - 1) || self.word(k - 1) == ".") {
            k -= 1;
            if k + 1 < i && self.opener(k).is_none() && self.definition(k).is_some() {
                return true;
            }
        }
        false
    }

    fn brace(&self, i: usize) -> Bracket {
        // The nearest `if`, `else` or `match` before it, outside other brackets, decides the meaning of the brace.
        let level = self.opener(i);
        for k in (0..i).rev() {
            if self.opener(k) != level {
                if level.is_some_and(|l| k <= l) {
                    break;
                }
                continue;
            }
            match self.word(k) {
                "else" if k + 1 == i => return Bracket::Branch,
                "if" => return Bracket::Branch,
                "match" => return Bracket::Arms,
                "}" | "=" | "->" => break,
                _ => {}
            }
        }
        Bracket::Body
    }

    /// Returns the first token of the statement or item that a token belongs to; see [`Scene::starts`].
    pub fn start_of(&self, i: usize) -> usize {
        self.start_in(i, self.opener(i))
    }

    /// Returns the last token before or at `i` at which a statement or an item begins directly inside the bracket `level`.
    pub fn start_in(&self, i: usize, level: Option<usize>) -> usize {
        let lowest = level.map_or(0, |opener| opener + 1);
        let last = i.min(self.tokens.len().saturating_sub(1));
        let begins = |k: &usize| self.opener(*k) == level && self.starts(*k);
        (lowest..=last).rev().find(begins).unwrap_or(lowest)
    }

    /// Is there a `->` between two tokens, in the same bracket as the first one?
    pub fn follows_flow(&self, from: usize, to: usize) -> bool {
        let level = self.opener(from);
        (from..to).any(|k| self.word(k) == "->" && self.opener(k) == level)
    }

    /// Does a statement or an item begin at this token? In a wrong text the answer is a guess.
    pub fn starts(&self, i: usize) -> bool {
        let Some(before) = i.checked_sub(1) else { return true };
        if matches!(self.kind(before), Some(TokenKind::Doc)) {
            return false;
        }
        if matches!(self.kind(i), Some(TokenKind::Doc | TokenKind::FileDoc)) {
            return true;
        }
        let named = self.kind(i) == Some(TokenKind::Word) && matches!(self.word(i + 1), "=" | ":");
        if named && !matches!(self.word(before), ":" | ".") && self.definition(before).is_none() {
            return self.begins_line(i) || !self.wants_more(before);
        }
        if self.opener(i).is_none() && (self.definition(i).is_some() || self.word(i) == "use") {
            return !self.wants_more(before);
        }
        let opens = matches!(self.word(i), "if" | "match" | "not");
        let continues = self.wants_more(i) && !opens || self.wants_more(before) || self.word(i) == "{";
        self.begins_line(i) && !continues && !matches!(self.word(i), ")" | "]" | "}")
    }
}
