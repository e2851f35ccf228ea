//! Tables as people write them, one wrong thing at a time, and arbitrary bytes.

use super::*;
use gmpc_compiler::experiment::{Column, FileSpec, Separator};
use proptest::prelude::*;

fn comma(target: Column) -> Table {
    let file = FileSpec { path: String::new(), url: None, sha256: None };
    let separator = Separator::Character(',');
    Table { file, separator, header: None, skip: String::new(), target: vec![target], columns: vec![] }
}

fn blanks(target: usize) -> Table {
    Table { separator: Separator::Whitespace, ..comma(Column::Index(target)) }
}

fn name(name: &str) -> Column {
    Column::Name(name.to_string())
}

fn read_as(bytes: &[u8], table: &Table, task: Task) -> Result<Dataset, DataError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    read(file.path(), table, task, None).map_err(|e| DataError { file: "a.csv".to_string(), ..e })
}

fn numbers(text: &str, table: &Table) -> (Vec<f64>, Vec<f64>) {
    let dataset = read_as(text.as_bytes(), table, Task::Regression).unwrap();
    (dataset.examples.inputs, dataset.examples.targets)
}

/// The message and its help.
fn fault(bytes: &[u8], table: &Table) -> String {
    let error = read_as(bytes, table, Task::Regression).unwrap_err();
    format!("{error}\n{}", error.help.as_deref().unwrap_or_default())
}

#[test]
fn a_header_is_recognized_by_its_words() {
    let dataset = read_as(b"age,size,price\n1,2,3\n4,5,6\n", &comma(name("size")), Task::Regression).unwrap();
    assert_eq!((dataset.features, dataset.outputs, dataset.examples.rows), (2, 1, 2));
    assert_eq!(
        (dataset.feature_names, dataset.target_names),
        (vec!["age".into(), "price".into()], vec!["size".into()])
    );
    assert_eq!((dataset.examples.inputs, dataset.examples.targets), (vec![1.0, 3.0, 4.0, 6.0], vec![2.0, 5.0]));
    assert_eq!(numbers("1,2\n3,4\n", &comma(Column::Index(1))), (vec![1.0, 3.0], vec![2.0, 4.0]));
}

#[test]
fn a_first_row_with_a_label_is_no_header() {
    let dataset = read_as(b"1,2,rose\n3,4,iris\n", &comma(Column::Index(2)), Task::Classification).unwrap();
    assert_eq!((dataset.examples.inputs, dataset.examples.targets), (vec![1.0, 2.0, 3.0, 4.0], vec![1.0, 0.0]));
    let dataset = read_as(b"a,kind\n1,rose\n3,iris\n", &comma(name("kind")), Task::Classification).unwrap();
    assert_eq!(dataset.examples.inputs, [1.0, 3.0]);
}

#[test]
fn a_header_of_numbers_can_be_declared() {
    let table = Table { header: Some(true), ..comma(name("2020")) };
    assert_eq!(numbers("2019,2020\n1,2\n", &table), (vec![1.0], vec![2.0]));
}

#[test]
fn chosen_columns_come_in_the_order_they_are_asked_for() {
    let table = Table { columns: vec![name("c"), name("a")], ..comma(name("b")) };
    // Column d holds words, and nobody asked for it.
    assert_eq!(numbers("a,b,c,d\n1,2,3,x\n4,5,6,y\n", &table), (vec![3.0, 1.0, 6.0, 4.0], vec![2.0, 5.0]));
}

#[test]
fn byte_order_mark_line_ends_and_blank_lines_do_not_matter() {
    let plain = numbers("a,b\n1,2\n3,4\n", &comma(name("b")));
    for text in ["\u{feff}a,b\r\n1,2\r\n\r\n3,4\r\n", "\n\na,b\n1,2\n   \n3,4", " a , b \n 1 , 2\n3,\t4 \n"] {
        assert_eq!(numbers(text, &comma(name("b"))), plain, "{text:?}");
    }
}

#[test]
fn quotes_may_hold_separators_quotes_and_line_ends() {
    let text = "\"a, first\",\"the \"\"b\"\"\",\"c\nand d\"\n\"1\",2,3\n4,\"5\",6\n";
    let table = comma(name("the \"b\""));
    assert_eq!(numbers(text, &table), (vec![1.0, 3.0, 4.0, 6.0], vec![2.0, 5.0]));
}

#[test]
fn blanks_between_columns_may_be_ragged() {
    assert_eq!(numbers("  1\t2   3 \n4 5\t\t6\n", &blanks(2)), (vec![1.0, 2.0, 4.0, 5.0], vec![3.0, 6.0]));
}

#[test]
fn keel_files_are_tables_with_lines_to_skip() {
    let text = "@relation banana\n\n@attribute Class {-1.0,1.0}\n@data\n1.14,-0.114,-1.0\n-1.5,0.2,1.0\n";
    let table = Table { skip: "@".to_string(), ..comma(Column::Index(2)) };
    let dataset = read_as(text.as_bytes(), &table, Task::Classification).unwrap();
    assert_eq!((dataset.examples.targets, dataset.labels), (vec![0.0, 1.0], vec!["-1".to_string(), "1".to_string()]));
    assert_eq!(dataset.examples.inputs, [1.14, -0.114, -1.5, 0.2]);
}

#[test]
fn labels_may_be_words() {
    let dataset = read_as(b"x,kind\n1,iris\n2,rose\n3,iris\n", &comma(name("kind")), Task::Classification).unwrap();
    assert_eq!((dataset.examples.targets, dataset.labels), (vec![0.0, 1.0, 0.0], vec!["iris".into(), "rose".into()]));
}

#[test]
fn a_wrong_cell_is_told_with_its_line_and_column() {
    let table = comma(Column::Index(1));
    assert_eq!(
        fault(b"a,b\n\n1,2\n3,abc\n", &table),
        "a.csv, line 4, column 2: `abc` is not a number\n\
         correct it, drop the line, or leave the column out with `columns = [...]`"
    );
    assert!(fault(b"1,2\n,4\n", &table).starts_with("a.csv, line 2, column 1: the value is missing\n"));
    assert!(fault(b"1,2\n3,NaN\n", &table).starts_with("a.csv, line 2, column 2: the value is missing (`NaN`)\n"));
    assert!(fault(b"1,2\n3,1e999\n", &table).starts_with("a.csv, line 2, column 2: `1e999` is not finite\n"));
    let semicolon = Table { separator: Separator::Character(';'), ..comma(Column::Index(1)) };
    let expected = "a.csv, line 2, column 1: `3,5` is not a number\nwrite it with a point: `3.5`";
    assert_eq!(fault(b"1;2\n3,5;4\n", &semicolon), expected);
}

#[test]
fn a_line_after_a_quoted_one_over_two_lines_keeps_its_number() {
    let text = b"a,b\n\"1\n\",2\n3,x\n";
    assert!(fault(text, &comma(name("b"))).starts_with("a.csv, line 4, column 2: `x` is not a number"));
}

#[test]
fn a_ragged_row_is_told_with_its_line() {
    let expected = "a.csv, line 3: the row has 1 cell, the rows before it have 2\nevery row needs the same columns";
    assert_eq!(fault(b"a,b\n1,2\n3\n", &comma(name("b"))), expected);
}

#[test]
fn an_empty_file_and_a_lone_header_hold_no_data() {
    for text in ["", "\n \n", "\u{feff}"] {
        assert!(fault(text.as_bytes(), &comma(name("b"))).starts_with("a.csv: the file holds no row of data\n"));
    }
    assert!(fault(b"a,b\n", &comma(name("b"))).starts_with("a.csv: there is a header and no row of data\n"));
}

#[test]
fn a_column_that_is_not_there_is_told_with_those_that_are() {
    let text = b"price,rooms,age\n1,2,3\n";
    assert_eq!(fault(text, &comma(name("prise"))), "a.csv: there is no column `prise`\ndid you mean `price`?");
    let expected = "a.csv: there is no column `latitude`\nthe columns are `price`, `rooms`, `age`";
    assert_eq!(fault(text, &comma(name("latitude"))), expected);
    let expected =
        "a.csv: column 3 is asked for, and the file has 3 (0 to 2)\ncolumns count from 0: `price`, `rooms`, `age`";
    assert_eq!(fault(text, &comma(Column::Index(3))), expected);
    let expected = "a.csv: column `b` is asked for by name, and the file has no header\n\
                    give its position, counted from 0, or write `header = true`";
    assert_eq!(fault(b"1,2\n", &comma(name("b"))), expected);
    assert!(fault(b"a,a\n1,2\n", &comma(name("a"))).starts_with("a.csv: 2 columns are called `a`\n"));
}

#[test]
fn a_column_cannot_be_feature_and_target() {
    let table = Table { columns: vec![name("a"), name("b")], ..comma(name("b")) };
    assert!(fault(b"a,b\n1,2\n", &table).starts_with("a.csv: column `b` is a feature and a target\n"));
    assert!(fault(b"a;b\n1;2\n", &comma(Column::Index(0))).contains("no column is left for the features"));
}

#[test]
fn text_that_is_not_utf8_and_quotes_that_never_close_are_told() {
    assert!(fault(b"a,\xff\n1,2\n", &comma(name("b"))).starts_with("a.csv, line 1, column 2: the text is not UTF-8"));
    assert!(fault(b"\xff\xfea\0,\0", &comma(name("b"))).starts_with("a.csv: this is UTF-16 text\nsave it as UTF-8"));
    let open = fault(b"a,b\n1,2\n\"3,4\n5,6\n", &comma(name("b")));
    assert!(open.starts_with("a.csv, line 3: a quote opens in this row and never closes"), "{open}");
}

#[test]
fn the_widths_of_a_table_are_in_its_first_lines() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a,b,c\n1,2,3\n\"never closed").unwrap();
    assert_eq!(widths(file.path(), &comma(name("b"))).unwrap(), (2, 1));
}

#[test]
fn rows_to_predict_for_may_come_with_or_without_targets() {
    let inputs = |text: &str, table: &Table| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read_inputs(file.path(), table, 2).map_err(|e| e.reason)
    };
    let table = comma(name("y"));
    for text in ["a,y,b\n1,9,2\n", "a,b\n1,2\n", "1,2\n", "a,y,b\n1,unknown,2\n"] {
        assert_eq!(inputs(text, &table), Ok(vec![1.0, 2.0]), "{text}");
    }
    assert_eq!(inputs("1,9,2\n", &comma(Column::Index(1))), Ok(vec![1.0, 2.0]));
    let chosen = Table { columns: vec![name("b"), name("a")], ..comma(name("y")) };
    assert_eq!(inputs("a,b,c\n1,2,3\n", &chosen), Ok(vec![2.0, 1.0]));
    let expected = "the network takes 2 features, the file has 4 columns".to_string();
    assert_eq!(inputs("1,2,3,4\n", &table), Err(expected));
}

fn texts() -> impl Strategy<Value = Vec<u8>> {
    let cell = prop_oneof!["[0-9.e+-]{0,6}", "[\"a-c,;\t ]{0,4}", Just("\r\n".to_string()), Just("@".to_string())];
    let pieces = prop::collection::vec(cell, 0..40).prop_map(|pieces| pieces.join(",").into_bytes());
    prop_oneof![pieces, prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_a_table_or_a_fault(
        bytes in texts(),
        blank: bool,
        skip: bool,
        words: bool,
        index in 0usize..4,
    ) {
        let separator = if blank { Separator::Whitespace } else { Separator::Character(',') };
        let skip = if skip { "@#".to_string() } else { String::new() };
        let table = Table { separator, skip, ..comma(Column::Index(index)) };
        let task = if words { Task::Classification } else { Task::Regression };
        if let Ok(dataset) = read_as(&bytes, &table, task) {
            let Examples { rows, inputs, targets } = dataset.examples;
            prop_assert_eq!((inputs.len(), targets.len()), (rows * dataset.features, rows * dataset.outputs));
            prop_assert!(inputs.iter().chain(&targets).all(|value| value.is_finite()));
            prop_assert!(inputs.capacity() <= 8 * bytes.len() + 64);
        }
    }

    #[test]
    fn numbers_survive_being_written(rows in prop::collection::vec((any::<f64>(), any::<f64>()), 1..20)) {
        let finite: Vec<_> = rows.into_iter().filter(|(a, b)| a.is_finite() && b.is_finite()).collect();
        prop_assume!(!finite.is_empty());
        let text: String = finite.iter().map(|(a, b)| format!("{a:e} {b}\n")).collect();
        let (inputs, targets) = numbers(&text, &blanks(1));
        prop_assert!(finite.iter().map(|row| row.0.to_bits()).eq(inputs.iter().map(|value| value.to_bits())));
        prop_assert!(finite.iter().map(|row| row.1.to_bits()).eq(targets.iter().map(|value| value.to_bits())));
    }
}
