//! A running emulator. Commands through a pipe allocate memory and launch kernels; `runner.cpp` reads them.

use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A range of bytes in a memory, and the accesses that are allowed there.
#[derive(Debug, Clone, Copy)]
pub struct Region {
    /// Number of the memory.
    pub memory: usize,
    /// Offset of the first byte.
    pub offset: usize,
    /// Number of bytes.
    pub bytes: usize,
    /// May the kernel read it? If not, it holds a pattern instead of numbers.
    pub read: bool,
    /// May the kernel write it? If not, a store there is a fault.
    pub written: bool,
}

/// Numbers in a region: element (i, j) stands `offset + i rows + j columns` numbers after its first byte.
#[derive(Debug, Clone, Copy)]
pub struct Matrix {
    /// The bytes that hold the numbers.
    pub region: Region,
    /// Index of the first number in the region.
    pub offset: usize,
    /// Distance of neighbouring rows, in numbers.
    pub rows: usize,
    /// Distance of neighbouring columns, in numbers.
    pub columns: usize,
}

/// An argument of a kernel.
#[derive(Debug, Clone, Copy)]
pub enum Argument {
    /// The address of a region.
    At(Region),
    /// Any other value, as bits with the lowest first.
    Value(u64),
}

/// The types that a library multiplies and returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multiplied {
    /// Single precision.
    Single = 0,
    /// Double precision.
    Double = 1,
    /// bfloat16 operands. Products return single precision, convolutions bfloat16.
    Bf16Operands = 2,
    /// bfloat16 operands and bias. Products and convolutions return bfloat16.
    AllBf16 = 3,
}

/// A kernel on a grid of blocks.
#[derive(Debug, Clone)]
pub struct Launch<'a> {
    /// Name of the kernel, as `UNIT.KERNEL`.
    pub kernel: &'a str,
    /// Blocks along each axis.
    pub grid: [u32; 3],
    /// Threads of a block along each axis.
    pub block: [u32; 3],
    /// Bytes of dynamic shared memory, in addition to those that the text declares.
    pub shared: u32,
    /// The arguments, in the order of the kernel's parameters.
    pub arguments: Vec<Argument>,
}

/// A matmul of a library: c = a b, then optionally a bias row is added and negative results become 0.
#[derive(Debug, Clone)]
pub struct MatMul {
    /// Rows and columns of c, terms of each sum.
    pub sizes: [usize; 3],
    /// a, b, c
    pub operands: [Matrix; 3],
    /// A row of numbers next to each other.
    pub bias: Option<Matrix>,
    /// Negative results become 0.
    pub relu: bool,
}

/// A convolution or one of its gradients of a library, with channels last everywhere.
#[derive(Debug, Clone)]
pub struct Convolution {
    /// 0: the result from images and filters. 1: the gradient at the images from the gradient at the result and the filters.
    /// 2: the gradient at the filters from the images and the gradient at the result.
    pub pass: u8,
    /// Batch, height, width, channels, height and width of the result, units, then two each for kernel, stride and
    /// padding before.
    pub sizes: [usize; 13],
    /// a, b, c
    pub operands: [Region; 3],
    /// One number per unit.
    pub bias: Option<Region>,
    /// Negative results become 0.
    pub relu: bool,
}

/// A running program from [`super::build::program`]. A fault of a kernel ends it, which [`Process::read`] and
/// [`Process::end`] report.
#[derive(Debug)]
pub struct Process {
    child: Child,
    to: Option<BufWriter<ChildStdin>>,
    from: BufReader<ChildStdout>,
    memories: usize,
}

impl Process {
    /// Starts a program. The seed determines the order of threads and blocks, and the pattern in memory that was never
    /// written.
    pub fn start(program: &Path, seed: u64) -> Result<Self, String> {
        let mut command = Command::new(program);
        // A race ends the program like any other fault. Leaks are not reported: the memory is released when the program
        // ends.
        command.env("TSAN_OPTIONS", "halt_on_error=1 exitcode=66").env("ASAN_OPTIONS", "detect_leaks=0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("{}: {e}", program.display()))?;
        let (to, from) = (child.stdin.take().ok_or("no pipe")?, child.stdout.take().ok_or("no pipe")?);
        let mut process = Process { child, to: Some(BufWriter::new(to)), from: BufReader::new(from), memories: 0 };
        process.say(&[b"S", &seed.to_le_bytes()]);
        Ok(process)
    }

    /// Sends a command. Errors of the pipe are ignored here: the next read, or the end, finds the dead program and
    /// reports its message.
    fn say(&mut self, parts: &[&[u8]]) {
        if let Some(to) = &mut self.to {
            parts.iter().for_each(|part| drop(to.write_all(part)));
        }
    }

    /// Allocates memory of this many bytes without content. Returns the number of the memory.
    pub fn memory(&mut self, bytes: usize) -> usize {
        self.say(&[b"M", &word(bytes)]);
        self.memories += 1;
        self.memories - 1
    }

    /// Writes bytes into a memory.
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

    /// Computes a matmul.
    pub fn matmul(&mut self, product: &MatMul, multiplied: Multiplied) {
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

    /// Reads bytes of a memory after all commands so far.
    ///
    /// # Errors
    /// The program has ended. The error is what it wrote to standard error.
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

    /// Waits until all commands are done.
    ///
    /// # Errors
    /// The program failed. The error is what it wrote to standard error.
    pub fn end(mut self) -> Result<(), String> {
        let said = self.last_words();
        if said.is_empty() { Ok(()) } else { Err(said) }
    }

    /// Closes the pipe, waits for the program and returns its standard error. The text is empty where nothing failed.
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
