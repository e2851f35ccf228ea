//! The bits of a scan, and the Huffman codes in them.

use super::super::fault::Fault;

/// Codes of up to this number of bits are found by one table lookup.
const SHORT: u32 = 8;

/// A Huffman table.
pub(super) struct Table {
    /// For each sequence of [`SHORT`] bits, the length and the symbol of the code at its beginning; length 0 if the
    /// code is longer.
    short: Box<[(u8, u8); 1 << SHORT]>,
    /// For each length: one more than its last code, shifted to 16 bits.
    ends: [u32; 17],
    /// For each length: the number to add to a code to get the index of its symbol.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

impl Table {
    /// Reads a table, and returns the bytes after it. `None` if it is damaged.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (counts, rest) = bytes.split_at_checked(16)?;
        let total = counts.iter().map(|&count| usize::from(count)).sum();
        let (symbols, rest) = rest.split_at_checked(total)?;
        let mut table =
            Table { short: Box::new([(0, 0); 1 << SHORT]), ends: [0; 17], offsets: [0; 17], symbols: symbols.to_vec() };
        // The codes follow from the counts: codes of one length are consecutive, and the next length continues with a
        // zero appended (T.81, annex C).
        let (mut code, mut place) = (0u32, 0usize);
        for (length, &count) in (1u32..).zip(counts) {
            let count = u32::from(count);
            if code + count > 1 << length {
                return None;
            }
            table.offsets[length as usize] = i32::try_from(place).ok()? - i32::try_from(code).ok()?;
            for _ in 0..count {
                if length <= SHORT {
                    let first = (code << (SHORT - length)) as usize;
                    let entry = (u8::try_from(length).ok()?, symbols[place]);
                    table.short[first..first + (1 << (SHORT - length))].fill(entry);
                }
                (code, place) = (code + 1, place + 1);
            }
            table.ends[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some((table, rest))
    }

    /// The symbol whose code consists of zeros.
    pub(super) fn of_zeros(&self) -> Option<u8> {
        self.symbols.first().copied()
    }
}

/// Reads bits up to the next marker.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits. The first of them is the most significant.
    hold: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Bits { bytes, at, hold: 0, count: 0 }
    }

    fn fill(&mut self) {
        while self.count <= 48 {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            if byte == 0xFF {
                if self.bytes.get(self.at + 1) != Some(&0) {
                    return;
                }
                self.at += 1; // the zero after 0xFF means that this is not a marker
            }
            self.at += 1;
            self.hold |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn drop_bits(&mut self, count: u32) -> Result<(), Fault> {
        if count > self.count {
            return Err(Fault::damaged("the data of the JPEG end before the image is complete"));
        }
        self.hold <<= count;
        self.count -= count;
        Ok(())
    }

    /// A number of at most 16 bits.
    pub(super) fn take(&mut self, count: u32) -> Result<u32, Fault> {
        if count == 0 {
            return Ok(0);
        }
        if self.count < count {
            self.fill();
        }
        let number = self.hold >> (64 - count);
        self.drop_bits(count)?;
        Ok(u32::try_from(number).unwrap_or(0)) // 16 bits at most
    }

    /// The symbol of the next code.
    pub(super) fn symbol(&mut self, table: &Table) -> Result<u8, Fault> {
        if self.count < 16 {
            self.fill();
        }
        let (length, symbol) = table.short[usize::try_from(self.hold >> (64 - SHORT)).unwrap_or(0)];
        if length > 0 {
            self.drop_bits(u32::from(length))?;
            return Ok(symbol);
        }
        let next = u32::try_from(self.hold >> 48).unwrap_or(0);
        for length in SHORT + 1..=16 {
            if next < table.ends[length as usize] {
                let code = i32::try_from(next >> (16 - length)).unwrap_or(-1);
                let place = usize::try_from(code + table.offsets[length as usize]).ok();
                let symbol = place.and_then(|place| table.symbols.get(place)).copied();
                self.drop_bits(length)?;
                return symbol.ok_or_else(strange);
            }
        }
        // These bits are no code. If fewer than 16 are left, they are fill bits at the end.
        if self.count < 16 { self.drop_bits(16).map(|()| 0) } else { Err(strange()) }
    }

    /// Approximate position of the next bit in bytes.
    pub(super) fn place(&self) -> usize {
        self.at.saturating_sub((self.count / 8) as usize)
    }

    /// The position of the next marker, if less than one byte comes before it. Whole padding bytes of some encoders are
    /// skipped.
    pub(super) fn end(mut self) -> Option<usize> {
        let mut padding = self.count % 8;
        loop {
            let _ = self.drop_bits(padding);
            self.fill();
            if self.count == 0 {
                return Some(self.at);
            }
            if !matches!(self.hold >> 56, 0 | 0xFF) {
                return None;
            }
            padding = 8;
        }
    }
}

fn strange() -> Fault {
    Fault::damaged("the data of the JPEG are damaged: there is no such code")
}
