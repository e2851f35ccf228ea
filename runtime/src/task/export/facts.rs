//! What a run's folder says of its network, in the words of an export.

use crate::program::network::Network as Compiled;
use crate::run::folder::About;
use gmpc_compiler::ir::experiment::ImageStep;
use gmpc_compiler::ir::net::LayerKind;
use gmpc_data::Scale;
use gmpc_export::Facts;
use gmpc_export::network::{Inputs, OutputScale, Outputs, Preparation};

/// What comes in.
pub(super) fn inputs(about: &About, compiled: &Compiled) -> Inputs {
    let shape = compiled.net.layers.first().map(|layer| layer.shape.clone()).unwrap_or_default();
    let images = compiled.module.experiment.data.as_ref().and_then(|data| data.images());
    let preparation = match (&about.inputs.input_scale, images) {
        (None, _) => Preparation::None,
        (Some(Scale { mean, deviation }), Some(_)) => {
            Preparation::Images { mean: mean.clone(), deviation: deviation.clone() }
        }
        (Some(Scale { mean, deviation }), None) => {
            Preparation::Table { mean: mean.clone(), deviation: deviation.clone() }
        }
    };
    Inputs { shape, names: about.inputs.feature_names.clone(), preparation }
}

/// What goes out.
pub(super) fn outputs(about: &About, compiled: &Compiled) -> Outputs {
    let net = &compiled.net;
    let width = net.layers.get(net.output).map_or(1, |layer| layer.shape.iter().product());
    // One number stands for all outputs where there is one.
    let each = |numbers: &[f64]| match numbers {
        [only] => vec![*only; width],
        _ => numbers.to_vec(),
    };
    let scale = about.inputs.target_scale.as_ref();
    let scale = scale.map(|scale| OutputScale { factor: each(&scale.deviation), shift: each(&scale.mean) });
    let classes = about.inputs.labels.clone();
    Outputs { width, names: about.inputs.target_names.clone(), classes, scale }
}

/// Where it comes from, and what no file does.
pub(super) fn facts(about: &About, compiled: &Compiled) -> Facts {
    let mut left_out = Vec::new();
    let images = compiled.module.experiment.data.as_ref().and_then(|data| data.images());
    if let Some(images) = images {
        let steps: Vec<&str> = images.transform.iter().map(step).collect();
        if !steps.is_empty() {
            left_out.push(format!(
                "images are expected in their final size: `transform` is not inside ({})",
                steps.join(", ")
            ));
        }
    }
    if compiled.net.layers.iter().any(|layer| matches!(layer.kind, LayerKind::Dropout { .. })) {
        left_out.push("dropout, which does nothing in a prediction".to_string());
    }
    // Said although results agree: who trains on from the file would miss them.
    let draws = |kind: &LayerKind| matches!(kind, LayerKind::Noise { .. } | LayerKind::StochasticDepth { .. });
    if compiled.net.layers.iter().any(|layer| draws(&layer.kind)) {
        left_out.push("noise and stochastic depth, which do nothing in a prediction".to_string());
    }
    Facts {
        gmpc: env!("CARGO_PKG_VERSION").into(),
        run: about.identity(),
        param: about.param.clone(),
        data: about.data.clone(),
        source_sha256: about.source_sha256.clone(),
        data_sha256: about.data_sha256.clone(),
        left_out,
    }
}

fn step(step: &ImageStep) -> &'static str {
    match step {
        ImageStep::Resize { .. } => "resize",
        ImageStep::ResizeShorter { .. } => "resize_shorter",
        ImageStep::CenterCrop { .. } => "center_crop",
        ImageStep::HorizontalFlip => "horizontal_flip",
        ImageStep::RandomCrop { .. } => "random_crop",
        ImageStep::RandomResize { .. } => "random_resize",
        ImageStep::Lighting { .. } => "lighting",
    }
}
