//! The checks for each kind of case. Errors are measured as the README of the cases defines: |a - b| / max(|b|, floor) of
//! norms.

use super::case::{Case, Tensors, row};
use super::layout::run;
use super::machine::Machine;
use super::noise;
use super::{Judge, Make};
use crate::networks::{compile, messages};
use gmpc_compiler::graphs::convert::convert;
use gmpc_compiler::ir::graph::{Graph, Op, Tensor};
use gmpc_compiler::ir::program::Goal;

/// Below this norm, differences are absolute.
pub const FLOOR: f64 = 1e-6;

/// The tensor nearest to its tolerance.
pub struct Worst {
    /// Error over tolerance.
    pub ratio: f64,
    /// Name of the tensor.
    pub tensor: String,
    /// Tensors that are beyond their tolerance, but not further off than rounding alone can move them.
    pub noisy: Vec<String>,
}

/// Collects the results of comparisons.
struct Checks {
    tighter: f64,
    worst: Worst,
    wrong: Vec<Wrong>,
}

/// A tensor beyond its tolerance.
struct Wrong {
    tensor: String,
    /// The relative error. Infinite where the tensor is missing or has another size.
    error: f64,
    text: String,
}

/// Runs a case on a machine.
///
/// # Errors
/// Which tensors are off, and by how much.
pub fn check(case: &Case, make: Make<'_>, Judge { tighter, far }: Judge) -> Result<Worst, String> {
    let worst = Worst { ratio: 0.0, tensor: "none".to_string(), noisy: vec![] };
    let mut checks = Checks { tighter, worst, wrong: vec![] };
    // The metadata of a case decides what it contains and therefore what is compared.
    let done = match case.text("kind") {
        "single_step" => single_step(case, make, &mut checks),
        "multi_step" => multi_step(case, make, &mut checks),
        "unit_vector" => unit_vector(case, make, &mut checks),
        "convert_sp_to_gmp" => conversion(case, make, &mut checks),
        other => Err(format!("unknown kind {other}")),
    };
    done?;
    if !far {
        checks.wrong.retain(|wrong| !is_far(&wrong.tensor));
    }
    // In f64, rounding explains nothing. In f32, it explains late tensors only: one wrong tensor of the first step makes
    // all count.
    if tighter >= 1.0 && checks.wrong.iter().all(|wrong| noise::can_explain(&wrong.tensor)) {
        checks.excuse(case);
    }
    if checks.wrong.is_empty() {
        return Ok(checks.worst);
    }
    Err(checks.wrong.iter().map(|wrong| wrong.text.as_str()).collect::<Vec<_>>().join(", "))
}

/// Does this tensor belong to ten steps of training or more?
fn is_far(tensor: &str) -> bool {
    tensor.starts_with("step10") || tensor == "losses"
}

impl Checks {
    fn compare(&mut self, name: &str, found: Option<&Tensor>, expected: &Tensor, tolerance: f64, floor: f64) {
        let Some(found) = found.filter(|f| f.data.len() == expected.data.len()) else {
            let shape = found.map(|f| f.shape.clone());
            let text = format!("{name} is {shape:?}, expected {:?}", expected.shape);
            return self.wrong.push(Wrong { tensor: name.to_string(), error: f64::INFINITY, text });
        };
        let error = relative(found, expected, floor);
        let ratio = error / (tolerance * self.tighter);
        if ratio.is_nan() || ratio > 1.0 {
            let text = format!("{name} off by {error:.2e}, {ratio:.1} times the tolerance");
            self.wrong.push(Wrong { tensor: name.to_string(), error, text });
        }
        if ratio.is_nan() || ratio > self.worst.ratio {
            (self.worst.ratio, self.worst.tensor) = (ratio, name.to_string());
        }
    }

    /// Moves tensors whose error is not larger than rounding alone can make it from `wrong` to `noisy`.
    fn excuse(&mut self, case: &Case) {
        if self.wrong.is_empty() {
            return;
        }
        let spread = noise::spread(case);
        let is_noise = |wrong: &Wrong| spread.get(&wrong.tensor).is_some_and(|far| wrong.error <= *far);
        let (noisy, wrong): (Vec<_>, Vec<_>) = std::mem::take(&mut self.wrong).into_iter().partition(is_noise);
        self.wrong = wrong;
        self.worst.noisy = noisy.into_iter().map(|wrong| wrong.tensor).collect();
    }
}

/// |a - b| / max(|b|, floor)
pub fn relative(found: &Tensor, expected: &Tensor, floor: f64) -> f64 {
    let norm = |terms: &mut dyn Iterator<Item = f64>| terms.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut found.data.iter().zip(&expected.data).map(|(a, b)| a - b));
    difference / norm(&mut expected.data.iter().copied()).max(floor)
}

fn tolerance(case: &Case, key: &str, default: f64) -> f64 {
    case.meta["tolerance"][key].as_f64().unwrap_or(default)
}

fn single_step(case: &Case, make: Make<'_>, checks: &mut Checks) -> Result<(), String> {
    let mut machine = make(case.text("source"))?;
    machine.set(&case.states());
    let (x, target) = (case.tensor("input"), case.tensor("target"));
    let (forward, grad) = (tolerance(case, "forward", 1e-5), tolerance(case, "grad", 1e-4));
    // Prediction and evaluation come first: the step of the gradients below changes the running statistics that they read.
    let prediction = run(machine.as_mut(), Goal::Predict, x, target, (0.0, 1));
    checks.compare("eval.output", prediction.get("prediction"), case.tensor("eval.output"), forward, FLOOR);
    let evaluation = loss(run(machine.as_mut(), Goal::Evaluate, x, target, (0.0, 1)), x.shape[0]);
    checks.compare("eval.loss", evaluation.as_ref(), case.tensor("eval.loss"), forward, FLOOR);
    let outputs = run(machine.as_mut(), Goal::Gradients, x, target, (0.0, 1));
    checks.compare("train.output", outputs.get("prediction"), case.tensor("train.output"), forward, FLOOR);
    checks.compare("train.loss", outputs.get("loss"), case.tensor("train.loss"), forward, FLOOR);
    // Gradients that are zero in exact arithmetic consist of rounding errors. Errors of all gradients are therefore
    // measured against at least a hundredth of the largest gradient of the case.
    let largest = case.below("grad.").filter(|(n, _)| *n != "output").flat_map(|(_, t)| &t.data);
    let floor = 1e-2 * largest.fold(0.0, |m: f64, x| m.max(x.abs()));
    for (name, expected) in case.below("grad.") {
        let floor = if name == "output" { FLOOR } else { floor };
        let name = format!("grad.{name}");
        checks.compare(&name, outputs.get(&name), expected, grad, floor);
    }
    let after = machine.states();
    for (name, expected) in case.below("buffer_after.") {
        checks.compare(&format!("buffer_after.{name}"), after.get(name), expected, forward, FLOOR);
    }
    Ok(())
}

/// The mean loss, from the sum over rows that a program returns.
fn loss(outputs: Tensors, rows: usize) -> Option<Tensor> {
    let sum = outputs.get("loss.sum0")?;
    Some(Tensor::full(&[], sum.data[0] / rows as f64))
}

fn multi_step(case: &Case, make: Make<'_>, checks: &mut Checks) -> Result<(), String> {
    let mut machine = make(case.text("source"))?;
    machine.set(&case.states());
    let (x, target) = (case.tensor("input"), case.tensor("target"));
    let (batches, rows) = (x.shape[0], x.shape[1]);
    let lr = case.meta["optimizer"]["lr"].as_f64().ok_or("the case has no learning rate")?;
    let expected = case.tensor("losses");
    let mut losses = Tensor { shape: expected.shape.clone(), data: vec![] };
    // Batches repeat in order. Steps count from 1, as the bias correction of Adam requires.
    for step in 0..expected.data.len() {
        let (x, target) = (row(x, step % batches), row(target, step % batches));
        let outputs = run(machine.as_mut(), Goal::Train, &x, &target, (lr, step as u64 + 1));
        losses.data.push(loss(outputs, rows).map_or(f64::NAN, |l| l.data[0]));
        // Errors grow with the number of steps, and the tolerances with them.
        if let Some((_, tolerance)) = [(1, 1e-5), (10, 1e-4), (100, 1e-3)].iter().find(|(k, _)| *k == step + 1) {
            after_steps(case, machine.as_mut(), step + 1, *tolerance, checks);
        }
    }
    checks.compare("losses", Some(&losses), expected, 1e-3, FLOOR);
    Ok(())
}

fn after_steps(case: &Case, machine: &mut dyn Machine, steps: usize, tolerance: f64, checks: &mut Checks) {
    let states = machine.states();
    for kind in ["param", "buffer"] {
        for (name, expected) in case.below(&format!("step{steps}.{kind}.")) {
            checks.compare(&format!("step{steps}.{kind}.{name}"), states.get(name), expected, tolerance, FLOOR);
        }
    }
    let (x, target) = (row(case.tensor("input"), 0), row(case.tensor("target"), 0));
    let prediction = run(machine, Goal::Predict, &x, &target, (0.0, 1));
    let name = format!("step{steps}.eval.output");
    checks.compare(&name, prediction.get("prediction"), case.tensor(&name), tolerance, FLOOR);
}

/// Any network will do: the test only uses the machine's ability to compute a graph.
const SMALLEST: &str = "model golden(input: [1]) { input -> linear(1) }";

fn unit_vector(case: &Case, make: Make<'_>, checks: &mut Checks) -> Result<(), String> {
    // Cases have a unit per row, graphs a unit per column.
    let machine = make(SMALLEST)?;
    let (theta, cotangent) = (transposed(case.tensor("theta")), transposed(case.tensor("cotangent")));
    let mut graph = Graph::default();
    let angles = graph.input("theta", theta.shape.clone());
    let arriving = graph.input("cotangent", cotangent.shape.clone());
    let u = graph.spherical(angles);
    let gradient = graph.push(Op::SphericalGrad, vec![angles, arriving], theta.shape.clone());
    graph.output("u", u);
    graph.output("grad.theta", gradient);
    let values = machine.compute(&graph, &[theta, cotangent]);
    let (forward, grad) = (tolerance(case, "forward", 1e-5), tolerance(case, "grad", 1e-4));
    let expected = case.tensor("grad.theta");
    let floor = 1e-2 * expected.data.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    checks.compare("u", values.first().map(transposed).as_ref(), case.tensor("u"), forward, FLOOR);
    checks.compare("grad.theta", values.get(1).map(transposed).as_ref(), expected, grad, floor);
    Ok(())
}

fn transposed(a: &Tensor) -> Tensor {
    let (rows, columns) = (a.shape[0], a.shape[1]);
    let data = (0..columns).flat_map(|j| (0..rows).map(move |i| a.data[i * columns + j])).collect();
    Tensor { shape: vec![columns, rows], data }
}

fn conversion(case: &Case, make: Make<'_>, checks: &mut Checks) -> Result<(), String> {
    let w = case.tensor("w");
    // The same layer in both parameterizations. Conversion maps the plain weights of one to the angles, radii and offsets
    // of the other.
    let source = |param: &str| {
        let (units, fan_in) = (w.shape[0], w.shape[1]);
        format!("model golden(input: [{fan_in}]) {{ input -> dense({units}, param = {param}) as layer -> relu }}")
    };
    let ((sp, sp_net), (gmp, gmp_net)) = (compile(&source("sp"))?, compile(&source("gmp"))?);
    let plain = [("layer.w", "w"), ("layer.b", "b")].map(|(name, from)| (name.to_string(), case.tensor(from).clone()));
    let converted = convert(&sp, &sp_net, &plain.into(), &gmp, &gmp_net).map_err(|errors| messages(&errors))?;
    let forward = tolerance(case, "forward", 1e-5);
    checks.compare("lambda", converted.get("layer.lambda"), case.tensor("lambda"), forward, FLOOR);
    checks.compare("r", converted.get("layer.r"), case.tensor("r"), forward, FLOOR);
    let mut machine = make(&source("gmp"))?;
    // Where the remaining components of a vector are nearly zero, small errors change the angles a lot but not the
    // direction. Directions are therefore compared instead of angles.
    let direction = |theta: &Tensor| {
        let theta = transposed(theta);
        let mut graph = Graph::default();
        let angles = graph.input("theta", theta.shape.clone());
        let u = graph.spherical(angles);
        graph.output("u", u);
        machine.compute(&graph, &[theta]).swap_remove(0)
    };
    let found = converted.get("layer.theta").map(direction);
    let expected = direction(case.tensor("theta"));
    checks.compare("u(theta)", found.as_ref(), &expected, forward, FLOOR);
    // The converted layer must compute the same outputs.
    machine.set(&converted);
    let (x, target) = (case.tensor("input"), case.tensor("output"));
    let prediction = run(machine.as_mut(), Goal::Predict, x, target, (0.0, 1));
    checks.compare("output", prediction.get("prediction"), target, forward, FLOOR);
    Ok(())
}
