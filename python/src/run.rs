//! A run that is opened: predictions, curves, weights.

use crate::diagnostic::Diagnostic;
use crate::failure::{raised, warn};
use crate::request::{device, directories};
use crate::work::short;
use gmpc_runtime::failure::Failure;
use gmpc_runtime::run::folder::RunFolder;
use gmpc_runtime::run::metrics::lines;
use gmpc_runtime::run::result;
use gmpc_runtime::task::convert::tensors;
use gmpc_runtime::task::predict::name_classes;
use gmpc_runtime::task::predictor::Predictor;
use numpy::{PyArray1, PyArray2, PyArrayDyn, PyArrayMethods, PyReadonlyArray2, PyReadonlyArray4};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// A run folder, its network and the weights it ended with.
#[pyclass(frozen, module = "gmpc._gmpc")]
pub struct Run {
    folder: RunFolder,
    /// One prediction at a time: a network's programs write into memory of their own.
    predictor: Mutex<Predictor>,
    labels: Vec<String>,
}

#[pymethods]
impl Run {
    /// Opens a run folder.
    #[new]
    #[pyo3(signature = (path, data_dir, threads))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        data_dir: Option<PathBuf>,
        threads: Option<NonZero<usize>>,
    ) -> PyResult<Self> {
        let opened = || Predictor::open(&path, &directories(data_dir.as_ref()), &device(threads));
        let (predictor, warnings) = short(py, opened)?;
        warn(py, Diagnostic::all(&warnings))?;
        let labels = predictor.about.inputs.labels.clone();
        Ok(Run { folder: RunFolder { path }, predictor: Mutex::new(predictor), labels })
    }

    /// The run's folder.
    #[getter]
    fn path(&self) -> PathBuf {
        self.folder.path.clone()
    }

    /// What a row is, as JSON.
    #[getter]
    fn about(&self) -> String {
        let predictor = self.predictor.lock().unwrap_or_else(PoisonError::into_inner);
        json!(predictor.about).to_string()
    }

    /// The file with every override applied.
    #[getter]
    fn source(&self, py: Python<'_>) -> PyResult<String> {
        short(py, || self.folder.source())
    }

    /// The figures on the test rows as JSON; `null` before the run has ended.
    #[getter]
    fn result(&self, py: Python<'_>) -> PyResult<String> {
        Ok(short(py, || result::read(&self.folder))?.to_string())
    }

    /// Predictions `[rows, outputs]` for rows of a table, `[rows, features]`.
    fn predict_numbers<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let (rows, numbers) = (x.as_array().nrows(), x.as_array().iter().copied().collect::<Vec<f64>>());
        let (values, far) = short(py, move || {
            let mut predictor = self.predictor.lock().unwrap_or_else(PoisonError::into_inner);
            let (rows, far) = predictor.table(numbers, rows, &[], "the array")?;
            Ok((predictor.predict(&rows)?, far))
        })?;
        warn(py, far.iter().map(Diagnostic::of_note).collect())?;
        self.shaped(py, values, rows)
    }

    /// Predictions `[images, outputs]` for images of bytes, `[images, channels, height, width]`.
    fn predict_images<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray4<'py, u8>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let (count, channels, height, width) = x.as_array().dim();
        let pixels: Vec<u8> = x.as_array().iter().copied().collect();
        let values = short(py, move || {
            let mut predictor = self.predictor.lock().unwrap_or_else(PoisonError::into_inner);
            let rows = predictor.images(&pixels, count, [channels, height, width])?;
            predictor.predict(&rows)
        })?;
        self.shaped(py, values, count)
    }

    /// The class of each row of predictions; empty for regression.
    fn classes_of(&self, predictions: PyReadonlyArray2<'_, f64>) -> Vec<String> {
        let values: Vec<f64> = predictions.as_array().iter().copied().collect();
        name_classes(&values, predictions.as_array().ncols(), &self.labels)
    }

    /// Each figure over the epochs; NaN where it was not measured or not finite.
    fn curves<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let read = short(py, || {
            let path = self.folder.file("metrics.jsonl");
            match std::fs::read(&path) {
                Ok(bytes) => Ok(lines(&bytes).0),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(vec![]), // converted
                Err(error) => Err(Failure::io("read", &path, &error)),
            }
        })?;
        let columns = PyDict::new(py);
        for name in names(&read) {
            let number = |line: &Value| match &line[&name] {
                Value::Bool(yes) => f64::from(u8::from(*yes)),
                value => value.as_f64().unwrap_or(f64::NAN),
            };
            columns.set_item(&name, PyArray1::from_iter(py, read.iter().map(number)))?;
        }
        Ok(columns)
    }

    /// Every parameter and statistic the run ended with, in the layout of files.
    fn weights<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = short(py, || {
            let (_, about) = RunFolder::open(&self.folder.path)?;
            Ok(tensors(self.folder.weights(&about)?.tensors))
        })?;
        let arrays = PyDict::new(py);
        for (name, tensor) in found {
            let array: Bound<'py, PyArrayDyn<f64>> = PyArray1::from_vec(py, tensor.data).reshape(tensor.shape)?;
            arrays.set_item(name, array)?;
        }
        Ok(arrays)
    }
}

impl Run {
    fn shaped<'py>(&self, py: Python<'py>, values: Vec<f64>, rows: usize) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let outputs = match rows {
            0 => 0,
            rows if values.len().is_multiple_of(rows) => values.len() / rows,
            rows => {
                let told = format!("{} predictions for {rows} rows of {}", values.len(), self.folder.path.display());
                return Err(raised(py, &Failure::Bug(told)));
            }
        };
        PyArray1::from_vec(py, values).reshape([rows, outputs])
    }
}

/// The keys of lines that are numbers or truth values, in the order of their first appearance.
fn names(lines: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = vec![];
    for (key, _) in lines.iter().filter_map(Value::as_object).flatten().filter(|(key, _)| *key != "event") {
        if !names.contains(key) {
            names.push(key.clone());
        }
    }
    names
}
