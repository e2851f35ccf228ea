//! Reads the header of a JPEG file and checks that its data are complete, without decoding a pixel.
//!
//! The decoder fills missing data with grey, and it decodes some valid kinds of JPEG incorrectly. So every scan is
//! parsed here first, code by code, and kinds that the decoder does not handle are refused by name.
//!
//! Source: ITU-T T.81 (JPEG), annexes B (markers), F (sequential) and G (progressive).

mod bits;
mod scan;

use super::fault::Fault;
use super::orientation;
use bits::Table;
use scan::{Range, Scan};

/// Largest number of scans; encoders write about ten. Each costs a pass over the whole image, even if it has few bytes.
const MOST_SCANS: usize = 100;

/// The facts about a valid JPEG that the decoder handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Number of colour components: 1, 3 or 4.
    pub(super) components: usize,
    /// True if the decoder needs memory for the coefficients of the whole image.
    pub(super) progressive: bool,
    /// Exif orientation: 1 to 8, where 1 is upright.
    pub(super) orientation: u8,
    /// The end of the image in bytes. Cameras store previews after it.
    pub(super) end: usize,
}

/// The header of the frame.
struct Frame {
    width: usize,
    height: usize,
    progressive: bool,
    components: Vec<Component>,
}

/// A colour component, and what has been read of it.
struct Component {
    id: u8,
    /// Sampling factors, horizontal and vertical.
    across: usize,
    down: usize,
    /// For each coefficient, the lowest bit that has been read; `None` before its first scan.
    precision: [Option<u8>; 64],
    /// For progressive files: which coefficients of each block are not zero, one bit for each.
    nonzero: Vec<u64>,
}

/// The state of the parser between two markers.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    frame: Option<Frame>,
    /// Huffman tables: for DC coefficients, then for AC coefficients.
    tables: [[Option<Table>; 4]; 2],
    restart: usize,
    scans: usize,
    orientation: u8,
}

/// Parses a file. `fits` decides whether an image of this width and height, with this number of bytes for each pixel,
/// may be decoded. It is called before memory is allocated.
pub(super) fn look(bytes: &[u8], fits: impl Fn(usize, usize, usize) -> Result<(), Fault>) -> Result<Known, Fault> {
    let tables = std::array::from_fn(|_| std::array::from_fn(|_| None));
    let mut reader = Reader { bytes, at: 2, frame: None, tables, restart: 0, scans: 0, orientation: 1 };
    loop {
        let marker = reader.marker()?;
        match marker {
            0xC0..=0xC2 => {
                let frame = reader.frame(marker)?;
                // Three bytes of colour, and two bytes for each coefficient if all of them are kept in memory.
                let cost = 3 + if frame.progressive { 2 * frame.components.len() } else { 0 };
                fits(frame.width, frame.height, cost)?;
                reader.frame = Some(frame.with_room());
            }
            0xC4 => reader.huffman_tables()?,
            0xC3 | 0xC5..=0xCF => return Err(Fault::kind(unread_kind(marker))),
            0xD9 => return reader.done(),
            0xDA => reader.scan()?,
            0xDC => return Err(Fault::kind("its height is stated after the image")),
            0xDD => {
                let segment = reader.segment()?;
                reader.restart = word(segment, 0).ok_or_else(cut)?;
            }
            0xDE | 0xDF => return Err(Fault::kind("it is hierarchical")),
            0xE1 => {
                let segment = reader.segment()?;
                if let Some(exif) = segment.strip_prefix(b"Exif\0\0") {
                    reader.orientation = orientation::of_exif(exif);
                }
            }
            0x01 | 0xD0..=0xD8 => {}
            _ => {
                reader.segment()?;
            }
        }
    }
}

fn unread_kind(marker: u8) -> &'static str {
    match marker {
        0xC3 => "it is lossless",
        0xC9..=0xCC => "it is arithmetic-coded",
        0xCD..=0xCF => "it is hierarchical and arithmetic-coded",
        _ => "it is hierarchical",
    }
}

fn cut() -> Fault {
    Fault::damaged("the JPEG is cut off before its end")
}

/// A big-endian 16-bit number.
fn word(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..at + 2).map(|pair| usize::from(pair[0]) << 8 | usize::from(pair[1]))
}

impl<'a> Reader<'a> {
    /// The next marker. Fill bytes and other bytes of the encoder may come before it.
    fn marker(&mut self) -> Result<u8, Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let place = rest.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF)).ok_or_else(cut)?;
        self.at += place + 2;
        Ok(rest[place + 1])
    }

    /// The segment after a marker, without its length.
    fn segment(&mut self) -> Result<&'a [u8], Fault> {
        let length = word(self.bytes, self.at).ok_or_else(cut)?;
        let segment = self.bytes.get(self.at + 2..self.at + length.max(2)).ok_or_else(cut)?;
        self.at += length.max(2);
        Ok(segment)
    }

    fn frame(&mut self, marker: u8) -> Result<Frame, Fault> {
        if self.frame.is_some() {
            return Err(Fault::damaged("the JPEG has two frames"));
        }
        let segment = self.segment()?;
        let &[bits, _, _, _, _, count, ref rest @ ..] = segment else { return Err(cut()) };
        let (height, width) = (word(segment, 1).unwrap_or(0), word(segment, 3).unwrap_or(0));
        if bits != 8 {
            return Err(Fault::kind(format!("it has {bits} bits for each colour")));
        }
        if height == 0 {
            return Err(Fault::kind("its height is stated after the image"));
        }
        let components: Vec<Component> = rest.as_chunks::<3>().0.iter().map(Component::new).collect();
        if components.len() != usize::from(count) || width == 0 {
            return Err(Fault::damaged("the header of its frame is damaged"));
        }
        sampling(&components)?;
        Ok(Frame { width, height, progressive: marker == 0xC2, components })
    }

    fn huffman_tables(&mut self) -> Result<(), Fault> {
        let mut segment = self.segment()?;
        while let [place, rest @ ..] = segment {
            let (table, rest) = Table::read(rest).ok_or_else(|| Fault::damaged("a table of its codes is damaged"))?;
            let slot = self.tables.get_mut(usize::from(place >> 4)).and_then(|t| t.get_mut(usize::from(place & 15)));
            *slot.ok_or_else(|| Fault::damaged("a table of its codes is damaged"))? = Some(table);
            segment = rest;
        }
        Ok(())
    }

    fn scan(&mut self) -> Result<(), Fault> {
        let segment = self.segment()?;
        let damaged = || Fault::damaged("the header of a scan is damaged");
        self.scans += 1;
        if self.scans > MOST_SCANS {
            return Err(Fault::kind(format!("it has more than {MOST_SCANS} scans")));
        }
        let frame = self.frame.as_mut().ok_or_else(damaged)?;
        let [count, rest @ ..] = segment else { return Err(damaged()) };
        let (chosen, rest) = rest.split_at_checked(2 * usize::from(*count)).ok_or_else(damaged)?;
        let &[from, to, bits, ..] = rest else { return Err(damaged()) };
        let parts = chosen.as_chunks::<2>().0.iter().map(|&[id, tables]| {
            let component = frame.components.iter().position(|component| component.id == id)?;
            Some((component, usize::from(tables >> 4), usize::from(tables & 15)))
        });
        let parts: Vec<_> = parts.collect::<Option<Vec<_>>>().filter(|parts| !parts.is_empty()).ok_or_else(damaged)?;
        // The decoder reads only interleaved sequential scans correctly.
        if !frame.progressive && parts.len() < frame.components.len() {
            return Err(Fault::kind("it has a scan for each colour (it is not interleaved)"));
        }
        let range = match frame.progressive {
            true => Range { from: usize::from(from), to: usize::from(to), before: bits >> 4, after: bits & 15 },
            false => Range { from: 0, to: 63, before: 0, after: 0 },
        };
        // By the standard, scans of AC coefficients have one component.
        if range.to > 63 || range.from > range.to || (range.from > 0 && parts.len() > 1) {
            return Err(damaged());
        }
        let scan = Scan { parts, range, restart: self.restart };
        self.at = scan.walk(frame, &self.tables, self.bytes, self.at)?;
        Ok(())
    }

    /// Checks that all data of the image have been read.
    fn done(self) -> Result<Known, Fault> {
        let frame = self.frame.ok_or_else(|| Fault::damaged("the JPEG has no frame"))?;
        let whole = |component: &Component| component.precision.iter().all(|bits| *bits == Some(0));
        if !frame.components.iter().all(whole) {
            return Err(Fault::damaged("the last scans of the JPEG are missing"));
        }
        Ok(Known {
            width: frame.width,
            height: frame.height,
            components: frame.components.len(),
            progressive: frame.progressive,
            orientation: self.orientation,
            end: self.at,
        })
    }
}

/// Accepts the kinds of sampling that the decoder handles: one component, or a first component whose resolution is a
/// suitable multiple of the others'.
fn sampling(components: &[Component]) -> Result<(), Fault> {
    let text = || components.iter().map(|c| format!("{}x{}", c.across, c.down)).collect::<Vec<_>>().join(", ");
    if !matches!(components.len(), 1 | 3 | 4) {
        return Err(Fault::kind(format!("it has {} colours", components.len())));
    }
    if components.iter().any(|c| !(1..=4).contains(&c.across) || !(1..=4).contains(&c.down)) {
        return Err(Fault::damaged("the header of its frame is damaged"));
    }
    let first = &components[0];
    let coarser = |c: &Component| {
        let steps = |first: usize, other: usize| first.is_multiple_of(other) && first / other != 3;
        steps(first.across, c.across) && steps(first.down, c.down)
    };
    match components.len() == 1 || components.iter().all(coarser) {
        true => Ok(()),
        false => Err(Fault::kind(format!("its colours are sampled {}", text()))),
    }
}

impl Component {
    fn new(&[id, sampling, _]: &[u8; 3]) -> Self {
        let (across, down) = (usize::from(sampling >> 4), usize::from(sampling & 15));
        Component { id, across, down, precision: [None; 64], nonzero: Vec::new() }
    }
}

impl Frame {
    /// Largest sampling factors over all components.
    fn most(&self) -> [usize; 2] {
        let most = |of: fn(&Component) -> usize| self.components.iter().map(of).max().unwrap_or(1);
        [most(|c| c.across), most(|c| c.down)]
    }

    /// Number of units of an interleaved scan, horizontal and vertical.
    fn units(&self) -> [usize; 2] {
        let [across, down] = self.most();
        [self.width.div_ceil(8 * across), self.height.div_ceil(8 * down)]
    }

    fn with_room(mut self) -> Self {
        let [across, down] = self.units();
        if self.progressive {
            for component in &mut self.components {
                component.nonzero = vec![0; across * component.across * down * component.down];
            }
        }
        self
    }
}

#[cfg(test)]
mod tests;
