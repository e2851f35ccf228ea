//! Names and texts in other languages: any text becomes a valid word, and a literal that means exactly that text.

use std::collections::BTreeSet;
use std::fmt::Write;

/// A word of ASCII letters, digits and `_` that begins with no digit: `my net.v2` becomes `my_net_v2`.
pub(crate) fn word(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let word: String = text.chars().map(plain).collect();
    let is_bare = word.chars().all(|c| c == '_');
    // A leading `_` is the compiler's in C and private in Python.
    match word.trim_start_matches('_') {
        _ if is_bare => "net".to_string(),
        rest if rest.starts_with(|c: char| c.is_ascii_digit()) => format!("net_{rest}"),
        rest => rest.to_string(),
    }
}

/// Words that were handed out; each one once.
#[derive(Debug, Default)]
pub(crate) struct Taken(BTreeSet<String>);

impl Taken {
    /// With words that nobody gets.
    pub(crate) fn with<'a>(reserved: impl IntoIterator<Item = &'a str>) -> Self {
        Taken(reserved.into_iter().map(str::to_string).collect())
    }

    /// The word itself if it is free, else with as many `_` behind it as are needed.
    pub(crate) fn free(&mut self, word: impl Into<String>) -> String {
        let mut word = word.into();
        while !self.0.insert(word.clone()) {
            word.push('_');
        }
        word
    }
}

/// A string literal of C99 in UTF-8: ASCII as it is, everything else as octal escapes, which end after three digits. `?` is
/// escaped because `??/` is a backslash in C99.
pub(crate) fn c_string(text: &str) -> String {
    let mut literal = String::from("\"");
    for byte in text.bytes() {
        let written = match byte {
            b'"' | b'\\' | b'?' => write!(literal, "\\{}", char::from(byte)),
            b' '..=b'~' => write!(literal, "{}", char::from(byte)),
            _ => write!(literal, "\\{byte:03o}"),
        };
        written.unwrap_or_default(); // a string takes everything
    }
    literal.push('"');
    literal
}

/// A text for a comment of C: no end of a comment, no end of a line, nothing that continues one.
pub(crate) fn c_comment(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() && c != '\\' && c != '?' { c } else { ' ' };
    // Of the rest only letters: signs that change the direction of writing are warned of by compilers.
    let known = |c: char| if c.is_ascii() || !c.is_alphanumeric() { plain(c) } else { c };
    text.chars().map(known).collect::<String>().replace("*/", "* /").replace("/*", "/ *")
}

/// A string literal of Python: ASCII as it is, everything else escaped.
pub(crate) fn python_string(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        let written = match c {
            '"' | '\\' => write!(literal, "\\{c}"),
            ' '..='~' => write!(literal, "{c}"),
            _ => write!(literal, "\\U{:08x}", u32::from(c)),
        };
        written.unwrap_or_default(); // a string takes everything
    }
    literal.push('"');
    literal
}

/// A number of Python beside which any operator may stand.
pub(crate) fn python_number(number: f64) -> String {
    match number {
        number if !number.is_finite() => format!("float(\"{number}\")").to_lowercase(),
        number if number.is_sign_negative() => format!("({number:?})"),
        number => format!("{number:?}"),
    }
}

/// `(1, 2)`, `(1,)`
pub(crate) fn python_tuple(sizes: &[usize]) -> String {
    let texts: Vec<String> = sizes.iter().map(usize::to_string).collect();
    if let [one] = &texts[..] { format!("({one},)") } else { format!("({})", texts.join(", ")) }
}

/// What Python gives a meaning of its own, what a module of PyTorch (2.15) already has, and the method that is written into every module
/// of classes: a layer of such a name would be hidden behind it.
pub(crate) const PYTHON: &str = "\
    add_module and apply as assert async await bfloat16 break buffers call_super_init children class compile \
    continue cpu cuda def del double dump_patches elif else eval except extra_repr F False finally float for forward \
    from get_buffer get_extra_state get_parameter get_submodule global half if import in ipu is lambda \
    load_state_dict math modules mtia named_buffers named_children named_modules named_parameters nn None nonlocal \
    not or parameters pass probabilities raise register_backward_hook register_buffer register_forward_hook \
    register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook \
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter \
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ return self set_extra_state \
    set_submodule share_memory state_dict super T_destination to to_empty torch train training True try type while \
    with x xpu yield zero_grad";

/// What a written module defines itself: a network called `mean` would hide the class `Mean`.
pub(crate) const MODULE: &str =
    "batch_mean batch_var by_unit CLASSES FEATURES Gmp load load_file Mean Path product spherical Wn";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_becomes_a_word() {
        let words = ["levy", "my net.v2", "2x", "größe", "", "__", "int", "a\"b*/"].map(word);
        assert_eq!(words, ["levy", "my_net_v2", "net_2x", "gr__e", "net", "net", "int", "a_b__"]);
    }

    #[test]
    fn a_word_is_handed_out_once() {
        let mut taken = Taken::with(["lambda"]);
        assert_eq!([taken.free("lambda"), taken.free("a"), taken.free("a")], ["lambda_", "a", "a_"]);
    }

    #[test]
    fn literals_mean_the_text() {
        assert_eq!(c_string("a \"b\"\\ ??/ é7\n"), r#""a \"b\"\\ \?\?/ \303\2517\012""#);
        assert_eq!(python_string("a \"b\"\\ é\n"), "\"a \\\"b\\\"\\\\ \\U000000e9\\U0000000a\"");
        assert_eq!(
            [1.5, -2.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(python_number),
            ["1.5", "(-2.0)", "float(\"inf\")", "float(\"-inf\")", "float(\"nan\")"]
        );
        assert_eq!(c_comment("a */ b\\\n??/"), "a * / b    /");
    }
}
