//! Files and commands shown in the README and the documentation work: every whole file passes `check`, and every command
//! succeeds.

use crate::support::{gmpc, gmpc_in, root, write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::tempdir;

/// The texts between ```` ```KIND ```` and ```` ``` ```` of a page.
fn blocks(page: &str, kind: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(page)).expect("a page of the documentation");
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == format!("```{kind}") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
            found.push(block.join("\n") + "\n");
        }
    }
    found
}

/// The commands of a page, one per line: `gmpc …`, or `cargo run --release -- …`, which means the same.
fn commands(page: &str) -> Vec<Vec<String>> {
    let lines: Vec<String> =
        blocks(page, "sh").iter().flat_map(|b| b.lines().map(str::to_string).collect::<Vec<_>>()).collect();
    let ours = lines.iter().filter_map(|line| {
        let line = line.strip_prefix("cargo run --release --").or_else(|| line.strip_prefix("gmpc"))?;
        Some(line.split_whitespace().map(str::to_string).collect())
    });
    ours.collect()
}

/// A folder with a copy of the examples, to run commands in.
fn playground() -> tempfile::TempDir {
    let folder = tempdir().unwrap();
    std::fs::create_dir(folder.path().join("examples")).unwrap();
    for entry in std::fs::read_dir(root().join("examples")).unwrap().flatten() {
        if entry.path().is_file() {
            std::fs::copy(entry.path(), folder.path().join("examples").join(entry.file_name())).unwrap();
        }
    }
    folder
}

#[track_caller]
fn run_all(folder: &Path, commands: Vec<Vec<String>>) {
    for command in commands {
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        println!("gmpc {}", command.join(" "));
        gmpc_in(folder, &arguments).expect(0);
    }
}

#[test]
fn every_file_shown_passes_check() {
    let folder = tempdir().unwrap();
    for page in ["README.md", "docs/language.md", "docs/cookbook.md"] {
        let files = blocks(page, "gmpnet");
        assert!(!files.is_empty(), "{page} shows a file");
        for (i, text) in files.iter().enumerate() {
            let file = write(folder.path(), &format!("shown{i}.gmpnet"), text);
            println!("{page}, snippet {i}:\n{text}");
            gmpc(&["check", &file]).expect(0);
        }
    }
}

#[test]
fn every_recipe_of_the_cookbook_trains() {
    let folder = tempdir().unwrap();
    let text = std::fs::read_to_string(root().join("docs/cookbook.md")).unwrap();
    let titles: Vec<String> = text.lines().filter_map(|line| line.strip_prefix("## ")).map(slug).collect();
    let recipes = blocks("docs/cookbook.md", "gmpnet");
    assert_eq!(titles.len(), recipes.len());
    for (title, recipe) in titles.iter().zip(&recipes) {
        println!("{title}");
        let file = write(folder.path(), &format!("{title}.gmpnet"), recipe);
        gmpc(&["fmt", "--check", &file]).expect(0);
        let run = format!("runs/{title}");
        gmpc_in(folder.path(), &["train", &file, "--set", "train.epochs=2", "--out", &run]).expect(0);
    }
}

/// The name of a recipe's run: `a-large-batch-in-little-memory`.
fn slug(title: &str) -> String {
    let kept = title.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
}

#[test]
fn the_first_command_of_the_readme_takes_less_than_thirty_seconds() {
    let folder = playground();
    let first = commands("README.md").swap_remove(0);
    assert_eq!(first[..2], ["compare", "examples/levy.gmpnet"]);
    let start = Instant::now();
    run_all(folder.path(), vec![first]);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}: twice what the README promises", start.elapsed());
}

#[test]
fn every_other_command_of_the_readme_works() {
    let folder = playground();
    let mut all = commands("README.md");
    all.remove(0);
    assert!(all.len() >= 5);
    run_all(folder.path(), all);
    let predictions = std::fs::read_to_string(folder.path().join("predictions.csv")).unwrap();
    assert_eq!(predictions.lines().count(), 241, "a head and one line a cup");
}

#[test]
fn every_command_of_the_documentation_works() {
    let folder = playground();
    for page in ["docs/architecture.md", "docs/export.md"] {
        run_all(folder.path(), commands(page));
    }
}

/// Every page for people who read the repository.
fn pages() -> Vec<PathBuf> {
    let folders = ["", "docs", "examples", "tests/golden/cases", ".github", ".github/ISSUE_TEMPLATE"];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(root().join(folder)).unwrap().flatten());
    let pages: Vec<PathBuf> =
        entries.map(|e| e.path()).filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    assert!(pages.len() >= 12, "{pages:?}");
    pages
}

/// The headings of a page in the form of link targets: lower case, with hyphens for blanks and without other marks.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let is_part = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    headings
        .map(|heading| heading.to_lowercase().chars().filter(is_part).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{} links to {link}", page.display());
            if !anchor.is_empty() {
                let found = anchors(&std::fs::read_to_string(&target).unwrap());
                assert!(found.iter().any(|one| one == anchor), "{} links to {link}: {found:?}", page.display());
            }
        }
    }
}

#[test]
fn lines_of_pages_stay_within_reading_width() {
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        // Markdown does not allow a line break within a row of a table.
        for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('|')) {
            assert!(line.chars().count() <= 160, "{}:{} is longer than 160 columns", page.display(), i + 1);
        }
    }
}

#[test]
fn the_tests_of_the_readme_are_those_of_ci() {
    let command = blocks("README.md", "sh").into_iter().find(|block| block.starts_with("cargo test")).unwrap();
    let ci = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(ci.contains(command.trim()), ".ci/run does not run `{}`", command.trim());
}

#[test]
fn every_test_file_the_readme_promises_exists() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    for word in text.split('`').filter(|word| word.starts_with("tests/")) {
        assert!(root().join(word).is_file(), "{word}");
    }
}
