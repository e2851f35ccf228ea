//! The claim about learning rates in words and tables: what holds and what does not, and the numbers it rests on.

use super::beside::{Lead, Row, Table, places};
use super::plot::readable;
use super::sheet::{rounded, stretch};
use crate::judge::KEPT;
use crate::reproduce::rates::{Against, MEASURES, Measure, Rates, Set, Verdict, against, verdict};
use gmpc_runtime::failure::Failure;
use serde_json::{Value, json};

/// A difference counts from here on.
const LEVEL: f64 = 0.05;

/// Everything that is said.
///
/// # Errors
/// The embedded texts are wrong, which a test excludes.
pub fn lead(rates: &Rates, sets: &[Set<'_>], changed: Vec<String>) -> Result<Lead, Failure> {
    let differences = against(&rates.of, &rates.key, sets);
    let verdicts: Vec<Verdict> = MEASURES.iter().filter_map(|one| verdict(*one, &rates.of, sets)).collect();
    let mut found: Vec<String> = verdicts.iter().map(|one| sentence(one, &rates.of)).collect();
    found.extend(seeds(&differences, &rates.of));
    let mut tables = vec![working(sets), sensitivity(sets), figures(rates, sets), failed(sets)];
    tables.extend(ranked(&verdicts));
    tables.extend(paired(&differences, &rates.of));
    Ok(Lead {
        title: rates.title.clone(),
        ran: rates.ran.clone(),
        changed,
        found,
        tables,
        claims: rates.claims.iter().map(|claim| claim.text.clone()).collect(),
        known: rates.known.clone(),
        sources: places(rates.claims.iter().map(|claim| &claim.source))?,
    })
}

/// One object for each curve, then one for each measure: `{"event":"rates","data","param","best","low","high",…}`,
/// `{"event":"verdict","measure",…}`.
#[must_use]
pub fn json_lines(rates: &Rates, sets: &[Set<'_>]) -> Vec<Value> {
    let curves = sets.iter().flat_map(|set| set.curves.iter().map(move |curve| (set, curve)));
    let mut lines: Vec<Value> = curves
        .map(|(set, curve)| {
            json!({
                "event": "rates", "data": set.name, "param": curve.param, "metric": set.metric, "best": curve.best,
                "low": curve.works.map(|works| works[0]), "high": curve.works.map(|works| works[1]),
                "decades": curve.works.map(|[low, high]| (high / low).log10()), "sensitivity": curve.number,
                "failed": Measure::Failed.of(curve), "runs": curve.points.iter().map(|point| point.runs).sum::<usize>(),
            })
        })
        .collect();
    lines.extend(MEASURES.iter().filter_map(|one| verdict(*one, &rates.of, sets)).map(|one| {
        json!({
            "event": "verdict", "measure": name(one.measure), "of": rates.of, "sets": one.sets, "best_on": one.first[0],
            "alone_on": one.first[1], "params": one.params, "mean_ranks": one.ranks.as_ref().map(|ranks| &ranks.mean),
            "critical": one.ranks.as_ref().map(|ranks| ranks.critical), "p": one.ranks.as_ref().map(|ranks| ranks.p),
            "better_than": one.better_than, "worse_than": one.worse_than,
        })
    }));
    lines
}

fn name(measure: Measure) -> &'static str {
    match measure {
        Measure::Highest => "highest rate that works",
        Measure::Width => "rates that work, of those tried",
        Measure::Sensitivity => "sensitivity",
        Measure::Failed => "runs that failed",
    }
}

/// What one measure says about the claim.
fn sentence(one: &Verdict, of: &str) -> String {
    let [first, alone] = one.first;
    let best = match one.measure {
        Measure::Highest => "the highest",
        Measure::Width => "the most",
        Measure::Sensitivity => "the lowest",
        Measure::Failed => "the fewest",
    };
    let others = one.params.len() - 1;
    let list = |names: &[String]| names.join(" and ");
    let holds = match (&one.ranks, one.better_than.len(), one.worse_than.len()) {
        (None, ..) => "too few data sets or parameterizations for a test".to_string(),
        (Some(_), _, 1..) => format!("the opposite of the claim: {of} is behind {}", list(&one.worse_than)),
        (Some(_), 0, 0) => "not shown: no difference of mean ranks is more than chance".to_string(),
        (Some(_), n, 0) if n == others => "holds against each of the others".to_string(),
        (Some(_), _, 0) => format!("holds against {}, not shown against the rest", list(&one.better_than)),
    };
    let upper = capital(name(one.measure));
    // All tie everywhere: to be among the best then says nothing.
    if one.ranks.as_ref().is_some_and(|ranks| ranks.p.is_nan()) {
        return format!("{upper}: all parameterizations are alike on every data set.");
    }
    format!(
        "{upper}: {of} has {best} on {first} of {} data sets, on {alone} of these alone. {}.",
        one.sets,
        capital(&holds)
    )
}

fn capital(text: &str) -> String {
    text.chars().take(1).flat_map(char::to_uppercase).chain(text.chars().skip(1)).collect()
}

/// What differences by seed say about sensitivity.
fn seeds(differences: &[Against], of: &str) -> Vec<String> {
    let mut params: Vec<&str> = Vec::new();
    for one in differences {
        if !params.contains(&one.param.as_str()) {
            params.push(&one.param);
        }
    }
    let count = |param: &str, sign: f64| {
        let told = |one: &&Against| one.param == param && one.adjusted < LEVEL && sign * one.paired.mean > 0.0;
        differences.iter().filter(told).count()
    };
    let one = |param: &&str| {
        let all = differences.iter().filter(|one| one.param == *param).count();
        format!("less sensitive than {param} on {} and more on {} of {all}", count(param, -1.0), count(param, 1.0))
    };
    let said: Vec<String> = params.iter().map(one).collect();
    if said.is_empty() {
        return vec![];
    }
    let holm = differences.iter().filter(|one| one.paired.p.is_finite()).count();
    vec![format!(
        "Sensitivity on each data set alone, seed by seed: {of} is {} (p < {LEVEL} after Holm over {holm}).",
        said.join("; ")
    )]
}

/// All parameterizations of any data set, in the order of the first that has them.
fn params(sets: &[Set<'_>]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for curve in sets.iter().flat_map(|set| &set.curves) {
        if !all.contains(&curve.param) {
            all.push(curve.param.clone());
        }
    }
    all
}

/// What stands in a table for a parameterization of a data set: a text, and the number it is compared by.
type Shown = Option<(String, f64)>;

/// A table with a row for each data set and a column for each parameterization. Of `higher` the highest of a row is marked, else the
/// lowest; without it nothing is.
fn table(caption: String, sets: &[Set<'_>], field: &dyn Fn(&Set<'_>, &str) -> Shown, higher: Option<bool>) -> Table {
    let params = params(sets);
    let row = |set: &Set<'_>| {
        let fields: Vec<Shown> = params.iter().map(|param| field(set, param)).collect();
        let better = |a: f64, b: f64| if higher == Some(true) { a > b } else { a < b };
        let best = |x: f64| higher.is_some() && !fields.iter().flatten().any(|(_, other)| better(*other, x));
        let shown =
            fields.iter().map(|one| one.as_ref().map_or(("-".into(), false), |(text, x)| (text.clone(), best(*x))));
        Row { name: set.name.clone(), paper: false, fields: shown.collect() }
    };
    let head = ["data".to_string()].into_iter().chain(params.iter().cloned()).collect();
    Table { caption, head, rows: sets.iter().map(row).collect() }
}

fn working(sets: &[Set<'_>]) -> Table {
    let caption = format!(
        "Rates that work: the unbroken range around the best in which no run failed and the mean keeps {:.0} % of what the best rate \
         gains over the untrained network; marked: the highest upper end",
        100.0 * KEPT
    );
    let field = |set: &Set<'_>, param: &str| {
        let curve = set.curve(param)?;
        Some((curve.works.map_or("none".into(), |[low, high]| stretch(low, high)), Measure::Highest.of(curve)))
    };
    table(caption, sets, &field, Some(true))
}

fn sensitivity(sets: &[Set<'_>]) -> Table {
    let caption = "Sensitivity (Wortsman et al. 2023): how much worse the figure is than at the best rate, mean over all rates tried, in the \
                   figure's unit; marked: the lowest"
        .to_string();
    let field = |set: &Set<'_>, param: &str| {
        let curve = set.curve(param)?;
        Some((readable(curve.number), curve.number))
    };
    table(caption, sets, &field, Some(false))
}

/// The compared figure at each parameterization's best rate, with that rate.
fn figures(rates: &Rates, sets: &[Set<'_>]) -> Table {
    let caption = "Test figure at the best rate, which stands in brackets: mean ± standard error over the seeds; RMSE (lower is better), accuracy \
                   on banana and cifar10 (higher is better)"
        .to_string();
    let field = |set: &Set<'_>, param: &str| {
        let best = set.curve(param)?.best;
        let cell = set.cell(&rates.key, param, best)?;
        Some((format!("{} ({})", rounded(cell), readable(best)), cell.statistics.mean))
    };
    table(caption, sets, &field, None)
}

fn failed(sets: &[Set<'_>]) -> Table {
    let field = |set: &Set<'_>, param: &str| {
        let curve = set.curve(param)?;
        let failed = Measure::Failed.of(curve);
        let runs: usize = curve.points.iter().map(|point| point.runs).sum();
        Some((format!("{failed} of {runs}"), failed))
    };
    table("Runs that diverged or failed, over all rates".into(), sets, &field, None)
}

fn ranked(verdicts: &[Verdict]) -> Option<Table> {
    let first = verdicts.iter().find(|one| one.ranks.is_some())?;
    let critical = first.ranks.as_ref()?.critical;
    let caption = format!(
        "Mean ranks over {} data sets, 1 is the best; ranks that differ by less than {critical:.2} are level (Nemenyi, 95 %)",
        first.sets
    );
    let row = |one: &Verdict| {
        let ranks = one.ranks.as_ref()?;
        let fields = ranks.mean.iter().map(|rank| (format!("{rank:.2}"), false));
        let p = if ranks.p < 0.001 { "< 0.001".to_string() } else { format!("{:.3}", ranks.p) };
        let p = if ranks.p.is_nan() { "-".to_string() } else { p };
        Some(Row { name: name(one.measure).into(), paper: false, fields: fields.chain([(p, false)]).collect() })
    };
    let head = ["measure".to_string()].into_iter().chain(first.params.clone()).chain(["Friedman's p".into()]).collect();
    Some(Table { caption, head, rows: verdicts.iter().filter_map(row).collect() })
}

fn paired(differences: &[Against], of: &str) -> Option<Table> {
    // Both in the order of `differences`, which is that of the data sets and of their curves.
    let (mut sets, mut others): (Vec<&str>, Vec<&str>) = (vec![], vec![]);
    for one in differences {
        if !sets.contains(&one.set.as_str()) {
            sets.push(&one.set);
        }
        if !others.contains(&one.param.as_str()) {
            others.push(&one.param);
        }
    }
    let field = |set: &str, param: &str| {
        // `against` leaves out pairs of which one side has no sensitivity.
        let Some(one) = differences.iter().find(|one| one.set == set && one.param == param) else {
            return ("-".to_string(), false);
        };
        let found = &one.paired;
        let interval = if found.low.is_finite() {
            format!("{} [{}, {}]", readable(found.mean), readable(found.low), readable(found.high))
        } else {
            readable(found.mean)
        };
        (interval, one.adjusted < LEVEL)
    };
    let row = |set: &&str| Row {
        name: (*set).to_string(),
        paper: false,
        fields: others.iter().map(|param| field(set, param)).collect(),
    };
    let head = ["data".to_string()].into_iter().chain(others.iter().map(|param| format!("against {param}"))).collect();
    let caption = format!(
        "Sensitivity of {of} minus that of another, seed by seed, with 95 % intervals (corrected where test rows are drawn): below 0 {of} is \
         less sensitive; marked: p < {LEVEL} after Holm over the table"
    );
    (!sets.is_empty()).then(|| Table { caption, head, rows: sets.iter().map(row).collect() })
}
