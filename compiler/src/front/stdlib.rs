//! The embedded standard library: the definitions that every file knows, and the modules that it may `use`.
//!
//! Its texts come first among the [`Sources`] of a compilation, so that a span into the library means the same place in
//! every compilation and the library is read only once.

use crate::ir::internal::index32;
use crate::ir::module::Definitions;
use gmpc_grammar::ast::{Ast, Definition, Item};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::read;
use gmpc_grammar::source::{Source, SourceId, Sources};
use std::sync::{Arc, OnceLock};

macro_rules! library {
    ($($file:literal),* $(,)?) => {
        [$((concat!("std/", $file), include_str!(concat!("../../../stdlib/", $file)))),*]
    };
}

/// The texts whose definitions every file knows.
const PRELUDE: [(&str, &str); 17] = library!(
    "parameterization.gmpnet",
    "modifier.gmpnet",
    "activation.gmpnet",
    "norm.gmpnet",
    "initializer.gmpnet",
    "loss.gmpnet",
    "metric.gmpnet",
    "optimizer.gmpnet",
    "schedule.gmpnet",
    "data/levy.gmpnet",
    "data/banana.gmpnet",
    "data/uci.gmpnet",
    "data/shapes32.gmpnet",
    "data/cifar.gmpnet",
    "data/imagenet32.gmpnet",
    "data/imagenet.gmpnet",
    "data/mnist.gmpnet",
);

/// The texts whose definitions a file knows after `use std.residual`. A module has the name of its file, without its ending.
const MODULES: [(&str, &str); 4] =
    library!("residual.gmpnet", "vgg.gmpnet", "resnet.gmpnet", "reparameterization.gmpnet");

/// The number of the library's texts. They are the first texts of every compilation.
pub(crate) const FILES: usize = PRELUDE.len() + MODULES.len();

/// Is this the library's own definition, and not one that a file has put in its place?
#[must_use]
pub fn is_library(definition: &Definition) -> bool {
    (definition.span.source.0 as usize) < FILES
}

/// The library as syntax trees.
pub(crate) struct Library {
    /// The definitions that every file knows.
    pub prelude: Definitions,
    /// The modules with their names, such as `std.residual`.
    pub modules: Vec<(String, Definitions)>,
    /// Errors in the library's own texts. A test checks that there are none.
    pub errors: Vec<Diagnostic>,
}

/// Returns the library's texts. A compilation adds its own text to them.
#[must_use]
pub fn sources() -> Sources {
    let mut sources = Sources::default();
    for (name, text) in PRELUDE.iter().chain(&MODULES) {
        sources.add(Source { name: (*name).to_string(), text: (*text).to_string() });
    }
    sources
}

/// Returns the library's definitions. They are read once per process.
pub(crate) fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut library = Library { prelude: Definitions::new(), modules: Vec::new(), errors: Vec::new() };
        for (i, (name, text)) in PRELUDE.iter().chain(&MODULES).enumerate() {
            let (ast, errors) = read(text, SourceId(index32(i, "texts")));
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
