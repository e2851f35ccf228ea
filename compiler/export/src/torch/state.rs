//! The state dict: tensors under the names the module gives them.

use crate::facts::metadata;
use crate::network::{Network, single};
use crate::refusal::Refusal;
use gmpc_compiler::math::Precision;
use safetensors::serialize;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// What a tensor's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The network's precision.
    Number,
    /// Double precision, whatever the network's is: scaling of inputs.
    Double,
    /// Whole numbers: what batch normalization counts.
    Whole,
}

/// Tensors by name.
#[derive(Debug, Default)]
pub(super) struct State(BTreeMap<String, (Kind, Vec<usize>, Vec<f64>)>);

impl State {
    /// Adds a tensor.
    pub(super) fn add(&mut self, name: impl Into<String>, kind: Kind, shape: &[usize], numbers: &[f64]) {
        self.0.insert(name.into(), (kind, shape.to_vec(), numbers.to_vec()));
    }

    /// Adds a row in the network's precision.
    pub(super) fn row(&mut self, name: impl Into<String>, numbers: &[f64]) {
        self.add(name, Kind::Number, &[numbers.len()], numbers);
    }

    /// The file. What is known about the network stands in its metadata, as JSON under `gmpc`: one key, because several have no order.
    pub(super) fn encoded(&self, network: &Network) -> Result<Vec<u8>, Refusal> {
        let bytes: Vec<(&String, Dtype, &Vec<usize>, Vec<u8>)> = self
            .0
            .iter()
            .map(|(name, (kind, shape, numbers))| {
                let (dtype, bytes) = raw(*kind, network.precision, numbers);
                (name, dtype, shape, bytes)
            })
            .collect();
        let mut views = Vec::with_capacity(bytes.len());
        for (name, dtype, shape, data) in &bytes {
            let view = TensorView::new(*dtype, (*shape).clone(), data);
            views.push((name.as_str(), view.map_err(|error| Refusal::inside(format!("{name}: {error:?}")))?));
        }
        let facts: Map<String, Value> =
            metadata(network).into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        let header = HashMap::from([("gmpc".to_string(), Value::Object(facts).to_string())]);
        serialize(views, Some(header)).map_err(|error| Refusal::inside(format!("{error:?}")))
    }
}

fn raw(kind: Kind, precision: Precision, numbers: &[f64]) -> (Dtype, Vec<u8>) {
    let doubles = || numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    match (kind, precision) {
        (Kind::Number, Precision::F32) => {
            (Dtype::F32, numbers.iter().flat_map(|&number| single(number).to_le_bytes()).collect())
        }
        (Kind::Number, Precision::F64) | (Kind::Double, _) => (Dtype::F64, doubles()),
        #[expect(clippy::cast_possible_truncation, reason = "only a count of 0 is written")]
        (Kind::Whole, _) => (Dtype::I64, numbers.iter().flat_map(|&number| (number as i64).to_le_bytes()).collect()),
    }
}
