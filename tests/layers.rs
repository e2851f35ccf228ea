//! Imports run one way: no crate has a circle of files or of folders. Cargo itself refuses circles between crates.
//!
//! The tests read the paths that begin with `crate` or `super`, outside tests and comments. A file and the files below it
//! (`fuse.rs`, `fuse/merge.rs`) count as one unit and may import each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module's path inside its crate; empty for `lib.rs` and `main.rs`.
type Module = Vec<String>;

/// The modules that each module names.
type Imports = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn no_files_import_each_other_in_a_circle() {
    for source in sources() {
        let imports = imports(&source);
        let circle = circle(&imports);
        assert!(circle.is_empty(), "{}: {}", source.display(), shown(&circle));
    }
}

#[test]
fn no_folders_import_each_other_in_a_circle() {
    for source in sources() {
        let imports = imports(&source);
        let folders: BTreeSet<Module> =
            imports.keys().flat_map(|module| (0..module.len()).map(|depth| module[..depth].to_vec())).collect();
        for folder in folders {
            let circle = circle(&siblings(&imports, &folder));
            assert!(circle.is_empty(), "{}, below {}: {}", source.display(), folder.join("/"), shown(&circle));
        }
    }
}

#[test]
fn a_circle_is_found() {
    let module = |name: &str| vec![name.to_string()];
    let one_way = Imports::from([(module("a"), [module("b")].into()), (module("b"), [module("c")].into())]);
    assert!(circle(&one_way).is_empty());
    let mut round = one_way;
    round.insert(module("c"), [module("a")].into());
    assert_eq!(circle(&round).len(), 3);
}

#[test]
fn paths_are_found_in_groups_and_below_the_crate() {
    let code = "use crate::ir::{graph::{Graph, Id}, net};\nfn f() { super::plan::plan() }";
    let found = paths(code, &["lower".into(), "fuse".into()]);
    for expected in [vec!["ir", "graph"], vec!["ir", "net"], vec!["lower", "plan"]] {
        assert!(
            found.iter().any(|path| path.starts_with(&expected.iter().map(ToString::to_string).collect::<Vec<_>>()))
        );
    }
}

fn shown(circle: &[Module]) -> String {
    circle.iter().map(|module| module.join("/")).collect::<Vec<_>>().join(" -> ")
}

/// The source folders of all crates.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the root's manifest");
    let members = manifest.split_once("members = [").and_then(|(_, rest)| rest.split_once(']')).expect("members").0;
    let members = members.split('"').skip(1).step_by(2).map(|folder| root.join(folder).join("src"));
    [root.join("src")].into_iter().chain(members).collect()
}

/// Every module of a crate except tests, with the modules that it names.
fn imports(source: &Path) -> Imports {
    let files = modules(source);
    let named = |module: &Module, path: &Path| {
        let text = fs::read_to_string(path).expect("a source file");
        let code = without_comments(text.split("#[cfg(test)]\nmod").next().unwrap_or_default());
        let known = paths(&code, module).into_iter().filter_map(|path| longest(&files, &path));
        known.filter(|other| !other.starts_with(module) && !module.starts_with(other)).collect()
    };
    files.iter().map(|(module, path)| (module.clone(), named(module, path))).collect()
}

fn modules(source: &Path) -> BTreeMap<Module, PathBuf> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![source.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a source folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(source).expect("below the crate").with_extension("");
                let module: Module = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
                let is_test = |part: &String| ["tests", "testing", "declared"].contains(&part.as_str());
                if !module.iter().any(is_test) {
                    let is_head = module == ["lib"] || module == ["main"];
                    found.insert(if is_head { Module::new() } else { module }, path);
                }
            }
        }
    }
    found
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The longest beginning of a path that is a module.
fn longest(files: &BTreeMap<Module, PathBuf>, path: &[String]) -> Option<Module> {
    (0..=path.len()).rev().map(|length| path[..length].to_vec()).find(|module| files.contains_key(module))
}

/// Every path of some code that begins with `crate` or `super`, from the crate on; groups in braces are taken apart.
fn paths(code: &str, module: &[String]) -> Vec<Module> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let before = code[..at].chars().next_back();
        // `self::super::` and `name_crate::` are not paths to count. Of `super::super::`, only the first word begins a path.
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') || code[..at].ends_with("super::") {
            continue;
        }
        let mut base = if code[at..].starts_with("crate") { Module::new() } else { module.to_vec() };
        let mut rest = code[at..].strip_prefix("crate::").unwrap_or(&code[at..]);
        while let Some(after) = rest.strip_prefix("super::") {
            base.pop();
            rest = after;
        }
        group(rest, &base, &mut found);
    }
    found
}

/// Adds the paths of `a::b::{c, d::E}` behind `base` to `found`. Returns the text after them.
fn group<'a>(text: &'a str, base: &[String], found: &mut Vec<Module>) -> &'a str {
    let mut path = base.to_vec();
    let mut rest = text;
    loop {
        // A group ends its path: each member continues the path so far, so the group calls this function for each of them.
        if let Some(mut inside) = rest.strip_prefix('{') {
            while !inside.is_empty() && !inside.starts_with('}') {
                let after = group(inside.trim_start(), &path, found);
                let next = after.trim_start();
                let next = next.strip_prefix(',').unwrap_or(next).trim_start();
                // Nothing was read, so this brace opens a block of code, not a group of imports. Without this end the
                // loop would not stop.
                if next.len() == inside.len() {
                    return "";
                }
                inside = next;
            }
            return inside.strip_prefix('}').unwrap_or(inside);
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        path.push(rest[..end].to_string());
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(after) => rest = after,
            None => break,
        }
    }
    found.push(path);
    rest
}

/// Imports between the direct children of a folder: each child stands for everything below it.
fn siblings(imports: &Imports, folder: &[String]) -> Imports {
    let child = |module: &Module| {
        (module.len() > folder.len() && module.starts_with(folder)).then(|| vec![module[folder.len()].clone()])
    };
    let mut found = Imports::new();
    for (module, others) in imports {
        let Some(from) = child(module) else { continue };
        let others = others.iter().filter_map(child).filter(|to| *to != from);
        found.entry(from.clone()).or_default().extend(others);
    }
    found
}

/// The modules of a circle, if there is one. The function removes modules that import no remaining module until nothing
/// changes. What remains is on a circle or leads to one.
fn circle(imports: &Imports) -> Vec<Module> {
    let mut left = imports.clone();
    loop {
        let names: BTreeSet<Module> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|_, others| others.iter().any(|other| names.contains(other)));
        if left.len() == before {
            break;
        }
    }
    // A module that no remaining module imports leads to a circle but is not part of it.
    loop {
        let used: BTreeSet<Module> = left.values().flatten().cloned().collect();
        let before = left.len();
        left.retain(|module, _| used.contains(module));
        if left.len() == before {
            return left.into_keys().collect();
        }
    }
}
