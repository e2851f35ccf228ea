//! IDX files: complete ones, and headers and sizes that are wrong.

use super::*;
use proptest::prelude::*;
use std::io::Write;

/// Two grey images of 2x3 pixels, and their labels.
fn images() -> Vec<u8> {
    let sizes = [0x0803u32, 2, 2, 3].iter().flat_map(|n| n.to_be_bytes());
    sizes.chain(0..12).collect()
}

fn labels() -> Vec<u8> {
    [0x0801u32, 2].iter().flat_map(|n| n.to_be_bytes()).chain([1, 0]).collect()
}

fn set(images: &[u8], labels: &[u8]) -> Result<ImageSet, DataError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("digits")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(images).unwrap();
    std::fs::write(folder.path().join("digits/x.gz"), packed.finish().unwrap()).unwrap();
    std::fs::write(folder.path().join("digits/y"), labels).unwrap();
    let directories = Directories { data: folder.path().to_path_buf(), beside: None };
    let train = ["x", "y"].map(String::from);
    let source = Idx { folder: "digits".to_string(), train, test: None, names: vec![], transpose: false };
    read(&source, [2, 3, 1], None, "digits", &directories)
}

#[test]
fn images_and_labels_come_packed_or_plain() {
    let set = set(&images(), &labels()).unwrap();
    let pixels: Vec<u8> = (0..12).collect();
    assert_eq!(*set.store, Store::Kept { shape: [2, 3, 1], pixels: std::sync::Arc::new(pixels) });
    assert_eq!((set.labels, set.train, set.names), (vec![1, 0], 2, vec!["0".to_string(), "1".to_string()]));
}

#[test]
fn what_lies_behind_the_promise_of_a_header_is_not_unpacked() {
    let mut long = images();
    long.resize(64 << 20, 0);
    let error = set(&long, &labels()).unwrap_err();
    assert!(error.reason.contains("it continues after the 28 bytes that its header announces"), "{error}");
}

#[test]
fn files_of_columns_are_turned_into_rows() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x"), images()).unwrap();
    std::fs::write(folder.path().join("y"), labels()).unwrap();
    let directories = Directories { data: folder.path().to_path_buf(), beside: None };
    let train = ["x", "y"].map(String::from);
    let source = Idx { folder: ".".to_string(), train, test: None, names: vec![], transpose: true };
    let set = read(&source, [3, 2, 1], None, "digits", &directories).unwrap();
    let pixels = vec![0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11];
    assert_eq!(*set.store, Store::Kept { shape: [3, 2, 1], pixels: std::sync::Arc::new(pixels) });
}

#[test]
fn a_part_of_a_set_keeps_the_classes_that_are_declared() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x"), images()).unwrap();
    std::fs::write(folder.path().join("y"), labels()).unwrap();
    let directories = Directories { data: folder.path().to_path_buf(), beside: None };
    let source = Idx {
        folder: ".".to_string(),
        train: ["x", "y"].map(String::from),
        test: None,
        names: vec![],
        transpose: false,
    };
    let count = |declared| read(&source, [2, 3, 1], declared, "digits", &directories).unwrap().names.len();
    assert_eq!([None, Some(10), Some(1)].map(count), [2, 10, 2]);
    assert!(read(&source, [2, 3, 3], None, "digits", &directories).unwrap_err().help.unwrap().contains("[1, 2, 3]"));
}

#[test]
fn what_lies_in_the_place_of_the_data_is_called_by_its_name() {
    for (bytes, kind) in [
        (&b"version https://git-lfs.github.com"[..], "Git LFS"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
    ] {
        assert!(set(bytes, &labels()).unwrap_err().reason.contains(kind), "{kind}");
    }
}

#[test]
fn a_header_that_lies_is_told() {
    let changed = |place: usize, value: u8| {
        let mut bytes = images();
        bytes[place] = value;
        set(&bytes, &labels()).unwrap_err()
    };
    assert_eq!(changed(2, 9).reason, "it begins with 0x00000903, not 0x00000803");
    let swapped = set(&labels(), &images()).unwrap_err();
    assert!(swapped.help.as_deref().is_some_and(|help| help.contains("swapped")), "{swapped}");
    assert!(changed(7, 3).reason.contains("announces 3 examples"), "{}", changed(7, 3));
    assert!(changed(4, 0xFF).reason.contains("announces 4278190082 examples"), "{}", changed(4, 0xFF));
    assert_eq!(changed(15, 28).reason, "its images are [2, 28], not [2, 3]");
    let cut = set(&images()[..20], &labels()).unwrap_err();
    assert!(cut.code == "E0753" && cut.file.ends_with("x.gz") && cut.exit_code() == 3, "{cut}");
    let one = [0x0801u32, 1].iter().flat_map(|n| n.to_be_bytes()).chain([1]).collect::<Vec<u8>>();
    assert!(set(&images(), &one).unwrap_err().reason.starts_with("there are 1 labels, and 2 images"));
}

proptest! {
    #[test]
    fn no_change_of_a_file_makes_the_reader_panic(place in 0usize..28, byte: u8, cut in 0usize..28) {
        let mut bytes = images();
        let _ = set(&bytes[..cut], &labels());
        bytes[place] = byte;
        let _ = set(&bytes, &labels());
        let mut classes = labels();
        classes[place % 10] = byte;
        let _ = set(&images(), &classes);
    }
}
