//! Reads the lines of `metrics.jsonl` without losing any, for a resumed run and for a report.

use crate::failure::Failure;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;

/// The part of the file that a resumed run keeps.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeptLines {
    /// The lines, each with its line end.
    pub bytes: Vec<u8>,
    /// Sentences that tell users what is wrong with the file.
    pub remarks: Vec<String>,
}

impl KeptLines {
    /// Removes the lines of epochs after `epochs`, which will be trained again, and an incomplete last line. An
    /// unreadable line stays in place, because a user may be able to repair it. `before` epochs were done by the run that
    /// this one continues, and have no lines here.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file exists and cannot be read.
    pub fn read(path: &Path, before: u64, epochs: u64) -> Result<Self, Failure> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => vec![],
            Err(error) => return Err(Failure::io("read", path, &error)),
        };
        Ok(Self::of(&bytes, before..epochs, &path.display().to_string()))
    }

    fn of(bytes: &[u8], Range { start: before, end: epochs }: Range<u64>, name: &str) -> Self {
        let mut kept = KeptLines::default();
        let (mut known, mut unread) = (BTreeSet::new(), vec![]);
        for (number, line) in (1_u64..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let ended = line.ends_with(b"\n");
            // An epoch that appears twice was trained twice, with the same result, so the first line is enough.
            match epoch_of(line) {
                Some(epoch) if epoch > epochs || !known.insert(epoch) => continue,
                None if !ended => continue,
                None => unread.push(number),
                Some(_) => {}
            }
            kept.bytes.extend_from_slice(line);
            if !ended {
                kept.bytes.push(b'\n');
            }
        }
        if !unread.is_empty() {
            kept.remarks.push(format!("{name}: {} cannot be read, and {}", spans("line", &unread), left(&unread)));
        }
        let missing: Vec<u64> = (before + 1..=epochs).filter(|epoch| !known.contains(epoch)).collect();
        if !missing.is_empty() {
            kept.remarks.push(format!("{name} has no line for {}", spans("epoch", &missing)));
        }
        kept
    }
}

fn left(lines: &[u64]) -> &'static str {
    if lines.len() == 1 { "is left as it is" } else { "are left as they are" }
}

/// The lines that can be read, and the numbers of those that cannot. An incomplete last line is in neither.
#[must_use]
pub fn lines(bytes: &[u8]) -> (Vec<Value>, Vec<u64>) {
    let (mut read, mut unread) = (vec![], vec![]);
    for (number, line) in (1_u64..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        match serde_json::from_slice::<Value>(line) {
            Ok(value) if value["epoch"].is_u64() => read.push(value),
            _ if line.ends_with(b"\n") => unread.push(number),
            _ => {}
        }
    }
    (read, unread)
}

fn epoch_of(line: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Value>(line).ok()?["epoch"].as_u64()
}

/// Numbers in words: `line 3`, `epochs 1 to 5 and 7`. Of many ranges only the first five are named.
#[must_use]
pub fn spans(what: &str, numbers: &[u64]) -> String {
    const SHOWN: usize = 5;
    let mut spans: Vec<(u64, u64)> = vec![];
    for &number in numbers {
        match spans.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => spans.push((number, number)),
        }
    }
    let one = |(first, last): &(u64, u64)| if first == last { first.to_string() } else { format!("{first} to {last}") };
    let mut shown: Vec<String> = spans.iter().take(SHOWN).map(one).collect();
    if spans.len() > SHOWN {
        shown.push("more".into());
    }
    let last = shown.pop().unwrap_or_default();
    let all = if shown.is_empty() { last } else { format!("{} and {last}", shown.join(", ")) };
    format!("{what}{} {all}", if numbers.len() == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(epoch: u64) -> String {
        format!("{{\"event\":\"epoch\",\"epoch\":{epoch},\"train.loss\":0.5}}\n")
    }

    #[test]
    fn lines_that_cannot_be_read_are_kept_and_told() {
        let mut bytes = line(1).into_bytes();
        bytes.extend(b"{\"epoch\":\xff2}\n");
        bytes.extend(line(3).into_bytes());
        let kept = KeptLines::of(&bytes, 0..3, "m");
        assert_eq!(kept.bytes, bytes);
        let remarks = ["m: line 2 cannot be read, and is left as it is", "m has no line for epoch 2"];
        assert_eq!(kept.remarks, remarks);
        assert_eq!(lines(&bytes).1, [2]);
    }

    #[test]
    fn epochs_that_will_be_done_again_and_a_line_that_was_cut_off_go() {
        let text = line(1) + &line(2) + &line(3) + "{\"event\":\"ep";
        let kept = KeptLines::of(text.as_bytes(), 0..2, "m");
        assert_eq!(kept, KeptLines { bytes: (line(1) + &line(2)).into_bytes(), remarks: vec![] });
        assert_eq!(lines(text.as_bytes()).1, [0_u64; 0]);
    }

    #[test]
    fn epochs_go_by_their_numbers() {
        let text = line(1) + &line(2) + &line(2) + &line(4) + &line(5) + &line(6);
        let kept = KeptLines::of(text.as_bytes(), 0..5, "m");
        assert_eq!(kept.bytes, (line(1) + &line(2) + &line(4) + &line(5)).into_bytes());
        assert_eq!(kept.remarks, ["m has no line for epoch 3"]);
        assert_eq!(KeptLines::of(b"", 0..5, "m").remarks, ["m has no line for epochs 1 to 5"]);
        assert_eq!(KeptLines::of(b"", 3..5, "m").remarks, ["m has no line for epochs 4 to 5"]);
    }

    #[test]
    fn numbers_are_told_in_spans() {
        assert_eq!(spans("line", &[3]), "line 3");
        assert_eq!(spans("epoch", &[1, 2, 3, 5, 8, 9]), "epochs 1 to 3, 5 and 8 to 9");
        assert_eq!(spans("line", &[1, 3, 5, 7, 9, 11]), "lines 1, 3, 5, 7, 9 and more");
    }
}
