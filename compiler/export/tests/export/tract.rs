//! Exported networks in tract, an engine for ONNX files that shares no line with gmpc: the batch stays symbolic until rows come.

use crate::testing::networks::NETWORKS;
use crate::testing::{Sample, difference};
use gmpc_export::network::Preparation;
use gmpc_export::onnx::write;
use tract_onnx::prelude::*;

/// What tract makes of a file for some rows: its first output, the prediction or the scores.
fn predicted(file: &[u8], sample: &Sample, count: usize, rows: &[f64]) -> TractResult<Vec<f64>> {
    let shape: Vec<usize> = std::iter::once(count).chain(sample.network.inputs.shape.iter().copied()).collect();
    let model = tract_onnx::onnx().model_for_read(&mut &*file)?.into_optimized()?.into_runnable()?;
    let input = match sample.network.inputs.preparation {
        Preparation::None => {
            Tensor::from_shape(&shape, &rows.iter().map(|&x| gmpc_export::network::single(x)).collect::<Vec<f32>>())?
        }
        Preparation::Table { .. } => Tensor::from_shape(&shape, rows)?,
        Preparation::Images { .. } => Tensor::from_shape(&shape, &rows.iter().map(|&x| x as u8).collect::<Vec<u8>>())?,
    };
    let found = model.run(tvec!(input.into()))?;
    Ok(found[0].cast_to::<f64>()?.to_plain_array_view::<f64>()?.iter().copied().collect())
}

#[test]
fn every_network_is_the_same_function_in_tract() {
    for case in &NETWORKS {
        let sample = Sample::new(case);
        let file = write(&sample.network).unwrap();
        for count in [1, 2, 7] {
            let rows = sample.rows(count);
            let found = predicted(&file, &sample, count, &rows).unwrap_or_else(|why| panic!("{}: {why:?}", case.0));
            let off = difference(&sample.prediction(&rows), &found);
            assert!(off < 1e-5, "{}, {count} rows: {off:e}", case.0);
        }
    }
}
