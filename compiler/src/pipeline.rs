//! The pipeline: every pass from text to code, in order, each one run by the harness of [`crate::stage`].
//!
//! ```text
//! front       text -read-> Ast -override-> Ast -resolve-> Module
//! elaborate   Module -infer-> Net
//! step_graph  Net -parameterize-> Graph (forward) -step-> Graph (gradients, update, statistics, measures)
//! lower       Graph -simplify-> Graph -prepare-> Graph -hoist-> Graph and prologue
//!             Graph -fuse-> Kernels -plan-> Plan -emit-> Code
//! ```
//!
//! A caller can also run the stages one by one. Between `front` and `elaborate` it looks at the data. After `elaborate` it
//! makes programs for several goals and batch sizes from one network.

use crate::backend::cpu;
use crate::backend::separate::{SingleKernel, separate};
use crate::front::infer::infer;
use crate::front::resolve::{Failure, Overrides, overrides, resolve};
use crate::front::stdlib;
use crate::graphs::boundary;
use crate::graphs::first_batch;
use crate::graphs::parameterize::{Mode, parameterize};
use crate::graphs::step::{Options, step};
use crate::ir::code::Code;
use crate::ir::experiment::{Contractions, DataFacts, Experiment, Precision};
use crate::ir::graph::Graph;
use crate::ir::kernels::Kernels;
use crate::ir::layout::StateLayout;
use crate::ir::module::Module;
use crate::ir::net::Net;
use crate::ir::program::{Goal, Measure, Program};
use crate::lower::fuse::{Epilogues, fuse};
use crate::lower::plan::{Plan, Planned, in_turn, plan};
use crate::lower::simplify::{hoist, prepare, simplify};
use crate::stage::{Harness, Observer, Silent};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::{Source, Sources};

/// Compiles a text to code, and returns the warnings with it. `facts` looks at the data that the module names. It returns
/// their shape (`None`: the shape that the file itself declares) and how their targets were scaled.
///
/// # Errors
/// Everything found wrong by the stage that stopped.
pub fn compile(
    file: Source,
    overrides: &Overrides,
    facts: impl FnOnce(&Module) -> (Option<DataFacts>, Options),
    goal: Goal,
    batch: usize,
    observer: &dyn Observer,
) -> Result<(Program, Vec<Diagnostic>), Failure> {
    let (module, warnings) = front(file, overrides, observer)?;
    let (shape, options) = facts(&module);
    let net = elaborate(&module, shape.as_ref(), observer);
    let program = net.and_then(|net| program(&module, &net, goal, batch, &options, observer));
    match program {
        Ok(program) => Ok((program, warnings)),
        Err(diagnostics) => Err(Failure { sources: module.sources, diagnostics }),
    }
}

/// Reads a file, applies the overrides and resolves all names. Returns the warnings with the module.
///
/// # Errors
/// Everything found wrong by the stage that stopped.
pub fn front(file: Source, asked: &Overrides, observer: &dyn Observer) -> Result<(Module, Vec<Diagnostic>), Failure> {
    let harness = Harness::new(observer, None);
    let mut sources = stdlib::sources();
    let (text, id) = (file.text.clone(), sources.add(file));
    // The texts of the library come first, so that a span into the library is the same in every compilation.
    let ast = harness
        .try_run("read", || {
            let (ast, errors) = gmpc_grammar::read(&text, id);
            if errors.is_empty() { Ok(ast) } else { Err(errors) }
        })
        .and_then(|ast| harness.try_run("override", || overrides::apply(ast, &mut sources, asked)));
    match ast {
        Ok(ast) => harness.try_run("resolve", || resolve(sources, &ast)),
        Err(diagnostics) => Err(Failure { sources, diagnostics }),
    }
}

/// Returns the network for data of this shape. `None`: the shape that the model or the declaration of the data states.
///
/// # Errors
/// Shapes that do not fit together, or an input shape that is stated nowhere.
pub fn elaborate(module: &Module, facts: Option<&DataFacts>, observer: &dyn Observer) -> Result<Net, Vec<Diagnostic>> {
    Harness::new(observer, Some(&module.sources)).try_run("infer", || infer(module, facts))
}

/// The program for one goal at one batch size.
///
/// # Errors
/// As [`step_graph`].
pub fn program(
    module: &Module,
    net: &Net,
    goal: Goal,
    batch: usize,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Program, Vec<Diagnostic>> {
    let harness = Harness::new(observer, Some(&module.sources));
    let (graph, measures) = graph_of(harness, module, net, goal, batch, options)?;
    let Experiment { precision, contractions, .. } = module.experiment;
    Ok(Program { contractions, ..lowered(harness, goal, precision, batch, &graph, measures) })
}

fn graph_of(
    harness: Harness,
    module: &Module,
    net: &Net,
    goal: Goal,
    batch: usize,
    options: &Options,
) -> Result<(Graph, Vec<Measure>), Vec<Diagnostic>> {
    let mode = match goal {
        Goal::Train | Goal::Gradients => Mode::Training,
        Goal::Evaluate | Goal::Predict => Mode::Evaluation,
        Goal::Start => {
            return harness.try_run("start", || Ok((first_batch::start(module, net, batch)?, vec![])));
        }
        // Boundaries are computed from the states alone: no example goes through the network.
        Goal::Boundaries => {
            return harness.try_run("boundaries", || Ok((boundary::recorded(module, net)?, vec![])));
        }
    };
    let forward = harness.try_run("parameterize", || parameterize(net, mode, batch))?;
    harness.try_run("step", || step(module, net, goal, forward, options))
}

fn lowered(
    harness: Harness,
    goal: Goal,
    precision: Precision,
    batch: usize,
    graph: &Graph,
    measures: Vec<Measure>,
) -> Program {
    let graph = harness.run_within("simplify", || simplify(graph));
    // `prepare` moves scales and shifts into convolutions. The nodes that it leaves behind can be simplified again.
    let graph = harness.run_within("prepare", || {
        let prepared = prepare(&graph);
        if prepared == graph { graph } else { simplify(&prepared) }
    });
    let (graph, prologue) = harness.run("hoist", || hoist(&graph));
    let (kernels, plan) = planned(harness, &graph, precision);
    let code = harness.run("emit", || cpu::emit(&kernels, &plan));
    Program { goal, precision, contractions: Contractions::Full, batch, graph, prologue, measures, code }
}

fn planned(harness: Harness, graph: &Graph, precision: Precision) -> (Kernels, Plan) {
    let kernels = harness.run("fuse", || fuse(graph, Epilogues::Inside, precision));
    let (states, steps) = (StateLayout::new(&graph.states), in_turn(&kernels));
    let plan = harness.run("plan", || Planned {
        plan: plan(&kernels, &states),
        kernels: &kernels,
        steps: &steps,
        states: &states,
    });
    let plan = plan.plan;
    (kernels, plan)
}

/// Returns the graph for one goal at one batch size, and how the loss and the metrics follow from its outputs. Without an
/// observer.
///
/// # Errors
/// - Mistakes in the definitions that the network uses.
/// - A goal that the file does not describe (training without a `train` block).
/// - A batch of one row for a parameterization that needs a variance over the batch.
pub fn step_graph(
    module: &Module,
    net: &Net,
    goal: Goal,
    batch: usize,
    options: &Options,
) -> Result<(Graph, Vec<Measure>), Vec<Diagnostic>> {
    graph_of(Harness::new(&Silent, Some(&module.sources)), module, net, goal, batch, options)
}

/// Returns the program of any graph whose first axis is `batch` rows. Its contractions multiply unrounded numbers. Without an
/// observer.
#[must_use]
pub fn lower(goal: Goal, precision: Precision, batch: usize, graph: &Graph, measures: Vec<Measure>) -> Program {
    lowered(Harness::new(&Silent, None), goal, precision, batch, graph, measures)
}

/// Returns code for the CPU from a graph that is simplified already. Without an observer.
pub(crate) fn generate(graph: &Graph, precision: Precision) -> Code {
    let harness = Harness::new(&Silent, None);
    let (kernels, plan) = planned(harness, graph, precision);
    harness.run("emit", || cpu::emit(&kernels, &plan))
}

/// Returns each kernel of a program as a program of its own, in order, made when it is asked for. `sources` are the texts that the spans lie in: they
/// give each kernel the lines of the model that it computes.
pub fn lower_separately(program: &Program, sources: &Sources) -> impl ExactSizeIterator<Item = SingleKernel> {
    let (kernels, plan) = planned(Harness::new(&Silent, Some(sources)), &program.graph, program.precision);
    separate(program, kernels, plan, sources)
}
