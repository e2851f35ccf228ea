//! A trained network folds into plain weights that another framework reads: candle_nn's layers, through its VarBuilder,
//! predict what we predict.

use crate::support::{gmpc, write};
use candle_core::{DType, Device, Tensor};
use candle_nn::{Linear, Module, VarBuilder};
use std::collections::BTreeMap;
use tempfile::tempdir;

const NET: &str = "
//! Two hidden layers, one of them with tanh, on a table.
precision = f64
data = table(\"rows.csv\", target = \"y\", standardize = none, split = random(train = 0.8))
model net { input -> dense(12) as first -> relu -> dense(7) as second -> relu -> linear(2) as last -> linear(1) as end }
train { loss = mse  optimizer = adam(lr = 0.02)  batch = 16  epochs = 20  metrics = [rmse] }
";

/// 40 rows of three features and a target, by a formula.
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
        let run = folder.path().join("run").to_string_lossy().into_owned();
        gmpc(&["train", &file, "--param", param, "--out", &run, "--quiet"]).expect(0);
        let plain = folder.path().join("plain.safetensors").to_string_lossy().into_owned();
        gmpc(&["convert", &run, "--param", "sp", "--output", &plain]).expect(0);
        let (folded, rows) = (folder.path().join("folded").to_string_lossy().into_owned(), run_figures(&run));
        gmpc(&["convert", &run, "--param", "sp", "--output", &folded]).expect(0);
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

/// What `eval` finds in a run folder.
fn run_figures(run: &str) -> BTreeMap<String, f64> {
    let event = gmpc(&["eval", run, "--json"]).expect(0).event("eval");
    let figures = event.as_object().unwrap().iter();
    figures.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect()
}

/// The numbers below the head of a CSV of one column.
fn predictions(csv: &str) -> Vec<f64> {
    csv.lines().skip(1).map(|line| line.parse().unwrap()).collect()
}

/// The same network built of candle_nn's layers from the folded file.
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
