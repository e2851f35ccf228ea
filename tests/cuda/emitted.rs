//! Every kernel of every example in each parameterization is C++ without a warning and machine code without a spill.
//!
//! Kernels that differ only in names are compiled once, and all tests here share the result. For sm_80, kernels that only
//! the two deepest networks have are left out: they would add a minute but no new kind of kernel.

use super::text::{Kernel, cut};
use super::toolchain::{Compiled, Resources, tools};
use crate::emulator::build::{Unit, check_syntax};
use crate::support::{gmpc, root};
use gmpc_compiler::ir::experiment::{ImageStep, Precision};
use gmpc_cuda::OPTIONS;
use gmpc_cuda::emit::epilogue;
use gmpc_cuda::emit::gather::{self, Gather};
use gmpc_data::images::PURPOSE;
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

const PARAMETERIZATIONS: [&str; 6] = ["sp", "wn", "wn + mbn", "bn", "gmp", "gmp + mn"];
/// The GPU architectures of an A100 and of an H100.
const ARCHITECTURES: [&str; 2] = ["sm_80", "sm_90"];

/// The steps whose kernels the table of registers lists.
const SHOWN: [&str; 7] =
    ["first, gmp", "uci, bn", "vgg6, bn", "vgg6, gmp + mn", "vgg6, gmp, bf16", "data, images", "data, rows"];

/// The kernels of the training step of an example.
struct Step {
    /// Example and parameterization, such as `first, gmp + mn`.
    name: String,
    kernels: Vec<Kernel>,
}

/// All steps, and units that together hold each of their kernels once.
struct Emitted {
    steps: Vec<Step>,
    units: Vec<Unit>,
    /// For each neutral text of a kernel the number of the unit that holds it, and its name there.
    places: HashMap<String, (usize, String)>,
}

fn examples() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("examples")).expect("the examples").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter_map(|n| n.strip_suffix(".gmpnet").map(str::to_string)).collect();
    names.sort();
    names
}

fn emitted() -> &'static Emitted {
    static EMITTED: OnceLock<Emitted> = OnceLock::new();
    EMITTED.get_or_init(|| {
        let mut emitted = Emitted { steps: vec![], units: vec![], places: HashMap::new() };
        for example in examples() {
            for param in PARAMETERIZATIONS {
                let file = format!("examples/{example}.gmpnet");
                let ran = gmpc(&["emit", &file, "--stage", "cuda", "--param", param]).expect(0);
                emitted.add(format!("{example}, {param}"), &ran.stdout);
            }
        }
        for param in ["gmp", "bn"] {
            let file = "examples/vgg6.gmpnet";
            let half = ["emit", file, "--stage", "cuda", "--param", param, "--set", "precision=bf16"];
            emitted.add(format!("vgg6, {param}, bf16"), &gmpc(&half).expect(0).stdout);
        }
        for (name, batch) in batches() {
            emitted.add(name.to_string(), &batch.source);
        }
        emitted.add("finish".to_string(), &epilogue::alone(Precision::F32));
        super::plain::sources().into_iter().for_each(|(name, source)| emitted.add(name, &source));
        emitted
    })
}

/// Kernels that make batches from a data set.
fn batches() -> [(&'static str, Gather); 2] {
    let steps = [ImageStep::RandomCrop { height: 32, width: 32, pad: 4 }, ImageStep::HorizontalFlip];
    let images = gather::images(Precision::F32, 1024, [32, 32, 3], &steps, PURPOSE).expect("a kernel does these steps");
    let rows = gather::numbers(Precision::F32, 64, 13).expect("rows of a table");
    [("data, images", images), ("data, rows", rows)]
}

impl Emitted {
    /// Adds a step, and a unit with those of its kernels that no other unit has.
    fn add(&mut self, name: String, source: &str) {
        let (mut text, kernels) = cut(source);
        let mut unit = Unit { name: name.replace([',', ' ', '+'], "_"), text: String::new(), kernels: vec![] };
        for kernel in &kernels {
            if !self.places.contains_key(&kernel.neutral) {
                self.places.insert(kernel.neutral.clone(), (self.units.len(), kernel.name.clone()));
                text.push_str(&kernel.text);
                unit.kernels.push(kernel.name.clone());
            }
        }
        assert!(!kernels.is_empty(), "{name} has kernels");
        self.steps.push(Step { name, kernels });
        if !unit.kernels.is_empty() {
            self.units.push(Unit { text, ..unit });
        }
    }
}

/// The machine code of units, by their number.
type Code = BTreeMap<usize, Compiled>;

/// The machine code for each architecture. Fails the test with the messages of the compiler where a text is wrong.
fn compiled() -> &'static [Code; 2] {
    static COMPILED: OnceLock<[Code; 2]> = OnceLock::new();
    let tools = tools();
    COMPILED.get_or_init(|| {
        let deep = |unit: &Unit| unit.name.starts_with("resnet34") || unit.name.starts_with("resnet50");
        let all = || emitted().units.iter().enumerate();
        let shares = ARCHITECTURES.map(|architecture| {
            let (numbers, units): (Vec<usize>, Vec<Unit>) =
                all().filter(|(_, unit)| architecture == "sm_90" || !deep(unit)).map(|(i, u)| (i, u.clone())).unzip();
            (architecture, numbers, units)
        });
        std::thread::scope(|scope| {
            let work = shares.map(|(architecture, numbers, units)| {
                scope.spawn(move || {
                    let compiled =
                        tools.compile(&units, architecture, &OPTIONS).unwrap_or_else(|text| panic!("{text}"));
                    numbers.into_iter().zip(compiled).collect()
                })
            });
            work.map(|thread| thread.join().expect("every text is machine code"))
        })
    })
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn every_emitted_kernel_is_a_function_of_plain_cpp_without_a_warning() {
    check_syntax(&emitted().units).unwrap_or_else(|text| panic!("{text}"));
}

#[test]
#[cfg_attr(not(has_nvrtc), ignore = "needs a C++ compiler, NVRTC and nvdisasm: see tests/cuda/toolchain.rs")]
fn every_emitted_kernel_fits_into_registers() {
    let compiled = compiled();
    let mut wrong = Vec::new();
    for (architecture, units) in ARCHITECTURES.iter().zip(compiled) {
        for (index, unit) in units {
            let text = &emitted().units[*index];
            let resources = unit.resources();
            assert_eq!(resources.len(), text.kernels.len(), "the report on {} is read: {}", unit.name, unit.log);
            let bad = resources.iter().filter(|r| r.spills > 0 || r.stack > 0 || r.registers == 0);
            wrong.extend(bad.map(|r| format!("{architecture} {}: {r:?}", unit.name)));
        }
    }
    assert!(wrong.is_empty(), "kernels that spill, or keep numbers in memory:\n{}", wrong.join("\n"));
    insta::assert_snapshot!("registers", table(compiled));
}

/// A table with a line for each kernel of the steps in `SHOWN`.
fn table(compiled: &[Code; 2]) -> String {
    let resources = compiled.each_ref().map(|units| {
        let named = |unit: &Compiled| unit.resources().into_iter().map(|r| (r.kernel.clone(), r)).collect();
        units.iter().map(|(index, unit)| (*index, named(unit))).collect::<BTreeMap<usize, HashMap<String, Resources>>>()
    });
    let mut text = "registers of a thread and bytes of shared memory of a block, on sm_80 and on sm_90\n".to_string();
    for step in emitted().steps.iter().filter(|step| SHOWN.contains(&step.name.as_str())) {
        text.push_str(&format!("\n{}\n", step.name));
        for kernel in &step.kernels {
            let (unit, name) = &emitted().places[&kernel.neutral];
            let line = resources.each_ref().map(|units| match units.get(unit).and_then(|kernels| kernels.get(name)) {
                Some(r) => format!("{:>3} {:>6}", r.registers, r.shared),
                None => "-".to_string(),
            });
            text.push_str(&format!("    {:<56} {}\n", kernel.name, line.join(" | ")));
        }
    }
    text
}

#[test]
#[cfg_attr(not(has_nvrtc), ignore = "needs a C++ compiler, NVRTC and nvdisasm: see tests/cuda/toolchain.rs")]
fn machine_code_moves_16_bytes_at_once_and_uses_no_local_memory() {
    let (compiled, tools) = (compiled(), tools());
    let mut wrong = Vec::new();
    for (architecture, units) in ARCHITECTURES.iter().zip(compiled) {
        for (index, unit) in units {
            let kernels = cut(&emitted().units[*index].text).1;
            let code = tools.disassemble(unit).unwrap_or_else(|text| panic!("{text}"));
            let code: HashMap<&str, &str> = code.iter().map(|(name, code)| (name.as_str(), code.as_str())).collect();
            for kernel in kernels {
                let complaints =
                    code.get(kernel.name.as_str()).map_or(vec!["there is no code"], |code| lint(&kernel, code));
                wrong.extend(complaints.iter().map(|c| format!("{architecture} {} {}: {c}", unit.name, kernel.name)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The faults in a kernel's instructions: use of local memory, and vector loads or stores that the compiler split.
fn lint(kernel: &Kernel, code: &str) -> Vec<&'static str> {
    let instruction = |name: &str| code.lines().any(|line| line.split_whitespace().any(|word| word.starts_with(name)));
    let vector = |name: &str| code.lines().any(|line| line.contains(name) && line.contains(".128"));
    let mut wrong = Vec::new();
    if instruction("LDL") || instruction("STL") {
        wrong.push("local memory is used");
    }
    if kernel.neutral.contains("load(") && !vector("LDG") {
        wrong.push("the text loads 16 bytes at once, but the machine code does not");
    }
    if kernel.neutral.contains("store(") && !vector("STG") {
        wrong.push("the text stores 16 bytes at once, but the machine code does not");
    }
    wrong
}
