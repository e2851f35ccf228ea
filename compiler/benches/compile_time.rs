//! How long compiling takes: `cargo bench -p gmpc-compiler --bench compile_time [-- DEPTH…]`.
//!
//! What `gmpc check` does, from the text to the code of the programs that predict, evaluate and train. The first table is for
//! networks of that many dense layers of 100 units: a line for each parameterization, a column for each depth. The others say
//! where the time goes, stage by stage, for the deepest of these and for VGG-6 and residual networks, and what of it is
//! verification. Milliseconds, of the quickest of several rounds; compiling is one thread, and the quickest round is what
//! other work on the machine disturbs least.

use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::stage::{Harness, Observer, Part};
use gmpc_compiler::{Options, elaborate, front, initialization, program, states};
use gmpc_grammar::source::Source;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const PARAMETERIZATIONS: [&str; 6] = ["sp", "wn", "bn", "gmp", "gmp + mn", "wn + mbn"];
const DEPTHS: [usize; 6] = [10, 30, 100, 200, 300, 1000];
/// Rows of the programs.
const BATCH: usize = 10;
/// Rounds end when they have taken this long together, after one at least.
const ENOUGH: Duration = Duration::from_millis(500);

/// Blocks of the residual networks, stage by stage.
const RESNETS: [(&str, [usize; 4]); 2] = [("ResNet-50", [3, 4, 6, 3]), ("ResNet-152", [3, 8, 36, 3])];

fn main() {
    // Cargo adds a flag of its own.
    let asked: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let depths = if asked.is_empty() { DEPTHS.to_vec() } else { asked };
    let deepest = depths.iter().copied().max().unwrap_or_default();
    let mut columns = Vec::new();
    print!("| layers |");
    depths.iter().for_each(|depth| print!(" {depth} |"));
    println!("\n| --- |{}", " ---: |".repeat(depths.len()));
    for param in PARAMETERIZATIONS {
        print!("| `{param}` |");
        for &depth in &depths {
            let times = least(&deep(param, depth));
            print!(" {:.1} |", ms(times.total()));
            if depth == deepest {
                columns.push((format!("`{param}`"), times));
            }
        }
        println!();
    }
    println!("\n{deepest} layers:\n");
    stages(&columns);
    println!();
    for param in ["bn", "gmp + mn"] {
        let mut columns = vec![("VGG-6".to_string(), least(&vgg6(param)))];
        columns.extend(RESNETS.map(|(name, blocks)| (name.to_string(), least(&resnet(param, blocks)))));
        println!("`{param}`:\n");
        stages(&columns);
        println!();
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A line for each stage, a column for each network.
fn stages(columns: &[(String, Times)]) {
    print!("| stage |");
    columns.iter().for_each(|(name, _)| print!(" {name} |"));
    println!("\n| --- |{}", " ---: |".repeat(columns.len()));
    let row = |name: &str, cell: &dyn Fn(&Times) -> String| {
        print!("| {name} |");
        columns.iter().for_each(|(_, times)| print!(" {} |", cell(times)));
        println!();
    };
    let Some((_, first)) = columns.first() else { return };
    for &(stage, ..) in &first.stages {
        row(stage, &|times| times.of(stage).map_or(String::new(), |(pass, _)| format!("{:.1}", ms(pass))));
    }
    let share = |part: Duration, times: &Times| {
        format!("{:.1} ({:.1} %)", ms(part), 100.0 * part.as_secs_f64() / times.total().as_secs_f64())
    };
    row("verifying graphs, kernels, plans", &|times| share(times.verified() - times.cranelift(), times));
    row("verifying Cranelift's functions", &|times| share(times.cranelift(), times));
    row("all", &|times| format!("{:.1}", ms(times.total())));
}

fn deep(param: &str, depth: usize) -> String {
    format!(
        "param = {param}\n\
         data = levy(points = 50, noise = 0.1)\n\
         model deep {{ input -> repeat({depth}, dense(100) -> relu) -> linear(1) }}\n\
         train {{ loss = mse  optimizer = adam(lr = 0.01)  batch = {BATCH}  epochs = 1  metrics = [rmse] }}\n"
    )
}

/// The network of `examples/vgg6.gmpnet`.
fn vgg6(param: &str) -> String {
    images(
        "std.vgg",
        param,
        "official_stage(128) -> official_stage(256) -> official_stage(512) -> global_avg_pool",
        "imagenet32",
    )
}

fn resnet(param: &str, blocks: [usize; 4]) -> String {
    let mut body = "stem".to_string();
    for (blocks, (width, stride)) in blocks.into_iter().zip([(64, 1), (128, 2), (256, 2), (512, 2)]) {
        let more = blocks - 1;
        body += &format!(" -> bottleneck({width}, stride = {stride}) -> repeat({more}, bottleneck({width}))");
    }
    images("std.resnet", param, &(body + " -> global_avg_pool"), "imagenet")
}

fn images(library: &str, param: &str, body: &str, data: &str) -> String {
    format!(
        "use {library}\n\
         param = {param}\n\
         data = {data}(validation = 0.04)\n\
         model images {{ input -> {body} -> linear(data.classes) }}\n\
         train {{ loss = cross_entropy  optimizer = sgd(momentum = 0.9, lr = 0.1)  batch = {BATCH}  epochs = 1 }}\n"
    )
}

/// What each stage took: its pass and the verification of what it made, all runs together.
#[derive(Debug, Clone, Default)]
struct Times {
    stages: Vec<(&'static str, Duration, Duration)>,
}

impl Times {
    fn of(&self, stage: &str) -> Option<(Duration, Duration)> {
        self.stages.iter().find(|(name, ..)| *name == stage).map(|&(_, pass, verify)| (pass, verify))
    }

    fn verified(&self) -> Duration {
        self.stages.iter().map(|(_, _, verify)| verify).sum()
    }

    /// Functions are what the last stage makes.
    fn cranelift(&self) -> Duration {
        self.of("emit").map_or(Duration::ZERO, |(_, verify)| verify)
    }

    fn total(&self) -> Duration {
        self.stages.iter().map(|(_, pass, _)| *pass).sum::<Duration>() + self.verified()
    }
}

/// Measures one round.
#[derive(Debug, Default)]
struct Clock(Mutex<(Option<Instant>, Times)>);

impl Observer for Clock {
    fn begin(&self, _: &'static str, _: Part) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(Instant::now());
    }

    fn end(&self, stage: &'static str, part: Part) {
        let now = Instant::now();
        let mut clock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let time = clock.0.take().map_or(Duration::ZERO, |begun| now - begun);
        let stages = &mut clock.1.stages;
        let place = stages.iter().position(|(name, ..)| *name == stage).unwrap_or_else(|| {
            stages.push((stage, Duration::ZERO, Duration::ZERO));
            stages.len() - 1
        });
        match part {
            Part::Pass => stages[place].1 += time,
            Part::Verify => stages[place].2 += time,
        }
    }
}

/// The shortest of several rounds.
fn least(text: &str) -> Times {
    let (mut least, mut spent) = (None, Duration::ZERO);
    while spent < ENOUGH {
        let start = Instant::now();
        let times = check(text);
        spent += start.elapsed();
        if least.as_ref().is_none_or(|least: &Times| times.total() < least.total()) {
            least = Some(times);
        }
    }
    least.unwrap_or_default()
}

/// Everything up to the code of all programs.
fn check(text: &str) -> Times {
    let clock = Clock::default();
    let harness = Harness::new(&clock, None);
    let file = Source { name: "bench.gmpnet".to_string(), text: text.to_string() };
    let (module, _) = front(file, &Overrides::default(), &clock).unwrap_or_else(|f| panic!("{:?}", f.diagnostics));
    let facts = module.declared_facts();
    let net = elaborate(&module, facts.as_ref(), &clock).unwrap_or_else(|errors| panic!("{errors:?}"));
    let first = harness.try_run("initialize", || initialization(&module, &net));
    let first = first.unwrap_or_else(|errors| panic!("{errors:?}"));
    let states = harness.timed("states", Part::Pass, || states(&module, &net));
    let states = states.unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(first.states.len(), states.len());
    for goal in [Goal::Predict, Goal::Evaluate, Goal::Train] {
        let made = program(&module, &net, goal, BATCH, &Options::default(), &clock);
        let made = made.unwrap_or_else(|errors| panic!("{errors:?}"));
        assert!(!made.code.steps.is_empty(), "a program that does nothing");
    }
    clock.0.into_inner().unwrap_or_else(PoisonError::into_inner).1
}
