//! Where a network comes from and what its file leaves out: the same words in every form.

use crate::network::{Network, Preparation};
use serde_json::{Map, Value, json};

/// Names and values for the file's metadata, in a fixed order; lists are JSON.
pub(crate) fn metadata(network: &Network) -> Vec<(String, String)> {
    let facts = &network.facts;
    let mut all = vec![
        ("gmpc.version", facts.gmpc.clone()),
        ("gmpc.run", facts.run.clone()),
        ("gmpc.model", network.name.clone()),
        ("gmpc.param", facts.param.clone()),
        ("gmpc.data", facts.data.clone()),
        ("gmpc.source_sha256", facts.source_sha256.clone()),
        ("gmpc.data_sha256", facts.data_sha256.clone()),
        ("gmpc.input", input(network)),
        ("gmpc.output", output(network)),
        ("gmpc.scaling", scaling(network).to_string()),
        ("gmpc.left_out", json!(facts.left_out).to_string()),
        ("features", json!(network.inputs.names).to_string()),
        ("targets", json!(network.outputs.names).to_string()),
    ];
    if !network.outputs.classes.is_empty() {
        all.push(("classes", json!(network.outputs.classes).to_string()));
    }
    all.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// What comes in, in a sentence.
pub(crate) fn input(network: &Network) -> String {
    let shape = network.inputs.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
    match (&network.inputs.preparation, network.is_raw) {
        (_, true) => format!("{shape} numbers a row, scaled as for training"),
        (Preparation::None, false) => format!("{shape} numbers a row, as they stand in the data"),
        (Preparation::Table { .. }, false) => {
            format!("{shape} numbers a row, as they stand in the data: they are scaled inside")
        }
        (Preparation::Images { .. }, false) => {
            format!("images of {shape} bytes (channels, height, width), 0 to 255: they are normalized inside")
        }
    }
}

/// What comes out, in a sentence.
pub(crate) fn output(network: &Network) -> String {
    let width = network.outputs.width;
    match (network.outputs.classes.len(), width, network.is_raw) {
        (0, _, true) => format!("{width} numbers a row, in the measure of training"),
        (0, _, false) => format!("{width} numbers a row, in the units of the data"),
        (_, 1, _) => "a score a row: above 0 it says the second class".to_string(),
        _ => format!("{width} scores a row: the largest one says the class"),
    }
}

/// The numbers of all scaling, whether it is inside the file or not.
pub(crate) fn scaling(network: &Network) -> Value {
    let mut all = Map::new();
    all.insert("inside".into(), json!(!network.is_raw));
    match &network.inputs.preparation {
        Preparation::None => {}
        Preparation::Table { mean, deviation } => {
            all.insert("input".into(), json!({ "mean": mean, "deviation": deviation }));
        }
        Preparation::Images { mean, deviation } => {
            all.insert("pixel".into(), json!({ "divisor": 255, "mean": mean, "deviation": deviation }));
        }
    }
    if let Some(scale) = &network.outputs.scale {
        all.insert("target".into(), json!({ "mean": scale.shift, "deviation": scale.factor }));
    }
    Value::Object(all)
}
