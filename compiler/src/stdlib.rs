//! The standard library, embedded: what every file knows, and the modules it may `use`.
//!
//! Its texts come first among the [`Sources`] of a compilation, so that a span into the library means the same place in
//! every compilation and the library is read only once.

use crate::module::Definitions;
use gmpc_grammar::ast::{Ast, Item};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::read;
use gmpc_grammar::source::{Source, SourceId, Sources};
use std::sync::{Arc, OnceLock};

macro_rules! library {
    ($($file:literal),* $(,)?) => {
        [$((concat!("std/", $file), include_str!(concat!("../../stdlib/", $file)))),*]
    };
}

/// Known to every file.
const PRELUDE: [(&str, &str); 14] = library!(
    "parameterization.gmpnet",
    "modifier.gmpnet",
    "initializer.gmpnet",
    "loss.gmpnet",
    "metric.gmpnet",
    "optimizer.gmpnet",
    "data/levy.gmpnet",
    "data/banana.gmpnet",
    "data/uci.gmpnet",
    "data/shapes32.gmpnet",
    "data/cifar.gmpnet",
    "data/imagenet32.gmpnet",
    "data/imagenet.gmpnet",
    "data/mnist.gmpnet",
);

/// Known after `use std.residual`: the name is the file's, without its ending.
const MODULES: [(&str, &str); 3] = library!("residual.gmpnet", "vgg.gmpnet", "resnet.gmpnet");

/// How many texts of a compilation are the library's: the first ones.
pub(crate) const FILES: usize = PRELUDE.len() + MODULES.len();

/// The library after reading.
pub(crate) struct Library {
    /// What every file knows.
    pub prelude: Definitions,
    /// By name, `std.residual`.
    pub modules: Vec<(String, Definitions)>,
    /// What is wrong with the library's own texts: nothing, as a test says.
    pub errors: Vec<Diagnostic>,
}

/// The library's texts, to which a compilation adds its own.
#[must_use]
pub fn sources() -> Sources {
    let mut sources = Sources::default();
    for (name, text) in PRELUDE.iter().chain(&MODULES) {
        sources.add(Source { name: (*name).to_string(), text: (*text).to_string() });
    }
    sources
}

/// The library's definitions, read once a process.
pub(crate) fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut library = Library { prelude: Definitions::new(), modules: Vec::new(), errors: Vec::new() };
        for (i, (name, text)) in PRELUDE.iter().chain(&MODULES).enumerate() {
            let (ast, errors) = read(text, SourceId(u32::try_from(i).unwrap_or(u32::MAX)));
            library.errors.extend(errors);
            match i < PRELUDE.len() {
                true => library.prelude.extend(definitions(ast)),
                false => library.modules.push((module_name(name), definitions(ast).collect())),
            }
        }
        library
    })
}

/// `std/residual.gmpnet` is `std.residual`.
fn module_name(file: &str) -> String {
    file.trim_end_matches(".gmpnet").replace('/', ".")
}

fn definitions(ast: Ast) -> impl Iterator<Item = <Definitions as IntoIterator>::Item> {
    ast.items.into_iter().filter_map(|item| match item {
        Item::Definition(definition) => {
            let name = definition.name.as_ref()?.to_string();
            Some(((definition.kind, name), Arc::new(definition)))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_well_formed() {
        assert_eq!(library().errors, []);
        assert!(library().prelude.len() > 20);
        assert_eq!(library().modules[0].0, "std.residual");
    }
}
