//! `gmpc export` as a person uses it: the files agree with `predict`, say what they leave out, and are written where they may be.
//! What every network becomes in every form is tested in `compiler/export/tests`.

use crate::support::{gmpc, write};
use gmpc_export::onnx;
use serde_json::json;
use std::path::Path;
use tempfile::tempdir;

const NET: &str = "
//! A table whose columns are scaled, and so are its targets.
param = gmp + mn
data = table(\"rows.csv\", target = \"y\", standardize = all, split = random(train = 0.8))
model net { input -> dense(12) as lambda -> relu -> dense(7) -> tanh -> linear(1) }
train { loss = mse  optimizer = adam(lr = 0.02)  batch = 16  epochs = 3  metrics = [rmse] }
";

/// 40 rows of three features, one of them constant and one far from 0, and a target.
fn table(folder: &Path) -> (String, Vec<f64>) {
    let mut text = String::from("a,\"say \"\"b\"\"\",c,y\n");
    let mut inputs = Vec::new();
    for i in 0..40 {
        let i = f64::from(i);
        let row = [(i * 0.7).sin(), 5.0, 2000.0 + i];
        text += &format!("{},{},{},{}\n", row[0], row[1], row[2], 100.0 * row[0] + i);
        inputs.extend(row);
    }
    (write(folder, "rows.csv", &text), inputs)
}

fn trained(folder: &Path) -> (String, Vec<f64>, Vec<f64>) {
    trained_from(folder, NET)
}

/// Trains this network, and returns its run, the numbers of the rows, and its predictions for them.
fn trained_from(folder: &Path, text: &str) -> (String, Vec<f64>, Vec<f64>) {
    let (rows, inputs) = table(folder);
    let file = write(folder, "net.gmpnet", text);
    let run = folder.join("run").to_string_lossy().into_owned();
    gmpc(&["train", &file, "--out", &run, "--quiet"]).expect(0);
    let csv = gmpc(&["predict", &run, "--input", &rows]).expect(0).stdout;
    let predictions = csv.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect();
    (run, inputs, predictions)
}

fn output(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

#[test]
fn an_onnx_file_takes_the_numbers_of_the_table() {
    let folder = tempdir().unwrap();
    let (run, inputs, predictions) = trained(folder.path());
    let file = output(folder.path(), "net.onnx");
    let ran = gmpc(&["export", &run, "--as", "onnx", "-o", &file, "--json"]).expect(0);
    let event = ran.event("exported");
    assert_eq!((&event["checked_rows"], &event["files"][0]), (&7.into(), &file.clone().into()));
    assert!(event["difference"].as_f64().unwrap() < 1e-5, "{event}");
    let bytes = std::fs::read(&file).unwrap();
    for rows in [1, 2, 7, 40] {
        let found = onnx::evaluate(&bytes, rows, &inputs[..3 * rows]).unwrap();
        for (our, their) in predictions.iter().zip(&found[onnx::PREDICTION]) {
            assert!((our - their).abs() < 1e-5 * (1.0 + our.abs()), "{rows} rows: {our} and {their}");
        }
    }
}

#[test]
fn test_rows_are_compared_where_the_table_is_and_made_up_ones_elsewhere() {
    let folder = tempdir().unwrap();
    let (run, ..) = trained(folder.path());
    let file = output(folder.path(), "net.onnx");
    let said = || gmpc(&["export", &run, "--as", "onnx", "-o", &file]).expect(0).stderr;
    assert!(said().contains("on 7 test rows"), "{}", said());
    std::fs::remove_file(folder.path().join("rows.csv")).unwrap();
    assert!(said().contains("on 7 rows made up by a formula"), "{}", said());
}

#[test]
fn what_nobody_can_compute_is_written_with_a_note() {
    let folder = tempdir().unwrap();
    let (run, ..) = trained(folder.path());
    let mut command = crate::support::command(folder.path(), &["export", &run, "--as", "c", "-o", "net"]);
    command.env("CC", "no-such-compiler");
    let ran = crate::support::run(command).expect(0);
    assert!(ran.stderr.contains("W0597") && ran.stderr.contains("no-such-compiler"), "{}", ran.stderr);
    assert!(folder.path().join("net.c").is_file() && folder.path().join("net.h").is_file());
    let ran = gmpc(&["export", &run, "--as", "torch", "-o", &output(folder.path(), "net"), "--no-check"]).expect(0);
    assert!(ran.stderr.contains("W0597"), "{}", ran.stderr);
    assert!(folder.path().join("net.py").is_file() && folder.path().join("net.safetensors").is_file());
}

#[test]
#[cfg_attr(not(has_cc), ignore = "needs a C compiler")]
fn machine_code_and_weights_beside_are_compared_with_predict() {
    let folder = tempdir().unwrap();
    let (run, ..) = trained(folder.path());
    for (form, name, more, files) in [
        ("object", "machine", &[][..], &["machine.o", "machine.h"][..]),
        ("c", "net", &["--weights", "beside"], &["net.c", "net.h", "net.weights"]),
    ] {
        let place = output(folder.path(), name);
        let arguments = [&["export", &run, "--as", form, "-o", &place, "--json"], more].concat();
        let event = gmpc(&arguments).expect(0).event("exported");
        assert!(event["difference"].as_f64().unwrap() < 1e-5, "{event}");
        assert!(files.iter().all(|file| folder.path().join(file).is_file()), "{event}");
    }
    let header = std::fs::read_to_string(folder.path().join("net.h")).unwrap();
    assert!(header.contains("_WEIGHTS_BYTES") && header.contains("net_weights(const void *file"), "{header}");
    let refused = gmpc(&["export", &run, "--as", "object", "--weights", "beside", "-o", "net"]).expect(2).stderr;
    assert!(refused.contains("`--as c`"), "{refused}");
}

#[test]
fn files_of_a_run_and_endings_of_other_forms_are_refused() {
    let folder = tempdir().unwrap();
    let (run, ..) = trained(folder.path());
    let refused = |form: &str, path: &str| gmpc(&["export", &run, "--as", form, "-o", path]).expect(2).stderr;
    let inside = format!("{run}/last.py");
    assert!(refused("torch", &inside).contains("belongs to the run"), "its safetensors would be the run's");
    assert!(refused("onnx", &output(folder.path(), "net.c")).contains("`.onnx`"));
    assert!(refused("c", &run).contains("is a folder"));
    assert!(gmpc(&["export", &run, "--as", "c", "--fold", "-o", "net.c"]).expect(2).stderr.contains("`--as torch`"));
    assert!(
        gmpc(&["export", &output(folder.path(), "none"), "--as", "c", "-o", "net.c"])
            .expect(6)
            .stderr
            .contains("is not a run folder")
    );
}

#[test]
fn what_stays_outside_is_said_on_the_screen_and_in_the_file() {
    let folder = tempdir().unwrap();
    let text = "
        data  = shapes32(sample = 40, transform = [center_crop(24)])
        model small { input -> conv(3, 3) -> relu -> global_avg_pool -> dropout(0.1) -> linear(data.classes) }
        train { loss = cross_entropy  optimizer = adam(lr = 0.01)  batch = 8  epochs = 1 }";
    let file = write(folder.path(), "small.gmpnet", text);
    let run = output(folder.path(), "run");
    gmpc(&["train", &file, "--out", &run, "--quiet"]).expect(0);
    let onnx = output(folder.path(), "small.onnx");
    let ran = gmpc(&["export", &run, "--as", "onnx", "-o", &onnx, "--raw"]).expect(0);
    for said in ["W0593", "center_crop", "dropout", "W0596"] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    let bytes = std::fs::read(&onnx).unwrap();
    let inside = String::from_utf8_lossy(&bytes);
    assert!(inside.contains("center_crop") && inside.contains("disc, filled") && inside.contains("\"divisor\":255"));
}

/// A tensor of a state dict: name, shape, numbers.
type Named = (&'static str, &'static [usize], Vec<f32>);

/// A state dict as PyTorch's users write it.
fn state_dict(folder: &Path, name: &str, tensors: &[Named]) -> String {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(.., numbers)| numbers.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let view = |((name, shape, _), bytes): (&Named, &Vec<u8>)| {
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), bytes).unwrap();
        (name.to_string(), view.data().to_vec(), shape.to_vec())
    };
    let owned: Vec<(String, Vec<u8>, Vec<usize>)> = tensors.iter().zip(&bytes).map(view).collect();
    let views = owned.iter().map(|(name, data, shape)| {
        (name.clone(), safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), data).unwrap())
    });
    let path = folder.join(name);
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path.to_string_lossy().into_owned()
}

/// Weights of a network 3-2-1, and what it predicts for a row, by hand.
fn small() -> (Vec<Named>, impl Fn([f64; 3]) -> f64) {
    let tensors: Vec<Named> = vec![
        ("fc1.weight", &[2, 3], vec![0.5, -1.0, 0.25, 2.0, 0.0, -0.5]),
        ("fc1.bias", &[2], vec![0.125, -0.25]),
        ("fc2.weight", &[1, 2], vec![1.5, -2.0]),
        ("fc2.bias", &[1], vec![0.75]),
    ];
    let predict = |[a, b, c]: [f64; 3]| {
        let first = (0.5 * a - b + 0.25 * c + 0.125).max(0.0);
        let second = (2.0 * a - 0.5 * c - 0.25).max(0.0);
        1.5 * first - 2.0 * second + 0.75
    };
    (tensors, predict)
}

#[test]
fn a_state_dict_becomes_a_run_in_any_parameterization() {
    let folder = tempdir().unwrap();
    let (rows, inputs) = table(folder.path());
    let text = "data = table(\"rows.csv\", target = \"y\", standardize = none, split = random(train = 0.8))
        model net { input -> dense(2) as fc1 -> relu -> linear(1) as fc2 }
        train { loss = mse  optimizer = adam(lr = 0.02)  batch = 16  epochs = 3 }";
    let file = write(folder.path(), "net.gmpnet", text);
    let (tensors, by_hand) = small();
    let weights = state_dict(folder.path(), "fc.safetensors", &tensors);
    for (place, param) in ["sp", "gmp", "wn", "gmp + mn", "bn"].into_iter().enumerate() {
        let run = output(folder.path(), &format!("run{place}"));
        let import = ["import", &file, "--param", param, "--weights", &weights, "-o", &run, "--json"];
        let event = gmpc(&import).expect(0).event("imported");
        assert_eq!(
            (event["filled"].as_array().unwrap().len(), &event["drawn"], &event["unused"]),
            (4, &json!([]), &json!([]))
        );
        let csv = gmpc(&["predict", &run, "--input", &rows]).expect(0).stdout;
        for (line, row) in csv.lines().skip(1).zip(inputs.as_chunks::<3>().0) {
            let (found, right): (f64, f64) = (line.rsplit(',').next().unwrap().parse().unwrap(), by_hand(*row));
            assert!((found - right).abs() < 1e-5 * right.abs().max(1.0), "{param}: {found} and {right}");
        }
    }
}

#[test]
fn names_that_do_not_fit_are_told_with_the_mapping_that_would() {
    let folder = tempdir().unwrap();
    table(folder.path());
    let text = "data = table(\"rows.csv\", target = \"y\", split = random(train = 0.8))
        model net { input -> dense(2) as hidden -> relu -> linear(1) as last }
        train { loss = mse  optimizer = adam(lr = 0.02)  batch = 16  epochs = 3 }";
    let file = write(folder.path(), "net.gmpnet", text);
    let weights = state_dict(folder.path(), "fc.safetensors", &small().0);
    let run = output(folder.path(), "run");
    let import = |more: &[&str]| gmpc(&[&["import", &file, "--weights", &weights, "-o", &run], more].concat());
    let said = import(&[]).expect(2).stderr;
    for part in ["E0830", "fc1.weight [2, 3]", "hidden.weight [2, 3]", "--names fc1=hidden,fc2=last"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(import(&["--names", "fc1=last"]).expect(2).stderr.contains("and the layer `last` takes [1, 2]"));
    let twice = ["--names", "fc1=hidden,fc2=hidden"];
    assert!(import(&twice).expect(2).stderr.contains("gives `hidden` two names"), "the last would win");
    assert!(import(&["--names", "fc1=first"]).expect(2).stderr.contains("no layer of units called `first`"));
    assert!(import(&["--names", "fc3=last"]).expect(2).stderr.contains("no `fc3.weight`"));
    assert!(!Path::new(&run).exists(), "nothing was written");
    let ran = import(&["--names", "fc1=hidden"]).expect(0);
    for part in ["W0830", "`last`", "W0831", "`fc2.bias`, `fc2.weight`", "fc1.weight -> hidden"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let broken = write(folder.path(), "broken.safetensors", "no tensors");
    assert!(
        gmpc(&["import", &file, "--weights", &broken, "-o", "other"]).expect(6).stderr.contains("no safetensors file")
    );
}

#[test]
fn every_number_of_a_state_dict_is_used_or_told() {
    let folder = tempdir().unwrap();
    let (rows, _) = table(folder.path());
    let text = "data = table(\"rows.csv\", target = \"y\", standardize = none, split = random(train = 0.8))
        model net { input -> linear(2) as fc -> layer_norm as norm -> linear(1) as last }
        train { loss = mse  optimizer = adam(lr = 0.02)  batch = 16  epochs = 3 }";
    let file = write(folder.path(), "net.gmpnet", text);
    let import = |weights: &str, more: &[&str]| {
        let run = output(folder.path(), &format!("run{}", more.len()));
        (gmpc(&[&["import", &file, "--weights", weights, "-o", &run], more].concat()), run)
    };
    let layers: [Named; 4] = [
        ("fc.weight", &[2, 3], vec![0.5, -1.0, 0.0, 2.0, 0.0, -0.5]),
        ("fc.bias", &[2], vec![0.0, 1.0]),
        ("last.weight", &[1, 2], vec![1.0, 2.0]),
        ("last.bias", &[1], vec![0.5]),
    ];
    let plain = state_dict(folder.path(), "plain.safetensors", &layers);
    let (ran, _) = import(&plain, &[]);
    let said = ran.expect(2).stderr;
    assert!(said.contains("norm.gain [2]") && said.contains("norm.shift [2]"), "what the file has not: {said}");
    let (ran, _) = import(&plain, &["--names", "fc=fc,last=last"]);
    assert!(ran.expect(0).stderr.contains("`norm.gain`, `norm.shift`"), "they keep their first values");

    // PyTorch's names of a normalization. With a gain of 0 the prediction is 1 * 3 + 2 * 4 + 0.5, whatever the row is.
    let norm: [Named; 2] = [("ln.weight", &[2], vec![0.0, 0.0]), ("ln.bias", &[2], vec![3.0, 4.0])];
    let whole = state_dict(folder.path(), "whole.safetensors", &[&layers[..], &norm[..]].concat());
    let names = "fc=fc,last=last,ln.weight=norm.gain,ln.bias=norm.shift";
    let (ran, run) = import(&whole, &["--names", names, "--json"]);
    assert_eq!(ran.expect(0).event("imported")["drawn"], json!([]));
    let csv = gmpc(&["predict", &run, "--input", &rows]).expect(0).stdout;
    assert_eq!(csv.lines().nth(1), Some("2,11.5"));

    // Integers are numbers, too; a number that single precision does not have is none.
    let tensor = |dtype, bytes: &[u8], shape: &[usize]| {
        safetensors::tensor::TensorView::new(dtype, shape.to_vec(), bytes).unwrap().data().to_vec()
    };
    let with_bias = |name: &str, dtype, bias: Vec<u8>| {
        let path = folder.path().join(name);
        let mut all: Vec<(String, safetensors::Dtype, Vec<usize>, Vec<u8>)> = layers
            .iter()
            .chain(&norm)
            .map(|(name, shape, numbers)| {
                let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
                (name.to_string(), safetensors::Dtype::F32, shape.to_vec(), bytes)
            })
            .collect();
        all[3] = ("last.bias".into(), dtype, vec![1], tensor(dtype, &bias, &[1]));
        let views = all.iter().map(|(name, dtype, shape, bytes)| {
            (name.clone(), safetensors::tensor::TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        path.to_string_lossy().into_owned()
    };
    let whole = with_bias("int.safetensors", safetensors::Dtype::I64, 7_i64.to_le_bytes().to_vec());
    let (ran, run) = import(&whole, &["--names", names, "--json", "--quiet"]);
    ran.expect(0);
    let csv = gmpc(&["predict", &run, "--input", &rows]).expect(0).stdout;
    assert_eq!(csv.lines().nth(1), Some("2,18"));
    let large = with_bias("large.safetensors", safetensors::Dtype::F64, 1e300_f64.to_le_bytes().to_vec());
    assert!(import(&large, &["--names", names]).0.expect(6).stderr.contains("too large for the precision"));
}

#[test]
fn a_source_and_an_object_of_one_name_do_not_share_a_header() {
    let folder = tempdir().unwrap();
    let (run, ..) = trained(folder.path());
    let named = |ending: &str| output(folder.path(), &format!("net.{ending}"));
    gmpc(&["export", &run, "--as", "object", "-o", &named("o")]).expect(0);
    gmpc(&["export", &run, "--as", "object", "-o", &named("o")]).expect(0);
    let header = std::fs::read(named("h")).unwrap();
    assert!(gmpc(&["export", &run, "--as", "c", "-o", &named("c")]).expect(2).stderr.contains("header of an object"));
    assert_eq!(std::fs::read(named("h")).unwrap(), header);
    std::fs::remove_file(named("o")).unwrap();
    gmpc(&["export", &run, "--as", "c", "-o", &named("c")]).expect(0);
    assert!(
        gmpc(&["export", &run, "--as", "object", "-o", &named("o")]).expect(2).stderr.contains("header of a source")
    );
}

#[test]
fn what_was_exported_to_pytorch_and_converted_comes_back() {
    let folder = tempdir().unwrap();
    // With `tanh`, the scale of `gmp` stays outside of the activation: a plain state dict has no place for it.
    let (run, _, predictions) = trained_from(folder.path(), &NET.replace("tanh", "relu"));
    let (file, rows) = (output(folder.path(), "net.gmpnet"), output(folder.path(), "rows.csv"));
    gmpc(&["export", &run, "--as", "torch", "--fold", "--no-check", "-o", &output(folder.path(), "plain")]).expect(0);
    gmpc(&["convert", &run, "--param", "gmp + mn", "-o", &output(folder.path(), "same.safetensors")]).expect(0);
    for (place, name) in ["plain.safetensors", "same.safetensors"].into_iter().enumerate() {
        let back = output(folder.path(), &format!("back{place}"));
        let names: &[&str] =
            if place == 0 { &["--names", "lambda_=lambda,dense2=dense2,linear1=linear1"] } else { &[] };
        let weights = output(folder.path(), name);
        gmpc(&[&["import", &file, "--weights", &weights, "-o", &back], names].concat()).expect(0);
        let csv = gmpc(&["predict", &back, "--input", &rows]).expect(0).stdout;
        for (line, right) in csv.lines().skip(1).zip(&predictions) {
            let found: f64 = line.rsplit(',').next().unwrap().parse().unwrap();
            assert!((found - right).abs() < 1e-4 * right.abs().max(1.0), "{name}: {found} and {right}");
        }
    }
}

#[test]
fn layers_that_no_form_has_words_for_are_refused_by_name() {
    let refused = [
        ("[3, 1]", "conv(6, 1, groups = 3)", "groups 3"),
        ("[1, 3]", "conv(3, 2, dilation = 2)", "dilation 1x2"),
        ("[1, 3]", "conv(3, 3, fill = reflect)", "reflect"),
        ("[1, 3]", "conv_transpose(3, 2, stride = 2)", "conv_transpose"),
        ("[1, 3]", "upsample(2)", "upsample"),
        ("[1, 3]", "max_pool(2)", "of a series"),
    ];
    // A row of three numbers is a series of three channels with one position, or of one channel with three.
    for (shape, stage, named) in refused {
        let folder = tempdir().unwrap();
        let text = NET
            .replace("model net {", &format!("model net(input: {shape}) {{"))
            .replace("dense(12) as lambda -> relu ->", &format!("{stage} -> flatten ->"));
        let (run, ..) = trained_from(folder.path(), &text);
        for form in ["onnx", "c", "object", "torch"] {
            let ran = gmpc(&["export", &run, "--as", form, "-o", &output(folder.path(), "net")]).expect(2);
            assert!(ran.stderr.contains("E0597") && ran.stderr.contains(named), "{form} {stage}: {}", ran.stderr);
        }
    }
}

#[test]
fn what_draws_in_training_is_left_out_and_said() {
    let folder = tempdir().unwrap();
    let text =
        NET.replace("dense(12) as lambda -> relu ->", "noise(0.1) -> dense(12) -> relu -> stochastic_depth(0.1) ->");
    let (run, ..) = trained_from(folder.path(), &text);
    for form in ["onnx", "c", "object", "torch"] {
        let ran = gmpc(&["export", &run, "--as", form, "-o", &output(folder.path(), form), "--json"]).expect(0);
        assert!(ran.stdout.contains("noise and stochastic depth"), "{form}: {}", ran.stdout);
    }
}
