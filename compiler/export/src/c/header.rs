//! The header: sizes, types and functions, each with what it takes.

use super::weights::HEAD;
use super::{Build, Words};
use crate::facts::{input, output};
use crate::names::c_comment;
use crate::network::{Network, Preparation};
use gmpc_compiler::math::Precision;
use std::fmt::Write;

/// What the functions and types are; a program that was built with another header can ask.
pub(crate) const ABI: u32 = 1;

pub(crate) fn header(network: &Network, words: &Words, build: &Build) -> String {
    let Words { prefix, upper, .. } = words;
    let mut text = String::new();
    let facts = &network.facts;
    let _ = writeln!(text, "/*\n * {}, trained by gmpc {}.", c_comment(&network.name), c_comment(&facts.gmpc));
    let _ = writeln!(text, " *\n * In:  {}.\n * Out: {}.", c_comment(&input(network)), c_comment(&output(network)));
    for left in &facts.left_out {
        let _ = writeln!(text, " * Not in here: {}.", c_comment(left));
    }
    let from = [("Run", &facts.run), ("data", &facts.data), ("parameterization", &facts.param)];
    let from: Vec<String> = from.iter().map(|(what, value)| format!("{what} {}", c_comment(value))).collect();
    let _ = writeln!(text, " *\n * {}.", from.join(", "));
    let _ = writeln!(text, " * {}\n */", c_comment(&build.told));
    let _ = writeln!(text, "#ifndef GMPC_{upper}_H\n#define GMPC_{upper}_H\n\n#include <stddef.h>\n");
    let _ = writeln!(text, "#ifdef __cplusplus\nextern \"C\" {{\n#endif\n");
    sizes(&mut text, network, words, build);
    types(&mut text, network, prefix);
    functions(&mut text, network, words, build.weights.is_some());
    let _ = writeln!(text, "\n#ifdef __cplusplus\n}}\n#endif\n\n#endif");
    text
}

fn sizes(text: &mut String, network: &Network, Words { upper, .. }: &Words, build: &Build) {
    let inputs: usize = network.inputs.shape.iter().product();
    let _ = writeln!(text, "/* What these files promise. */\n#define {upper}_ABI {ABI}u");
    let _ = writeln!(text, "/* Numbers of a row that goes in. */\n#define {upper}_INPUTS {inputs}");
    let _ = writeln!(text, "/* Numbers of a row that comes out. */\n#define {upper}_OUTPUTS {}", network.outputs.width);
    let classes = network.outputs.classes.len();
    if classes > 0 {
        let _ = writeln!(text, "/* Classes. */\n#define {upper}_CLASSES {classes}");
    }
    if let Some(weights) = build.weights {
        let bytes = HEAD + weights * network.precision.bytes();
        let _ = writeln!(text, "/* Bytes of the file of weights. */\n#define {upper}_WEIGHTS_BYTES {bytes}");
    }
    let scratch = build.scratch;
    let _ =
        writeln!(text, "/* Numbers of scratch memory, for any number of rows. */\n#define {upper}_SCRATCH {scratch}\n");
}

fn types(text: &mut String, network: &Network, prefix: &str) {
    let number = match network.precision {
        Precision::F32 => "float",
        Precision::F64 => "double",
    };
    let (input, why) = match network.preparation() {
        Preparation::None => (number, "as the first layer takes it"),
        // The mean of a column may be far larger than its deviation.
        Preparation::Table { .. } => ("double", "as it stands in the data"),
        Preparation::Images { .. } => ("unsigned char", "a pixel of a channel"),
    };
    let _ = writeln!(text, "/* A number that goes in, {why}. */\ntypedef {input} {prefix}_input;");
    let _ = writeln!(text, "/* All other numbers. */\ntypedef {number} {prefix}_number;\n");
}

fn functions(text: &mut String, network: &Network, Words { prefix, upper, .. }: &Words, weights_beside: bool) {
    let given = if weights_beside { format!(", const {prefix}_number *weights") } else { String::new() };
    // `predict` gets a plain pointer. So this function is the only place where a file of weights is checked.
    if weights_beside {
        let _ = writeln!(
            text,
            "/*
 * The numbers of the file of weights, which lies in memory in one piece at an address that 8 divides, and stays there while they are
 * used; null for any other file, for a damaged one, and on a machine whose numbers have another format. All bytes are looked at.
 */
const {prefix}_number *{prefix}_weights(const void *file, size_t bytes);
"
        );
    }
    let _ = writeln!(
        text,
        "/*
 * Predicts `rows` rows: `x` is [rows][{upper}_INPUTS], `y` becomes [rows][{upper}_OUTPUTS], `scratch` has room for {upper}_SCRATCH
 * numbers, and none of them overlap. Returns 0, or 1 where a pointer is null. Several threads may call it, each with its own scratch.
 */
int {prefix}_predict(const {prefix}_input *x, size_t rows, {prefix}_number *y, {prefix}_number *scratch{given});"
    );
    let _ = writeln!(text, "\n/* {upper}_ABI of the source that was built. */\nunsigned {prefix}_abi(void);");
    // Declared here under the same conditions as defined in `Body::written`.
    if !network.outputs.classes.is_empty() {
        let _ = writeln!(
            text,
            "
/* The class of a row of scores, from 0. */
size_t {prefix}_class(const {prefix}_number *scores);

/* Probabilities [rows][{upper}_CLASSES] of scores [rows][{upper}_OUTPUTS]. */
void {prefix}_probabilities(const {prefix}_number *scores, size_t rows, {prefix}_number *probabilities);

/* What the classes are called, in UTF-8. */
extern const char *const {prefix}_class_names[{upper}_CLASSES];"
        );
    }
    if has_feature_names(network) {
        let _ = writeln!(
            text,
            "\n/* What the numbers of a row are called, in UTF-8. */\nextern const char *const {prefix}_feature_names[{upper}_INPUTS];"
        );
    }
}

/// Is there a name for each number that goes in?
pub(crate) fn has_feature_names(network: &Network) -> bool {
    let inputs: usize = network.inputs.shape.iter().product();
    inputs > 0 && network.inputs.names.len() == inputs
}
