//! Archives, and entries that are refused.

use super::*;
use gmpc_compiler::ir::experiment::{Batches, Normalize};

fn images() -> Images {
    let source = Batches {
        folder: "mine".to_string(),
        train: vec!["one".to_string()],
        test: vec![],
        names: vec!["names".to_string()],
        labels: "labels".to_string(),
        label_bytes: 1,
        first_label: 0,
    };
    let (shape, transform) = (Some([3, 1, 2]), vec![]);
    Images { source: ImageSource::Batches(source), shape, transform, normalize: Normalize::Unit, archive: None }
}

/// A tar.gz of files with arbitrary names, as an attacker could write it.
fn archive(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(packed);
    for (name, kind, bytes) in entries {
        let mut header = tar::Header::new_old();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn unpacked(bytes: &[u8]) -> (tempfile::TempDir, Result<usize, DataError>) {
    let folder = tempfile::tempdir().unwrap();
    let directories = Directories { data: folder.path().join("data"), beside: None };
    let path = folder.path().join("a.tar.gz");
    std::fs::write(&path, bytes).unwrap();
    let written = unpack(&path, &images(), &directories).map(|paths| paths.len());
    (folder, written)
}

#[test]
fn only_the_files_of_the_set_come_out_and_only_into_its_folder() {
    let file = tar::EntryType::Regular;
    let bytes = archive(&[
        ("../../one", file, b"1234567"),
        ("deep/down/names", file, b"a\nb"),
        ("evil.sh", file, b"rm"),
        ("names.link", tar::EntryType::Symlink, b""),
    ]);
    let (folder, written) = unpacked(&bytes);
    assert_eq!(written, Ok(2));
    assert_eq!(std::fs::read(folder.path().join("data/mine/one")).unwrap(), b"1234567");
    let count = |path: &Path| std::fs::read_dir(path).unwrap().count();
    assert_eq!((count(&folder.path().join("data/mine")), count(&folder.path().join("data"))), (2, 1));
}

#[test]
fn a_link_a_second_file_of_the_name_and_a_cut_archive_are_refused() {
    let (file, link) = (tar::EntryType::Regular, tar::EntryType::Symlink);
    let missing = unpacked(&archive(&[("one", link, b"")])).1.unwrap_err();
    assert_eq!((missing.code, missing.reason.as_str()), ("E0753", "there is no `one` in it"));
    let twice = unpacked(&archive(&[("a/one", file, b"1"), ("b/one", file, b"2")])).1.unwrap_err();
    assert!(twice.reason.contains("appears twice"), "{twice}");
    let bytes = archive(&[("one", file, &[7; 5000])]);
    assert!(unpacked(&bytes[..bytes.len() / 2]).1.is_err());
    assert!(unpacked(b"no archive").1.is_err());
}
