//! The table of `--timings`: one line for each stage of the compiler.

use super::Output;
use super::table::{Field, draw};
use gmpc_runtime::timings::{StageTime, Timings};
use std::time::Duration;

/// Prints the times as a table and as a JSON line. Prints nothing without `--timings`.
pub fn print(timings: Option<&Timings>, output: &Output) {
    let Some(timings) = timings else { return };
    output.line(&timings.to_json());
    output.say(text(&timings.stages()));
}

/// A time in milliseconds with three decimals.
fn ms(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}

/// The table for people: milliseconds, and the share of the total.
fn text(stages: &[StageTime]) -> String {
    let total: Duration = stages.iter().map(|stage| stage.pass + stage.verify).sum();
    let row = |name: &str, runs: String, pass: Duration, verify: Duration| {
        let share = 100.0 * (pass + verify).as_secs_f64() / total.as_secs_f64().max(f64::MIN_POSITIVE);
        vec![
            Field::text(name),
            Field::number(runs),
            Field::number(ms(pass)),
            Field::number(ms(verify)),
            Field::number(format!("{share:.1} %")),
        ]
    };
    let mut rows: Vec<_> = stages.iter().map(|s| row(s.stage, s.runs.to_string(), s.pass, s.verify)).collect();
    let (pass, verify) = (stages.iter().map(|s| s.pass).sum(), stages.iter().map(|s| s.verify).sum());
    rows.push(row("all", String::new(), pass, verify));
    draw(&["stage", "runs", "ms", "verify, ms", "share"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_stand_below_each_other_with_their_share() {
        let stage = |stage, runs, pass, verify| StageTime {
            stage,
            runs,
            pass: Duration::from_micros(pass),
            verify: Duration::from_micros(verify),
        };
        let table = text(&[stage("read", 1, 1000, 0), stage("fuse", 2, 2500, 500)]);
        let lines: Vec<String> =
            table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let expected = [
            "stage runs ms verify, ms share",
            "read 1 1.000 0.000 25.0 %",
            "fuse 2 2.500 0.500 75.0 %",
            "all 3.500 0.500 100.0 %",
        ];
        assert_eq!(lines, expected);
        assert!(text(&[]).contains("all"));
    }
}
