//! `gmpc bench FILE`: the cost of a training step on random rows. With `--param sp,gmp`, steps of several
//! parameterizations are interleaved. `--record` keeps the measurement, `--against` compares with a kept one.

use crate::args::{BenchArgs, FileArgs};
use crate::failure::{Failure, Kind};
use crate::output::table::{Field, bytes, draw, number, thousands};
use crate::output::{Output, timings};
use crate::project::{clock, device, remark, request, tell};
use gmpc_device::Activity;
use gmpc_runtime::task::bench::against::{Change, Comparison, Verdict, compare};
use gmpc_runtime::task::bench::baseline::{Baseline, MeasuredKernel, Measurement};
use gmpc_runtime::task::bench::{Bench, COUNTED, InterleavedBench, KernelTime, Passes, bench, interleaved};
use gmpc_runtime::task::compare::split_list;
use gmpc_runtime::task::experiment::Request;
use std::sync::Arc;

/// Times the step and prints the result.
///
/// # Errors
/// The file has errors, or the device fails.
pub fn run(args: &BenchArgs, output: &Output) -> Result<(), Failure> {
    let params = args.file.param.as_deref().map(split_list).unwrap_or_default();
    if params.len() > 1 {
        return several(args, &params, output);
    }
    // Read first: a wrong file is told before a minute of measuring.
    let against = args.against.as_deref().map(|path| Ok::<_, Failure>((path, Baseline::read(path)?))).transpose()?;
    let recorded =
        args.record.as_deref().map(|path| Ok::<_, Failure>((path, Baseline::read_or_new(path)?))).transpose()?;
    let (times, observer) = clock(args.timings);
    let request = Request { observer, ..request(&args.file, &args.data, device(args.device)?)? };
    let passes = match args.no_kernels {
        true => Passes::None,
        false if against.is_some() || recorded.is_some() => Passes::Two,
        false => Passes::One,
    };
    let (bench, warnings) = bench(&request, args.batch, passes)?;
    tell(warnings, output);
    remark(request.device.as_ref(), output);
    output.line(&bench.to_json());
    output.say(text(&bench));
    timings::print(times.as_deref(), output);
    let measurement = Measurement::new(&args.file.file, &bench);
    if let Some((path, baseline)) = against {
        let found = compare(baseline.find(&measurement.of, path)?, &measurement);
        output.line(&found.to_json());
        output.say(changes(&found, &path.display().to_string()));
    }
    if let Some((path, mut baseline)) = recorded {
        baseline.put(measurement);
        baseline.write(path)?;
    }
    Ok(())
}

/// Times several parameterizations with interleaved steps.
fn several(args: &BenchArgs, params: &[String], output: &Output) -> Result<(), Failure> {
    if args.record.is_some() || args.against.is_some() {
        let message = "`--record` and `--against` are for one parameterization at a time";
        return Err(Failure::with_help(Kind::Usage, message, "run `gmpc bench` once for each `--param`"));
    }
    let (device, (times, observer)) = (device(args.device)?, clock(args.timings));
    let requests = params.iter().map(|param| {
        let file = FileArgs { param: Some(param.clone()), ..args.file.clone() };
        let request = request(&file, &args.data, Arc::clone(&device))?;
        Ok::<_, Failure>(Request { observer: Arc::clone(&observer), ..request })
    });
    let (all, warnings) = interleaved(&requests.collect::<Result<Vec<_>, _>>()?, args.batch)?;
    tell(warnings, output);
    remark(device.as_ref(), output);
    all.iter().for_each(|one| output.line(&one.to_json()));
    output.say(table(&all));
    timings::print(times.as_deref(), output);
    Ok(())
}

/// The table for people: one row for each parameterization.
fn table(all: &[InterleavedBench]) -> String {
    let Some(first) = all.first() else { return String::new() };
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            // Taken round by round: the quotient of the two medians would have the noise of the machine in it.
            let [ratio, low, high] = one.ratio.map(|ratio| format!("{ratio:.3}"));
            vec![
                Field::text(&one.param),
                Field::number(number(one.us_per_step)),
                Field::number(number(one.us_min)),
                Field::number(ratio),
                Field::text(format!("{low} to {high}")),
                Field::number(bytes(one.planned_bytes as u64)),
                Field::number(thousands(one.parameters as u64)),
            ]
        })
        .collect();
    let over = format!("ratio to {}", first.param);
    format!(
        "training steps interleaved, {} rounds, {} rows, {}, {}, {}\n\n{}",
        first.rounds,
        first.batch,
        first.precision,
        first.device,
        shared_by(first.threads, "thread"),
        draw(&["param", "us per step", "fastest", &over, "interquartile range", "planned memory", "parameters"], &rows)
    )
}

/// The text of a comparison with a kept measurement: the step, then the kernels that changed.
fn changes(found: &Comparison, path: &str) -> String {
    let verdict = |change: &Change| match change.verdict() {
        Verdict::Level => format!("level, the noise is {:.0} %", 100.0 * change.noise),
        other => format!("{}, the noise is {:.0} %", other.word(), 100.0 * change.noise),
    };
    let step = &found.step;
    let mut text = format!(
        "\nagainst {path}\n\nstep, us         {:>12}   before {}, ratio {:.3}: {}",
        number(step.now),
        number(step.before),
        step.ratio,
        verdict(step)
    );
    if let Some(processor) = &found.other_processor {
        text.push_str(&format!(
            "\nmeasured on another processor ({processor}): compare kernels with each other, not with their past"
        ));
    }
    // Kernels that are level differ by noise alone, so no row shows them.
    let changed = found.changed();
    if !found.kernels.is_empty() {
        text.push_str(&format!(
            "\nkernels          {:>12}   in both; {} changed by more than the noise; all together took {:.3} times as long, and ratios are to that",
            found.kernels.len(),
            changed.len(),
            found.together,
        ));
    }
    if !found.new.is_empty() || !found.gone.is_empty() {
        let sum = |all: &[MeasuredKernel]| number(all.iter().map(|one| one.us.median).sum());
        text.push_str(&format!(
            "\nother kernels    {:>12}   new, {} us together; {} gone, {} us",
            found.new.len(),
            sum(&found.new),
            found.gone.len(),
            sum(&found.gone),
        ));
    }
    if !changed.is_empty() {
        let rows: Vec<_> = changed.into_iter().map(changed_row).collect();
        text.push_str(&format!("\n\n{}", draw(&["kernel", "line", "before, us", "us", "ratio", "noise", ""], &rows)));
    }
    text
}

fn changed_row(change: &Change) -> Vec<Field> {
    vec![
        Field::text(&change.name),
        Field::text(change.line.as_deref().unwrap_or_default()),
        Field::number(number(change.before)),
        Field::number(number(change.now)),
        Field::number(format!("{:.3}", change.ratio)),
        Field::number(format!("{:.0} %", 100.0 * change.noise)),
        Field::text(change.verdict().word()),
    ]
}

/// `one thread`, `2 threads`
fn shared_by(count: usize, what: &str) -> String {
    if count == 1 { format!("one {what}") } else { format!("{count} {what}s") }
}

/// The text for people.
fn text(bench: &Bench) -> String {
    let what = if bench.trains { "training step" } else { "prediction" };
    let rows: Vec<_> = bench.kernels.iter().map(|kernel| row(kernel, bench)).collect();
    let kernels = if rows.is_empty() {
        String::new()
    } else {
        format!("\n\n{}", draw(&["kernel, alone", "line", "us", "GFLOP/s", "of peak", "GB/s", "of memory"], &rows))
    };
    // Not measured with `--no-kernels`, for nothing would be compared with it.
    let memory = if bench.peak_gbps.is_nan() {
        String::new()
    } else {
        format!(", memory outside the caches {} GB/s", number(bench.peak_gbps))
    };
    let calls = bench.activity.map(calls).unwrap_or_default();
    format!(
        "{what}, param {}, {} rows, {}, {}, {}\n\n\
         us per step      {:>12}   fastest {}, program alone {}\n\
         examples per s   {:>12}\n\
         compile, ms      {:>12}   source to first step {}, to its end {}\n\
         planned memory   {:>12}   peak of the process {}\n\
         parameters       {:>12}\n\
         flops per step   {:>12}   peak of {} {} GFLOP/s{memory}{calls}{kernels}",
        bench.param,
        bench.batch,
        bench.precision,
        bench.device,
        shared_by(bench.threads, "thread"),
        number(bench.step.median),
        number(bench.us_min),
        number(bench.us_program),
        number(bench.examples_per_s),
        number(bench.compile_ms),
        number(bench.ready_ms),
        number(bench.first_step_ms),
        bytes(bench.planned_bytes as u64),
        bench.peak_rss_bytes.map_or("unknown".to_string(), bytes),
        thousands(bench.parameters as u64),
        thousands(bench.flops_per_step),
        shared_by(bench.threads, "core"),
        number(bench.peak_gflops),
    )
}

/// The mean number of driver calls in a step.
fn calls(all: Activity) -> String {
    let each = |count: u64| number(count as f64 / f64::from(COUNTED));
    format!(
        "\ncalls per step   {:>12} graph launches, {} launches, {} library calls, {} copies, {} waits, {} allocations",
        each(all.graph_launches),
        each(all.launches),
        each(all.to_libraries),
        each(all.copies),
        each(all.synchronizations),
        each(all.allocations),
    )
}

fn row(kernel: &KernelTime, bench: &Bench) -> Vec<Field> {
    vec![
        Field::text(&kernel.name),
        Field::text(kernel.line.as_deref().unwrap_or_default()),
        Field::number(number(kernel.us.median)),
        Field::number(format!("{:.1}", kernel.gflops())),
        Field::number(format!("{:.0} %", 100.0 * kernel.gflops() / bench.peak_gflops)),
        Field::number(format!("{:.1}", kernel.gbps())),
        Field::number(format!("{:.0} %", 100.0 * kernel.gbps() / bench.peak_gbps)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameterizations_stand_below_each_other_with_their_ratio_to_the_first() {
        let one = |param: &str, us_per_step, ratio| InterleavedBench {
            param: param.into(),
            device: "cpu".into(),
            threads: 2,
            precision: "f32".into(),
            batch: 64,
            us_per_step,
            us_min: us_per_step - 1000.0,
            ratio,
            rounds: 15,
            compile_ms: 120.0,
            planned_bytes: 180 << 20,
            parameters: 4_586_644,
            flops_per_step: 1,
        };
        let all = [one("sp", 213_000.0, [1.0; 3]), one("gmp + mn", 218_500.0, [1.0258, 1.01, 1.04])];
        insta::assert_snapshot!(table(&all), @"
        training steps interleaved, 15 rounds, 64 rows, f32, cpu, 2 threads

        param     us per step  fastest  ratio to sp  interquartile range  planned memory  parameters
        sp             213000   212000        1.000  1.000 to 1.000            180.0 MiB   4,586,644
        gmp + mn       218500   217500        1.026  1.010 to 1.040            180.0 MiB   4,586,644
        ");
        assert_eq!(table(&[]), "");
        let alone = InterleavedBench { threads: 1, ..one("sp", 10.0, [1.0; 3]) };
        assert!(table(&[alone]).contains("cpu, one thread"));
    }
}
