//! The sections of a comparison: the question and the method of choice, the main table, sensitivity, paired
//! differences, results over data sets, learning curves, cost, and failed runs.

use super::short::in_short;
use super::{Section, drawn, escaped};
use crate::judge::{StoppedAt, all_stopped};
use crate::report::figure::Figure;
use crate::report::plot::readable;
use crate::report::sheet::{Field, Kind, Sheet, sheets};
use crate::report::shown::Shown;
use crate::statistics::mean;
use gmpc_runtime::task::compare::{Cell, Comparison, Outcome, Splits};

/// The sections of a comparison. If `is_told`, the page is about the paper and shows the results in a table of its own;
/// then only learning curves and failed runs remain.
pub(super) fn sections(shown: &Shown<'_>, is_told: bool) -> Vec<Section> {
    let name = shown.kept.title();
    let section = |part: &str, title: String, text: String| Section { id: format!("{part}-{name}"), title, text };
    let figures = |all: &mut Vec<Section>, figures: &mut dyn Iterator<Item = &Figure>| {
        all.extend(figures.map(Section::of_figure));
    };
    let mut all = Vec::new();
    if is_told {
        let of = shown.kept.name.as_ref().map_or(String::new(), |name| format!(": {name}"));
        let heading = format!("Runs that failed{of}");
        all.extend(failures(shown, &heading).map(|text| section("failed", heading.clone(), text)));
        figures(&mut all, &mut shown.curves.iter());
        return all;
    }
    let mut tables = sheets(&shown.judged).into_iter();
    if let Some(main) = tables.next() {
        let unfinished = if shown.kept.comparison.complete { "" } else { "<p>Not all of its runs have ended.</p>\n" };
        let warned: String = shown
            .judged
            .notes
            .iter()
            .map(|note| format!("<p class=\"unread\">{}</p>\n", escaped(&note.to_string())))
            .collect();
        let title = escaped(&format!("Results: {name}"));
        let text = format!(
            "<h2>{title}</h2>\n{}{}{unfinished}{}{warned}{}",
            in_short(&shown.judged),
            asked(shown),
            sheet(&main),
            cost(shown)
        );
        all.push(section("comparison", format!("Results: {name}"), text));
    }
    all.extend(stopped(shown).map(|text| section("stopped", "What was stopped when".into(), text)));
    // Each figure stands above its own table. Tables of sensitivity are known by their titles.
    let (against, others): (Vec<Sheet>, Vec<Sheet>) = tables.partition(|sheet| sheet.title.contains(" against "));
    for (k, figure) in shown.sensitivity.iter().enumerate() {
        let table = against.get(k).map(sheet).unwrap_or_default();
        all.push(Section { text: drawn(figure) + &table, ..Section::of_figure(figure) });
    }
    // `sheets` gives the table of differences before that of all data sets.
    let mut others = others.into_iter();
    if let Some(figure) = &shown.differences {
        let table = others.next().map(|table| sheet(&table)).unwrap_or_default();
        all.push(Section { text: drawn(figure) + &table, ..Section::of_figure(figure) });
    }
    all.extend(others.map(|table| {
        section("together", table.title.clone(), format!("<h2>{}</h2>\n{}", escaped(&table.title), sheet(&table)))
    }));
    figures(&mut all, &mut shown.curves.iter());
    figures(&mut all, &mut shown.fronts.iter());
    let heading = "Runs that failed".to_string();
    all.extend(failures(shown, &heading).map(|text| section("failed", heading.clone(), text)));
    all
}

/// A list that says what was run.
fn asked(shown: &Shown<'_>) -> String {
    let (kept, comparison) = (shown.kept, &shown.kept.comparison);
    let seeds = comparison.cells.iter().map(|cell| cell.outcomes.len()).max().unwrap_or(0);
    let runs: usize = comparison.cells.iter().map(|cell| cell.outcomes.len()).sum();
    let data = if kept.data.is_empty() { String::new() } else { format!(" on {}", kept.data) };
    let mut said = vec![format!(
        "<b>Compared</b>: {} of model {}{}; {} = {runs} runs.",
        escaped(&listed_with_names(&comparison.params)),
        escaped(&kept.model),
        if comparison.over.iter().any(|(key, _)| key == "data") { String::new() } else { escaped(&data) },
        counted(comparison, seeds),
    )];
    for (key, values) in &comparison.over {
        let list = match values.len() {
            0..=8 => values.join(", "),
            count => format!("{count} values from {}", ends(values)),
        };
        said.push(format!("<b>{}</b>: {}.", escaped(key), escaped(&list)));
    }
    let size = comparison.cells.iter().flat_map(|cell| &cell.outcomes).find_map(|outcome| outcome.size);
    // Data sets differ in their rows: with an axis of them there is no single number.
    if let (Some(size), false) = (size, comparison.over.iter().any(|(key, _)| key == "data")) {
        let [train, valid, test] = size.rows;
        let drawn = comparison.cells.iter().any(|cell| cell.splits == Splits::Drawn);
        let how = if drawn { ", drawn anew for each seed" } else { "; the test rows are the same for every seed" };
        said.push(format!("<b>Rows</b>: {train} for training, {valid} for validation, {test} for testing{how}."));
    }
    let items: String = said.iter().map(|line| format!("<li>{line}</li>\n")).collect();
    format!("<ul class=\"asked\">\n{items}</ul>\n")
}

/// `4 parameterizations x 4 values of train.optimizer.lr x 10 seeds`
fn counted(comparison: &Comparison, seeds: usize) -> String {
    let several =
        |count: usize, what: &str| if count == 1 { format!("one {what}") } else { format!("{count} {what}s") };
    let axes =
        comparison.over.iter().map(|(key, values)| format!("{} of {}", several(values.len(), "value"), escaped(key)));
    let all =
        [several(comparison.params.len(), "parameterization")].into_iter().chain(axes).chain([several(seeds, "seed")]);
    all.collect::<Vec<_>>().join(" × ")
}

/// The parameterizations, those of the library with what they stand for.
fn listed_with_names(params: &[String]) -> String {
    let long = |word: &str| match word {
        "sp" => Some("standard"),
        "wn" => Some("weight normalization"),
        "bn" => Some("batch normalization"),
        "gmp" => Some("geometric"),
        "mn" => Some("mean normalization"),
        "mbn" => Some("mean-only batch normalization"),
        _ => None,
    };
    let one = |param: &String| {
        let words: Vec<&str> = param.split(" + ").filter_map(long).collect();
        if words.is_empty() { param.clone() } else { format!("{param} ({})", words.join(" with ")) }
    };
    params.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `1e-4 to 1` for numbers; for other values the first and the last.
fn ends(values: &[String]) -> String {
    let mut numbers: Vec<(f64, &String)> =
        values.iter().filter_map(|value| Some((value.replace('_', "").parse().ok()?, value))).collect();
    numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
    match (numbers.first(), numbers.last(), values.first(), values.last()) {
        (Some((_, low)), Some((_, high)), ..) if numbers.len() == values.len() => format!("{low} to {high}"),
        (.., Some(first), Some(last)) => format!("{first} to {last}"),
        _ => String::new(),
    }
}

/// The values that `--halve` stopped, each with the metric at which it was stopped.
fn stopped(shown: &Shown<'_>) -> Option<String> {
    let comparison = &shown.kept.comparison;
    let halving = comparison.halving.as_ref()?;
    let keys = comparison.over.iter().map(|(key, _)| key.as_str());
    let by = format!("{}, mean then", comparison.chosen_by);
    let head: Vec<&str> = ["param"].into_iter().chain(keys).chain(["stopped after", by.as_str()]).collect();
    let whole = halving.rungs.last().map_or(0, |rung| rung.epochs);
    let row = |one: &StoppedAt<'_>| {
        let figure = if one.cell.choice.is_finite() { readable(one.cell.choice) } else { "every run failed".into() };
        let failed = one.cell.outcomes.iter().filter(|outcome| outcome.figures.is_err()).count();
        let after =
            if failed > 0 { format!(" ({failed} of {} failed)", one.cell.outcomes.len()) } else { String::new() };
        let values = one.cell.over.iter().map(|(_, value)| value.clone());
        let own = [format!("{} of {whole} epochs", one.epochs), figure + &after];
        [one.cell.param.clone()].into_iter().chain(values).chain(own).collect::<Vec<String>>()
    };
    let rows: Vec<Vec<String>> = all_stopped(comparison).iter().map(row).collect();
    (!rows.is_empty()).then(|| {
        let told = "<p>At each rung the values with the best mean over the seeds went on. Figures of different rungs are of \
                    different epochs and say nothing about each other.</p>";
        // A long list is shut, so that it does not hide the sections below it.
        let open = if rows.len() <= 20 { " open" } else { "" };
        let table = super::table("stopped", &head, &rows);
        format!(
            "<h2>What was stopped when</h2>\n{told}\n<details{open}><summary>{} values</summary>\n{table}</details>\n",
            rows.len()
        )
    })
}

/// The HTML of a table with its notes below. On a phone each row is a card.
fn sheet(sheet: &Sheet) -> String {
    let cell = |(name, field): (&String, &Field)| {
        let text = escaped(&field.text);
        let text = if field.marked { format!("<strong>{text}</strong>") } else { text };
        let after = if field.after.is_empty() { String::new() } else { format!(" ({})", escaped(&field.after)) };
        let class = if field.kind == Kind::Text { " class=\"word\"" } else { "" };
        format!("<td data-head=\"{}\"{class}>{text}{after}</td>", escaped(name))
    };
    let row = |row: &Vec<Field>| format!("<tr>{}</tr>\n", sheet.head.iter().zip(row).map(cell).collect::<String>());
    let words = |k: usize| sheet.rows.iter().all(|row| row.get(k).is_some_and(|field| field.kind == Kind::Text));
    let name = |(k, name): (usize, &String)| {
        let class = if words(k) { " class=\"word\"" } else { "" };
        format!("<th{class}>{}</th>", escaped(name))
    };
    let head: String = sheet.head.iter().enumerate().map(name).collect();
    let rows: String = sheet.rows.iter().map(row).collect();
    let notes: String = sheet.rich_notes().iter().map(|note| format!("<li>{}</li>\n", escaped(note))).collect();
    let notes = if notes.is_empty() { notes } else { format!("<ul class=\"notes\">\n{notes}</ul>\n") };
    format!(
        "<p class=\"caption\">{}</p>\n<div class=\"wide close\"><table class=\"cards\">\n<tr>{head}</tr>\n{rows}</table></div>\n{notes}",
        escaped(&sheet.title)
    )
}

/// The table of parameters, operations and time of each parameterization.
fn cost(shown: &Shown<'_>) -> String {
    let comparison = &shown.kept.comparison;
    let cells = |param: &String| comparison.cells.iter().filter(|cell| cell.param == *param).collect::<Vec<&Cell>>();
    let outcomes = |param: &String| cells(param).into_iter().flat_map(|cell| &cell.outcomes).collect::<Vec<&Outcome>>();
    let number = |x: f64| if x.is_finite() { readable(x) } else { "-".to_string() };
    let span = |mut all: Vec<u64>| {
        all.sort_unstable();
        match (all.first(), all.last()) {
            (Some(low), Some(high)) if low == high => low.to_string(),
            (Some(low), Some(high)) => format!("{low} to {high}"),
            _ => "-".to_string(),
        }
    };
    let row = |param: &String| {
        let outcomes = outcomes(param);
        // A failed run stops early: its time and its epochs would make the means look cheap.
        let ended: Vec<&&Outcome> = outcomes.iter().filter(|outcome| outcome.figures.is_ok()).collect();
        let seconds: Vec<f64> = ended.iter().map(|outcome| outcome.seconds).collect();
        let epochs: Vec<f64> = ended.iter().map(|outcome| outcome.epochs as f64).collect();
        vec![
            param.clone(),
            span(outcomes.iter().filter_map(|outcome| Some(outcome.size?.parameters)).collect()),
            span(outcomes.iter().filter_map(|outcome| Some(outcome.size?.flops)).collect()),
            number(mean(&epochs)),
            number(mean(&seconds)),
        ]
    };
    let rows: Vec<Vec<String>> = comparison.params.iter().map(row).collect();
    let head = ["param", "parameters", "operations", "epochs", "seconds"];
    let caption = "What it cost: means over the runs that ended; operations are those of one prediction";
    format!("<p class=\"caption\">{caption}</p>\n{}", super::table("cost", &head, &rows))
}

/// The list of failed runs, each with its reason.
fn failures(shown: &Shown<'_>, heading: &str) -> Option<String> {
    let one = |cell: &Cell| {
        let of = [cell.param.clone(), cell.setting()].into_iter().filter(|words| !words.is_empty());
        let of = of.collect::<Vec<_>>().join(", ");
        let failed = cell.outcomes.iter().filter_map(|o| Some((o.seed, o.figures.as_ref().err()?)));
        failed.map(|(seed, why)| format!("<li>{}</li>\n", escaped(&format!("{of}, seed {seed}: {why}")))).collect()
    };
    let items: String = shown.kept.comparison.cells.iter().map(|cell| -> String { one(cell) }).collect();
    let count = items.matches("<li>").count();
    let open = if count <= 10 { " open" } else { "" };
    (count > 0).then(|| {
        format!("<h2>{}</h2>\n<details{open}><summary>{count} runs, each with its reason</summary>\n<ul>\n{items}</ul></details>\n", escaped(heading))
    })
}
