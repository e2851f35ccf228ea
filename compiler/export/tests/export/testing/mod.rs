//! What the tests of every form share: networks with numbers away from their first values, rows, and what the compiler's own graph
//! predicts for them.

pub mod networks;

use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::gradcheck::first_states;
use gmpc_compiler::graphs::convert::{Tensors, from_file, plain_units, to_file};
use gmpc_compiler::ir::graph::{Random, Role, Tensor, evaluate};
use gmpc_compiler::ir::module::Module;
use gmpc_compiler::ir::net::Net;
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::math::Precision;
use gmpc_compiler::stage::Silent;
use gmpc_compiler::{Options, TargetScale, elaborate, front, initialization, step_graph};
use gmpc_export::Facts;
use gmpc_export::Network;
use gmpc_export::network::{Inputs, OutputScale, Outputs, Preparation, Trained, single};
use gmpc_grammar::source::Source;
use networks::{Case, Data};

/// A network as the compiler knows it, and as it is exported.
pub struct Sample {
    pub network: Network,
    module: Module,
    net: Net,
    tensors: Tensors,
}

impl Sample {
    pub fn new(&(name, data, text): &Case) -> Self {
        let file = Source { name: format!("{name}.gmpnet"), text: text.to_string() };
        let (module, _) =
            front(file, &Overrides::default(), &Silent).unwrap_or_else(|f| panic!("{name}: {:?}", f.diagnostics));
        let net = elaborate(&module, None, &Silent).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        let tensors = tensors(&module, &net);
        let units = plain_units(&net, &tensors).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        let precision = module.experiment.precision;
        let trained = Trained { net: &net, tensors: &tensors, units: &units, precision };
        let (inputs, outputs) = (inputs(&net, data), outputs(&net, data));
        let network =
            Network::new(&trained, inputs, outputs, facts()).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        Sample { network, module, net, tensors }
    }

    /// Rows as the file takes them; pixels are whole.
    pub fn rows(&self, count: usize) -> Vec<f64> {
        let width: usize = self.network.inputs.shape.iter().product();
        let wave = |place: usize| (1.3 * place as f64 + 0.2).sin();
        let one = |place: usize| match &self.network.inputs.preparation {
            Preparation::None => f64::from(single(2.0 * wave(place))),
            Preparation::Table { mean, deviation } => {
                mean[place % width] + 1.5 * deviation[place % width] * wave(place)
            }
            Preparation::Images { .. } => (127.5 + 127.5 * wave(place)).round(),
        };
        (0..count * width).map(one).collect()
    }

    /// What the layers take of such rows, channels outermost.
    pub fn scaled(&self, rows: &[f64]) -> Vec<f64> {
        let (width, area) = (self.network.inputs.shape.iter().product::<usize>(), self.area());
        let one = |(place, &x): (usize, &f64)| match &self.network.inputs.preparation {
            Preparation::None => x,
            Preparation::Table { deviation, .. } if deviation[place % width] == 0.0 => 0.0,
            Preparation::Table { mean, deviation } => (x - mean[place % width]) / deviation[place % width],
            Preparation::Images { mean, deviation } => {
                let channel = place / area % mean.len();
                (x / 255.0 - mean[channel]) / deviation[channel]
            }
        };
        rows.iter().enumerate().map(one).collect()
    }

    fn area(&self) -> usize {
        self.network.inputs.shape.iter().skip(1).product()
    }

    /// What the compiler's graph of the prediction says, in double precision.
    pub fn prediction(&self, rows: &[f64]) -> Vec<f64> {
        let count = rows.len() / self.network.inputs.shape.iter().product::<usize>();
        let scale = self.network.outputs.scale.as_ref();
        let target_scale = scale.map(|s| TargetScale { scale: s.factor.clone(), shift: s.shift.clone() });
        let (graph, _) =
            step_graph(&self.module, &self.net, Goal::Predict, count, &Options { target_scale, ..Options::default() })
                .expect("a graph");
        let states: Vec<Tensor> =
            graph.states.iter().map(|s| from_file(s, &self.tensors[&s.name]).expect("it fits")).collect();
        let mut data = self.scaled(rows);
        if let [channels, height, width] = self.network.inputs.shape[..] {
            let area = height * width;
            data = data
                .chunks_exact(channels * area)
                .flat_map(|image| {
                    (0..area).flat_map(|p| (0..channels).map(move |c| image[c * area + p])).collect::<Vec<_>>()
                })
                .collect();
        }
        if self.network.precision == Precision::F32 {
            data.iter_mut().for_each(|x| *x = f64::from(single(*x)));
        }
        let x = Tensor { shape: graph.inputs[0].shape.clone(), data };
        evaluate(&graph, &[x], &states, Random::default()).swap_remove(0).data
    }
}

/// Every number differs from its first value, and is one of single precision.
fn tensors(module: &Module, net: &Net) -> Tensors {
    let first = initialization(module, net).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut tensors = Tensors::new();
    for (place, (state, mut value)) in first.states.iter().zip(first_states(&first, 5)).enumerate() {
        for (i, x) in value.data.iter_mut().enumerate() {
            let noise = (1.3 * (place * 31 + i) as f64).sin();
            let size = match state.role {
                Role::Parameter | Role::Optimizer => 0.2,
                Role::Statistic => 0.4,
                Role::Constant => 0.0,
            };
            *x = f64::from(single(*x + size * noise));
        }
        tensors.insert(state.name.clone(), to_file(state, &value));
    }
    tensors
}

fn inputs(net: &Net, data: Data) -> Inputs {
    let shape = net.layers[0].shape.clone();
    let count = shape[0];
    let names = ["a", "say \"b\"", "Größe", "x\\ny", "*/ ??/"].map(String::from);
    let names = if shape.len() == 1 { names.into_iter().cycle().take(count).collect() } else { vec![] };
    let mean = |size: f64| (0..count).map(|i| size * (0.4 + 0.2 * i as f64)).collect::<Vec<_>>();
    let preparation = match data {
        Data::Bare => Preparation::None,
        // The second column is constant.
        Data::Table | Data::Classes | Data::Binary => Preparation::Table {
            mean: mean(2025.0),
            deviation: (0..count).map(|i| if i == 1 { 0.0 } else { 0.7 + i as f64 }).collect(),
        },
        Data::Images => Preparation::Images { mean: mean(1.0), deviation: vec![0.25; count] },
    };
    Inputs { shape, names, preparation }
}

fn outputs(net: &Net, data: Data) -> Outputs {
    let width: usize = net.layers[net.output].shape.iter().product();
    let scaled = data == Data::Table;
    let each = |from: f64| (0..width).map(|i| from + 0.5 * i as f64).collect::<Vec<_>>();
    let classes = match data {
        Data::Bare | Data::Table => 0,
        Data::Binary => 2,
        Data::Classes | Data::Images => width,
    };
    let classes = (0..classes).map(|i| format!("class {i}, \"größte\" */")).collect();
    let scale = scaled.then(|| OutputScale { factor: each(3.0), shift: each(-2.0) });
    Outputs { width, names: vec!["y".into(); width], classes, scale }
}

fn facts() -> Facts {
    Facts {
        gmpc: "0.0.0".into(),
        run: "0123456789abcdef".into(),
        param: "gmp".into(),
        data: "made up".into(),
        source_sha256: "0".repeat(64),
        data_sha256: "1".repeat(64),
        left_out: vec!["nothing */ \"of note\"".into()],
    }
}

/// The largest difference, as a share of the largest number.
pub fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = a.iter().fold(f64::MIN_POSITIVE, |largest, x| largest.max(x.abs()));
    a.iter()
        .zip(b)
        .fold(0.0, |most, (a, b)| if (a - b).is_finite() { most.max((a - b).abs() / largest) } else { f64::INFINITY })
}
