//! `gmpc reproduce rates`: tests the claim that the geometric parameterization works at larger learning rates.

use crate::args::ReproduceArgs;
use crate::failure::{Failure, Kind};
use crate::interrupt;
use crate::output::Output;
use crate::output::runs::Runs;
use crate::project::{device_with, overrides, threads};
use gmpc_compiler::stage::Silent;
use gmpc_data::Directories;
use gmpc_grammar::source::Source;
use gmpc_runtime::task::compare::{Kept, Step, split_list};
use gmpc_runtime::task::experiment::Request;
use gmpc_study::report::figure::Figure;
use gmpc_study::report::page::Contents;
use gmpc_study::report::rates::{json_lines, lead};
use gmpc_study::report::shown::Shown;
use gmpc_study::report::table;
use gmpc_study::reproduce::paper;
use gmpc_study::reproduce::rates::{AskedRates, Part, Running, changed, rates, run_part, sets};
use std::sync::Arc;

/// Runs every experiment at every learning rate and writes the page.
///
/// # Errors
/// An option is wrong, data are missing, the disk; a signal stopped it; every run failed.
pub fn run(args: &ReproduceArgs, output: &Output) -> Result<(), Failure> {
    let interrupt = interrupt::listen()?;
    let rates = rates()?;
    let params = args.param.iter().flat_map(|list| split_list(list)).collect();
    let set = overrides(None, &args.overrides)?.set;
    let asked = AskedRates { repeats: args.repeats, params, only: args.only.clone(), set };
    let folder = super::folder(args);
    let running = Running { out: &folder, threads: threads(args.device), stop: &interrupt.stop };
    let mut all: Vec<Kept> = Vec::new();
    for part in rates.chosen(&asked)? {
        output.note(format_args!("{}", part.name));
        let mut runs = Runs::new(output, None);
        let mut told = |step: &Step| {
            interrupt.begun();
            runs.told(step);
        };
        let ran = run_part(&rates, part, &asked, &own(part, args)?, running, &mut told);
        drop(runs);
        let stopped =
            || interrupt.stopped("not everything was run", "finished runs are kept; the same command continues");
        all.push(ran?.ok_or_else(stopped)?);
    }
    let mut shown: Vec<Shown<'_>> = all.iter().map(Shown::of).collect();
    let sets: Vec<_> = shown.iter().flat_map(|shown| sets(shown.kept, &shown.judged, &rates.key)).collect();
    if sets.is_empty() {
        let help = "give three rates or more, and look at the failed runs of one with `gmpc train`";
        return Err(Failure::with_help(Kind::Diverged, "there is nothing to compare rates by", help));
    }
    for one in &shown {
        table::json_lines(&one.judged).iter().for_each(|line| output.line(line));
    }
    json_lines(&rates, &sets).iter().for_each(|line| output.line(line));
    let lead = lead(&rates, &sets, changed(&rates, &asked))?;
    super::print(&lead, output);
    // The page compares learning rates, so learning curves at the best of them are left out.
    let figures: Vec<Figure> = shown.iter_mut().flat_map(|shown| std::mem::take(&mut shown.sensitivity)).collect();
    shown.iter_mut().for_each(|shown| shown.curves.clear());
    let title = format!("gmpc: {}", lead.title);
    let contents = Contents {
        title: &title,
        lead: Some(&lead),
        comparisons: &shown,
        subjects: &[],
        figures: &figures,
        unread: &[],
    };
    super::write(&contents, &folder, output)
}

/// The file of an experiment, with the user's device, folders and seed.
fn own(part: &Part, args: &ReproduceArgs) -> Result<Request, Failure> {
    let text = paper::experiment(&part.experiment)
        .ok_or_else(|| Failure::new(Kind::Bug, format!("there is no experiment `{}`", part.experiment)))?;
    let file = Source { name: format!("{}.gmpnet", part.experiment), text: text.to_string() };
    let directories = Directories::new(args.data.data_dir.as_deref(), None);
    let device = device_with(args.device, 1)?; // the runs share the threads
    let mut own = overrides(None, &args.overrides)?;
    own.set.clear(); // `asked` contains the settings
    Ok(Request { file, overrides: own, directories, device, observer: Arc::new(Silent) })
}
