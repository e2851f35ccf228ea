//! A running emulator: memory and launches by commands through a pipe (`runner.cpp` reads them).

use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Some bytes of a memory.
#[derive(Debug, Clone, Copy)]
pub struct Region {
    /// Which memory, by its number.
    pub memory: usize,
    /// First byte.
    pub offset: usize,
    /// How many.
    pub bytes: usize,
    /// Is it read?
    pub read: bool,
    /// Is it written? If not, a store there is a fault.
    pub written: bool,
}

/// Numbers in a region: element (i, j) stands `offset + i rows + j columns` numbers after its first byte.
#[derive(Debug, Clone, Copy)]
pub struct Matrix {
    /// Where.
    pub region: Region,
    /// First number.
    pub offset: usize,
    /// Step from row to row.
    pub rows: usize,
    /// Step from column to column.
    pub columns: usize,
}

/// What a kernel gets.
#[derive(Debug, Clone, Copy)]
pub enum Argument {
    /// The address of a region.
    At(Region),
    /// Anything else, by its bits, lowest first.
    Value(u64),
}

/// What a library multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multiplied {
    /// Single precision.
    Single = 0,
    /// Double precision.
    Double = 1,
    /// bfloat16: products give single precision, convolutions bfloat16.
    Half = 2,
    /// bfloat16: products and convolutions give bfloat16, and a bias is one, too.
    Halves = 3,
}

/// A kernel on a grid of blocks.
#[derive(Debug, Clone)]
pub struct Launch<'a> {
    /// Its name.
    pub kernel: &'a str,
    /// Blocks.
    pub grid: [u32; 3],
    /// Threads of each.
    pub block: [u32; 3],
    /// Bytes of shared memory beside what the text declares.
    pub shared: u32,
    /// In the order of its parameters.
    pub arguments: Vec<Argument>,
}

/// A matrix product for a library: c = a b, plus a row, with negative results set to 0.
#[derive(Debug, Clone)]
pub struct Product {
    /// Rows and columns of c, terms of each sum.
    pub sizes: [usize; 3],
    /// a, b, c
    pub operands: [Matrix; 3],
    /// A row of numbers side by side.
    pub bias: Option<Matrix>,
    /// Negative results become 0.
    pub relu: bool,
}

/// A convolution or one of its gradients for a library, all channels last.
#[derive(Debug, Clone)]
pub struct Convolution {
    /// 0: result from images and filters; 1: images' gradient from result's and filters; 2: filters' from images and result's.
    pub pass: u8,
    /// Batch, height, width, channels, height and width of the result, units, kernel, stride, padding before.
    pub sizes: [usize; 13],
    /// a, b, c
    pub operands: [Region; 3],
    /// A number for each unit.
    pub bias: Option<Region>,
    /// Negative results become 0.
    pub relu: bool,
}

/// A program made by [`super::build::program`] that runs. A fault ends it; [`Process::read`] and [`Process::end`] tell.
#[derive(Debug)]
pub struct Process {
    child: Child,
    to: Option<BufWriter<ChildStdin>>,
    from: BufReader<ChildStdout>,
    memories: usize,
}

impl Process {
    /// Starts a program; the seed chooses the order of its threads and blocks.
    pub fn start(program: &Path, seed: u64) -> Result<Self, String> {
        let mut command = Command::new(program);
        // Symbol names cost seconds; lines are what we look for. A race ends the program like any other fault.
        command.env("TSAN_OPTIONS", "halt_on_error=1 exitcode=66").env("ASAN_OPTIONS", "detect_leaks=0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("{}: {e}", program.display()))?;
        let (to, from) = (child.stdin.take().ok_or("no pipe")?, child.stdout.take().ok_or("no pipe")?);
        let mut process = Process { child, to: Some(BufWriter::new(to)), from: BufReader::new(from), memories: 0 };
        process.say(&[b"S", &seed.to_le_bytes()]);
        Ok(process)
    }

    /// Errors of the pipe are not looked at here: whoever reads or ends finds the program dead, and tells why.
    fn say(&mut self, parts: &[&[u8]]) {
        if let Some(to) = &mut self.to {
            parts.iter().for_each(|part| drop(to.write_all(part)));
        }
    }

    /// New memory of this many bytes that holds nothing yet; its number.
    pub fn memory(&mut self, bytes: usize) -> usize {
        self.say(&[b"M", &word(bytes)]);
        self.memories += 1;
        self.memories - 1
    }

    /// Fills a part of a memory.
    pub fn write(&mut self, memory: usize, offset: usize, bytes: &[u8]) {
        self.say(&[b"W"]);
        self.say_region(Region { memory, offset, bytes: bytes.len(), read: false, written: true });
        self.say(&[bytes]);
    }

    fn say_region(&mut self, Region { memory, offset, bytes, read, written }: Region) {
        self.say(&[&word(memory), &word(offset), &word(bytes), &[u8::from(read), u8::from(written)]]);
    }

    fn say_matrix(&mut self, matrix: Matrix) {
        self.say_region(matrix.region);
        self.say(&[&word(matrix.offset), &word(matrix.rows), &word(matrix.columns)]);
    }

    /// Computes a matrix product.
    pub fn product(&mut self, product: &Product, multiplied: Multiplied) {
        self.say(&[b"P", &[multiplied as u8]]);
        product.sizes.iter().for_each(|size| self.say(&[&word(*size)]));
        product.operands.iter().for_each(|operand| self.say_matrix(*operand));
        self.say(&[&[u8::from(product.bias.is_some())]]);
        product.bias.iter().for_each(|bias| self.say_matrix(*bias));
        self.say(&[&[u8::from(product.relu)]]);
    }

    /// Computes a convolution.
    pub fn convolve(&mut self, product: &Convolution, multiplied: Multiplied) {
        self.say(&[b"C", &[multiplied as u8, product.pass]]);
        product.sizes.iter().for_each(|size| self.say(&[&word(*size)]));
        product.operands.iter().for_each(|operand| self.say_region(*operand));
        self.say(&[&[u8::from(product.bias.is_some())]]);
        product.bias.iter().for_each(|bias| self.say_region(*bias));
        self.say(&[&[u8::from(product.relu)]]);
    }

    /// Runs a kernel.
    pub fn launch(&mut self, launch: &Launch<'_>) {
        self.say(&[b"L", &word(launch.kernel.len()), launch.kernel.as_bytes()]);
        for number in launch.grid.iter().chain(&launch.block).chain([&launch.shared]) {
            self.say(&[&number.to_le_bytes()]);
        }
        self.say(&[&word(launch.arguments.len())]);
        for argument in &launch.arguments {
            match argument {
                Argument::At(region) => {
                    self.say(&[&[0]]);
                    self.say_region(*region);
                }
                Argument::Value(bits) => self.say(&[&[1], &bits.to_le_bytes()]),
            }
        }
    }

    /// What a part of a memory holds after everything so far.
    ///
    /// # Errors
    /// The program has ended, with its last words.
    pub fn read(&mut self, memory: usize, offset: usize, bytes: usize) -> Result<Vec<u8>, String> {
        self.say(&[b"R"]);
        self.say_region(Region { memory, offset, bytes, read: true, written: false });
        if let Some(to) = &mut self.to {
            drop(to.flush());
        }
        let mut found = vec![0; bytes];
        match self.from.read_exact(&mut found) {
            Ok(()) => Ok(found),
            Err(_) => Err(self.last_words()),
        }
    }

    /// Waits until everything is done.
    ///
    /// # Errors
    /// The program did not end well, with its last words.
    pub fn end(mut self) -> Result<(), String> {
        let said = self.last_words();
        if said.is_empty() { Ok(()) } else { Err(said) }
    }

    /// Closes the pipe and waits; empty where all went well.
    fn last_words(&mut self) -> String {
        drop(self.to.take());
        let mut said = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            drop(errors.read_to_string(&mut said));
        }
        match self.child.wait() {
            Ok(status) if status.success() => said,
            Ok(status) => format!("{status}: {said}"),
            Err(error) => error.to_string(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.to.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn word(number: usize) -> [u8; 8] {
    (number as u64).to_le_bytes()
}
