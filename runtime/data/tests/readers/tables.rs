//! Tables: sound ones in every way of writing them, and ones in which something was changed.

use super::{beside, bounded, config, file, put, reference, spec};
use gmpc_compiler::ir::experiment::{Column, DataSource, Separator, Table, Task};
use gmpc_data::{Dataset, Wanted, info, load, read_inputs};
use proptest::prelude::*;

fn table(separator: Separator, header: Option<bool>, target: usize) -> Table {
    let target = vec![Column::Index(target)];
    Table { file: file("a.csv"), separator, header, skip: String::new(), missing: None, target, columns: vec![] }
}

/// Reads bytes in every way there is; what a data set of them is, or the message.
fn read(bytes: &[u8], table: &Table, task: Task) -> Result<Dataset, String> {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "a.csv", bytes);
    let (spec, directories) = (spec(DataSource::Table(table.clone()), task), beside(folder.path()));
    bounded(|| {
        let names = ["c0".to_string(), "c1".to_string()];
        let wanted = Wanted { features: 2, feature_names: &names, ..Wanted::default() };
        let _ = read_inputs(&folder.path().join("a.csv"), &spec.source, &wanted);
        let columns = info::columns(&spec, &directories);
        let loaded = load(&spec, &directories);
        if loaded.is_ok() {
            assert!(columns.is_ok(), "what is read can be looked at: {columns:?}");
        }
        loaded.map_err(|error| {
            assert!(error.code.starts_with("E07") && !error.reason.is_empty(), "{error:?}");
            error.to_string()
        })
    })
}

/// What the reference finds: features and targets, row after row.
fn expected(text: &str, table: &Table, found: &Dataset) -> Result<(Vec<f64>, Vec<f64>), String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rows = match table.separator {
        Separator::Character(separator) => reference::rows(text, separator).ok_or("a quote that never closes")?,
        Separator::Whitespace => reference::blank_rows(text),
    };
    for cell in rows.iter_mut().flatten() {
        *cell = cell.trim_matches(|c: char| c.is_ascii_whitespace()).to_string();
    }
    rows.retain(|row| row.len() > 1 || row.iter().any(|cell| !cell.is_empty()));
    let told = |code: &str| found.notes.iter().any(|note| note.code == code);
    if told("W0771") {
        let remarks = rows.iter().take_while(|row| row.first().is_some_and(|cell| cell.starts_with('#'))).count();
        rows.drain(..remarks);
    }
    if table.header == Some(true) && !rows.is_empty() {
        rows.remove(0);
    }
    let width = found.features + found.outputs;
    let Some(Column::Index(target)) = table.target.first() else { return Err("a target by position".to_string()) };
    let (mut inputs, mut targets) = (vec![], vec![]);
    for row in &rows {
        let trailing = row.len() > width && told("W0772") && row[width..].iter().all(String::is_empty);
        if row.len() != width && !trailing {
            return Err(format!("{row:?} has not {width} cells"));
        }
        for (index, cell) in row.iter().take(width).enumerate() {
            let truth = |word: &str, value| (cell.eq_ignore_ascii_case(word) && index != *target).then_some(value);
            let number = reference::number(cell).or_else(|| truth("true", 1.0)).or_else(|| truth("false", 0.0));
            let number = number.ok_or_else(|| format!("`{cell}` is no number"))?;
            if index == *target { targets.push(number) } else { inputs.push(number) }
        }
    }
    Ok((inputs, targets))
}

fn same(found: &[f64], expected: &[f64]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// If gmpc reads it, the reference finds the same.
fn compare(bytes: &[u8], table: &Table) -> Result<Option<Dataset>, TestCaseError> {
    let Ok(found) = read(bytes, table, Task::Regression) else { return Ok(None) };
    let text = String::from_utf8_lossy(bytes);
    match expected(&text, table, &found) {
        Ok((inputs, targets)) => {
            prop_assert!(
                same(&found.examples.inputs, &inputs),
                "{text:?}: {:?}, not {inputs:?}",
                found.examples.inputs
            );
            prop_assert!(same(&found.examples.targets, &targets), "{text:?}");
        }
        Err(why) => prop_assert!(false, "{text:?} was read, and {why}"),
    }
    Ok(Some(found))
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i16>().prop_map(|n| n.to_string()),
        any::<f32>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| x.to_string()),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| format!("{x:e}")),
        prop::sample::select(vec!["0", "-0", "+5", "007", ".5", "5.", "-.5e-3", "1E5", "1e+05", "9007199254740993"])
            .prop_map(str::to_string),
    ]
}

/// A sound table, and how it is to be read.
fn sound() -> impl Strategy<Value = (String, Table)> {
    let separators = vec![',', ';', '\t', '|', ' '];
    (2usize..5, prop::sample::select(separators), any::<bool>(), prop::sample::select(vec!["\n", "\r\n", "\r"]))
        .prop_flat_map(|(width, separator, header, end)| {
            let cell = (number(), 0u8..12);
            let rows = prop::collection::vec(prop::collection::vec(cell, width), 1..12);
            (rows, Just((width, separator, header, end)), any::<bool>(), any::<bool>(), 0..width)
        })
        .prop_map(|(rows, (width, separator, header, end), mark, last, target)| {
            let blanks = separator == ' ';
            let dressed = |(number, dress): &(String, u8)| match dress {
                0 if !blanks => format!("\"{number}\""),
                1 if separator != '\t' => format!(" {number}"),
                2 if separator != '\t' => format!("{number}  "),
                _ => number.clone(),
            };
            let names =
                header.then(|| (0..width).map(|c| format!("c{c}")).collect::<Vec<_>>().join(&separator.to_string()));
            let row =
                |row: &Vec<(String, u8)>| row.iter().map(dressed).collect::<Vec<_>>().join(&separator.to_string());
            let lines: Vec<String> = names.into_iter().chain(rows.iter().map(row)).collect();
            let text =
                format!("{}{}{}", if mark { "\u{feff}" } else { "" }, lines.join(end), if last { end } else { "" });
            let separator = if blanks { Separator::Whitespace } else { Separator::Character(separator) };
            (text, table(separator, Some(header), target))
        })
}

/// Where something is changed (as a share of the length), how much is taken away, what is put there.
fn changes() -> impl Strategy<Value = Vec<(f64, usize, Vec<u8>)>> {
    let pieces: Vec<&[u8]> = vec![
        b"",
        b"\"",
        b"\"\"",
        b",",
        b";",
        b"\n",
        b"\r",
        b"\r\n",
        b" ",
        b"\t",
        b"#",
        b"# ",
        b"-",
        b"e",
        b".",
        b"9",
        b"\0",
        b"\xff",
        b"NA",
        b"nan",
        b"inf",
        b"TRUE",
        b"false",
        b"\xe2\x88\x92",
        b"\xc2\xa0",
        b"\xef\xbb\xbf",
        b"\n\n",
        b",,",
        b"1e999",
        b"x",
        b"0x1",
        b"\x1a",
        b"1_0",
        b"\",\"",
        b"# c0,c1\n",
        b"sep=;\n",
        b"\"\n",
        b"5%",
        b"1,5",
    ];
    let piece = prop::sample::select(pieces).prop_map(<[u8]>::to_vec);
    prop::collection::vec((0.0..1.0f64, 0usize..3, piece), 1..4)
}

fn changed(text: &str, changes: &[(f64, usize, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (place, removed, added) in changes {
        #[expect(clippy::cast_sign_loss, reason = "a share of a length")]
        let at = (bytes.len() as f64 * place) as usize;
        let end = (at + removed).min(bytes.len());
        bytes.splice(at..end, added.iter().copied());
    }
    bytes
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn sound_tables_are_read_as_they_are((text, table) in sound()) {
        let found = compare(text.as_bytes(), &table)?;
        prop_assert!(found.is_some(), "{text:?}: {:?}", read(text.as_bytes(), &table, Task::Regression).err());
    }

    #[test]
    fn changed_tables_are_read_as_others_read_them_or_refused((text, table) in sound(), changes in changes()) {
        compare(&changed(&text, &changes), &table)?;
    }

    /// Where gmpc finds out itself whether there is a header, no row of a sound table may be lost or invented.
    #[test]
    fn a_header_of_words_is_found_and_numbers_are_none((text, table) in sound(), changes in prop::option::of(changes())) {
        let asked = Table { header: None, ..table.clone() };
        let bytes = changes.map_or_else(|| text.clone().into_bytes(), |changes| changed(&text, &changes));
        if let Ok(found) = read(&bytes, &asked, Task::Regression) {
            let stated = [Some(true), Some(false)].map(|header| {
                let stated = Table { header, ..table.clone() };
                expected(&String::from_utf8_lossy(&bytes), &stated, &found).ok().map(|(inputs, _)| inputs)
            });
            let told = found.notes.iter().any(|note| note.code == "W0774");
            let inputs = Some(found.examples.inputs);
            prop_assert!(told || stated.contains(&inputs), "{:?}: {inputs:?}", String::from_utf8_lossy(&bytes));
            prop_assert!(told || stated[1].is_none() || stated[1] == inputs, "a row was taken for a header: {:?}",
                String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn labels_are_the_texts_of_the_file((text, table) in sound(), changes in changes()) {
        let bytes = changed(&text, &changes);
        if let Ok(found) = read(&bytes, &table, Task::Classification) {
            prop_assert!(found.examples.targets.len() == found.examples.rows);
            let text = String::from_utf8_lossy(&bytes);
            // Quotes around cells and within them go their own ways.
            let bare = |text: &str| text.replace('"', "");
            let from_the_file = |label: &String| bare(&text).contains(&bare(label));
            prop_assert!(found.labels.iter().all(from_the_file), "{:?} of {text:?}", found.labels);
        }
    }

    #[test]
    fn any_bytes_are_a_table_or_a_message(bytes in prop::collection::vec(any::<u8>(), 0..400), header: bool, blank: bool) {
        let separator = if blank { Separator::Whitespace } else { Separator::Character(',') };
        let table = table(separator, header.then_some(false), 0);
        let _ = read(&bytes, &table, Task::Regression);
        let _ = read(&bytes, &table, Task::Classification);
    }
}

/// Memory follows what is read: a long line, a wide row, a quote that never closes, labels that are all different.
#[test]
fn large_files_take_no_more_than_they_explain() {
    let comma = |header| table(Separator::Character(','), header, 0);
    let wide = ["1"; 100_000].join(",");
    assert_eq!(
        read(format!("{wide}\n{wide}\n").as_bytes(), &comma(Some(false)), Task::Regression).unwrap().features,
        99_999
    );
    let open = format!("a,b\n1,\"{}", "2,\n".repeat(700_000));
    assert!(read(open.as_bytes(), &comma(None), Task::Regression).unwrap_err().contains("never closes"));
    let line = "9".repeat(3 << 20);
    assert!(read(line.as_bytes(), &comma(Some(false)), Task::Regression).is_err());
    let labels: String = (0..200_000).map(|i| format!("label{i},{}\n", i % 7)).collect();
    assert!(
        read(labels.as_bytes(), &comma(Some(false)), Task::Classification).unwrap_err().contains("different values")
    );
    let quotes = "\"".repeat(1 << 21);
    let _ = read(quotes.as_bytes(), &comma(None), Task::Regression);
}
