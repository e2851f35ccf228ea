//! Times one training step of a small dense network on this processor, as a whole and kernel by kernel.
//!
//! ```text
//! cargo run --release -p gmpc-runtime --example step_bench -- [PARAM] [f32|f64] [BATCH] [INPUTS] [kernels] [asm]
//! ```

use gmpc_compiler::backend::cpu::emit;
use gmpc_compiler::experiment::Precision;
use gmpc_compiler::fuse::fuse;
use gmpc_compiler::graph::Random;
use gmpc_compiler::infer::infer;
use gmpc_compiler::kernels::{Kernels, print};
use gmpc_compiler::plan::plan;
use gmpc_compiler::program::{Goal, Program, StateLayout};
use gmpc_compiler::resolve::{Overrides, read};
use gmpc_compiler::{Options, lower, step_graph};
use gmpc_grammar::source::Source;
use gmpc_runtime::device::cpu::{Cpu, disassemble};
use gmpc_runtime::device::{Device, Executable, Numbers, SliceMut, States};
use std::sync::Arc;
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let get = |i: usize, default: &str| arguments.get(i).cloned().unwrap_or_else(|| default.into());
    let (param, precision, batch, inputs) = (get(0, "sp"), get(1, "f32"), get(2, "64"), get(3, "13"));
    let text = format!(
        "param = {param}\nprecision = {precision}\nmodel m(input: [{inputs}]) {{ input -> dense(100) -> relu -> linear(1) }}\n\
         train {{ loss = mse optimizer = adam(lr = 0.001) epochs = 1 }}\n"
    );
    let start = Instant::now();
    let (module, _) = read(Source { name: "bench".into(), text }, &Overrides::default()).unwrap_or_else(|failure| {
        failure.diagnostics.iter().for_each(|d| eprintln!("{}", d.message));
        std::process::exit(1)
    });
    let net = infer(&module, None).expect("shapes");
    let batch: usize = batch.parse().expect("a number");
    let (graph, measures) = step_graph(&module, &net, Goal::Train, batch, &Options::default()).expect("a step");
    let front = start.elapsed();
    let program = Arc::new(lower(Goal::Train, module.experiment.precision, batch, &graph, measures));
    let back = start.elapsed();
    let mut executable = Cpu::default().load(&program).expect("loads");
    let all = start.elapsed();
    println!("to the step graph {front:?}, to CLIF {:?}, machine code {:?}", back - front, all - back);
    println!("{} instructions, {} scratch bytes", instructions(&program), program.code.scratch_bytes);
    let kernels = fuse(&program.graph);
    if arguments.iter().any(|a| a == "kernels") {
        println!("{}", print(&kernels, Some(&module.sources)));
    }
    let layout = Arc::new(StateLayout::new(&program.graph.states));
    let mut states = fresh(&layout, program.precision);
    fill(&program, executable.as_mut());
    println!("step {:.2} us", time(executable.as_mut(), &mut states));
    let plan = plan(&kernels, &layout, program.precision);
    for (index, kernel) in kernels.kernels.iter().enumerate() {
        let one = Kernels { kernels: vec![kernel.clone()], ..kernels.clone() };
        let code = emit(&one, &plan, program.precision);
        let part = Arc::new(Program { code, ..(*program).clone() });
        let mut executable = Cpu::default().load(&part).expect("loads");
        fill(&part, executable.as_mut());
        let mut states = fresh(&layout, program.precision);
        let head = print(&one, None);
        let head = head.lines().find(|l| !l.starts_with("buffer")).unwrap_or_default().to_string();
        println!("  kernel {index}: {:.3} us  {head}", time(executable.as_mut(), &mut states));
        if arguments.iter().any(|a| a == "asm") {
            println!("{}", disassemble(&part).expect("code"));
        }
    }
}

fn instructions(program: &Program) -> usize {
    program.code.functions.iter().map(|f| f.dfg.num_insts()).sum()
}

/// States without zeros in them.
fn fresh(layout: &Arc<StateLayout>, precision: Precision) -> States {
    let mut states = States { data: Numbers::zeros(precision, layout.elements), layout: Arc::clone(layout) };
    for index in 0..layout.elements {
        let number = ((index * 7919 % 1009) as f64 / 1009.0 + 0.05) * 0.2;
        match &mut states.data {
            Numbers::F32(data) => data[index] = number as f32,
            Numbers::F64(data) => data[index] = number,
        }
    }
    states
}

fn fill(program: &Program, executable: &mut dyn Executable) {
    for index in 0..program.graph.inputs.len() {
        let value = |i: usize| (i * 104_729 % 1013) as f64 / 1013.0 - 0.5;
        match executable.input(index) {
            SliceMut::F32(to) => to.iter_mut().enumerate().for_each(|(i, to)| *to = value(i + 1) as f32),
            SliceMut::F64(to) => to.iter_mut().enumerate().for_each(|(i, to)| *to = value(i + 1)),
        }
    }
}

/// Median over samples of the time of one run, in microseconds.
fn time(executable: &mut dyn Executable, states: &mut States) -> f64 {
    let mut samples = Vec::new();
    let begin = Instant::now();
    while samples.len() < 15 || (begin.elapsed().as_millis() < 150 && samples.len() < 400) {
        let start = Instant::now();
        for step in 0..50 {
            executable.run(states, Random { seed: 1, step }).expect("runs");
        }
        samples.push(start.elapsed().as_secs_f64() * 1e6 / 50.0);
    }
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 4]
}
