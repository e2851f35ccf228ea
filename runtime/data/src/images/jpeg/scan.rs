//! Parses one scan from its first code to its last.

use super::super::fault::Fault;
use super::bits::{Bits, Table};
use super::{Component, Frame};

/// The components and coefficients of a scan.
pub(super) struct Scan {
    /// For each component: its index, its DC table and its AC table.
    pub(super) parts: Vec<(usize, usize, usize)>,
    pub(super) range: Range,
    /// Number of units between two restart markers; 0 if there are none.
    pub(super) restart: usize,
}

/// A range of coefficients and of their bits.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) from: usize,
    pub(super) to: usize,
    /// One more than the lowest bit that earlier scans gave; 0 for their first scan.
    pub(super) before: u8,
    /// The lowest bit that this scan gives.
    pub(super) after: u8,
}

/// Longest plausible run of zero bytes in the data, unless a zero bit ends a block.
const HOLE: usize = 64;

type Tables = [[Option<Table>; 4]; 2];

fn damaged() -> Fault {
    Fault::damaged("the data of the JPEG are damaged")
}

impl Scan {
    /// Parses the scan, and returns the position of the marker after it.
    pub(super) fn walk(&self, frame: &mut Frame, tables: &Tables, bytes: &[u8], at: usize) -> Result<usize, Fault> {
        let (most, mut units) = (frame.most(), frame.units());
        if let [(component, ..)] = self.parts[..] {
            // A scan of one component has no padding blocks.
            let of = &frame.components[component];
            units[0] = (frame.width * of.across).div_ceil(8 * most[0]);
            units[1] = (frame.height * of.down).div_ceil(8 * most[1]);
        }
        let padded = frame.units();
        let mut bits = Bits::new(bytes, at);
        let mut run = 0;
        for unit in 0..units[0] * units[1] {
            if self.restart > 0 && unit > 0 && unit.is_multiple_of(self.restart) {
                bits = Bits::new(bytes, restarted(bits, bytes)?);
                run = 0;
            }
            let place = [unit % units[0], unit / units[0]];
            for &(number, means, others) in &self.parts {
                let component = &mut frame.components[number];
                let tables = [tables[0].get(means), tables[1].get(others)].map(|table| table.and_then(Option::as_ref));
                let (across, down) = if self.parts.len() == 1 { (1, 1) } else { (component.across, component.down) };
                let stride = padded[0] * component.across;
                for inner in 0..across * down {
                    let (x, y) = (place[0] * across + inner % across, place[1] * down + inner / across);
                    let nonzero = component.nonzero.get_mut(y * stride + x);
                    self.range.block(&mut bits, tables, nonzero, &mut run)?;
                }
            }
        }
        for &(number, ..) in &self.parts {
            self.range.note(&mut frame.components[number]);
        }
        self.is_without_holes(tables, bytes.get(at..bits.place()).unwrap_or_default())?;
        bits.end().ok_or_else(|| Fault::damaged("the data of the JPEG continue after the image: some of it is damaged"))
    }
}

impl Scan {
    /// Refuses a long run of zero bytes: it is a hole that a disk or an interrupted copy left, and not a flat part of
    /// the image. With these tables a zero bit does not end a block, so each block in the run would have a small
    /// coefficient at every position.
    fn is_without_holes(&self, tables: &Tables, data: &[u8]) -> Result<(), Fault> {
        let is_first = self.range.before == 0 && self.range.to > 0;
        let codes = self.parts.iter().filter_map(|&(_, _, others)| tables[1].get(others)?.as_ref()?.of_zeros());
        let zeros = data.split(|byte| *byte != 0).map(<[u8]>::len).max().unwrap_or(0);
        if is_first && zeros >= HOLE && codes.into_iter().any(|symbol| symbol & 15 != 0) {
            return Err(Fault::damaged(format!("there is a hole of {zeros} zero bytes in the data of the JPEG")));
        }
        Ok(())
    }
}

/// The position after the restart marker, which must come next.
fn restarted(bits: Bits<'_>, bytes: &[u8]) -> Result<usize, Fault> {
    let mut at = bits.end().ok_or_else(damaged)?;
    while bytes.get(at..at + 2) == Some(&[0xFF, 0xFF]) {
        at += 1;
    }
    match bytes.get(at..at + 2) {
        Some([0xFF, 0xD0..=0xD7]) => Ok(at + 2),
        _ => Err(Fault::damaged("the data of the JPEG end before the image is complete")),
    }
}

impl Range {
    fn note(self, component: &mut Component) {
        component.precision[self.from..=self.to].fill(Some(self.after));
    }

    fn block(
        self,
        bits: &mut Bits<'_>,
        [means, others]: [Option<&Table>; 2],
        nonzero: Option<&mut u64>,
        run: &mut u32,
    ) -> Result<(), Fault> {
        let no_table = || Fault::damaged("the JPEG lacks a table of its codes");
        // The DC coefficient has its own table, and in later scans a single bit.
        let mut from = self.from;
        if from == 0 {
            if self.before > 0 {
                bits.take(1)?;
            } else {
                mean(bits, means.ok_or_else(no_table)?)?;
            }
            from = 1;
        }
        if from > self.to {
            return Ok(());
        }
        let others = others.ok_or_else(no_table)?;
        match nonzero {
            None => sequential(bits, others),
            Some(nonzero) if self.before == 0 => Range { from, ..self }.first(bits, others, nonzero, run),
            Some(nonzero) => Range { from, ..self }.refined(bits, others, nonzero, run),
        }
    }

    /// The first scan of some coefficients.
    fn first(self, bits: &mut Bits<'_>, table: &Table, nonzero: &mut u64, run: &mut u32) -> Result<(), Fault> {
        // An earlier code may have ended this and further blocks at once.
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let mut k = self.from;
        while k <= self.to {
            let symbol = bits.symbol(table)?;
            let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            match (zeros, size) {
                (15, 0) => k += 16,
                (_, 0) => {
                    *run = blocks(bits, zeros)? - 1;
                    break;
                }
                _ => {
                    k += zeros;
                    if k > self.to {
                        return Err(damaged());
                    }
                    bits.take(size)?;
                    *nonzero |= 1 << k;
                    k += 1;
                }
            }
        }
        Ok(())
    }

    /// A scan that adds one bit to coefficients: one bit for each nonzero coefficient, and codes for those that become
    /// nonzero.
    fn refined(self, bits: &mut Bits<'_>, table: &Table, nonzero: &mut u64, run: &mut u32) -> Result<(), Fault> {
        let mut k = self.from;
        while *run == 0 && k <= self.to {
            let symbol = bits.symbol(table)?;
            let (mut zeros, size) = (usize::from(symbol >> 4), symbol & 15);
            match (zeros, size) {
                (15, 0) => {}
                (_, 0) => {
                    *run = blocks(bits, zeros)?;
                    break;
                }
                (_, 1) => {
                    bits.take(1)?;
                }
                _ => return Err(damaged()),
            }
            // The run of zeros counts only coefficients that are still zero; each nonzero one gets a bit for its
            // refinement on the way.
            while k <= self.to {
                if *nonzero >> k & 1 == 1 {
                    bits.take(1)?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                k += 1;
            }
            if size == 1 {
                if k > self.to {
                    return Err(damaged());
                }
                *nonzero |= 1 << k;
            }
            k += 1;
        }
        // In blocks that an end-of-band run covers, the nonzero coefficients still get their bits.
        if *run > 0 {
            let rest = (self.from.max(k)..=self.to).filter(|&k| *nonzero >> k & 1 == 1).count();
            for _ in 0..rest {
                bits.take(1)?;
            }
            *run -= 1;
        }
        Ok(())
    }
}

/// The number of blocks that end here, including this one.
fn blocks(bits: &mut Bits<'_>, exponent: usize) -> Result<u32, Fault> {
    let exponent = u32::try_from(exponent).unwrap_or(0); // 14 at most
    Ok((1 << exponent) + bits.take(exponent)?)
}

fn mean(bits: &mut Bits<'_>, table: &Table) -> Result<(), Fault> {
    let size = u32::from(bits.symbol(table)?);
    if size > 16 {
        return Err(damaged());
    }
    bits.take(size).map(drop)
}

fn sequential(bits: &mut Bits<'_>, table: &Table) -> Result<(), Fault> {
    let mut k = 1;
    while k < 64 {
        let symbol = bits.symbol(table)?;
        let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        match (zeros, size) {
            (15, 0) => k += 16,
            (_, 0) => break,
            _ => {
                k += zeros + 1;
                if k > 64 {
                    return Err(damaged());
                }
                bits.take(size)?;
            }
        }
    }
    Ok(())
}
