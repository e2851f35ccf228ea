//! C99: a source file and its header, weights inside or beside.
//!
//! - One function predicts any number of rows. It allocates nothing, keeps nothing between calls, starts no thread: scratch memory
//!   comes from the caller, whose size is a constant and does not depend on the rows. So it may run in several threads at once.
//! - Nothing is needed but a C99 compiler and its `libm`.
//! - Numbers have the run's precision. The sums of a row are made in a fixed order; they differ from `gmpc predict` by rounding.

mod formula;
mod header;
mod helpers;
mod layers;
mod weights;

use crate::File;
use crate::names::word;
use crate::network::{Network, Preparation};
use gmpc_compiler::math::Precision;
pub(crate) use header::{ABI, has_feature_names, header};
use std::fmt::Write;

/// Words of the two files.
pub(crate) struct Words {
    /// Begins every public name: `levy` of `levy_predict`.
    pub(crate) prefix: String,
    /// Begins every macro.
    pub(crate) upper: String,
    /// The header's file name, if every compiler finds it under it.
    header: Option<String>,
}

/// What a header says of the code that it belongs to.
pub(crate) struct Build {
    /// How the code becomes part of a program, a sentence or two.
    pub(crate) told: String,
    /// Numbers of scratch memory.
    pub(crate) scratch: usize,
    /// Numbers of the file of weights, where they lie beside.
    pub(crate) weights: Option<usize>,
}

/// Where the weights are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// In the source.
    Inside,
    /// In a file of their own, which the caller reads or maps into memory.
    Beside,
}

/// The source, the header, and the file of weights if that is wanted. `stem` is the files' name without its ending; any
/// text will do.
#[must_use]
pub fn write(network: &Network, stem: &str, weights: Weights) -> Vec<File> {
    let words = Words::new(stem);
    let (source, header, beside) = source(network, &words, weights);
    let mut files =
        vec![File { ending: "c", bytes: source.into_bytes() }, File { ending: "h", bytes: header.into_bytes() }];
    files.extend(beside.map(|bytes| File { ending: "weights", bytes }));
    files
}

/// A program in one file. It reads rows from standard input, as they lie in memory, and writes their predictions to
/// standard output as `double`. Its first argument is the number of rows; its second names the file of weights, if there
/// is one. `gmpc export` runs it to compare the source with `gmpc predict`.
#[must_use]
pub fn program(network: &Network, stem: &str, weights: Weights) -> String {
    let words = Words { header: None, ..Words::new(stem) };
    let (source, ..) = source(network, &words, weights);
    source + &main(&words, weights)
}

/// The `main` of such a program, behind the text of a header.
pub(crate) fn main(words: &Words, weights: Weights) -> String {
    let (prefix, upper) = (&words.prefix, &words.upper);
    let (read, given) = match weights {
        Weights::Inside => (String::new(), ""),
        // The array is static: weights may be larger than a stack. A missing or short file needs no check here:
        // `NAME_weights` gives null for it, and `NAME_predict` then fails.
        Weights::Beside => (
            format!(
                "
    static unsigned char file[{upper}_WEIGHTS_BYTES];
    FILE *const beside = count > 2 ? fopen(arguments[2], \"rb\") : NULL;
    const size_t bytes = beside == NULL ? 0 : fread(file, 1, sizeof file, beside);
    if (beside != NULL) {{
        fclose(beside);
    }}
    const {prefix}_number *const weights = {prefix}_weights(file, bytes);"
            ),
            ", weights",
        ),
    };
    format!(
        "
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments)
{{
    const size_t rows = count > 1 ? (size_t)strtoul(arguments[1], NULL, 10) : 1;
    {prefix}_input *x = malloc(rows * {upper}_INPUTS * sizeof *x);
    {prefix}_number *y = malloc(rows * {upper}_OUTPUTS * sizeof *y);
    {prefix}_number *scratch = malloc({upper}_SCRATCH * sizeof *scratch);{read}
    int failed = x == NULL || y == NULL || scratch == NULL;
    failed = failed || fread(x, sizeof *x, rows * {upper}_INPUTS, stdin) != rows * {upper}_INPUTS;
    failed = failed || {prefix}_predict(x, rows, y, scratch{given}) != 0 || {prefix}_abi() != {upper}_ABI;
    for (size_t i = 0; !failed && i < rows * {upper}_OUTPUTS; i++) {{
        const double value = (double)y[i];
        failed = fwrite(&value, sizeof value, 1, stdout) != 1;
    }}
    free(x);
    free(y);
    free(scratch);
    return failed;
}}
"
    )
}

/// The bytes of rows as the program reads them.
#[must_use]
pub fn rows(network: &Network, numbers: &[f64]) -> Vec<u8> {
    match (network.preparation(), network.precision) {
        (Preparation::Images { .. }, _) => numbers.iter().map(|&number| byte(number)).collect(),
        (Preparation::Table { .. }, _) | (Preparation::None, Precision::F64) => {
            numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
        }
        (Preparation::None, Precision::F32) => {
            numbers.iter().flat_map(|&number| crate::network::single(number).to_ne_bytes()).collect()
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels are whole numbers from 0 to 255")]
fn byte(number: f64) -> u8 {
    number.clamp(0.0, 255.0) as u8
}

impl Words {
    pub(crate) fn new(stem: &str) -> Self {
        let prefix = word(stem);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let header = stem.chars().all(is_plain).then(|| format!("{stem}.h"));
        Words { upper: prefix.to_ascii_uppercase(), prefix, header }
    }
}

/// The source, its header and the bytes of the file of weights. If compilers may read the header's name in different
/// ways, the source holds the text of the header and does not include it.
fn source(network: &Network, words: &Words, weights: Weights) -> (String, String, Option<Vec<u8>>) {
    let body = layers::Body::new(network, words, weights).written();
    let build = Build {
        told: "Build with `cc -std=c99 -O2 -c`, link with `-lm`.".into(),
        scratch: crate::plan::plan(network).numbers(),
        weights: body.weights.as_ref().map(Vec::len),
    };
    let header = header(network, words, &build);
    let mut text = match &words.header {
        Some(name) => format!("/* See {name}. */\n\n#include \"{name}\"\n"),
        None => header.clone(),
    };
    text.push_str("\n#include <math.h>\n#include <stddef.h>\n");
    let _ = write!(text, "\ntypedef {}_number number;\n{}{}", words.prefix, body.constants, body.helpers);
    text.push_str(&body.functions);
    let file = body.weights.map(|numbers| {
        let file = weights::file(network.precision, &numbers);
        text.push_str(&weights::function(words, &file));
        file
    });
    (text, header, file)
}
