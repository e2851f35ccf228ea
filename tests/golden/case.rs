//! One case, read from `NAME.json` and `NAME.safetensors`.

use gmpc_compiler::ir::graph::Tensor;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Tensors by name, widened to f64.
pub type Tensors = BTreeMap<String, Tensor>;

/// A recorded case.
pub struct Case {
    /// File name without the ending.
    pub name: String,
    /// The content of the JSON file.
    pub meta: Value,
    /// The content of the tensor file.
    pub tensors: Tensors,
}

impl Case {
    /// Reads both files of a case. Fails the test where one cannot be read.
    pub fn read(path: &Path) -> Self {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let meta = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let path = path.with_extension("safetensors");
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file = SafeTensors::deserialize(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let tensors = file.tensors().iter().map(|(name, view)| (name.clone(), tensor(view))).collect();
        Case { name, meta, tensors }
    }

    /// A text of the metadata, empty where there is none.
    pub fn text(&self, key: &str) -> &str {
        self.meta[key].as_str().unwrap_or_default()
    }

    /// A tensor by its name. Fails the test where the case has none of this name.
    pub fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{} has no tensor {name}", self.name))
    }

    /// The tensors whose names begin with `prefix`, with the rest of their names.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Tensor)> {
        self.tensors.iter().filter_map(move |(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)))
    }

    /// Parameters and running statistics before the first step.
    pub fn states(&self) -> Tensors {
        self.below("param.")
            .chain(self.below("buffer."))
            .map(|(name, tensor)| (name.to_string(), tensor.clone()))
            .collect()
    }
}

fn tensor(view: &safetensors::tensor::TensorView<'_>) -> Tensor {
    let words = view.data().chunks_exact(8).map(|bytes| <[u8; 8]>::try_from(bytes).expect("eight bytes"));
    let data = match view.dtype() {
        Dtype::F64 => words.map(f64::from_le_bytes).collect(),
        Dtype::I64 => words.map(|bytes| i64::from_le_bytes(bytes) as f64).collect(),
        other => panic!("golden tensors are F64 or I64, not {other:?}"),
    };
    Tensor { shape: view.shape().to_vec(), data }
}

/// One row of a tensor along its first axis.
pub fn row(tensor: &Tensor, index: usize) -> Tensor {
    let shape = tensor.shape[1..].to_vec();
    let size: usize = shape.iter().product();
    Tensor { shape, data: tensor.data[index * size..][..size].to_vec() }
}
