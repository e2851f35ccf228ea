//! Imported files and their declarations.

use super::*;

fn imported(file: &str, content: &[u8], name: &str) -> (tempfile::TempDir, Result<Imported, DataError>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    std::fs::write(&path, content).unwrap();
    let directories = Directories { data: folder.path().join("data"), beside: None };
    let result = import(&path, name, &directories);
    (folder, result)
}

#[test]
fn a_table_is_copied_and_declared() {
    let (folder, result) = imported("c.csv", b"minutes;\"the \"\"warmth\"\"\"\n1;80\n2;75\n", "mine.coffee");
    let result = result.unwrap();
    assert_eq!(result.files, [folder.path().join("data/mine/coffee/data.csv")]);
    assert_eq!(std::fs::read(&result.files[0]).unwrap(), std::fs::read(folder.path().join("c.csv")).unwrap());
    insta::assert_snapshot!(result.declaration, @r#"
    /// What it is, where it comes from, its licence.
    dataset mine.coffee {
        file        = table("mine/coffee/data.csv", separator = ";")
        target      = "the \"warmth\""    // the last column; every other one is a feature
        features    = 1
        task        = regression
        split       = random(train = 0.8)
        standardize = features
    }
    "#);
}

#[test]
fn words_in_the_last_column_are_classes() {
    let (_folder, result) = imported("iris.txt", b"1 2 setosa\n3 4 virginica\n5 6 setosa\n", "iris");
    insta::assert_snapshot!(result.unwrap().declaration, @r#"
    /// What it is, where it comes from, its licence.
    dataset iris {
        file        = table("iris/data.txt", separator = whitespace)
        target      = 2    // the last column; every other one is a feature
        features    = 2
        task        = classification
        classes     = 2
        split       = random(train = 0.8)
        standardize = features
    }
    "#);
}

#[test]
fn a_matrix_is_cut_before_its_last_column() {
    let mut bytes = vec![];
    numpy::write_npy(&mut bytes, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3).unwrap();
    let (_folder, result) = imported("m.npy", &bytes, "m");
    let result = result.unwrap();
    assert_eq!(numpy::open(&result.files[0], None).unwrap().data, [1.0, 2.0, 4.0, 5.0]);
    assert_eq!(numpy::open(&result.files[1], None).unwrap().data, [3.0, 6.0]);
    insta::assert_snapshot!(result.declaration, @r#"
    /// What it is, where it comes from, its licence.
    dataset m {
        file        = npy(inputs = "m/x.npy", targets = "m/y.npy")
        features    = 2
        task        = regression
        split       = random(train = 0.8)
        standardize = features
    }
    "#);
}

#[test]
fn what_is_imported_can_be_parsed() {
    let (_folder, result) = imported("c.csv", b"a,\"b \\\\ \"\"c\"\"\"\n1,2\n", "a.b");
    let (ast, errors) = gmpc_grammar::read(&result.unwrap().declaration, gmpc_grammar::source::SourceId(0));
    assert_eq!((ast.items.len(), errors), (1, vec![]));
}

#[test]
fn wrong_names_and_data_are_refused_before_anything_is_written() {
    for name in ["", "a b", "../a", "a..b", "1a", "a/b"] {
        let (folder, result) = imported("a.csv", b"1,2\n", name);
        assert_eq!(result.unwrap_err().code, "E0763", "{name:?}");
        assert!(!folder.path().join("data").exists());
    }
    let (folder, result) = imported("a.csv", b"x,y\n1,2\n3\n", "a");
    assert_eq!(result.unwrap_err().line, Some(3));
    assert!(!folder.path().join("data").exists());
}

#[test]
fn nothing_is_written_over() {
    let (folder, result) = imported("a.csv", b"1,2\n", "a");
    result.unwrap();
    let directories = Directories { data: folder.path().join("data"), beside: None };
    let error = import(&folder.path().join("a.csv"), "a", &directories).unwrap_err();
    assert_eq!(error.reason, "there is already a data set with this name");
}
