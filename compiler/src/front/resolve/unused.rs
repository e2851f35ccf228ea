//! Warnings about unused definitions: a name in a model or block (W0901), a block of the file (W0902).

use crate::front::names::walk;
use gmpc_grammar::ast::{Ast, Binding, Definition, Item, Kind, Path, Statement};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeSet;

/// Checks every model and block of the file.
pub(crate) fn check(ast: &Ast, warnings: &mut Vec<Diagnostic>) {
    let parts: Vec<&Definition> = ast
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Definition(d) if matches!(d.kind, Kind::Model | Kind::Block) => Some(d),
            _ => None,
        })
        .collect();
    let mut mentioned: BTreeSet<String> = BTreeSet::new();
    for part in &parts {
        let mut names = BTreeSet::new();
        walk::paths(&part.body, &mut |path| {
            // A binding is used by `name` and also by `name.part`, a block only by its whole name.
            names.extend(path.parts.first().map(|first| first.text.clone()));
            mentioned.insert(path.to_string());
        });
        // `param = …` in a body changes the parameterization of the layers after it: nothing needs to mention it.
        warnings.extend(part.body.statements.iter().filter_map(|statement| match statement {
            Statement::Bind(b) if b.name.text != "param" && !names.contains(&b.name.text) => Some(unused_name(b)),
            _ => None,
        }));
    }
    for part in parts.iter().filter(|p| p.kind == Kind::Block) {
        if let Some(name) = part.name.as_ref().filter(|n| !mentioned.contains(&n.to_string())) {
            warnings.push(unused_block(name));
        }
    }
}

fn unused_name(binding: &Binding) -> Diagnostic {
    Diagnostic::warning("W0901", format!("`{}` is never used", binding.name.text))
        .label(binding.name.span, "bound here")
        .help("remove it, or send it on: the last flow of the body is the output")
}

fn unused_block(name: &Path) -> Diagnostic {
    Diagnostic::warning("W0902", format!("the block `{name}` is never used"))
        .label(name.span(), "defined here")
        .help("remove it, or use it in the model")
}
