//! Measurements that are kept in a file, so that a kernel that became slower is seen: `gmpc bench --record FILE` adds one, `gmpc
//! bench --against FILE` compares with it.

use super::Bench;
use super::timing::Span;
use crate::failure::{Failure, Message};
use crate::run::output::write_text;
use gmpc_kernels::Variant;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::Path;

/// The version of the format that this build reads and writes.
const VERSION: u32 = 1;
/// No baseline is larger, in bytes; a measurement of a network with 200 kernels has about 40,000.
const LARGEST: u64 = 64 << 20;

/// The file: one measurement for each network, parameterization, number of rows, precision, device and number of threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    version: u32,
    measurements: Vec<Measurement>,
}

/// What was measured of one network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// What was measured.
    pub of: Subject,
    /// `AMD EPYC, AVX-512`: the processor and the instructions that the kernels use.
    pub processor: String,
    /// Microseconds of a step.
    pub step: Span,
    /// Every kernel alone, in the order of the program; empty if kernels were not timed.
    pub kernels: Vec<MeasuredKernel>,
}

/// What a measurement is of. Two measurements can be compared if this is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// `vgg6`: the name of the file without its extension.
    pub network: String,
    /// `gmp + mn`
    pub param: String,
    /// Rows in a step.
    pub rows: usize,
    /// `f32`
    pub precision: String,
    /// `cpu`
    pub device: String,
    /// Number of threads.
    pub threads: usize,
}

/// The time of a kernel alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredKernel {
    /// What it computes.
    pub name: String,
    /// The line of the model that it came from, if it is known.
    pub line: Option<String>,
    /// Microseconds.
    pub us: Span,
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Subject { network, param, rows, precision, device, threads } = self;
        write!(f, "{network}, param {param}, {rows} rows, {precision}, {device}, {threads} threads")
    }
}

impl Measurement {
    /// The measurement of a file by `bench`.
    #[must_use]
    pub fn new(file: &Path, bench: &Bench) -> Self {
        let of = Subject {
            network: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            param: bench.param.clone(),
            rows: bench.batch,
            precision: bench.precision.clone(),
            device: bench.device.clone(),
            threads: bench.threads,
        };
        // Where the file lies is no part of a kernel: the line alone says which layer it is.
        let number = |line: &String| line.rsplit(':').next().unwrap_or_default().to_string();
        let kernels = bench.kernels.iter().map(|kernel| MeasuredKernel {
            name: kernel.name.clone(),
            line: kernel.line.as_ref().map(number),
            us: kernel.us,
        });
        Measurement { of, processor: processor(), step: bench.step, kernels: kernels.collect() }
    }
}

/// The processor's name as the system tells it, and the instructions that the kernels use.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':')).map_or("unknown processor", |(_, name)| name.trim());
    let instructions = match Variant::best() {
        Variant::Avx512 => "AVX-512",
        Variant::Avx2 => "AVX2",
        Variant::Portable => "portable",
    };
    format!("{name}, {instructions}")
}

impl Baseline {
    /// A file without measurements.
    #[must_use]
    pub fn empty() -> Self {
        Baseline { version: VERSION, measurements: vec![] }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Failure::Io`]: there is no such file, or it is not a baseline of this version.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(|error| Failure::io("read", path, &error))?;
        file.take(LARGEST).read_to_string(&mut text).map_err(|error| Failure::io("read", path, &error))?;
        let wrong = |why: String| {
            let message = Message::new(format!("{} is not a baseline of `gmpc bench`: {why}", path.display()));
            Failure::Io(message.at("E0819", path).help("write one with `gmpc bench FILE --record BASELINE`"))
        };
        let baseline: Baseline = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if baseline.version != VERSION {
            return Err(wrong(format!("its version is {}, and this gmpc reads {VERSION}", baseline.version)));
        }
        Ok(baseline)
    }

    /// Reads a file, or starts a new one where there is none.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file cannot be read, or is something else.
    pub fn read_or_new(path: &Path) -> Result<Self, Failure> {
        if path.exists() { Self::read(path) } else { Ok(Self::empty()) }
    }

    /// Adds a measurement, in place of an older one of the same subject.
    pub fn put(&mut self, measurement: Measurement) {
        match self.measurements.iter_mut().find(|old| old.of == measurement.of) {
            Some(old) => *old = measurement,
            None => self.measurements.push(measurement),
        }
    }

    /// The measurement of a subject.
    ///
    /// # Errors
    /// [`Failure::Usage`]: there is none; the message names those that the file has of the same network.
    pub fn find(&self, of: &Subject, path: &Path) -> Result<&Measurement, Failure> {
        self.measurements.iter().find(|one| one.of == *of).ok_or_else(|| {
            let near = self.measurements.iter().filter(|one| one.of.network == of.network);
            let near: Vec<String> = near.map(|one| format!("`{}`", one.of)).collect();
            let help = if near.is_empty() {
                "add one with `--record`, from a build to compare with".to_string()
            } else {
                format!("it has {}", near.join("; "))
            };
            let message = format!("{} has no measurement of {of}", path.display());
            Failure::Usage(Message::new(message).at("E0817", path).help(help))
        })
    }

    /// Writes the file, one kernel a line, so that a change of one is a change of one line.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut text = format!("{{\n\"version\": {},\n\"measurements\": [", self.version);
        for (i, one) in self.measurements.iter().enumerate() {
            let kernels: Vec<String> = one.kernels.iter().map(line).collect();
            text.push_str(if i == 0 { "\n" } else { ",\n" });
            text.push_str(&format!(
                "{{\"of\": {},\n\"processor\": {},\n\"step\": {},\n\"kernels\": [\n{}\n]}}",
                line(&one.of),
                line(&one.processor),
                line(&one.step),
                kernels.join(",\n")
            ));
        }
        text.push_str("\n]\n}\n");
        write_text(path, &text)
    }
}

fn line(value: &impl Serialize) -> String {
    serde_json::json!(value).to_string()
}
