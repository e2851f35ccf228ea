//! Which columns of a table are features and which are targets.

use crate::data::DataError;
use gmpc_compiler::experiment::{Column, Table};
use gmpc_grammar::similar::nearest;

/// Names of all columns, in order; empty where the file has no header.
pub(super) type Header = Vec<String>;

/// Positions of the chosen columns, 0-based, in the order they are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    /// Inputs, at least one.
    pub(super) features: Vec<usize>,
    /// Targets, at least one, none of them a feature.
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
    if table.columns.is_empty() {
        features = (0..width).filter(|index| !targets.contains(index)).collect();
    }
    if let Some(&both) = features.iter().find(|index| targets.contains(index)) {
        let reason = format!("column {} is a feature and a target", called(both, header));
        return Err(DataError::data("E0754", file, reason).help("take it out of `columns`"));
    }
    if features.is_empty() {
        let reason = format!("no column is left for the features: the file has {width} in all");
        return Err(DataError::data("E0754", file, reason).help("is the separator right? `separator = \";\"`"));
    }
    Ok(Columns { features, targets })
}

/// Finds the features in a file that may hold them alone, or the targets too.
pub(super) fn inputs(
    table: &Table,
    header: &Header,
    width: usize,
    features: usize,
    file: &str,
) -> Result<Vec<usize>, DataError> {
    if !header.is_empty() && table.columns.iter().any(|column| matches!(column, Column::Name(_))) {
        return table.columns.iter().map(|wanted| position(wanted, header, width, file)).collect();
    }
    if width == features {
        return Ok((0..width).collect()); // nothing but the features, in the order of training
    }
    // As the training file was: targets beside the features. A target called by name may be missing, one called by
    // position would shift the columns after it.
    let found: Vec<usize> = table.target.iter().filter_map(|t| position(t, header, width, file).ok()).collect();
    let rest: Vec<usize> = if table.columns.is_empty() {
        (0..width).filter(|index| !found.contains(index)).collect()
    } else {
        table.columns.iter().map(|wanted| position(wanted, header, width, file)).collect::<Result<_, _>>()?
    };
    if rest.len() == features {
        return Ok(rest);
    }
    let reason = format!("the network takes {features} features, the file has {width} columns");
    let help = format!("give the {features} columns it was trained on, in the same order, with or without the targets");
    Err(DataError::data("E0754", file, reason).help(help))
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
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("the columns are {}", listed(header, width))),
    }
}

fn called(index: usize, header: &Header) -> String {
    header.get(index).map_or_else(|| index.to_string(), |name| format!("`{name}`"))
}

/// `age`, `height` and 12 more
fn listed(header: &Header, width: usize) -> String {
    if header.is_empty() {
        return format!("0 to {}", width.saturating_sub(1));
    }
    let names: Vec<String> = header.iter().take(8).map(|name| format!("`{name}`")).collect();
    let rest = header.len().saturating_sub(8);
    if rest > 0 { format!("{} and {rest} more", names.join(", ")) } else { names.join(", ") }
}
