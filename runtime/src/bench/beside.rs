//! Several parameterizations of one network whose steps take turns: what one costs beside another, told from the noise of the
//! machine.

use super::steps::Ready;
use super::timing::{STEPS, median, time};
use crate::failure::Failure;
use crate::request::{Request, Warnings};
use gmpc_compiler::cost::flops;
use serde_json::{Value, json};

/// What a step of one of several networks costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Beside {
    /// `gmp`
    pub param: String,
    /// `cpu`
    pub device: String,
    /// How many share the work.
    pub threads: usize,
    /// `f32`
    pub precision: String,
    /// Rows in a step.
    pub batch: usize,
    /// Median.
    pub us_per_step: f64,
    /// The fastest block.
    pub us_min: f64,
    /// Time over the first network's in the same round: the median of all rounds, the quartiles around it.
    pub ratio: [f64; 3],
    /// Rounds in which each had its turn.
    pub rounds: usize,
    /// From the network to machine code.
    pub compile_ms: f64,
    /// States and the program's own memory.
    pub planned_bytes: usize,
    /// Learned numbers.
    pub parameters: usize,
    /// Arithmetic of one step.
    pub flops_per_step: u64,
}

/// Compiles the networks and times their steps in turns; `batch` replaces the file's. None for no request.
///
/// # Errors
/// A file is wrong, or the device fails.
pub fn beside(requests: &[Request], batch: Option<usize>) -> Result<(Vec<Beside>, Warnings), Failure> {
    let (mut all, mut told) = (Vec::with_capacity(requests.len()), Warnings::default());
    for request in requests {
        let (ready, warnings) = Ready::new(request, batch)?;
        all.push(ready);
        told = warnings; // of one file: the same each time
    }
    let times = time(all.len(), STEPS, |which| all[which].step())?;
    let Some(first) = times.first() else { return Ok((vec![], told)) };
    let networks = requests.iter().zip(&all).zip(&times);
    let found = networks.map(|((request, ready), times)| Beside {
        param: ready.network.module.experiment.param.clone(),
        device: request.device.name().into(),
        threads: request.device.threads(),
        precision: ready.network.module.experiment.precision_word().into(),
        batch: ready.batch,
        us_per_step: median(times),
        us_min: times.iter().copied().fold(f64::INFINITY, f64::min),
        ratio: quartiles(times.iter().zip(first).map(|(time, first)| time / first).collect()),
        rounds: times.len(),
        compile_ms: ready.compile.as_secs_f64() * 1e3,
        planned_bytes: ready.planned_bytes(request),
        parameters: ready.network.parameters(),
        flops_per_step: flops(&ready.program().graph),
    });
    Ok((found.collect(), told))
}

/// The median, a quarter of all below, three quarters below.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let at = |quarters: usize| values.get(values.len() * quarters / 4).copied().unwrap_or(f64::NAN);
    [at(2), at(1), at(3)]
}

impl Beside {
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
        let (found, _) = beside(&requests, None).unwrap();
        assert_eq!(found.iter().map(|one| one.param.as_str()).collect::<Vec<_>>(), ["sp", "gmp"]);
        assert_eq!(found[0].ratio, [1.0; 3]);
        assert!(found[1].ratio[1] <= found[1].ratio[0] && found[1].ratio[0] <= found[1].ratio[2]);
        assert!(found.iter().all(|one| one.us_min > 0.0 && one.us_min <= one.us_per_step && one.batch == 8));
        assert_eq!(beside(&[], None).unwrap().0, []);
    }

    #[test]
    fn quartiles_are_values_that_occur() {
        assert_eq!(quartiles(vec![4.0, 1.0, 3.0, 2.0]), [3.0, 2.0, 4.0]);
        assert_eq!(quartiles(vec![7.0]), [7.0; 3]);
    }
}
