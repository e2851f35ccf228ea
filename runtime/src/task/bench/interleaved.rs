//! Times several parameterizations of one network in interleaved blocks, so that changes of the machine's speed affect
//! all of them alike.

use super::steps::Ready;
use super::timing::{STEPS, Span, median, time};
use crate::failure::Failure;
use crate::task::experiment::{Request, Warnings};
use gmpc_compiler::lower::cost::flops;
use serde_json::{Value, json};

/// The cost of a step of one of several networks.
#[derive(Debug, Clone, PartialEq)]
pub struct InterleavedBench {
    /// `gmp`
    pub param: String,
    /// `cpu`
    pub device: String,
    /// Number of threads.
    pub threads: usize,
    /// `f32`
    pub precision: String,
    /// Rows in a step.
    pub batch: usize,
    /// Median time of a step in microseconds.
    pub us_per_step: f64,
    /// Time of a step in the fastest block, in microseconds.
    pub us_min: f64,
    /// Ratio of the time to the first network's time in the same round: median, lower quartile and upper quartile over
    /// all rounds.
    pub ratio: [f64; 3],
    /// Number of rounds. Each network has one block in each round.
    pub rounds: usize,
    /// Milliseconds from the network to machine code.
    pub compile_ms: f64,
    /// Bytes of the states and of the program's own memory.
    pub planned_bytes: usize,
    /// Number of learned scalars.
    pub parameters: usize,
    /// Floating-point operations of one step.
    pub flops_per_step: u64,
}

/// Compiles the networks and times their steps interleaved. `batch` replaces the files' batch size. Without requests
/// the result is empty.
///
/// # Errors
/// A file has errors, or the device fails.
pub fn interleaved(requests: &[Request], batch: Option<usize>) -> Result<(Vec<InterleavedBench>, Warnings), Failure> {
    let (mut all, mut messages) = (Vec::with_capacity(requests.len()), Warnings::default());
    for request in requests {
        let (ready, warnings) = Ready::new(request, batch)?;
        all.push(ready);
        messages = warnings; // the same for each network, since they come from one file
    }
    let times = time(all.len(), STEPS, |which| all[which].step())?;
    let Some(first) = times.first() else { return Ok((vec![], messages)) };
    let networks = requests.iter().zip(&all).zip(&times);
    let found = networks.map(|((request, ready), times)| InterleavedBench {
        param: ready.network.module.experiment.param.clone(),
        device: request.device.name().into(),
        threads: request.device.threads(),
        precision: ready.network.module.experiment.precision_word().into(),
        batch: ready.batch,
        us_per_step: median(times),
        us_min: times.iter().copied().fold(f64::INFINITY, f64::min),
        ratio: quartiles(&times.iter().zip(first).map(|(time, first)| time / first).collect::<Vec<_>>()),
        rounds: times.len(),
        compile_ms: ready.compile.as_secs_f64() * 1e3,
        planned_bytes: ready.planned_bytes(request),
        parameters: ready.network.parameters(),
        flops_per_step: flops(&ready.program().graph),
    });
    Ok((found.collect(), messages))
}

/// The median, the lower quartile and the upper quartile.
fn quartiles(values: &[f64]) -> [f64; 3] {
    let Span { low, median, high } = Span::of(values);
    [median, low, high]
}

impl InterleavedBench {
    /// One object: a line of `gmpc bench --param A,B --json`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let [ratio, low, high] = self.ratio;
        json!({
            "event": "bench_beside",
            "param": self.param,
            "device": self.device,
            "threads": self.threads,
            "precision": self.precision,
            "batch": self.batch,
            "us_per_step": self.us_per_step,
            "us_min": self.us_min,
            "ratio": ratio,
            "ratio_quartiles": [low, high],
            "rounds": self.rounds,
            "compile_ms": self.compile_ms,
            "planned_bytes": self.planned_bytes,
            "parameters": self.parameters,
            "flops_per_step": self.flops_per_step,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::request;
    use super::*;

    const TEXT: &str = "param = gmp\nmodel m(input: [3]) { input -> dense(5) -> relu -> linear(1) }\n\
                        train { loss = mse optimizer = adam(lr = 0.001) batch = 8 epochs = 1 }\n";

    #[test]
    fn the_first_is_the_measure_of_all() {
        let requests = ["sp", "gmp"].map(|param| {
            let mut request = request(TEXT);
            request.overrides.param = Some(param.into());
            request
        });
        let (found, _) = interleaved(&requests, None).unwrap();
        assert_eq!(found.iter().map(|one| one.param.as_str()).collect::<Vec<_>>(), ["sp", "gmp"]);
        assert_eq!(found[0].ratio, [1.0; 3]);
        assert!(found[1].ratio[1] <= found[1].ratio[0] && found[1].ratio[0] <= found[1].ratio[2]);
        assert!(found.iter().all(|one| one.us_min > 0.0 && one.us_min <= one.us_per_step && one.batch == 8));
        assert_eq!(interleaved(&[], None).unwrap().0, []);
    }

    #[test]
    fn quartiles_are_values_that_occur() {
        assert_eq!(quartiles(&[4.0, 1.0, 3.0, 2.0]), [3.0, 2.0, 4.0]);
        assert_eq!(quartiles(&[7.0]), [7.0; 3]);
    }
}
