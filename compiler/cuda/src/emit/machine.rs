//! The [`Machine`] that writes C. It turns the elementary functions of [`gmpc_compiler::math`] into text, so that a GPU computes
//! the same formulas as the CPU.

use super::text::{float, function, number};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::math::Machine;

/// The statements of a function under construction, and the names of its values.
pub(crate) struct Writer {
    precision: Precision,
    lines: Vec<String>,
    names: Vec<String>,
}

/// A value of the function: a parameter, a constant, or the result of a statement. The number is an index into `names`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name(usize);

impl Writer {
    pub(crate) fn new(precision: Precision) -> Self {
        Writer { precision, lines: Vec::new(), names: Vec::new() }
    }

    /// A value with the given name or text.
    pub(crate) fn named(&mut self, name: impl Into<String>) -> Name {
        self.names.push(name.into());
        Name(self.names.len() - 1)
    }

    /// The name of a value.
    pub(crate) fn name(&self, value: Name) -> &str {
        &self.names[value.0]
    }

    /// The statements, one on each line.
    pub(crate) fn lines(self) -> Vec<String> {
        self.lines
    }

    fn compute(&mut self, kind: &str, expression: String) -> Name {
        let name = format!("t{}", self.lines.len());
        self.lines.push(format!("const {kind} {name} = {expression};"));
        self.named(name)
    }

    fn float(&mut self, expression: String) -> Name {
        self.compute(float(self.precision), expression)
    }

    fn integer(&mut self, expression: String) -> Name {
        let kind = self.word();
        self.compute(kind, expression)
    }

    fn truth(&mut self, expression: String) -> Name {
        self.compute("bool", expression)
    }

    fn word(&self) -> &'static str {
        match self.precision {
            Precision::F32 => "unsigned",
            Precision::F64 => "unsigned long long",
        }
    }

    fn binary(&mut self, a: Name, sign: &str, b: Name) -> String {
        format!("{} {sign} {}", self.name(a), self.name(b))
    }
}

impl Machine for Writer {
    type V = Name;
    type M = Name;
    type I = Name;

    fn precision(&self) -> Precision {
        self.precision
    }

    fn number(&mut self, value: f64) -> Name {
        let text = number(self.precision, value);
        self.named(text)
    }

    fn add(&mut self, a: Name, b: Name) -> Name {
        let text = self.binary(a, "+", b);
        self.float(text)
    }

    fn sub(&mut self, a: Name, b: Name) -> Name {
        let text = self.binary(a, "-", b);
        self.float(text)
    }

    fn mul(&mut self, a: Name, b: Name) -> Name {
        let text = self.binary(a, "*", b);
        self.float(text)
    }

    fn div(&mut self, a: Name, b: Name) -> Name {
        let text = self.binary(a, "/", b);
        self.float(text)
    }

    fn fma(&mut self, a: Name, b: Name, c: Name) -> Name {
        let fma = function(self.precision, "fma");
        let text = format!("{fma}({}, {}, {})", self.name(a), self.name(b), self.name(c));
        self.float(text)
    }

    fn sqrt(&mut self, a: Name) -> Name {
        let text = format!("{}({})", function(self.precision, "sqrt"), self.name(a));
        self.float(text)
    }

    fn less(&mut self, a: Name, b: Name) -> Name {
        let text = self.binary(a, "<", b);
        self.truth(text)
    }

    fn select(&mut self, mask: Name, a: Name, b: Name) -> Name {
        let text = format!("{} ? {} : {}", self.name(mask), self.name(a), self.name(b));
        self.float(text)
    }

    fn bits(&mut self, a: Name) -> Name {
        let text = format!("word({})", self.name(a));
        self.integer(text)
    }

    fn from_bits(&mut self, a: Name) -> Name {
        let text = format!("bits({})", self.name(a));
        self.float(text)
    }

    fn whole(&mut self, value: i64) -> Name {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low half is what is meant")]
        let text = match self.precision {
            Precision::F32 => format!("0x{:x}u", value as u32),
            Precision::F64 => format!("0x{:x}ull", value as u64),
        };
        self.named(text)
    }

    fn plus(&mut self, a: Name, b: Name) -> Name {
        let text = self.binary(a, "+", b);
        self.integer(text)
    }

    fn and(&mut self, a: Name, b: Name) -> Name {
        let text = self.binary(a, "&", b);
        self.integer(text)
    }

    fn or(&mut self, a: Name, b: Name) -> Name {
        let text = self.binary(a, "|", b);
        self.integer(text)
    }

    fn xor(&mut self, a: Name, b: Name) -> Name {
        let text = self.binary(a, "^", b);
        self.integer(text)
    }

    fn shl(&mut self, a: Name, by: u32) -> Name {
        let text = format!("{} << {by}", self.name(a));
        self.integer(text)
    }

    fn shr(&mut self, a: Name, by: u32) -> Name {
        let text = format!("{} >> {by}", self.name(a));
        self.integer(text)
    }

    fn is_zero(&mut self, a: Name) -> Name {
        let text = format!("{} == 0", self.name(a));
        self.truth(text)
    }
}
