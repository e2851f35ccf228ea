//! Cuts a generated source into its definitions, which empty lines separate.

use std::collections::{BTreeMap, HashMap};

/// A kernel of a source.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// Name of the kernel in the source.
    pub name: String,
    /// Definition of the kernel.
    pub text: String,
    /// The kernel and the functions it calls, without comments, and with neutral names for functions and parameters.
    /// Kernels that differ only in names have equal neutral texts.
    pub neutral: String,
}

/// A definition of one function.
struct Function<'a> {
    name: &'a str,
    parameters: Vec<&'a str>,
    text: &'a str,
}

/// Separates a source into the definitions that kernels need (types and functions) and the kernels.
pub fn cut(source: &str) -> (String, Vec<Kernel>) {
    let definitions: Vec<&str> = source.split("\n\n").map(|text| text.trim_matches('\n')).collect();
    let functions: HashMap<&str, Function<'_>> =
        definitions.iter().filter_map(|text| function(text, "__device__")).map(|f| (f.name, f)).collect();
    let mut beginning = String::new();
    let mut kernels = Vec::new();
    for text in definitions {
        match function(text, "__global__") {
            Some(kernel) => kernels.push(Kernel {
                name: kernel.name.to_string(),
                text: format!("{text}\n\n"),
                neutral: neutral(&kernel, &functions),
            }),
            None => beginning.push_str(&format!("{text}\n\n")),
        }
    }
    (beginning, kernels)
}

/// The function that a definition defines, if it is exactly one and has this qualifier.
fn function<'a>(definition: &'a str, qualifier: &str) -> Option<Function<'a>> {
    let text = code(definition)?;
    if text.matches(qualifier).count() != 1 {
        return None;
    }
    // `__launch_bounds__(256)` is a line of its own.
    let head =
        text.split_once("__launch_bounds__(").map_or(text, |(_, rest)| &rest[rest.find(')').map_or(0, |i| i + 1)..]);
    let (before, rest) = head.split_once('(')?;
    let (parameters, _) = rest.split_once(')')?;
    let last_word = |text: &'a str| text.trim_end().rsplit([' ', '*', '&', '\n']).next().unwrap_or_default();
    let parameters = parameters.split(',').map(|p| last_word(p).split('[').next().unwrap_or_default()).collect();
    Some(Function { name: last_word(before), parameters, text })
}

/// A definition without the comments at its beginning.
fn code(definition: &str) -> Option<&str> {
    let mut rest = definition;
    while rest.starts_with("//") {
        rest = rest.split_once('\n')?.1;
    }
    Some(rest)
}

/// The text of a kernel and of the functions that it calls, in the order of the calls, with neutral names.
fn neutral(kernel: &Function<'_>, functions: &HashMap<&str, Function<'_>>) -> String {
    let mut called = vec![kernel];
    let mut next = 0;
    while next < called.len() {
        for word in words(called[next].text) {
            if let Some(function) = functions.get(word).filter(|f| called.iter().all(|known| known.name != f.name)) {
                called.push(function);
            }
        }
        next += 1;
    }
    let names: BTreeMap<&str, String> = called.iter().enumerate().map(|(i, f)| (f.name, format!("f{i}"))).collect();
    let mut text = String::new();
    for function in &called {
        let own = function.parameters.iter().enumerate().map(|(i, parameter)| (*parameter, format!("p{i}")));
        let names: BTreeMap<&str, String> = names.iter().map(|(name, new)| (*name, new.clone())).chain(own).collect();
        text.push_str(&renamed(function.text, &names));
    }
    text
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_part(c)).filter(|word| !word.is_empty())
}

/// The text with whole words replaced.
fn renamed(text: &str, names: &BTreeMap<&str, String>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        result.push_str(names.get(word).map_or(word, String::as_str));
        let other = rest[end..].find(is_part).unwrap_or(rest.len() - end);
        result.push_str(&rest[end..end + other]);
        rest = &rest[end + other..];
    }
    result
}

#[test]
fn kernels_that_differ_in_names_only_have_one_neutral_text() {
    let source = |kernel: &str, buffer: &str| {
        format!(
            "struct Lanes {{}};\n\n// Helps.\n__device__ __forceinline__ float help_{buffer}(float {buffer}) {{ return {buffer}; }}\n\n\
             // {kernel}.gmpnet:1:2\nextern \"C\" __global__ void __launch_bounds__(64)\n{kernel}(float* __restrict__
             // {buffer})\n\
             {{\n    {buffer}[0] = help_{buffer}({buffer}[1]);\n}}\n"
        )
    };
    let (beginning, one) = cut(&source("map_a", "x"));
    let (_, other) = cut(&source("rows", "theta"));
    assert_eq!(one[0].neutral, other[0].neutral);
    assert_eq!((one[0].name.as_str(), other[0].name.as_str()), ("map_a", "rows"));
    assert!(beginning.contains("help_x") && !beginning.contains("__global__"));
    let (_, third) = cut(&source("rows", "theta").replace("[1]", "[2]"));
    assert_ne!(one[0].neutral, third[0].neutral);
}
