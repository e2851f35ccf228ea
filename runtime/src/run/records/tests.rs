//! Records are read back, a resumed file equals that of an uninterrupted run, and damage is reported.

use super::*;
use gmpc_compiler::ir::graph::{Role, State, Tensor};
use std::sync::Arc;

fn first() -> First {
    First { layer: 1, name: "hidden".into(), fan_in: 2, units: 3 }
}

fn record(k: u32) -> Vec<f64> {
    (0..9).map(|i| f64::from(k) + f64::from(i) / 16.0).collect()
}

fn write(writer: &mut Writer, records: std::ops::Range<u32>) {
    for k in records {
        writer.write(0, &Slice::F64(&record(k))).unwrap();
    }
}

#[test]
fn records_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), &[first()], 0).unwrap();
    write(&mut writer, 0..3);
    writer.flush(true).unwrap();
    let read = Trajectory::read(folder.path(), &first(), Every::Epochs(10)).unwrap();
    assert_eq!((read.records(), read.time(2)), (3, 20));
    let boundary = read.boundary(2, 1).unwrap();
    assert_eq!(boundary.direction, [2.0 + 1.0 / 16.0, 2.0 + 4.0 / 16.0]);
    assert_eq!(boundary.offset, 2.0 + 7.0 / 16.0);
    assert_eq!(read.boundary(2, 3), None);
}

#[test]
fn a_resumed_file_is_that_of_a_run_that_was_never_stopped() {
    let (whole, resumed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut writer = Writer::open(whole.path(), &[first()], 0).unwrap();
    write(&mut writer, 0..7);
    writer.flush(true).unwrap();
    let mut writer = Writer::open(resumed.path(), &[first()], 0).unwrap();
    write(&mut writer, 0..5);
    writer.flush(true).unwrap();
    // The checkpoint is from after three records. Two more were written before the process was killed.
    let mut writer = Writer::open(resumed.path(), &[first()], 3).unwrap();
    write(&mut writer, 3..7);
    writer.flush(true).unwrap();
    let bytes = |folder: &Path| std::fs::read(folder.join("boundaries/hidden.npy")).unwrap();
    assert_eq!(bytes(whole.path()), bytes(resumed.path()));
}

#[test]
fn blocks_written_by_the_other_thread_come_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let wide = First { layer: 1, name: "wide".into(), fan_in: 3, units: 5000 };
    let record = |k: u32| (0..20_000).map(|i| f64::from(k * 31 + i)).collect::<Vec<_>>();
    let mut writer = Writer::open(folder.path(), std::slice::from_ref(&wide), 0).unwrap();
    (0..40).for_each(|k| writer.write(0, &Slice::F64(&record(k))).unwrap());
    writer.flush(false).unwrap();
    (40..60).for_each(|k| writer.write(0, &Slice::F64(&record(k))).unwrap());
    drop(writer); // like a run that ends without being saved
    let read = Trajectory::read(folder.path(), &wide, Every::Epochs(1)).unwrap();
    assert_eq!(read.records(), 60);
    for k in 0..60 {
        let expected: Vec<f32> = record(k).into_iter().map(|number| number as f32).collect();
        assert!(read.record(k as usize) == expected, "record {k}");
    }
    // A resumed run measures the drift from the last record before its checkpoint.
    let mut writer = Writer::open(folder.path(), std::slice::from_ref(&wide), 50).unwrap();
    writer.follow().unwrap();
    writer.write(0, &Slice::F64(&record(49))).unwrap();
    let moved = writer.drift();
    assert_eq!((moved[0].layer.as_str(), moved[0].location, moved[0].direction), ("wide", 0.0, 0.0));
    assert!(writer.drift().is_empty(), "reported once");
}

#[test]
fn the_whole_network_comes_back_without_the_optimizer() {
    let folder = tempfile::tempdir().unwrap();
    let state = |name: &str, role, size: usize| State {
        name: name.into(),
        role,
        shape: vec![1, size],
        file_shape: vec![size],
        transposed: false,
        meaning: gmpc_compiler::ir::axes::Meaning::default(),
    };
    let of =
        [state("a.b", Role::Parameter, 3), state("a.mean", Role::Statistic, 2), state("a.b.m", Role::Optimizer, 3)];
    let layout = Arc::new(StateLayout::new(&of));
    assert_eq!(layout.parameters_and_statistics(), 32, "each fills up 16 numbers");
    let mut states = States::zeros(&layout, Precision::F64);
    let writer = Writer::open(folder.path(), &[], 0).unwrap();
    let mut writer = writer.with_states(folder.path(), &layout, Precision::F64, 0).unwrap();
    for k in 0..3 {
        let tensor = |size, of: f64| Tensor { shape: vec![1, size], data: (0..size).map(|i| of + i as f64).collect() };
        states.set_tensor(0, &tensor(3, 0.1 * f64::from(k))).unwrap();
        states.set_tensor(1, &tensor(2, 7.0)).unwrap();
        states.set_tensor(2, &tensor(3, 9.0)).unwrap();
        writer.write_states(&states).unwrap();
    }
    writer.flush(true).unwrap();
    let records = StateRecords::open(folder.path(), &layout, Precision::F64).unwrap().expect("the file is there");
    assert_eq!(records.count(), 3);
    let read = records.read(2).unwrap();
    assert_eq!(read.tensor(0).data, [0.2, 1.2, 2.2]);
    assert_eq!((read.tensor(1).data, read.tensor(2).data), (vec![7.0, 8.0], vec![0.0; 3]));
    assert!(records.read(3).is_err());
    assert!(StateRecords::open(folder.path(), &layout, Precision::F32).is_err(), "of another precision");
}

#[test]
fn records_are_counted_from_before_the_first_step() {
    assert_eq!(records_after(Every::Epochs(1), 0, 0), 0);
    assert_eq!(records_after(Every::Epochs(1), 0, 3), 1);
    assert_eq!(records_after(Every::Epochs(10), 25, 250), 3);
    assert_eq!(records_after(Every::Steps(100), 2, 250), 3);
}

#[test]
fn lost_records_and_foreign_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), &[first()], 0).unwrap();
    write(&mut writer, 0..2);
    writer.flush(true).unwrap();
    let error = Writer::open(folder.path(), &[first()], 3).unwrap_err();
    assert!(error.to_string().contains("has lost records"), "{error}");
    let other = First { units: 4, ..first() };
    let error = Trajectory::read(folder.path(), &other, Every::Epochs(1)).unwrap_err();
    assert!(error.to_string().contains("is not a record of the layer `hidden`"), "{error}");
    std::fs::write(folder.path().join("boundaries/hidden.npy"), b"short").unwrap();
    assert!(Trajectory::read(folder.path(), &first(), Every::Epochs(1)).is_err());
}
