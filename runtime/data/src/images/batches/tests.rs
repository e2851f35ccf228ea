//! Batch files in all formats, and images that are prepared in advance: they equal those that are prepared immediately,
//! with any number of workers.

use super::*;
use crate::images::pickle::tests::sample;
use proptest::prelude::*;
use std::io::Write;

/// A set in `cifar` with images of one row and three columns.
fn source(train: &str) -> Batches {
    Batches {
        folder: "cifar".to_string(),
        train: vec![train.to_string()],
        test: vec![],
        names: vec!["names".to_string()],
        labels: "labels".to_string(),
        label_bytes: 1,
        first_label: 0,
    }
}

/// A data directory with one file in `cifar/inner`.
fn with_file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, Directories) {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("cifar/inner");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::write(inner.join(name), bytes).unwrap();
    let directories = Directories { data: folder.path().to_path_buf(), beside: None };
    (folder, directories)
}

fn pixels(set: &ImageSet) -> &[u8] {
    match &*set.store {
        Store::Kept { pixels, .. } => pixels,
        Store::Files { .. } => &[],
    }
}

fn packed(ending: &str, bytes: &[u8]) -> Vec<u8> {
    match ending {
        "gz" => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        }
        "xz" if bytes == BINARY => BINARY_XZ.to_vec(),
        "xz" => ZEROS_XZ.to_vec(),
        _ => bytes.to_vec(),
    }
}

/// Two images of 1x2 pixels in CIFAR's binary layout.
const BINARY: &[u8] = &[1, 10, 11, 20, 21, 30, 31, 0, 40, 41, 50, 51, 60, 61];

/// The same, as `xz -1` packs it.
const BINARY_XZ: &[u8] =
    b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x10\x00\x00\x00\xa8\x70\x8e\x86\x01\x00\x0d\x01\
    \x0a\x0b\x14\x15\x1e\x1f\x00\x28\x29\x32\x33\x3c\x3d\x00\x00\x00\x46\xac\xae\x56\x9a\x90\xb4\xec\x00\x01\x26\x0e\
    \x08\x1b\xe0\x04\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";

/// 2^20 zeros, as `xz -9` packs them.
const ZEROS_XZ: &[u8] =
    b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x1c\x00\x00\x00\x10\xcf\x58\xcc\xef\xff\xff\x00\
    \xd9\x5d\x00\x00\x6f\xfd\xff\xff\xa3\xb7\xff\x47\x3e\x48\x15\x72\x39\x61\x51\xb8\x92\x28\xe6\xa3\x86\x07\xf9\xee\
    \xe4\x1e\x82\xd3\x2f\xc5\x3a\x3c\x01\x4b\xb1\x7e\xc9\x8a\x8a\x4d\x2f\xa3\x0d\xd9\x7f\xa6\xe3\x8c\x23\x11\x53\xe0\
    \x59\x18\xc5\x75\x8a\xe2\x77\xf8\xb6\x94\x7f\x0c\x6a\xc0\xde\x74\x49\x64\xe2\xe9\x5c\x53\xb2\x04\xd8\xf7\x44\x0c\
    \xab\x5f\x0d\x6d\x46\xe9\xe5\xc3\x76\x88\xb7\x96\x57\xac\xb6\x4d\xe1\x69\x1d\x6f\xfb\x4b\x88\x10\x6c\x42\xcb\x88\
    \x3f\x5c\x00\x8f\xd0\x4e\xaf\x26\x28\x94\x71\x1f\x3d\x8f\x24\xe1\x70\x9e\xa7\x23\x5f\xec\x28\xcb\x85\xd1\x95\x98\
    \x8a\x7e\x2a\x91\xf2\x27\x75\xf7\x19\xc0\x06\x98\x4d\x98\xfd\xd8\xaf\xd5\x90\x0f\xc4\x25\x53\xf8\xf5\x91\x36\x31\
    \x05\xa5\xb0\xee\x6f\xc1\x70\x4d\x47\x0c\xd1\x91\x11\xaa\xad\x60\x1d\xba\xce\xb1\x27\x18\x5c\x59\x86\xe9\x66\x52\
    \x58\xbe\xe9\x76\xac\x59\xe4\xe5\x5b\x05\x08\xf9\xc7\xda\xad\xfc\xfb\x52\x2a\xf7\xe4\x95\x25\x00\x00\x00\x00\x00\
    \xc2\xf6\xba\x3e\xa2\x70\x6b\x60\x00\x01\xf5\x01\x80\x80\x40\x00\x79\x97\x7f\x47\xb1\xc4\x67\xfb\x02\x00\x00\x00\
    \x00\x04\x59\x5a";

#[test]
fn binary_batches_become_rows_of_pixels_of_channels_however_they_are_packed() {
    for ending in ["", "gz", "xz"] {
        let name = if ending.is_empty() { "one.bin".to_string() } else { format!("one.bin.{ending}") };
        let (_folder, directories) = with_file(&name, &packed(ending, BINARY));
        let set = read(&source("one"), [1, 2, 3], Some(2), "mine", &directories).unwrap();
        assert_eq!(pixels(&set), [10, 20, 30, 11, 21, 31, 40, 50, 60, 41, 51, 61], "{ending}");
        assert_eq!((set.labels, set.train, set.names), (vec![1, 0], 2, vec!["0".to_string(), "1".to_string()]));
    }
}

#[test]
fn a_pickled_batch_gives_the_same_and_names_classes_where_there_is_a_file_of_names() {
    let (folder, directories) = with_file("one", &sample());
    std::fs::write(folder.path().join("cifar/names.txt"), "eins\nzwei\n\n").unwrap();
    let wrong = read(&source("one"), [1, 3, 1], Some(2), "mine", &directories).unwrap_err();
    assert_eq!((wrong.code, wrong.reason.as_str()), ("E0757", "image 0 has the label 7; labels are 0 to 1"));
    let from_seven = Batches { first_label: 7, ..source("one") };
    let error = read(&from_seven, [1, 3, 1], Some(2), "mine", &directories).unwrap_err();
    assert_eq!(error.reason, "image 1 has the label 300; labels are 7 to 8");
    let all = read(&Batches { names: vec![], ..from_seven }, [1, 3, 1], Some(294), "mine", &directories).unwrap();
    assert_eq!((pixels(&all), all.labels.as_slice()), (&b"abcdef"[..], &[0, 293][..]));
}

fn array<T: npyz::AutoSerialize + Copy>(shape: &[u64], numbers: &[T]) -> Vec<u8> {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes);
    let mut writer = options.begin_nd().unwrap();
    writer.extend(numbers.iter()).unwrap();
    writer.finish().unwrap();
    bytes
}

fn archive(data: Vec<u8>, labels: Vec<u8>) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let plain = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [("data.npy", data), ("labels.npy", labels)] {
        zip.start_file(name, plain).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn the_order_of_axes_is_read_from_the_shape_or_refused() {
    let numbers: Vec<u8> = (0..12).collect();
    let told = |shape: &[u64]| {
        let (_folder, directories) = with_file("one.npz", &archive(array(shape, &numbers), array(&[2], &[0u8, 1])));
        read(&source("one"), [1, 2, 3], None, "mine", &directories).map(|_| ()).map_err(|e| (e.reason, e.help.unwrap()))
    };
    assert!(told(&[2, 3, 1, 2]).is_ok() && told(&[2, 6]).is_ok());
    let (reason, help) = told(&[2, 1, 2, 3]).unwrap_err();
    assert!(reason.contains("[2, 1, 2, 3], and 2 labels need [2, 3, 1, 2]") && help.contains("transpose(0, 3, 1, 2)"));
    assert!(told(&[2, 3, 2, 1]).unwrap_err().1.contains("shape = [3, 2, 1]"));
    assert!(told(&[1, 12]).unwrap_err().1.contains("labels.argmax(1)"));
}

#[test]
fn a_label_that_is_no_whole_number_is_named() {
    for (labels, shown) in [([0.0, 0.5], "0.5"), ([0.0, -0.5], "-0.5"), ([0.0, 0.999_999_99], "0.99999999")] {
        let (_folder, directories) = with_file("one.npz", &archive(array(&[2, 6], &[0u8; 12]), array(&[2], &labels)));
        let error = read(&source("one"), [1, 2, 3], None, "mine", &directories).unwrap_err();
        assert_eq!(error.code, "E0757");
        assert!(error.reason.contains(&format!("image 1 has the label {shown}, which is no whole number")), "{error}");
    }
}

#[test]
fn labels_far_beyond_the_images_are_named_before_memory_is_asked_for() {
    let labels = [[0i64, 4_000_000_000], [0, i64::MAX], [i64::MIN, 70_000]];
    for labels in labels {
        let bytes = sample_with(labels);
        let (_folder, directories) = with_file("one.npz", &bytes);
        let error = read(&source("one"), [1, 2, 3], None, "mine", &directories).unwrap_err();
        assert!(error.code == "E0757" && error.help.is_some(), "{error}");
    }
    let (_folder, directories) = with_file("one.npz", &sample_with([0, 1]));
    let error = read(&source("one"), [1, 2, 3], Some(3_000_000_000), "mine", &directories).unwrap_err();
    assert_eq!(error.code, "E0758");
}

fn sample_with(labels: [i64; 2]) -> Vec<u8> {
    archive(array(&[2, 6], &[0u8; 12]), array(&[2], &labels))
}

#[test]
fn a_packed_file_that_unpacks_to_what_no_images_do_is_refused_early() {
    let (folder, _) = with_file("zeros.gz", &packed("gz", &vec![0; 80 << 20]));
    let error = open::read(&folder.path().join("cifar/inner/zeros.gz"), 1 << 40).unwrap_err();
    assert!(error.reason.contains("unpack to more than 67108864"), "{error}");
}

#[test]
fn archives_of_arrays_are_read_too() {
    let bytes = archive(array(&[2, 6], &(0..12).collect::<Vec<u8>>()), array(&[2], &[1u8, 2]));
    let (_folder, directories) = with_file("one.npz", &bytes);
    let set = read(&Batches { first_label: 1, ..source("one") }, [1, 2, 3], None, "mine", &directories).unwrap();
    assert_eq!((pixels(&set), set.labels.as_slice()), (&[0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11][..], &[0, 1][..]));
    let (_folder, directories) = with_file("one.npz", &bytes[..bytes.len() / 2]);
    assert_eq!(read(&source("one"), [1, 2, 3], None, "mine", &directories).unwrap_err().code, "E0753");
}

#[test]
fn a_file_that_is_missing_cut_off_or_far_too_large_is_named_with_the_reason() {
    let told = |name: &str, bytes: &[u8]| {
        let (_folder, directories) = with_file(name, bytes);
        let error = read(&source("one"), [1, 2, 3], Some(2), "mine", &directories).unwrap_err();
        assert!(error.help.is_some() && error.exit_code() == 3);
        (error.code, error.to_string())
    };
    let (code, text) = told("two.bin", BINARY);
    assert!(code == "E0750" && text.contains("there is no `one`"), "{text}");
    let (code, text) = told("one.bin", &BINARY[..10]);
    assert!(
        code == "E0753" && text.contains("one.bin: 10 bytes are not a whole number of records of 7 bytes"),
        "{text}"
    );
    let (code, text) = told("one.xz", &packed("xz", BINARY)[..30]);
    assert!(code == "E0753" && text.contains("one.xz: cannot be decompressed"), "{text}");
    let (code, text) = told("one", b"cos\nsystem\n(S'x'\ntR.");
    // Its first byte is not that of a pickle, so it is read as a binary batch and refused.
    assert!(code == "E0753" && text.contains("not a whole number of records"), "{text}");
    let (code, text) = told("one", b"\x80\x02cos\nsystem\n(S'x'\ntR.");
    assert!(code == "E0764" && text.contains("it names `os.system`, which is not allowed"), "{text}");
}

#[test]
fn a_compressed_file_never_grows_beyond_what_its_format_allows() {
    let folder = tempfile::tempdir().unwrap();
    for ending in ["gz", "xz"] {
        let path = folder.path().join(format!("bomb.{ending}"));
        std::fs::write(&path, packed(ending, &vec![0; 1 << 20])).unwrap();
        let error = open::read(&path, 1000).unwrap_err();
        assert_eq!(error.reason, "it is larger than 1000 bytes, which no file of this kind is");
        assert_eq!(open::read(&path, 1 << 20).unwrap().len(), 1 << 20);
    }
}

#[test]
fn a_dictionary_of_gigabytes_is_not_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xz");
    let mut bytes = BINARY_XZ.to_vec();
    let place = bytes.windows(2).position(|pair| pair == [0x21, 1]).unwrap();
    bytes[place + 2] = 39; // 3 GiB
    std::fs::write(&path, &bytes).unwrap();
    let error = open::read(&path, 1000).unwrap_err();
    assert!(error.code == "E0753" && error.reason.contains("a dictionary of more than"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_change_of_a_small_file_makes_a_reader_panic(which in 0usize..4, cut in 0usize..400, place: usize, byte: u8) {
        let (name, bytes) = match which {
            0 => ("one.bin", BINARY.to_vec()),
            1 => ("one.bin.gz", packed("gz", BINARY)),
            2 => ("one.bin.xz", packed("xz", BINARY)),
            _ => ("one", sample()),
        };
        let mut changed = bytes.clone();
        let place = place % changed.len();
        changed[place] = byte;
        for bytes in [&changed[..], &bytes[..cut.min(bytes.len())]] {
            let (_folder, directories) = with_file(name, bytes);
            let _ = read(&source("one"), [1, 2, 3], None, "mine", &directories);
        }
    }
}
