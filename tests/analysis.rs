//! `gmpc analyze` and `gmpc report` on boundaries that training recorded.

mod recorded;

use crate::support::{TINY, gmpc, path_in, write};
use gmpc_device::Numbers;
use gmpc_runtime::run::checkpoint::{encode, read};
use serde_json::json;
use std::path::Path;
use tempfile::{TempDir, tempdir};

/// A model of two inputs and a table for it, both written into a folder. Returns the path of the model.
fn plane(folder: &Path, param: &str) -> String {
    let row = |k: usize| {
        let (x, y) = ((0.7 * k as f64).sin(), (1.3 * k as f64).cos());
        format!("{x},{y},{}\n", if x * y > 0.0 { "yes" } else { "no" })
    };
    write(folder, "plane.csv", &(0..80).map(row).collect::<String>());
    let text = format!(
        "//! Two inputs, two hidden layers.
        param = {param}
        data = table(\"plane.csv\", target = 2, task = classification)
        model plane {{ input -> dense(6) as hidden -> relu -> dense(4) as deep -> relu -> linear(1) }}
        train {{ loss = binary_cross_entropy  optimizer = adam(lr = 0.05)  batch = 16  epochs = 6  metrics = [accuracy] }}"
    );
    write(folder, "plane.gmpnet", &text)
}

/// Trains a file into a run folder of this name. Returns the path of the run folder.
fn train(folder: &TempDir, file: &str, name: &str, options: &[&str]) -> String {
    let run = path_in(folder, name);
    gmpc(&[&["train", file, "--out", &run, "--quiet"], options].concat()).expect(0);
    run
}

/// The recorded boundaries of a layer: a header of 128 bytes, then single precision.
fn numbers(run: &str, layer: &str) -> Vec<u8> {
    std::fs::read(Path::new(run).join("boundaries").join(format!("{layer}.npy"))).expect("recorded boundaries")
}

#[test]
fn a_deep_network_is_followed_over_training() {
    let folder = tempdir().unwrap();
    let file = plane(folder.path(), "gmp");
    let run = train(&folder, &file, "run", &["--record", "boundaries(layers = all, epochs = 2)"]);
    let ran = gmpc(&["analyze", &run, "--regions", "--at", "0,4", "--json"]).expect(0);
    let lines = ran.json();
    let layers: Vec<_> = lines.iter().filter(|line| line["event"] == "boundaries").collect();
    assert_eq!((&layers[0]["layer"], &layers[0]["first"]), (&json!("hidden"), &json!(true)));
    assert_eq!((&layers[1]["layer"], &layers[1]["first"]), (&json!("deep"), &json!(false)));
    assert_eq!((&layers[1]["units"], &layers[1]["inputs"], &layers[1]["records"]), (&json!(4), &json!(6), &json!(4)));
    let moved = |line: &serde_json::Value| line["location"]["max"].as_f64().unwrap();
    assert!(layers.iter().all(|line| moved(line) > 0.0), "both layers learn");
    // The records are of the start and of epochs 2, 4 and 6. The last record is the end of the run, whose regions the
    // first line counts.
    let counts: Vec<_> = lines.iter().filter(|line| line["event"] == "regions").collect();
    let over = counts[0]["over_training"].as_array().unwrap();
    assert_eq!(over.iter().map(|one| one[0].as_u64().unwrap()).collect::<Vec<_>>(), [0, 2, 4, 6]);
    assert_eq!(over[3][1], counts[0]["regions"]);
    assert_eq!((&counts[1]["at"], &counts[1]["regions"]), (&json!(0), &over[0][1]));
    assert_eq!((&counts[2]["at"], &counts[2]["regions"]), (&json!(4), &over[2][1]));
    let ran = gmpc(&["analyze", &run, "--regions", "--at", "3"]).expect(2);
    assert!(ran.stderr.contains("has no record of epoch 3") && ran.stderr.contains("0, 2, 4"), "{}", ran.stderr);
    // Regions of an earlier epoch need the states of all layers, which only `layers = all` records.
    let plain = train(&folder, &file, "plain", &["--record", "boundaries"]);
    let ran = gmpc(&["analyze", &plain, "--regions", "--at", "2"]).expect(2);
    assert!(ran.stderr.contains("boundaries(layers = all)"), "{}", ran.stderr);
    let states = |run: &str| std::fs::read(Path::new(run).join("states.npy"));
    // Every state (6 x 1 angles, 4 x 5 angles, …) is padded to a multiple of 16 numbers of 4 bytes, and there are four
    // records.
    assert_eq!((states(&run).unwrap().len() - 128) % (4 * 4 * 16), 0);
    assert!(states(&plain).is_err());
}

#[test]
fn filters_of_a_first_convolution_are_followed_in_the_space_of_their_patches() {
    let folder = tempdir().unwrap();
    for (name, param) in [("gmp", "gmp"), ("gmp-mn", "gmp + mn")] {
        let text = format!(
            "param = {param}
            data  = shapes32(train = 60, test = 20)
            model small {{ input -> conv(4, 3, stride = 2) as stem -> relu -> global_avg_pool -> linear(data.classes) }}
            train {{ loss = cross_entropy  optimizer = sgd(lr = 0.1)  batch = 20  epochs = 2  record = boundaries }}"
        );
        let file = write(folder.path(), &format!("{name}.gmpnet"), &text);
        let run = train(&folder, &file, name, &[]);
        assert_eq!(numbers(&run, "stem").len(), 128 + 3 * (28 * 4) * 4);
        let ran = gmpc(&["analyze", &run, "--json"]).expect(0);
        let line = ran.event("boundaries");
        assert_eq!((&line["layer"], &line["inputs"], &line["records"]), (&json!("stem"), &json!(27), &json!(3)));
        let count = |name: &str| line[name].as_u64().unwrap();
        assert_eq!(count("dead") + count("always_active") + count("splitting"), 4);
        assert!(line["direction"]["max"].as_f64().unwrap() > 0.0);
        assert!(ran.stderr.contains("patches of"), "{}", ran.stderr);
        let ran = gmpc(&["analyze", &run, "--regions"]).expect(2);
        assert!(ran.stderr.contains("3072 inputs"), "{}", ran.stderr);
    }
}

#[test]
fn runs_are_analyzed_side_by_side() {
    let folder = tempdir().unwrap();
    let runs: Vec<String> = ["sp", "wn", "bn", "gmp"]
        .iter()
        .map(|param| train(&folder, &plane(folder.path(), param), param, &["--record", "boundaries"]))
        .collect();
    let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
    let ran = gmpc(&[&["analyze", "--json"], &runs[..]].concat()).expect(0);
    let lines = ran.json();
    assert_eq!(lines.len(), 8);
    for line in lines.iter().filter(|line| line["layer"] == "hidden") {
        assert_eq!((&line["units"], &line["records"], &line["rows"]), (&json!(6), &json!(7), &json!(51)));
        assert!(line["location"]["max"].as_f64().unwrap() >= line["location"]["mean"].as_f64().unwrap());
        let count = |name: &str| line[name].as_u64().unwrap();
        assert_eq!(count("dead") + count("always_active") + count("splitting"), 6);
        assert!(count("cells") >= 2);
    }
    assert!(ran.stderr.contains("drift of the boundaries per epoch"), "people's text: {}", ran.stderr);
}

/// Overwrites the weights that a run ended with: tensors of these names get these numbers.
fn put(run: &str, numbers: &[(&str, &[f32])]) {
    for file in ["best.safetensors", "last.safetensors"] {
        let path = Path::new(run).join(file);
        let mut checkpoint = read(&path).unwrap();
        for (name, data) in numbers {
            let stored = checkpoint.tensors.get_mut(*name).expect(name);
            assert_eq!(stored.shape.iter().product::<usize>(), data.len(), "{name}");
            stored.numbers = Numbers::F32(data.to_vec());
        }
        std::fs::write(path, encode(&checkpoint).unwrap()).unwrap();
    }
}

#[test]
fn units_that_never_switch_are_counted_in_every_layer() {
    let folder = tempdir().unwrap();
    let run = train(&folder, &plane(folder.path(), "sp"), "run", &[]);
    // Standardized rows of the plane lie within -1.8 to 1.8. In the first layer, four units give |x| and |y|. The fifth
    // unit is never active, since its offset is -9, and the sixth is always active. In the second layer, one unit is
    // never active although its boundary cuts the space of its input: |x| + |y| is never negative.
    let hidden = [1.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0, -1.0, 1.0, 1.0, 1.0, 1.0];
    let deep: Vec<f32> =
        [[1.0; 6], [-1.0, -1.0, -1.0, -1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0, 0.0, 0.0], [0.0; 6]].concat();
    put(
        &run,
        &[
            ("hidden.w", &hidden),
            ("hidden.b", &[0.0, 0.0, 0.0, 0.0, -9.0, 9.0]),
            ("deep.w", &deep),
            ("deep.b", &[0.0, -0.5, -1.0, 3.0]),
        ],
    );
    let ran = gmpc(&["analyze", &run, "--json"]).expect(0);
    let counts = |line: &serde_json::Value| {
        ["units", "dead", "always_active", "splitting"].map(|name| line[name].as_u64().unwrap())
    };
    let lines = ran.json();
    assert_eq!(counts(&lines[0]), [6, 1, 1, 4], "{}", lines[0]);
    assert_eq!(counts(&lines[1]), [4, 1, 2, 1], "{}", lines[1]);
    assert_eq!((&lines[1]["dead_share"], &lines[1]["always_active_share"]), (&json!(0.25), &json!(0.5)));
    // The report shows the same counts as `analyze`.
    let page = folder.path().join("report.html");
    gmpc(&["report", &run, "-o", &page.to_string_lossy(), "--quiet"]).expect(0);
    let text = std::fs::read_to_string(page).unwrap();
    let row = text
        .lines()
        .find(|line| line.starts_with("<tr>") && line.contains(">deep<"))
        .expect("a row of the second layer");
    for (head, number) in [("units", 4), ("dead", 1), ("always on", 2), ("splitting", 1)] {
        assert!(row.contains(&format!("data-head=\"{head}\">{number}</td>")), "{head}: {row}");
    }
}

#[test]
fn a_filter_is_dead_where_it_is_active_at_no_place_of_any_image() {
    let folder = tempdir().unwrap();
    let text = "precision = f32
        data  = shapes32(train = 60, test = 20)
        model small {
            input -> conv(2, 3) as stem -> relu -> max_pool(4) -> conv(3, 1) as deep -> relu -> global_avg_pool
                -> linear(data.classes)
        }
        train { loss = cross_entropy  optimizer = sgd(lr = 0.1)  batch = 20  epochs = 1 }";
    let run = train(&folder, &write(folder.path(), "small.gmpnet", text), "run", &["--param", "sp"]);
    // The two filters of the stem are the constants 1 and 2. The sums of the three filters behind it are therefore 1 - 2
    // + 0.5 < 0 (never active), 1 + 2 - 2.5 > 0 (always active) and 2 - 2 = 0 (never active: ReLU is active above 0
    // only).
    put(
        &run,
        &[
            ("stem.w", &[0.0; 54]),
            ("stem.b", &[1.0, 2.0]),
            ("deep.w", &[1.0, -1.0, 1.0, 1.0, 2.0, -1.0]),
            ("deep.b", &[0.5, -2.5, 0.0]),
        ],
    );
    let ran = gmpc(&["analyze", &run, "--json"]).expect(0);
    let lines: Vec<_> = ran.json().into_iter().filter(|line| line["event"] == "boundaries").collect();
    let counts = |line: &serde_json::Value| ["units", "dead", "always_active", "rows"].map(|name| line[name].as_u64());
    assert_eq!(counts(&lines[0]), [2, 0, 2, 48].map(Some), "{}", lines[0]);
    assert_eq!(counts(&lines[1]), [3, 2, 1, 48].map(Some), "{}", lines[1]);
}

#[test]
fn a_perturbed_unit_turns_no_further_than_the_bound_says() {
    let folder = tempdir().unwrap();
    let run = train(&folder, &plane(folder.path(), "gmp"), "run", &[]);
    for unit in ["hidden.2", "deep.1"] {
        let ran = gmpc(&["analyze", &run, "--perturb", "1e-4,1e-1", "--unit", unit, "--json"]).expect(0);
        let lines: Vec<_> = ran.json().into_iter().filter(|line| line["event"] == "perturbed").collect();
        assert_eq!(lines.len(), 8);
        for line in &lines {
            let turn = line["turn"].as_f64().unwrap();
            match line["bound"].as_f64() {
                Some(bound) => assert!(turn <= bound * (1.0 + 1e-9), "{line}"),
                None => assert!(line["param"] != "gmp", "{line}"),
            }
        }
    }
    let ran = gmpc(&["analyze", &run, "--perturb", "0.1", "--unit", "hiden.2"]).expect(2);
    assert!(ran.stderr.contains("hidden.0"), "the units are listed: {}", ran.stderr);
    gmpc(&["analyze", &run, "--perturb", "0.1", "--unit", "hidden.6"]).expect(2);
    gmpc(&["analyze", &run, "--perturb", "lots"]).expect(2);
}

#[test]
fn regions_of_a_trained_deep_network_are_counted_and_drawn() {
    let folder = tempdir().unwrap();
    let run = train(&folder, &plane(folder.path(), "gmp"), "run", &["--record", "boundaries"]);
    let figures = folder.path().join("figures");
    let ran = gmpc(&["analyze", &run, "--regions", "--figures", &figures.to_string_lossy(), "--json"]).expect(0);
    let regions = ran.event("regions");
    assert!(regions["complete"] == true && regions["regions"].as_u64().unwrap() > 6, "{regions}");
    for name in ["figure-2c", "figure-3i", "figure-3a-h", "figure-3j-m", "regions-run"] {
        let svg = std::fs::read_to_string(figures.join(format!("{name}.svg"))).expect(name);
        assert!(svg.trim_end().ends_with("</svg>") && !svg.contains("NaN"), "{name}");
        let csv = std::fs::read_to_string(figures.join(format!("{name}.csv"))).expect(name);
        let widths: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
        assert!(widths.len() > 2 && widths.iter().all(|width| *width == widths[0]), "{name}");
    }
    let tiny = train(&folder, &write(folder.path(), "tiny.gmpnet", TINY), "tiny", &[]);
    gmpc(&["analyze", &tiny, "--regions"]).expect(2);
}

#[test]
fn a_report_is_one_page_that_asks_for_nothing() {
    let folder = tempdir().unwrap();
    let runs: Vec<String> = ["sp", "gmp"]
        .iter()
        .map(|param| train(&folder, &plane(folder.path(), param), param, &["--record", "boundaries"]))
        .collect();
    let page = folder.path().join("report.html");
    gmpc(&["report", &runs[0], &runs[1], "-o", &page.to_string_lossy(), "--quiet"]).expect(0);
    let text = std::fs::read_to_string(&page).unwrap();
    for wanted in
        ["<title>gmpc: sp, gmp</title>", "valid.accuracy", "data-moments", "binary_cross_entropy", "Figure 3j"]
    {
        assert!(text.contains(wanted), "{wanted}");
    }
    // XML namespaces look like addresses, but a browser does not request them.
    let addresses = text.matches("http").count() - text.matches("http://www.w3.org/").count();
    assert!(addresses == 0 && !text.contains("src=") && text.len() < 3_000_000, "{} bytes", text.len());
    let moments = text.split("data-moments>").nth(1).and_then(|rest| rest.split("</script>").next()).unwrap();
    let moments: serde_json::Value = serde_json::from_str(moments).expect("the moments of the slider");
    assert_eq!(moments["plots"][0].as_array().unwrap().len(), 7, "before training and after six epochs");
}

#[test]
fn a_folder_without_a_run_is_an_error() {
    gmpc(&["analyze", "nowhere"]).expect(6);
    gmpc(&["analyze"]).expect(2);
}
