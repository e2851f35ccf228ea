//! `gmpc bench`: measurements that are kept in a file and compared with. What the times are is no matter of a test.

use crate::support::{gmpc, path_in, write};
use tempfile::tempdir;

const TINY: &str = "//! A small network.\n\nmodel tiny(input: [3]) {\n    input -> dense(5) -> relu -> linear(1)\n}\n\n\
                    train {\n    loss      = mse\n    optimizer = sgd(lr = 0.1)\n    batch     = 4\n}\n";

#[test]
fn a_measurement_is_kept_and_compared_with() {
    let folder = tempdir().unwrap();
    let (file, kept) = (write(folder.path(), "tiny.gmpnet", TINY), path_in(&folder, "kept.json"));
    for param in ["sp", "gmp"] {
        gmpc(&["bench", &file, "--param", param, "--threads", "1", "--record", &kept, "--quiet"]).expect(0);
    }
    let text = std::fs::read_to_string(&kept).unwrap();
    assert_eq!(text.matches("\"network\":\"tiny\"").count(), 2, "one for each parameterization: {text}");
    // Recorded again, it takes the place of the older one.
    gmpc(&["bench", &file, "--param", "sp", "--threads", "1", "--record", &kept, "--no-kernels", "--quiet"]).expect(0);
    assert_eq!(std::fs::read_to_string(&kept).unwrap().matches("\"network\":\"tiny\"").count(), 2);

    let against = ["bench", &file, "--param", "gmp", "--threads", "1", "--against", &kept];
    let found = gmpc(&[&against[..], &["--json", "--quiet"]].concat()).expect(0).event("bench_against");
    let kernels = found["kernels"].as_array().unwrap();
    assert!(
        !kernels.is_empty()
            && found["new"].as_array().unwrap().is_empty()
            && found["gone"].as_array().unwrap().is_empty()
    );
    assert!(kernels.iter().all(|one| one["ratio"].as_f64().unwrap() > 0.0 && one["noise"].as_f64().unwrap() >= 0.03));
    assert!(found["step"]["before_us"].as_f64().unwrap() > 0.0 && found["other_processor"].is_null(), "{found}");
    assert!(gmpc(&against).expect(0).stdout.contains("against "));
}

#[test]
fn what_cannot_be_compared_is_refused_with_what_there_is() {
    let folder = tempdir().unwrap();
    let (file, kept) = (write(folder.path(), "tiny.gmpnet", TINY), path_in(&folder, "kept.json"));
    let bench = |more: &[&str]| gmpc(&[&["bench", &file, "--no-kernels", "--threads", "1"], more].concat());
    assert!(bench(&["--against", &kept]).expect(6).stderr.contains("cannot read"));
    bench(&["--record", &kept, "--quiet"]).expect(0);
    let other = bench(&["--against", &kept, "--batch", "8"]).expect(2).stderr;
    assert!(other.contains("has no measurement of tiny, param sp, 8 rows") && other.contains("4 rows"), "{other}");
    assert!(
        bench(&["--against", &kept, "--param", "sp,gmp"]).expect(2).stderr.contains("one parameterization at a time")
    );
    // Something else is neither read nor overwritten.
    let table = write(folder.path(), "rows.csv", "a,b\n1,2\n");
    assert!(bench(&["--record", &table]).expect(6).stderr.contains("is not a baseline"));
    assert_eq!(std::fs::read_to_string(&table).unwrap(), "a,b\n1,2\n");
    let later = write(folder.path(), "later.json", "{\"version\": 7, \"measurements\": []}");
    assert!(bench(&["--against", &later]).expect(6).stderr.contains("its version is 7"));
}
