//! Every example checks, is laid out canonically, summarizes, differentiates correctly and trains.

use crate::support::{data_dir, gmpc, root};
use tempfile::tempdir;

fn examples() -> Vec<String> {
    let folder = std::fs::read_dir(root().join("examples")).unwrap();
    let mut found: Vec<String> = folder
        .flatten()
        .map(|entry| format!("examples/{}", entry.file_name().to_string_lossy()))
        .filter(|name| name.ends_with(".gmpnet"))
        .collect();
    found.sort();
    assert!(found.len() >= 6);
    found
}

/// What makes an example small enough for a test: rendered images, few of them, and a narrow network. `None` for what stays
/// too large: the deeper networks for images of 224x224, whose blocks have tests of their own.
fn small(file: &str) -> Option<Vec<&'static str>> {
    const IMAGES: &str = "data=shapes32(train = 96, test = 32)";
    match file {
        "examples/vgg6.gmpnet" | "examples/cifar10_vgg6.gmpnet" => {
            Some(vec!["--set", IMAGES, "--set", "model.width=2", "--set", "train.batch=32"])
        }
        file if file.starts_with("examples/resnet") => None,
        _ => Some(vec![]),
    }
}

#[test]
fn vgg6_has_as_many_parameters_as_in_the_paper() {
    for param in ["sp", "gmp", "gmp + mn"] {
        let summary = gmpc(&["summary", "examples/vgg6.gmpnet", "--param", param, "--json"]).expect(0);
        assert_eq!(summary.json()[0]["parameters"], 5_089_384, "{param}");
    }
}

#[test]
fn every_example_checks_for_every_parameterization() {
    for file in examples() {
        for param in ["sp", "wn", "wn + mbn", "bn", "gmp", "gmp + mn"] {
            let ran = gmpc(&["check", &file, "--param", param, "--quiet"]).expect(0);
            assert_eq!(ran.stderr, "", "{file} {param} has no warnings");
        }
    }
}

#[test]
fn every_example_has_a_summary_with_its_parameters_counted() {
    for file in examples() {
        let ran = gmpc(&["summary", &file, "--json"]).expect(0);
        let summary = &ran.json()[0];
        let layers = summary["layers"].as_array().unwrap();
        let total: u64 = layers.iter().map(|layer| layer["parameters"].as_u64().unwrap()).sum();
        assert_eq!(summary["parameters"].as_u64(), Some(total), "{file}: {summary}");
        assert!(total > 0);
        gmpc(&["summary", &file]).expect(0);
    }
}

#[test]
fn every_example_has_right_gradients() {
    for file in examples() {
        if let Some(small) = small(&file) {
            gmpc(&[&["gradcheck", file.as_str()], small.as_slice()].concat()).expect(0);
        }
    }
}

#[test]
fn every_stage_of_an_example_can_be_printed() {
    for stage in ["ast", "module", "net", "graph", "step", "kernels", "clif", "asm"] {
        let ran = gmpc(&["emit", "examples/first.gmpnet", "--stage", stage]).expect(0);
        assert!(ran.stdout.lines().count() > 3, "{stage}: {}", ran.stdout);
    }
}

#[test]
fn every_example_trains_a_few_epochs_and_keeps_a_run_folder() {
    let data = data_dir();
    for file in examples() {
        let Some(small) = small(&file) else { continue };
        let needs_data = file.contains("banana") || file.contains("uci");
        let data_dir = match (&data, needs_data) {
            (None, true) => {
                eprintln!("skipped {file}: no data folder");
                continue;
            }
            (Some(folder), true) => folder.to_string_lossy().into_owned(),
            (_, false) => String::from("nowhere"),
        };
        let folder = tempdir().unwrap();
        let run = folder.path().join("run").to_string_lossy().into_owned();
        let arguments =
            ["train", &file, "--out", &run, "--set", "train.epochs=3", "--data-dir", &data_dir, "--json", "--quiet"];
        let ran = gmpc(&[arguments.as_slice(), small.as_slice()].concat()).expect(0);
        let done = ran.event("done");
        assert_eq!(done["epochs"], 3, "{file}: {done}");
        assert!(ran.json().iter().any(|line| line["event"] == "start"));
        for kept in ["metrics.jsonl", "best.safetensors", "last.safetensors"] {
            assert!(folder.path().join("run").join(kept).is_file(), "{file} keeps {kept}");
        }
    }
}

#[test]
fn the_examples_are_laid_out_canonically() {
    // The first model is there to be seen at one glance: five lines, where the canonical layout takes sixteen.
    for file in examples().iter().filter(|file| !file.ends_with("first.gmpnet")) {
        gmpc(&["fmt", "--check", file]).expect(0);
    }
}
