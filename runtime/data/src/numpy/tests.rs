//! Arrays as NumPy writes them, wrong headers, malicious archives, arbitrary bytes.

use super::*;
use proptest::prelude::*;
use std::io::{Cursor, Seek, SeekFrom};

fn member(input: impl Read + Seek, key: &str, name: &str) -> Result<Array, DataError> {
    with_member(input, key, name, |member, size| read_array(member, size, &format!("{name} ({key})")))
}

/// An NPY file with this header dictionary and these bytes.
fn npy(dictionary: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(dictionary.len()).unwrap().to_le_bytes());
    bytes.extend(dictionary.as_bytes());
    bytes.extend(data);
    bytes
}

fn plain(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    npy(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"), data)
}

fn read_bytes(bytes: &[u8]) -> Result<Array, DataError> {
    read_array(bytes, bytes.len() as u64, "x.npy")
}

fn fault(bytes: &[u8]) -> String {
    read_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn reads_what_npyz_writes() {
    use npyz::WriterBuilder;
    let numbers: Vec<f64> = (0..24).map(|i| f64::from(i) * 0.5 - 3.0).collect();
    for order in [npyz::Order::C, npyz::Order::Fortran] {
        let mut bytes = vec![];
        let options = npyz::WriteOptions::new().default_dtype().shape(&[2, 3, 4]).order(order);
        let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
        writer.extend(numbers.iter()).unwrap();
        writer.finish().unwrap();
        let array = read_bytes(&bytes).unwrap();
        assert_eq!((array.shape.as_slice(), array.width()), ([2, 3, 4].as_slice(), 12));
        if order == npyz::Order::C {
            assert_eq!(array.data, numbers);
        } else {
            // Element [1, 2, 3] is the last one in both orders; [1, 0, 0] is the second in column-major order.
            assert_eq!((array.data[23], array.data[12], array.data[1]), (numbers[23], numbers[1], numbers[6]));
        }
    }
}

#[test]
fn reads_every_type_of_number_in_both_byte_orders() {
    assert_eq!(read_bytes(&plain("|b1", "(3,)", &[0, 1, 2])).unwrap().data, [0.0, 1.0, 1.0]);
    assert_eq!(read_bytes(&plain("|i1", "(2,)", &[0xff, 5])).unwrap().data, [-1.0, 5.0]);
    assert_eq!(read_bytes(&plain("|u1", "(2,)", &[0xff, 5])).unwrap().data, [255.0, 5.0]);
    assert_eq!(read_bytes(&plain("<i2", "(1,)", &(-300i16).to_le_bytes())).unwrap().data, [-300.0]);
    assert_eq!(read_bytes(&plain(">u2", "(1,)", &40_000u16.to_be_bytes())).unwrap().data, [40_000.0]);
    assert_eq!(read_bytes(&plain("<i4", "(1,)", &(-70_000i32).to_le_bytes())).unwrap().data, [-70_000.0]);
    assert_eq!(read_bytes(&plain(">u4", "(1,)", &u32::MAX.to_be_bytes())).unwrap().data, [4_294_967_295.0]);
    assert_eq!(read_bytes(&plain("<i8", "(1,)", &(-(1i64 << 40)).to_le_bytes())).unwrap().data, [-1_099_511_627_776.0]);
    assert_eq!(read_bytes(&plain(">u8", "(1,)", &7u64.to_be_bytes())).unwrap().data, [7.0]);
    assert_eq!(read_bytes(&plain("<f4", "(1,)", &1.5f32.to_le_bytes())).unwrap().data, [1.5]);
    assert_eq!(read_bytes(&plain(">f8", "(1,)", &(-0.1f64).to_be_bytes())).unwrap().data, [-0.1]);
    assert_eq!(read_bytes(&plain("<f8", "()", &2.0f64.to_le_bytes())).unwrap().shape, [1]);
}

#[test]
fn a_header_is_not_believed_beyond_the_files_size() {
    let error = fault(&plain("<f8", "(1000000000, 100)", &[0; 16]));
    assert_eq!(error, "x.npy: the header promises 800000000000 bytes of numbers, the file has 16");
    let error = fault(&plain("<f8", "(4294967296, 4294967296)", &[]));
    assert_eq!(error, "x.npy: shape (4294967296, 4294967296) is too large");
    let error = fault(&plain("<f8", "(0, 99999999999999)", &[]));
    assert_eq!(error, "x.npy: shape (0, 99999999999999) is too large");
    let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
    bytes.extend(u32::MAX.to_le_bytes());
    assert_eq!(fault(&bytes), "x.npy: a header of 4294967295 bytes is too long");
}

#[test]
fn what_is_no_array_of_numbers_is_told() {
    assert_eq!(fault(b"PK"), "x.npy: this is no NPY file: it does not begin as one");
    assert_eq!(fault(b"a,b,c\n1,2,3\n"), "x.npy: this is a text, no NumPy array");
    assert_eq!(
        fault(b"version https://git-lfs.github.com/spec/v1\n"),
        "x.npy: this is a Git LFS pointer, not the file it stands for, no NumPy array"
    );
    assert_eq!(
        fault(b"<!DOCTYPE html><html>"),
        "x.npy: this is an HTML page, as a failed download leaves, no NumPy array"
    );
    assert_eq!(fault(b"\x1f\x8b\x08\0\0\0\0\0\0\x03"), "x.npy: this is a gzip file, no NumPy array");
    assert_eq!(fault(b"\x80\x04\x95\0\0\0\0\0\0\0"), "x.npy: this is a Python pickle, no NumPy array");
    assert_eq!(
        fault(&plain("|O", "(1,)", b"cos\nsystem")),
        "x.npy: it holds Python objects (a pickle), which are never read"
    );
    assert!(fault(&plain("<U3", "(1,)", &[0; 12])).contains("it holds texts"));
    assert!(fault(&plain("<c8", "(1,)", &[0; 8])).contains("it holds complex numbers (`<c8`)"));
    assert!(fault(&plain("<M8[D]", "(1,)", &[0; 8])).contains("it holds dates or times (`<M8[D]`)"));
    let records = npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }", &[0; 8]);
    assert!(fault(&records).contains("records of several fields"));
    assert_eq!(fault(&plain("<f8", "(-1,)", &[])), "x.npy: `(-1,)` is no shape");
    let nan = [1.0, 2.0, 3.0, f64::NAN].map(f64::to_le_bytes).concat();
    assert_eq!(fault(&plain("<f8", "(2, 2)", &nan)), "x.npy: row 1, column 1 (from 0) is NaN");
}

#[test]
fn bytes_behind_the_numbers_are_refused() {
    let mut two = plain("<f8", "(1,)", &1.0f64.to_le_bytes());
    two.extend(plain("<f8", "(1,)", &2.0f64.to_le_bytes()));
    assert_eq!(fault(&two), "x.npy: more bytes follow behind the numbers that the header promises");
    let archive = npz(&[("x.npy", two)]);
    assert!(member(Cursor::new(&archive), "x", "a.npz").unwrap_err().reason.starts_with("more bytes follow"));
}

#[test]
fn a_damaged_bit_of_an_archive_is_found_by_its_checksum() {
    let numbers: Vec<u8> = (0..400).map(f64::from).flat_map(f64::to_le_bytes).collect();
    let mut writer = zip::ZipWriter::new(Cursor::new(vec![]));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for name in ["x.npy", "data.npy"] {
        writer.start_file(name, stored).unwrap();
        let array = if name == "x.npy" { plain("<f8", "(400,)", &numbers) } else { plain("|u1", "(3200,)", &numbers) };
        std::io::Write::write_all(&mut writer, &array).unwrap();
    }
    let sound = writer.finish().unwrap().into_inner();
    assert_eq!(member(Cursor::new(&sound), "x", "a.npz").unwrap().data.len(), 400);
    assert_eq!(bytes_member(Cursor::new(&sound), "data", "a.npz").unwrap().1, numbers);
    let mut damaged = sound.clone();
    for start in sound.windows(6).enumerate().filter(|(_, window)| *window == b"\x93NUMPY").map(|(at, _)| at) {
        damaged[start + 1000] ^= 4;
    }
    let told = member(Cursor::new(&damaged), "x", "a.npz").unwrap_err().reason;
    assert!(told.starts_with("cannot be read or unpacked"), "{told}");
    let told = bytes_member(Cursor::new(&damaged), "data", "a.npz").unwrap_err().reason;
    assert!(told.starts_with("cannot be read or unpacked"), "{told}");
}

#[test]
fn labels_are_whole_and_exact() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let x = put("x.npy", &plain("<f2", "(4, 1)", &[0x3C00u16, 0x4000, 0x4200, 0xC100].map(u16::to_le_bytes).concat()));
    let arrays = |targets: &Path| Arrays {
        inputs: file_spec(&x),
        inputs_key: None,
        targets: file_spec(targets),
        targets_key: None,
    };
    let read = |y: &Path| super::read(&x, y, &arrays(y), Task::Classification, None);
    let twins = [1u64 << 63, (1 << 63) + 1, 5, 5].map(u64::to_le_bytes).concat();
    let found = read(&put("twins.npy", &plain("<u8", "(4,)", &twins))).unwrap();
    assert_eq!(found.labels, ["5", "9223372036854775808", "9223372036854775809"]);
    assert_eq!(found.examples.inputs, [1.0, 2.0, 3.0, -2.5]);
    let halves = [0.0f32, 0.5, 1.0, 1.0].map(f32::to_le_bytes).concat();
    let error = read(&put("halves.npy", &plain("<f4", "(4,)", &halves))).unwrap_err();
    assert_eq!(
        (error.code, error.reason.as_str()),
        ("E0757", "row 1 (from 0) has the label 0.5, which is no whole number")
    );
    let floats = [0.0f32, 1.0, -0.0, 1.0].map(f32::to_le_bytes).concat();
    assert_eq!(read(&put("floats.npy", &plain("<f4", "(4,)", &floats))).unwrap().labels, ["0", "1"]);
    let truth = read(&put("truth.npy", &plain("|b1", "(4,)", &[1, 0, 0, 1]))).unwrap();
    assert_eq!((truth.labels, truth.examples.targets), (vec!["0".into(), "1".into()], vec![1.0, 0.0, 0.0, 1.0]));
}

#[test]
fn arrays_are_looked_at_as_tables_are() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, numbers: &[f64], width: usize| {
        let path = folder.path().join(name);
        write_npy(File::create(&path).unwrap(), numbers, width).unwrap();
        path
    };
    let mut numbers: Vec<f64> = (0..40).map(f64::from).collect();
    (numbers[7], numbers[9]) = (-999.0, -999.0);
    let (x, y) = (write("x.npy", &numbers, 2), write("y.npy", &[5.0; 20], 1));
    let arrays = Arrays { inputs: file_spec(&x), inputs_key: None, targets: file_spec(&y), targets_key: None };
    let notes = super::read(&x, &y, &arrays, Task::Regression, None).unwrap().notes;
    let told: Vec<_> = notes.iter().map(|note| (note.code, note.message.as_str())).collect();
    let constant = "the target is 5 in every row; the features of the first row are read as 2 numbers: 0 | 1";
    assert_eq!(told, [("W0776", constant), ("W0790", "feature 2 is -999 in 2 of 20 rows, and 1 to 39 in all others")]);
}

fn file_spec(path: &Path) -> gmpc_compiler::ir::experiment::FileSpec {
    gmpc_compiler::ir::experiment::FileSpec { path: path.display().to_string(), url: None, sha256: None }
}

#[test]
fn what_is_written_is_read_back() {
    let data: Vec<f64> = (0..600).map(f64::from).collect();
    let mut bytes = vec![];
    write_npy(&mut bytes, &data, 6).unwrap();
    assert_eq!((bytes.len() - 600 * 8) % 64, 0);
    assert_eq!(read_bytes(&bytes).unwrap(), Array { shape: vec![100, 6], data });
    assert!(write_npy(vec![], &[1.0, 2.0, 3.0], 2).is_err());
}

/// An archive of these members.
fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut writer, bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn members_of_an_archive_are_read_by_name() {
    let bytes =
        npz(&[("x_train.npy", plain("<f8", "(1, 1)", &4.0f64.to_le_bytes())), ("y.npy", plain("|u1", "(1,)", &[3]))]);
    assert_eq!(member(Cursor::new(&bytes), "x_train", "a.npz").unwrap().data, [4.0]);
    let error = member(Cursor::new(&bytes), "x_tran", "a.npz").unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.help.as_deref()),
        ("a.npz: there is no array `x_tran` in the archive", Some("did you mean `x_train`?"))
    );
}

#[test]
fn an_archive_made_to_fill_the_memory_is_refused() {
    let bytes = npz(&[("x.npy", vec![0; 20 << 20])]);
    assert!(bytes.len() < 30_000, "20 MiB of zeros pack well");
    let error = member(Cursor::new(&bytes), "x", "a.npz").unwrap_err();
    assert!(error.reason.contains("claims to be 20971520 bytes packed into"), "{error}");
}

#[test]
fn targets_have_to_fit_the_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("x.npy"), plain("|u1", "(3, 2)", &[1, 2, 3, 4, 5, 6])).unwrap();
    std::fs::write(path("y.npy"), plain("|u1", "(2,)", &[1, 2])).unwrap();
    std::fs::write(path("z.npy"), plain("|u1", "(3,)", &[9, 5, 9])).unwrap();
    let file = gmpc_compiler::ir::experiment::FileSpec { path: String::new(), url: None, sha256: None };
    let arrays = Arrays { inputs: file.clone(), inputs_key: None, targets: file, targets_key: None };
    let error = super::read(&path("x.npy"), &path("y.npy"), &arrays, Task::Regression, None).unwrap_err();
    assert!(error.reason.starts_with("there are 2 targets and 3 inputs"), "{error}");
    let labels = super::read(&path("x.npy"), &path("z.npy"), &arrays, Task::Classification, None).unwrap();
    assert_eq!((labels.examples.targets, labels.labels), (vec![1.0, 0.0, 1.0], vec!["5".to_string(), "9".to_string()]));
    let error = super::read(&path("x.npy"), &path("x.npy"), &arrays, Task::Classification, None).unwrap_err();
    assert!(error.reason.contains("class labels are one number an example"), "{error}");
}

fn dictionaries() -> impl Strategy<Value = String> {
    let size = prop_oneof![0u64..50, any::<u64>(), (1u64 << 30)..(1 << 45)];
    (
        prop::sample::select(vec!["<f8", "<f4", "|u1", "|O", ">i8", "<q9"]),
        prop::collection::vec(size, 0..10),
        any::<bool>(),
    )
        .prop_map(|(descr, shape, fortran)| {
            let fortran = if fortran { "True" } else { "False" };
            let shape: String = shape.iter().map(|size| format!("{size}, ")).collect();
            format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({shape}), }}")
        })
}

proptest! {
    #[test]
    fn arbitrary_files_are_an_array_or_a_fault(
        dictionary in dictionaries(),
        data in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = npy(&dictionary, &data);
        if let Ok(array) = read_bytes(&bytes) {
            prop_assert_eq!(array.data.len(), array.shape.iter().product::<usize>());
            prop_assert!(array.data.capacity() <= data.len().max(8));
        }
    }

    #[test]
    fn flipped_and_cut_files_are_an_array_or_a_fault(at in 0usize..200, with: u8, cut in 0u64..200) {
        let mut bytes = plain("<f4", "(4, 2)", &[7; 32]);
        let place = at % bytes.len();
        bytes[place] ^= with;
        let end = usize::try_from(cut).unwrap().min(bytes.len());
        let _ = read_bytes(&bytes);
        let _ = read_bytes(&bytes[..end]);
        let mut archive = npz(&[("x.npy", bytes)]);
        let place = at % archive.len();
        archive[place] ^= with;
        let mut cursor = Cursor::new(archive);
        cursor.seek(SeekFrom::Start(0)).unwrap();
        let _ = member(cursor, "x", "a.npz");
    }
}
