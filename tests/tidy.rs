//! The rules of the workspace that no compiler checks: which crate may depend on which, where `unsafe` is allowed, that
//! every file begins with its purpose, and that nothing is left half done.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The root of the workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file with this extension below the workspace's own folders, relative to the root.
fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let own = ["src", "grammar", "compiler", "runtime", "python", "tests", "benches", "stdlib", "examples", "docs"];
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

/// The manifests of all crates, the root's first.
fn manifests() -> Vec<String> {
    let root = text(Path::new("Cargo.toml"));
    let members = root.split_once("members = [").and_then(|(_, rest)| rest.split_once(']')).expect("members").0;
    let folders = members.split('"').skip(1).step_by(2).map(|folder| format!("{folder}/Cargo.toml"));
    ["Cargo.toml".to_string()].into_iter().chain(folders).collect()
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

/// The lines of a file without comments.
fn code_lines(path: &Path) -> Vec<String> {
    text(path).lines().map(|line| line.split("//").next().unwrap_or_default().to_string()).collect()
}

/// Fails the test with all lines of `paths` for which `is_wrong` holds.
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
    assert_eq!(own("compiler/cuda/Cargo.toml"), ["gmpc-compiler", "gmpc-grammar", "gmpc-math"]);
    assert_eq!(own("compiler/export/Cargo.toml"), ["gmpc-compiler"]);
    assert_eq!(own("runtime/kernels/Cargo.toml"), ["gmpc-math"]);
    assert_eq!(own("runtime/device/Cargo.toml"), ["gmpc-compiler"]);
    assert_eq!(own("runtime/device/cpu/Cargo.toml"), ["gmpc-compiler", "gmpc-device", "gmpc-kernels"]);
    assert_eq!(own("runtime/device/cuda/Cargo.toml"), ["gmpc-compiler", "gmpc-cuda", "gmpc-device"]);
    assert_eq!(own("runtime/device/reference/Cargo.toml"), ["gmpc-compiler", "gmpc-device"]);
    assert_eq!(own("runtime/data/Cargo.toml"), ["gmpc-compiler", "gmpc-device", "gmpc-grammar"]);
    let below = ["gmpc-compiler", "gmpc-data", "gmpc-device", "gmpc-device-cpu", "gmpc-grammar"];
    let runtime =
        ["gmpc-compiler", "gmpc-data", "gmpc-device", "gmpc-device-cpu", "gmpc-export", "gmpc-grammar", "gmpc-kernels"];
    assert_eq!(own("runtime/Cargo.toml"), runtime);
    assert_eq!(own("runtime/study/Cargo.toml"), [&below[..], &["gmpc-runtime"]].concat());
    assert_eq!(own("runtime/draw/Cargo.toml"), [] as [&str; 0]);
    assert_eq!(own("python/Cargo.toml"), [&below[..], &["gmpc-runtime", "gmpc-study"]].concat());
}

#[test]
fn every_heavy_dependency_has_one_home() {
    let homes = [
        ("pest", "grammar/Cargo.toml"),
        ("pest_derive", "grammar/Cargo.toml"),
        ("cranelift-jit", "runtime/device/cpu/Cargo.toml"),
        ("cudarc", "runtime/device/cuda/Cargo.toml"),
        ("candle-core", "runtime/device/reference/Cargo.toml"),
        ("ureq", "runtime/data/Cargo.toml"),
        ("prost", "compiler/export/Cargo.toml"),
        ("resvg", "runtime/draw/Cargo.toml"),
        ("svg2pdf", "runtime/draw/Cargo.toml"),
        ("cranelift-object", "compiler/export/Cargo.toml"),
        ("miette", "Cargo.toml"),
        ("clap", "Cargo.toml"),
        ("pyo3", "python/Cargo.toml"),
        ("numpy", "python/Cargo.toml"),
    ];
    for manifest in manifests() {
        let manifest = manifest.as_str();
        let names = dependencies(manifest);
        for (name, home) in homes {
            assert_eq!(names.contains(name), manifest == home, "{name} belongs to {home}, looked at {manifest}");
        }
    }
}

#[test]
fn a_plain_build_has_no_reference_device() {
    let (root, reference) = (text(Path::new("Cargo.toml")), text(Path::new("runtime/device/reference/Cargo.toml")));
    assert!(reference.contains("candle-core = { workspace = true, optional = true }"));
    for manifest in [&root, &reference] {
        assert!(!manifest.contains("\ndefault = ["), "no feature is on by default");
    }
    let (plain, tests) = root.split_once("\n[dev-dependencies]\n").expect("dependencies of tests");
    assert!(plain.contains("gmpc-device-reference.workspace = true"));
    assert!(tests.contains("gmpc-device-reference = { workspace = true, features = [\"candle\"] }"), "tests have it");
}

#[test]
fn a_plain_build_is_the_program_alone() {
    let root = text(Path::new("Cargo.toml"));
    assert!(root.contains("\ndefault-members = [\".\"]\n"), "the package for Python is built where it is asked for");
    assert!(dependencies("Cargo.toml").iter().all(|name| !name.contains("python") && name != "pyo3"));
}

#[test]
fn every_crate_of_ours_says_how_it_is_optimized() {
    // The release profile optimizes only the crates that it names. Any other crate would be slow.
    let root = text(Path::new("Cargo.toml"));
    for manifest in manifests().iter().filter(|manifest| *manifest != "Cargo.toml") {
        let manifest = text(Path::new(manifest));
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = ")).expect("a name").trim_matches('"');
        assert!(root.contains(&format!("[profile.release.package.{name}]\nopt-level = ")), "{name}");
    }
}

#[test]
fn heavy_dependencies_are_imported_only_where_they_live() {
    let homes: [(&str, &[&str]); 9] = [
        ("pest", &["grammar/src/read"]),
        ("cranelift_frontend", &["compiler/src/backend", "compiler/export/src/object"]),
        (
            "cranelift_codegen",
            &["compiler/src/backend", "compiler/src/ir/code.rs", "compiler/export/src/object", "runtime/device/cpu"],
        ),
        ("cranelift_object", &["compiler/export/src/object"]),
        ("cranelift_jit", &["runtime/device/cpu"]),
        ("cudarc", &["runtime/device/cuda"]),
        ("candle_core", &["runtime/device/reference", "tests"]),
        ("prost", &["compiler/export/src/onnx"]),
        ("pyo3", &["python/src"]),
    ];
    for (name, allowed) in homes {
        let elsewhere = files("rs").into_iter().filter(|path| !allowed.iter().any(|home| path.starts_with_text(home)));
        no_line(elsewhere, &format!("{name} lives in {allowed:?} alone"), |line| {
            line.contains(&format!("{name}::")) || line.contains(&format!("use {name}"))
        });
    }
}

/// Does a path begin with a text, which is a folder or the beginning of a file name?
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
    let homes = ["runtime/device/cpu", "runtime/device/cuda", "runtime/kernels"];
    let word = ["un", "safe"].concat();
    let elsewhere = files("rs").into_iter().filter(|path| !homes.iter().any(|home| path.starts_with_text(home)));
    no_line(elsewhere, "unsafe code outside its homes", |line| {
        [" {", " fn", " impl", " extern"].iter().any(|after| line.contains(&format!("{word}{after}")))
    });
    let heads = manifests().into_iter().map(|manifest| {
        let source = Path::new(&manifest).with_file_name("src");
        if manifest == "Cargo.toml" { source.join("main.rs") } else { source.join("lib.rs") }
    });
    for head in heads.filter(|head| !homes.iter().any(|home| head.starts_with(home))) {
        assert!(text(&head).contains(&format!("#![forbid({word}_code)]")), "{} forbids it", head.display());
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
    let pure = files("rs").into_iter().filter(|path| {
        ["grammar/src", "compiler/src", "compiler/math/src", "compiler/cuda/src", "compiler/export/src"]
            .iter()
            .any(|home| path.starts_with(home))
    });
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
    let words = [["to", "do!("].concat(), ["unimple", "mented!("].concat(), ["FIX", "ME"].concat()];
    no_line(files("rs"), "half done", |line| words.iter().any(|word| line.contains(word)));
}

/// A test that cannot run must be reported as ignored, with what it needs. It must neither pass nor be ignored for
/// another reason.
#[test]
fn a_test_is_ignored_only_for_what_it_needs_and_says_so() {
    let words = ["ig", "nore"].concat();
    let reasons = ["\"needs ", "\"checks nothing"].map(|reason| format!("{words} = {reason}"));
    no_line(files("rs"), "ignored without saying what is needed", |line| {
        let attribute = line.contains(&format!("#[{words}")) || line.trim_start().starts_with(&format!("{words} = "));
        (attribute || line.contains(&format!(", {words} = "))) && !reasons.iter().any(|reason| line.contains(reason))
    });
    let skipped = ["SKIP", "PED"].concat();
    no_line(files("rs"), "a test that is skipped and passes", |line| line.contains(&skipped));
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
    // The data folder and the golden folder beside the checkout are documented defaults. No other place outside may be
    // named.
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
