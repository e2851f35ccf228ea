//! A small reader that shares no code with the writer finds every epoch once, with its scalars, after any interruption.

use super::*;
use crate::event::Moved;

/// CRC-32C bit by bit, masked.
fn masked_crc(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    let crc = !crc;
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Fields of a message: number and contents; numbers as their bytes.
fn fields(mut message: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    let varint = |message: &mut &[u8]| {
        let length = message.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let number = message[..length].iter().rev().fold(0_u64, |n, byte| n << 7 | u64::from(byte & 0x7f));
        *message = &message[length..];
        number
    };
    while let [key, rest @ ..] = message {
        message = rest;
        let contents = match key & 7 {
            0 => varint(&mut message).to_le_bytes().to_vec(),
            1 => message[..8].to_vec(),
            2 => {
                let length = varint(&mut message) as usize;
                message[..length].to_vec()
            }
            5 => message[..4].to_vec(),
            wire => panic!("wire type {wire}"),
        };
        message = if key & 7 == 0 { message } else { &message[contents.len()..] };
        found.push((key >> 3, contents));
    }
    found
}

/// Step and scalars of every event after the first, with every checksum checked.
fn read(run: &Path) -> Vec<(u64, Vec<(String, f32)>)> {
    let bytes = std::fs::read(run.join(FILE)).unwrap();
    let (mut rest, mut events) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let check = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        assert_eq!(check(8), masked_crc(&rest[..8]));
        assert_eq!(check(12 + length), masked_crc(&rest[12..12 + length]));
        events.push(fields(&rest[12..12 + length]));
        rest = &rest[16 + length..];
    }
    let first = events.remove(0);
    assert_eq!(first[1], (3, b"brain.Event:2".to_vec()));
    let value = |value: &(u8, Vec<u8>)| match &fields(&value.1)[..] {
        [(1, tag), (2, number)] => {
            (String::from_utf8(tag.clone()).unwrap(), f32::from_le_bytes(number[..].try_into().unwrap()))
        }
        other => panic!("{other:?}"),
    };
    let event = |event: Vec<(u8, Vec<u8>)>| match &event[..] {
        [(1, time), (2, step), (5, summary)] => {
            assert!(f64::from_le_bytes(time[..].try_into().unwrap()) > 1.7e9);
            let step = u64::from_le_bytes(step[..].try_into().unwrap());
            (step, fields(summary).iter().map(value).collect())
        }
        other => panic!("{other:?}"),
    };
    events.into_iter().map(event).collect()
}

fn epoch(epoch: u64) -> Epoch {
    let figures = vec![("train.loss".to_string(), 1.0 / epoch as f64), ("valid.rmse".to_string(), f64::NAN)];
    let drift = vec![Moved { layer: "hidden".into(), location: 0.25, direction: 0.5 }];
    Epoch { epoch, lr: 0.1, figures, best: true, seconds: epoch as f64, drift }
}

#[test]
fn every_figure_of_an_epoch_is_a_scalar() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = Events::open(folder.path(), 0, "").unwrap();
    events.note(&epoch(200)).unwrap();
    events.flush(true).unwrap();
    let found = read(folder.path());
    assert_eq!(found.len(), 1);
    let (step, scalars) = &found[0];
    let names: Vec<&str> = scalars.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["train/loss", "valid/rmse", "lr", "boundaries/hidden/dphi", "boundaries/hidden/turn"]);
    assert_eq!((*step, scalars[0].1, scalars[2].1, scalars[4].1), (200, 0.005, 0.1, 0.5));
    assert!(scalars[1].1.is_nan());
}

#[test]
fn a_resumed_file_has_each_epoch_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = Events::open(folder.path(), 0, "").unwrap();
    (1..=300).for_each(|k| events.note(&epoch(k)).unwrap());
    events.flush(true).unwrap();
    let whole = std::fs::read(folder.path().join(FILE)).unwrap();
    // The checkpoint is from after 150 epochs, and the last record was written incompletely.
    std::fs::write(folder.path().join(FILE), &whole[..whole.len() - 5]).unwrap();
    let mut events = Events::open(folder.path(), 150, "").unwrap();
    (151..=300).for_each(|k| events.note(&epoch(k)).unwrap());
    events.flush(false).unwrap();
    let steps: Vec<u64> = read(folder.path()).into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, (1..=300).collect::<Vec<_>>());
    assert_eq!(std::fs::metadata(folder.path().join(FILE)).unwrap().len(), whole.len() as u64);
}

#[test]
fn epochs_that_are_missing_come_from_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let lines: String = (1..=5).map(|k| format!("{}\n", crate::event::Event::Epoch(epoch(k)).to_json())).collect();
    let mut events = Events::open(folder.path(), 5, &lines).unwrap();
    events.note(&epoch(6)).unwrap();
    events.flush(true).unwrap();
    let found = read(folder.path());
    assert_eq!(found.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    for (step, scalars) in &found {
        let find = |tag: &str| scalars.iter().find(|(name, _)| name == tag).unwrap().1;
        assert_eq!((find("train/loss"), find("lr")), (1.0 / *step as f32, 0.1));
        assert!(find("valid/rmse").is_nan());
    }
}

#[test]
fn a_file_of_another_kind_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), "no events at all, but long enough to look at").unwrap();
    Events::open(folder.path(), 3, "").unwrap();
    assert_eq!(read(folder.path()), []);
}
