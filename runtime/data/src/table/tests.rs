//! Tables as people write them, each with one error, and arbitrary bytes.

use super::*;
use gmpc_compiler::ir::experiment::{Column, FileSpec, Separator};
use proptest::prelude::*;

fn comma(target: Column) -> Table {
    let file = FileSpec { path: String::new(), url: None, sha256: None };
    let separator = Separator::Character(',');
    Table { file, separator, header: None, skip: String::new(), missing: None, target: vec![target], columns: vec![] }
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
    // Column d contains words, but is not used.
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
    assert_eq!(
        (dataset.examples.targets, dataset.labels),
        (vec![0.0, 1.0], vec!["-1.0".to_string(), "1.0".to_string()])
    );
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
    let expected = "a.csv, line 3: the row has 1 cell, the rows before it have 2\n\
                    every row needs the same columns; a cell that holds a separator stands in quotes";
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
    assert!(fault(b"a\n1\n", &comma(Column::Index(0))).contains("no column is left for the features"));
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
    std::fs::write(file.path(), "a,b,c\n1,2,3\n4,5,6\n").unwrap();
    assert_eq!(widths(file.path(), &comma(name("b"))).unwrap(), (2, 1, vec![]));
    // The first rows are read as in training, so that `check` reports what training would refuse.
    std::fs::write(file.path(), "a,b,c\n1,2,3\n\"never closed").unwrap();
    assert!(widths(file.path(), &comma(name("b"))).unwrap_err().reason.contains("never closes"));
}

#[test]
fn rows_to_predict_for_may_come_with_or_without_targets() {
    let inputs = |text: &str, table: &Table| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let wanted = Wanted { features: 2, ..Wanted::default() };
        read_inputs(file.path(), table, &wanted).map(|rows| rows.numbers).map_err(|e| e.reason)
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
            let Examples { rows, inputs, targets, .. } = dataset.examples;
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

fn trained(features: &[&str], text: &str, keep: &[&str]) -> Result<crate::InputRows, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (feature_names, target_names, keep) = (names(features), names(&["y"]), names(keep));
    let wanted =
        Wanted { features: features.len(), feature_names: &feature_names, target_names: &target_names, keep: &keep };
    read_inputs(file.path(), &comma(name("y")), &wanted).map_err(|e| e.reason)
}

#[test]
fn columns_to_predict_for_are_found_by_the_names_of_training() {
    for text in ["a,b\n1,2\n", "b,a\n2,1\n", "y,b,a\n9,2,1\n", "id,a,b\n7,1,2\n", "b,a,\n2,1,\n"] {
        assert_eq!(trained(&["a", "b"], text, &[]).unwrap().numbers, [1.0, 2.0], "{text}");
    }
    let missing = "there is no column `a`, which the network was trained on";
    assert_eq!(trained(&["a", "b"], "height,weight\n1,2\n", &[]).unwrap_err(), missing);
    assert_eq!(trained(&["a", "b"], "A,b\n1,2\n", &[]).unwrap_err(), missing);
    let twice = "2 columns are called `a`, and the network was trained on 1";
    assert_eq!(trained(&["a", "b"], "a,b,a\n1,2,3\n", &[]).unwrap_err(), twice);
    assert_eq!(trained(&["a", "a"], "a,b,a\n1,2,3\n", &[]).unwrap().numbers, [1.0, 3.0]);
}

#[test]
fn rows_to_predict_for_know_their_line_and_pass_columns_on() {
    let rows = trained(&["x"], "id,x\nu 1,1\n\nu 2,3\n", &["id"]).unwrap();
    assert_eq!((rows.numbers, rows.lines), (vec![1.0, 3.0], vec![2, 4]));
    assert_eq!(rows.kept, [["u 1"], ["u 2"]]);
    let codes = |rows: &crate::InputRows| rows.notes.iter().map(|note| note.code).collect::<Vec<_>>();
    assert_eq!(rows.notes[0].message, "1 blank line (line 3) between rows was passed over");
    assert_eq!(codes(&trained(&["x"], "id,x\n1,1\n", &[]).unwrap()), ["W0788"]);
    assert_eq!(codes(&trained(&["x"], "1\n2\n", &[]).unwrap()), ["W0789"]);
}

/// Codes of the notes about a table.
fn noted(text: &str, table: &Table, task: Task) -> Vec<&'static str> {
    read_as(text.as_bytes(), table, task).unwrap().notes.iter().map(|note| note.code).collect()
}

#[test]
fn a_first_row_with_a_slip_is_refused_and_not_taken_for_names() {
    let by_position = comma(Column::Index(2));
    for (text, shown) in
        [("-,2.0,3\n1,2,3\n4,5,6\n", "-"), ("1,2o,3\n0,0,0\n1,1,1\n", "2o"), ("1,\u{2212}2,3\n0,0,0\n", "\u{2212}2")]
    {
        let told = fault(text.as_bytes(), &by_position);
        assert!(told.contains(&format!("`{shown}` is not a number, and the line holds 2 numbers")), "{told}");
    }
    let chosen = Table { columns: vec![Column::Index(0), Column::Index(1)], ..comma(Column::Index(2)) };
    assert_eq!(numbers("1,2,3,checked\n4,5,6,\n", &chosen).0, [1.0, 2.0, 4.0, 5.0]);
    assert_eq!(numbers("a,b,c\n1,2,3\n", &by_position).0, [1.0, 2.0]);
}

#[test]
fn lines_around_a_header_are_told() {
    let table = comma(name("y"));
    let units = fault(b"a,y\nkg,m\n1,2\n3,4\n", &table);
    assert_eq!(
        units,
        "a.csv, line 2, column 1: the line below the header holds words (`kg`, `m`): units?\ndelete the line"
    );
    let title = fault(b"Sales 2024,\na,y\n1,2\n", &table);
    assert!(title.starts_with("a.csv, line 1: the line is above the names of the columns: a title?"), "{title}");
    let commented = Table { skip: "#".into(), ..comma(name("y")) };
    for (text, table) in [("# a,y\n1,2\n3,5\n", &commented), ("# a,y\n1,2\n3,5\n", &table)] {
        assert_eq!(numbers(text, table), (vec![1.0, 3.0], vec![2.0, 5.0]));
        assert_eq!(noted(text, table, Task::Regression), ["W0774"]);
    }
}

#[test]
fn line_ends_of_old_and_separators_at_the_end_do_not_matter() {
    let plain = numbers("a,b\n1,2\n3,4\n", &comma(name("b")));
    assert_eq!(numbers("a,b\r1,2\r3,4\r", &comma(name("b"))), plain);
    assert_eq!(numbers("a,b,\n1,2,\n3,4,\n", &comma(name("b"))), plain);
    assert_eq!(noted("a,b,\n1,2,\n3,4,\n", &comma(name("b")), Task::Regression), ["W0772"]);
    assert!(fault(b"a,b,\n1,2,\n3,4,5\n", &comma(name("b"))).contains("a column that has no name"));
    assert!(fault(b"a,b\n1,2,\n", &comma(name("b"))).contains("the row ends in a separator"));
}

#[test]
fn another_separator_is_told_however_the_target_is_named() {
    let stated = Table { header: Some(true), ..comma(name("y")) };
    for table in [comma(name("y")), comma(Column::Index(2)), stated] {
        for (text, written) in
            [("a;b;y\n0;0;0\n", "\";\""), ("a\tb\ty\n0\t0\t0\n", "tab"), ("a;b;y\n0,5;1,5;2\n", "\";\"")]
        {
            let told = fault(text.as_bytes(), &table);
            assert!(told.ends_with(&format!("write `separator = {written}`")), "{told}");
        }
    }
}

#[test]
fn files_of_other_kinds_are_named() {
    assert!(fault(b"\x1f\x8b\x08\0", &comma(name("y"))).starts_with("a.csv: this is a gzip file, no text table"));
    assert!(fault(b"@relation r\n@data\n1,2\n", &comma(name("y"))).starts_with("a.csv: this is an ARFF file"));
}

#[test]
fn a_column_of_words_is_told_with_the_columns_of_numbers() {
    let told = fault(b"color,b,y\nred,0,1\ngreen,1,2\nred,2,2\n", &comma(name("y")));
    let expected = "a.csv, line 2, column 1: column `color` holds 2 different words (`green`, `red`), and a network takes \
                    numbers\nmake one column of 0 and 1 for each word, or leave it out: `columns = [\"b\"]`";
    assert_eq!(told, expected);
    let told = fault(b"x,y\n0,cat\n1,dog\n", &comma(name("y")));
    assert!(told.ends_with("the target `y` holds words (`cat`, `dog`)\nwrite `task = classification`"), "{told}");
}

#[test]
fn numbers_that_may_mean_something_else_are_told() {
    let regression = |text: &str, target| noted(text, &comma(target), Task::Regression);
    assert_eq!(regression("p,y\n998,1\n1.000,2\n1.250,3\n", name("y")), ["W0777"]);
    assert_eq!(regression("p,y\n998,1\n0.125,2\n1.250,3\n", name("y")), Vec::<&str>::new());
    let years = "2019,2020,2021\n5.0,3.0,1.0\n5.1,3.1,1.1\n5.2,3.2,1.2\n5.3,3.3,1.3\n";
    assert_eq!(regression(years, Column::Index(2)), ["W0773"]);
    assert_eq!(regression(",x,y\n0,5,1\n1,3,2\n2,4,5\n3,1,1\n", name("y")), ["W0775"]);
    assert_eq!(regression("3,5,7,25\n1,5,2,75\n2,5,3,25\n", Column::Index(1)), ["W0776"]);
    let help = fault(b"x;y\n1,234;5\n", &Table { separator: Separator::Character(';'), ..comma(name("y")) });
    assert!(help.contains("is it 1234 or 1.234?"), "{help}");
}

fn notes(text: &str, table: &Table, task: Task) -> Vec<(&'static str, String)> {
    let dataset = read_as(text.as_bytes(), table, task).unwrap();
    dataset.notes.into_iter().map(|note| (note.code, note.message)).collect()
}

#[test]
fn what_is_missing_can_be_said_so_that_none_is_a_class() {
    let text = b"grams,topping\n1,None\n2,Olives\n3,NA\n4,None\n";
    let error = read_as(text, &comma(name("topping")), Task::Classification).unwrap_err();
    assert_eq!(error.reason, "the label is missing (`None`)");
    assert!(error.help.unwrap().contains("write `missing = [\"\"]` in `table(...)`"));
    let stated = Table { missing: Some(vec![String::new()]), ..comma(name("topping")) };
    let found = read_as(text, &stated, Task::Classification).unwrap();
    assert_eq!(
        (found.labels, found.examples.targets),
        (["NA", "None", "Olives"].map(String::from).to_vec(), vec![1.0, 2.0, 0.0, 1.0])
    );
    let error = read_as(b"grams,topping\n1,\n", &stated, Task::Classification).unwrap_err();
    assert_eq!(error.reason, "the label is missing");
    let marked = Table { missing: Some(vec!["-999".into()]), ..comma(name("y")) };
    assert!(
        fault(b"x,y\n1,2\n-999,3\n", &marked).starts_with("a.csv, line 3, column 1: the value is missing (`-999`)")
    );
}

#[test]
fn truth_values_are_one_and_zero() {
    let text = "sunny,y\nTRUE,1\nfalse,2\nTrue,3\n";
    assert_eq!(numbers(text, &comma(name("y"))).0, [1.0, 0.0, 1.0]);
    let told = "column `sunny` hold TRUE and FALSE, which are read as 1 and 0".replace("hold", "holds");
    assert_eq!(notes(text, &comma(name("y")), Task::Regression), [("W0791", told)]);
    assert_eq!(numbers("True,1\nFalse,2\n", &comma(Column::Index(1))), (vec![1.0, 0.0], vec![1.0, 2.0]));
    let mixed =
        "column `sunny` holds numbers in some rows, and TRUE or FALSE in others\nwrite 1 for TRUE and 0 for FALSE";
    assert_eq!(fault(b"sunny,y\n1,2\nTRUE,3\n", &comma(name("y"))), format!("a.csv, line 3, column 1: {mixed}"));
    assert_eq!(fault(b"sunny,y\nTRUE,3\n0,2\n", &comma(name("y"))), format!("a.csv, line 3, column 1: {mixed}"));
    assert!(fault(b"x,y\n1,TRUE\n2,FALSE\n", &comma(name("y"))).ends_with("write `task = classification`"));
}

#[test]
fn columns_of_dressed_numbers_are_told_as_such() {
    let told = |cells: [&str; 3]| {
        let rows: String = cells.iter().map(|cell| format!("{cell};7\n")).collect();
        let semicolon = Table { separator: Separator::Character(';'), ..comma(name("y")) };
        let table = if cells[0].ends_with(';') { comma(name("y")) } else { semicolon };
        let text = format!("share;y\n{rows}");
        let text = if cells[0].ends_with(';') { text.replace(";;", ";,").replace("share;", "share,") } else { text };
        fault(text.as_bytes(), &table).replace("a.csv, line 2, column 1: column `share` holds ", "")
    };
    assert_eq!(
        told(["1.5%", "2%", "3%"]),
        "numbers with `%` behind them (`1.5%`)\nwrite the numbers alone: `1.5` for `1.5%`"
    );
    assert_eq!(
        told(["$1,200", "$7", "$8"]),
        "numbers with `$` before them (`$1,200`)\nwrite the numbers alone: `7` for `$7`"
    );
    assert_eq!(
        told(["'4'", "'5'", "'6'"]),
        "numbers with `'` and `'` around them (`'4'`)\nwrite the numbers alone: `4` for `'4'`"
    );
    assert_eq!(told(["4;", "5;", "6;"]), "numbers with `;` behind them (`4;`)\nwrite the numbers alone: `4` for `4;`");
    assert!(told(["2024-01-05", "2024-01-06", "2024-01-07"]).contains("write dates as numbers"));
    assert!(told(["Jan", "Feb", "Jan"]).contains("2 different words (`Feb`, `Jan`)"));
    assert!(told(["red", "red", "red"]).contains("one word (`red`)"));
}

#[test]
fn another_separator_is_seen_in_the_first_rows() {
    let told = |text: &str| fault(text.as_bytes(), &comma(name("y"))).replace("a.csv: the first rows hold ", "");
    assert_eq!(told("a;b;y\n1;2;3\n"), "no `,` and 2 `;` each\nwrite `separator = \";\"`");
    assert_eq!(told("a\tb\ty\n1\t2\t3\n"), "no `,` and 2 tabs each\nwrite `separator = tab`");
    assert_eq!(
        told("  a    b  y\n 1 2   3\n"),
        "no `,` and 3 cells between blanks each\nwrite `separator = whitespace`"
    );
    let decimal = fault(b"1,5;2,5;3,5\n4,5;5,5;6,5\n", &comma(Column::Index(1)));
    let help = "write `separator = \";\"`, and the numbers with a point";
    assert_eq!(decimal, format!("a.csv: the first rows hold 2 `;` each: are the commas decimal commas?\n{help}"));
}

#[test]
fn rows_of_another_length_are_explained() {
    let told = |text: &str, table: &Table| fault(text.as_bytes(), table).replace("a.csv, ", "");
    let comma = comma(name("y"));
    let trailing = "the header ends in a separator, which makes 3 cells, and the row has 2";
    assert!(told("a,y,\n1,2\n3,4\n", &comma).starts_with(&format!("line 2: {trailing}\n")));
    let rows = "line 2: the header names 2 columns, and the rows have 3: names of the rows?\n";
    assert!(told("a,y\n1,2,3\n2,3,4\n", &comma).starts_with(rows));
    assert!(told("a,y\n1,2\n# end\n", &comma).starts_with("line 3: the line begins with `#`\n"));
    assert!(told("a,y\n1,2\n\u{1a}", &comma).starts_with("line 3: the line holds control characters only\n"));
    assert!(told("a,y\n1,2\n,\n", &comma).starts_with("line 3: all cells of the row are empty\n"));
    assert!(
        told("sep=;\na;y\n1;2\n", &Table { separator: Separator::Character(';'), ..comma.clone() })
            .starts_with("line 1: the line tells Excel the separator, and is no row\n")
    );
    let blanks = Table { separator: Separator::Whitespace, ..comma.clone() };
    assert!(told("a\tb\ty\n1\t\t3\n", &blanks).contains("write `separator = tab`"));
    assert_eq!(numbers("a,y,,\n1,2,,\n3,4,,\n", &comma), (vec![1.0, 3.0], vec![2.0, 4.0]));
}

#[test]
fn quotes_between_blanks_hold_blanks() {
    let blanks = Table { separator: Separator::Whitespace, ..comma(name("the y")) };
    assert_eq!(numbers("\"a \"\"b\"\"\"  \"the y\"\n\"1\" 2\n3\t4\n", &blanks), (vec![1.0, 3.0], vec![2.0, 4.0]));
    assert!(fault(b"a \"the y\"\n1 \"2\n", &blanks).starts_with("a.csv, line 2: a quote opens in this row"));
}

#[test]
fn a_column_is_asked_for_once_and_known_by_its_name() {
    let twice = Table { columns: vec![name("a"), Column::Index(0)], ..comma(name("y")) };
    assert_eq!(fault(b"a,y\n1,2\n", &twice), "a.csv: column `a` is asked for twice\nname it once in `columns`");
    let targets = Table { target: vec![name("y"), Column::Index(1)], ..comma(name("y")) };
    assert_eq!(fault(b"a,y\n1,2\n", &targets), "a.csv: column `y` is asked for twice\nname it once in `target`");
    let alike = |header: &str| notes(&format!("{header}\n1,2,3\n5,4,6\n"), &comma(name("y")), Task::Regression);
    let told = "`Y` (column 1) and `y` (column 3) have names that are hard to tell apart".to_string();
    assert_eq!(alike("Y,b,y"), [("W0792", told)]);
    assert_eq!(alike("b,B ,y")[0].0, "W0792");
    assert_eq!(alike("caf\u{e9},cafe\u{301},y")[0].0, "W0792");
    assert_eq!(alike(",,y"), []);
    assert_eq!(alike("\u{a0}a,b\u{200b},y\u{a0}"), []);
}

#[test]
fn columns_that_number_the_rows_are_told_wherever_they_stand() {
    let told = |header: &str, id: &dyn Fn(usize) -> String| {
        let rows: String = (0..12).map(|i| format!("{},{},{}\n", i * i % 7, id(i), i % 5)).collect();
        notes(&format!("{header}\n{rows}"), &comma(name("y")), Task::Regression).pop().map(|(_, message)| message)
    };
    let how = |how: &str| Some(format!("`n` {how}: an index, or a feature?"));
    assert_eq!(told("x,n,y", &|i| i.to_string()), how("counts the rows from 0 on"));
    assert_eq!(told("x,n,y", &|i| (i * 5 % 12 + 1).to_string()), how("holds each number from 1 to 12 once"));
    assert_eq!(told("x,n,y", &|i| (i * 30 + 7).to_string()), None);
    let id = told("x,customer_id,y", &|i| (i * 31 % 97 + 700).to_string());
    assert_eq!(id.as_deref(), Some("`customer_id` holds another whole number in each row: an index, or a feature?"));
}

#[test]
fn marks_for_missing_values_are_told() {
    let rows: String = (0..12).map(|i| format!("{},{}\n", if i % 5 == 0 { -999 } else { i }, i % 3)).collect();
    let told = "column `t` is -999 in 3 of 12 rows, and 1 to 11 in all others".to_string();
    assert_eq!(notes(&format!("t,y\n{rows}"), &comma(name("y")), Task::Regression), [("W0790", told)]);
}

#[test]
fn a_line_above_the_rows_is_never_lost_without_a_word() {
    let told = "1 line that begins with `#` above the first row (line 1) was passed over".to_string();
    assert_eq!(notes("# of 2026\na,y\n1,2\n", &comma(name("y")), Task::Regression), [("W0771", told.clone())]);
    let stated = Table { header: Some(false), ..comma(Column::Index(1)) };
    assert_eq!(notes("# 0,0\n1,2\n", &stated, Task::Regression), [("W0771", told)]);
    let skipped = Table { skip: "#".into(), ..comma(name("y")) };
    assert_eq!(notes("# of 2026\na,y\n1,2\n", &skipped, Task::Regression), []);
    let stated = Table { header: Some(true), ..comma(Column::Index(1)) };
    assert_eq!(notes("1.5,2\n3,4\n", &stated, Task::Regression)[0].0, "W0793");
    assert_eq!(notes("2019,2020\n3,4\n", &stated, Task::Regression), []);
}

#[test]
fn a_look_finds_what_reading_would() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let look = |text: &str| {
        std::fs::write(file.path(), text).unwrap();
        widths(file.path(), &comma(name("y"))).map(|(features, outputs, notes)| (features, outputs, notes.len()))
    };
    assert_eq!(look("a,y\n1,2\n3,4\n").unwrap(), (1, 1, 0));
    assert_eq!(look("Id,a,y\n1,8,2\n2,8,4\n3,1,1\n4,1,0\n").unwrap(), (2, 1, 1));
    let error = look("a,y\n1,cat\n3,dog\n").unwrap_err();
    assert_eq!(
        (error.reason.as_str(), error.help.as_deref()),
        ("the target `y` holds words (`cat`, `dog`)", Some("write `task = classification`"))
    );
    assert!(look("a,y\nred,2\nblue,4\n").unwrap_err().reason.contains("2 different words"));
}

#[test]
fn columns_taken_by_their_order_are_told() {
    let told = |features: &[&str], text: &str| {
        let wanted = trained(features, text, &[]).unwrap();
        wanted.notes.into_iter().map(|note| note.message).collect::<Vec<_>>()
    };
    let order =
        "the file has no header: its columns are taken in the order of training: `a` from column 1, `b` from column 2";
    assert_eq!(told(&["a", "b"], "1,2\n"), [order]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "y,b,a\n9,2,1\n").unwrap();
    let wanted = Wanted { features: 2, ..Wanted::default() };
    let read = read_inputs(file.path(), &comma(Column::Index(2)), &wanted).unwrap();
    let message = "the network was trained on columns without names: taken in the order of training are `y`, `b`";
    assert_eq!((read.numbers, read.notes[0].message.as_str()), (vec![9.0, 2.0], message));
}
