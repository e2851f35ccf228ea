//! Records come back, a resumed file is that of an uninterrupted run, damage is told.

use super::*;

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
    // The checkpoint is from after three records; two more were written before the run was killed.
    let mut writer = Writer::open(resumed.path(), &[first()], 3).unwrap();
    write(&mut writer, 3..7);
    writer.flush(true).unwrap();
    let bytes = |folder: &Path| std::fs::read(folder.join("boundaries/hidden.npy")).unwrap();
    assert_eq!(bytes(whole.path()), bytes(resumed.path()));
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
    assert!(error.to_string().contains("is no record of the layer `hidden`"), "{error}");
    std::fs::write(folder.path().join("boundaries/hidden.npy"), b"short").unwrap();
    assert!(Trajectory::read(folder.path(), &first(), Every::Epochs(1)).is_err());
}
