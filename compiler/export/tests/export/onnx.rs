//! An ONNX file computes what the compiler's own graph computes, for any number of rows.

use crate::testing::networks::NETWORKS;
use crate::testing::{Sample, difference};
use gmpc_export::onnx::{PREDICTION, PROBABILITIES, SCORES, evaluate, print, write};

#[test]
fn every_network_is_the_same_function() {
    for case in &NETWORKS {
        let sample = Sample::new(case);
        let file = write(&sample.network).unwrap();
        let raw = write(&sample.network.clone().raw()).unwrap();
        for count in [1, 2, 7] {
            let rows = sample.rows(count);
            let right = sample.prediction(&rows);
            let found = evaluate(&file, count, &rows).unwrap_or_else(|why| panic!("{}: {why}", case.0));
            let name = if sample.network.outputs.classes.is_empty() { PREDICTION } else { SCORES };
            let off = difference(&right, &found[name]);
            assert!(off < 1e-5, "{}, {count} rows: {off:e}", case.0);
            let mut bare = evaluate(&raw, count, &sample.scaled(&rows)).unwrap().remove(name).unwrap();
            if let Some(scale) = &sample.network.outputs.scale {
                for row in bare.chunks_mut(scale.factor.len()) {
                    row.iter_mut().enumerate().for_each(|(i, y)| *y = *y * scale.factor[i] + scale.shift[i]);
                }
            }
            let off = difference(&right, &bare);
            assert!(off < 1e-5, "{} without scaling, {count} rows: {off:e}", case.0);
        }
    }
}

#[test]
fn classes_have_probabilities() {
    for case in NETWORKS.iter().filter(|case| ["sp_tanh", "sp_sigmoid"].contains(&case.0)) {
        let sample = Sample::new(case);
        let rows = sample.rows(3);
        let found = evaluate(&write(&sample.network).unwrap(), 3, &rows).unwrap();
        let (scores, shares) = (&found[SCORES], &found[PROBABILITIES]);
        let classes = sample.network.outputs.classes.len();
        for (row, scores) in shares.chunks(classes).zip(scores.chunks(sample.network.outputs.width)) {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let score = if let [score] = scores { *score } else { scores[1] - scores[0] };
            assert!(((row[1] / row[0]).ln() - score).abs() < 1e-5 * (1.0 + score.abs()), "{row:?} of {scores:?}");
        }
    }
}

#[test]
fn a_file_says_what_it_is() {
    let sample = Sample::new(NETWORKS.iter().find(|case| case.0 == "words").unwrap());
    let text = print(&write(&sample.network).unwrap()).unwrap();
    let said = [
        "class/product = Gemm(input/single, class.weight, class.bias)\nclass = Relu(class/product)\n",
        // The names of outputs are taken.
        "scores_ = Relu(scores_/product)\n",
        "scores = Identity(x)\nprobabilities = Softmax(x)\n",
        "gmpc.run: 0123456789abcdef\n",
        "classes: [\"class 0, ",
        "gmpc.left_out: [\"nothing */",
    ];
    for said in said {
        assert!(text.contains(said), "{said}\n{text}");
    }
    assert!(print(b"no model").is_err());
}

#[test]
fn the_same_network_is_the_same_bytes() {
    let make = || write(&Sample::new(&NETWORKS[13]).network).unwrap();
    assert_eq!(make(), make());
}

#[test]
fn foreign_bytes_are_refused() {
    assert!(evaluate(b"no model", 1, &[1.0]).is_err());
    let file = write(&Sample::new(&NETWORKS[1]).network).unwrap();
    assert!(evaluate(&file[..file.len() / 2], 1, &[1.0]).is_err());
    assert!(evaluate(&file, 2, &[1.0]).unwrap_err().contains("numbers"));
}
