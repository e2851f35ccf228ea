//! A trained network becomes plain weights that another framework reads. The layers of candle_nn, filled from the
//! converted file, predict what gmpc predicts.

use crate::networks;
use crate::support::{gmpc, path_in, write};
use candle_core::{DType, Device, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Linear, Module as _, VarBuilder};
use gmpc_compiler::gradcheck::first_states;
use gmpc_compiler::graphs::convert::{Tensors, convert, from_file, to_file};
use gmpc_compiler::ir::graph::{Random, evaluate};
use gmpc_compiler::ir::module::Module;
use gmpc_compiler::ir::net::Net;
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::{Options, initialization, step_graph};
use std::collections::BTreeMap;
use tempfile::tempdir;

const NET: &str = "
//! Two hidden layers, one of them with tanh, on a table.
precision = f64
data = table(\"rows.csv\", target = \"y\", standardize = none, split = random(train = 0.8))
model net { input -> dense(12) as first -> relu -> dense(7) as second -> relu -> linear(2) as last -> linear(1) as end }
train { loss = mse  optimizer = adam(lr = 0.02)  batch = 16  epochs = 20  metrics = [rmse] }
";

/// A table of 40 rows with three features and a target, and the features alone, row by row.
fn table() -> (String, Vec<f64>) {
    let mut text = String::from("a,b,c,y\n");
    let mut inputs = Vec::new();
    for i in 0..40 {
        let i = f64::from(i);
        let row = [(i * 0.7).sin(), (i * 0.3).cos() * 2.0, i / 40.0 - 0.5];
        text += &format!("{},{},{},{}\n", row[0], row[1], row[2], row[0] * row[1] + row[2]);
        inputs.extend(row);
    }
    (text, inputs)
}

#[test]
fn a_folded_network_predicts_the_same_in_another_framework() {
    for param in ["sp", "wn", "bn", "gmp", "gmp + mn", "wn + mbn"] {
        let folder = tempdir().unwrap();
        let (text, inputs) = table();
        let csv = write(folder.path(), "rows.csv", &text);
        let file = write(folder.path(), "net.gmpnet", NET);
        let run = path_in(&folder, "run");
        gmpc(&["train", &file, "--param", param, "--out", &run, "--quiet"]).expect(0);
        // The same run becomes a file of tensors, for the other framework, and a run folder, for `eval` and `predict`.
        let plain = path_in(&folder, "plain.safetensors");
        gmpc(&["convert", &run, "--param", "sp", "--output", &plain]).expect(0);
        let (folded, rows) = (path_in(&folder, "folded"), run_figures(&run));
        gmpc(&["convert", &run, "--param", "sp", "--output", &folded]).expect(0);
        // Training was in f64, so that only rounding of the conversion may separate the numbers.
        for (name, value) in run_figures(&folded) {
            assert!((value - rows[&name]).abs() < 1e-9, "{param}: {name} was {} and is {value}", rows[&name]);
        }
        let again = predictions(&gmpc(&["predict", &folded, "--input", &csv]).expect(0).stdout);
        let ours = predictions(&gmpc(&["predict", &run, "--input", &csv]).expect(0).stdout);
        let theirs = with_candle(&plain, &inputs).unwrap();
        assert_eq!(ours.len(), 40);
        assert!(ours.iter().zip(&again).all(|(a, b)| (a - b).abs() < 1e-9 * (1.0 + a.abs())), "{param}: {again:?}");
        for (row, (our, their)) in ours.iter().zip(&theirs).enumerate() {
            assert!((our - their).abs() < 1e-9 * (1.0 + our.abs()), "{param}, row {row}: {our} and {their}");
        }
    }
}

/// All numbers that `eval` prints for a run folder, by name.
fn run_figures(run: &str) -> BTreeMap<String, f64> {
    let event = gmpc(&["eval", run, "--json"]).expect(0).event("eval");
    let figures = event.as_object().unwrap().iter();
    figures.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect()
}

/// The numbers below the head of a CSV of one column.
fn predictions(csv: &str) -> Vec<f64> {
    csv.lines().skip(1).filter_map(|line| line.rsplit(',').next()).map(|cell| cell.parse().unwrap()).collect()
}

/// Predictions of the same network, built of candle_nn's layers from the converted file.
fn with_candle(file: &str, inputs: &[f64]) -> candle_core::Result<Vec<f64>> {
    let tensors = candle_core::safetensors::load(file, &Device::Cpu)?;
    let weights = VarBuilder::from_tensors(tensors, DType::F64, &Device::Cpu);
    let layer = |name: &str, fan_in: usize, units: usize| -> candle_core::Result<Linear> {
        let of = weights.pp(name);
        Ok(Linear::new(of.get((units, fan_in), "w")?, Some(of.get(units, "b")?)))
    };
    let x = Tensor::from_slice(inputs, (inputs.len() / 3, 3), &Device::Cpu)?;
    let x = layer("first", 3, 12)?.forward(&x)?.relu()?;
    let x = layer("second", 12, 7)?.forward(&x)?.relu()?;
    let x = layer("end", 2, 1)?.forward(&layer("last", 7, 2)?.forward(&x)?)?;
    x.flatten_all()?.to_vec1()
}

/// A network of filters with padding and strides, and of filters with neither.
const IMAGES: &str = "model net(input: [2, 9, 8]) {
    input -> conv(5, 3, stride = 2, pad = 1) as first -> relu -> conv(4, [3, 3], pad = 0) as second -> relu
    -> global_avg_pool -> linear(3) as last
}";

fn compiled(param: &str) -> (Module, Net) {
    networks::compiled(&format!("param = {param} {IMAGES}"))
}

/// Computed images, `[6, channels, height, width]`.
fn images() -> Tensor {
    let data: Vec<f64> = (0..6 * 2 * 9 * 8).map(|i| (0.37 * f64::from(i)).sin() * 2.0).collect();
    Tensor::from_vec(data, (6, 2, 9, 8), &Device::Cpu).unwrap()
}

/// Predictions of the network's own graph for the images, one row after the other.
fn prediction(module: &Module, net: &Net, tensors: &Tensors) -> Vec<f64> {
    let (graph, _) = step_graph(module, net, Goal::Predict, 6, &Options::default()).unwrap();
    let states: Vec<_> = graph.states.iter().map(|s| from_file(s, &tensors[&s.name]).expect("it fits")).collect();
    let channels_last = images().permute((0, 2, 3, 1)).unwrap().contiguous().unwrap();
    let data = channels_last.flatten_all().unwrap().to_vec1().unwrap();
    let x = gmpc_compiler::ir::graph::Tensor { shape: channels_last.dims().to_vec(), data };
    evaluate(&graph, &[x], &states, Random::default()).swap_remove(0).data
}

#[test]
fn folded_filters_predict_the_same_in_another_framework() {
    let (plain, plain_net) = compiled("sp");
    for param in ["sp", "wn", "bn", "gmp", "wn + mbn"] {
        let (module, net) = compiled(param);
        let first = initialization(&module, &net).unwrap();
        let values = first.states.iter().zip(first_states(&first, 3));
        let mut tensors: Tensors = values.map(|(state, value)| (state.name.clone(), to_file(state, &value))).collect();
        // Offsets and statistics start at neutral values such as 0 and 1, with which a wrong conversion could still agree.
        for (place, x) in tensors.values_mut().flat_map(|t| &mut t.data).enumerate() {
            *x += 0.2 * (1.3 * place as f64).sin().abs();
        }
        let folded = convert(&module, &net, &tensors, &plain, &plain_net).unwrap_or_else(|e| panic!("{param}: {e:?}"));
        let ours = prediction(&module, &net, &tensors);
        let theirs = with_candle_filters(&folded).unwrap();
        for (our, their) in ours.iter().zip(&theirs) {
            assert!((our - their).abs() < 1e-9 * (1.0 + our.abs()), "{param}: {our} and {their}");
        }
        // Converted back, the network predicts the same again.
        let back = convert(&plain, &plain_net, &folded, &module, &net).unwrap_or_else(|e| panic!("{param}: {e:?}"));
        for (our, again) in ours.iter().zip(prediction(&module, &net, &back)) {
            assert!((our - again).abs() < 1e-9 * (1.0 + our.abs()), "{param} and back: {our} and {again}");
        }
    }
}

/// Predictions of the same network, built of candle_nn's layers from converted tensors in the shapes that files have.
fn with_candle_filters(folded: &Tensors) -> candle_core::Result<Vec<f64>> {
    let get = |name: &str| Tensor::from_slice(&folded[name].data, folded[name].shape.as_slice(), &Device::Cpu);
    let filters = |name: &str, padding: usize, stride: usize| -> candle_core::Result<Conv2d> {
        let config = Conv2dConfig { padding, stride, ..Conv2dConfig::default() };
        Ok(Conv2d::new(get(&format!("{name}.w"))?, Some(get(&format!("{name}.b"))?), config))
    };
    let x = filters("first", 1, 2)?.forward(&images())?.relu()?;
    let x = filters("second", 0, 1)?.forward(&x)?.relu()?.mean(3)?.mean(2)?;
    Linear::new(get("last.w")?, Some(get("last.b")?)).forward(&x)?.flatten_all()?.to_vec1()
}

#[test]
fn the_scaling_is_told_and_written() {
    let folder = tempdir().unwrap();
    write(folder.path(), "rows.csv", &table().0);
    let file = write(folder.path(), "net.gmpnet", &NET.replace("standardize = none", "standardize = all"));
    let run = folder.path().join("run").to_string_lossy().into_owned();
    gmpc(&["train", &file, "--param", "gmp", "--out", &run, "--quiet"]).expect(0);
    let (plain, scaling) = (folder.path().join("plain.safetensors"), folder.path().join("scaling.json"));
    let (out, beside) = (plain.to_string_lossy(), scaling.to_string_lossy());
    let said = gmpc(&["convert", &run, "--param", "sp", "--output", &out, "--scaling", &beside]).expect(0).stderr;
    assert!(said.contains("`a`: (x - ") && said.contains("`y`: output * "), "{said}");
    let written: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&scaling).unwrap()).unwrap();
    assert_eq!(written["feature_names"], serde_json::json!(["a", "b", "c"]));
    assert_eq!((written["param"].as_str(), written["parent"]["param"].as_str()), (Some("sp"), Some("gmp")));
    let bytes = std::fs::read(&plain).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let gmpc: serde_json::Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["gmpc"]).unwrap();
    let inside: serde_json::Value = serde_json::from_str(gmpc["inputs"].as_str().unwrap()).unwrap();
    assert_eq!(inside, written);
    assert!(inside["parent"]["run"].as_str().unwrap().len() == 32);
}
