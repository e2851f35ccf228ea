//! Every example passes `check`, has the canonical layout, a summary and correct gradients, and trains.

use crate::support::{data_dir, gmpc, path_in, root};
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

/// The options that make an example small enough for a test: a few rendered images and a narrow network. `None` for
/// examples that stay too large, which are the deeper networks for images of 224x224. Their blocks have tests of their
/// own.
fn small(file: &str) -> Option<Vec<&'static str>> {
    const IMAGES: &str = "data=shapes32(train = 96, test = 32)";
    match file {
        "examples/vgg6.gmpnet" | "examples/cifar10_vgg6.gmpnet" => {
            Some(vec!["--set", IMAGES, "--set", "model.width=2", "--set", "train.batch=32"])
        }
        // Twenty layers: a gradient check of two channels would take half a minute.
        "examples/cifar10_resnet20.gmpnet" => {
            Some(vec!["--set", IMAGES, "--set", "model.width=1", "--set", "train.batch=32"])
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

/// Does training this example need files that are not in the repository?
fn needs_data(file: &str) -> bool {
    file.contains("banana") || file.contains("uci")
}

/// Trains an example for three epochs, if it is small, and checks the files of the run folder.
fn trains(file: &str, data_dir: &str) {
    let Some(small) = small(file) else { return };
    let folder = tempdir().unwrap();
    let run = path_in(&folder, "run");
    let arguments =
        ["train", file, "--out", &run, "--set", "train.epochs=3", "--data-dir", data_dir, "--json", "--quiet"];
    let ran = gmpc(&[arguments.as_slice(), small.as_slice()].concat()).expect(0);
    let done = ran.event("done");
    assert_eq!(done["epochs"], 3, "{file}: {done}");
    assert!(ran.json().iter().any(|line| line["event"] == "start"));
    for name in ["metrics.jsonl", "best.safetensors", "last.safetensors"] {
        assert!(folder.path().join("run").join(name).is_file(), "{file} leaves {name}");
    }
}

#[test]
fn every_example_without_data_files_trains_a_few_epochs_and_keeps_a_run_folder() {
    examples().iter().filter(|file| !needs_data(file)).for_each(|file| trains(file, "nowhere"));
}

#[test]
#[cfg_attr(not(has_data), ignore = "needs the data sets: set GMPNET_DATA to their folder")]
fn every_example_with_data_files_trains_a_few_epochs_and_keeps_a_run_folder() {
    let data = data_dir().to_string_lossy().into_owned();
    let with_data: Vec<String> = examples().into_iter().filter(|file| needs_data(file)).collect();
    assert_eq!(with_data.len(), 2, "{with_data:?}");
    with_data.iter().for_each(|file| trains(file, &data));
}

#[test]
fn the_examples_are_laid_out_canonically() {
    // The first model is there to be seen at one glance: five lines, where the canonical layout takes sixteen.
    for file in examples().iter().filter(|file| !file.ends_with("first.gmpnet")) {
        gmpc(&["fmt", "--check", file]).expect(0);
    }
}
