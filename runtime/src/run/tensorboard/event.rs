//! TensorFlow's `Event` message, encoded by hand as far as scalars need it.
//!
//! ```text
//! Event    1: double wall_time   2: int64 step   3: string file_version   5: Summary summary
//! Summary  1: repeated Value     Value  1: string tag   2: float simple_value
//! ```
//!
//! Source: tensorflow/core/util/event.proto and framework/summary.proto. The encoding is protobuf's: a key of field
//! number and wire type, then the value.

/// Wire types of protobuf.
const VARINT: u8 = 0;
const EIGHT_BYTES: u8 = 1;
const LENGTH: u8 = 2;
const FOUR_BYTES: u8 = 5;

/// Replaces `out` with the first event of a file.
pub(super) fn version(out: &mut Vec<u8>, wall_time: f64) {
    out.clear();
    time(out, wall_time);
    bytes(out, 3, b"brain.Event:2");
}

/// Replaces `out` with an event: scalars and their tags. The format stores f32, so values are rounded.
pub(super) fn scalars(out: &mut Vec<u8>, wall_time: f64, step: u64, scalars: &[(String, f64)]) {
    out.clear();
    time(out, wall_time);
    key(out, 2, VARINT);
    varint(out, step);
    let sizes = scalars.iter().map(|(tag, _)| value_size(tag));
    key(out, 5, LENGTH);
    varint(out, sizes.map(|size| 1 + varint_size(size) + size).sum::<usize>() as u64);
    for (tag, value) in scalars {
        key(out, 1, LENGTH);
        varint(out, value_size(tag) as u64);
        bytes(out, 1, tag.as_bytes());
        key(out, 2, FOUR_BYTES);
        #[expect(clippy::cast_possible_truncation, reason = "rounded once")]
        out.extend((*value as f32).to_le_bytes());
    }
}

/// The step of an event; 0 if the event has none. `None` if the bytes are not an event.
pub(super) fn step(event: &[u8]) -> Option<u64> {
    let (mut rest, mut step) = (event, 0);
    while let Some((&key, after)) = rest.split_first() {
        let mut after = after;
        match key & 7 {
            VARINT => {
                let number = read_varint(&mut after)?;
                step = if key >> 3 == 2 { number } else { step };
            }
            EIGHT_BYTES => after = after.get(8..)?,
            FOUR_BYTES => after = after.get(4..)?,
            LENGTH => {
                let length = read_varint(&mut after)?;
                after = after.get(usize::try_from(length).ok()?..)?;
            }
            _ => return None,
        }
        rest = after;
    }
    Some(step)
}

/// The size of a `Value` message in bytes: a tag with key and length, and a number with its key.
fn value_size(tag: &str) -> usize {
    1 + varint_size(tag.len()) + tag.len() + 5
}

fn time(out: &mut Vec<u8>, seconds: f64) {
    key(out, 1, EIGHT_BYTES);
    out.extend(seconds.to_le_bytes());
}

fn key(out: &mut Vec<u8>, field: u8, wire: u8) {
    out.push(field << 3 | wire);
}

fn bytes(out: &mut Vec<u8>, field: u8, data: &[u8]) {
    key(out, field, LENGTH);
    varint(out, data.len() as u64);
    out.extend(data);
}

#[expect(clippy::cast_possible_truncation, reason = "the low seven bits")]
fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn varint_size(number: usize) -> usize {
    (number.max(1).ilog2() / 7 + 1) as usize
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}
