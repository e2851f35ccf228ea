//! NumPy's arrays: every type, order and shape, alone and in an archive, sound and changed.

use super::{beside, bounded, config, file, put, spec};
use gmpc_compiler::ir::experiment::{Arrays, DataSource, Task};
use gmpc_data::{Dataset, load};
use proptest::prelude::*;
use std::io::Write;

const TYPES: [&str; 12] = ["|b1", "|i1", "|u1", "<i2", ">u2", "<i4", ">u4", "<i8", ">u8", "<f4", ">f8", "<f8"];

/// A number as its type stores it, and the number that is.
fn stored(kind: &str, value: i64) -> (Vec<u8>, f64) {
    let big = kind.starts_with('>');
    let (mut bytes, number): (Vec<u8>, f64) = match &kind[1..] {
        "b1" => (vec![u8::from(value % 2 != 0)], f64::from(u8::from(value % 2 != 0))),
        "i1" => ((value as i8).to_le_bytes().to_vec(), f64::from(value as i8)),
        #[expect(clippy::cast_sign_loss, reason = "any byte")]
        "u1" => ((value as u8).to_le_bytes().to_vec(), f64::from(value as u8)),
        "i2" => ((value as i16).to_le_bytes().to_vec(), f64::from(value as i16)),
        #[expect(clippy::cast_sign_loss, reason = "any bytes")]
        "u2" => ((value as u16).to_le_bytes().to_vec(), f64::from(value as u16)),
        "i4" => ((value as i32).to_le_bytes().to_vec(), f64::from(value as i32)),
        #[expect(clippy::cast_sign_loss, reason = "any bytes")]
        "u4" => ((value as u32).to_le_bytes().to_vec(), f64::from(value as u32)),
        "i8" => (value.to_le_bytes().to_vec(), value as f64),
        #[expect(clippy::cast_sign_loss, reason = "any bytes")]
        "u8" => ((value as u64).to_le_bytes().to_vec(), (value as u64) as f64),
        "f4" => ((value as f32 / 8.0).to_le_bytes().to_vec(), f64::from(value as f32 / 8.0)),
        _ => ((value as f64 / 8.0).to_le_bytes().to_vec(), value as f64 / 8.0),
    };
    if big {
        bytes.reverse();
    }
    (bytes, number)
}

fn npy(kind: &str, fortran: bool, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let axes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': ({}), }}", axes.trim_end());
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(data);
    bytes
}

fn archive(members: &[(&str, &[u8])], packed: bool) -> Vec<u8> {
    let method = if packed { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    for (name, bytes) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn read(x: &[u8], y: &[u8], in_archive: bool, task: Task) -> Result<Dataset, String> {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "x.npy", x);
    put(folder.path(), "y.npy", y);
    let key = |name: &str| in_archive.then(|| name.to_string());
    let targets = if in_archive { "x.npy" } else { "y.npy" };
    let arrays = Arrays { inputs: file("x.npy"), inputs_key: key("x"), targets: file(targets), targets_key: key("y") };
    bounded(|| {
        load(&spec(DataSource::Arrays(arrays), task), &beside(folder.path())).map_err(|error| {
            assert!(error.code.starts_with("E07") && !error.reason.is_empty(), "{error:?}");
            error.to_string()
        })
    })
}

/// Type, order, columns, and numbers of an array, and the rows it stands for.
fn sound() -> impl Strategy<Value = (Vec<u8>, usize, Vec<f64>)> {
    (prop::sample::select(TYPES.to_vec()), any::<bool>(), 1usize..4, 1usize..12).prop_flat_map(
        |(kind, fortran, width, rows)| {
            prop::collection::vec(any::<i64>(), width * rows).prop_map(move |values| {
                // Fortran's order writes the first column first.
                let place = |at: usize| if fortran { at % rows * width + at / rows } else { at };
                let data: Vec<u8> = (0..values.len()).flat_map(|at| stored(kind, values[place(at)]).0).collect();
                let numbers = values.iter().map(|value| stored(kind, *value).1).collect();
                (npy(kind, fortran, &[rows, width], &data), rows, numbers)
            })
        },
    )
}

fn targets(rows: usize) -> Vec<u8> {
    let data: Vec<u8> = (0..rows).flat_map(|row| (row as f64).to_le_bytes()).collect();
    npy("<f8", false, &[rows], &data)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn sound_arrays_are_read_as_they_are((x, rows, numbers) in sound(), packed in prop::option::of(any::<bool>())) {
        let y = targets(rows);
        let found = match packed {
            None => read(&x, &y, false, Task::Regression),
            Some(packed) => read(&archive(&[("x.npy", &x), ("y.npy", &y)], packed), &[], true, Task::Regression),
        };
        let found = found.map_err(TestCaseError::fail)?;
        prop_assert!(found.examples.inputs.iter().zip(&numbers).all(|(a, b)| a.to_bits() == b.to_bits()), "{numbers:?}");
        prop_assert_eq!((found.examples.inputs.len(), found.examples.rows), (numbers.len(), rows));
    }

    /// Numbers of a file whose bytes changed may be others; an archive has a checksum, so there they may not.
    #[test]
    fn changed_files_are_refused_or_hold_as_many_numbers(
        (x, rows, numbers) in sound(),
        packed in prop::option::of(any::<bool>()),
        place in 0.0..1.0f64,
        with in 1u8..,
        cut: bool,
    ) {
        let y = targets(rows);
        let mut bytes = packed.map_or_else(|| x.clone(), |packed| archive(&[("x.npy", &x), ("y.npy", &y)], packed));
        #[expect(clippy::cast_sign_loss, reason = "a share of a length")]
        let at = (bytes.len() as f64 * place) as usize;
        if cut { bytes.truncate(at) } else { bytes[at] ^= with }
        if let Ok(found) = read(&bytes, &y, packed.is_some(), Task::Regression) {
            prop_assert_eq!(found.examples.inputs.len(), found.examples.rows * found.features);
            prop_assert!(packed.is_none() || found.examples.inputs == numbers, "a damaged archive gave other numbers");
        }
    }

    #[test]
    fn whole_labels_are_kept_apart(values in prop::collection::vec(any::<i64>(), 4..19), kind in prop::sample::select(vec!["<i8", ">u8", "<i4"])) {
        let values: Vec<i64> = values.iter().flat_map(|value| [*value, *value]).collect();
        let labels: Vec<u8> = values.iter().flat_map(|value| stored(kind, *value).0).collect();
        let x: Vec<u8> = values.iter().flat_map(|_| 1.0f64.to_le_bytes()).collect();
        let found = read(&npy("<f8", false, &[values.len(), 1], &x), &npy(kind, false, &[values.len()], &labels), false, Task::Classification);
        let raw = |at: usize| stored(kind, values[at]).0;
        let found = found.map_err(TestCaseError::fail);
        prop_assume!(found.is_ok());
        let targets = found?.examples.targets;
        for a in 0..values.len() {
            for b in 0..a {
                prop_assert_eq!(raw(a) == raw(b), targets[a].to_bits() == targets[b].to_bits());
            }
        }
    }
}
