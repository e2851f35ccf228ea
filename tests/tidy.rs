//! The rules of the workspace that a compiler does not check: who may depend on whom, where `unsafe` lives, that every file
//! introduces itself and that nothing is left half done.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The root of the workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file with this extension below the workspace's own folders, relative to the root.
fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let own = ["src", "grammar", "compiler", "runtime", "tests", "stdlib", "examples", "docs"];
    let mut waiting: Vec<PathBuf> = own.iter().map(|folder| root().join(folder)).filter(|f| f.exists()).collect();
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the workspace").flatten() {
            let path = entry.path();
            if path.is_dir() && entry.file_name() != "target" {
                waiting.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path.strip_prefix(root()).expect("below the root").to_path_buf());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no .{extension} file below {}", root().display());
    found
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).expect("a readable text file")
}

/// Names below `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let text = text(Path::new(manifest));
    text.lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_string)
        .collect()
}

/// Lines of a file without comments and without what string literals say.
fn code_lines(path: &Path) -> Vec<String> {
    text(path).lines().map(|line| line.split("//").next().unwrap_or_default().to_string()).collect()
}

/// Fails with every line of `paths` in which `is_wrong` holds.
fn no_line(paths: impl IntoIterator<Item = PathBuf>, why: &str, is_wrong: impl Fn(&str) -> bool) {
    let mut wrong = Vec::new();
    for path in paths {
        for (i, line) in code_lines(&path).iter().enumerate() {
            if is_wrong(line) {
                wrong.push(format!("{}:{}: {}", path.display(), i + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{why}:\n{}", wrong.join("\n"));
}

#[test]
fn crates_depend_rightwards_only() {
    let own = |manifest| -> Vec<String> {
        dependencies(manifest).into_iter().filter(|name| name.starts_with("gmpc")).collect()
    };
    assert_eq!(own("grammar/Cargo.toml"), [] as [&str; 0]);
    assert_eq!(own("compiler/math/Cargo.toml"), [] as [&str; 0]);
    assert_eq!(own("compiler/Cargo.toml"), ["gmpc-grammar", "gmpc-math"]);
    assert_eq!(own("runtime/kernels/Cargo.toml"), ["gmpc-math"]);
    assert_eq!(own("runtime/Cargo.toml"), ["gmpc-compiler", "gmpc-grammar", "gmpc-kernels"]);
    assert_eq!(own("Cargo.toml"), ["gmpc-compiler", "gmpc-grammar", "gmpc-runtime"]);
}

#[test]
fn every_heavy_dependency_has_one_home() {
    let homes = [
        ("pest", "grammar/Cargo.toml"),
        ("pest_derive", "grammar/Cargo.toml"),
        ("cranelift-frontend", "compiler/Cargo.toml"),
        ("cranelift-jit", "runtime/Cargo.toml"),
        ("cudarc", "runtime/Cargo.toml"),
        ("candle-core", "runtime/Cargo.toml"),
        ("ureq", "runtime/Cargo.toml"),
        ("miette", "Cargo.toml"),
        ("clap", "Cargo.toml"),
    ];
    for manifest in [
        "Cargo.toml",
        "grammar/Cargo.toml",
        "compiler/Cargo.toml",
        "compiler/math/Cargo.toml",
        "runtime/Cargo.toml",
        "runtime/kernels/Cargo.toml",
    ] {
        let names = dependencies(manifest);
        for (name, home) in homes {
            assert_eq!(names.contains(name), manifest == home, "{name} belongs to {home}, looked at {manifest}");
        }
    }
}

#[test]
fn heavy_dependencies_are_imported_only_where_they_live() {
    let homes: [(&str, &[&str]); 6] = [
        ("pest", &["grammar/src/read"]),
        ("cranelift_frontend", &["compiler/src/backend"]),
        ("cranelift_codegen", &["compiler/src/backend", "runtime/src/device/cpu"]),
        ("cranelift_jit", &["runtime/src/device/cpu"]),
        ("cudarc", &["runtime/src/device/cuda"]),
        ("candle_core", &["runtime/src/device/candle", "tests"]),
    ];
    for (name, allowed) in homes {
        let elsewhere = files("rs").into_iter().filter(|path| !allowed.iter().any(|home| path.starts_with_text(home)));
        no_line(elsewhere, &format!("{name} lives in {allowed:?} alone"), |line| {
            line.contains(&format!("{name}::")) || line.contains(&format!("use {name}"))
        });
    }
}

/// Does a path begin with this text (a folder or the stem of a file)?
trait StartsWithText {
    fn starts_with_text(&self, text: &str) -> bool;
}

impl StartsWithText for PathBuf {
    fn starts_with_text(&self, text: &str) -> bool {
        self.to_string_lossy().replace('\\', "/").starts_with(text)
    }
}

#[test]
fn unsafe_lives_in_the_runtimes_devices_alone() {
    let homes = ["runtime/src/device", "runtime/kernels"];
    let word = ["un", "safe"].concat();
    let elsewhere = files("rs").into_iter().filter(|path| !homes.iter().any(|home| path.starts_with_text(home)));
    no_line(elsewhere, "unsafe code outside its homes", |line| {
        [" {", " fn", " impl", " extern"].iter().any(|after| line.contains(&format!("{word}{after}")))
    });
    for library in ["grammar/src/lib.rs", "compiler/src/lib.rs", "compiler/math/src/lib.rs"] {
        assert!(text(Path::new(library)).contains(&format!("#![forbid({word}_code)]")), "{library} forbids it");
    }
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let block = ["un", "safe {"].concat();
    let mut wrong = Vec::new();
    for path in files("rs").into_iter().filter(|path| path.starts_with("runtime")) {
        let text = text(&path);
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate().filter(|(_, line)| line.contains(&block)) {
            let before = &lines[i.saturating_sub(8)..=i];
            if !before.iter().any(|line| line.contains("SAFETY:")) {
                wrong.push(format!("{}:{}: {}", path.display(), i + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "blocks without a reason:\n{}", wrong.join("\n"));
}

#[test]
fn the_compiler_touches_no_file_clock_or_thread() {
    let pure = files("rs")
        .into_iter()
        .filter(|path| ["grammar/src", "compiler/src", "compiler/math/src"].iter().any(|home| path.starts_with(home)));
    no_line(pure, "grammar and compiler are pure", |line| {
        ["std::fs", "std::time", "std::thread", "std::net", "std::process", "std::env"].iter().any(|m| line.contains(m))
    });
}

#[test]
fn every_file_introduces_itself() {
    for path in files("rs") {
        assert!(text(&path).starts_with("//!"), "{} does not open with `//!`", path.display());
    }
    for path in
        files_or_none("gmpnet").into_iter().filter(|path| path.starts_with("stdlib") || path.starts_with("examples"))
    {
        assert!(text(&path).starts_with("//!"), "{} does not open with `//!`", path.display());
    }
}

#[test]
fn nothing_is_left_half_done() {
    let words =
        [["to", "do!("].concat(), ["unimple", "mented!("].concat(), ["FIX", "ME"].concat(), ["#[ig", "nore"].concat()];
    no_line(files("rs"), "half done", |line| words.iter().any(|word| line.contains(word)));
}

#[test]
fn files_stay_within_reading_size() {
    for path in files("rs") {
        let lines = text(&path).lines().count();
        assert!(lines <= 700, "{} has {lines} lines: cut it where the subject changes", path.display());
    }
}

#[test]
fn no_file_names_a_place_outside_the_project() {
    // A data folder and a golden folder beside the checkout are the documented defaults; nothing else may stand outside.
    let outside = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat(), ["/ho", "me/"].concat()];
    for extension in ["rs", "gmpnet", "md", "toml"] {
        for path in files_or_none(extension) {
            let text = text(&path);
            for place in &outside {
                assert!(!text.contains(place.as_str()), "{} names {place}", path.display());
            }
        }
    }
}

/// As [`files`], for extensions that may have none.
fn files_or_none(extension: &str) -> Vec<PathBuf> {
    std::panic::catch_unwind(|| files(extension)).unwrap_or_default()
}
