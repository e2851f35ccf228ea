//! Repeating the paper: the numbers of Figure 1, short versions of the others, what is said about them, what is kept.

use crate::support::{data_dir, gmpc_in};
use std::path::Path;
use tempfile::tempdir;

fn page(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("report.html")).expect("a page")
}

#[test]
fn figure_1_is_reproduced_with_the_expected_numbers() {
    let folder = tempdir().unwrap();
    let ran = gmpc_in(folder.path(), &["reproduce", "fig1", "--json"]).expect(0);
    let lines: Vec<_> = ran.json().into_iter().filter(|line| line["event"] == "perturbed").collect();
    assert_eq!(lines.len(), 12);
    for line in &lines {
        for (name, digits) in [("direction_degrees", 5e-3), ("lambda", 5e-5)] {
            let (ours, theirs) = (line[name].as_f64().unwrap(), line["expected"][name].as_f64().unwrap());
            assert!((ours - theirs).abs() <= digits, "{line}");
        }
    }
    let kept = folder.path().join("reproduced/fig1");
    assert!(kept.join("figures/figure-1.svg").is_file() && kept.join("figures/figure-1.csv").is_file());
    assert!(page(&kept).contains("mirrors the unit"), "known disagreements are on the page");
}

#[test]
fn figure_2_is_reproduced_in_short_and_says_that_it_is() {
    let folder = tempdir().unwrap();
    let short = ["reproduce", "fig2", "--repeats", "2", "--set", "train.epochs=30", "-o", "here", "--json"];
    let ran = gmpc_in(folder.path(), &short).expect(0);
    let cells: Vec<_> = ran.json().into_iter().filter(|line| line["event"] == "cell").collect();
    assert_eq!(cells.len(), 4);
    assert!(cells.iter().all(|cell| cell["n"] == 2));
    let here = folder.path().join("here");
    let text = page(&here);
    for part in ["train.epochs = 30 (the paper: 10000)", "2 runs of each instead of 10", "0.496", "Known disagreements"]
    {
        assert!(text.contains(part), "{part}");
    }
    for figure in ["figure-2c", "figure-2d-g"] {
        assert!(here.join(format!("figures/{figure}.svg")).is_file(), "{figure}");
    }
    assert!(ran.stderr.contains("0.496") && ran.stderr.contains("paper"), "{}", ran.stderr);
    // What is finished is not run again.
    let before = std::fs::metadata(here.join("runs").read_dir().unwrap().next().unwrap().unwrap().path()).unwrap();
    let again = gmpc_in(folder.path(), &short).expect(0);
    assert!(again.stderr.contains("kept from before"), "{}", again.stderr);
    let after = std::fs::metadata(here.join("runs").read_dir().unwrap().next().unwrap().unwrap().path()).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
}

#[cfg(unix)]
#[test]
fn a_reproduction_that_is_stopped_goes_on_where_it_was() {
    let folder = tempdir().unwrap();
    let long = ["reproduce", "fig2", "--repeats", "3", "--set", "train.epochs=2000", "--threads", "1", "-o", "here"];
    let mut command = crate::support::command(folder.path(), &long);
    let child = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let cells = || std::fs::read_dir(folder.path().join("here/cells")).map_or(0, Iterator::count);
    while cells() < 4 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("the same command goes on"), "{told}");
    let again = gmpc_in(folder.path(), &long).expect(0);
    assert!(again.stderr.contains("kept from before"), "{}", again.stderr);
}

#[test]
fn figure_4_runs_on_other_images_and_says_what_they_are() {
    let folder = tempdir().unwrap();
    let ran = gmpc_in(
        folder.path(),
        &[
            "reproduce",
            "fig4",
            "--repeats",
            "2",
            "--param",
            "sp,gmp + mn",
            "--set",
            "data=shapes32(train = 64, test = 32)",
            "--set",
            "model.width=2",
            "--set",
            "train.batch=32",
            "--set",
            "train.epochs=2",
            "--json",
        ],
    )
    .expect(0);
    assert_eq!(ran.json().iter().filter(|line| line["event"] == "cell").count(), 2);
    let beside: Vec<_> = ran.json().into_iter().filter(|line| line["event"] == "beside").collect();
    assert_eq!(beside.len(), 4, "two parameterizations, top-5 and top-1");
    assert_eq!((&beside[0]["paper"]["mean"], &beside[0]["paper"]["other_data"]), (&58.14.into(), &"imagenet32".into()));
    let text = page(&folder.path().join("reproduced/fig4"));
    assert!(
        text.contains("not imagenet32")
            && text.contains("paper, imagenet32")
            && text.contains("(here on shapes32)")
            && text.contains("66.98"),
        "what it is not, and the paper's number"
    );
    assert!(text.contains("train.top5"), "curves");
}

#[test]
fn tables_name_the_data_that_are_not_here() {
    let folder = tempdir().unwrap();
    for (what, set, how) in [
        ("table1", "uci.boston", "data fetch"),
        ("table2", "imagenet32", "image-net.org"),
        ("table3", "imagenet", "data="),
    ] {
        let ran = gmpc_in(folder.path(), &["reproduce", what, "--data-dir", "nowhere"]).expect(3);
        assert!(ran.stderr.contains(set) && ran.stderr.contains(how), "{}", ran.stderr);
    }
    gmpc_in(folder.path(), &["reproduce", "table9"]).expect(2);
    let ran = gmpc_in(folder.path(), &["reproduce", "fig2", "--set", "train.epohcs=3"]).expect(1);
    assert!(ran.stderr.contains("epohcs"), "{}", ran.stderr);
}

#[test]
fn one_row_of_table_1_is_reproduced() {
    let Some(data) = data_dir() else { return eprintln!("skipped: no data folder") };
    let folder = tempdir().unwrap();
    let data = data.to_string_lossy();
    let ran = gmpc_in(
        folder.path(),
        &[
            "reproduce",
            "table1",
            "--repeats",
            "2",
            "--set",
            "data=uci.boston",
            "--set",
            "train.epochs=3",
            "--data-dir",
            &data,
        ],
    )
    .expect(0);
    assert!(ran.stdout.contains("uci.boston") && ran.stdout.contains("3.057 ± 0.144"), "{}", ran.stdout);
}
