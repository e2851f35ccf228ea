//! Finds blocks and initializers that contain themselves: their expansion would never end.

use crate::front::names::walk;
use crate::ir::module::Definitions;
use gmpc_grammar::ast::{Definition, Kind, Path};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

/// The state of a definition in the depth-first search.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// On the stack: a use of it closes a circle.
    Open,
    /// Searched completely.
    Done,
}

/// Notes E0210, once for each use that closes a circle.
pub(super) fn check(definitions: &Definitions, errors: &mut Vec<Diagnostic>) {
    for kind in [Kind::Block, Kind::Initializer] {
        let uses: BTreeMap<&str, Vec<(String, Span)>> = definitions
            .iter()
            .filter(|((k, _), _)| *k == kind)
            .map(|((_, name), definition)| (name.as_str(), used(definition, kind, definitions)))
            .collect();
        let mut marks: BTreeMap<&str, Mark> = BTreeMap::new();
        for name in uses.keys() {
            if !marks.contains_key(name) {
                visit(name, kind, &uses, &mut marks, definitions, errors);
            }
        }
    }
}

/// Returns the definitions of this kind that a definition mentions, and where.
fn used(definition: &Definition, kind: Kind, definitions: &Definitions) -> Vec<(String, Span)> {
    let mut names = Vec::new();
    walk::paths(&definition.body, &mut |path| {
        let name = path.to_string();
        if definitions.contains_key(&(kind, name.clone())) {
            names.push((name, path.span()));
        }
    });
    names
}

/// Searches depth-first from `start`.
fn visit<'a>(
    start: &'a str,
    kind: Kind,
    uses: &'a BTreeMap<&'a str, Vec<(String, Span)>>,
    marks: &mut BTreeMap<&'a str, Mark>,
    definitions: &Definitions,
    errors: &mut Vec<Diagnostic>,
) {
    // An explicit stack, because a long chain of blocks would overflow the stack of the thread. Each entry is a definition and
    // the number of the next use to look at.
    let mut stack: Vec<(&str, usize)> = vec![(start, 0)];
    marks.insert(start, Mark::Open);
    while let Some((name, next)) = stack.last_mut() {
        let Some((used, span)) = uses.get(*name).and_then(|used| used.get(*next)) else {
            marks.insert(*name, Mark::Done);
            stack.pop();
            continue;
        };
        *next += 1;
        // A definition that is done is not searched again: so each is searched once, and each circle is reported once.
        match marks.get(used.as_str()) {
            Some(Mark::Open) => errors.push(circle(kind, used, *span, definitions)),
            Some(Mark::Done) => {}
            None => {
                marks.insert(used, Mark::Open);
                stack.push((used, 0));
            }
        }
    }
}

fn circle(kind: Kind, name: &str, span: Span, definitions: &Definitions) -> Diagnostic {
    let word = kind.keyword();
    let error = Diagnostic::error("E0210", format!("the {word} `{name}` contains itself"))
        .label(span, "used inside itself here");
    let defined = definitions.get(&(kind, name.to_string())).and_then(|d| d.name.as_ref().map(Path::span));
    let error = match defined {
        Some(defined) => error.label(defined, "defined here"),
        None => error,
    };
    error.help("use `repeat(n, stage)` for a stage that comes several times")
}
