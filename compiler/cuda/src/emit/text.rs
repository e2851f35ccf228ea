//! Indented text, and numbers and names in the syntax of CUDA C++.

use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::Affine;

/// Lines under construction.
#[derive(Debug, Default)]
pub(crate) struct Text {
    lines: String,
    depth: usize,
}

impl Text {
    /// Text inside a function, indented once.
    pub(crate) fn body() -> Self {
        Text { lines: String::new(), depth: 1 }
    }

    /// Adds one line.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) {
        for _ in 0..self.depth {
            self.lines.push_str("    ");
        }
        self.lines.push_str(line.as_ref());
        self.lines.push('\n');
    }

    /// Opens a block with a head such as `for (…)`, or without one.
    pub(crate) fn open(&mut self, head: impl AsRef<str>) {
        self.line(format!("{} {{", head.as_ref()).trim_start());
        self.depth += 1;
    }

    /// Closes the innermost block.
    pub(crate) fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    /// Everything so far.
    pub(crate) fn finish(self) -> String {
        self.lines
    }
}

/// The C type of numbers.
pub(crate) fn float(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "float",
        Precision::F64 => "double",
    }
}

/// A constant, rounded to the precision. Its text reads back as the same bits.
pub(crate) fn number(precision: Precision, value: f64) -> String {
    match precision {
        #[expect(clippy::cast_possible_truncation, reason = "rounding to the precision is the point")]
        Precision::F32 => {
            let value = value as f32;
            if value.is_finite() { format!("{value:?}f") } else { format!("bits(0x{:08x}u)", value.to_bits()) }
        }
        Precision::F64 if value.is_finite() => format!("{value:?}"),
        Precision::F64 => format!("bits(0x{:016x}ull)", value.to_bits()),
    }
}

/// The name of a function of `math.h` for a precision; `name`: its name in double precision.
pub(crate) fn function(precision: Precision, name: &str) -> String {
    match precision {
        Precision::F32 => format!("{name}f"),
        Precision::F64 => name.to_string(),
    }
}

/// The name of a buffer as an identifier that never equals a local name of a kernel. Local names are words of letters, or one
/// letter and a number.
pub(crate) fn identifier(name: &str) -> String {
    let word: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    match word.chars().next() {
        Some(first) if !first.is_ascii_alphabetic() => format!("b{word}"),
        _ if word.chars().all(|c| c.is_ascii_alphabetic()) => format!("in_{word}"),
        _ => word,
    }
}

/// Text of a user made safe for a one-line comment.
pub(crate) fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c == '\\' { '/' } else { c }).collect()
}

/// A linear index: `128 * i + j + 3`.
pub(crate) fn affine(at: &Affine, variables: &[String]) -> String {
    let mut terms: Vec<String> = Vec::new();
    for (stride, variable) in at.strides.iter().zip(variables).filter(|(stride, _)| **stride != 0) {
        terms.push(if *stride == 1 { variable.clone() } else { format!("{stride} * {variable}") });
    }
    if at.offset != 0 || terms.is_empty() {
        terms.push(at.offset.to_string());
    }
    terms.join(" + ")
}

/// The address of an element.
pub(crate) fn address(name: &str, at: &str) -> String {
    if at.contains(' ') { format!("{name} + ({at})") } else { format!("{name} + {at}") }
}
