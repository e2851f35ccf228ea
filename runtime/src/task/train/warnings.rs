//! Warnings before a run begins: its metrics may say little, or its records may need much disk space.

use crate::event::Event;
use gmpc_compiler::front::constant::number;
use gmpc_compiler::ir::experiment::TrainSpec;
use gmpc_compiler::ir::module::Instance;
use gmpc_compiler::ir::net::{Layer, LayerKind, Net};

/// The weight that the initial value of a running statistic may have at the end of a run without a warning.
pub(super) const MOST_LEFT: f64 = 0.005;

/// The smallest weight that a running statistic of the network gives to the newest batch; `None` if there is no such
/// statistic.
pub(super) fn slowest_statistic(net: &Net) -> Option<f64> {
    let of_instance = |instance: &Instance| instance.arguments.get("momentum").and_then(number);
    let momenta = net.layers.iter().flat_map(|layer| match &layer.kind {
        LayerKind::Stage(stage) => of_instance(&stage.definition).into_iter().collect(),
        LayerKind::Unit(unit) => {
            std::iter::once(&unit.param.base).chain(&unit.param.modifiers).filter_map(of_instance).collect()
        }
        _ => vec![],
    });
    momenta.reduce(f64::min)
}

pub(super) fn unsettled_statistics(steps: u64, left: f64, momentum: f64) -> Event {
    let enough = (libm::log(MOST_LEFT) / libm::log1p(-momentum)).ceil();
    let percent = libm::round(left * 1000.0) / 10.0;
    Event::Warning {
        code: "W0805".into(),
        message: format!(
            "this run makes {steps} steps, after which {percent} % of the running means and variances are still their \
             initial values, and the rest is from earlier weights: metrics on held-out rows say little"
        ),
        help: Some(format!("train for {enough} steps or more: more epochs, or smaller batches")),
    }
}

/// What running statistics and dropout make of settings that speak of weights and gradients alone.
pub(super) fn not_as_one_batch(net: &Net, statistics: bool, spec: &TrainSpec) -> Vec<Event> {
    let drops = |layer: &Layer| matches!(&layer.kind, LayerKind::Dropout { probability } if *probability > 0.0);
    let mut events = Vec::new();
    let mut warn = |message: &str, help: &str| {
        let (code, message) = ("W0807".to_string(), message.to_string());
        events.push(Event::Warning { code, message, help: Some(help.to_string()) });
    };
    if spec.accumulate > 1 && (statistics || net.layers.iter().any(drops)) {
        warn(
            "`accumulate` adds gradients of small batches, each with its own statistics and its own dropout: this is not the step \
             of one large batch",
            "use a larger `batch` if that matters",
        );
    }
    if spec.average.is_some() && statistics {
        warn(
            "`average` averages weights; running means and variances are those of the weights that train",
            "a smaller `momentum` of the statistics follows the average more closely",
        );
    }
    events
}

pub(super) fn much_recorded(bytes: u64) -> Event {
    Event::Warning {
        code: "W0804".into(),
        message: format!("the records of boundaries will need {} GiB of disk space", bytes >> 30),
        help: Some("record less often, as with `boundaries(epochs = 10)`, or of the first layers only".into()),
    }
}

pub(super) fn chosen_on_test() -> Event {
    Event::Warning {
        code: "W0903".into(),
        message:
            "the schedule, the stop rule and the best weights are chosen on the test rows (`select = test`), so the \
                  metrics on them are better than on new data"
                .into(),
        help: Some("leave `select` out to hold validation rows out of the training rows instead".into()),
    }
}
