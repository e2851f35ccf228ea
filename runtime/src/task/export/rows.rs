//! Rows that an exported file is tried with: test rows of the run where its table is at hand, else rows made up by a formula.

use crate::run::folder::{About, RunFolder};
use crate::task::reopen::reopened;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_data::images::Draw;
use gmpc_data::{Directories, Pick, Rows, Scale};
use gmpc_device::{Device, Numbers};
use gmpc_export::Network;
use gmpc_export::network::{Op, Preparation};
use std::sync::Arc;

/// Enough to find a batch size that was built in.
const MOST: usize = 7;
/// Products that are made to compare, at most: seconds of the plain evaluation of an ONNX file.
const PRODUCTS: usize = 2_000_000_000;

/// Rows for both sides.
pub(super) struct Trial {
    pub count: usize,
    /// As the file takes them, row-major; images as channels, height, width.
    pub numbers: Vec<f64>,
    /// As the run's own programs take them.
    pub rows: Rows,
    /// Where they are from: `test rows`, `rows made up`.
    pub from: &'static str,
}

/// Some rows.
pub(super) fn rows(
    folder: &RunFolder,
    about: &About,
    network: &Network,
    directories: &Directories,
    device: &Arc<dyn Device>,
) -> Trial {
    let count = (PRODUCTS / products(network).max(1)).clamp(1, MOST);
    let is_table = !matches!(network.inputs.preparation, Preparation::Images { .. });
    let found = if is_table { test_rows(folder, about, network, (directories, device), count) } else { None };
    let (count, from, data) = match found {
        Some((count, data)) => (count, "test rows", data),
        None => (count, "rows made up by a formula", made_up(network, count)),
    };
    Trial { count, from, rows: prepared(network, count, &data), numbers: as_taken(network, data) }
}

/// Products of a row.
fn products(network: &Network) -> usize {
    let of = |layer: &gmpc_export::network::Layer| match &layer.op {
        Op::Unit(unit) => {
            let places: usize = layer.shape.iter().skip(1).product();
            unit.plain.weight.data.len().saturating_mul(places)
        }
        _ => 0,
    };
    network.layers.iter().map(of).sum()
}

/// Test rows as they stand in the data; `None` where the data are not at hand.
fn test_rows(
    folder: &RunFolder,
    about: &About,
    network: &Network,
    (directories, device): (&Directories, &Arc<dyn Device>),
    most: usize,
) -> Option<(usize, Vec<f64>)> {
    let prepared = reopened(folder, about, directories, device).ok()?;
    let rows = &prepared.tables.test;
    let count = rows.count().min(most);
    if count == 0 || rows.width() != network.inputs.shape.iter().product::<usize>() {
        return None;
    }
    let mut numbers = Numbers::zeros(network.precision, count * rows.width());
    rows.inputs_into(&Pick::Range(0..count), Draw::Nothing, &mut numbers.as_mut()).ok()?;
    let mut data = numbers.as_slice().to_f64();
    if let Preparation::Table { mean, deviation } = &network.inputs.preparation {
        Scale { mean: mean.clone(), deviation: deviation.clone() }.undo(&mut data);
    }
    Some((count, data))
}

/// Rows around the means of training; pixels of every brightness.
fn made_up(network: &Network, count: usize) -> Vec<f64> {
    let width: usize = network.inputs.shape.iter().product();
    let wave = |place: usize| 2.0 * libm::sin(1.7 * place as f64 + 0.3);
    match &network.inputs.preparation {
        Preparation::None => (0..count * width).map(wave).collect(),
        Preparation::Table { mean, deviation } => {
            (0..count * width).map(|place| mean[place % width] + deviation[place % width] * wave(place)).collect()
        }
        // 167 has no factor in common with 256.
        Preparation::Images { .. } => {
            (0..count * width).map(|place| ((place * 167 + place / 256) % 256) as f64).collect()
        }
    }
}

/// What the layers take, images with their channels innermost.
fn prepared(network: &Network, count: usize, data: &[f64]) -> Rows {
    let mut data = scaled(network, data);
    if let [channels, height, width] = network.inputs.shape[..] {
        let area = height * width;
        let image = |image: &[f64]| -> Vec<f64> {
            (0..area).flat_map(|place| (0..channels).map(move |c| image[c * area + place])).collect()
        };
        data = data.chunks_exact((channels * area).max(1)).flat_map(image).collect();
    }
    Rows::new(network.precision, count, &data, &[])
}

/// As `predict` scales them.
fn scaled(network: &Network, data: &[f64]) -> Vec<f64> {
    let mut data = data.to_vec();
    match &network.inputs.preparation {
        Preparation::None => {}
        Preparation::Table { mean, deviation } => {
            Scale { mean: mean.clone(), deviation: deviation.clone() }.apply(&mut data);
        }
        Preparation::Images { mean, deviation } => {
            let area: usize = network.inputs.shape.iter().skip(1).product();
            let scale = |channel: usize| Scale { mean: vec![mean[channel]], deviation: vec![deviation[channel]] };
            for (place, plane) in data.chunks_exact_mut(area.max(1)).enumerate() {
                plane.iter_mut().for_each(|pixel| *pixel /= 255.0);
                scale(place % mean.len().max(1)).apply(plane);
            }
        }
    }
    data
}

/// What the file takes: without scaling inside, what the layers take.
fn as_taken(network: &Network, data: Vec<f64>) -> Vec<f64> {
    if !network.is_raw {
        return data;
    }
    let data = scaled(network, &data);
    match network.precision {
        Precision::F32 => data.into_iter().map(|number| f64::from(gmpc_export::network::single(number))).collect(),
        Precision::F64 => data,
    }
}
