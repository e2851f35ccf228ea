//! Finds the feature and target columns of a table.

use crate::labels::folded;
use crate::visible::visible;
use crate::wanted::Wanted;
use crate::{DataError, Note};
use gmpc_compiler::ir::experiment::{Column, Table};
use gmpc_grammar::similar::nearest;
use std::collections::BTreeMap;

/// Names of all columns, in order; empty if the file has no header.
pub(super) type Header = Vec<String>;

/// Positions of the chosen columns, counted from 0, in the order in which they are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    /// Input columns, at least one.
    pub(super) features: Vec<usize>,
    /// Target columns, at least one; none of them is a feature.
    pub(super) targets: Vec<usize>,
}

/// Finds the columns that `table` asks for among `width` columns.
pub(super) fn choose(table: &Table, header: &Header, width: usize, file: &str) -> Result<Columns, DataError> {
    let find = |wanted: &Column| position(wanted, header, width, file);
    let targets = table.target.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let mut features = table.columns.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    if targets.is_empty() {
        let help = format!("add `target = …`; the columns are {}", listed(header, width));
        return Err(DataError::data("E0754", file, "nothing says which column is the target").help(help));
    }
    // After the targets: without `columns` every other column is a feature.
    if table.columns.is_empty() {
        features = (0..width).filter(|index| !targets.contains(index)).collect();
    }
    for (asked, setting) in [(&features, "columns"), (&targets, "target")] {
        let twice = asked.iter().enumerate().find(|(place, index)| asked[..*place].contains(index));
        if let Some((_, &index)) = twice {
            let reason = format!("column {} is asked for twice", called(index, header));
            return Err(DataError::data("E0754", file, reason).help(format!("name it once in `{setting}`")));
        }
    }
    if let Some(&both) = features.iter().find(|index| targets.contains(index)) {
        let reason = format!("column {} is a feature and a target", called(both, header));
        return Err(DataError::data("E0754", file, reason).help("take it out of `columns`"));
    }
    // A wrong separator leaves a single column, which is then the target.
    if features.is_empty() {
        let reason = format!("no column is left for the features: the file has {width} in all");
        return Err(DataError::data("E0754", file, reason).help("is the separator right? `separator = \";\"`"));
    }
    Ok(Columns { features, targets })
}

/// A note about used columns whose names are equal, or differ only in case, blanks or accents.
pub(super) fn alike(header: &Header, columns: &Columns, file: &str) -> Option<Note> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for &index in columns.features.iter().chain(&columns.targets) {
        if let Some(name) = header.get(index).map(|name| folded(name.as_str())).filter(|name| !name.is_empty()) {
            groups.entry(name).or_default().push(index);
        }
    }
    let mut twins = groups.into_values().filter(|group| group.len() > 1).map(|group| {
        let name = |&index: &usize| format!("`{}` (column {})", visible(&header[index]), index + 1);
        group.iter().take(4).map(name).collect::<Vec<_>>().join(" and ")
    });
    let first = twins.next()?;
    let rest = match twins.count() {
        0 => String::new(),
        more => format!(", and {more} more such groups"),
    };
    let message = format!("{first} have names that are hard to tell apart{rest}");
    let help = "is one of them a copy? give each column a name of its own, or choose with `columns`";
    Some(Note::new("W0792", file, message).help(help))
}

/// Finds the features in a file with or without the target columns: by name if both files have names.
pub(super) fn inputs(
    table: &Table,
    header: &Header,
    width: usize,
    wanted: &Wanted<'_>,
    file: &str,
    notes: &mut Vec<Note>,
) -> Result<Vec<usize>, DataError> {
    let features = wanted.features;
    let named = wanted.feature_names.len() == features;
    if named && !header.is_empty() {
        return wanted
            .feature_names
            .iter()
            .enumerate()
            .map(|(place, _)| by_name(place, header, wanted, file))
            .collect();
    }
    if !header.is_empty() && table.columns.iter().any(|column| matches!(column, Column::Name(_))) {
        return table.columns.iter().map(|wanted| position(wanted, header, width, file)).collect();
    }
    if width == features {
        let all: Vec<usize> = (0..width).collect();
        notes.extend(by_order(&all, header, wanted, file));
        return Ok(all);
    }
    // As in the training file, with targets beside the features. A target that is named may be missing; one that is
    // given by position would shift the columns after it.
    let found: Vec<usize> = table.target.iter().filter_map(|t| position(t, header, width, file).ok()).collect();
    let rest: Vec<usize> = if table.columns.is_empty() {
        (0..width).filter(|index| !found.contains(index)).collect()
    } else {
        table.columns.iter().map(|wanted| position(wanted, header, width, file)).collect::<Result<_, _>>()?
    };
    if rest.len() == features {
        notes.extend(by_order(&rest, header, wanted, file));
        return Ok(rest);
    }
    let reason = format!("the network takes {features} features, the file has {width} columns");
    let help = format!("give the {features} columns it was trained on, in the same order, with or without the targets");
    Err(DataError::data("E0754", file, reason).help(help))
}

/// A note about columns that are used by their order alone, if only one of the files has names.
fn by_order(taken: &[usize], header: &Header, wanted: &Wanted<'_>, file: &str) -> Option<Note> {
    let dots = if taken.len() > 8 { ", …" } else { "" };
    let (message, help) = if !header.is_empty() {
        let names: Vec<String> = taken.iter().take(8).map(|&index| called(index, header)).collect();
        let message = "the network was trained on columns without names: taken in the order of training are";
        (format!("{message} {}{dots}", names.join(", ")), "train on a file with a header to have columns found by name")
    } else if wanted.feature_names.is_empty() {
        return None;
    } else {
        let named = taken.iter().zip(wanted.feature_names).take(8);
        let pairs: Vec<String> =
            named.map(|(index, name)| format!("`{}` from column {}", visible(name), index + 1)).collect();
        let message = "the file has no header: its columns are taken in the order of training:";
        (format!("{message} {}{dots}", pairs.join(", ")), "give the file a header to have columns found by name")
    };
    Some(Note::new("W0789", file, message).help(help))
}

/// The column of a feature: the n-th column of its name, if the training file had several columns of that name.
fn by_name(place: usize, header: &Header, wanted: &Wanted<'_>, file: &str) -> Result<usize, DataError> {
    let name = &wanted.feature_names[place];
    let found: Vec<usize> = (0..header.len()).filter(|&index| header[index] == *name).collect();
    let trained = wanted.feature_names.iter().filter(|other| *other == name).count();
    let before = wanted.feature_names.iter().take(place).filter(|other| *other == name).count();
    match found.get(before) {
        Some(&index) if found.len() == trained => Ok(index),
        Some(_) => {
            let reason =
                format!("{} columns are called `{name}`, and the network was trained on {trained}", found.len());
            Err(DataError::data("E0754", file, reason).help("give each column a name of its own, as in training"))
        }
        None => {
            let reason = format!("there is no column `{name}`, which the network was trained on");
            let others = header.iter().filter(|other| !wanted.feature_names.contains(other)).map(String::as_str);
            let error = DataError::data("E0754", file, reason);
            Err(match nearest(name, others) {
                Some(near) => error.help(format!("is it `{near}`? rename it to `{name}`")),
                None => error.help(format!("the columns are {}", listed(header, header.len()))),
            })
        }
    }
}

/// The columns of `--keep`.
pub(super) fn kept(header: &Header, width: usize, keep: &[String], file: &str) -> Result<Vec<usize>, DataError> {
    keep.iter().map(|name| position(&Column::Name(name.clone()), header, width, file)).collect()
}

/// A note about columns that are neither features nor targets nor kept.
pub(super) fn unused(
    header: &Header,
    features: &[usize],
    kept: &[usize],
    wanted: &Wanted<'_>,
    file: &str,
) -> Option<Note> {
    let used = |index: usize| features.contains(&index) || kept.contains(&index);
    let rest = |index: &usize| !used(*index) && !wanted.target_names.contains(&header[*index]);
    if wanted.feature_names.is_empty() {
        return None; // without names in training, the other columns are unknown
    }
    let rest: Vec<usize> = (0..header.len()).filter(rest).collect();
    let names: Vec<String> = rest.iter().map(|&index| called(index, header)).collect();
    let first = rest.iter().map(|&index| &header[index]).find(|name| !name.is_empty());
    let help = match first {
        Some(first) => format!("`--keep {first}` passes a column on to the predictions"),
        None if rest.is_empty() => return None,
        None => "give it a name, and `--keep` passes it on to the predictions".to_string(),
    };
    let shown = names.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
    let dots = if names.len() > 8 { ", …" } else { "" };
    let columns = if names.len() == 1 { "column is" } else { "columns are" };
    let message = format!("{} {columns} not used: {shown}{dots}", rest.len());
    Some(Note::new("W0788", file, message).help(help))
}

fn position(wanted: &Column, header: &Header, width: usize, file: &str) -> Result<usize, DataError> {
    match wanted {
        Column::Index(index) if *index < width => Ok(*index),
        Column::Index(index) => {
            let reason =
                format!("column {index} is asked for, and the file has {width} (0 to {})", width.saturating_sub(1));
            Err(DataError::data("E0754", file, reason).help(format!("columns count from 0: {}", listed(header, width))))
        }
        Column::Name(name) if header.is_empty() => {
            let reason = format!("column `{name}` is asked for by name, and the file has no header");
            Err(DataError::data("E0754", file, reason)
                .help("give its position, counted from 0, or write `header = true`"))
        }
        Column::Name(name) => {
            let found: Vec<usize> = (0..header.len()).filter(|&index| header[index] == *name).collect();
            match found[..] {
                [index] => Ok(index),
                [] => Err(unknown(name, header, width, file)),
                _ => {
                    // The first one would be a guess.
                    let reason = format!("{} columns are called `{name}`", found.len());
                    Err(DataError::data("E0754", file, reason).help("give its position, counted from 0"))
                }
            }
        }
    }
}

fn unknown(name: &str, header: &Header, width: usize, file: &str) -> DataError {
    let error = DataError::data("E0754", file, format!("there is no column `{name}`"));
    match nearest(name, header.iter().map(String::as_str)) {
        Some(near) => error.help(format!("did you mean `{}`?", visible(near))),
        None => error.help(format!("the columns are {}", listed(header, width))),
    }
}

/// The name of a column. A column without a name has its position, counted from 0 as in a declaration.
pub(super) fn called(index: usize, header: &Header) -> String {
    match header.get(index) {
        None => index.to_string(),
        Some(name) if name.is_empty() => format!("{} (without a name)", index + 1),
        Some(name) => format!("`{}`", visible(name)),
    }
}

/// A list of names such as `age`, `height` and 12 more.
fn listed(header: &Header, width: usize) -> String {
    if header.is_empty() {
        return format!("0 to {}", width.saturating_sub(1));
    }
    let names: Vec<String> = header.iter().take(8).map(|name| format!("`{}`", visible(name))).collect();
    let rest = header.len().saturating_sub(8);
    if rest > 0 { format!("{} and {rest} more", names.join(", ")) } else { names.join(", ") }
}
