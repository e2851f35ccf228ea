//! `gmpc reproduce`: the numbers of Figure 1, short versions of the other figures and tables and of the test of rates, their pages,
//! and what a second call takes over from the first.

use crate::support::{data_dir, gmpc_in};
use std::path::Path;
use tempfile::tempdir;

/// The page that a reproduction writes.
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
    let here = folder.path().join("reproduced/fig1");
    assert!(here.join("figures/figure-1.svg").is_file() && here.join("figures/figure-1.csv").is_file());
    assert!(page(&here).contains("mirrors the unit"), "known disagreements are on the page");
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
    // The second call takes over the finished runs and does not touch their folders.
    let before = std::fs::metadata(here.join("runs").read_dir().unwrap().next().unwrap().unwrap().path()).unwrap();
    let again = gmpc_in(folder.path(), &short).expect(0);
    assert!(again.stderr.contains("stored before"), "{}", again.stderr);
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
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("the same command continues"), "{stderr}");
    let again = gmpc_in(folder.path(), &long).expect(0);
    assert!(again.stderr.contains("stored before"), "{}", again.stderr);
}

#[test]
fn figure_4_runs_on_other_images_and_says_what_they_are() {
    let folder = tempdir().unwrap();
    // Everything that decides how long training takes is reduced. The paper's data set is replaced by computed images.
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
    // The page must not let a reader mistake these numbers for results on the paper's data.
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
fn the_claim_about_rates_is_tested_in_short_and_says_that_it_is() {
    let folder = tempdir().unwrap();
    let short =
        ["--only", "levy", "--repeats", "2", "--set", "train.epochs=20", "--set", "train.optimizer.lr=0.01,0.1,1e30"];
    let ran = gmpc_in(folder.path(), &[&["reproduce", "rates", "--json"], &short[..]].concat()).expect(0);
    let lines = ran.json();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    let rates = of("rates");
    assert_eq!((rates.len(), of("cell").len(), of("verdict").len()), (4, 12, 4));
    for one in &rates {
        // At the last rate no network learns, so that the range ends before it.
        assert_eq!((&one["data"], &one["runs"]), (&"levy".into(), &6.into()), "{one}");
        assert!(one["high"].is_null() || one["high"].as_f64() <= Some(0.1), "{one}");
    }
    let text = page(&folder.path().join("reproduced/rates"));
    for part in
        ["What holds and what does not", "Without banana, uci, cifar10.", "train.epochs = 20.", "What this cannot tell"]
    {
        assert!(text.contains(part), "{part}");
    }
    assert!(ran.stderr.contains("Too few data sets"), "one data set is no test: {}", ran.stderr);
    assert!(folder.path().join("reproduced/rates/figures/sensitivity-levy-train-optimizer-lr.svg").is_file());
    let wrong = gmpc_in(folder.path(), &["reproduce", "rates", "--only", "mnist"]).expect(2);
    assert!(wrong.stderr.contains("banana"), "{}", wrong.stderr);
    gmpc_in(folder.path(), &["reproduce", "fig1", "--only", "levy"]).expect(2);
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
#[cfg_attr(not(has_data), ignore = "needs the data sets: set GMPNET_DATA to their folder")]
fn one_row_of_table_1_is_reproduced() {
    let data = data_dir();
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
