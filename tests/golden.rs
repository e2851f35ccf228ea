//! Conformance with an independent reference: every case is compiled from its own source, and every tensor must be within
//! the tolerance that the case states.
//!
//! `golden/cases` holds 40 cases that cover every layer, parameterization, loss and optimizer. They always run. All cases
//! are in the folder `GMPNET_GOLDEN` (by default `../shared/golden` beside the workspace). Without that folder, the tests
//! of the other cases are ignored. Some training cases end elsewhere because of rounding alone. In f32, they are compared
//! with what rounding can do (`noise.rs`), and the test prints which tensors were accepted for this reason.

pub(crate) mod case;
mod emulated;
mod kinds;
mod layout;
pub(crate) mod machine;
mod noise;
pub(crate) mod on_device;
#[cfg(feature = "cuda")]
mod on_gpu;

use case::Case;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_device::Device;
use gmpc_device_cpu::Cpu;
use gmpc_device_reference::Candle;
use gmpc_kernels::Variant;
use gmpc_kernels::convolution::Algorithm;
use machine::{Evaluator, Machine};
use on_device::OnDevice;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Makes a machine for the text of a network.
type Make<'a> = &'a dyn Fn(&str) -> Result<Box<dyn Machine>, String>;

/// How strictly a machine is judged, which depends on whether its numbers have 24 or 53 bits.
#[derive(Clone, Copy)]
struct Judge {
    /// A factor of the cases' tolerances, which are for f32. With f64 the error must be a million times smaller.
    tighter: f64,
    /// Are training cases judged after ten and a hundred steps, too, and not only after one?
    far: bool,
}

const F32: Judge = Judge { tighter: 1.0, far: true };
const F64: Judge = Judge { tighter: 1e-6, far: true };
/// Winograd's F(4x4, 3x3) has ten times the rounding error of plain sums. In networks whose activations switch, the
/// result of many steps is then a matter of chance. The planner does not use this algorithm on sums as short as those of
/// the training cases.
const ROUGH: Judge = Judge { tighter: 1.0, far: false };

/// The folder of the cases that are in the repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cases")
}

/// The folder of all cases.
fn folder() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden");
    std::env::var_os("GMPNET_GOLDEN").filter(|name| !name.is_empty()).map_or(default, PathBuf::from)
}

/// The metadata files of the cases in a folder, by name; fails where there are none.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "json") && p.file_stem().is_some_and(|s| s != "index"));
    paths.sort();
    assert!(!paths.is_empty(), "no case in {}", folder.display());
    paths
}

/// The cases of the repository.
fn cases() -> Vec<Case> {
    let [definitions, layers] = ["definitions", "layers"].map(|name| repository().with_file_name(name));
    [repository(), definitions, layers].iter().flat_map(|folder| paths(folder)).map(|path| Case::read(&path)).collect()
}

/// All cases except those of the repository.
fn other_cases() -> Vec<Case> {
    let own = |path: &PathBuf| path.file_name().is_some_and(|name| repository().join(name).exists());
    paths(&folder()).iter().filter(|path| !own(path)).map(|path| Case::read(path)).collect()
}

/// All cases of the folder. A test binary that was packed for another machine has this folder but no repository.
#[cfg(feature = "cuda")]
fn all_cases() -> Vec<Case> {
    paths(&folder()).iter().map(|path| Case::read(path)).collect()
}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("nothing")
}

/// Runs cases on a machine. Fails with the list of all tensors that are beyond their tolerance.
fn conform(name: &str, cases: &[Case], make: Make<'_>, judge: Judge) {
    let (mut passed, mut failures) = (0, Vec::new());
    for case in cases {
        // A panic in one case must not hide the results of the others.
        let checked = catch_unwind(AssertUnwindSafe(|| kinds::check(case, make, judge)));
        match checked.unwrap_or_else(|panic| Err(format!("panicked: {}", message(panic.as_ref())))) {
            Ok(worst) => {
                passed += 1;
                println!("{name}: {:<50} {:>10.2e} of the tolerance ({})", case.name, worst.ratio, worst.tensor);
                if !worst.noisy.is_empty() {
                    println!("{name}: {:<50} no further off than rounding puts it: {}", "", worst.noisy.join(", "));
                }
            }
            Err(text) => failures.push(format!("{}: {text}", case.name)),
        }
    }
    println!("{name}: {passed} cases pass, {} fail", failures.len());
    assert!(failures.is_empty(), "{name}:\n{}", failures.join("\n"));
}

/// Loads every program of every case, in both precisions, on a device that compiles programs but computes nothing.
#[cfg(feature = "cuda")]
pub fn compile_ahead(device: &Arc<dyn Device>) {
    for (case, precision) in all_cases().iter().flat_map(|case| [(case, Precision::F32), (case, Precision::F64)]) {
        let make: Make<'_> = &|source| on_device(source, Arc::clone(device), precision);
        // Every check fails on a device that computes nothing. Only the loading counts here.
        drop(catch_unwind(AssertUnwindSafe(|| kinds::check(case, make, F64))));
    }
}

fn on_the_evaluator(cases: &[Case]) {
    conform("evaluator", cases, &|source| Evaluator::new(source).map(|m| Box::new(m) as Box<dyn Machine>), F64);
}

#[test]
fn golden_cases_agree_on_the_evaluator() {
    on_the_evaluator(&cases());
}

#[test]
#[cfg_attr(not(has_golden), ignore = "needs all golden cases: set GMPNET_GOLDEN to their folder")]
fn other_golden_cases_agree_on_the_evaluator() {
    on_the_evaluator(&other_cases());
}

fn on_device(source: &str, device: Arc<dyn Device>, precision: Precision) -> Result<Box<dyn Machine>, String> {
    OnDevice::new(source, device, precision).map(|m| Box::new(m) as Box<dyn Machine>)
}

fn on_the_cpu(cases: &[Case], precision: Precision, judge: Judge) {
    let make: Make<'_> = &|source| on_device(source, Arc::new(Cpu::default()), precision);
    conform(&format!("cpu {precision:?}"), cases, make, judge);
}

#[test]
fn golden_cases_agree_on_the_cpu_in_f32() {
    on_the_cpu(&cases(), Precision::F32, F32);
}

#[test]
#[cfg_attr(not(has_golden), ignore = "needs all golden cases: set GMPNET_GOLDEN to their folder")]
fn other_golden_cases_agree_on_the_cpu_in_f32() {
    on_the_cpu(&other_cases(), Precision::F32, F32);
}

#[test]
fn golden_cases_agree_on_the_cpu_in_f64() {
    on_the_cpu(&cases(), Precision::F64, F64);
}

#[test]
#[cfg_attr(not(has_golden), ignore = "needs all golden cases: set GMPNET_GOLDEN to their folder")]
fn other_golden_cases_agree_on_the_cpu_in_f64() {
    on_the_cpu(&other_cases(), Precision::F64, F64);
}

/// The CPU with one instruction set, one algorithm for all convolutions to which it applies, and a fixed number of threads.
fn forced<const VARIANT: usize, const ALGORITHM: usize>(source: &str) -> Result<Box<dyn Machine>, String> {
    let variant = Variant::all()[VARIANT.min(Variant::all().len() - 1)];
    let algorithm = [Algorithm::Direct, Algorithm::Winograd2, Algorithm::Winograd4][ALGORITHM];
    let cpu = Cpu { variant, algorithm: Some(algorithm), ..Cpu::with_threads(1 + ALGORITHM) };
    on_device(source, Arc::new(cpu), Precision::F32)
}

/// Makes a machine for the text of a case.
type Made = fn(&str) -> Result<Box<dyn Machine>, String>;

fn with_every_kernel_forced_in_turn(cases: &[Case]) {
    let machines: [(&str, Made); 9] = [
        ("widest, direct", forced::<0, 0>),
        ("widest, winograd 2", forced::<0, 1>),
        ("widest, winograd 4", forced::<0, 2>),
        ("second, direct", forced::<1, 0>),
        ("second, winograd 2", forced::<1, 1>),
        ("second, winograd 4", forced::<1, 2>),
        ("portable, direct", forced::<2, 0>),
        ("portable, winograd 2", forced::<2, 1>),
        ("portable, winograd 4", forced::<2, 2>),
    ];
    for (name, machine) in machines {
        conform(name, cases, &machine, if name.ends_with("winograd 4") { ROUGH } else { F32 });
    }
}

#[test]
fn golden_cases_agree_with_every_kernel_forced_in_turn() {
    with_every_kernel_forced_in_turn(&cases());
}

#[test]
#[cfg_attr(not(has_golden), ignore = "needs all golden cases: set GMPNET_GOLDEN to their folder")]
fn other_golden_cases_agree_with_every_kernel_forced_in_turn() {
    with_every_kernel_forced_in_turn(&other_cases());
}

fn on_candle(cases: &[Case], precision: Precision, judge: Judge) {
    let make: Make<'_> = &|source| on_device(source, Arc::new(Candle), precision);
    conform(&format!("candle {precision:?}"), cases, make, judge);
}

#[test]
fn golden_cases_agree_on_candle_in_f32() {
    on_candle(&cases(), Precision::F32, F32);
}

#[test]
#[cfg_attr(not(has_golden), ignore = "needs all golden cases: set GMPNET_GOLDEN to their folder")]
fn other_golden_cases_agree_on_candle_in_f32() {
    on_candle(&other_cases(), Precision::F32, F32);
}

#[test]
fn golden_cases_agree_on_candle_in_f64() {
    on_candle(&cases(), Precision::F64, F64);
}

#[test]
#[cfg_attr(not(has_golden), ignore = "needs all golden cases: set GMPNET_GOLDEN to their folder")]
fn other_golden_cases_agree_on_candle_in_f64() {
    on_candle(&other_cases(), Precision::F64, F64);
}

/// The cases of the repository cover what the head of this file promises, so no case can be removed unnoticed.
#[test]
fn the_cases_of_the_repository_cover_every_layer_parameterization_loss_and_optimizer() {
    let cases = cases();
    let all: Vec<String> = cases.iter().flat_map(covered).collect();
    // Features that need one case each.
    for wanted in [
        "kind single_step",
        "kind multi_step",
        "kind unit_vector",
        "kind convert_sp_to_gmp",
        "loss mse",
        "loss softmax_ce",
        "optimizer adam",
        "optimizer sgd",
        "momentum",
        "weight_decay",
        "op maxpool",
        "op avgpool",
        "op gap",
        "op flatten",
        "op relu",
        "op add",
    ] {
        assert!(all.iter().any(|one| one == wanted), "no case has {wanted}");
    }
    // Features that every parameterization needs a case for: both kinds of layers with weights, and training.
    for (op, param) in ["dense", "conv2d"].into_iter().flat_map(|op| PARAMS.map(move |param| (op, param))) {
        let wanted = format!("op {op} {param}");
        assert!(all.contains(&wanted), "no case has {wanted}");
    }
    for wanted in PARAMS.map(|param| format!("trained {param}")) {
        assert!(all.contains(&wanted), "no case has {wanted}");
    }
}

const PARAMS: [&str; 6] = ["sp", "wn", "wn+mbn", "bn", "gmp", "gmp+mn"];

/// The properties that a case covers, as texts such as `op dense gmp`.
fn covered(case: &Case) -> Vec<String> {
    // `trained` names the parameterizations of cases with several steps: only those show that gradients lead somewhere.
    let mut words = vec![format!("kind {}", case.text("kind")), format!("loss {}", case.text("loss"))];
    let optimizer = &case.meta["optimizer"];
    words.push(format!("optimizer {}", optimizer["name"].as_str().unwrap_or("none")));
    let set = ["momentum", "weight_decay"].into_iter().filter(|key| optimizer[key].as_f64().is_some_and(|x| x > 0.0));
    words.extend(set.map(str::to_string));
    for node in case.meta["graph"].as_array().into_iter().flatten() {
        let op = node["op"].as_str().unwrap_or_default();
        match node["parameterization"].as_str() {
            Some(param) => words.push(format!("op {op} {param}")),
            None => words.push(format!("op {op}")),
        }
        if let (Some(param), "multi_step") = (node["parameterization"].as_str(), case.text("kind")) {
            words.push(format!("trained {param}"));
        }
    }
    words
}

#[test]
#[cfg_attr(not(has_golden), ignore = "needs all golden cases: set GMPNET_GOLDEN to their folder")]
fn the_cases_of_the_repository_are_those_of_the_folder() {
    for path in paths(&repository()) {
        for path in [path.with_extension("safetensors"), path] {
            let name = path.file_name().expect("a file");
            let same = std::fs::read(&path).unwrap() == std::fs::read(folder().join(name)).unwrap();
            assert!(same, "{} is not what it is in {}", path.display(), folder().display());
        }
    }
}
